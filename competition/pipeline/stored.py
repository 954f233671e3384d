"""What lies in the OOF store of a dataset: listed, chosen from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import numpy as np

from competition.config.stages import FoldSettings
from competition.datasets import load_dataset
from competition.datasets.base import AdDataset
from competition.evaluation.fold_offsets import without_offsets
from competition.folds_file import load_or_make_folds, stored_folds
from competition.oof.cards import Card, ExternalCard, Level1Card, ModelCard, StackCard
from competition.oof.fold_files import shared_components
from competition.oof.store import LOCKS, OofStore
from competition.utils.errors import StoreError, nearest, some
from competition.utils.files import PathLike
from competition.utils.locks import locked
from competition.utils.progress import Progress

UNFIT = {"ads": "other ads", "labels": "other labels", "folds": "other folds"}
OF_A_MODEL = ("card.json", "oof.parquet", "error.txt", "fold_*.parquet")  # names of files
Kind = Literal["trained", "elsewhere", "rival", "stack", "unfinished"]


@dataclass(frozen=True)
class StoredModel:
    """A model in the store.

    Attributes
    ----------
    name : str
    kind : {"trained", "elsewhere", "rival", "stack", "unfinished"}
    card : Card or None
        None where it is not finished, or its card is damaged.
    unfit : str
        Why no stack takes it; empty where one does, and for rivals and stacks.
    adds : float or None
        GAP of the mean of all models that fit, less that of the mean without this one.
    """

    name: str
    kind: Kind
    card: Card | None
    unfit: str = ""
    adds: float | None = None


def list_oof(
    data: PathLike,
    out: PathLike = ".",
    patterns: Sequence[str] = (),
    *,
    adds: bool = False,
    progress: Progress | None = None,
) -> list[StoredModel]:
    """List what is stored for a folder of ads.

    Parameters
    ----------
    data : path
        Folder of ads.
    out : path
        Folder that holds ``oof/``.
    patterns : sequence of str
        Like ``tfidf_*``; without any, all.
    adds : bool
        Whether to measure what each level-1 model adds to the plain mean of those that are listed;
        all of them are read for it.
    progress : Progress or None

    Returns
    -------
    list of StoredModel
        The highest GAP first; what has no score last.

    Raises
    ------
    StoreError
        If nothing is stored, or a pattern fits nothing that is.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from competition import list_oof, load_profile, make_demo, run
    >>> quick = ['models=["tfidf_logreg"]', "folds.n=3", "level2.model=mean"]
    >>> with TemporaryDirectory() as folder:
    ...     make_demo(f"{folder}/ads", 40, films=False)
    ...     done = run(f"{folder}/ads", load_profile("text", quick), folder, n_jobs=1)
    ...     found = list_oof(f"{folder}/ads", folder, ["tfidf_*"])
    >>> [(one.name, one.kind) for one in found]
    [('tfidf_logreg', 'trained')]
    """
    dataset, store = opened(data, out, progress or Progress())
    chosen = matching(stored_names(store.folder), patterns, store.folder)
    shared = shared_components(dataset, store.folds)
    found = [_described(store, name, shared) for name in chosen]
    if adds:
        fit = [one for one in found if one.kind in ("trained", "elsewhere") and not one.unfit]
        gains = dict(
            zip(
                [one.name for one in fit],
                _gains(store, fit, dataset.labels, dataset.submission.top_k),
                strict=True,
            )
        )
        found = [replace(one, adds=gains.get(one.name)) for one in found]
    return sorted(found, key=lambda one: (-_gap(one), one.name))


def stored_names(folder: Path) -> list[str]:
    """Names of the models in a store's folder, finished or not, sorted."""
    if not folder.is_dir():
        return []
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.is_dir() and any(next(path.glob(file), None) for file in OF_A_MODEL)
    )


def matching(names: Sequence[str], patterns: Sequence[str], folder: Path) -> list[str]:
    """Names that any of the patterns fits; without patterns, all.

    Raises
    ------
    StoreError
        If a pattern fits none.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise StoreError(f"No model in {folder} fits {pattern!r}.{nearest(pattern, names)}")
    if not patterns:
        return list(names)
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def chosen_of(
    cards: list[ModelCard], only: Sequence[str], without: Sequence[str], store: OofStore
) -> list[ModelCard]:
    """Cards of the models that `only` and `without` leave.

    Raises
    ------
    StoreError
        If a pattern fits no model, or none is left.
    """
    names = [card.model for card in cards]
    kept = set(matching(names, only, store.folder))
    kept -= set(matching(names, without, store.folder)) if without else set()
    if not kept:
        raise StoreError(
            f"Without {some(list(without))} no model is left of {some(list(only) or names)}. Leave "
            "some."
        )
    return [card for card in cards if card.model in kept]


def opened(data: PathLike, out: PathLike, progress: Progress) -> tuple[AdDataset, OofStore]:
    """Open the store of a folder of ads without what trains models, which takes long to load."""
    dataset = load_dataset(data, progress, cache=Path(out) / "cache")
    folder = Path(out).absolute() / "oof" / dataset.name
    if not folder.is_dir():
        raise StoreError(f"Nothing is stored for {dataset.name}: there is no folder {folder}.")
    folds_file, usual = folder / "folds.csv", FoldSettings()
    folds = stored_folds(folds_file, dataset)  # without a lock, as it is written whole
    if folds is None:
        with locked(folder / LOCKS, [folds_file.name], progress):
            folds = load_or_make_folds(folds_file, dataset, usual.n, usual.seed, progress=progress)
    return dataset, OofStore(folder, tuple(dataset.tag_names), folds, dataset.test_ids)


def _described(store: OofStore, name: str, shared: dict[str, str]) -> StoredModel:
    try:
        card = store.card(name)
    except StoreError as bad:
        return StoredModel(name, "unfinished", None, str(bad))
    if card is None:
        return StoredModel(name, "unfinished", None, "not finished")
    if isinstance(card, StackCard):
        return StoredModel(name, "stack", card)
    if isinstance(card, Level1Card) and card.kind == "rival":
        return StoredModel(name, "rival", card)
    unfit = ", ".join(UNFIT[part] for part in UNFIT if card.made_from.get(part) != shared[part])
    kind: Kind = "elsewhere" if isinstance(card, ExternalCard) else "trained"
    return StoredModel(name, kind, card, f"made from {unfit}" if unfit else "")


def _gap(one: StoredModel) -> float:
    return -1.0 if one.card is None else one.card.scores.gap


def _gains(
    store: OofStore, models: Iterable[StoredModel], labels: np.ndarray, top_k: int
) -> list[float]:
    """What each model adds to the plain mean of all, in GAP; 0 for a model that is alone."""
    from competition.level2.learners.greedy import candidate_gaps

    read = []
    for one in models:
        assert one.card is not None  # as it fits
        oof, _ = store.read(one.name, one.card)
        read.append(without_offsets(oof, store.folds.of_ad, one.card.fold_offsets))
    if len(read) < 2:
        return [0.0] * len(read)
    bag = np.asarray(np.sum(read, axis=0, dtype=np.float64), dtype=np.float32)
    whole = candidate_gaps(bag, len(read) - 1, np.zeros_like(bag)[None], labels, top_k)[0]
    return [
        float(whole - candidate_gaps(bag, len(read) - 2, -one[None], labels, top_k)[0])
        for one in read
    ]
