"""From the ads of a dataset to the stored columns that the models read."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from competition.datasets.base import AdDataset, files_of
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
from competition.utils.files import digest
from competition.utils.progress import Progress
from competition.utils.source_digest import source_digest

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
    kinds = {column: given.kind for given in dataset.inputs.values() for column in given.columns}

    def prepared(column: str) -> Column:
        if kinds[column] == "array":
            return _array_column(dataset.ads[column], cache)
        if kinds[column] == "image":
            return _file_column(dataset.ads[column], dataset.root, cache)
        if kinds[column] == "text" and terms is not None:
            return _terms_column(dataset.ads[column], terms, cache, progress)
        return _plain_column(dataset.ads[column], cache, progress)

    return tuple(map(prepared, columns))


def _plain_column(values: pd.Series, cache: Path, progress: Progress) -> Column:
    fingerprint = content_digest(values)
    path = cache / f"{_file_name(str(values.name))}-{fingerprint[:16]}.parquet"
    if not is_stored(path, progress):
        write_series(path, values)
    return Column(str(values.name), fingerprint, path)


def _array_column(refs: pd.Series, cache: Path) -> Column:
    name = str(refs.name)
    made_from = [
        [str(ad), ref.feature, ref.key] if ref is not None else [str(ad)]
        for ad, ref in refs.items()
    ]
    fingerprint = digest(made_from)
    path = cache / f"{_file_name(name)}-{fingerprint[:16]}.refs"
    write_refs(path, refs)
    return Column(name, fingerprint, path)


def _file_column(files: pd.Series, root: Path, cache: Path) -> Column:
    """Store the path of each ad's first file, None where missing; the fingerprint is of content."""
    name = str(files.name)
    digests = Digests(cache.parent / "digests.parquet")
    found = [None if pd.isna(file) else (root / files_of(file)[0]).resolve() for file in files]
    contents = [None if file is None else digests.of(file) for file in found]
    digests.save()
    fingerprint = digest(list(files.index), contents)
    path = cache / f"{_file_name(name)}-{fingerprint[:16]}.parquet"
    # Written anew: a dataset that was moved has the same content under other paths.
    paths = [None if file is None else str(file) for file in found]
    write_series(path, pd.Series(paths, files.index, dtype=object))
    return Column(name, fingerprint, path)


def _terms_column(texts: pd.Series, spec: TermsSpec, cache: Path, progress: Progress) -> Column:
    name = str(texts.name)
    source = source_digest("competition.text.terms")
    how = [spec.analyzer, *spec.ngram_range]
    fingerprint = digest(content_digest(texts), how, source)
    label = f"{_file_name(name)}.{spec.analyzer}{spec.ngram_range[0]}-{spec.ngram_range[1]}"
    path = cache / f"{label}-{fingerprint[:16]}.ragged"
    if not is_stored(path, progress):
        from competition.text.terms import extract_terms

        arrays = []
        progress.update(f"counting the terms of {name}", 0, len(texts))
        for start in range(0, len(texts), CHUNK):
            arrays += extract_terms(texts.iloc[start : start + CHUNK].tolist(), spec)
            progress.update(f"counting the terms of {name}", len(arrays), len(texts))
        write_ragged(path, texts.index, arrays)
    return Column(name, fingerprint, path)


def _file_name(name: str) -> str:
    """Turn a column's name into a safe part of a file name."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
