"""Predictions made elsewhere become a level-1 model like any other."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from competition.config.profile import StackSettings
from competition.config.stages import why_reserved
from competition.datasets.base import AdDataset
from competition.evaluation.metrics import gap
from competition.folds_file import folds_from, same_folds, write_folds
from competition.level1.registry import find_models
from competition.oof.cards import ExternalCard, ExternalDetails
from competition.oof.external_files import read_predictions
from competition.oof.external_forms import PredictionFile
from competition.oof.scales import SCALES, Curve, Scale, calibrated, probabilities_of
from competition.oof.store import OofStore
from competition.pipeline.context import Context, folds_locked, open_context, open_store
from competition.pipeline.fingerprints import file_fingerprint
from competition.utils.errors import PredictionsError, StoreError, some
from competition.utils.files import PathLike
from competition.utils.progress import Progress


def add_oof(
    name: str,
    data: PathLike,
    oof: PathLike,
    test: PathLike | None = None,
    out: PathLike = ".",
    progress: Progress | None = None,
    *,
    scale: Scale = "probability",
    ignore_extra: bool = False,
    partial: bool = False,
) -> ExternalCard:
    """Store predictions made elsewhere under ``oof/<dataset>/<name>/``.

    Where the dataset has no folds yet, those that the OOF file names become its folds.

    Parameters
    ----------
    name : str
        Letters, digits and underscores; not that of a registered model.
    data : path
        Folder of ads.
    oof : path
        Probabilities of every training ad, made by models that never saw it.
    test : path or None
        Probabilities of every test ad; needed where the dataset has test ads, since every
        level-1 model takes part in the submission.
    out : path
        Folder that holds ``oof/``.
    progress : Progress or None
        Receives remarks, such as what is taken on trust.
    scale : {"probability", "logit", "score"}
        What the numbers are; see `competition.oof.scales`.
    ignore_extra : bool
        Whether tags and ads that the dataset does not have are left out, not refused.
    partial : bool
        Whether ads may be missing from the files; a stack then does without the model for them.

    Returns
    -------
    ExternalCard

    Raises
    ------
    PredictionsError
        If the name is taken, there is no such scale, a file does not fit the dataset, or its folds
        are not those of folds.csv.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import pandas as pd
    >>> from competition import add_oof, load_dataset, make_demo
    >>> with TemporaryDirectory() as folder:
    ...     make_demo(f"{folder}/ads", 20, films=False)
    ...     ads = load_dataset(f"{folder}/ads")
    ...     for ids, name in ((ads.train_ids, "oof"), (ads.test_ids, "test")):
    ...         values = pd.DataFrame(0.1, index=ids, columns=ads.tag_names)
    ...         values.to_csv(f"{folder}/{name}.csv", index_label="id")
    ...     files = f"{folder}/oof.csv", f"{folder}/test.csv"
    ...     card = add_oof("guess", f"{folder}/ads", *files, folder)
    >>> card.kind, card.oof_file
    ('external', 'oof.csv')
    """
    context = open_context(data, StackSettings(), out, progress=progress)
    how = HowRead(scale, ignore_extra=ignore_extra, partial=partial)
    brought = Brought(name, Path(oof), None if test is None else Path(test))
    stored = store_brought(brought, how, context)
    if stored.trusted:
        context.progress.remark(
            f"{oof} does not name the fold of each ad: nothing can check that its predictions "
            "are out of fold, so this is taken on trust."
        )
    for remark in (*stored.remarks, *why_doubtful(stored.card, frequencies_gap(context.dataset))):
        context.progress.remark(remark)
    return stored.card


class Brought(NamedTuple):
    """A model made elsewhere: its name, and the files of its predictions."""

    name: str
    oof: Path
    test: Path | None
    of_folder: bool = False  # one of many that lie there


@dataclass(frozen=True)
class HowRead:
    """How files of predictions are read; see `add_oof`.

    Raises
    ------
    PredictionsError
        If there is no such scale.
    """

    scale: Scale = "probability"
    ignore_extra: bool = False
    partial: bool = False

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise PredictionsError(f"scale = {self.scale!r}: give one of {', '.join(SCALES)}.")

    def read(self, path: Path, ids: pd.Index, dataset: AdDataset, what: str) -> PredictionFile:
        """Read what a file says of some ads of a dataset."""
        return read_predictions(
            path,
            ids.tolist(),
            dataset.tag_names,
            what,
            ignore_extra=self.ignore_extra,
            partial=self.partial,
        )


class Stored(NamedTuple):
    """A model made elsewhere as it is stored, and what is to be said of it.

    Attributes
    ----------
    card : ExternalCard
    trusted : bool
        Its files name no folds.
    remarks : tuple of str
    """

    card: ExternalCard
    trusted: bool
    remarks: tuple[str, ...]


def store_brought(
    brought: Brought,
    how: HowRead,
    context: Context[StackSettings],
    store: OofStore | None = None,
) -> Stored:
    """Read, check and store a model made elsewhere, unless it is stored already.

    Parameters
    ----------
    brought : Brought
    how : HowRead
    context : Context
    store : OofStore or None
        The dataset's, where it is open; None opens it, and makes folds where there are none.

    Raises
    ------
    PredictionsError
        As `add_oof`.
    """
    name, oof, test, _ = brought
    dataset, tags = context.dataset, context.dataset.tag_names
    check_name(name)
    _check_test(dataset, brought)
    given = how.read(oof, dataset.train_ids, dataset, "training")
    values, tests = probabilities_of(given, how.scale), np.zeros((0, len(tags)))
    lacking = dataset.train_ids[given.lacking]
    if test is not None:
        given_tests = how.read(test, dataset.test_ids, dataset, "test")
        tests = probabilities_of(given_tests, how.scale)
        lacking = lacking.append(dataset.test_ids[given_tests.lacking])
    if store is None:
        store = open_store_on(context, given)
    check_folds(given, store, context)
    remarks = []
    if len(lacking):
        remarks.append(
            f"{name}: {given.lacking.sum():,} of {len(values):,} training ads and "
            f"{len(lacking) - given.lacking.sum():,} of {len(tests):,} test ads have no prediction "
            f"({some(list(lacking))}): a stack expects there what the other models lead to expect."
        )
    fingerprint = file_fingerprint(oof, test, how.scale, dataset, store.folds)
    curves: list[Curve] = []
    if how.scale == "score":
        values, tests, curves = calibrated(values, tests, dataset.labels, store.folds.of_ad)
    usual = np.nanmean(values, axis=0)
    values, tests = (np.where(np.isnan(one), usual, one) for one in (values, tests))
    details = ExternalDetails(
        oof_file=oof.name,
        test_file=None if test is None else test.name,
        folds_given=given.fold is not None,
        scale=how.scale,
        curves=tuple(curves),
        lacking=tuple(lacking),
    )
    with store.locked([name], context.progress):
        _check_free(name, store)
        card = store.current_card(name, fingerprint)
        if not isinstance(card, ExternalCard):
            store.withdraw(name, fingerprint, context.progress)
            whole = (one.astype(np.float32) for one in (values, tests))
            card = store.finish_whole(name, fingerprint, dataset, details, *whole)
    return Stored(card, given.fold is None, tuple(remarks))


def frequencies_gap(dataset: AdDataset) -> float:
    """GAP of predicting the frequency of each tag for every training ad."""
    frequencies = np.tile(dataset.labels.mean(axis=0), (len(dataset.labels), 1))
    return gap(dataset.labels, frequencies, dataset.submission.top_k)


def why_doubtful(card: ExternalCard, least: float) -> list[str]:
    """Warn where a model made elsewhere scores less than the tags' frequencies."""
    if card.scores.gap >= least:
        return []
    return [
        f"Warning: {card.model} has an OOF GAP of {card.scores.gap:.4f}. Predicting the frequency "
        f"of each tag for every ad would reach {least:.4f}. Are tags, ids or signs mixed up "
        f"in {card.oof_file}?"
    ]


