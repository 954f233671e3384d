"""What the commands print."""

from collections import defaultdict
from collections.abc import Sequence, Sized
from inspect import Parameter
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from competition.datasets.base import AdDataset
from competition.datasets.problems import Problem, Problems
from competition.evaluation.chosen_metric import CALLED
from competition.evaluation.metrics import Scores
from competition.folds import Folds, unevenness
from competition.oof.cards import Card, ExternalCard, StackCard
from competition.pipeline.extract import Extraction
from competition.pipeline.origins import ELSEWHERE
from competition.pipeline.run import RunResult
from competition.pipeline.stack import StackResult
from competition.pipeline.submit import Submitted
from competition.report import words
from competition.tuning.search import Tuned
from competition.tuning.study import ENOUGH

console = Console()
SHOWN_FAULTS = 5  # of a feature, after a run
SHOWN_TAGS = 50  # of those that come out least even in the folds
SHOWN = 20  # warnings of one kind that are listed unless all are asked for
SHOWN_MODELS = 5  # the best of a kind; the page has all


def print_extractions(extractions: list[Extraction]) -> None:
    """Print a row for every feature, and a line for every ad that lacks one because of its file.

    The column "new" counts the ads whose feature this call has extracted.
    """
    table = Table(title="Features")
    for heading in ("feature", "extractor", "from", "an ad has"):
        table.add_column(heading, overflow="fold")
    for heading in ("ads", "new", "faulty", "seconds"):
        table.add_column(heading, justify="right")
    for one in extractions:
        table.add_row(
            one.feature,
            one.extractor,
            one.source,
            one.shape,
            f"{one.n_ads:,}",
            f"{one.n_new:,}",
            f"{len(one.faults):,}",
            f"{one.seconds:.1f}",
        )
    console.print(table)
    for one in extractions:
        _print_faults(one, len(one.faults))


def _print_faults(extraction: Extraction, most: int) -> None:
    for ad, file, reason in extraction.faults[:most]:
        _line(f"{extraction.feature}: {file or 'its text'} (ad {ad}) counts as missing: {reason}")
    if len(extraction.faults) > most:
        more = len(extraction.faults) - most
        _line(f"{extraction.feature}: {more:,} more; `python -m competition extract` lists all.")


def print_run(result: RunResult) -> None:
    """Print the scores of the best level-1 models and of the stack, and the submission's path."""
    for extraction in result.extractions:
        _print_faults(extraction, SHOWN_FAULTS)
    table = Table(title=f"Out-of-fold scores, {result.dataset.name}")
    table.add_column("model")
    for heading in ("GAP", "mAP", "seconds"):
        table.add_column(heading, justify="right")
    table.add_column("made from", overflow="fold")
    beside = sorted(result.beside, key=lambda card: card.scores.gap)
    kinds: list[Sequence[Card]] = [result.cards, beside, [result.stack]]
    for cards in filter(None, kinds):
        weaker, best = _by_gap(cards)
        if weaker:
            table.add_row(_more(weaker), "", "", "", _origins(weaker))
        for card in best:
            table.add_row(
                card.model,
                f"{card.scores.gap:.4f}",
                f"{card.scores.map:.4f}",
                f"{card.seconds:.1f}",
                _made_from(card),
                style="bold" if card is result.stack else None,
            )
        table.add_section()
    console.print(table)
    for card in beside:
        _lines(words.corrections(card))
    if len(result.stack.candidates) > 1:
        shares = sorted(words.shares(result.stack).items(), key=lambda item: -item[1])
        listed = ", ".join(f"{name} {share:.0%}" for name, share in shares if share >= 0.005)
        _line(f"Weights of the meta-learners, mean of folds: {listed}.")
    _print_end(result.stack, result.submitted, result.holdout)


def _by_gap(cards: Sequence[Card]) -> tuple[list[Card], list[Card]]:
    """Return the cards that are left to the page, and the best ones, the best last."""
    found = sorted(cards, key=lambda card: card.scores.gap)
    shown = _shown_of(len(found))
    return found[:-shown], found[-shown:]


def _shown_of(n: int) -> int:
    """Return how many of `n` are printed: a single one is not left out for a line that says so."""
    return n if n <= SHOWN_MODELS + 1 else SHOWN_MODELS


def _more(left_out: Sized) -> str:
    return f"{len(left_out)} weaker, on the page"


def _origins(cards: Sequence[Card]) -> str:
    return ", ".join(dict.fromkeys(filter(None, map(_made_from, cards))))


