"""Extraction of the items that the store lacks."""

from pathlib import Path

import numpy as np
import pytest

from competition.features.run import extract_missing
from competition.features.store import FeatureStore
from tests.features.made_letters import LetterCodes, texts
from tests.recorded import Recorded

SETTINGS = {"extractor": "letters", "version": 1, "parameters": {}, "files": []}


def extract(root: Path, n: int, n_jobs: int = 1, progress: Recorded | None = None) -> int:
    return extract_missing(
        LetterCodes(),
        texts(n),
        FeatureStore(root, SETTINGS),
        n_jobs=n_jobs,
        progress=progress or Recorded(),
        stage="extracting letters",
    )


def stored(root: Path) -> dict[str, list[list[float]] | str]:
    store = FeatureStore(root, SETTINGS)
    found: dict[str, list[list[float]] | str] = {}
    for row in store.read().itertuples():
        if row.error:
            found[row.Index] = row.error
            continue
        ref = store.ref(row.Index, row)
        values = np.load(ref.path)[ref.start : ref.start + ref.rows * ref.dims]
        found[row.Index] = values.reshape(ref.rows, ref.dims).tolist()
    return found


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_every_item_is_stored_and_a_bad_one_with_its_reason(n_jobs: int, tmp_path: Path) -> None:
    assert extract(tmp_path, 11, n_jobs) == 11
    expected = {
        key: "it holds an x"
        if item.value == "x"
        else [[float(ord(letter)), 1.0] for letter in str(item.value)]
        for key, item in texts(11).items()
    }
    assert stored(tmp_path) == expected


def test_only_new_items_are_extracted(tmp_path: Path) -> None:
    extract(tmp_path, 6)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
    assert extract(tmp_path, 6) == 0
    assert extract(tmp_path, 8) == 2
    assert len(stored(tmp_path)) == 8
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_progress_counts_all_items(n_jobs: int, tmp_path: Path) -> None:
    progress = Recorded()
    extract(tmp_path, 11, n_jobs, progress)
    assert {stage for stage, _, _ in progress.steps} == {"extracting letters"}
    assert progress.steps[0][1:] == (0, 11)
    assert progress.steps[-1][1:] == (11, 11)
