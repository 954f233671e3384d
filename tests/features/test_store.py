"""The store of features: shards on disk, digests of files."""

import json
import os
import shutil
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from competition.datasets.base import InputKind
from competition.features.registry import ExtractorEntry, get_extractor
from competition.features.store import Digests, FeatureStore, feature_settings
from competition.utils.errors import MediaError, StoreError
from competition.utils.files import file_digest
from tests.features.made_letters import LetterCodes

SETTINGS = {"extractor": "letters", "version": 1, "parameters": {"scale": 1.0}, "files": []}


def entry(version: int = 1) -> ExtractorEntry:
    return ExtractorEntry("letters", LetterCodes, ("text",), "array", version)


@pytest.fixture
def digests(tmp_path: Path) -> Digests:
    return Digests(tmp_path / "digests.parquet")


def test_arrays_texts_metadata_and_errors_are_read_back(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, SETTINGS)
    first, second = np.arange(6.0).reshape(2, 3), np.arange(3.0).reshape(1, 3)
    store.write(["a", "b", "c"], [first, MediaError("it is broken"), second])
    store.write(["d", "e"], ["words", {"width": 3.0}])
    rows = store.read()
    assert rows["error"].to_dict() == {"a": "", "b": "it is broken", "c": "", "d": "", "e": ""}
    assert rows.loc["d", "text"] == "words"
    assert rows.loc["e", "width"] == 3.0
    for key, expected in (("a", first), ("c", second)):
        ref = store.ref(key, rows.loc[key])
        values = np.load(ref.path, mmap_mode="r")[ref.start : ref.start + ref.rows * ref.dims]
        np.testing.assert_array_equal(values.reshape(ref.rows, ref.dims), expected)


def test_key_in_two_shards_has_one_row(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, SETTINGS)
    store.write(["a", "b"], ["x", "y"])
    store.write(["b", "c"], ["y", "z"])
    assert sorted(store.read().index) == ["a", "b", "c"]


def test_empty_store_has_no_rows(tmp_path: Path) -> None:
    assert len(FeatureStore(tmp_path, SETTINGS).read()) == 0


def test_store_tells_what_its_features_depend_on(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, SETTINGS)
    store.write(["a"], ["x"])
    assert json.loads((store.folder / "about.json").read_text(encoding="utf-8")) == SETTINGS


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def in_place_of_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = {
    "flipped": flip,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "emptied": lambda path: path.write_bytes(b""),
    "deleted": Path.unlink,
    "a folder": in_place_of_a_folder,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("ending", ["npy", "parquet", "seal"])
def test_damaged_shard_is_removed_alone(damage: str, ending: str, tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, SETTINGS)
    store.write(["a"], [np.ones((2, 3))])
    (shard,) = (path.stem for path in store.folder.glob("*.npy"))
    store.write(["b"], [np.zeros((2, 3))])
    assert store.remove_damaged() == 0
    DAMAGES[damage](store.folder / f"{shard}.{ending}")
    gone = damage == "deleted" and ending == "seal"  # then it counts as not written to its end
    assert store.remove_damaged() == (0 if gone else 1)
    assert list(store.read().index) == ["b"]


def test_shard_that_is_damaged_while_it_is_in_use_is_named(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, SETTINGS)
    store.write(["a"], [np.ones((2, 3))])
    store.read()
    flip(next(store.folder.glob("*.npy")))
    with pytest.raises(StoreError, match=r"\.npy was changed or removed .* Run again"):
        store.read()


def test_settings_change_with_version_and_parameters_but_not_with_the_device(
    digests: Digests,
) -> None:
    first = feature_settings(entry(), LetterCodes(), digests, "text")
    assert feature_settings(entry(), LetterCodes(device="cuda"), digests, "text") == first
    assert feature_settings(entry(), LetterCodes(scale=2.0), digests, "text") != first
    assert feature_settings(entry(version=2), LetterCodes(), digests, "text") != first


def test_digest_is_computed_again_only_for_a_changed_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    digests = Digests(tmp_path / "digests.parquet")
    one = digests.of(path)
    assert one == file_digest(path)
    digests.save()
    found = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    again = Digests(tmp_path / "digests.parquet")
    assert again.of(path) == one  # same size, same time of change
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1))
    assert again.of(path) == file_digest(path) != one


def test_damaged_file_of_digests_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "digests.parquet").write_bytes(b"no parquet")
    (tmp_path / "file").write_bytes(b"one")
    digest = Digests(tmp_path / "digests.parquet").of(tmp_path / "file")
    assert digest == file_digest(tmp_path / "file")


@pytest.mark.parametrize(
    ("name", "kind", "packages"),
    [
        ("thumbnails", "image", {"pillow", "pillow-heif"}),
        ("thumbnails", "video", {"av", "pillow", "pillow-heif"}),
        ("media_metadata", "audio", {"av"}),
        ("logmel", "video", {"av"}),
        ("vggish", "audio", {"av"}),
        ("asr", "video", {"av"}),
        ("ocr", "image", {"pillow", "pillow-heif", "rapidocr", "onnxruntime"}),
        ("bert", "text", set()),
        ("npy", "array", set()),
        ("bottom_up", "image", set()),
    ],
)
def test_what_decodes_and_prepares_is_that_which_the_feature_uses(
    name: str, kind: InputKind, packages: set[str]
) -> None:
    given = get_extractor(name).make().prepared_by(kind)
    assert set(given) == packages
    assert given == {package: metadata.version(package) for package in packages}


def test_tesseract_is_told_from_rapidocr_by_its_own_version() -> None:
    given = get_extractor("ocr").make(engine="tesseract").prepared_by("image")
    assert set(given) == {"pillow", "pillow-heif", "tesseract"}
    assert given["tesseract"].startswith("tesseract") == bool(shutil.which("tesseract"))


def test_settings_of_texts_hold_no_version_and_stay_as_they_were(digests: Digests) -> None:
    assert set(feature_settings(entry(), LetterCodes(), digests, "text")) == set(SETTINGS)
    assert "prepared by" in feature_settings(entry(), LetterCodes(), digests, "image")
