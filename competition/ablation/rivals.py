"""The networks that fuse features instead of predictions, cross-fitted on the same folds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard, get_args

import numpy as np

from competition.ablation.modalities import SOUND, TEXT, VISUAL, Modality
from competition.config.profile import Profile
from competition.config.stages import Level1Settings
from competition.datasets.base import Input
from competition.level1.components.encoder_model import EncoderModel
from competition.level1.networks import Fusing
from competition.level1.registry import get_model
from competition.oof.cards import Level1Card, ModelCard
from competition.oof.store import OofStore
from competition.pipeline.context import Context
from competition.pipeline.crossfit import make_estimator
from competition.pipeline.level1 import cross_fitted_models, level1_job
from competition.pipeline.plan import plan_models

NETWORKS, FEATURES = "fused_networks", "fusion"
RIVAL = "rival-"  # begins the name of a rival's folder


@dataclass(frozen=True, eq=False)
class Rivals:
    """Networks that fuse features, and the models whose stack they are held against.

    Attributes
    ----------
    models : tuple of str
        Level-1 models that see the same.
    oof : dict of str to ndarray of shape (n_ads, n_tags)
        Probabilities of each rival by its name.
    note : str
        What the rivals see.
    """

    models: tuple[str, ...]
    oof: dict[str, np.ndarray]
    note: str


def fusion_rivals(
    cards: Sequence[ModelCard],
    modalities: Sequence[Modality],
    context: Context[Profile],
    store: OofStore,
) -> Rivals:
    """Cross-fit the rivals that are not stored.

    Like for like, they fuse the very networks that the stack has for pictures, sound and texts
    (`fused_networks`), without metadata, as the paper's Table 4 has it. Where the stack has no such
    network, they fuse counted terms of texts and means of arrays (`fusion`). A model whose inputs
    the profile does not read is left out, and the note says so. Their other parameters are those
    of ``level1.fused_networks`` or ``level1.fusion`` in the profile.
    """
    readable = [card for card in cards if _readable(card, context)]
    fused = _encoders(readable, modalities)
    left_out = [card.model for card in cards if card not in readable and _is_encoder(card)]
    unread = (
        f" Without {', '.join(left_out)}: the profile does not read their inputs. Name the one "
        "that was run by --profile."
        if left_out
        else ""
    )
    if fused:
        inputs = tuple(dict.fromkeys(column for card in fused for column in card.inputs))
        branches = {
            card.model: {
                "model": card.level1,
                "inputs": list(card.inputs),
                "parameters": card.parameters,
            }
            for card in fused
        }
        models = tuple(card.model for card in fused)
        oof = _cross_fitted(NETWORKS, inputs, {"branches": branches}, fused, context, store)
        note = f"Each rival trains the networks of {', '.join(models)} as one."
        return Rivals(models, oof, note + unread)
    models = tuple(card.model for card in readable or cards)
    seen = tuple(
        given.name
        for given in context.dataset.inputs.values()
        if given.kind in ("text", "array") and _wanted(given, context)
    )
    if not seen:
        note = "The profile reads no text or array of the dataset whose features could be fused."
        return Rivals(models, {}, note + unread)
    oof = _cross_fitted(FEATURES, seen, {}, [], context, store)
    note = (
        "No model of the stack is a network over one modality that the profile reads, so that the "
        "rivals fuse counted terms of texts and means of arrays."
    )
    return Rivals(models, oof, note + unread)


def _wanted(given: Input, context: Context[Profile]) -> bool:
    return context.dataset.has(given.name) and context.profile.wants(given.kind)


def _readable(card: ModelCard, context: Context[Profile]) -> bool:
    """Tell whether the profile reads all that a stored model was trained on."""
    wanted = {
        column
        for given in context.dataset.inputs.values()
        if _wanted(given, context)
        for column in given.columns
    }
    return not isinstance(card, Level1Card) or set(card.inputs) <= wanted


def _encoders(cards: Sequence[ModelCard], modalities: Sequence[Modality]) -> list[Level1Card]:
    """Cards of the networks that read one of the paper's modalities, in its order."""
    card_of = {card.model: card for card in cards if _is_encoder(card)}
    return [
        card_of[name]
        for modality in modalities
        if modality.family in (VISUAL, SOUND, TEXT)
        for name in modality.models
        if name in card_of
    ]


def _is_encoder(card: ModelCard) -> TypeGuard[Level1Card]:
    if not isinstance(card, Level1Card):
        return False
    return isinstance(make_estimator(card.level1, card.parameters).parts()[0], EncoderModel)


def _cross_fitted(
    model: str,
    inputs: tuple[str, ...],
    params: dict[str, Any],
    encoders: Sequence[Level1Card],
    context: Context[Profile],
    store: OofStore,
) -> dict[str, np.ndarray]:
    profile = context.profile
    given = profile.level1.get(model, Level1Settings()).model_dump(exclude_none=True)
    modules = {get_model(card.level1).make.__module__ for card in encoders}
    jobs = []
    for how in get_args(Fusing):
        settings = Level1Settings(**{**given, **params, "inputs": inputs, "how": how})
        alone = profile.model_copy(update={"models": (), "level1": {model: settings}})
        (planned,) = plan_models(alone, context.dataset)
        named = replace(planned, name=f"{RIVAL}{how}")
        job = level1_job(named, context, store.folds, modules)
        jobs.append(replace(job, kind="rival"))
    with cross_fitted_models(jobs, store, context) as (cards, _):
        return {card.model: store.read(card.model, card)[0] for card in cards}
