"""The dataset that every layout is read into."""

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
    """A tag, and the dimension that it belongs to (scene, genre, sentiment, ...)."""

    name: str
    dimension: str


@dataclass(frozen=True)
class Input:
    """One input of the ads: a text, a film, metadata, ....

    Attributes
    ----------
    name : str
    kind : {"text", "image", "video", "audio", "metadata", "array"}
    columns : tuple of str
        The columns of `AdDataset.ads` that hold it: one column with the input's name, or for
        ``metadata`` one per value, with the value's name.
    """

    name: str
    kind: InputKind
    columns: tuple[str, ...]


@dataclass(frozen=True)
class SubmissionSpec:
    """The format of a submission, and the number of tags per ad that its GAP counts."""

    format: SubmissionFormat = "wide"
    top_k: int = 20


@dataclass(frozen=True, eq=False)
class AdDataset:
    """Ads, their tags and their labels.

    Attributes
    ----------
    name : str
        Names the folders and files that a run writes.
    root : Path
        The dataset's folder; no path of an ad leaves it.
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
        Columns of a CSV that hold tags. If there are any, `tags` are those of the training ads, and
        test ads may carry others; if there are none, no ad carries other tags than `tags`.
    test_labels : ndarray of shape (n_test, n_tags), dtype uint8, or None
        Labels of the test ads where the layout makes test ads of labelled ones: for scoring alone.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from competition import AdDataset, load_dataset, make_demo
    >>> with TemporaryDirectory() as folder:
    ...     make_demo(folder, 20, films=False)
    ...     ads = load_dataset(folder)
    >>> isinstance(ads, AdDataset), ads.ads.columns.to_list()
    (True, ['split', 'ocr', 'asr'])
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
