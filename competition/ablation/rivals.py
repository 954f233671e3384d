"""The networks that fuse features instead of predictions, cross-fitted on the same folds."""

from dataclasses import replace
from typing import get_args

import numpy as np

from competition.config.profile import Level1Settings, Profile
from competition.level1.models.fusion import How
from competition.level1.registry import get_model
from competition.oof.store import OofStore
from competition.pipeline.context import Context
from competition.pipeline.level1 import cross_fitted_models, level1_job
from competition.pipeline.plan import plan_models

MODEL = "fusion"
RIVAL = "rival-"  # begins the name of a rival's folder


def fusion_rivals(context: Context[Profile], store: OofStore) -> dict[str, np.ndarray]:
    """Cross-fit the rivals that are not stored; return the OOF probabilities of each by its name.

    Their other parameters are those of ``level1.fusion`` in the profile. There are none where the
    dataset has nothing that they read.
    """
    profile, dataset = context.profile, context.dataset
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
        job = level1_job(named, context, store.folds)
        jobs.append(replace(job, kind="rival"))
    with cross_fitted_models(jobs, store, context) as (cards, _):
        return {card.model: store.read(card.model, card)[0] for card in cards}
