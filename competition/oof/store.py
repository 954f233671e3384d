"""The store of out-of-fold (OOF) and test predictions.

::

    oof/<dataset>/folds.csv                   id,fold
    oof/<dataset>/<model>/fold_<k>.parquet    held-out rows of fold k and test rows, as predicted
                                              by the model of that fold
    oof/<dataset>/<model>/oof.parquet         id, fold, one float32 column per tag
    oof/<dataset>/<model>/test.parquet        id, one float32 column per tag: mean over folds
    oof/<dataset>/<model>/card.json           kind, parameters, scores, seconds, versions,
                                              fingerprint (`competition.oof.cards`)
    oof/<dataset>/<model>/error.txt           traceback of a fold that failed

``<model>`` is a level-1 model of a run or one made elsewhere, ``stack-<meta-learner>`` or
``rival-<way of fusing>``; which of these it is, the card's kind says.

    oof/<dataset>/.locks/                     who works on which model (`competition.utils.locks`)

Every file is written whole and carries a digest of its content, or the card names it; reading
compares it. Rows are matched by id. Whoever changes a model's files holds its lock.
"""

import hashlib
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, overload

import numpy as np
import pandas as pd

from competition.datasets.base import AdDataset
from competition.evaluation.fold_offsets import mean_logits_of_folds
from competition.folds import Folds
from competition.oof.cards import (
    Card,
    Details,
    ExternalCard,
    ExternalDetails,
    Level1Card,
    Level1Details,
    OutdatedCardError,
    StackCard,
    StackDetails,
    make_card,
    read_card,
    write_card,
)
from competition.oof.fold_files import (
    SCORING,
    Fingerprint,
    FoldPrediction,
    check_probabilities,
    damaged,
    fold_header,
    frame_of,
    read_fold_file,
    read_parquet,
    values_of,
    versions,
    write_fold_file,
    write_parquet,
)
from competition.utils.errors import StoreError
from competition.utils.files import file_digest
from competition.utils.locks import locked
from competition.utils.progress import Progress

LOCKS = ".locks"  # folder


