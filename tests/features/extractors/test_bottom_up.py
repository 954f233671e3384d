"""Region features that a detector elsewhere has written."""

import base64
from pathlib import Path

import numpy as np
import pytest

from competition.features.base import Item
from competition.features.extractors.bottom_up import BottomUp
from competition.utils.errors import FeatureError, MediaError

REGIONS = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)


def image(name: str) -> Item:
    return Item("image", Path("/ads") / name)


def tsv_line(name: str, features: np.ndarray) -> str:
    boxes = base64.b64encode(np.zeros((len(features), 4), "<f4").tobytes()).decode()
    packed = base64.b64encode(features.astype("<f4").tobytes()).decode()
    return "\t".join([name, "640", "480", str(len(features)), boxes, packed]) + "\n"


def test_tsv_of_the_authors_is_read_by_any_form_of_the_name(tmp_path: Path) -> None:
    path = tmp_path / "features.tsv"
    names = ["one", "7/two.jpg", "three.jpg", "8/four"]
    path.write_text("".join(tsv_line(n, REGIONS + i) for i, n in enumerate(names)), "utf-8")
    extractor = BottomUp(str(path))
    for i, name in enumerate(["3/one.jpg", "7/two.jpg", "three.png", "8/four.jpg"]):
        assert np.array_equal(extractor.extract_one(image(name)), REGIONS + i)
    with pytest.raises(MediaError, match=r"no region features of two\.jpg"):
        extractor.extract_one(image("9/two.jpg"))


def test_arrays_and_archives_of_a_folder_are_read(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    np.save(tmp_path / "7" / "one.npy", REGIONS)
    np.savez(tmp_path / "two.npz", features=REGIONS + 1, bbox=np.zeros((3, 4)))
    np.savez(tmp_path / "three.npz", x=(REGIONS + 2).T, num_bbox=3, bbox=np.zeros((3, 4)))
    extractor = BottomUp(str(tmp_path))
    for i, name in enumerate(["7/one.jpg", "9/two.jpg", "three.jpg"]):
        assert np.array_equal(extractor.extract_one(image(name)), REGIONS + i)
    assert len(extractor.files()) == 3


@pytest.mark.parametrize("features", ["not base64!", "AAAA", ""])
def test_damaged_line_is_a_fault_of_its_ad(tmp_path: Path, features: str) -> None:
    path = tmp_path / "features.tsv"
    path.write_text(f"one\t1\t1\t2\t\t{features}\n" + tsv_line("two", REGIONS), "utf-8")
    with pytest.raises(MediaError, match=r"its line in features\.tsv"):
        BottomUp(str(path)).extract_one(image("one.jpg"))
    assert np.array_equal(BottomUp(str(path)).extract_one(image("two.jpg")), REGIONS)


def test_file_of_another_form_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "features.tsv").write_text("one\t2\n", "utf-8")
    with pytest.raises(FeatureError, match=r"features\.tsv:1 has 2 columns"):
        BottomUp(str(tmp_path / "features.tsv")).extract_one(image("one.jpg"))


def test_absent_path_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match="there is nothing at"):
        BottomUp(str(tmp_path / "none")).files()
    assert "set its path" in BottomUp().lacks()
