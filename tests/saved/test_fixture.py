"""What an earlier version has saved, this one reads, and predicts the same."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import competition

FOLDERS = sorted(Path(__file__).parent.glob("stack_*"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_stack_of_an_earlier_version_predicts_what_it_did(folder: Path) -> None:
    stack = competition.load_stack(folder / "stack", n_jobs=1)
    found = stack.predict_proba(folder / "ads.csv")
    expected = pd.read_csv(folder / "expected.csv", index_col="id")
    assert list(found.columns) == list(expected.columns)
    assert np.allclose(found.loc[expected.index], expected, atol=1e-5)
    assert found.to_numpy().std() > 0.05


def test_there_is_a_stack_of_every_format() -> None:
    from competition.saved.manifest import FORMAT

    assert [folder.name for folder in FOLDERS] == [f"stack_{n}" for n in range(1, FORMAT + 1)]
