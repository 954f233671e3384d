"""The networks that fuse features instead of predictions, cross-fitted on the same folds."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np

from competition.config.profile import Level1Settings, Profile
from competition.datasets.base import AdDataset
from competition.execution.devices import n_cores
from competition.level1.models.fusion import How
from competition.level1.registry import get_model
from competition.oof.store import OofStore
from competition.pipeline.level1 import cross_fit_models, level1_job, model_context
from competition.pipeline.plan import plan_models
from competition.utils.progress import Progress

MODEL = "fusion"
RIVAL = "rival-"  # begins the name of a rival's folder


def fusion_rivals(
    profile: Profile,
    dataset: AdDataset,
    store: OofStore,
    cache: Path,
    n_jobs: int,
    device: str,
    progress: Progress,
) -> dict[str, np.ndarray]:
    """Cross-fit the rivals that are not stored; return the OOF probabilities of each by its name.

    Their other parameters are those of ``level1.fusion`` in the profile. There are none where the
    dataset has nothing that they read.
    """
    kinds = set(get_model(MODEL).kinds)
    if profile.kinds is not None:
        kinds &= set(profile.kinds)
    if not any(given.kind in kinds for given in dataset.inputs.values()):
        return {}
    given = profile.level1.get(MODEL, Level1Settings())
    jobs = []
    for how in get_args(How):
        settings = Level1Settings(**{**given.model_dump(exclude_none=True), "how": how})
        alone = profile.model_copy(update={"models": (), "level1": {MODEL: settings}})
        (planned,) = plan_models(alone, dataset)
        named = replace(planned, name=f"{RIVAL}{how}")
        job = level1_job(named, profile.seed, dataset, store.folds, cache, progress)
        jobs.append(replace(job, kind="rival"))
    context = model_context(profile, dataset, device)
    cross_fit_models(jobs, context, dataset, store, n_jobs, n_cores(), progress)
    return {job.name: store.read(job.name)[0] for job in jobs}
