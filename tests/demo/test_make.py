"""Demo ads on disk: the same bytes every time, whole or not at all."""

import json
import re

import pandas as pd
import pytest

from competition.datasets import load_dataset
from competition.demo import make as demo
from competition.demo.content import TAGS_FILE
from competition.demo.draw import draw_plan
from competition.demo.make import make_demo
from competition.submission.score import read_truth as read_tags
from competition.utils.errors import DatasetError
from tests.demo.made_demo import N_ADS, SEED, TEXTS, TRUTHS, read_texts, read_truth


def all_bytes(root):
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def test_same_seed_writes_the_same_bytes(tmp_path):
    make_demo(tmp_path / "a", 20, seed=5, films=False)
    make_demo(tmp_path / "b", 20, seed=5, films=False)
    assert all_bytes(tmp_path / "a") == all_bytes(tmp_path / "b")


def test_another_seed_writes_other_ads(tmp_path):
    make_demo(tmp_path / "a", 10, seed=5, films=False)
    make_demo(tmp_path / "b", 10, seed=6, films=False)
    assert not set(read_truth(tmp_path / "a", "train")) & set(read_truth(tmp_path / "b", "train"))


def test_fewer_ads_are_the_first_of_more(root, tmp_path):
    make_demo(tmp_path / "few", 15, SEED, films=False)
    few, many = all_bytes(tmp_path / "few"), all_bytes(root)
    ads = [name for name in few if "text_txt" in name]
    assert len(ads) == 15 + 3
    assert all(many[name] == few[name] for name in ads)
    for truth in TRUTHS.values():
        assert many[truth].startswith(few[truth])


@pytest.mark.parametrize(("split", "expected"), [("train", N_ADS), ("test", N_ADS // 5)])
def test_every_ad_has_tags_and_a_text_file_under_its_id(root, split, expected):
    names = list(read_truth(root, split))
    assert len(set(names)) == expected
    assert all(re.fullmatch(r"[0-9a-f]{32}\.mp4", name) for name in names)
    files = {path.name for path in (root / TEXTS.format(split)).iterdir()}
    assert files == {name.replace(".mp4", ".txt") for name in names}


def test_text_files_hold_two_strings_without_line_breaks(root):
    for text in read_texts(root, "train"):
        assert set(text) == {"video_ocr", "video_asr"}
        assert all(isinstance(value, str) and "\n" not in value for value in text.values())


def test_train_and_test_ads_differ(root):
    assert not set(read_truth(root, "train")) & set(read_truth(root, "test"))


def test_tags_are_the_competitions_own_from_all_dimensions(root):
    rows = [line.split("\t") for line in (root / "label_id.txt").read_text("utf-8").splitlines()]
    known = pd.read_csv(TAGS_FILE).set_index("tag")["dimension"]
    assert [int(number) for _, number in rows] == list(range(len(rows)))
    assert 24 <= len(rows) <= 40
    assert set(known[[tag for tag, _ in rows]]) == set(known)


def test_every_tag_occurs_and_no_other(root):
    listed = {line.split("\t")[0] for line in (root / "label_id.txt").read_text().splitlines()}
    assert {tag for tags in read_truth(root, "train").values() for tag in tags} == listed


def test_demo_made_with_the_same_settings_is_left_as_it_is(tmp_path):
    make_demo(tmp_path / "ads", 10, films=False)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "ads").rglob("*")}
    make_demo(tmp_path / "ads", 10, films=False)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "ads").rglob("*")} == before


def test_demo_whose_files_were_changed_is_made_again(tmp_path):
    make_demo(tmp_path / "ads", 10, films=False)
    path = tmp_path / "ads" / "label_id.txt"
    made = path.read_bytes()
    path.write_text("touched")
    make_demo(tmp_path / "ads", 10, films=False)
    assert path.read_bytes() == made


def test_demo_made_with_other_settings_is_replaced(tmp_path):
    make_demo(tmp_path / "ads", 12, films=False)
    make_demo(tmp_path / "ads", 10, films=False)
    assert len(read_truth(tmp_path / "ads", "train")) == 10
    assert json.loads((tmp_path / "ads" / "demo.json").read_text()) == {
        "ads": 10,
        "test_ads": 2,
        "films": False,
        "arrays": False,
        "seed": 0,
        "version": 2,
    }


