"""What the commands print: the numbers of the results, and the sentences about them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from competition.config.profile import load_profile
from competition.datasets import load_dataset
from competition.datasets.base import AdDataset
from competition.datasets.check import check_dataset
from competition.evaluation.bootstrap import Difference
from competition.evaluation.leaks import StandingOut
from competition.features.registry import find_extractors
from competition.folds import make_folds
from competition.level1.registry import find_models
from competition.level2.registry import find_meta_learners
from competition.oof.cards import FoldOffset, Level1Card
from competition.pipeline.extract import Extraction
from competition.pipeline.run import RunResult, run
from competition.pipeline.stack import StackResult
from competition.pipeline.submit import Submitted
from competition.report.tables import (
    console,
    print_check,
    print_extractions,
    print_folds,
    print_models,
    print_run,
    print_scores,
    print_stack,
    print_tuned,
)
from competition.tuning.search import Tuned
from competition.utils.progress import Progress
from tests.made_cards import external_card, level1_card, scores, stack_card

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal in which no cell is broken."""
    monkeypatch.setattr(console, "_width", 2000)


def rows(printed: str) -> list[list[str]]:
    """Cells of every row of a table, its headings left out."""
    return [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in printed.splitlines()
        if line.startswith("│")
    ]


@pytest.fixture(scope="module")
def dataset(shared_table: Path) -> AdDataset:
    return load_dataset(shared_table)


# A run


