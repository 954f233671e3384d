"""Models in the OOF store, removed and renamed."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from competition.oof.cards import ExternalCard, write_card
from competition.pipeline.stored import matching, opened, stored_names
from competition.utils.errors import PredictionsError, StoreError, nearest, some
from competition.utils.files import PathLike
from competition.utils.progress import Progress


def remove_oof(
    data: PathLike,
    names: Sequence[str],
    out: PathLike = ".",
    *,
    sure: bool = False,
    progress: Progress | None = None,
) -> list[str]:
    """Remove models from the store: their predictions, cards and kept folds.

    Parameters
    ----------
    data, out, progress
        As of `list_oof`.
    names : sequence of str
        Names or patterns.
    sure : bool
        Patterns remove nothing without it.

    Returns
    -------
    list of str
        What was removed, sorted.

    Raises
    ------
    StoreError
        If a name or pattern fits nothing, or patterns are given without `sure`; nothing is removed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from competition import load_profile, make_demo, remove_oof, run
    >>> quick = ['models=["tfidf_logreg"]', "folds.n=3", "level2.model=mean"]
    >>> with TemporaryDirectory() as folder:
    ...     make_demo(f"{folder}/ads", 40, films=False)
    ...     done = run(f"{folder}/ads", load_profile("text", quick), folder, n_jobs=1)
    ...     remove_oof(f"{folder}/ads", ["stack-*"], folder, sure=True)
    ['stack-mean']
    """
    progress = progress or Progress()
    _, store = opened(data, out, progress)
    known = stored_names(store.folder)
    chosen = matching(known, names, store.folder) if names else []
    if not sure and any(name not in known for name in names):
        raise StoreError(
            f"{len(chosen)} model(s) would be removed: {some(chosen, 10)}. To remove them, add "
            "--yes (sure=True)."
        )
    with store.locked(chosen, progress):
        for name in chosen:
            _remove(store.path(name, ""))
    return chosen


def rename_oof(
    data: PathLike,
    old: str,
    new: str,
    out: PathLike = ".",
    *,
    progress: Progress | None = None,
) -> ExternalCard:
    """Give a model made elsewhere another name.

    Parameters
    ----------
    data, out, progress
        As of `list_oof`.
    old, new : str

    Returns
    -------
    ExternalCard

    Raises
    ------
    StoreError
        If there is no such model, or a run has trained it: its name comes from the profile.
    PredictionsError
        If the new name is taken or cannot be one.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import pandas as pd
    >>> from competition import add_oof, load_dataset, make_demo, rename_oof
    >>> with TemporaryDirectory() as folder:
    ...     make_demo(f"{folder}/ads", 20, films=False)
    ...     ads = load_dataset(f"{folder}/ads")
    ...     for ids, part in ((ads.train_ids, "oof"), (ads.test_ids, "test")):
    ...         values = pd.DataFrame(0.1, index=ids, columns=ads.tag_names)
    ...         values.to_csv(f"{folder}/{part}.csv", index_label="id")
    ...     files = f"{folder}/oof.csv", f"{folder}/test.csv"
    ...     card = add_oof("guess", f"{folder}/ads", *files, folder)
    ...     renamed = rename_oof(f"{folder}/ads", "guess", "frequencies", folder)
    >>> renamed.model
    'frequencies'
    """
    from competition.pipeline.add_oof import check_name

    check_name(new)
    progress = progress or Progress()
    _, store = opened(data, out, progress)
    folder = store.folder
    if old not in (names := stored_names(folder)):
        raise StoreError(f"There is no model {old!r} in {folder}.{nearest(old, names)}")
    if old == new:
        raise PredictionsError(f"{folder / old} is called so already. Choose another name.")
    with store.locked(sorted({old, new}), progress):
        card = store.card(old)
        if not isinstance(card, ExternalCard):
            raise StoreError(
                f"{folder / old} was not brought by `add-oof`, so that its name cannot be changed: "
                "the name of a model that a run trains stands in its profile."
            )
        renamed = card.model_copy(update={"model": new})
        begun = any(store.path(new, "").glob("fold_*"))
        if begun or store.card(new) not in (None, renamed):
            raise PredictionsError(f"{folder / new} exists. Choose another name, or remove it.")
        store.path(new, "").mkdir(exist_ok=True)
        for file in card.files:
            shutil.copyfile(store.path(old, file), store.path(new, file))
        write_card(store.path(new, "card.json"), renamed)
        _remove(folder / old)
    return renamed


def _remove(folder: Path) -> None:
    """Remove a model; what is stopped in between is unfinished, and can be removed again."""
    (folder / "card.json").unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