def _made_from(card: Card) -> str:
    if isinstance(card, StackCard):
        return ""
    return ELSEWHERE if isinstance(card, ExternalCard) else card.origin


def print_page(path: Path) -> None:
    """Print where the page lies."""
    _line(f"Report: {path}")


def print_stack(result: StackResult) -> None:
    """Print the best level-1 models' and candidates' OOF GAP, their weighted mean's last.

    A candidate that weighs anything is always printed.
    """
    card = result.card
    shares = words.shares(card)
    table = Table(title=f"Out-of-fold GAP, {result.dataset.name}")
    table.add_column("model")
    for heading in ("GAP", "weight"):
        table.add_column(heading, justify="right")
    table.add_column("made from", overflow="fold")
    weaker, best = _by_gap(result.cards)
    if weaker:
        table.add_row(_more(weaker), "", "", _origins(weaker))
    for one in best:
        table.add_row(one.model, f"{one.scores.gap:.4f}", "", _made_from(one))
    table.add_section()
    weighing = [name for name, share in shares.items() if share]
    candidates = sorted(card.candidates.items(), key=lambda item: (shares.get(item[0], 0), item[1]))
    if len(candidates) > 1:
        shown = max(_shown_of(len(candidates)), len(weighing))
        if candidates[:-shown]:
            table.add_row(_more(candidates[:-shown]), "", "", "")
        for name, gap in candidates[-shown:]:
            share = f"{shares[name]:.0%}" if shares.get(name) else ""
            table.add_row(name, f"{gap:.4f}", share)
        table.add_section()
    called = "their weighted mean" if len(weighing) > 1 else f"chosen: {card.chosen[0]}"
    table.add_row(called, f"{card.scores.gap:.4f}", style="bold")
    console.print(table)
    _print_end(card, result.submitted, result.holdout)


def _print_end(card: StackCard, submitted: Submitted | None, holdout: Scores | None) -> None:
    """Print what a reader of the stack's score must know, and where the submission lies."""
    _lines(words.corrections(card))
    _lines(words.failures(card))
    _lines(words.suspicions(card))
    _lines([words.gain(card), *words.doubts_of_gain(card)])
    if holdout is not None:
        _line(f"GAP on the training ads held out: {holdout.gap:.4f}")
    if submitted is None:
        _line("There are no test ads, so no submission is written.")
        return
    if submitted.scores is not None:
        _line(f"GAP on the test ads: {submitted.scores.gap:.4f}")
    _line(f"Submission: {submitted.path}")


def print_check(dataset: AdDataset, problems: Problems, *, show_all: bool) -> None:
    """Print what a dataset holds, then all that is wrong with it, errors first."""
    _line(
        f"{dataset.root} ({dataset.name}): {len(dataset.labels):,} training ads, "
        f"{len(dataset.test_ids):,} test ads, {len(dataset.tags)} tags"
    )
    _print_inputs(dataset)
    of_kind: dict[tuple[str, str], list[Problem]] = defaultdict(list)
    for problem in problems.found:
        of_kind[problem.level, problem.kind].append(problem)
    for level in ("error", "warning", "note"):
        for (its_level, kind), found in of_kind.items():
            if its_level != level:
                continue
            _line(f"\n{level}: {kind} ({len(found):,})")
            shown = found if show_all or level == "error" else found[:SHOWN]
            for problem in shown:
                _line(f"  {problem}")
            if len(shown) < len(found):
                _line(f"  ... and {len(found) - len(shown):,} more; --all lists them")
    n_errors = len(problems.errors)
    _line(f"\n{n_errors} error(s): a run would refuse this." if n_errors else "\nNo errors.")


def _print_inputs(dataset: AdDataset) -> None:
    table = Table()
    for heading in ("input", "kind", "training ads with it", "test ads with it"):
        table.add_column(heading, justify="left" if heading in ("input", "kind") else "right")
    is_train = dataset.ads["split"] == "train"
    for given in dataset.inputs.values():
        for column in given.columns:
            cells = dataset.ads[column]
            present = (cells != "") if given.kind == "text" else cells.notna()
            table.add_row(
                column,
                given.kind,
                f"{int(present[is_train].sum()):,}",
                f"{int(present[~is_train].sum()):,}",
            )
    console.print(table)


