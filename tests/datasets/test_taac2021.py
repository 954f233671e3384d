"""Layout `taac2021`."""

from pathlib import Path

import pytest

from competition.datasets import load_dataset, read_dataset
from competition.datasets.check import check_dataset
from competition.datasets.problems import Problems
from competition.datasets.taac2021 import official_tags
from competition.utils.errors import DatasetError
from competition.utils.progress import Progress
from tests.datasets.made_taac2021 import TEST, TRAIN, write_taac2021, write_text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_taac2021(tmp_path)


def found(folder: Path) -> list[tuple[str, str, str]]:
    problems = Problems()
    read_dataset(folder, problems)
    return [(p.level, p.kind, p.ad) for p in problems.found]


def test_official_tags_are_82_in_four_dimensions() -> None:
    tags = official_tags()
    assert len(tags) == 82
    assert {tag.dimension for tag in tags.values()} == {
        "scene",
        "presentation",
        "style",
        "narration",
    }


def test_reads_texts_and_labels_and_leaves_out_ads_without_files(folder: Path) -> None:
    dataset = load_dataset(folder)
    assert list(dataset.train_ids) == ["a", "b"]
    assert list(dataset.test_ids) == ["t"]
    assert dataset.labels.tolist() == [[1, 1], [0, 1]]
    assert dataset.ads.loc["t", "ocr"] == "字幕t"
    assert set(dataset.inputs) == {"ocr", "asr"}
    assert found(folder) == [("note", "no inputs", "")]


def test_metadata_is_read_and_may_be_missing(folder: Path) -> None:
    (folder / TRAIN / "metadata.csv").write_text("id,duration,width\na,7.5,720\n", encoding="utf-8")
    dataset = load_dataset(folder)
    assert dataset.inputs["metadata"].columns == ("duration", "width")
    assert dataset.ads["duration"].isna().tolist() == [False, True, True]


def write_garbage(folder: Path) -> None:
    path = write_text(folder, TRAIN, "a", {})
    path.write_text('{"video_ocr": "x", ', encoding="utf-8")


def write_latin1(folder: Path) -> None:
    write_text(folder, TRAIN, "a", {}).write_bytes('{"video_ocr": "é"}'.encode("latin-1"))


def append(folder: Path, line: str) -> None:
    path = folder / "tagging" / "GroundTruth" / "tagging_info.txt"
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")


CASES = {
    "malformed JSON": (write_garbage, "error", "a"),
    "not UTF-8": (write_latin1, "error", "a"),
    "unknown tag": (lambda f: append(f, "d.mp4\t火星"), "error", "d"),
    "duplicate id": (lambda f: append(f, "a.mp4\t室内"), "error", "a"),
    "malformed table": (lambda f: append(f, "no tab"), "error", ""),
    "no tag": (lambda f: append(f, "d.mp4\t"), "warning", "d"),
    "id in both splits": (lambda f: write_text(f, TEST, "a", {}), "error", "a"),
    "no labels": (lambda f: write_text(f, TRAIN, "x", {}), "warning", "x"),
    "empty text": (lambda f: write_text(f, TRAIN, "a", {"video_ocr": "x"}), "warning", "a"),
}


@pytest.mark.parametrize("kind", CASES)
def test_fault_is_named_with_its_ad(folder: Path, kind: str) -> None:
    spoil, level, ad = CASES[kind]
    spoil(folder)
    assert (level, kind, ad) in found(folder)


def test_text_file_must_hold_an_object_of_texts(folder: Path) -> None:
    write_text(folder, TRAIN, "a", ["x"])
    write_text(folder, TRAIN, "b", {"video_ocr": 3})
    with pytest.raises(DatasetError, match="object of texts video_ocr and video_asr"):
        load_dataset(folder)


def test_broken_media_and_rare_tags_are_found_by_check(folder: Path) -> None:
    for place, name in (("image_jpg/tagging", "a.jpg"), ("video_npy/Youtube8M/tagging", "b.npy")):
        path = folder / TRAIN / place / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"\xff\xd8 no such thing")
    _, problems = check_dataset(folder, 2, Progress())
    kinds = [(p.kind, p.ad) for p in problems.found]
    assert ("broken file", "a") in kinds
    assert ("broken file", "b") in kinds
    assert kinds.count(("rare tag", "")) == 1
    assert not problems.errors


