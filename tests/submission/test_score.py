import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.datasets.base import AdDataset, SubmissionSpec, Tag, TagColumns
from competition.datasets.metadata import NULL_WORDS
from competition.datasets.taac2021 import official_tags
from competition.evaluation.metrics import gap, score
from competition.submission.score import read_truth, score_submission
from competition.submission.write import write_submission
from competition.utils.errors import SubmissionError

TAGS = ["indoors", "night", "calm"]
DIMENSIONS = ["scene", "scene", "mood"]
TRAIN = ["a", "b", "c"]
TEST = ["x", "y"]
LABELS = np.array([[1, 0, 0], [0, 1, 1], [1, 0, 1]], dtype=np.uint8)
TEST_LABELS = np.array([[1, 0, 1], [0, 1, 0]], dtype=np.uint8)
SCENE_AND_MOOD = tuple(TagColumns((name,), "|", NULL_WORDS) for name in ("scene", "mood"))
TEST_TRUTH = "id,scene,mood\nx,indoors,calm\ny,night,\n"


def make_dataset(truth: Path | None = None, top_k: int = 20) -> AdDataset:
    splits = ["train"] * len(TRAIN) + ["test"] * len(TEST)
    return AdDataset(
        name="small",
        root=Path(),
        ads=pd.DataFrame({"split": splits}, index=pd.Index(TRAIN + TEST, name="id")),
        tags=tuple(Tag(name, dimension) for name, dimension in zip(TAGS, DIMENSIONS, strict=True)),
        labels=LABELS,
        inputs={},
        submission=SubmissionSpec("wide", top_k),
        truth=truth,
    )


def random_scores(n_ads: int, n_tags: int = len(TAGS), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n_ads, n_tags))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "submission"


@pytest.fixture
def truth_path(tmp_path: Path) -> Path:
    path = tmp_path / "truth.csv"
    path.write_text(TEST_TRUTH)
    return path


def official_gap(submission: Path, truth: Path, tag_index: dict[str, int]) -> float:
    """GAP as the TAAC 2021 scorer finds it: vectors of 82, the best 20 pooled, a running count."""
    content = json.loads(submission.read_text(encoding="utf-8"))
    pool, n_true = [], 0
    for line in truth.read_text(encoding="utf-8").splitlines():
        name, _, tags = line.partition("\t")
        true = {tag_index[tag] for tag in tags.split(",")}
        n_true += len(true)
        vector = [0.0] * len(tag_index)
        result = content[name]["result"][0]
        for tag, tag_score in zip(result["labels"], result["scores"], strict=True):
            vector[tag_index[tag]] = float(tag_score)
        best = sorted(range(len(vector)), key=lambda i: vector[i], reverse=True)[:20]
        pool += [(vector[i], i in true) for i in best]
    hits, total = 0, 0.0
    for rank, (_, hit) in enumerate(sorted(pool, reverse=True), start=1):
        if hit:
            hits += 1
            total += hits / rank
    return total / n_true


def test_gap_is_that_of_the_official_scorer(path, tmp_path):
    tags = list(official_tags())
    rng = np.random.default_rng(0)
    labels = rng.random((80, 82)) < rng.random(82) ** 3
    labels[:, 0] = True
    labels[0, :40] = True
    scores = 0.4 * labels + rng.random((80, 82))
    ids = [f"{i:032x}" for i in range(80)]
    truth = tmp_path / "tagging_info.txt"
    truth.write_text(
        "".join(
            f"{ad}.mp4\t{','.join(np.array(tags)[row])}\n"
            for ad, row in zip(ids, labels, strict=True)
        ),
        encoding="utf-8",
    )
    order = rng.permutation(80)
    write_submission(path, SubmissionSpec("taac2021"), tags, [ids[i] for i in order], scores[order])

    result = score_submission(path, None, truth)

    expected = official_gap(path, truth, {tag: i for i, tag in enumerate(tags)})
    assert result.gap == pytest.approx(expected, abs=1e-12)
    assert set(result.gap_by_dimension) == {tag.dimension for tag in official_tags().values()}


def test_tag_frequencies_score_the_published_gap(path):
    data = Path(os.environ.get("ADS_DATA", "../shared/data"))
    truth = data / "taac2021/dataset/tagging/GroundTruth/tagging_info.txt"
    if not truth.exists():
        pytest.skip(f"{truth} is not there")
    tags = list(official_tags())
    of = read_truth(truth).of
    labels = np.array([[tag in names for tag in tags] for names in of.values()])
    frequencies = np.tile(labels.mean(axis=0), (len(of), 1))
    write_submission(path, SubmissionSpec("taac2021"), tags, list(of), frequencies)

    assert score_submission(path, None, truth).gap == pytest.approx(0.58, abs=0.005)


def test_the_test_ads_known_truth_is_used(path, truth_path):
    scores = random_scores(2)
    write_submission(path, SubmissionSpec("wide"), TAGS, TEST, scores)

    result = score_submission(path, make_dataset(truth=truth_path), None)

    assert result == score(TEST_LABELS, scores, DIMENSIONS)


