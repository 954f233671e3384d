"""What was written is read, or it is said which file is damaged."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from competition.utils.state import StateError, read_state, write_state


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x80\x04]\x94.", b"{}", b"{1}"])
@pytest.mark.parametrize("kind", ["arrays.npz", "lightgbm.txt", "xgboost.json"])
def test_a_damaged_file_is_named(tmp_path: Path, kind: str, content: bytes) -> None:
    write_state({"what": _learned(kind)}, tmp_path)
    assert set(read_state(tmp_path, dict)) == {"what"}
    (file,) = tmp_path.glob(f"*{kind}")
    file.write_bytes(content)
    with pytest.raises(StateError, match=r"cannot be read: .*Save the model again") as bad:
        read_state(tmp_path, dict)
    assert "pickle" not in str(bad.value)


def _learned(kind: str) -> Any:
    X, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    if kind == "lightgbm.txt":
        lightgbm = pytest.importorskip("lightgbm")
        return lightgbm.train({"verbose": -1}, lightgbm.Dataset(X, y), 1)
    if kind == "xgboost.json":
        xgboost = pytest.importorskip("xgboost")
        return xgboost.train({}, xgboost.DMatrix(X, y), 1)
    return X