def print_folds(dataset: AdDataset, folds: Folds, path: Path) -> None:
    """Print the size of every fold, and for the most uneven tags their smallest and largest fold.

    Of few tags all are listed, in their order.
    """
    evenness = unevenness(dataset.labels, folds.of_ad)
    table = Table(title=f"Ads of each tag in {folds.n} folds, {dataset.name}")
    table.add_column("tag")
    for heading in ("ads", "smallest fold", "largest fold", "if even"):
        table.add_column(heading, justify="right")
    spread = (evenness["most"] - evenness["least"]) / evenness["even"].clip(lower=1)
    uneven = np.argsort(-spread.to_numpy(), kind="stable")[:SHOWN_TAGS]
    for place in sorted(uneven):
        row = evenness.iloc[place]
        counts = (f"{int(row[name]):,}" for name in ("positives", "least", "most"))
        table.add_row(escape(dataset.tags[place].name), *counts, f"{row['even']:,.1f}")
    console.print(table)
    if len(uneven) < len(dataset.tags):
        _line(f"These {len(uneven)} of {len(dataset.tags):,} tags come out least even.")
    sizes = ", ".join(f"{size:,}" for size in np.bincount(folds.of_ad))
    _line(f"Ads in each fold: {sizes}")
    _line(
        f"Largest less smallest fold, as a share of an even fold, mean over tags: "
        f"{spread.mean():.3f}"
    )
    _line(f"Folds: {path}")


def print_models(pattern: str) -> None:
    """Print the registered extractors, level-1 models and meta-learners that match a pattern."""
    from competition.features.registry import find_extractors, get_extractor
    from competition.level1.registry import find_models, get_model
    from competition.level2.registry import find_meta_learners, get_meta_learner

    table = Table()
    for heading in ("name", "reads", "what it is", "parameters"):
        table.add_column(heading)
    for name in find_extractors(pattern):
        one = get_extractor(name)
        reads = f"{', '.join(one.kinds)}: gives {one.gives}"
        table.add_row(name, reads, one.summary, _parameters(one.parameters))
    table.add_section()
    for name in find_models(pattern):
        model = get_model(name)
        table.add_row(name, ", ".join(model.kinds), model.summary, _parameters(model.parameters))
    table.add_section()
    for name in find_meta_learners(pattern):
        learner = get_meta_learner(name)
        table.add_row(name, "level 1", learner.summary, _parameters(learner.parameters))
    console.print(table)


def _parameters(parameters: dict[str, object]) -> str:
    return ", ".join(
        name if value is Parameter.empty else f"{name}={value!r}"
        for name, value in parameters.items()
    )


def print_scores(scores: Scores) -> None:
    """Print the scores of a leaderboard file."""
    _line(f"GAP {scores.gap:.4f}")
    _line(f"mAP {scores.map:.4f}")
    _line(f"F1-C {scores.f1_c:.4f}  F1-O {scores.f1_o:.4f}  accuracy {scores.accuracy:.4f}")
    for dimension, gap in scores.gap_by_dimension.items():
        _line(f"GAP of {dimension} {gap:.4f}")


def print_tuned(tuned: Tuned) -> None:
    """Print the best values beside those that tuning starts from, and the scores of both."""
    table = Table(title=f"Tuning {tuned.name}, {tuned.dataset}")
    table.add_column("parameter")
    for heading in ("start", "best", "importance"):
        table.add_column(heading, justify="right")
    for name in sorted(tuned.best, key=lambda name: -tuned.importances.get(name, 0)):
        share = tuned.importances.get(name)
        table.add_row(
            name,
            _short(tuned.start.get(name, "")),
            _short(tuned.best[name]),
            "" if share is None else f"{share:.2f}",
        )
    table.add_section()
    called = CALLED.get(tuned.metric, tuned.metric)
    table.add_row(called, f"{tuned.start_score:.4f}", f"{tuned.best_score:.4f}", "")
    console.print(table)
    _line(f"{tuned.complete} trials are complete, {tuned.pruned} pruned, {tuned.failed} failed.")
    if not tuned.importances:
        _line(
            f"Importances need {ENOUGH} complete trials: raise --trials and run the command again."
        )
    _line(
        f"The best {called} is optimistic: the folds that measure it also choose it among "
        f"{tuned.complete + tuned.pruned} trials."
    )
    _line(f"Study: {tuned.study} in {tuned.storage}")
    _line(f"Best values: --profile {tuned.path}")


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _lines(texts: list[str]) -> None:
    for text in texts:
        _line(text)


def _line(text: str) -> None:
    """Print a text without markup and without line breaks, which would cut a path in two."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)