def test_dataset_is_called_demo_and_knows_the_truth_of_its_test_ads(root):
    dataset = load_dataset(root)
    assert dataset.name == "demo"
    truth = read_tags(dataset.truth, dataset)
    assert set(truth.of) == set(dataset.test_ids)


def test_ads_made_before_dataset_json_are_kept_and_get_one(tmp_path):
    make_demo(tmp_path / "ads", 10, films=False)
    complete = all_bytes(tmp_path)
    (tmp_path / "ads" / "dataset.json").unlink()
    made = (tmp_path / "ads").stat().st_ino
    make_demo(tmp_path / "ads", 10, films=False)
    assert all_bytes(tmp_path) == complete
    assert (tmp_path / "ads").stat().st_ino == made


def test_ads_made_before_the_number_of_test_ads_was_chosen_are_kept(tmp_path):
    make_demo(tmp_path / "ads", 10, films=False)
    stamp = {"ads": 10, "films": False, "seed": 0, "version": 2}
    (tmp_path / "ads" / "demo.json").write_text(json.dumps(stamp))
    (tmp_path / "ads" / "demo.seal").unlink()
    made = (tmp_path / "ads").stat().st_ino
    make_demo(tmp_path / "ads", 10, films=False)
    assert (tmp_path / "ads").stat().st_ino == made
    make_demo(tmp_path / "ads", 10, test_ads=3, films=False)
    assert len(read_truth(tmp_path / "ads", "test")) == 3


def test_demo_of_an_earlier_version_is_replaced(tmp_path):
    (tmp_path / "ads").mkdir()
    (tmp_path / "ads" / "demo.json").write_text('{"ads": 10, "seed": 0, "version": 1}')
    make_demo(tmp_path / "ads", 10, films=False)
    assert len(read_truth(tmp_path / "ads", "train")) == 10


def test_empty_folder_is_filled(tmp_path):
    (tmp_path / "ads").mkdir()
    make_demo(tmp_path / "ads", 10, films=False)
    assert (tmp_path / "ads" / "demo.json").is_file()


@pytest.mark.parametrize("stamp", [None, "no json", '["ads"]', '{"name": "mine"}'])
def test_folder_with_anything_else_is_refused_and_left_alone(tmp_path, stamp):
    (tmp_path / "precious.txt").write_text("mine")
    if stamp is not None:
        (tmp_path / "demo.json").write_text(stamp)
    before = all_bytes(tmp_path)
    with pytest.raises(DatasetError, match="Name another folder"):
        make_demo(tmp_path, 10, films=False)
    assert all_bytes(tmp_path) == before


def test_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "ads").write_text("a file")
    with pytest.raises(DatasetError, match="is a file"):
        make_demo(tmp_path / "ads", 10, films=False)


@pytest.mark.parametrize(
    ("n_ads", "seed", "test_ads"), [(9, 0, 1), (0, 0, 1), (10, -1, 1), (10, 0, 0), (10, 0, -3)]
)
@pytest.mark.parametrize("arrays", [False, True])
def test_impossible_settings_are_refused(tmp_path, n_ads, seed, test_ads, arrays):
    with pytest.raises(DatasetError, match="Choose"):
        make_demo(tmp_path / "ads", n_ads, seed, test_ads=test_ads, films=False, arrays=arrays)
    assert not (tmp_path / "ads").exists()


def fail_at_test_ads(seed, split, index):
    if split == "test":
        raise KeyboardInterrupt
    return draw_plan(seed, split, index)


def test_crash_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "draw_plan", fail_at_test_ads)
    with pytest.raises(KeyboardInterrupt):
        make_demo(tmp_path / "ads", 10, films=False)
    assert list(tmp_path.iterdir()) == []


def test_crash_while_replacing_leaves_the_old_ads(tmp_path, monkeypatch):
    make_demo(tmp_path / "ads", 12, films=False)
    before = all_bytes(tmp_path)
    monkeypatch.setattr(demo, "draw_plan", fail_at_test_ads)
    with pytest.raises(KeyboardInterrupt):
        make_demo(tmp_path / "ads", 10, films=False)
    assert all_bytes(tmp_path) == before
