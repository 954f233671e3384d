"""One ad with its truth and what the stack and each modality predict, ready to be drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from competition.ablation.modalities import Modality, modalities_of
from competition.config.profile import Profile
from competition.config.stages import FeatureSettings
from competition.datasets.base import AdDataset, files_of
from competition.datasets.shown_values import shown_value
from competition.oof.cards import ModelCard, StackCard
from competition.oof.store import OofStore
from competition.pipeline.context import open_context, open_store
from competition.pipeline.extract import extract_features
from competition.pipeline.settings import plan_meta_learners
from competition.pipeline.stack import SELECTION, stored_models
from competition.pipeline.stack_input import STACK
from competition.pipeline.time_limit.plan import as_it_ran
from competition.report.preview_drawing import FileOfAd, pictures_of
from competition.submission.read import without_mp4
from competition.submission.score import read_truth
from competition.utils.errors import DatasetError, StoreError, nearest
from competition.utils.files import PathLike
from competition.utils.progress import Progress

TOP = 10  # tags of the stack; the true ones below them are added


@dataclass(frozen=True)
class TagView:
    """A tag of the ad.

    Attributes
    ----------
    name : str
    rank : int
        By the stack's probability, from 1.
    is_true : bool or None
        None where the truth is not known.
    stack : float
        Probability.
    modalities : tuple of float
        The mean probability of each modality's models.
    """

    name: str
    rank: int
    is_true: bool | None
    stack: float
    modalities: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class AdView:
    """What can be shown of an ad.

    Attributes
    ----------
    ad : str
    where : str
        "training ad, fold 2" or "test ad".
    pictures : list of ndarray of shape (height, width, 3), dtype uint8
        The picture, or frames of the film at equal steps.
    unread : str
        Why there is no picture; "" where there are some, or the ad has no such input.
    texts : dict of str to str
    metadata : dict of str to str
    truth : tuple of str or None
        None where it is not known.
    stack : str
    modalities : tuple of str
    tags : tuple of TagView
        The best of the stack, then those true ones that are not among them.
    """

    ad: str
    where: str
    pictures: list[np.ndarray]
    unread: str
    texts: dict[str, str]
    metadata: dict[str, str]
    truth: tuple[str, ...] | None
    stack: str
    modalities: tuple[str, ...]
    tags: tuple[TagView, ...]


@dataclass(frozen=True, eq=False)
class AdViewer:
    """Shows ads of one dataset by one stored stack; `open_viewer` makes one.

    Attributes
    ----------
    dataset : AdDataset
    stack : StackCard
    modalities : list of Modality
    """

    dataset: AdDataset
    stack: StackCard
    modalities: list[Modality]
    _store: OofStore
    _predictions: dict[str, tuple[np.ndarray, np.ndarray]]

    def view(self, ad: str, *, with_pictures: bool = True) -> AdView:
        """Gather what can be shown of an ad; a training ad's scores are out of fold.

        Parameters
        ----------
        ad : str
        with_pictures : bool
            Without them no file is read.

        Raises
        ------
        DatasetError
            If there is no such ad.
        """
        dataset = self.dataset
        check_ad(ad, dataset)
        trained = ad in dataset.train_ids
        ids = dataset.train_ids if trained else dataset.test_ids
        row = int(ids.get_indexer(pd.Index([ad]))[0])
        scores = {name: both[0 if trained else 1][row] for name, both in self._predictions.items()}
        where = f"training ad, fold {self._store.folds.of_ad[row]}" if trained else "test ad"
        truth = self._truth(ad, row, trained)
        texts = {name: dataset.ads.at[ad, name] for name in _columns(dataset, "text")}
        facts: dict[str, Any] = {
            name: dataset.ads.at[ad, name] for name in _columns(dataset, "metadata")
        }
        pictures, unread = pictures_of(files_of_ad(dataset, ad)) if with_pictures else ([], "")
        return AdView(
            ad=ad,
            where=where,
            pictures=pictures,
            unread=unread,
            texts={name: str(text) for name, text in texts.items() if text},
            metadata={
                name: shown_value(fact, name, dataset.described.get("readings", {}))
                for name, fact in facts.items()
                if pd.notna(fact)
            },
            truth=truth,
            stack=self.stack.model,
            modalities=tuple(modality.name for modality in self.modalities),
            tags=self._tags(scores, truth),
        )

    def _tags(
        self, scores: dict[str, np.ndarray], truth: tuple[str, ...] | None
    ) -> tuple[TagView, ...]:
        names, stacked = self.dataset.tag_names, scores[self.stack.model]
        means = [np.mean([scores[m] for m in one.models], axis=0) for one in self.modalities]
        order = np.argsort(-stacked, kind="stable")
        return tuple(
            TagView(
                name=names[column],
                rank=rank,
                is_true=None if truth is None else names[column] in truth,
                stack=float(stacked[column]),
                modalities=tuple(float(mean[column]) for mean in means),
            )
            for rank, column in enumerate(order, start=1)
            if rank <= TOP or (truth is not None and names[column] in truth)
        )

    def _truth(self, ad: str, row: int, trained: bool) -> tuple[str, ...] | None:
        dataset = self.dataset
        labels = dataset.labels if trained else dataset.test_labels
        if labels is not None:
            return tuple(
                n for n, is_true in zip(dataset.tag_names, labels[row], strict=True) if is_true
            )
        if dataset.truth is None or not dataset.truth.is_file():
            return None
        of_ad = {without_mp4(a): tags for a, tags in read_truth(dataset.truth, dataset).of.items()}
        tags = of_ad.get(without_mp4(ad))
        return None if tags is None else tuple(sorted(tags))


def check_ad(ad: str, dataset: AdDataset) -> None:
    """Raise a DatasetError if a dataset has no such ad."""
    if ad not in dataset.ads.index:
        hint = nearest(ad, dataset.ads.index.to_list())
        raise DatasetError(f"{dataset.name} has no ad {ad!r}.{hint}")


def open_viewer(
    data: PathLike | AdDataset,
    profile: Profile,
    out: PathLike = ".",
    *,
    ad: str | None = None,
    n_jobs: int | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> AdViewer:
    """Open the stack that a profile's run has stored.

    Parameters
    ----------
    data : path or AdDataset
    profile : Profile
        Its ``level2`` says which stack, its ``features`` which texts were read from pictures and
        sound, and which modality a model belongs to.
    out : path
        Folder that holds ``oof/`` and ``cache/``.
    ad : str or None
        One that is to be shown: whether there is such an ad, and such a stack, is told before
        features are extracted.
    n_jobs, device, progress
        For features that are not in the cache.

    Raises
    ------
    DatasetError
        If there is no such ad.
    StoreError
        If that stack is not stored.
    """
    context = open_context(data, profile, out, n_jobs=n_jobs, device=device, progress=progress)
    if ad is not None:
        check_ad(ad, context.dataset)
    context = as_it_ran(context)
    profile = context.profile
    learners = plan_meta_learners(profile)
    name = STACK + (SELECTION if len(learners) > 1 else next(iter(learners)))
    store = open_store(context)
    card = _stack_of(name, store)
    context, _ = extract_features(context)
    cards = [one for one in stored_models(store, context) if one.model in card.models]
    return make_viewer(context.dataset, store, card, cards, profile.features)


def _stack_of(stack: str, store: OofStore) -> StackCard:
    card = store.card(stack)
    if not isinstance(card, StackCard):
        stored = ", ".join(sorted(path.name for path in store.folder.glob(f"{STACK}*")))
        hint = (
            f"; it holds {stored}. Name the profile that was run by --profile."
            if stored
            else ": run `python -m competition run` with the same profile first."
        )
        raise StoreError(f"{store.folder} holds no {stack}{hint}")
    return card


def make_viewer(
    dataset: AdDataset,
    store: OofStore,
    stack: StackCard,
    cards: Sequence[ModelCard],
    features: Mapping[str, FeatureSettings],
) -> AdViewer:
    """Make a viewer of a stack and its models, given by their cards.

    Parameters
    ----------
    dataset : AdDataset
    store : OofStore
    stack : StackCard
    cards : sequence of Level1Card or ExternalCard
    features : mapping of str to FeatureSettings
        Those of the profile.
    """
    predictions = {one.model: store.read(one.model, one) for one in (stack, *cards)}
    modalities = modalities_of(cards, dataset, features)
    return AdViewer(dataset, stack, modalities, store, predictions)


def _columns(dataset: AdDataset, kind: str) -> list[str]:
    return [c for given in dataset.inputs.values() if given.kind == kind for c in given.columns]


def files_of_ad(dataset: AdDataset, ad: str) -> tuple[FileOfAd, ...]:
    """Image, film and sound files of an ad, in the order of its inputs."""
    found = []
    for given in dataset.inputs.values():
        for column in given.columns if given.kind in ("image", "video", "audio") else ():
            cell: Any = dataset.ads.at[ad, column]
            if pd.notna(cell):
                names = files_of(cell)
                found += [FileOfAd(given.kind, dataset.root / name, name) for name in names]
    return tuple(found)