@pytest.fixture(scope="module")
def finished(shared_table: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    overrides = ['models=["tfidf_logreg", "tfidf_nblogreg"]', "folds.n=3"]
    profile = load_profile("text", [*overrides, 'level2.model=["mean", "single"]'])
    return run(shared_table, profile, tmp_path_factory.mktemp("out"), n_jobs=1, holdout=0.2)


def test_run_is_printed_as_its_cards_say_the_stack_last(
    finished: RunResult, capsys: Captured
) -> None:
    print_run(finished)
    cards = [*sorted(finished.cards, key=lambda card: card.scores.gap), finished.stack]
    assert rows(capsys.readouterr().out) == [
        [
            card.model,
            f"{card.scores.gap:.4f}",
            f"{card.scores.map:.4f}",
            f"{card.seconds:.1f}",
            "" if card is finished.stack else "from scratch",
        ]
        for card in cards
    ]


def test_run_ends_with_choice_gain_last_score_and_path(
    finished: RunResult, capsys: Captured
) -> None:
    print_run(finished)
    lines = capsys.readouterr().out.splitlines()
    for name, shares in finished.stack.weights.items():
        share = f"{name} {np.mean(shares):.0%}"
        assert np.mean(shares) < 0.005 or any("Weights" in x and share in x for x in lines)
    gain, best = finished.stack.gain, finished.stack.best_model
    assert (
        f"The stack gains {gain.value:+.4f} GAP over its best model, {best} "
        f"(mean of folds; 95% interval {gain.low:+.4f} to {gain.high:+.4f})." in lines
    )
    assert finished.holdout is not None
    assert finished.submitted is not None
    assert f"GAP on the training ads held out: {finished.holdout.gap:.4f}" in lines
    assert lines[-1] == f"Submission: {finished.submitted.path}"


def many_cards() -> list[Level1Card]:
    """Nine models, the strongest first; the weakest are made from something else."""
    return [
        level1_card(
            f"model{place}",
            "frames",
            "look",
            scores=scores(0.9 - place / 10),
            origin="from scratch" if place < 7 else "org/eyes-large",
        )
        for place in range(9)
    ]


def test_run_keeps_the_best_five_models_and_what_the_others_are_made_from(
    finished: RunResult, capsys: Captured
) -> None:
    print_run(replace(finished, cards=many_cards()))
    printed = rows(capsys.readouterr().out)
    assert printed[0] == ["4 weaker, on the page", "", "", "", "org/eyes-large, from scratch"]
    best = ["model4", "model3", "model2", "model1", "model0"]
    assert [row[0] for row in printed[1:]] == [*best, finished.stack.model]


def test_run_lists_a_few_of_the_files_that_could_not_be_read(
    finished: RunResult, capsys: Captured
) -> None:
    print_run(replace(finished, extractions=[extraction(7)]))
    printed = capsys.readouterr().out
    assert printed.count("counts as missing: it is cut") == 5
    assert "frames: 2 more; `python -m competition extract` lists all." in printed


# Features


def extraction(n_faults: int) -> Extraction:
    faults = tuple((f"ad{i}", f"ad{i}.mp4", "it is cut") for i in range(n_faults))
    return Extraction("frames", "vit", "video", 1234, 56, "16 x 384 (median)", faults, 7.25)


def test_extractions_are_a_row_each_and_every_fault_is_named(capsys: Captured) -> None:
    texts = Extraction("speech", "asr", "video", 30, 0, "text", (("x", "", "no sound"),), 0.5)
    print_extractions([extraction(7), texts])
    printed = capsys.readouterr().out
    assert rows(printed) == [
        ["frames", "vit", "video", "16 x 384 (median)", "1,234", "56", "7", "7.2"],
        ["speech", "asr", "video", "text", "30", "0", "1", "0.5"],
    ]
    for i in range(7):
        assert f"frames: ad{i}.mp4 (ad ad{i}) counts as missing: it is cut\n" in printed
    assert "speech: its text (ad x) counts as missing: no sound\n" in printed


# A stack


def stacked(
    dataset: AdDataset, submitted: Submitted | None = None, **values: object
) -> StackResult:
    cards = [
        level1_card("eyes", "frames", "look", scores=scores(0.6), origin="org/eyes-large"),
        external_card("ears", scores=scores(0.4)),
    ]
    return StackResult(dataset, cards, stack_card("selection", **values), submitted)


def test_stack_lists_models_then_candidates_the_chosen_ones_last(
    dataset: AdDataset, capsys: Captured
) -> None:
    print_stack(
        stacked(
            dataset,
            scores=scores(0.63),
            candidates={"dnn": 0.65, "mean": 0.61, "pooled": 0.62},
            weights={"dnn": (0, 0, 0), "mean": (1, 0.5, 0.75), "pooled": (0, 0.5, 0.25)},
        )
    )
    assert rows(capsys.readouterr().out) == [
        ["ears", "0.4000", "", "elsewhere"],
        ["eyes", "0.6000", "", "org/eyes-large"],
        ["dnn", "0.6500", "", ""],
        ["pooled", "0.6200", "25%", ""],
        ["mean", "0.6100", "75%", ""],
        ["their weighted mean", "0.6300", "", ""],
    ]


def test_stack_keeps_the_best_five_models_and_every_candidate_that_weighs(
    dataset: AdDataset, capsys: Captured
) -> None:
    names = [f"learner{place}" for place in range(8)]  # all but two weigh
    values = {
        "candidates": {name: 0.7 - place / 100 for place, name in enumerate(names)},
        "weights": {name: ((place > 1) / 6,) * 3 for place, name in enumerate(names)},
    }
    print_stack(replace(stacked(dataset, **values), cards=many_cards()))
    printed = [row[0] for row in rows(capsys.readouterr().out)]
    assert printed[:2] == ["4 weaker, on the page", "model4"]
    assert printed[5:7] == ["model0", "2 weaker, on the page"]
    assert set(printed[7:13]) == set(names[2:])


def test_single_meta_learner_is_a_single_row(dataset: AdDataset, capsys: Captured) -> None:
    print_stack(
        stacked(
            dataset,
            candidates={"mean": 0.61},
            chosen=("mean",) * 3,
            weights={"mean": (1,) * 3},
            scores=scores(0.61),
        )
    )
    assert rows(capsys.readouterr().out)[2:] == [["chosen: mean", "0.6100", "", ""]]


SENTENCES = {
    "failed": (
        {"failed": {"dnn": "no memory"}},
        "dnn failed and is left out: no memory",
    ),
    "leak": (
        {"standing_out": {"eyes": StandingOut(2, 0.91, 0.52)}},
        "Warning: eyes has a GAP of 0.9100 in fold 2 and of 0.5200 in the others",
    ),
    "offsets": (
        {
            "large_offsets": {
                "ears": FoldOffset(spread=0.75, fold_offsets=(0, 0.75), gap=0.41, gap_folds=0.47)
            }
        },
        "Warning: the fold models of ears differ by up to 0.75 in their mean logit on the same "
        "test ads (GAP 0.4100 in one list, 0.4700 as the mean of folds)",
    ),
    "gain": (
        {"gain": Difference(0.02, 0.01, 0.03)},
        "The stack gains +0.0200 GAP over its best model, eyes (mean of folds; 95% interval "
        "+0.0100 to +0.0300).",
    ),
    "corrections": (
        {"corrections": {"dnn": (0.25, 0.0)}},
        "dnn uses 0.25, 0.00 of its correction in the folds.",
    ),
    "no corrections": (
        {"corrections": {"dnn": (0.0, 0.0)}},
        "dnn uses 0.00, 0.00 of its correction in the folds: it is the stack that it corrects, and "
        "nothing more.",
    ),
    "small gain": ({"gain": Difference(0.02, -0.01, 0.03)}, "may be chance"),
    "loss": ({"gain": Difference(-0.02, -0.03, 0.01)}, "does not beat that model"),
    "the best model": (
        {
            "gain": Difference(0.0, 0.0, 0.0),
            "weights": {"single": (1, 1)},
            "candidates": {"single": 0.57, "mean": 0.5},
        },
        "It is that model alone: no stack is better by more than chance.",
    ),
    "a loss of single, which nothing chose": (
        {
            "gain": Difference(-0.02, -0.03, -0.01),
            "weights": {"single": (1, 1)},
            "candidates": {"single": 0.57},
        },
        "does not beat that model",
    ),
    "no test ads": ({}, "There are no test ads, so no submission is written."),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_stack_says(dataset: AdDataset, capsys: Captured, case: str) -> None:
    values, sentence = SENTENCES[case]
    print_stack(stacked(dataset, **values))
    assert sentence in capsys.readouterr().out


def test_stack_with_a_sure_gain_warns_of_nothing(dataset: AdDataset, capsys: Captured) -> None:
    print_stack(stacked(dataset))
    assert "Warning" not in capsys.readouterr().out


def test_stack_ends_with_the_score_and_the_path_of_the_submission(
    dataset: AdDataset, capsys: Captured
) -> None:
    path = Path("a folder [with] a long name", *["x" * 90] * 4, "films.csv")
    print_stack(stacked(dataset, Submitted(path, scores(0.58))))
    assert capsys.readouterr().out.endswith(f"GAP on the test ads: 0.5800\nSubmission: {path}\n")


# Data


def test_folds_are_printed_as_counted(dataset: AdDataset, capsys: Captured) -> None:
    folds = make_folds(dataset, 4, 0)
    print_folds(dataset, folds, Path("folds.csv"))
    printed = capsys.readouterr().out
    counts = np.array([dataset.labels[folds.of_ad == k].sum(axis=0) for k in range(4)])
    assert rows(printed) == [
        [tag.name, str(of_tag.sum()), str(of_tag.min()), str(of_tag.max()), f"{of_tag.mean():.1f}"]
        for tag, of_tag in zip(dataset.tags, counts.T, strict=True)
    ]
    sizes = ", ".join(str((folds.of_ad == k).sum()) for k in range(4))
    spread = np.mean([(one.max() - one.min()) / max(one.mean(), 1) for one in counts.T])
    assert f"Ads in each fold: {sizes}\n" in printed
    assert f"mean over tags: {spread:.3f}\n" in printed
    assert printed.endswith("Folds: folds.csv\n")


def test_check_counts_inputs_and_lists_faults_errors_first(table: Path, capsys: Captured) -> None:
    train = table / "train.csv"
    lines = train.read_text(encoding="utf-8").splitlines()
    lines[3] = lines[3].replace("ad2,", "ad2,no_such_poster.jpg", 1)
    lines[4] = lines[2]  # an ad that is there already
    train.write_text("\n".join(lines) + "\n", encoding="utf-8")
    dataset, problems = check_dataset(table, 5, Progress())
    print_check(dataset, problems, show_all=False)
    printed = capsys.readouterr().out
    n_train, n_test = len(dataset.train_ids), len(dataset.test_ids)
    assert (
        f"(films): {n_train} training ads, {n_test} test ads, {len(dataset.tags)} tags" in printed
    )
    assert ["language", "metadata", str(n_train), str(n_test)] in rows(printed)
    assert ["poster", "image", "0", "0"] in rows(printed)
    levels = [line.split(":")[0] for line in printed.splitlines() if line[:4] in ("erro", "warn")]
    assert levels == sorted(levels)
    assert {"error", "warning"} == set(levels)
    assert printed.endswith(f"{len(problems.errors)} error(s): a run would refuse this.\n")


def test_check_lists_twenty_of_a_kind_unless_all_are_asked_for(
    table: Path, capsys: Captured
) -> None:
    train = table / "train.csv"
    header, *lines = train.read_text(encoding="utf-8").splitlines()
    lines = [f"ad{i},gone{i}.jpg,{line.split(',', 2)[2]}" for i, line in enumerate(lines)]
    train.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    dataset, problems = check_dataset(table, 2, Progress())
    print_check(dataset, problems, show_all=False)
    some = capsys.readouterr().out
    print_check(dataset, problems, show_all=True)
    every = capsys.readouterr().out
    assert (some.count("gone"), every.count("gone")) == (20, 40)
    assert "... and 20 more; --all lists them" in some
    assert "--all" not in every


# The rest


def test_models_lists_every_registered_name_with_its_defaults(capsys: Captured) -> None:
    print_models("*")
    printed = rows(capsys.readouterr().out)
    names = [*find_extractors(), *find_models(), *find_meta_learners()]
    assert [row[0] for row in printed] == names
    of = {row[0]: row for row in printed}
    assert of["tfidf_logreg"][1] == "text"
    assert "C=4.0" in of["tfidf_logreg"][3]


def test_models_lists_what_matches_a_pattern(capsys: Captured) -> None:
    print_models("tfidf_*")
    assert [row[0] for row in rows(capsys.readouterr().out)] == find_models("tfidf_*")


def test_scores_are_printed_to_four_decimals(capsys: Captured) -> None:
    found = replace(
        scores(0.71234567),
        map=0.25,
        f1_c=0.125,
        f1_o=0.375,
        accuracy=0.875,
        gap_by_dimension={"genre": 0.5, "mood": 1 / 3},
    )
    print_scores(found)
    assert capsys.readouterr().out.splitlines() == [
        "GAP 0.7123",
        "mAP 0.2500",
        "F1-C 0.1250  F1-O 0.3750  accuracy 0.8750",
        "GAP of genre 0.5000",
        "GAP of mood 0.3333",
    ]


def tuned(importances: dict[str, float]) -> Tuned:
    return Tuned(
        dataset="films",
        name="tfidf_logreg",
        metric="gap",
        start={"C": 4.0, "min_df": 2},
        best={"C": 6.25, "min_df": 3},
        start_score=0.70004,
        best_score=0.71006,
        complete=8,
        pruned=3,
        failed=1,
        importances=importances,
        study="films/tfidf_logreg/0123",
        storage="sqlite:///studies.sqlite",
        path=Path("tfidf_logreg.toml"),
    )


def test_tuned_values_stand_beside_those_it_started_from(capsys: Captured) -> None:
    print_tuned(tuned({"min_df": 0.75, "C": 0.25}))
    printed = capsys.readouterr().out
    assert rows(printed) == [
        ["min_df", "2", "3", "0.75"],
        ["C", "4", "6.25", "0.25"],
        ["GAP", "0.7000", "0.7101", ""],
    ]
    assert "8 trials are complete, 3 pruned, 1 failed." in printed
    assert "Study: films/tfidf_logreg/0123 in sqlite:///studies.sqlite\n" in printed
    assert printed.endswith("Best values: --profile tfidf_logreg.toml\n")


def test_tuning_says_that_its_best_score_is_optimistic(capsys: Captured) -> None:
    print_tuned(tuned({"min_df": 0.75, "C": 0.25}))
    assert (
        "The best GAP is optimistic: the folds that measure it also choose it among 11 trials."
        in capsys.readouterr().out
    )


def test_tuning_says_why_it_shows_no_importances(capsys: Captured) -> None:
    print_tuned(tuned({}))
    assert "Importances need 10 complete trials" in capsys.readouterr().out
