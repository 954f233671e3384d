"""Region features as they are published: an archive of arrays (.npz) per image."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from competition.features.base import Item
from competition.features.extractors.npy import Npy
from competition.media import arrays
from competition.utils.errors import MediaError

REGIONS = np.random.default_rng(0).normal(size=(36, 8)).astype(np.float32)
BOXES = np.zeros((36, 4), dtype=np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ad.npz"


@pytest.mark.parametrize("name", ["features", "feat", "x"])
def test_features_are_found_among_boxes_and_the_like(path, name):
    np.savez_compressed(path, bbox=BOXES, image_h=450, **{name: REGIONS})
    assert np.array_equal(Npy().extract_one(Item("array", path)), REGIONS)


def test_pickled_facts_beside_the_features_are_not_touched(path):
    np.savez(path, x=REGIONS, info=np.array({"image_id": "7"}, dtype=object))
    assert np.array_equal(arrays.read_array(path), REGIONS)


def test_pickled_features_are_refused(path):
    np.savez(path, x=np.array([{}], dtype=object))
    with pytest.raises(MediaError, match="pickled objects"):
        arrays.read_array(path)


def test_archive_without_features_is_refused(path):
    np.savez(path, boxes=BOXES)
    with pytest.raises(MediaError, match="none of them called features, feat, x"):
        arrays.read_array(path)


def test_archive_cut_short_is_refused(path):
    np.savez(path, features=REGIONS)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(MediaError, match="damaged archive"):
        arrays.read_array(path)


def test_flipped_bits_are_found(path):
    np.savez(path, features=REGIONS)
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(MediaError, match="damaged archive"):
        arrays.read_array(path)


def test_archive_that_unpacks_to_too_much_is_refused(path, monkeypatch):
    monkeypatch.setattr(arrays, "LARGEST", 1000)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("features.npy", bytes(5000))
    with pytest.raises(MediaError, match="has 5000 bytes"):
        arrays.read_array(path)