def test_check_refuses_fewer_ads_than_folds_as_a_run_would(folder: Path) -> None:
    _, problems = check_dataset(folder, 3, Progress())
    assert [problem.text for problem in problems.errors] == [
        "2 training ads are too few for 3 folds. Lower folds.n or add training ads."
    ]


def test_folder_above_the_dataset_is_hinted_at(folder: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    (outer / "dataset").symlink_to(folder)
    with pytest.raises(DatasetError, match=r"Did you mean .*outer/dataset"):
        load_dataset(outer)


def test_real_sample_is_read(real_data: Path) -> None:
    dataset = load_dataset(real_data / "taac2021" / "dataset")
    assert (len(dataset.train_ids), len(dataset.test_ids), len(dataset.tags)) == (52, 518, 82)
    assert {name: given.kind for name, given in dataset.inputs.items()} == {
        "ocr": "text",
        "asr": "text",
        "youtube8m": "array",
        "vggish": "array",
        "cover": "image",
    }
    assert int(dataset.ads["youtube8m"].notna().sum()) == 10


# Folders of the releases: films, and features of the second round's test ads


def put(folder: Path, *names: str) -> None:
    """Make an empty skeleton: files of the real names without content, texts that say nothing."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"video_ocr": "", "video_asr": ""}' if path.suffix == ".txt" else "")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The two lists of labels alone."""
    put(tmp_path, "label_id.txt", "tagging/GroundTruth/tagging_info.txt")
    (tmp_path / "label_id.txt").write_text("室内\t0\n推广页\t1\n", encoding="utf-8")
    path = tmp_path / "tagging/GroundTruth/tagging_info.txt"
    path.write_text("".join(f"{ad}.mp4\t推广页\n" for ad in "abc"), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("videos/train_5k", "videos/test_5k"),
        ("videos/train_5k_A", "videos/test_5k_A"),
        ("videos/video_5k/train_5k", "videos/video_5k/test_5k"),
        ("videos/train_5k_A", "videos/test_5k_2nd"),
    ],
)
def test_films_are_found_where_a_release_has_them(bare: Path, train: str, test: str) -> None:
    put(bare, *(f"{train}/{ad}.mp4" for ad in "abc"), f"{test}/t.mp4")
    dataset = load_dataset(bare)
    assert list(dataset.ads["video"]) == [*(f"{train}/{ad}.mp4" for ad in "abc"), f"{test}/t.mp4"]
    assert list(dataset.test_ids) == ["t"]
    assert not dataset.has("ocr")
    assert dataset.has("video")


PLACES = {
    "youtube8m": "video_npy/Youtube8M/tagging/{}.npy",
    "vggish": "audio_npy/Vggish/tagging/{}.npy",
    "cover": "image_jpg/tagging/{}.jpg",
    "text": "text_txt/tagging/{}.txt",
}


@pytest.mark.parametrize("second", [False, True])
def test_features_have_the_names_of_their_official_folders(bare: Path, second: bool) -> None:
    test = f"{TEST}_2nd" if second else TEST
    for place in PLACES.values():
        put(bare, f"{TRAIN}/{place.format('a')}", f"{test}/{place.format('t')}")
    dataset = load_dataset(bare)
    assert list(dataset.inputs) == ["ocr", "asr", "youtube8m", "vggish", "cover"]
    for name in ("youtube8m", "vggish", "cover"):
        assert dataset.ads.loc["t", name] == f"{test}/{PLACES[name].format('t')}"


def test_of_two_rounds_the_second_is_predicted_and_a_warning_says_so(folder: Path) -> None:
    write_text(folder, f"{TEST}_2nd", "u", {"video_ocr": "字幕", "video_asr": ""})
    problems = Problems()
    assert list(read_dataset(folder, problems).test_ids) == ["u"]
    (warning,) = [problem for problem in problems.found if problem.kind == "two rounds"]
    assert "those of tagging_dataset_test_5k left out" in warning.text
