"""From the ads of a dataset to the stored columns that the models read."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from competition.datasets.base import AdDataset, InputKind, files_of
from competition.features.columns import (
    Column,
    content_digest,
    is_stored,
    write_ragged,
    write_refs,
    write_series,
)
from competition.features.store import Digests
from competition.text.terms import TermsSpec
from competition.utils.extras import CUTTERS
from competition.utils.files import digest
from competition.utils.progress import Progress
from competition.utils.source_digest import source_digest
from competition.utils.versions import installed

CHUNK = 2_000  # ads between two reports of progress


def prepare_columns(
    dataset: AdDataset,
    columns: Sequence[str],
    terms: TermsSpec | None,
    cache: Path,
    progress: Progress,
) -> tuple[Column, ...]:
    """Store the columns that a model reads, unless they are stored already.

    Parameters
    ----------
    dataset : AdDataset
    columns : sequence of str
        Columns of `AdDataset.ads`.
    terms : TermsSpec or None
        How to count the terms of texts; None leaves texts as they are.
    cache : Path
        Folder of the dataset's columns, beside ``digests.parquet``.
    progress : Progress
    """
    digests = Digests(cache.parent / "digests.parquet") if _files(dataset, columns) else None
    found = _named(dataset, columns, terms, cache, digests)
    for column in found:
        _store(column, dataset, terms, progress)
    if digests is not None:
        digests.save()
    return found


def name_columns(
    dataset: AdDataset,
    columns: Sequence[str],
    terms: TermsSpec | None,
    cache: Path,
    progress: Progress,
) -> tuple[Column, ...]:
    """Return the columns that `prepare_columns` would store, and store nothing."""
    digests = Digests(cache.parent / "digests.parquet") if _files(dataset, columns) else None
    return _named(dataset, columns, terms, cache, digests)


def _files(dataset: AdDataset, columns: Sequence[str]) -> list[str]:
    """Columns that hold paths of pictures."""
    kinds = _kinds(dataset)
    return [column for column in columns if kinds[column] == "image"]


def _kinds(dataset: AdDataset) -> dict[str, InputKind]:
    return {column: given.kind for given in dataset.inputs.values() for column in given.columns}


def _named(
    dataset: AdDataset,
    columns: Sequence[str],
    terms: TermsSpec | None,
    cache: Path,
    digests: Digests | None,
) -> tuple[Column, ...]:
    kinds = _kinds(dataset)

    def named(name: str) -> Column:
        values, label, ending = dataset.ads[name], _file_name(name), ".parquet"
        if kinds[name] == "array":
            fingerprint, ending = _array_fingerprint(values), ".refs"
        elif kinds[name] == "image" and digests is not None:
            found = _first_files(values, dataset.root)
            contents = [None if file is None else digests.of(file) for file in found]
            fingerprint = digest(list(values.index), contents)
        elif kinds[name] == "text" and terms is not None:
            how = [terms.analyzer, *terms.ngram_range]
            made_by = [source_digest("competition.text.terms"), installed(*CUTTERS)]
            fingerprint, ending = digest(content_digest(values), how, made_by), ".ragged"
            label += f".{terms.analyzer}{terms.ngram_range[0]}-{terms.ngram_range[1]}"
        elif kinds[name] == "text":  # which networks cut into words
            fingerprint = digest(content_digest(values), installed(*CUTTERS))
        else:
            fingerprint = content_digest(values)
        return Column(name, fingerprint, cache / f"{label}-{fingerprint[:16]}{ending}")

    return tuple(map(named, columns))


def _store(column: Column, dataset: AdDataset, terms: TermsSpec | None, progress: Progress) -> None:
    """Write a column, unless it is stored; places of files and arrays are written anew."""
    values, path = dataset.ads[column.name], column.path
    if path.suffix == ".refs":
        write_refs(path, values)
    elif _files(dataset, [column.name]):
        # Written anew: a dataset that was moved has the same content under other paths.
        paths = [None if file is None else str(file) for file in _first_files(values, dataset.root)]
        write_series(path, pd.Series(paths, values.index, dtype=object))
    elif not is_stored(path, progress):
        if path.suffix == ".ragged" and terms is not None:
            write_ragged(path, values.index, _counted(values, terms, progress))
        else:
            write_series(path, values)


def _array_fingerprint(refs: pd.Series) -> str:
    return digest(
        [
            [str(ad), ref.feature, ref.key] if ref is not None else [str(ad)]
            for ad, ref in refs.items()
        ]
    )


def _first_files(files: pd.Series, root: Path) -> list[Path | None]:
    return [None if pd.isna(file) else (root / files_of(file)[0]).resolve() for file in files]


def _counted(texts: pd.Series, spec: TermsSpec, progress: Progress) -> list[np.ndarray]:
    from competition.text.terms import extract_terms

    stage, arrays = f"counting the terms of {texts.name}", []
    progress.update(stage, 0, len(texts))
    for start in range(0, len(texts), CHUNK):
        arrays += extract_terms(texts.iloc[start : start + CHUNK].tolist(), spec)
        progress.update(stage, len(arrays), len(texts))
    return arrays


def _file_name(name: str) -> str:
    """Turn a column's name into a safe part of a file name."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
