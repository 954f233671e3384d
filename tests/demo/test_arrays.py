"""Demo ads with arrays: the competition's layout, sizes and tags, and something to learn."""

import json

import numpy as np
import pytest

from competition.datasets import load_dataset
from competition.datasets.base import AdDataset
from competition.datasets.taac2021 import official_tags
from competition.demo.make import make_demo
from competition.evaluation.metrics import gap
from tests.cli.calling import call, called
from tests.demo.made_demo import read_texts
from tests.demo.test_make import all_bytes

N_TRAIN, N_TEST = 500, 40
# Ads of the competition's 5,000 training ads that carry some of the tags.
OFFICIAL = {
    "现代": 4947,
    "中景": 4329,
    "喜悦": 1748,
    "家": 1018,
    "拉近": 683,
    "学校": 300,
    "大厅": 17,
}


@pytest.fixture(scope="module")
def ads(tmp_path_factory):
    folder = tmp_path_factory.mktemp("arrays") / "ads"
    done = call("demo", folder, "--arrays", "--ads", N_TRAIN, "--test-ads", N_TEST, "--seed", 1)
    assert "500 training ads and 40 test ads (seed 1)" in done.out
    return folder


@pytest.fixture(scope="module")
def dataset(ads) -> AdDataset:
    return load_dataset(ads)


def arrays(dataset: AdDataset, name: str) -> list[np.ndarray]:
    return [np.load(dataset.root / path) for path in dataset.ads[name].iloc[:N_TRAIN]]


def test_layout_of_the_competition_reads_them_whole(dataset):
    assert len(dataset.train_ids) == N_TRAIN
    assert len(dataset.test_ids) == N_TEST
    assert set(dataset.inputs) == {"ocr", "asr", "youtube8m", "vggish", "metadata"}
    assert dataset.inputs["metadata"].columns == ("duration", "height", "width")
    assert not dataset.ads.isna().any(axis=None)
    assert [tag.name for tag in dataset.tags] == list(official_tags())
    assert dataset.truth is not None


def test_arrays_have_the_competitions_forms_and_spread(dataset):
    frames, sound = arrays(dataset, "youtube8m"), arrays(dataset, "vggish")
    assert all(array.dtype == np.float32 and array.shape[1] == 1024 for array in frames)
    assert all(array.dtype == np.float64 and array.shape == (62, 128) for array in sound)
    lengths = [len(array) for array in frames]
    assert min(lengths) >= 6
    assert max(lengths) == 60
    assert 30 <= np.median(lengths) <= 50
    # Of the ten ads of the competition that are public: 0.76 to 1.11, and 1.29 to 1.75.
    assert 0.8 < np.mean([array.std() for array in frames]) < 1.2
    assert 1.2 < np.mean([array.std() for array in sound]) < 1.8


def test_texts_are_as_long_as_the_competitions(ads):
    texts = read_texts(ads, "train")
    ocr, asr = (np.array([len(text[key]) for text in texts]) for key in ("video_ocr", "video_asr"))
    # Of its test ads: median 385 and 204, nineteen in twenty below 1,230 and 337.
    assert 340 < np.median(ocr) < 420
    assert 1000 < np.quantile(ocr, 0.95) < 1500
    assert 190 < np.median(asr) < 240
    assert 320 < np.quantile(asr, 0.95) < 420


def test_tags_have_the_competitions_long_tail(dataset):
    share = dict(zip(official_tags(), dataset.labels.mean(axis=0), strict=True))
    for tag, count in OFFICIAL.items():
        assert share[tag] == pytest.approx(count / 5000, abs=0.05)
    assert (dataset.labels.mean(axis=0) < 0.02).sum() > 20
    assert 11 < dataset.labels.sum(axis=1).mean() < 14


@pytest.mark.parametrize("name", ["youtube8m", "vggish"])
def test_arrays_tell_more_than_frequencies(dataset, name):
    """A ridge regression from the mean row; published single models score 0.70 to 0.80."""
    x = np.array([array.mean(axis=0) for array in arrays(dataset, name)])
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    train, rest, labels = x[:400], x[400:], dataset.labels
    prior = labels[:400].mean(axis=0)
    gram = train @ train.T + 2 * x.shape[1] * np.eye(400)
    scores = prior + rest @ train.T @ np.linalg.solve(gram, labels[:400] - prior)
    alone = gap(labels[400:], np.tile(prior, (100, 1)), 20)
    assert 0.5 < alone < 0.6
    assert alone + 0.08 < gap(labels[400:], np.clip(scores, 0, 1), 20) < 0.85


def test_same_seed_writes_the_same_bytes_whatever_the_number(ads, tmp_path):
    for name, n_ads in (("a", 12), ("b", 12), ("more", 20)):
        make_demo(tmp_path / name, n_ads, 1, test_ads=4, arrays=True)
    made = all_bytes(tmp_path / "a")
    assert made == all_bytes(tmp_path / "b")
    many = all_bytes(ads)
    of_ads = [name for name in made if name.endswith((".npy", ".txt")) and "_5k/" in name]
    assert len(of_ads) == 3 * (12 + 4)
    assert all(made[name] == many[name] for name in of_ads)


def test_lost_array_is_made_again(tmp_path):
    make_demo(tmp_path / "ads", 12, 1, arrays=True)
    before = all_bytes(tmp_path / "ads")
    folder = tmp_path / "ads" / "tagging" / "tagging_dataset_train_5k"
    next((folder / "video_npy/Youtube8M/tagging").iterdir()).unlink()
    (folder / "metadata.csv").write_text("damaged")
    make_demo(tmp_path / "ads", 12, 1, arrays=True)
    assert all_bytes(tmp_path / "ads") == before


def test_rare_tags_leave_their_names_in_the_words(dataset):
    """Half of the names are written, half are spoken."""
    names = {"宫格": "ocr", "课件展示": "ocr", "学校": "asr", "动画": "asr"}
    column_of = {name: column for column, name in enumerate(official_tags())}
    texts = dataset.ads.loc[dataset.train_ids, ["ocr", "asr"]].agg(" ".join, axis=1)
    for name in names:
        has = dataset.labels[:, column_of[name]] == 1
        said = texts.str.contains(name).to_numpy()
        assert said[has].mean() > 0.2
        assert said[~has].mean() < 0.1


def test_rendered_ads_have_as_many_test_ads_as_wanted(tmp_path):
    done = call("demo", tmp_path / "ads", "--no-films", "--ads", 10, "--test-ads", 7)
    assert "10 training ads and 7 test ads" in done.out
    dataset = load_dataset(tmp_path / "ads")
    assert (len(dataset.train_ids), len(dataset.test_ids)) == (10, 7)
    assert json.loads((tmp_path / "ads" / "demo.json").read_text())["test_ads"] == 7


@pytest.mark.parametrize("option", [("--ads", 0), ("--test-ads", 0), ("--test-ads", -1)])
def test_impossible_numbers_are_told(tmp_path, option):
    done = called("demo", tmp_path / "ads", "--arrays", "--ads", 10, *option)
    assert done.status == 2
    assert "Choose" in done.err
    assert list(tmp_path.iterdir()) == []


def test_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    done = called("demo", tmp_path, "--arrays", "--ads", 10)
    assert done.status == 2
    assert "holds no demo ads" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
