"""Save the stack of a run: level-1 models and meta-learners of each fold, and how to use them."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

import numpy as np

from competition.datasets.base import AdDataset
from competition.datasets.metadata import NULL_WORDS
from competition.evaluation.thresholds import Decision, choose_thresholds, score_decisions
from competition.features.memory import ColumnsInMemory
from competition.level2.base import MetaLearner
from competition.level2.data import StackData
from competition.level2.registry import get_meta_learner
from competition.oof.fold_files import versions
from competition.oof.kept_models import digests, model_folder
from competition.pipeline.blends import read_blends
from competition.pipeline.run import RunResult
from competition.pipeline.stack_input import stack_input
from competition.saved.calibration import calibrate
from competition.saved.costs import ms_per_ad
from competition.saved.features import digests_of, features_of, saved_profile
from competition.saved.inputs import dims_of, forms_of, settings_of
from competition.saved.manifest import BLENDS, FORMAT, NAME, WORDS, Manifest, read_manifest, seal_of
from competition.saved.place import check_target
from competition.saved.plugin_files import needed_plugins
from competition.saved.records import (
    SavedBudget,
    SavedCalibration,
    SavedDecision,
    SavedDistillation,
    SavedInput,
    SavedModel,
    SavedStackPart,
    SavedTag,
    SavedWords,
)
from competition.saved.refit import WHOLE, Scale, refit
from competition.saved.stack import load_stack
from competition.saved.unsure import BEYOND, disagreement, learn_words, words_of
from competition.saved.unsure import WORDS as COUNTED
from competition.utils.errors import MetricError, StoreError
from competition.utils.files import PathLike, folder_written_whole, write_json
from competition.utils.state import write_state


def save_stack(
    result: RunResult,
    folder: PathLike,
    *,
    with_checkpoints: bool = False,
    keep: Literal["folds", "refit"] = "folds",
    decide: str = "f1",
    budget: SavedBudget | None = None,
    distillation: SavedDistillation | None = None,
) -> Manifest:
    """Write the stack of a run to a folder, which appears whole or not at all.

    Parameters
    ----------
    result : RunResult
        Of a run that kept its models.
    folder : path
        A new folder, or that of an earlier saved stack, which is replaced.
    with_checkpoints : bool
        Copy the checkpoints that features are extracted with; otherwise they are named, with
        digests of their files, and must be at hand where new ads are tagged.
    keep : {"folds", "refit"}
        The models of every fold, whose predictions are averaged as in the run; or each level-1
        model once, fitted again on all training ads: a fifth of the size and time.
    decide : str
        How tags are set: ``f1``, ``precision=0.9`` or ``tags=3``
        (`competition.evaluation.thresholds`).
    budget : SavedBudget or None
        What the models were chosen by (`competition.saved.lean.save_within`).
    distillation : SavedDistillation or None
        What the one model imitates (`competition.saved.distil.save_distilled`).

    Raises
    ------
    MetricError
        If `decide` says something else, or asks for more tags than there are.
    StoreError
        If the run did not keep its models.
    WriteError
        If the folder holds something else, or cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from competition import load_profile, load_stack, make_demo, run, save_stack
    >>> quick = ['models=["tfidf_logreg"]', "folds.n=3", "level2.model=mean"]
    >>> with TemporaryDirectory() as folder:
    ...     make_demo(f"{folder}/ads", 40, films=False)
    ...     result = run(f"{folder}/ads", load_profile("text", quick), folder, keep="folds")
    ...     saved = save_stack(result, f"{folder}/stack", decide="tags=2")
    ...     stack = load_stack(f"{folder}/stack")
    ...     found = stack.predict(f"{folder}/ads")
    >>> saved.decision.rule, found["tags"].map(len).unique().tolist()
    ('tags', [2])
    """
    target = check_target(folder)
    store, dataset, stack = result.store, result.dataset, result.stack
    decision = decision_on(dataset, decide)
    jobs = {job.name: job for job in result.jobs}
    cards = sorted(result.cards, key=lambda card: card.model)
    scales = refit(result.jobs, store, result.context) if keep == "refit" else {}
    models = {
        card.model: SavedModel(
            model=jobs[card.model].model,
            columns=tuple(column.name for column in jobs[card.model].columns),
            gap=card.scores.gap,
            scale=scales.get(card.model, Scale()),
        )
        for card in cards
    }
    data, _ = stack_input(store, cards, dataset, stack.metadata, stack.metric)
    oof = store.read(stack.model, stack)[0]
    with folder_written_whole(target) as new:
        for name in models:
            for which in [WHOLE] if keep == "refit" else range(store.folds.n):
                kept = model_folder(store, name, which)
                if not kept.is_dir():
                    raise StoreError(
                        f"{kept} is not there: run with keep='folds', or `run --save DIR`."
                    )
                shutil.copytree(kept, new / "level1" / name / kept.stem)
        blends = read_blends(store, stack.model, stack.fingerprint)
        for place, fold in enumerate(data.folds):
            for name in blends[place].weights if blends else stack.parameters:
                learner: MetaLearner = get_meta_learner(name).make(**stack.parameters[name])
                fitted = learner.for_fold(place).fit(data.without_fold(fold))
                fitted.save(new / "level2" / f"fold_{place}" / name)
        write_state(blends, new / "level2" / BLENDS)
        words = _words(dataset, models, data, new)
        features = features_of(result, new, with_checkpoints=with_checkpoints)
        kinds = {
            column: given.kind for given in dataset.inputs.values() for column in given.columns
        }
        manifest = Manifest(
            format=FORMAT,
            dataset=dataset.name,
            license=dataset.license,
            made_from=stack.fingerprint,
            tags=tuple(SavedTag(name=tag.name, dimension=tag.dimension) for tag in dataset.tags),
            submission=dataset.submission.format,
            top_k=dataset.submission.top_k,
            id_column=dataset.submission.id_column,
            inputs={
                name: SavedInput(
                    kind=given.kind,
                    columns=given.columns,
                    settings=settings_of(dataset, given),
                    forms=forms_of(dataset, given),
                )
                for name, given in result.own.inputs.items()
            },
            null_words=dataset.described.get("null_words", tuple(sorted(NULL_WORDS))),
            dims=dims_of(dataset),
            kinds={name: kinds[name] for one in models.values() for name in one.columns},
            plugins=needed_plugins(result, stack.parameters, features),
            profile=saved_profile(result.context.profile, features),
            checkpoints={name: digests_of(params) for name, params in features.items()},
            keep=keep,
            models=models,
            level2=SavedStackPart(
                name=stack.level2,
                learners=tuple(
                    tuple(blends[place].weights if blends else stack.parameters)
                    for place in range(len(data.folds))
                ),
                metadata=stack.metadata,
                inputs=tuple(dataset.inputs),
            ),
            decision=_decided(decision, data, oof),
            calibration=SavedCalibration(**calibrate(data.labels, oof, data.fold)._asdict()),
            words=words,
            budget=budget,
            distillation=distillation,
            scores=stack.scores,
            n_train=len(dataset.train_ids),
            versions=versions(),
            files=digests(new),
        )
        _write_manifest(new, manifest)
        saved = load_stack(new, device="cpu", n_jobs=1, plugins=result.context.profile.plugins)
        ms = round(ms_per_ad(saved, result), 1)
        _write_manifest(new, manifest.model_copy(update={"ms_per_ad": ms}))
    return read_manifest(target)


def decision_on(dataset: AdDataset, decide: str) -> Decision:
    """Read how tags are to be set.

    Raises
    ------
    MetricError
        If `decide` says nothing that is known, or asks for more tags than there are.
    """
    decision = Decision.parse(decide)
    if decision.rule == "tags" and decision.value > len(dataset.tags):
        raise MetricError(
            f"{decide} sets more tags than {dataset.name} has, which are {len(dataset.tags)}. "
            "Ask for fewer."
        )
    return decision


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    values = manifest.model_dump(mode="json")
    write_json(folder / NAME, {**values, "seal": seal_of(values)})


def _decided(decision: Decision, data: StackData, oof: np.ndarray) -> SavedDecision:
    """Choose thresholds on the stack's out-of-fold predictions, and score them fold by fold."""
    scored = score_decisions(data.labels, oof, data.fold, decision)
    return SavedDecision(
        rule=decision.rule,
        value=decision.value,
        thresholds=tuple(map(float, choose_thresholds(data.labels, oof, decision))),
        **asdict(scored),
        disagreement=float(np.quantile(disagreement(data.ads.probabilities), BEYOND)),
    )


def _words(
    dataset: AdDataset, models: Mapping[str, SavedModel], data: StackData, new: Path
) -> SavedWords | None:
    """Write the words that training ads have; return how many others are usual."""
    read = {column for model in models.values() for column in model.columns}
    texts = [
        column
        for given in dataset.inputs.values()
        for column in given.columns
        if given.kind == "text" and column in read
    ]
    if not texts:
        return None
    train = replace(dataset, ads=dataset.ads.loc[dataset.train_ids])
    known, usual, most = learn_words(
        words_of(ColumnsInMemory(train, dict.fromkeys(texts, "text")).frame(texts, COUNTED)),
        data.fold,
    )
    write_state(known, new / WORDS)
    return SavedWords(columns=tuple(texts), usual=usual, most=most)
