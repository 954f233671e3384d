"""Predictions made elsewhere, a whole folder of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from competition.config.profile import StackSettings
from competition.execution.local import run_tasks
from competition.oof.cards import ExternalCard
from competition.oof.scales import Scale
from competition.oof.store import OofStore
from competition.pipeline.add_oof import (
    Brought,
    HowRead,
    frequencies_gap,
    open_store_on,
    store_brought,
    why_doubtful,
)
from competition.pipeline.context import Context, open_context, open_store
from competition.utils.errors import (
    CompetitionError,
    PredictionsError,
    WriteError,
    some,
    system_numbers,
)
from competition.utils.files import PathLike
from competition.utils.machine_faults import REMEDIES
from competition.utils.progress import Progress

_PARTS = re.compile(r"(.+)\.(oof|test)\.((?:csv|parquet|npz)(?:\.\w+)?)", re.IGNORECASE)
ENDINGS = ("csv", "csv.gz", "csv.zst", "csv.zip", "parquet", "npz")
AT_ONCE = 8  # models that a task stores: it is sent the dataset, which takes a while


@dataclass(frozen=True)
class AddedFolder:
    """What `add_oof_folder` leaves behind.

    Attributes
    ----------
    cards : tuple of ExternalCard
        Of every model that is stored now, sorted by name.
    refused : dict of str to str
        Why each other model is not.
    """

    cards: tuple[ExternalCard, ...]
    refused: dict[str, str]


def add_oof_folder(
    folder: PathLike,
    data: PathLike,
    out: PathLike = ".",
    progress: Progress | None = None,
    *,
    scale: Scale = "probability",
    ignore_extra: bool = False,
    partial: bool = False,
    n_jobs: int | None = None,
) -> AddedFolder:
    """Store the predictions of many models made elsewhere, as `add_oof` does of one.

    A file that cannot be used stops no other; a disk that is full stops all. What is stored already
    is not stored again.

    Parameters
    ----------
    folder : path
        ``NAME.oof.csv`` and ``NAME.test.csv`` of each model; any form and packing that `add_oof`
        reads. Other files are left alone.
    data, out, progress, scale, ignore_extra, partial
        As of `add_oof`.
    n_jobs : int or None
        Processes; None takes one per core.

    Returns
    -------
    AddedFolder

    Raises
    ------
    PredictionsError
        If there is no such folder or scale, or the folder holds no such files.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import pandas as pd
    >>> from competition import add_oof_folder, load_dataset, make_demo
    >>> with TemporaryDirectory() as folder:
    ...     make_demo(f"{folder}/ads", 20, films=False)
    ...     ads = load_dataset(f"{folder}/ads")
    ...     for name, values in (("low", 0.1), ("high", 0.9)):
    ...         for ids, part in ((ads.train_ids, "oof"), (ads.test_ids, "test")):
    ...             table = pd.DataFrame(values, index=ids, columns=ads.tag_names)
    ...             table.to_csv(f"{folder}/{name}.{part}.csv", index_label="id")
    ...     added = add_oof_folder(folder, f"{folder}/ads", folder, n_jobs=1)
    >>> [card.model for card in added.cards], added.refused
    (['high', 'low'], {})
    """
    how = HowRead(scale, ignore_extra=ignore_extra, partial=partial)
    brought, refused = brought_by(Path(folder))
    context = open_context(data, StackSettings(), out, n_jobs=n_jobs, progress=progress)
    _make_folds(brought, how, context)
    store = open_store(context)
    remark, update = context.progress.remark, context.progress.update
    quiet = replace(context, progress=Progress())
    tasks = [
        (brought[start : start + AT_ONCE], how, quiet, store)
        for start in range(0, len(brought), AT_ONCE)
    ]
    cards: dict[str, ExternalCard] = {}
    trusted: list[str] = []
    remarks: dict[str, tuple[str, ...]] = {}
    update("add-oof", 0, len(brought))
    for stored in run_tasks(_store_some, tasks, n_jobs=min(context.n_jobs, len(tasks))):
        cards.update(stored.cards)
        refused.update(stored.refused)
        remarks.update(stored.remarks)
        trusted += stored.trusted
        update("add-oof", len(remarks), len(brought))
    if trusted:
        remark(
            f"{len(trusted):,} file(s) do not name the fold of each ad ({some(sorted(trusted))}): "
            "nothing can check that these predictions are out of fold, so this is taken on trust."
        )
    least = frequencies_gap(context.dataset)
    for name in sorted(cards):
        for text in (*remarks[name], *why_doubtful(cards[name], least)):
            remark(text)
    sorted_refused = {name: refused[name] for name in sorted(refused)}
    return AddedFolder(tuple(cards[name] for name in sorted(cards)), sorted_refused)


def brought_by(folder: Path) -> tuple[list[Brought], dict[str, str]]:
    """Find the models that a folder brings, sorted by name, and why others cannot be used.

    Raises
    ------
    PredictionsError
        If there is no such folder, or no out-of-fold predictions are in it.
    """
    if not folder.is_dir():
        raise PredictionsError(f"There is no folder {folder}.")
    found: dict[str, dict[str, list[Path]]] = {}
    unfit: dict[tuple[str, str], str] = {}
    for path in sorted(folder.iterdir()):
        if not (parts := _PARTS.fullmatch(path.name)):
            continue
        name, part, ending = parts[1], parts[2].lower(), parts[3].lower()
        files = found.setdefault(name, {"oof": [], "test": []})
        if not path.is_file():
            what = "folder" if path.is_dir() else "link to a file that is not there"
            unfit[name, part] = f"{path.name} is a {what}. Put the file there."
        elif ending not in ENDINGS:
            unfit[name, part] = (
                f"{path.name} cannot be read: predictions are read from .{', .'.join(ENDINGS)}. "
                "Save them as one of these."
            )
        else:
            files[part].append(path)
    brought, refused = [], {}
    for name, files in found.items():
        bad = next(
            (unfit[name, one] for one in files if not files[one] and (name, one) in unfit), ""
        )
        twice = next((paths for paths in files.values() if len(paths) > 1), None)
        if twice:
            refused[name] = f"both {twice[0].name} and {twice[1].name} are there. Leave one."
        elif bad:
            refused[name] = bad
        elif not files["oof"]:
            refused[name] = f"{files['test'][0].name} has no {name}.oof file beside it."
        else:
            test = next(iter(files["test"]), None)
            brought.append(Brought(name, files["oof"][0], test, of_folder=True))
    if not brought and refused:
        name, why = next(iter(refused.items()))
        raise PredictionsError(f"{folder} holds no predictions that can be used. {name}: {why}")
    if not brought:
        raise PredictionsError(
            f"{folder} holds no predictions: name them NAME.oof.csv and NAME.test.csv, or "
            ".parquet, or .npz."
        )
    return brought, refused


def _make_folds(brought: Sequence[Brought], how: HowRead, context: Context[StackSettings]) -> None:
    """Where the dataset has no folds yet, take those of the first file that names some."""
    for one in brought:
        if context.folds_file.is_file():
            return
        try:
            given = how.read(one.oof, context.dataset.train_ids, context.dataset, "training")
            if given.fold is not None:
                open_store_on(context, given)
        except CompetitionError:
            continue  # it is told when the file's turn comes


@dataclass(frozen=True)
class _Some:
    """What came of some models of a folder."""

    cards: dict[str, ExternalCard]
    refused: dict[str, str]
    trusted: list[str]
    remarks: dict[str, tuple[str, ...]]


def _store_some(
    brought: Sequence[Brought], how: HowRead, context: Context[StackSettings], store: OofStore
) -> _Some:
    done = _Some({}, {}, [], {})
    for one in brought:
        done.remarks[one.name] = ()
        try:
            stored = store_brought(one, how, context, store)
        except CompetitionError as bad:
            if isinstance(bad, WriteError) or not REMEDIES.keys().isdisjoint(system_numbers(bad)):
                raise  # the machine's fault, which every other model would meet
            done.refused[one.name] = str(bad)
            continue
        done.cards[one.name] = stored.card
        done.remarks[one.name] = stored.remarks
        if stored.trusted:
            done.trusted.append(one.oof.name)
    return done