def test_a_truth_that_is_passed_comes_before_that_of_the_dataset(path, tmp_path, truth_path):
    scores = random_scores(2)
    write_submission(path, SubmissionSpec("wide"), TAGS, TEST, scores)
    absent = tmp_path / "absent.csv"

    result = score_submission(path, make_dataset(truth=absent), truth_path)

    assert result == score(TEST_LABELS, scores, DIMENSIONS)


def test_training_ads_are_scored_by_their_labels(path):
    scores = random_scores(3)
    write_submission(path, SubmissionSpec("wide"), TAGS, TRAIN[::-1], scores[::-1])

    assert score_submission(path, make_dataset(), None).gap == pytest.approx(
        score(LABELS, scores, DIMENSIONS).gap
    )


def test_the_dataset_says_how_many_tags_count(path):
    scores = random_scores(3)
    write_submission(path, SubmissionSpec("wide"), TAGS, TRAIN, scores)

    result = score_submission(path, make_dataset(top_k=1), None)

    assert result == score(LABELS, scores, DIMENSIONS, top_k=1)


def test_without_a_dataset_the_tags_are_those_of_truth_and_file(path, tmp_path):
    truth = tmp_path / "truth.csv"
    truth.write_text("id,tags\nx,cat\ny,dog|unpredicted\n")
    write_submission(path, SubmissionSpec("wide"), ["cat", "dog"], TEST, np.eye(2))

    result = score_submission(path, None, truth)

    assert result == score(
        np.array([[1, 0, 0], [0, 1, 1]]), np.array([[1, 0, 0], [0, 1, 0]]), ["all"] * 3
    )


@pytest.mark.parametrize("ids", [["x.mp4", "y"], ["x", "y.mp4"]])
def test_ads_are_matched_with_and_without_mp4(path, truth_path, ids):
    scores = random_scores(2)
    write_submission(path, SubmissionSpec("wide"), TAGS, ids, scores)

    result = score_submission(path, make_dataset(), truth_path)

    assert result == score(TEST_LABELS, scores, DIMENSIONS)


def test_missing_and_extra_ads_are_counted_and_named(path):
    ids = ["b", *[f"new{i}" for i in range(5)]]
    write_submission(path, SubmissionSpec("wide"), TAGS, ids, random_scores(6))
    truth = path.with_name("truth.csv")
    truth.write_text("id,tags\na,night\nb,night\nc,night\n")

    with pytest.raises(SubmissionError) as error:
        score_submission(path, make_dataset(), truth)

    assert "2 missing (a, c) and 5 extra (new0, new1, new2, ...)" in str(error.value)


def test_ads_whose_tags_nobody_knows_ask_for_a_truth(path):
    write_submission(path, SubmissionSpec("wide"), TAGS, TEST, random_scores(2))

    with pytest.raises(SubmissionError, match=r"not training ads of small, .* as --truth"):
        score_submission(path, make_dataset(), None)


def test_a_file_alone_asks_for_a_truth(path):
    write_submission(path, SubmissionSpec("wide"), TAGS, TEST, random_scores(2))

    with pytest.raises(SubmissionError, match=r"not known\. Pass a file .* as --truth"):
        score_submission(path, None, None)


TRUTHS = {
    "tagging_info": ("truth", "x.mp4\tindoors,calm\ny.mp4\tnight\n"),
    "tagging_info without mp4": ("truth", "x\tindoors,calm\r\n\ny\tnight\r\n"),
    "CSV with bars": ("truth", "id,tags\nx,indoors|calm\ny,night\n"),
    "CSV with commas": ("truth", 'id,tags\nx,"indoors, calm"\ny,night\n'),
    "CSV with one tag per ad and column": ("truth", TEST_TRUTH),
    "ids in another column": ("truth", "tags,id\nindoors|calm,x\nnight,y\n"),
    "ids in the first column": ("truth", "clip,tags\nx,indoors|calm\ny,night\n"),
}


@pytest.mark.parametrize(("name", "text"), TRUTHS.values(), ids=TRUTHS.keys())
def test_every_form_of_truth_is_read(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)

    assert read_truth(path, make_dataset()).of == {"x": {"indoors", "calm"}, "y": {"night"}}


