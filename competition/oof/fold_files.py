"""What the OOF store writes and how it knows it again: fold predictions, fingerprints, digests."""

import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from competition import __version__
from competition.utils.errors import StoreError
from competition.utils.files import digest

VERSIONS_OF = ("numpy", "scikit-learn", "torch", "lightgbm", "xgboost", "jieba", "rjieba")
HEADER_KEY = b"competition"


@dataclass(frozen=True)
class Fingerprint:
    """What a model's predictions were made from, part by part.

    The parts name what has changed when the fingerprint of a run differs from the stored one.
    """

    parts: dict[str, str]

    @property
    def value(self) -> str:
        return digest(self.parts)

    def changed(self, stored: dict[str, str]) -> list[str]:
        """Names of the parts that differ from stored ones."""
        names = {**stored, **self.parts}
        return [name for name in names if stored.get(name) != self.parts.get(name)]


@dataclass(frozen=True, eq=False)
class FoldPrediction:
    """What the model of one fold predicts.

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


def check_probabilities(model: str, values: np.ndarray, shape: tuple[int, int]) -> None:
    if values.shape != shape:
        raise StoreError(f"{model} predicted an array of shape {values.shape}, expected {shape}.")
    if not ((values >= 0) & (values <= 1)).all():
        raise StoreError(
            f"{model} predicted values that are NaN or outside [0, 1]: its predict_proba must "
            "return probabilities."
        )


def fold_header(path: Path) -> dict[str, Any]:
    try:
        header = json.loads(pq.read_schema(path).metadata[HEADER_KEY])
        return {key: header[key] for key in ("fingerprint", "fold", "seconds", "digest")}
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as bad:
        raise damaged(path, "it is not a fold that was written here") from bad


def read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, pa.ArrowException, ValueError) as bad:
        raise damaged(path, "it cannot be read") from bad


def frame_digest(frame: pd.DataFrame) -> str:
    hashes = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return digest(list(frame.columns), hashes.astype("<u8").tobytes())


def damaged(path: Path, why: str) -> StoreError:
    return StoreError(
        f"{path}: {why}. Remove the folder {path.parent} to have that model made again; nothing "
        "else is affected."
    )


def versions() -> dict[str, str]:
    versions = {"competition": __version__}
    for package in VERSIONS_OF:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
