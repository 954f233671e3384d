"""Save the stack of a run: level-1 models and meta-learners of each fold, and how to use them."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from competition.config.profile import Profile
from competition.datasets.base import AdDataset, Input
from competition.datasets.metadata import NULL_WORDS, Reading
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
from competition.saved.manifest import (
    BLENDS,
    FORMAT,
    NAME,
    WORDS,
    Manifest,
    SavedBudget,
    SavedCalibration,
    SavedDecision,
    SavedDistillation,
    SavedInput,
    SavedModel,
    SavedStackPart,
    SavedTag,
    SavedWords,
    read_manifest,
    seal_of,
)
from competition.saved.plugin_files import needed_plugins
from competition.saved.refit import WHOLE, Scale, refit
from competition.saved.stack import load_stack
from competition.saved.unsure import BEYOND, disagreement, learn_words, words_of
from competition.saved.unsure import WORDS as COUNTED
from competition.utils.errors import MetricError, StoreError, WriteError
from competition.utils.files import PathLike, file_digest, folder_written_whole, write_json
from competition.utils.state import write_state

# Parameters of extractors that name files or folders.
PATHS = ("checkpoint", "weights", "pca", "path")


def check_target(folder: PathLike) -> Path:
    """Raise a WriteError if something else than a saved stack is where one is to be saved."""
    target = Path(folder)
    taken = target.is_file() or (target.is_dir() and any(target.iterdir()))
    if taken and not (target / NAME).is_file():
        raise WriteError(f"{target} holds something else than a saved stack. Name a new folder.")
    file = next((one for one in target.parents if one.is_file()), None)
    if file is not None:
        raise WriteError(f"{file} is a file where {target} needs a folder. Name another folder.")
    return target


def next_version(folder: PathLike, made_from: str) -> Path:
    """Where a stack is saved: the folder, or beside the other stacks that lie there.

    Parameters
    ----------
    folder : path
    made_from : str
        Fingerprint of the stack. Its own folder, of an earlier call, is taken again.

    Returns
    -------
    Path
        The first of ``folder``, ``folder-2``, ``folder-3``, ... that holds no other saved stack.
    """
    first, number = Path(folder), 1
    while True:
        target = first if number == 1 else first.with_name(f"{first.name}-{number}")
        if not (target / NAME).is_file() or _made_from(target) == made_from:
            return check_target(target)
        number += 1


def _made_from(folder: Path) -> str:
    try:
        return read_manifest(folder).made_from
    except StoreError:  # damaged, or of a newer version: not ours to replace
        return ""


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
    decision = Decision.parse(decide)
    store, dataset, stack = result.store, result.dataset, result.stack
    if decision.rule == "tags" and decision.value > len(dataset.tags):
        raise MetricError(
            f"{decide} sets more tags than {dataset.name} has, which are {len(dataset.tags)}. "
            "Ask for fewer."
        )
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
        features = _features(result, new, with_checkpoints)
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
                    settings=_settings(dataset, given),
                    forms=_forms(dataset, given),
                )
                for name, given in result.own.inputs.items()
            },
            null_words=dataset.described.get("null_words", tuple(sorted(NULL_WORDS))),
            dims=_dims(dataset),
            kinds={name: kinds[name] for one in models.values() for name in one.columns},
            plugins=needed_plugins(result, stack.parameters, features),
            profile=_profile(result.context.profile, features),
            checkpoints={name: _digests_of(params) for name, params in features.items()},
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


def _settings(dataset: AdDataset, given: Input) -> dict[str, Any]:
    """How an input is read from a table: as it was described, else from columns of its names."""
    described: Any = dataset.described.get("inputs", {})
    settings = dict(described.get(given.name, {"kind": given.kind}))
    if "column" not in settings and "columns" not in settings:
        settings["columns"] = list(given.columns)
        if given.kind not in ("metadata", "text"):
            settings["column"] = settings.pop("columns")[0]
    if given.kind == "metadata":
        found = {
            name: "number" if pd.api.types.is_numeric_dtype(dataset.ads[name]) else "category"
            for name in given.columns
            if name in dataset.ads
        }
        settings["types"] = {**found, **settings.get("types", {})}
    return settings


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


def _dims(dataset: AdDataset) -> dict[str, int]:
    """Values in a row of each input of arrays."""
    found = {}
    for given in dataset.inputs.values():
        if given.kind == "array" and dataset.has(given.name):
            found[given.name] = int(dataset.ads[given.columns[0]].dropna().iloc[0].dims)
    return found


def _forms(dataset: AdDataset, given: Input) -> dict[str, str]:
    """The forms of numbers and dates in columns of metadata."""
    readings: Mapping[str, Reading] = dataset.described.get("readings", {})
    return {name: readings[name].form for name in given.columns if name in readings}


def _features(result: RunResult, new: Path, with_checkpoints: bool) -> dict[str, dict[str, Any]]:
    """Parameters of the features that are there, with paths that hold anywhere on this machine."""
    found: dict[str, dict[str, Any]] = {}
    for name, settings in result.context.profile.features.items():
        if name not in result.dataset.inputs:  # it was left out of the run
            continue
        params = dict(settings.params)
        for key in PATHS:
            value = params.get(key)
            if not isinstance(value, str) or not value or not Path(value).exists():
                continue
            params[key] = str(Path(value).resolve())
            if with_checkpoints:
                copied = Path("checkpoints") / f"{name}-{key}"
                _copy(Path(value), new / copied)
                params[key] = copied.as_posix()
        found[name] = params
    return found


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _profile(profile: Profile, features: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """What of a profile new ads need: seed, kinds and features."""
    whole = profile.model_dump(mode="json")
    kept: dict[str, Any] = {name: whole[name] for name in ("seed", "kinds")}
    kept["features"] = {
        name: {**whole["features"][name], **params} for name, params in features.items()
    }
    return kept


def _digests_of(params: Mapping[str, Any]) -> dict[str, str]:
    """Digests of the files that a feature is made with, by parameter and name."""
    found: dict[str, str] = {}
    for key in PATHS:
        value = params.get(key)
        if isinstance(value, str) and Path(value).is_absolute() and Path(value).exists():
            path = Path(value)
            files = digests(path) if path.is_dir() else {path.name: file_digest(path)}
            found |= {f"{key}/{name}": one for name, one in files.items()}
    return found
