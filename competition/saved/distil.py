"""Save one small network in place of a stack: it has learned to say what the stack says.

It reads what costs little: the texts, metadata and arrays that ads come with, and features that no
neural network makes. Its targets are means of labels and of the stack's out-of-fold probabilities.
Out-of-fold probabilities alone say nothing of an ad's own label, so that with few ads they teach
less than labels do; how much they weigh is chosen, fold by fold on the other folds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from competition.config.profile import Profile
from competition.config.stages import Level1Settings, Level2Settings
from competition.evaluation.chosen_metric import metric_of
from competition.execution.devices import one_thread
from competition.features.columns import read_columns
from competition.features.registry import get_extractor
from competition.level1.registry import get_model
from competition.level2.data import StackData
from competition.oof.cards import Level1Details
from competition.oof.fold_files import Fingerprint, FoldPrediction
from competition.oof.kept_models import write_model
from competition.oof.store import OofStore
from competition.pipeline.context import Context
from competition.pipeline.crossfit import model_defaults
from competition.pipeline.extract import Extraction
from competition.pipeline.level1 import level1_job
from competition.pipeline.origins import FROM_SCRATCH
from competition.pipeline.plan import PlannedModel, readable_columns
from competition.pipeline.run import RunResult
from competition.pipeline.settings import plan_meta_learners
from competition.pipeline.stack import fitted_stack
from competition.pipeline.stack_input import stack_input
from competition.saved.distil_folds import (
    MODEL,
    PARAMETERS,
    SHARES,
    networks_of_folds,
    new_network,
    targets,
)
from competition.saved.lean import without_features
from competition.saved.manifest import Manifest
from competition.saved.place import next_version
from competition.saved.records import SavedDistillation
from competition.saved.refit import WHOLE
from competition.saved.save import save_stack
from competition.utils.errors import ModelError
from competition.utils.files import PathLike, folder_aside

NAME = "distilled"
NETWORKS = {"torch", "rapidocr"}  # what extractors import that run a neural network
ALONE = Level2Settings(model="mean", metadata=())  # of one model that is the model itself


def save_distilled(
    result: RunResult, folder: PathLike, *, decide: str = "f1"
) -> tuple[Path, Manifest]:
    """Train a small network to say what a run's stack says, and save it as a stack of its own.

    Parameters
    ----------
    result : RunResult
    folder : path
        As of `competition.saved.save.next_version`.
    decide : str
        As of `competition.saved.save.save_stack`.

    Returns
    -------
    Path
        Where it is saved.
    Manifest

    Raises
    ------
    ModelError
        If there are too few folds, or the ads come with nothing that the network reads.
    """
    lean, columns = what_is_read(result.context, result.extractions, result.store.folds.n)
    planned = PlannedModel(NAME, MODEL, columns, PARAMETERS)
    job = level1_job(planned, lean, result.store.folds)
    taught = Fingerprint(
        {**job.fingerprint.components, "teacher": result.stack.fingerprint}, job.fingerprint.scoring
    )
    job = replace(job, fingerprint=taught)
    data, _ = stack_input(
        result.store, result.cards, result.dataset, result.stack.metadata, result.stack.metric
    )
    soft = result.store.read(result.stack.model, result.stack)[0]
    found = networks_of_folds(result, data, job.columns)
    seed = model_defaults(result.context).seed
    with folder_aside(result.store.folder) as temporary:
        store = OofStore(temporary, result.store.tags, result.store.folds, result.store.test_ids)
        for fold in data.folds:
            others = [one for one in data.folds if one != fold]
            best = int(np.argmax(_scores(found, data, others, data.metric)))
            store.write_fold(NAME, found[fold][best], job.fingerprint.value)
        share = SHARES[int(np.argmax(_scores(found, data, data.folds, data.metric)))]
        with one_thread(get_model(MODEL).libraries):
            frame = read_columns(job.columns).loc[result.store.folds.ids]
            network = new_network(seed).fit_soft(frame, targets(share, soft, data.labels))
        write_model(store, NAME, WHOLE, job.fingerprint.value, network)
        details = Level1Details(
            kind="level1",
            level1=MODEL,
            inputs=columns,
            parameters=PARAMETERS,
            seed=seed,
            origin=FROM_SCRATCH,
        )
        card = store.finish(NAME, job.fingerprint, lean.dataset, details)
        lean = replace(lean, profile=lean.profile.model_copy(update={"level2": ALONE}))
        with fitted_stack([card], store, lean) as stack:
            distilled = replace(
                result,
                dataset=lean.dataset,
                store=store,
                cards=[card],
                jobs=[job],
                stack=stack,
                context=lean,
            )
            target = next_version(folder, stack.fingerprint)
            manifest = save_stack(
                distilled,
                target,
                keep="refit",
                decide=decide,
                distillation=SavedDistillation(
                    stack=result.stack.level2,
                    n_models=len(result.cards),
                    stack_gap=result.stack.scores.gap,
                    share=share,
                    gaps=tuple(zip(SHARES, _scores(found, data, data.folds, "gap"), strict=True)),
                ),
            )
    return target, manifest


def what_is_read(
    context: Context[Profile], extractions: Sequence[Extraction], n_folds: int
) -> tuple[Context[Profile], tuple[str, ...]]:
    """Say what a network that imitates a run's stack reads.

    Parameters
    ----------
    context : Context
        Of the run, with the ads and their features.
    extractions : sequence of Extraction
    n_folds : int

    Returns
    -------
    Context
        As if neither profile nor ads had the features that neural networks make.
    tuple of str
        Columns.

    Raises
    ------
    ModelError
        If a network cannot be trained here, there are too few folds, or the ads come with nothing
        that the network reads.
    """
    entry = get_model(MODEL)
    if entry.lacks:
        raise ModelError(f"--distil trains a network, and cannot here: {entry.lacks}")
    fewest = 4 if len(plan_meta_learners(context.profile)) > 1 else 3
    if n_folds < fewest:
        raise ModelError(
            f"--distil needs {fewest} folds or more, and the run has {n_folds}: the network of a "
            "fold learns from a stack that is made of the others. Set folds.n, and remove "
            f"{context.folds_file} or name another --out."
        )
    dear = [one.feature for one in extractions if not _is_cheap(one.feature, extractions)]
    lean = without_features(context, dear)
    columns = readable_columns(NAME, Level1Settings(), entry.kinds, lean.profile, lean.dataset)
    if not columns:
        raise ModelError(
            "--distil finds nothing that is cheap to read: the ads have neither texts nor metadata "
            "nor arrays that the profile reads, and all features come from neural networks. Save "
            "the stack without it."
        )
    return lean, columns


def _is_cheap(feature: str, extractions: Sequence[Extraction]) -> bool:
    """Whether no neural network makes a feature, nor what it is made from."""
    made = {one.feature: one for one in extractions}
    one = made[feature]
    if NETWORKS & set(get_extractor(one.extractor).libraries):
        return False
    # An array that the ads come with is read from itself.
    return one.source == feature or one.source not in made or _is_cheap(one.source, extractions)


def _scores(
    found: Mapping[int, Sequence[FoldPrediction]],
    data: StackData,
    folds: Sequence[int],
    metric: str,
) -> list[float]:
    """Score of each share on the ads of some folds."""
    labels = np.concatenate([data.labels[data.fold == fold] for fold in folds])
    predicted = [
        np.concatenate([found[fold][place].held_out for fold in folds])
        for place in range(len(SHARES))
    ]
    return [metric_of(metric)(labels, one, data.top_k) for one in predicted]