@dataclass(frozen=True, eq=False)
class OofStore:
    """Predictions of one dataset's models on one set of folds.

    Attributes
    ----------
    folder : Path
        ``oof/<dataset>``
    tags : tuple of str
    folds : Folds
    test_ids : Index of shape (n_test,)
    """

    folder: Path
    tags: tuple[str, ...]
    folds: Folds
    test_ids: pd.Index

    def held_out_ids(self, fold: int) -> pd.Index:
        """Ids of the ads that a fold holds out, in the dataset's order."""
        return self.folds.ids[self.folds.of_ad == fold]

    def path(self, model: str, file: str) -> Path:
        """Path of a model's file."""
        return self.folder / model / file

    def locked(self, models: Iterable[str], progress: Progress) -> AbstractContextManager[None]:
        """Let no other process change these models; wait for those that do (`locks.locked`)."""
        return locked(self.folder / LOCKS, models, progress)

    # One fold

    def write_fold(self, model: str, prediction: FoldPrediction, fingerprint: str) -> None:
        """Write the predictions of one fold's model.

        Raises
        ------
        StoreError
            If shapes or values are not those of probabilities for these ads.
        """
        ids = self.held_out_ids(prediction.fold)
        check_probabilities(model, prediction.held_out, (len(ids), len(self.tags)))
        check_probabilities(model, prediction.test, (len(self.test_ids), len(self.tags)))
        path = self.path(model, f"fold_{prediction.fold}.parquet")
        write_fold_file(path, prediction, fingerprint, ids, self.test_ids, self.tags)

    def has_fold(self, model: str, fold: int, fingerprint: str) -> bool:
        """Whether the fold is stored with this very fingerprint.

        Raises
        ------
        StoreError
            If its file is damaged.
        """
        path = self.path(model, f"fold_{fold}.parquet")
        return path.is_file() and fold_header(path)["fingerprint"] == fingerprint

    def read_fold(self, model: str, fold: int) -> FoldPrediction:
        """Read the predictions of one fold's model.

        Raises
        ------
        StoreError
            If the file is absent or damaged, or holds other ads, tags or another fold.
        """
        path = self.path(model, f"fold_{fold}.parquet")
        return read_fold_file(path, fold, self.held_out_ids(fold), self.test_ids, self.tags)

    # A whole model

    @overload
    def finish(
        self, model: str, fingerprint: Fingerprint, dataset: AdDataset, details: Level1Details
    ) -> Level1Card: ...

    @overload
    def finish(
        self, model: str, fingerprint: Fingerprint, dataset: AdDataset, details: StackDetails
    ) -> StackCard: ...

    def finish(
        self,
        model: str,
        fingerprint: Fingerprint,
        dataset: AdDataset,
        details: Level1Details | StackDetails,
    ) -> Level1Card | StackCard:
        """Join the folds into oof.parquet and test.parquet, score them, and write the card.

        Whoever calls it holds the model's lock.

        Parameters
        ----------
        model : str
        fingerprint : Fingerprint
        dataset : AdDataset
            Labels and dimensions to score with.
        details : Level1Details or StackDetails
            What the card says beside scores, seconds and fingerprint.

        Returns
        -------
        Level1Card or StackCard

        Raises
        ------
        StoreError
            If a fold is damaged, or was made from other things than `fingerprint` says.
        """
        for fold in range(self.folds.n):
            if not self.has_fold(model, fold, fingerprint.value):
                raise StoreError(
                    f"{self.path(model, f'fold_{fold}.parquet')} is not what this command has "
                    "written: another process has changed it meanwhile. Run again; the other folds "
                    "are kept."
                )
        predictions = [self.read_fold(model, fold) for fold in range(self.folds.n)]
        oof = np.empty((len(self.folds.ids), len(self.tags)), dtype=np.float32)
        for prediction in predictions:
            oof[self.folds.of_ad == prediction.fold] = prediction.held_out
        tests = np.stack([prediction.test for prediction in predictions])
        seconds = [prediction.seconds for prediction in predictions]
        return self._write_whole(model, fingerprint, dataset, details, oof, tests, seconds)

    def finish_whole(
        self,
        model: str,
        fingerprint: Fingerprint,
        dataset: AdDataset,
        details: ExternalDetails,
        oof: np.ndarray,
        test: np.ndarray,
    ) -> ExternalCard:
        """Write predictions that come whole, not fold by fold, score them, and write the card.

        Whoever calls it holds the model's lock.

        Parameters
        ----------
        model : str
        fingerprint : Fingerprint
        dataset : AdDataset
        details : ExternalDetails
        oof : ndarray of shape (n_train, n_tags), dtype float32
        test : ndarray of shape (n_test, n_tags), dtype float32

        Raises
        ------
        StoreError
            If shapes or values are not those of probabilities for these ads.
        """
        check_probabilities(model, oof, (len(self.folds.ids), len(self.tags)))
        check_probabilities(model, test, (len(self.test_ids), len(self.tags)))
        for left in self.path(model, "").glob("fold_*.parquet"):
            left.unlink()
        # Who made the test predictions is not known, so every fold has the same ones.
        tests = np.broadcast_to(test, (self.folds.n, *test.shape))
        seconds = [0.0] * self.folds.n
        return self._write_whole(model, fingerprint, dataset, details, oof, tests, seconds)

    def _write_whole(
        self,
        model: str,
        fingerprint: Fingerprint,
        dataset: AdDataset,
        details: Details,
        oof: np.ndarray,
        tests: np.ndarray,
        seconds: list[float],
    ) -> Any:
        """Write oof.parquet, test.parquet and the card; `tests` and `seconds` are each fold's."""
        from competition.evaluation.metrics import score

        labels, dimensions = dataset.labels, [tag.dimension for tag in dataset.tags]
        top_k, of_ad = dataset.submission.top_k, self.folds.of_ad
        test = np.asarray(tests.mean(axis=0, dtype=np.float64), dtype=np.float32)
        frames = {
            "oof.parquet": frame_of(self.folds.ids, oof, self.tags, fold=of_ad),
            "test.parquet": frame_of(self.test_ids, test, self.tags),
        }
        for file, frame in frames.items():
            write_parquet(self.path(model, file), frame)
        scored = [of_ad == fold for fold in range(self.folds.n) if labels[of_ad == fold].any()]
        values = {
            "model": model,
            "scores": asdict(score(labels, oof, dimensions, of_ad, top_k)),
            "scores_per_fold": [
                asdict(score(labels[ads], oof[ads], dimensions, top_k=top_k)) for ads in scored
            ],
            "fold_offsets": mean_logits_of_folds(tests),
            "seconds_per_fold": [round(one, 3) for one in seconds],
            "seconds": round(sum(seconds), 3),
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": versions(),
            "fingerprint": fingerprint.value,
            "made_from": fingerprint.made_from,
            "files": {file: file_digest(self.path(model, file)) for file in frames},
        }
        card = make_card(values, details)
        write_card(self.path(model, "card.json"), card)
        self.path(model, "error.txt").unlink(missing_ok=True)
        return card

    def card(self, model: str) -> Card | None:
        """Read the card of a finished model; None where there is none.

        Raises
        ------
        OutdatedCardError
            If the card has the form of another version.
        StoreError
            If it is damaged.
        """
        try:
            return read_card(self.path(model, "card.json"))
        except FileNotFoundError:
            return None

    def current_card(self, model: str, fingerprint: Fingerprint) -> Card | None:
        """Read the card of a model that was made from what `fingerprint` says; else None.

        None too where the card or a file that it describes is damaged. Nothing is changed:
        `withdraw` clears away what is not current.
        """
        try:
            card = self.card(model)
            if card is None or fingerprint.changed(card.made_from):
                return None
            self.verify(model, card)
        except StoreError:
            return None
        return card

    def withdraw(self, model: str, fingerprint: Fingerprint, progress: Progress) -> None:
        """Remove what keeps a model from being made: a stale card, damaged files; report why.

        Sound files of folds stay: each carries the fingerprint that it was made from. Whoever calls
        it holds the model's lock.
        """
        why = self._why_not_current(model, fingerprint)
        if why:
            progress.remark(f"{model}: {why}")
            self.path(model, "card.json").unlink(missing_ok=True)
        self.remove_damaged_folds(model, fingerprint, progress)

    def remove_damaged_folds(
        self, model: str, fingerprint: Fingerprint, progress: Progress
    ) -> None:
        """Remove the folds of a model that cannot be read; whoever calls it holds its lock."""
        for fold in range(self.folds.n):
            try:
                if self.has_fold(model, fold, fingerprint.value):
                    self.read_fold(model, fold)
            except StoreError:
                path = self.path(model, f"fold_{fold}.parquet")
                progress.remark(f"{model}: {path.name} is damaged, so that fold is run again")
                path.unlink()

    def _why_not_current(self, model: str, fingerprint: Fingerprint) -> str:
        """Why a card is not current; empty where it is, or there is none."""
        try:
            card = self.card(model)
        except OutdatedCardError:
            return "its card is of another version, so it is run again"
        except StoreError:
            return "its card is damaged or was changed by hand, so it is made again"
        if card is None:
            return ""
        changed = fingerprint.changed(card.made_from)
        if changed == [SCORING]:
            return "scored in another way, so it is scored again"
        if changed:
            return f"made from other {', '.join(changed)}, so it is run again"
        try:
            self.verify(model, card)
        except StoreError:
            return "its predictions are damaged, so it is made again"
        return ""

    def read(self, model: str, card: Card | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Read a finished model.

        Parameters
        ----------
        model : str
        card : Level1Card, ExternalCard, StackCard or None
            What is read must be what this card describes; None takes the card that is stored.

        Returns
        -------
        oof : ndarray of shape (n_train, n_tags), dtype float32
        test : ndarray of shape (n_test, n_tags), dtype float32

        Raises
        ------
        StoreError
            If the model is not finished, was made from other folds, a file differs from what its
            card says, or another process has made the model anew.
        """
        described = self.card(model) if card is None else card
        if described is None:
            raise StoreError(f"{self.folder / model} holds no finished model: run it first.")
        try:
            return self._read(model, described)
        except StoreError:
            if described == self.card(model):
                raise
            raise StoreError(
                f"{self.folder / model} is not what it was when this command began: another "
                "process has made it anew, or is about to. Run again when that has finished."
            ) from None

    def _read(self, model: str, card: Card) -> tuple[np.ndarray, np.ndarray]:
        oof_path, test_path = self.path(model, "oof.parquet"), self.path(model, "test.parquet")
        frame = self._content(oof_path, card)
        oof = values_of(oof_path, frame, self.folds.ids, self.tags)
        fold_of = frame["fold"]
        if not pd.Index(frame["id"]).equals(self.folds.ids):
            fold_of = frame.set_index("id")["fold"].reindex(self.folds.ids)
        if not np.array_equal(fold_of.to_numpy(), self.folds.of_ad):
            raise damaged(oof_path, "it was made from other folds than folds.csv")
        return oof, values_of(test_path, self._content(test_path, card), self.test_ids, self.tags)

    def _content(self, path: Path, card: Card) -> pd.DataFrame:
        """Read a table once, and compare these very bytes with the card."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise damaged(path, "it is absent") from None
        if hashlib.sha256(content).hexdigest() != card.files.get(path.name):
            raise damaged(path, "its content is not what was written")
        return read_parquet(path, BytesIO(content))

    def verify(self, model: str, card: Card) -> None:
        """Raise a StoreError if a finished model's files are not those of its card."""
        for file, expected in card.files.items():
            path = self.path(model, file)
            if not path.is_file():
                raise damaged(path, "it is absent")
            if file_digest(path) != expected:
                raise damaged(path, "its content is not what was written")
