"""What the plan of a run with a time limit is made from, beside the profile."""

from dataclasses import replace

from competition.config.profile import Profile
from competition.datasets.base import AdDataset, Input
from competition.features.columns import content_digest
from competition.features.store import Digests
from competition.level2.registry import get_meta_learner
from competition.pipeline.context import Context
from competition.pipeline.extract import source_items
from competition.pipeline.imagined import model_names, planned_features
from competition.pipeline.settings import beside, plan_meta_learners
from competition.utils.errors import ProfileError
from competition.utils.files import digest
from competition.utils.progress import Progress

IN_CELLS = ("text", "metadata")  # kinds of inputs that are no files


def state_of(context: Context[Profile], digests: Digests) -> dict[str, str]:
    """Return digests of the ads, their labels, what they hold, and what can run on them here.

    Files count by their content, and only those that the profile reads.

    Parameters
    ----------
    context : Context
        With the ads as they came, without those held out.
    digests : Digests
        Of the files that are known.
    """
    dataset = context.dataset
    groups = dataset.groups
    read = _files_read(context)
    return {
        "ads": digest(
            list(dataset.ads.index),
            dataset.ads["split"].tolist(),
            None if groups is None else [str(group) for group in groups],
        ),
        "labels": digest(
            [[tag.name, tag.dimension] for tag in dataset.tags], dataset.labels.tobytes()
        ),
        "inputs": digest(
            [
                [name, given.kind, _content(dataset, given, digests, with_files=name in read)]
                for name, given in sorted(dataset.inputs.items())
            ]
        ),
        "models and libraries": digest(_can_run(context)),
    }


def _content(
    dataset: AdDataset, given: Input, digests: Digests, *, with_files: bool
) -> list[object]:
    if given.kind in IN_CELLS:
        return [[column, content_digest(dataset.ads[column])] for column in given.columns]
    if not with_files:
        return []
    keys, _ = source_items(dataset.root, given, dataset.ads[given.columns[0]], digests)
    return [list(one) for one in keys.items()]


def _files_read(context: Context[Profile]) -> set[str]:
    """Inputs of files that features are extracted from."""
    kinds, own = context.profile.kinds, context.dataset
    features, _ = planned_features(replace(context, progress=Progress()))
    read = {one.source.name for one in features}
    if kinds is None or "array" in kinds:
        read |= {name for name, given in own.inputs.items() if given.kind == "array"}
    return read


def _can_run(context: Context[Profile]) -> list[list[str]]:
    """Features, models and meta-learners of the profile whose libraries and files are there."""
    features, _ = planned_features(replace(context, progress=Progress()))
    try:
        models = model_names(context)
    except ProfileError:
        models = []
    profiles = (context.profile, *beside(context.profile))
    learners = [name for one in profiles for name in plan_meta_learners(one)]
    return [
        [one.name for one in features],
        models,
        [name for name in learners if not get_meta_learner(name).lacks],
    ]
