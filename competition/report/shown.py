"""What the page is made from: a finished stack, its models, and the ads that are measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from competition.config.profile import Profile
from competition.config.stages import FeatureSettings
from competition.datasets.base import AdDataset
from competition.level2.data import StackData
from competition.oof.cards import Card, ModelCard, StackCard, read_card
from competition.oof.store import OofStore
from competition.pipeline.context import AnyContext, open_store
from competition.pipeline.stack import stored_models
from competition.pipeline.stack_input import STACK, stack_input
from competition.utils.errors import StoreError

MOST_MODELS = 40  # that the page shows, the best ones; `oof list` shows all
MEASURED = 20_000  # training ads; of more, so many are drawn by lot
MADE_OF = "level-1 models"  # the component of a stack's fingerprint that names its models


@dataclass(frozen=True, eq=False)
class Shown:
    """A finished stack, and what is measured of it.

    Attributes
    ----------
    dataset : AdDataset
    store : OofStore
    stack : StackCard
    cards : list of Level1Card or ExternalCard
        Of the models that it stacks, by name.
    beside : list of StackCard
        Other finished stacks of the same models.
    features : mapping of str to FeatureSettings
        Of the profile, where it is known.
    rows : ndarray of shape (n_measured,)
        Positions among the training ads of those that are measured: all, or 20,000 drawn by lot.
    data : StackData
        These ads as the models predict them out of fold.
    oof : ndarray of shape (n_measured, n_tags), dtype float32
        The same by the stack.
    """

    dataset: AdDataset
    store: OofStore
    stack: StackCard
    cards: list[ModelCard]
    beside: list[StackCard]
    features: Mapping[str, FeatureSettings]
    rows: np.ndarray
    data: StackData
    oof: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """Labels of the measured ads, (n_measured, n_tags), bool."""
        return self.data.labels.astype(bool)

    @property
    def n_ads(self) -> int:
        """Number of all training ads."""
        return len(self.dataset.train_ids)


def finished_stack(context: AnyContext, name: str | None) -> StackCard | None:
    """Card of a stack, or of the one that was made last; None where there is none."""
    paths = sorted(context.store_folder.glob(f"{STACK}*/card.json"))
    cards = [card for path in paths if isinstance(card := _card(path), StackCard)]
    named = [card for card in cards if card.model == name]
    return named[0] if named else max(cards, key=lambda card: card.written, default=None)


def _card(path: Path) -> Card | None:
    try:
        return read_card(path)
    except (StoreError, FileNotFoundError):  # damaged, of another version, or removed just now
        return None


def shown(context: AnyContext, stack: StackCard) -> Shown:
    """Read what the page shows of a stack.

    Raises
    ------
    StoreError
        If a stored file is damaged, or does not fit the ads.
    """
    dataset, store = context.dataset, open_store(context)
    named = {*stack.models, stack.best_model}  # the best may be a copy that is left out
    cards = [card for card in stored_models(store, context) if card.model in named]
    if {card.model for card in cards} != named:
        raise StoreError(
            f"{store.folder} does not hold the level-1 models that {stack.model} was made from: "
            "another command makes them anew, or they were removed. Run again."
        )
    if len(cards) > MOST_MODELS:
        by_gap = sorted(cards, key=lambda card: -card.scores.gap)
        best = {stack.best_model, *(card.model for card in by_gap[: MOST_MODELS - 1])}
        cards = [card for card in cards if card.model in best]
    metadata = [column for column in stack.metadata if column in dataset.ads.columns]
    data, _ = stack_input(store, cards, dataset, metadata)
    rows = np.arange(len(data.labels))
    if len(rows) > MEASURED:
        drawn = np.random.default_rng(context.profile.seed).choice(rows, MEASURED, replace=False)
        tagged = np.flatnonzero(data.labels.any(axis=1))
        if not np.isin(tagged, drawn).any():  # hardly any ad has a tag: scores need one
            drawn[0] = tagged[0]
        rows = np.sort(drawn)
        data = data.take(rows)
    others = map(_card, sorted(store.folder.glob(f"{STACK}*/card.json")))
    beside = [
        card
        for card in others
        if isinstance(card, StackCard)
        and card.model != stack.model
        and card.made_from.get(MADE_OF) == stack.made_from.get(MADE_OF)
    ]
    profile = context.profile
    return Shown(
        dataset,
        store,
        stack,
        cards,
        beside,
        profile.features if isinstance(profile, Profile) else {},
        rows,
        data,
        store.read(stack.model, stack)[0][rows],
    )
