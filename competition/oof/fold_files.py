"""Files of the OOF store: what a fold's model predicts, with the fingerprint of what made it."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from competition import __version__
from competition.datasets.base import AdDataset
from competition.folds import Folds
from competition.utils.errors import StoreError
from competition.utils.extras import CUTTERS
from competition.utils.files import digest, written_whole
from competition.utils.versions import installed

VERSIONS_OF = (
    "numpy",
    "scikit-learn",
    "torch",
    "lightgbm",
    "xgboost",
    "xgboost-cpu",
    *CUTTERS,
)
HEADER_KEY = b"competition"
SCORING = "scoring"
BEYOND = (RecursionError, OverflowError)  # what JSON that was not written here may lead to


@dataclass(frozen=True)
class Fingerprint:
    """What a model's predictions were made from, component by component.

    The names of the components say what has changed when a run differs from what is stored.

    Attributes
    ----------
    components : dict of str to str
        Digests of what the predictions of every fold were made from.
    scoring : str
        Digest of what joins and scores the folds. Where it alone has changed, a model's folds are
        read and scored again, not fitted.
    """

    components: dict[str, str]
    scoring: str = ""

    @property
    def value(self) -> str:
        """Digest of what the folds were made from; it stands in their files."""
        return digest(self.components)

    @property
    def made_from(self) -> dict[str, str]:
        """All components by name, scoring included, as a card lists them."""
        return {**self.components, SCORING: self.scoring}

    def changed(self, stored: dict[str, str]) -> list[str]:
        """Names of the components that differ from those of a card."""
        ours = self.made_from
        return [name for name in {**stored, **ours} if stored.get(name) != ours.get(name)]


def shared_components(dataset: AdDataset, folds: Folds) -> dict[str, str]:
    """Return what all predictions for a dataset on one set of folds are made from."""
    return {
        "ads": digest(list(dataset.train_ids), list(dataset.test_ids)),
        "labels": digest(
            [[tag.name, tag.dimension] for tag in dataset.tags], dataset.labels.tobytes()
        ),
        "folds": folds.fingerprint,
    }


@dataclass(frozen=True, eq=False)
class FoldPrediction:
    """What one fold's model predicts.

    Attributes
    ----------
    fold : int
    held_out : ndarray of shape (n_held_out, n_tags), dtype float32
        The fold's own ads, in the dataset's order.
    test : ndarray of shape (n_test, n_tags), dtype float32
    seconds : float
        What fitting and predicting took.
    """

    fold: int
    held_out: np.ndarray
    test: np.ndarray
    seconds: float


def write_fold_file(
    path: Path,
    prediction: FoldPrediction,
    fingerprint: str,
    ids: pd.Index,
    test_ids: pd.Index,
    tags: Sequence[str],
) -> None:
    """Write what one fold's model predicts for `ids`, which it holds out, and for `test_ids`."""
    frame = frame_of(
        ids.append(test_ids),
        np.concatenate([prediction.held_out, prediction.test]),
        tags,
        split=["train"] * len(ids) + ["test"] * len(test_ids),
    )
    header = {
        "fingerprint": fingerprint,
        "fold": prediction.fold,
        "seconds": prediction.seconds,
        "digest": frame_digest(frame),
    }
    table = pa.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata({HEADER_KEY: json.dumps(header).encode()})
    with written_whole(path) as temporary:
        pq.write_table(table, temporary, use_dictionary=False)


def read_fold_file(
    path: Path, fold: int, ids: pd.Index, test_ids: pd.Index, tags: Sequence[str]
) -> FoldPrediction:
    """Read what one fold's model predicts.

    Raises
    ------
    StoreError
        If the file is absent or damaged, or holds other ads, other tags or another fold.
    """
    header = fold_header(path)
    frame = read_parquet(path, path)
    if header["digest"] != frame_digest(frame) or header["fold"] != fold:
        raise damaged(path, "its content is not what was written")
    held_out = values_of(path, frame[frame["split"] == "train"], ids, tags)
    test = values_of(path, frame[frame["split"] == "test"], test_ids, tags)
    return FoldPrediction(fold, held_out, test, float(header["seconds"]))


def check_probabilities(model: str, values: np.ndarray, shape: tuple[int, int]) -> None:
    """Raise a StoreError if a model predicts another shape or what is no probability."""
    if values.shape != shape:
        raise StoreError(f"{model} predicted an array of shape {values.shape}, expected {shape}.")
    if not ((values >= 0) & (values <= 1)).all():
        raise StoreError(
            f"{model} predicted values that are NaN or outside [0, 1]: its predict_proba must "
            "return probabilities."
        )


def fold_header(path: Path) -> dict[str, Any]:
    """Fingerprint, fold, seconds and digest that a fold's file carries."""
    try:
        header = json.loads(pq.read_schema(path).metadata[HEADER_KEY])
        found = {key: header[key] for key in ("fingerprint", "fold", "seconds", "digest")}
        if not math.isfinite(found["seconds"]):
            raise ValueError("seconds must be a number")
        return found
    except (OSError, pa.ArrowException, LookupError, ValueError, TypeError, *BEYOND) as bad:
        raise damaged(path, "it is not a fold that was written here") from bad


def read_parquet(path: Path, source: Path | BytesIO) -> pd.DataFrame:
    """Read a table from `source`, which may be the bytes of the file that `path` names."""
    try:
        return pd.read_parquet(source)
    except (OSError, pa.ArrowException, ValueError) as bad:
        raise damaged(path, "it cannot be read") from bad


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write a table, whole or not at all."""
    with written_whole(path) as temporary:
        # Hardly two numbers are the same, so that a dictionary of them saves nothing.
        frame.to_parquet(temporary, index=False, use_dictionary=False)


def frame_of(
    ids: pd.Index, values: np.ndarray, tags: Sequence[str], **columns: Any
) -> pd.DataFrame:
    """Table of the column id, further columns, and one float32 column per tag."""
    frame = pd.DataFrame({"id": np.asarray(ids, dtype=object).astype(str), **columns})
    return pd.concat([frame, pd.DataFrame(values, columns=list(tags), dtype=np.float32)], axis=1)


def values_of(path: Path, frame: pd.DataFrame, ids: pd.Index, tags: Sequence[str]) -> np.ndarray:
    """Values of a table in the order of `ids`, whatever the order of its rows.

    Raises
    ------
    StoreError
        If the table lacks a tag or holds other ads.
    """
    absent = [tag for tag in tags if tag not in frame.columns]
    if absent:
        raise damaged(path, f"it lacks the tag {absent[0]!r}")
    if pd.Index(frame["id"]).equals(ids):  # as written, unless ads have come or gone since
        return frame[list(tags)].to_numpy(dtype=np.float32)
    frame = frame.set_index("id")
    if not frame.index.is_unique or set(frame.index) != set(ids):
        raise damaged(path, "it holds other ads than the dataset")
    return frame.loc[ids, list(tags)].to_numpy(dtype=np.float32)


def frame_digest(frame: pd.DataFrame) -> str:
    hashes = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return digest(list(frame.columns), hashes.astype("<u8").tobytes())


def damaged(path: Path, why: str) -> StoreError:
    return StoreError(
        f"{path}: {why}. Run again, or `add-oof` where the predictions were made elsewhere, and it "
        f"is made anew; or remove the folder {path.parent}. Nothing else is affected."
    )


def versions() -> dict[str, str]:
    """Versions of this package and of the libraries that make predictions, as installed."""
    return {"competition": __version__, **installed(*VERSIONS_OF)}
