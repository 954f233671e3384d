"""The dataset that every layout is read into."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

RESERVED = ("id", "fold", "split", "group")  # of the ads and of stored predictions

GIANT = 1.5  # even folds that a group may fill without a warning

BETWEEN_FILES = "\0"  # in a cell that names several files: no path can hold it

InputKind = Literal["text", "image", "video", "audio", "metadata", "array"]
SubmissionFormat = Literal["wide", "youtube8m", "taac2021"]


def files_of(cell: str) -> list[str]:
    """Return the paths that a cell of an image, film, sound or array input names, in order.

    Examples
    --------
    >>> from competition.datasets.base import BETWEEN_FILES, files_of
    >>> files_of("a.jpg"), files_of(BETWEEN_FILES.join(["a.jpg", "b.jpg"]))
    (['a.jpg'], ['a.jpg', 'b.jpg'])
    """
    return cell.split(BETWEEN_FILES)


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
    made_by : str
        The pre-trained network that has made it, or "own arrays" where the ads came with such a
        network's output; "" where there was none.
    """

    name: str
    kind: InputKind
    columns: tuple[str, ...]
    made_by: str = ""


@dataclass(frozen=True)
class SubmissionSpec:
    """The format of a submission, and the number of tags per ad that its GAP counts.

    Attributes
    ----------
    format : {"wide", "youtube8m", "taac2021"}
    top_k : int
    id_column : str
        Header of the ids where the format is ``wide``.
    """

    format: SubmissionFormat = "wide"
    top_k: int = 20
    id_column: str = "id"


@dataclass(frozen=True)
class TagColumns:
    """Columns of a table that hold the tags of its ads.

    Attributes
    ----------
    columns : tuple of str
        One column of tags, or one column per tag, headed by it.
    separator : str or None
        Stands between the tags of a cell; None where a column per tag says yes or no.
    null_words : frozenset of str
        Cells that mean no tag, in small letters.
    """

    columns: tuple[str, ...]
    separator: str | None
    null_words: frozenset[str]


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
        an empty string; missing metadata or a missing file is NA. A cell of files may name several:
        see `files_of`.
    tags : tuple of Tag
        In the order of the columns of `labels`.
    labels : ndarray of shape (n_train, n_tags), dtype uint8
    inputs : dict of str to Input
    submission : SubmissionSpec
    truth : Path or None
        The file of the true tags of the test ads that the folder's dataset.json names.
    tag_columns : tuple of TagColumns
        Where a table of this dataset holds tags; empty in layouts of other files.
    tags_are_closed : bool
        Whether no ad carries other tags than `tags`; where not, these are the tags of the training
        ads, and test ads may carry others.
    described : dict
        How the inputs were read: ``inputs`` and ``null_words`` as of a competition.toml, where
        there is one; ``readings`` of metadata (`competition.datasets.metadata.Reading`).
    test_labels : ndarray of shape (n_test, n_tags), dtype uint8, or None
        Labels of the test ads where the layout makes test ads of labelled ones: for scoring alone.
    license : str
        What the folder's dataset.json says of the use of its ads; "" where it says nothing.

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
    tag_columns: tuple[TagColumns, ...] = ()
    tags_are_closed: bool = True
    test_labels: np.ndarray | None = None
    described: Mapping[str, Any] = field(default_factory=dict)
    license: str = ""

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

    def lacks(self, name: str) -> pd.Series:
        """Say of each ad whether it lacks an input: an empty text, no file, not a single value."""
        given = self.inputs[name]
        lacking = np.ones(len(self.ads), dtype=bool)
        for column in given.columns:
            cells = self.ads[column]
            empty = cells == "" if given.kind == "text" else cells.isna()
            lacking &= empty.to_numpy(dtype=bool)
        return pd.Series(lacking, self.ads.index)

    def has(self, name: str) -> bool:
        """Whether there is an input of this name that any ad has."""
        return name in self.inputs and not self.lacks(name).all()

    def warning_of_giant_group(self, n_folds: int) -> str:
        """Say which group leaves the models of one of `n_folds` folds little to learn from."""
        if self.groups is None or not len(self.groups):
            return ""
        sizes = pd.Series(self.groups).value_counts()
        largest, n = int(sizes.iloc[0]), len(self.groups)
        if largest <= GIANT * n / n_folds:
            return ""
        return (
            f"the group {sizes.index[0]!r} has {largest:,} of {n:,} training ads, and a group "
            f"stays in one fold: the models that hold it out learn from {n - largest:,} ads at "
            "most. Use smaller groups if ads of a group may be told apart."
        )

    @classmethod
    def from_frames(
        cls,
        train: pd.DataFrame,
        test: pd.DataFrame | None = None,
        *,
        tags: Sequence[Mapping[str, object]],
        inputs: Mapping[str, Mapping[str, object]],
        name: str = "ads",
        root: Path | str = ".",
        **settings: object,
    ) -> "AdDataset":
        """Make a dataset of frames, as a notebook has them, instead of a folder of tables.

        Parameters
        ----------
        train, test : DataFrame
            One row per ad. Ids are in the column `id`, else in the index.
        tags : sequence of mappings
            As ``[[tags]]`` in a competition.toml.
        inputs : mapping of str to mapping
            As ``[inputs.<name>]`` in a competition.toml.
        name : str
            Names the folders and files that a run writes.
        root : Path or str
            The folder that paths of media are relative to, and may not leave.
        **settings
            Other keys of a competition.toml: `id`, `group`, `split`, `null_words`, `submission`.

        Raises
        ------
        DatasetError
            If the frames have a fault that stops a run.

        Examples
        --------
        >>> ads = pd.DataFrame(
        ...     {"title": ["sea and sun", "a warm soup"], "topics": [["travel"], ["food"]]},
        ...     index=["ad1", "ad2"],
        ... )
        >>> dataset = AdDataset.from_frames(
        ...     ads,
        ...     tags=[{"column": "topics", "dimension": "topic"}],
        ...     inputs={"title": {"kind": "text", "column": "title"}},
        ... )
        >>> dataset.tag_names
        ['food', 'travel']
        """
        from competition.datasets import frames

        described = {"name": name, "tags": tags, "inputs": inputs, **settings}
        return frames.read_frames(train, test, described, Path(root))

    def sorted_by_id(self) -> "AdDataset":
        """Return the same dataset with training ads and test ads each in the order of their ids.

        What follows from the ads then follows from their content alone, not from the order in which
        a table happens to list them.
        """
        train = np.argsort(self.train_ids.to_numpy(dtype=object), kind="stable")
        test = np.argsort(self.test_ids.to_numpy(dtype=object), kind="stable")
        is_train = (self.ads["split"] == "train").to_numpy()
        rows = np.concatenate([np.flatnonzero(is_train)[train], np.flatnonzero(~is_train)[test]])
        return replace(
            self,
            ads=self.ads.iloc[rows],
            labels=self.labels[train],
            test_labels=None if self.test_labels is None else self.test_labels[test],
        )
