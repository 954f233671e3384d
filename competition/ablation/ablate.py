"""The winning video paper's Tables 2 to 4 for the dataset at hand, from stored predictions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from competition.ablation.dropping import eliminate
from competition.ablation.modalities import (
    Combination,
    Modality,
    combinations,
    modalities_of,
)
from competition.ablation.rivals import Rivals, fusion_rivals
from competition.ablation.rows import (
    AblationTable,
    RowMaker,
    without_modality,
)
from competition.ablation.writing import write_tables
from competition.config.profile import Profile
from competition.datasets.base import AdDataset
from competition.execution.local import run_tasks
from competition.level2.base import MetaLearner
from competition.level2.crossfit import cross_fit
from competition.level2.data import StackData
from competition.level2.registry import get_meta_learner
from competition.oof.cards import Level1Card, ModelCard
from competition.pipeline.context import open_context, open_store
from competition.pipeline.extract import extract_features
from competition.pipeline.plan import plan_metadata
from competition.pipeline.settings import plan_meta_learners, refuse_limits
from competition.pipeline.stack import fitted_stack, stored_models
from competition.pipeline.stack_input import stack_input
from competition.utils.files import PathLike
from competition.utils.progress import Progress

QUICK = "pooled"  # stacks a few hundred times in a minute


@dataclass(frozen=True, eq=False)
class Ablation:
    """What `ablate` leaves behind.

    Attributes
    ----------
    dataset : AdDataset
    tables : list of AblationTable
    paths : list of Path
        The files that hold the tables.
    """

    dataset: AdDataset
    tables: list[AblationTable]
    paths: list[Path]


@dataclass(frozen=True, eq=False)
class _Subject:
    """What the tables are made from."""

    data: StackData
    modalities: list[Modality]
    inputs: dict[str, list[int]]  # of each modality, columns of data.ads.missing
    learner: MetaLearner
    called: str
    seed: int
    n_jobs: int
    progress: Progress

    def row_maker(self, reference: np.ndarray) -> RowMaker:
        return RowMaker(self.data.labels, reference, self.data.top_k, self.seed)


def ablate(
    data: PathLike,
    profile: Profile,
    out: PathLike = ".",
    *,
    n_jobs: int | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> Ablation:
    """Compare modalities, combinations of them, models and ways of fusing, on the dataset's folds.

    The level-1 models are those stored. The stack of the profile and the rivals that fuse features
    are read where they are stored, else run; all else is computed anew. Every row is out of fold:
    what it chooses or learns, it does without the ads that it is scored on.

    Parameters
    ----------
    data : path
        Folder of ads.
    profile : Profile
        Its ``level2`` says what stacks (of several meta-learners the first makes the rows), its
        ``features`` and ``level1.fusion`` what the rivals see and how they are trained.
    out : path
        Folder that holds ``oof/`` and ``cache/``.
    n_jobs : int or None
        Rows at a time; None takes one per core.
    device : str
        Where networks run.
    progress : Progress or None

    Raises
    ------
    StoreError
        If no stored model fits the ads, labels and folds.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from competition import ablate, load_profile, make_demo, run
    >>> quick = ['models=["tfidf_logreg"]', "folds.n=2", "level2.model=mean"]
    >>> profile = load_profile("text", [*quick, 'kinds=["metadata"]'])  # nothing to fuse
    >>> with TemporaryDirectory() as folder:
    ...     make_demo(f"{folder}/ads", 40, films=False)
    ...     _ = run(f"{folder}/ads", load_profile("text", quick), folder, n_jobs=1)
    ...     ablation = ablate(f"{folder}/ads", profile, folder, n_jobs=1)
    >>> [table.name for table in ablation.tables]
    ['modalities', 'combinations', 'missing', 'fusion', 'models']
    """
    refuse_limits(profile, "ablate")
    context = open_context(data, profile, out, n_jobs=n_jobs, device=device, progress=progress)
    context, _ = extract_features(context)
    dataset, store = context.dataset, open_store(context)
    cards = stored_models(store, context)
    with fitted_stack(cards, store, context) as stack:
        submitted = store.read(stack.model, stack)[0]
    called, its_params = next(iter(plan_meta_learners(profile).items()))
    metadata = plan_metadata(profile, dataset)
    modalities = modalities_of(cards, dataset, profile.features)
    stack_data, _ = stack_input(store, cards, dataset, metadata)
    subject = _Subject(
        data=stack_data,
        modalities=modalities,
        inputs=_inputs(modalities, cards, dataset),
        learner=get_meta_learner(called).make(**its_params),
        called=called,
        seed=profile.seed,
        n_jobs=context.n_jobs,
        progress=context.progress,
    )
    rivals = fusion_rivals(cards, modalities, context, store)
    tables = [
        *_of_modalities(subject),
        _of_fusion(subject, stack.model, submitted, rivals),
        _of_models(subject),
    ]
    return Ablation(dataset, tables, write_tables(context.ablation_folder, dataset.name, tables))


def _inputs(
    modalities: Sequence[Modality], cards: Sequence[ModelCard], dataset: AdDataset
) -> dict[str, list[int]]:
    columns = {
        card.model: set(card.inputs) if isinstance(card, Level1Card) else set() for card in cards
    }
    return {
        modality.name: [
            position
            for position, given in enumerate(dataset.inputs.values())
            if any(columns[model] & set(given.columns) for model in modality.models)
        ]
        for modality in modalities
    }


def _of_modalities(subject: _Subject) -> list[AblationTable]:
    """Tables 2 and 3, and what is left where a modality is missing."""
    data, learner, modalities = subject.data, subject.learner, subject.modalities
    stacks = {
        modality.name: data.of_models(modality.models).without_metadata()
        for modality in modalities
        if len(modality.models) > 1
    }
    combined = combinations(modalities, bool(data.ads.metadata.shape[1]))
    stacks |= {one.name: _data_of(one, data) for one in combined}
    whole = combined[-1].name
    stacks[whole] = data
    found = _stacked(subject, stacks)
    row = subject.row_maker(found[whole])
    alone = data.ads.probabilities.swapaxes(0, 1)
    single = [
        row(
            modality.name,
            modality.models,
            found.get(modality.name, alone[data.models.index(modality.models[0])]),
        )
        for modality in modalities
    ]
    removed = [(modality.models, subject.inputs[modality.name]) for modality in modalities]
    missing = without_modality(learner, data, removed)
    reference = f"all models and metadata, stacked by {subject.called}"
    return [
        AblationTable(
            "modalities",
            "Single modalities (the paper's Table 2)",
            reference,
            tuple(single),
            f"A modality of several models is their stack by {subject.called}, without metadata.",
        ),
        AblationTable(
            "combinations",
            "Combinations of modalities (the paper's Table 3)",
            reference,
            tuple(row(one.name, one.models, found[one.name]) for one in combined),
            f"Stacked by {subject.called}; metadata goes straight to it, as in the paper.",
        ),
        AblationTable(
            "missing",
            "A modality missing from the ads that are predicted",
            reference,
            tuple(
                row(f"without {modality.name}", modality.models, oof)
                for modality, oof in zip(modalities, missing, strict=True)
            ),
            "The stack is trained with all; the models of the modality then answer with the share "
            "of each tag among their training ads.",
        ),
    ]


def _data_of(combination: Combination, data: StackData) -> StackData:
    chosen = data.of_models(combination.models)
    return chosen if combination.metadata else chosen.without_metadata()


def _stacked(subject: _Subject, stacks: dict[str, StackData]) -> dict[str, np.ndarray]:
    """Stack every one, some at a time."""
    tasks = [(name, subject.learner, data) for name, data in stacks.items()]
    n_jobs = min(subject.n_jobs, len(stacks))
    found = {}
    subject.progress.update("ablation", 0, len(stacks))
    for number, (name, oof) in enumerate(run_tasks(_named_oof, tasks, n_jobs=n_jobs), start=1):
        found[name] = oof
        subject.progress.update("ablation", number, len(stacks), name)
    return found


def _report(subject: _Subject, stage: str, total: int, done: int) -> None:
    subject.progress.update(stage, done, total)


def _named_oof(name: str, learner: MetaLearner, data: StackData) -> tuple[str, np.ndarray]:
    return name, cross_fit(learner, data).oof


def _of_fusion(
    subject: _Subject, stack: str, submitted: np.ndarray, rivals: Rivals
) -> AblationTable:
    """Table 4: a stack of the networks, what else joins their predictions, and what fuses them."""
    data = subject.data.of_models(rivals.models).without_metadata()
    report = partial(_report, subject, "ways of fusing", len(data.folds))
    report(0)
    ours = cross_fit(subject.learner, data, each=report).oof
    row = subject.row_maker(ours)
    rows = [row("our method", data.models, ours, f"stacked by {subject.called}")]
    for name in ("mean", "logit_mean"):
        rows.append(row(name, data.models, cross_fit(get_meta_learner(name).make(), data).oof))
    probabilities = data.ads.probabilities
    alone = [row(m, [m], probabilities[:, place]) for place, m in enumerate(data.models)]
    rows.append(max(alone, key=lambda one: one.gap))
    rows[-1] = replace(rows[-1], note="the best of these models")
    rows += [row(name, [name], oof) for name, oof in rivals.oof.items()]
    rows.append(row(stack, subject.data.models, submitted, "our method, all models and metadata"))
    return AblationTable(
        "fusion",
        "Ways of fusing (the paper's Table 4)",
        "our method",
        tuple(rows),
        f"All but the last row see the same, without metadata. {rivals.note}",
    )


def _of_models(subject: _Subject) -> AblationTable:
    """What each model adds, and which can be dropped without loss."""
    data = subject.data
    learner = get_meta_learner(QUICK).make()
    whole = cross_fit(learner, data).oof
    row = subject.row_maker(whole)
    n_folds = len(data.folds)
    rows = [row("all models", data.models, whole)]
    note = f"Stacked by {QUICK}."
    if len(data.models) > 1:
        report = partial(_report, subject, "dropping models", n_folds + len(data.models))
        report(0)
        # Without the fold that it is for, a choice needs two folds of its own.
        pruned = eliminate(learner, data, subject.n_jobs, report) if n_folds > 2 else None
        for number, model in enumerate(data.models, start=1):
            left = [name for name in data.models if name != model]
            n = sum(model in gone for gone in pruned.dropped.values()) if pruned else 0
            dropped = f"dropped in {n} of {n_folds} folds" if n else ""
            oof = cross_fit(learner, data.of_models(left)).oof
            rows.append(row(f"without {model}", left, oof, dropped))
            report(n_folds + number)
        if pruned:
            always = set.intersection(*(set(gone) for gone in pruned.dropped.values()))
            left = [name for name in data.models if name not in always]
            rows.append(row("after dropping", left, pruned.oof))
            note += (
                " For each fold models are dropped, one by one, as long as GAP on the other folds "
                "does not fall below that of all; the last row is scored on the folds that the "
                "choice never saw."
            )
        else:
            note += " Which models can be dropped is not tried: that takes three folds."
    return AblationTable(
        "models", "What each model adds", f"all models, stacked by {QUICK}", tuple(rows), note
    )
