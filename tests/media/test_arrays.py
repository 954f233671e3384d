import io
from pathlib import Path

import numpy as np
import pytest

from competition.media.arrays import read_array
from competition.utils.errors import MediaError


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (np.arange(6, dtype=np.float64).reshape(2, 3), np.float32),
        (np.arange(6, dtype=np.float16).reshape(2, 3), np.float16),
        (np.arange(6, dtype=">i4").reshape(2, 3), np.float32),
        (np.asfortranarray(np.arange(6, dtype=np.uint8).reshape(2, 3)), np.float32),
    ],
)
def test_numbers_come_back_as_floats(tmp_path: Path, stored: np.ndarray, expected: type):
    np.save(tmp_path / "a.npy", stored)

    array = read_array(tmp_path / "a.npy")

    assert array.dtype == expected
    assert type(array) is np.ndarray
    np.testing.assert_array_equal(array, stored)


def test_plain_vector_is_one_row(tmp_path: Path):
    np.save(tmp_path / "a.npy", np.arange(4.0))

    assert read_array(tmp_path / "a.npy").shape == (1, 4)


def saved(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3))
    return buffer.getvalue()


def promising_much() -> bytes:
    """A header of a thousand million rows, and two rows."""
    content = saved(np.zeros((2, 4), dtype=np.float32))
    return content.replace(b"(2, 4), }         ", b"(1000000000, 4), }")


HOLED = np.zeros((5, 2))
HOLED[[1, 3], 0] = np.nan, np.inf

BAD_ARRAYS = {
    "empty": (b"", r"it is empty \(0 bytes\)"),
    "text": (b"1,2,3\n", "it is no .npy file"),
    "pickle": (b"\x80\x04K\x01.", "it is no .npy file"),
    "objects": (saved(np.array([[{}]])), "pickled objects, which may run code"),
    "archive": (zipped(), "an archive of arrays"),
    "truncated": (saved(np.zeros((9, 9)))[:-8], "it is damaged"),
    "header alone": (saved(np.zeros((9, 9)))[:20], "it is damaged"),
    "too short for its header": (promising_much(), "it is damaged"),
    "NaN and infinity": (saved(HOLED), "2 of 5 rows hold NaN or infinity, the first row 1"),
    "beyond float32": (saved(np.full((1, 2), 1e300)), "1 of 1 rows hold NaN or infinity"),
    "three dimensions": (saved(np.zeros((2, 3, 4))), r"found float64 of \(2, 3, 4\)"),
    "no rows": (saved(np.zeros((0, 4))), r"found float64 of \(0, 4\)"),
    "one number": (saved(np.array(3.0)), r"found float64 of \(\)"),
    "words": (saved(np.array([["a"]])), "found <U1"),
    "complex": (saved(np.zeros((2, 2), dtype=complex)), "found complex128"),
    "records": (saved(np.zeros(3, dtype=[("x", "f4")])), "expected numbers"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_array_is_a_media_error_that_says_why(tmp_path: Path, case: str):
    content, reason = BAD_ARRAYS[case]
    (tmp_path / "a.npy").write_bytes(content)

    with pytest.raises(MediaError, match=reason):
        read_array(tmp_path / "a.npy")


def test_real_features_are_read(real_data: Path):
    arrays = [read_array(p) for p in sorted((real_data / "taac2021").rglob("*.npy"))]

    assert arrays
    assert {a.shape[1] for a in arrays} == {128, 1024}
