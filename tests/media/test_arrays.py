"""Arrays from .npy files and .npz archives."""

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from competition.media import arrays
from competition.media.arrays import read_archive, read_array
from competition.utils.errors import MediaError
from tests.cli.calling import call, called
from tests.conftest import write_csv


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


# Region features as they are published: an archive of arrays per image.
REGIONS = np.random.default_rng(0).normal(size=(36, 8)).astype(np.float32)
BOXES = np.zeros((36, 4), dtype=np.float32)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "ad.npz"


@pytest.mark.parametrize("name", ["features", "feat", "x"])
def test_features_are_found_among_other_arrays(archive, name):
    np.savez_compressed(archive, bbox=BOXES, image_h=450, **{name: REGIONS})
    assert np.array_equal(read_array(archive), REGIONS)


def test_pickled_values_beside_the_features_are_not_touched(archive):
    np.savez(archive, x=REGIONS, info=np.array({"image_id": "7"}, dtype=object))
    assert np.array_equal(read_array(archive), REGIONS)


def test_pickled_features_are_refused(archive):
    np.savez(archive, x=np.array([{}], dtype=object))
    with pytest.raises(MediaError, match="pickled objects"):
        read_array(archive)


def test_archive_without_features_is_refused(archive):
    np.savez(archive, boxes=BOXES)
    with pytest.raises(MediaError, match="none of them called features, feat, x"):
        read_array(archive)


def test_archive_cut_short_is_refused(archive):
    np.savez(archive, features=REGIONS)
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(MediaError, match="damaged archive"):
        read_array(archive)


def test_flipped_bits_are_found(archive):
    np.savez(archive, features=REGIONS)
    content = bytearray(archive.read_bytes())
    content[500] ^= 1
    archive.write_bytes(bytes(content))
    with pytest.raises(MediaError, match="damaged archive"):
        read_array(archive)


def with_features(content: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        file.writestr("features.npy", content)
    return buffer.getvalue()


def with_header(header: str) -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(64)


BAD_ARCHIVES = {
    "one number": (saved(np.array(3.0)), r"found float64 of \(\)"),
    "a header that promises much": (promising_much(), "it is damaged"),
    "records": (saved(np.zeros(3, dtype=[("x", "f4")])), "expected numbers"),
    "truncated": (saved(np.zeros((9, 9)))[:-8], "it is damaged"),
    "NaN": (saved(HOLED), "2 of 5 rows hold NaN or infinity"),
    "not an array": (b"hello", "it is no .npy file"),
    "more rows than 64 bits hold": (
        with_header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': (1{'0' * 30}, 4)}}"),
        "it is damaged",
    ),
    "negative rows": (
        with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (-3, 4)}"),
        "it is damaged",
    ),
    "an endless header": (with_header("(" * 110), "it is damaged"),
    "an unknown type": (
        with_header("{'descr': {}, 'fortran_order': False, 'shape': (2, 4)}"),
        "expected numbers",
    ),
}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("case", BAD_ARCHIVES)
def test_bad_array_of_an_archive_is_a_media_error_too(archive, case, method):
    content, reason = BAD_ARCHIVES[case]
    archive.write_bytes(with_features(content, method))
    with pytest.raises(MediaError, match=reason):
        read_array(archive)


def test_kind_of_file_follows_from_its_content_not_its_name(tmp_path):
    (tmp_path / "a.npz").write_bytes(saved(REGIONS))
    (tmp_path / "b.npy").write_bytes(with_features(saved(REGIONS)))
    assert np.array_equal(read_array(tmp_path / "a.npz"), REGIONS)
    assert np.array_equal(read_array(tmp_path / "b.npy"), REGIONS)


def test_damaged_arrays_count_as_missing_and_are_named(tmp_path):
    folder = tmp_path / "ads"
    folder.mkdir()
    rows = [[f"ad{i}", f"v{i}.npz", "ab"[i % 2]] for i in range(12)]
    for _, name, tag in rows:
        numbers = np.full((2, 3), ord(tag), dtype=np.float32) + np.arange(3, dtype=np.float32)
        (folder / name).write_bytes(with_features(saved(numbers)))
    (folder / "v3.npz").write_bytes(with_features(promising_much()))
    (folder / "v5.npz").write_bytes(with_features(saved(np.array(3.0))))
    write_csv(folder / "train.csv", ["id", "vector", "tag"], rows)
    (folder / "competition.toml").write_text(
        'name = "vectors"\ntrain = "train.csv"\n[[tags]]\ncolumn = "tag"\ndimension = "tag"\n'
        '[inputs.vector]\nkind = "array"\ncolumn = "vector"\n',
        encoding="utf-8",
    )
    checked = call("check", folder, "--all").out
    assert "ad3" in checked
    assert "it is damaged" in checked
    assert "ad5" in checked
    settings = ["kinds=['array']", "models=['probe']", "folds.n=3", "level2.model='mean'"]
    settings += ["features.seen.extractor='npy'", "features.seen.input='vector'"]
    words = [word for one in settings for word in ("--set", one)]
    done = called("run", "--data", folder, "--jobs", 1, "--out", tmp_path / "out", *words)
    assert done.status == 0, done.err
    assert "v3.npz" in done.out + done.err
    assert "v5.npz" in done.out + done.err


def test_archive_that_unpacks_to_too_much_is_refused(archive, monkeypatch):
    monkeypatch.setattr(arrays, "LARGEST", 1000)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("features.npy", bytes(5000))
    with pytest.raises(MediaError, match="has 5000 bytes"):
        read_array(archive)


def test_header_that_no_parser_can_follow_is_damage(tmp_path):
    nested = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({'-' * 8000}1, 4)}}"
    (tmp_path / "a.npy").write_bytes(with_header(nested))
    with pytest.raises(MediaError, match="it is damaged"):
        read_array(tmp_path / "a.npy")


def test_array_that_promises_more_than_its_archive_holds_is_damage(archive):
    archive.write_bytes(with_features(promising_much()))
    with pytest.raises(MediaError, match="damaged"):
        read_archive(archive, ["features"])


SHORT_OF_MEMORY = """
import resource
from pathlib import Path

from competition.media.arrays import read_archive
from competition.utils.errors import MediaError

in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use + 2**26, -1))
try:
    read_archive(Path("large.npz"), ["x"])
except MemoryError:
    print("memory")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as Linux does it")
def test_memory_that_runs_out_is_no_damage(tmp_path):
    np.savez_compressed(tmp_path / "large.npz", x=np.zeros(2**27, np.uint8))
    command = [sys.executable, "-c", SHORT_OF_MEMORY]
    path = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, cwd=tmp_path, env=path, capture_output=True, text=True)
    assert done.stdout == "memory\n", done.stderr