def test_a_comma_is_part_of_a_tag_where_bars_separate(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text('id,tags\nx,"bed, table|chair"\ny,"sun, sea"\n')

    assert read_truth(path).of == {"x": {"bed, table", "chair"}, "y": {"sun, sea"}}


def test_only_the_tag_columns_of_the_dataset_are_read(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text("id,title,scene,mood\nx,Night|Fall,indoors,calm\n")
    dataset = dataclasses.replace(make_dataset(), tag_columns=SCENE_AND_MOOD, tags_are_closed=False)

    assert read_truth(path, dataset).of == {"x": {"indoors", "calm"}}


def test_a_true_tag_that_no_training_ad_carries_scores_zero(path, tmp_path):
    truth = tmp_path / "truth.csv"
    truth.write_text("id,tags\nx,indoors|calm|new\ny,night\n")
    dataset = dataclasses.replace(make_dataset(), tag_columns=SCENE_AND_MOOD, tags_are_closed=False)
    perfect = TEST_LABELS.astype(float)
    write_submission(path, dataset.submission, TAGS, TEST, perfect)

    with_new = np.column_stack([TEST_LABELS, [1, 0]])
    expected = gap(with_new, np.column_stack([perfect, [0, 0]]))
    assert score_submission(path, dataset, truth).gap == pytest.approx(expected)


def test_truth_in_the_layout_of_a_wide_submission_is_refused(path, tmp_path):
    truth = tmp_path / "truth.csv"
    truth.write_text("id,indoors,night,calm\nx,1,0,1\ny,0,1,0\n")
    write_submission(path, SubmissionSpec("wide"), TAGS, TEST, random_scores(2))

    with pytest.raises(SubmissionError, match="indoors, night, calm, and which of them hold"):
        score_submission(path, None, truth)


BAD_TRUTHS = {
    "no tab": ("truth.txt", "x.mp4\tcalm\ny.mp4 night\n", "row 2 is not of the form"),
    "no tab at first": ("truth.txt", "x.mp4 calm,night\n", "row 1 is not of the form"),
    "two tabs": ("truth.txt", "x.mp4\tcalm\tnight\n", "row 1 is not of the form"),
    "empty": ("truth.txt", "\n", "holds no ads"),
    "ad twice": ("truth.txt", "x.mp4\tcalm\nx\tcalm\n", "row 2: ad 'x' is there twice"),
    "unknown tag": ("truth.txt", "x.mp4\tcalm\ny.mp4\tnigth\n", "row 2: ad 'y' has the tag 'nigth"),
    "no id": ("truth.csv", "id,tags\n,calm\n", "row 2 has no ad id"),
    "CSV: ad twice": ("truth.csv", "id,tags\nx,calm\ny,calm\nx,calm\n", "row 4: ad 'x' is there t"),
    "CSV: unknown tag": (
        "truth.csv",
        "id,title\nx,The End\n",
        "row 2: ad 'x' has the tag 'The End",
    ),
    "CSV: long row": (
        "truth.csv",
        "id,tags\nx,calm,night\n",
        "truth.csv:2 (ad x): 3 cells where the header has 2",
    ),
    "CSV: no tags": ("truth.csv", "id\nx\n", "has no column of tags"),
}


@pytest.mark.parametrize(("name", "text", "message"), BAD_TRUTHS.values(), ids=BAD_TRUTHS.keys())
def test_a_malformed_truth_is_refused_with_its_row(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)

    with pytest.raises(SubmissionError) as error:
        read_truth(path, make_dataset())

    assert message in str(error.value)


def test_truth_is_split_as_the_dataset_splits(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text("id,title,tags\nx,a,indoors;calm\ny,b|c,night\n")
    columns = (TagColumns(("tags",), ";", NULL_WORDS),)
    dataset = dataclasses.replace(make_dataset(), tag_columns=columns, tags_are_closed=False)
    assert read_truth(path, dataset).of == {"x": {"indoors", "calm"}, "y": {"night"}}


def test_truth_of_a_dataset_with_a_column_per_tag_is_read(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text("id,indoors,night,calm\nx,1,0,1\ny,0,1,\n")
    columns = (TagColumns(("indoors", "night", "calm"), None, NULL_WORDS),)
    dataset = dataclasses.replace(make_dataset(), tag_columns=columns)
    assert read_truth(path, dataset).of == {"x": {"indoors", "calm"}, "y": {"night"}}


def test_a_truth_whose_column_of_tags_is_not_said_is_refused(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text("id,title,genre\nx,a,indoors\n")
    columns = (TagColumns(("tags",), ";", NULL_WORDS),)
    dataset = dataclasses.replace(make_dataset(), tag_columns=columns, tags_are_closed=False)
    for given in (None, dataset):
        with pytest.raises(SubmissionError, match="title, genre, and which of them hold tags"):
            read_truth(path, given)


def test_ids_of_the_truth_are_in_the_column_that_the_dataset_names(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text("scene,clip\nindoors,x\n")
    spec = SubmissionSpec("wide", id_column="clip")
    dataset = dataclasses.replace(make_dataset(), submission=spec)
    assert read_truth(path, dataset).of == {"x": {"indoors"}}


def test_a_wide_submission_calls_the_ids_as_the_dataset_does(path):
    write_submission(path, SubmissionSpec("wide", id_column="clip"), TAGS, TEST, random_scores(2))
    assert path.read_text().startswith("clip,indoors,night,calm\n")


@pytest.mark.parametrize("of_dataset", [True, False])
def test_a_truth_with_another_separator_than_the_dataset_is_refused(path, tmp_path, of_dataset):
    truth = tmp_path / "truth.csv"
    truth.write_text("id,tags\nx,indoors;calm\ny,night\n")
    write_submission(path, SubmissionSpec("wide"), TAGS, TEST, random_scores(2))
    columns = (TagColumns(("tags",), "|", NULL_WORDS),)
    dataset = dataclasses.replace(make_dataset(), tag_columns=columns, tags_are_closed=False)
    with pytest.raises(SubmissionError, match="'indoors' and 'calm' are tags: ';' separates them"):
        score_submission(path, dataset if of_dataset else None, truth)
