"""The store of out-of-fold (OOF) and test predictions.

::

    oof/<dataset>/folds.csv                   id,fold
    oof/<dataset>/<model>/fold_<k>.parquet    held-out rows of fold k and test rows, as predicted
                                              by the model of that fold
    oof/<dataset>/<model>/oof.parquet         id, fold, one float32 column per tag
    oof/<dataset>/<model>/test.parquet        id, one float32 column per tag: mean over folds
    oof/<dataset>/<model>/card.json           parameters, scores, seconds, versions, fingerprint

Every file is written whole and carries, or is named in the card with, a digest of its content;
reading compares it. Rows are matched by id.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from competition.datasets.base import AdDataset
from competition.evaluation.fold_offsets import mean_logits_of_folds
from competition.folds import Folds
from competition.oof.fold_files import (
    HEADER_KEY,
    Fingerprint,
    FoldPrediction,
    check_probabilities,
    damaged,
    fold_header,
    frame_digest,
    read_parquet,
    versions,
)
from competition.utils.errors import StoreError
from competition.utils.files import file_digest, write_json, written_whole
from competition.utils.progress import Progress


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
        return self.folder / model / file

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
        frame = self._frame(
            ids.append(self.test_ids),
            np.concatenate([prediction.held_out, prediction.test]),
            split=["train"] * len(ids) + ["test"] * len(self.test_ids),
        )
        metadata = {
            "fingerprint": fingerprint,
            "fold": prediction.fold,
            "seconds": prediction.seconds,
            "digest": frame_digest(frame),
        }
        table = pa.Table.from_pandas(frame, preserve_index=False)
        table = table.replace_schema_metadata({HEADER_KEY: json.dumps(metadata).encode()})
        with written_whole(self.path(model, f"fold_{prediction.fold}.parquet")) as temporary:
            pq.write_table(table, temporary)

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
        metadata = fold_header(path)
        frame = read_parquet(path)
        if metadata["digest"] != frame_digest(frame) or metadata["fold"] != fold:
            raise damaged(path, "its content is not what was written")
        ids = self.held_out_ids(fold)
        held_out = self._values(path, frame[frame["split"] == "train"], ids)
        test = self._values(path, frame[frame["split"] == "test"], self.test_ids)
        return FoldPrediction(fold, held_out, test, float(metadata["seconds"]))

    # A whole model

    def finish(
        self,
        model: str,
        fingerprint: Fingerprint,
        dataset: AdDataset,
        about: dict[str, Any],
    ) -> dict[str, Any]:
        """Join the folds into oof.parquet and test.parquet, score them, and write the card.

        Parameters
        ----------
        model : str
        fingerprint : Fingerprint
        dataset : AdDataset
            Labels and dimensions to score with.
        about : dict
            What else the card should say (parameters, inputs).

        Returns
        -------
        dict
            The card.
        """
        from competition.evaluation.metrics import score

        labels, dimensions = dataset.labels, [tag.dimension for tag in dataset.tags]
        top_k = dataset.submission.top_k
        predictions = [self.read_fold(model, fold) for fold in range(self.folds.n)]
        oof = np.empty((len(self.folds.ids), len(self.tags)), dtype=np.float32)
        for prediction in predictions:
            oof[self.folds.of_ad == prediction.fold] = prediction.held_out
        tests = np.stack([prediction.test for prediction in predictions])
        test = np.asarray(tests.mean(axis=0, dtype=np.float64))
        frames = {
            "oof.parquet": self._frame(self.folds.ids, oof, fold=self.folds.of_ad),
            "test.parquet": self._frame(self.test_ids, test.astype(np.float32)),
        }
        for file, frame in frames.items():
            with written_whole(self.path(model, file)) as temporary:
                frame.to_parquet(temporary, index=False)
        card = {
            "model": model,
            **about,
            "scores": score(labels, oof, dimensions, self.folds.of_ad, top_k).as_dict(),
            "scores_per_fold": [
                score(labels[held], oof[held], dimensions, top_k=top_k).as_dict()
                for held in (self.folds.of_ad == fold for fold in range(self.folds.n))
                if labels[held].any()
            ],
            "fold_offsets": mean_logits_of_folds(tests),
            "seconds_per_fold": [round(prediction.seconds, 3) for prediction in predictions],
            "seconds": round(sum(prediction.seconds for prediction in predictions), 3),
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": versions(),
            "fingerprint": fingerprint.value,
            "made_from": fingerprint.parts,
            "files": {file: file_digest(self.path(model, file)) for file in frames},
        }
        write_json(self.path(model, "card.json"), card)
        for leftover in self.path(model, "").glob(".*.tmp"):  # of a run that was killed
            leftover.unlink(missing_ok=True)
        self.path(model, "error.txt").unlink(missing_ok=True)
        return card

    def card(self, model: str) -> dict[str, Any] | None:
        """Card of a finished model, or None.

        Raises
        ------
        StoreError
            If the card is no JSON object of the expected form.
        """
        path = self.path(model, "card.json")
        if not path.is_file():
            return None
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
            dict(card["made_from"]), dict(card["files"]), float(card["scores"]["gap"])
        except (ValueError, KeyError, TypeError) as bad:
            raise damaged(path, "it is not a card that was written here") from bad
        return card

    def current_card(
        self, model: str, fingerprint: Fingerprint, progress: Progress
    ) -> dict[str, Any] | None:
        """Card of a finished model made from just what `fingerprint` says, or None.

        A card that says otherwise is withdrawn, and a remark says what has changed; fold files
        vouch for themselves.

        Raises
        ------
        StoreError
            If a file differs from what the card says.
        """
        card = self.card(model)
        if card is None:
            return None
        changed = fingerprint.changed(card["made_from"])
        if changed:
            progress.remark(f"{model}: made from other {', '.join(changed)}, so it is run again")
            self.path(model, "card.json").unlink()
            return None
        self.verify(model, card)
        return card

    def read(self, model: str) -> tuple[np.ndarray, np.ndarray]:
        """Read a finished model.

        Returns
        -------
        oof : ndarray of shape (n_train, n_tags), dtype float32
        test : ndarray of shape (n_test, n_tags), dtype float32

        Raises
        ------
        StoreError
            If the model is not finished, was made from other folds, or a file differs from what
            its card says.
        """
        card = self.card(model)
        if card is None:
            raise StoreError(f"{self.folder / model} holds no finished model: run it first.")
        self.verify(model, card)
        oof_path, test_path = self.path(model, "oof.parquet"), self.path(model, "test.parquet")
        frame = read_parquet(oof_path)
        oof = self._values(oof_path, frame, self.folds.ids)
        fold_of = frame.set_index("id")["fold"].reindex(self.folds.ids)
        if not np.array_equal(fold_of.to_numpy(), self.folds.of_ad):
            raise damaged(oof_path, "it was made from other folds than folds.csv")
        return oof, self._values(test_path, read_parquet(test_path), self.test_ids)

    def verify(self, model: str, card: dict[str, Any]) -> None:
        """Raise StoreError if a finished model's files are not those of its card."""
        for file, expected in card["files"].items():
            path = self.path(model, file)
            if not path.is_file():
                raise damaged(path, "it is absent")
            if file_digest(path) != expected:
                raise damaged(path, "its content is not what was written")

    # Frames

    def _frame(self, ids: pd.Index, values: np.ndarray, **columns: Any) -> pd.DataFrame:
        frame = pd.DataFrame({"id": np.asarray(ids, dtype=object).astype(str), **columns})
        tags = pd.DataFrame(values, columns=list(self.tags), dtype=np.float32)
        return pd.concat([frame, tags], axis=1)

    def _values(self, path: Path, frame: pd.DataFrame, ids: pd.Index) -> np.ndarray:
        """Values in the order of `ids`, whatever the order of the rows."""
        absent = [tag for tag in self.tags if tag not in frame.columns]
        if absent:
            raise damaged(path, f"it lacks the tag {absent[0]!r}")
        frame = frame.set_index("id")
        if not frame.index.is_unique or set(frame.index) != set(ids):
            raise damaged(path, "it holds other ads than the dataset")
        return frame.loc[ids, list(self.tags)].to_numpy(dtype=np.float32)