def check_name(name: str) -> None:
    """Raise a PredictionsError if no model made elsewhere can be called so."""
    if not re.fullmatch(r"\w+", name):
        raise PredictionsError(
            f"{name!r} cannot name a model: use letters, digits and underscores alone."
        )
    if reason := why_reserved(name):
        raise PredictionsError(reason)
    if name in find_models():
        raise PredictionsError(
            f"{name!r} is a registered model, which a run trains. Choose another name."
        )


def _check_test(dataset: AdDataset, brought: Brought) -> None:
    n_test, test = len(dataset.test_ids), brought.test
    if n_test and test is None:
        give = "Give them by --test FILE"
        if brought.of_folder:
            give = f"Put {brought.name}.test.csv beside {brought.oof.name}"
        raise PredictionsError(
            f"{dataset.name} has {n_test:,} test ads, and a model without predictions for them "
            f"cannot take part in a submission. {give}; or, to stack for scores alone, "
            "take the test ads out of the dataset (in a competition.toml: remove the line "
            "`test = ...`)."
        )
    if test is not None and not n_test:
        raise PredictionsError(
            f"{dataset.name} has no test ads that {test} could be about. Leave "
            f"{'it' if brought.of_folder else '--test'} out."
        )


def _check_free(name: str, store: OofStore) -> None:
    try:
        card = store.card(name)
    except StoreError:  # of another version or damaged: it is made again whoever made it
        return
    if card is not None and not isinstance(card, ExternalCard):
        raise PredictionsError(
            f"{store.folder / name} holds a model that a run has trained. Choose another name."
        )


def open_store_on(context: Context[StackSettings], given: PredictionFile) -> OofStore:
    """Open the store on the folds of folds.csv, else on those of the file, else on new ones.

    Raises
    ------
    PredictionsError
        If there are none yet, and the file lacks ads.
    """
    if given.fold is None:
        return open_store(context)
    path = context.folds_file
    with folds_locked(context):
        if not path.is_file():
            if given.lacking.any():
                raise PredictionsError(
                    f"{given.path} lacks training ads, and there is no {path} yet that gives them "
                    "a fold. Make one by `python -m competition folds`, or leave the column fold "
                    "out."
                )
            fold_of = dict(zip(given.ids, given.fold.tolist(), strict=True))
            write_folds(path, folds_from(given.path, fold_of, context.dataset))
    return open_store(context)


def check_folds(given: PredictionFile, store: OofStore, context: Context[StackSettings]) -> None:
    """Raise a PredictionsError if the folds that a file names are not those of the store."""
    if given.fold is None:
        return
    folds = store.folds
    known = ~given.lacking
    other = np.flatnonzero((given.fold != folds.of_ad) & known)
    if len(other) and not same_folds(given.fold[known], folds.of_ad[known]):
        row = int(other[0])
        raise PredictionsError(
            f"{given.where(row)}: the file holds the ad out in fold {given.fold[row]}, but "
            f"{context.folds_file} holds it out in fold {folds.of_ad[row]} ({len(other):,} ad(s) "
            "differ). Predictions made on other folds would leak labels into the stack: make "
            "them again on the folds of folds.csv, or start over on yours with another --out."
        )
