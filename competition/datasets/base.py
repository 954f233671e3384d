"""What every layout of ads is read into."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

InputKind = Literal["text", "image", "video", "audio", "metadata", "array"]
SubmissionFormat = Literal["wide", "youtube8m", "taac2021"]


@dataclass(frozen=True)
class Tag:
    """One label, and the dimension it belongs to (scene, genre, sentiment, ...)."""

    name: str
    dimension: str


@dataclass(frozen=True)
class Input:
    """One thing known about an ad.

    Attributes
    ----------
    name : str
    kind : {"text", "image", "video", "audio", "metadata", "array"}
    columns : tuple of str
        The columns of `AdDataset.ads` that hold it: one column named as the input, except for
        ``metadata``, where each value has a column of its own under its own name.
    """

    name: str
    kind: InputKind
    columns: tuple[str, ...]


@dataclass(frozen=True)
class SubmissionSpec:
    """How the leaderboard wants its file, and how many tags of an ad count there."""

    format: SubmissionFormat = "wide"
    top_k: int = 20


@dataclass(frozen=True, eq=False)
class AdDataset:
    """Ads, their tags and their labels.

    Attributes
    ----------
    name : str
        Names the folders and files made from this dataset.
    root : Path
        The folder it was read from; no path of an ad leaves it.
    ads : DataFrame of shape (n_train + n_test, ...)
        Indexed by ad id (str), training ads first. Columns: ``split`` ("train" or "test"),
        ``group`` where the dataset has groups, then the columns of the inputs. A missing text is
        an empty string; missing metadata or a missing file is NA.
    tags : tuple of Tag
        In the order of the columns of `labels`.
    labels : ndarray of shape (n_train, n_tags), dtype uint8
    inputs : dict of str to Input
    submission : SubmissionSpec
    truth : Path or None
        The file of the true tags of the test ads that the folder's dataset.json names.
    tag_columns : tuple of str
        Columns of a CSV that hold tags. Where there are any, the tags are those that training ads
        carry, and test ads may carry others; where there are none, the list of tags is closed.
    test_labels : ndarray of shape (n_test, n_tags), dtype uint8, or None
        Where the layout itself holds labelled ads out as test ads: for scoring alone.
    """

    name: str
    root: Path
    ads: pd.DataFrame
    tags: tuple[Tag, ...]
    labels: np.ndarray
    inputs: dict[str, Input]
    submission: SubmissionSpec
    truth: Path | None = None
    tag_columns: tuple[str, ...] = ()
    test_labels: np.ndarray | None = None

    @cached_property
    def train_ids(self) -> pd.Index:
        return self.ads.index[self.ads["split"] == "train"]

    @cached_property
    def test_ids(self) -> pd.Index:
        return self.ads.index[self.ads["split"] == "test"]

    @property
    def tag_names(self) -> list[str]:
        return [tag.name for tag in self.tags]

    @property
    def groups(self) -> np.ndarray | None:
        """Group of each training ad, shape (n_train,), or None where the ads have no groups."""
        if "group" not in self.ads.columns:
            return None
        return self.ads.loc[self.train_ids, "group"].to_numpy()
