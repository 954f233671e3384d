"""Columns as models read them, made in memory: for ads that are predicted once."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from competition.datasets.base import AdDataset, InputKind, files_of
from competition.features.store import ArrayRef
from competition.text.terms import TermsSpec


class ColumnsInMemory:
    """The columns of some ads, each made once, whichever models read it.

    Parameters
    ----------
    dataset : AdDataset
        With the features that models read.
    kinds : mapping of str to str
        The kind of every column that a model reads.
    """

    def __init__(self, dataset: AdDataset, kinds: Mapping[str, InputKind]) -> None:
        self.dataset = dataset
        self.kinds = kinds
        self.made: dict[tuple[str, TermsSpec | None], pd.Series] = {}
        self.frames: dict[tuple[tuple[str, ...], TermsSpec | None], pd.DataFrame] = {}

    def frame(self, columns: Sequence[str], terms: TermsSpec | None) -> pd.DataFrame:
        """Return columns as a model reads them; `terms` says how to count those of texts.

        What `prepare_columns` and `read_columns` give by way of files, in every cell.
        """
        key = tuple(columns), terms
        if key not in self.frames:
            self.frames[key] = pd.DataFrame({name: self._column(name, terms) for name in columns})
        return self.frames[key]

    def _column(self, name: str, terms: TermsSpec | None) -> pd.Series:
        kind = self.kinds[name]
        key = name, terms if kind == "text" else None
        if key not in self.made:
            self.made[key] = self._make(self.dataset.ads[name], kind, key[1])
        return self.made[key]

    def _make(self, cells: pd.Series, kind: str, terms: TermsSpec | None) -> pd.Series:
        if kind == "array":
            return _arrays(cells)
        if kind == "image":
            root = self.dataset.root
            return cells.map(
                lambda one: str((root / files_of(one)[0]).resolve()), na_action="ignore"
            ).astype(object)
        if terms is None:
            return cells
        from competition.text.terms import extract_terms

        counted = np.empty(len(cells), dtype=object)
        counted[:] = extract_terms(cells.tolist(), terms)
        return pd.Series(counted, cells.index)


def _arrays(refs: pd.Series) -> pd.Series:
    files: dict[Path, np.ndarray] = {}
    cells = np.empty(len(refs), dtype=object)
    for row, ref in enumerate(refs):
        if isinstance(ref, ArrayRef):
            if ref.path not in files:
                files[ref.path] = np.load(ref.path, mmap_mode="r", allow_pickle=False)
            end = ref.start + ref.rows * ref.dims
            cells[row] = np.array(files[ref.path][ref.start : end]).reshape(ref.rows, ref.dims)
    return pd.Series(cells, refs.index)
