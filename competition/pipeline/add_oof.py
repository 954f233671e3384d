"""Predictions made elsewhere become a level-1 model like any other."""

import re
from pathlib import Path

import numpy as np

from competition.datasets import load_dataset
from competition.datasets.base import AdDataset
from competition.evaluation.metrics import gap
from competition.folds import Folds, folds_from, load_or_make_folds, write_folds
from competition.level1.registry import find_models
from competition.oof.cards import ExternalCard, ExternalDetails, OutdatedCardError
from competition.oof.external_files import PredictionFile, read_predictions
from competition.oof.fold_files import FoldPrediction
from competition.oof.store import OofStore
from competition.pipeline.fingerprints import file_fingerprint
from competition.utils.errors import PredictionsError
from competition.utils.progress import Progress

N_FOLDS = 5  # where neither the store nor the file has folds


def add_oof(
    name: str,
    data: Path,
    oof: Path,
    test: Path | None,
    out: Path,
    progress: Progress | None = None,
) -> ExternalCard:
    """Store predictions made elsewhere under ``oof/<dataset>/<name>/``.

    Where the dataset has no folds yet, those that the OOF file names become its folds.

    Parameters
    ----------
    name : str
        Letters, digits and underscores; not that of a registered model.
    data : Path
        Folder of ads.
    oof : Path
        Probabilities of every training ad, made by models that never saw it.
    test : Path or None
        Probabilities of every test ad; needed where the dataset has test ads, since every
        level-1 model takes part in the submission.
    out : Path
        Folder that holds ``oof/``.
    progress : Progress or None
        Reports what has to be taken on trust.

    Returns
    -------
    ExternalCard

    Raises
    ------
    PredictionsError
        If the name is taken, a file does not fit the dataset, or its folds are not those of
        folds.csv.
    """
    progress = progress or Progress()
    dataset = load_dataset(data, progress)
    _check_name(name)
    _check_test(dataset, test)
    tags = dataset.tag_names
    given = read_predictions(oof, list(dataset.train_ids), tags, "training")
    tests = np.zeros((0, len(tags)))
    if test is not None:
        tests = read_predictions(test, list(dataset.test_ids), tags, "test").values
    folder = out / "oof" / dataset.name
    folds = _load_or_make_folds(folder / "folds.csv", dataset, given, progress)
    if given.fold is None:
        progress.remark(
            f"{oof} does not name the fold of each ad: nothing can check that its predictions "
            "are out of fold, so this is taken on trust."
        )
    store = OofStore(folder, tuple(tags), folds, dataset.test_ids)
    _check_free(name, store)
    fingerprint = file_fingerprint(oof, test, dataset, folds)
    current = store.current_card(name, fingerprint)
    if isinstance(current, ExternalCard):
        return current
    store.withdraw_stale_card(name, fingerprint, progress)
    for fold in range(folds.n):
        held_out = given.values[folds.of_ad == fold].astype(np.float32)
        # Who made the test predictions is not known, so every fold has the same ones.
        prediction = FoldPrediction(fold, held_out, tests.astype(np.float32), 0.0)
        store.write_fold(name, prediction, fingerprint.value)
    details = ExternalDetails(
        oof_file=oof.name,
        test_file=None if test is None else test.name,
        folds_given=given.fold is not None,
    )
    card = store.finish(name, fingerprint, dataset, details)
    frequencies = np.tile(dataset.labels.mean(axis=0), (len(dataset.labels), 1))
    least = gap(dataset.labels, frequencies, dataset.submission.top_k)
    if card.scores.gap < least:
        progress.remark(
            f"Warning: {name} has an OOF GAP of {card.scores.gap:.4f}. Predicting the frequency "
            f"of each tag for every ad would reach {least:.4f}. Are tags, ids or signs mixed up "
            f"in {oof}?"
        )
    return card


def _check_name(name: str) -> None:
    if not re.fullmatch(r"\w+", name):
        raise PredictionsError(
            f"{name!r} cannot name a model: use letters, digits and underscores alone."
        )
    if name in find_models():
        raise PredictionsError(
            f"{name!r} is a registered model, which a run trains. Choose another name."
        )


def _check_test(dataset: AdDataset, test: Path | None) -> None:
    n_test = len(dataset.test_ids)
    if n_test and test is None:
        raise PredictionsError(
            f"{dataset.name} has {n_test:,} test ads, and a model without predictions for them "
            "cannot take part in a submission. Give them by --test FILE; or, to stack for scores "
            "alone, take the test ads out of the dataset (in a competition.toml: remove the line "
            "`test = ...`)."
        )
    if test is not None and not n_test:
        raise PredictionsError(
            f"{dataset.name} has no test ads that {test} could be about. Leave --test out."
        )


def _check_free(name: str, store: OofStore) -> None:
    try:
        card = store.card(name)
    except OutdatedCardError:  # it is made again whoever made it
        return
    if card is not None and not isinstance(card, ExternalCard):
        raise PredictionsError(
            f"{store.folder / name} holds a model that a run has trained. Choose another name."
        )


def _load_or_make_folds(
    path: Path, dataset: AdDataset, given: PredictionFile, progress: Progress
) -> Folds:
    """Return the folds of folds.csv, else those of the file, else new ones."""
    if given.fold is None:
        return load_or_make_folds(path, dataset, N_FOLDS, 0, progress=progress)
    if not path.is_file():
        fold_of = dict(zip(given.ids, given.fold.tolist(), strict=True))
        write_folds(path, folds_from(given.path, fold_of, dataset))
    folds = load_or_make_folds(path, dataset, N_FOLDS, 0, progress=progress)
    other = np.flatnonzero(given.fold != folds.of_ad)
    if len(other):
        row = int(other[0])
        raise PredictionsError(
            f"{given.where(row)}: the file holds the ad out in fold {given.fold[row]}, but {path} "
            f"holds it out in fold {folds.of_ad[row]} ({len(other):,} ad(s) differ). Predictions "
            "made on other folds would leak labels into the stack: make them again on the folds of "
            "folds.csv, or start over on yours with another --out."
        )
    return folds
