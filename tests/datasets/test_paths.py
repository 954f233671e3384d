"""Which files of a dataset may be opened."""

import os
from pathlib import Path

import pytest

from competition.datasets import read_dataset
from competition.datasets.paths import DatasetFolder
from competition.datasets.problems import Problems
from tests.datasets.made_taac2021 import TRAIN, write_taac2021
from tests.datasets.made_tables import read_small, write_small

PICTURE = '[inputs.pic]\nkind = "image"\ncolumn = "pic"'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file, and links of every kind."""
    root, away = tmp_path / "d", tmp_path / "away"
    (root / "own").mkdir(parents=True)
    away.mkdir()
    for path in (root / "own" / "a.jpg", away / "a.jpg", tmp_path / "secret"):
        path.write_bytes(b"x")
    (root / "images").symlink_to(away)
    (away / "further").symlink_to(tmp_path / "secret")
    (root / "own" / "to_secret").symlink_to(tmp_path / "secret")
    (root / "own" / "to_a").symlink_to("a.jpg")
    (root / "own" / "loop").symlink_to("loop")
    (root / "own" / "device").symlink_to("/dev/zero")
    os.mkfifo(root / "own" / "pipe")
    return root


PATHS = {
    "own/a.jpg": (None, None),
    "own/to_a": (None, None),
    "images/a.jpg": (None, "outside"),
    "images/further": ("outside", "outside"),
    "images/../secret": ("outside", "outside"),
    "own/to_secret": ("outside", "outside"),
    "own/device": ("outside", "outside"),
    "own/pipe": ("no regular file", "no regular file"),
    "own": ("no regular file", "no regular file"),
    "own/loop": ("absent", "absent"),
    "own/b.jpg": ("absent", "absent"),
    "own/a\0.jpg": ("absent", "absent"),
    "own/" + "a" * 300: ("absent", "absent"),
    "../secret": ("outside", "outside"),
    "/etc/hostname": ("outside", "outside"),
}


@pytest.mark.parametrize("path", PATHS)
def test_a_linked_folder_of_media_is_followed_and_no_other_way_leads_out(folder: Path, path: str):
    media, text = PATHS[path]
    assert DatasetFolder(folder).path_inside(path, media=True) == media
    assert DatasetFolder(folder).path_inside(path) == text


def test_pictures_below_a_linked_folder_are_read(folder: Path):
    write_small(folder, {"pic": ["images/a.jpg", "own/a.jpg"]}, inputs=PICTURE)
    dataset, found = read_small(folder)
    assert dataset.ads["pic"].notna().all()
    assert found == []


HINTS = {
    "backslashes": ("own\\a.jpg", "backslashes were perhaps meant as slashes (own/a.jpg is there)"),
    "folder": ("a.jpg", "the folder is perhaps another one ("),
    "ending": ("own/a", "the ending is missing (own/a.jpg is there)"),
    "case": ("OWN/A.JPG", "own/a.jpg is there: capital and small letters differ"),
    "nothing near": ("zzz.gif", "none of the 2 paths is there."),
}


@pytest.mark.parametrize("name", HINTS)
def test_where_all_paths_are_absent_a_hint_says_what_was_meant(folder: Path, name: str):
    path, hint = HINTS[name]
    write_small(folder, {"pic": [path, path]}, inputs=PICTURE)
    text = next(text for _, kind, text in read_small(folder)[1] if kind == "all files absent")
    assert hint in text


def test_urls_are_named_as_such(folder: Path):
    write_small(folder, {"pic": ["https://x.org/a.jpg", "own/a.jpg"]}, inputs=PICTURE)
    _, found = read_small(folder)
    assert [kind for _, kind, _ in found] == ["URLs"]
    assert "nothing is downloaded" in found[0][2]


def faults(folder: Path) -> list[tuple[str, str, str]]:
    problems = Problems()
    read_dataset(folder, problems)
    return [(p.level, p.kind, p.ad) for p in problems.found]


def test_texts_of_taac_that_are_links_or_pipes_are_refused(tmp_path: Path):
    folder = write_taac2021(tmp_path)
    secret = tmp_path.parent / f"{tmp_path.name}-secret.txt"
    secret.write_text('{"video_ocr": "secret", "video_asr": "x"}', encoding="utf-8")
    texts = folder / TRAIN / "text_txt" / "tagging"
    (texts / "a.txt").unlink()
    (texts / "a.txt").symlink_to(secret)
    (texts / "b.txt").unlink()
    os.mkfifo(texts / "b.txt")
    assert ("error", "path outside", "a") in faults(folder)
    assert ("error", "no regular file", "b") in faults(folder)


def test_metadata_of_taac_cannot_take_the_place_of_an_input(tmp_path: Path):
    folder = write_taac2021(tmp_path)
    (folder / TRAIN / "metadata.csv").write_text("id,ocr,split\na,x,test\n", encoding="utf-8")
    assert [fault[:2] for fault in faults(folder)].count(("error", "reserved name")) == 2
