"""Leaderboard files in the form of the competition's own sample submission."""

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.datasets import load_dataset
from competition.evaluation.metrics import gap
from tests.cli.calling import Called, call, called
from tests.cli.test_elsewhere import N_TEST, N_TRAIN, TAGS, add, content, write_ads, write_files

MEAN = ("--set", "level2.model=mean")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ads with the predictions of one model, which a mean gives back."""
    folder = write_ads(tmp_path_factory.mktemp("like") / "topics")
    add("theirs", folder, *write_files(folder, content()[2]))
    return folder


def ids() -> list[str]:
    """Test ads in an order of the sample's own."""
    return list(np.random.default_rng(3).permutation(content()[0][N_TRAIN:]))


def predicted() -> pd.DataFrame:
    frame = pd.DataFrame(content()[2], columns=TAGS, index=content()[0])
    return frame.loc[ids()].astype(np.float32)


def stack_like(data: Path, sample: Path) -> Called:
    return called("stack", "--data", data, "--out", data / "out", *MEAN, "--like", sample)


def written(data: Path, sample: Path) -> bytes:
    done = stack_like(data, sample)
    assert done.status == 0, done.err
    return Path(done.line("Submission: ")).read_bytes()


def text_of(rows: list[list[object]], delimiter: str = ",", newline: str = "\n") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=newline).writerows(rows)
    return text.getvalue()


@pytest.mark.parametrize(
    ("delimiter", "newline", "start"), [(",", "\n", b""), (";", "\r\n", b"\xef\xbb\xbf")]
)
def test_wide_file_is_the_sample_but_for_its_numbers(
    data: Path, tmp_path: Path, delimiter: str, newline: str, start: bytes
) -> None:
    header = ["image_id", *reversed(TAGS)]
    sample = tmp_path / "sample.csv"
    zeros = [[ad, *[0] * len(TAGS)] for ad in ids()]
    sample.write_bytes(start + text_of([header, *zeros], delimiter, newline).encode())
    content = written(data, sample)
    numbers = predicted()[header[1:]].to_numpy(np.float64)
    rows = [[ad, *map(repr, row)] for ad, row in zip(ids(), numbers.tolist(), strict=True)]
    expected = start + text_of([header, *rows], delimiter, newline).encode()
    assert content.splitlines()[0] == expected.splitlines()[0]
    names = [line.split(delimiter.encode())[0] for line in content.splitlines()]
    assert names == [line.split(delimiter.encode())[0] for line in expected.splitlines()]
    found = pd.read_csv(io.BytesIO(content), sep=delimiter, index_col="image_id")
    np.testing.assert_allclose(found, numbers, atol=1e-6)
    assert content.count(newline.encode()) == N_TEST + 1


@pytest.mark.parametrize("ending", ["gz", "zip"])
def test_packed_sample_is_read(data: Path, tmp_path: Path, ending: str) -> None:
    text = text_of([["id", *TAGS], *[[ad, *[0] * len(TAGS)] for ad in ids()]])
    plain, packed = tmp_path / "sample.csv", tmp_path / f"sample.csv.{ending}"
    plain.write_text(text)
    pd.read_csv(plain).to_csv(packed, index=False)  # packed by its ending
    assert written(data, packed) == written(data, plain)
    packed.write_bytes(packed.read_bytes()[:-30])
    done = stack_like(data, packed)
    assert done.status == 2
    assert str(packed) in done.err


def test_blanks_around_ids_stay_as_they_are(data: Path, tmp_path: Path) -> None:
    sample = tmp_path / "sample.csv"
    sample.write_text(text_of([["id", *TAGS], *[[f" {ad} ", *[0] * len(TAGS)] for ad in ids()]]))
    found = pd.read_csv(io.BytesIO(written(data, sample)), index_col="id")
    assert list(found.index) == [f" {ad} " for ad in ids()]
    np.testing.assert_allclose(found, predicted()[TAGS], atol=1e-6)


def test_column_that_is_no_tag_gets_zeros_and_a_remark(data: Path, tmp_path: Path) -> None:
    sample = tmp_path / "sample.csv"
    sample.write_text(text_of([["id", "rain", *TAGS], *[[ad, *[0] * 6] for ad in ids()]]))
    done = stack_like(data, sample)
    assert "no tags of the dataset (rain)" in " ".join(done.out.split())
    found = pd.read_csv(done.line("Submission: "))
    assert list(found.columns) == ["id", "rain", *TAGS]
    assert (found["rain"] == 0).all()


@pytest.mark.parametrize("separator", [" ", "|", ", "])
def test_long_file_lists_as_many_tags_as_the_sample(
    data: Path, tmp_path: Path, separator: str
) -> None:
    sample = tmp_path / "sample.tsv"
    cells = [[ad, separator.join(TAGS[:2])] for ad in ids()]
    sample.write_text(text_of([["ImageId", "Labels"], *cells], "\t"))
    lines = written(data, sample).decode().splitlines()
    assert lines[0] == "ImageId\tLabels"
    assert [line.split("\t")[0] for line in lines[1:]] == ids()
    for line, (_, row) in zip(lines[1:], predicted().iterrows(), strict=True):
        best = row.sort_values(ascending=False).index[:2]
        assert line.split("\t")[1] == separator.join(best)


def test_json_file_has_the_videos_and_the_number_of_labels_of_the_sample(
    data: Path, tmp_path: Path
) -> None:
    sample = tmp_path / "sample.json"
    entry = {"result": [{"labels": TAGS[:3], "scores": ["0.9", "0.8", "0.7"]}]}
    sample.write_text(json.dumps({f"{ad}.mp4": entry for ad in ids()}))
    found = json.loads(written(data, sample))
    assert list(found) == [f"{ad}.mp4" for ad in ids()]
    for one, (_, row) in zip(found.values(), predicted().iterrows(), strict=True):
        best = row.sort_values(ascending=False)[:3]
        (result,) = one["result"]
        assert result["labels"] == list(best.index)
        assert all(isinstance(score, str) for score in result["scores"])
        assert [float(score) for score in result["scores"]] == pytest.approx(list(best), abs=1e-6)


ZEROS = [0] * len(TAGS)
FAULTS = {
    "missing ad": ([["id", *TAGS], *[[ad, *ZEROS] for ad in ids()[1:]]], "lacks 1 ad(s) ("),
    "another ad": ([["id", *TAGS], *[[ad, *ZEROS] for ad in [*ids(), "x1"]]], "1 ad(s) (x1)"),
    "ad twice": ([["id", *TAGS], *[[ad, *ZEROS] for ad in [*ids(), ids()[0]]]], "names twice 1"),
    "missing tag": (
        [["id", *TAGS[1:], "see"], *[[ad, *ZEROS] for ad in ids()]],
        "no column for 1 tag(s) of the dataset (sea). Did you mean 'see'",
    ),
    "no tag": ([["id", "a", "b"], *[[ad, 0, 0] for ad in ids()]], "none is a tag of the dataset"),
    "no example": ([["id", "tags"], *[[ad, ""] for ad in ids()]], "Fill in tags"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_sample_that_does_not_fit_is_refused_in_one_sentence(
    data: Path, tmp_path: Path, fault: str
) -> None:
    rows, message = FAULTS[fault]
    sample = tmp_path / "sample.csv"
    sample.write_text(text_of(rows))
    done = stack_like(data, sample)
    assert done.status == 2
    assert message in done.err
    assert "Traceback" not in done.err


def test_run_refuses_it_before_anything_is_trained(ads: Path, tmp_path: Path) -> None:
    sample = tmp_path / "sample.csv"
    sample.write_text("id,tags\nx,y\n")
    done = called("run", "--data", ads, "--out", tmp_path, "--profile", "text", "--like", sample)
    assert done.status == 2
    assert not (tmp_path / "oof").exists()


def test_ads_held_out_are_no_rows_of_the_submission(shared_table: Path, tmp_path: Path) -> None:
    dataset = load_dataset(shared_table)
    order = list(reversed(dataset.test_ids))
    sample = tmp_path / "sample.csv"
    zeros = [[ad, *[0] * len(dataset.tags)] for ad in order]
    sample.write_text(text_of([["id", *dataset.tag_names], *zeros]))
    settings = ("--set", 'models=["tfidf_logreg"]', "--set", "folds.n=3", *MEAN)
    paths = ("--data", shared_table, "--out", tmp_path / "out", "--profile", "text")
    done = call("run", *paths, "--jobs", 1, *settings, "--holdout", 0.2, "--like", sample)
    found = pd.read_csv(done.line("Submission: "), index_col="id")
    assert list(found.index) == order
    store = tmp_path / "out" / "oof" / "films-holdout-0.2" / "stack-mean" / "test.parquet"
    stored = pd.read_parquet(store).set_index("id")
    assert len(stored) > len(order)  # with those held out
    np.testing.assert_allclose(found, stored.loc[order, list(found.columns)], atol=1e-6)


def test_one_tag_of_several_words_for_each_ad_stays_one_tag(tmp_path: Path) -> None:
    folder = write_ads(tmp_path / "topics")
    two = {"sea": "open sea", "city": "old city"}
    for file in ("train.csv", "label_id.txt"):
        text = (folder / file).read_text()
        for old, new in two.items():
            text = text.replace(old, new)
        (folder / file).write_text(text)
    frame = pd.DataFrame(content()[2], columns=[two.get(t, t) for t in TAGS], index=content()[0])
    frame.iloc[:N_TRAIN].to_csv(folder / "oof.csv", index_label="id")
    frame.iloc[N_TRAIN:].to_csv(folder / "test_oof.csv", index_label="id")
    add("theirs", folder, "--oof", folder / "oof.csv", "--test", folder / "test_oof.csv")
    sample = tmp_path / "sample.csv"
    sample.write_text(text_of([["id", "tags"], *[[ad, "open sea"] for ad in ids()]]))
    found = pd.read_csv(io.BytesIO(written(folder, sample)), index_col="id")["tags"]
    pd.testing.assert_series_equal(
        found, frame.loc[ids()].astype(np.float32).idxmax(axis=1), check_names=False
    )


SCORED = {
    "semicolons": (["id", *TAGS], ";"),
    "ids last": ([*TAGS, "id"], ","),
    "a column that is no tag": (["id", "rain", *TAGS], ","),
    "tabs": (["id", *reversed(TAGS)], "\t"),
}


@pytest.mark.parametrize("form", SCORED)
def test_what_it_writes_can_be_scored(data: Path, tmp_path: Path, form: str) -> None:
    every, labels, _ = content()
    truth = tmp_path / "truth.csv"
    tags = ["|".join(np.array(TAGS)[row == 1]) for row in labels[N_TRAIN:]]
    pd.DataFrame({"id": every[N_TRAIN:], "topics": tags}).to_csv(truth, index=False)
    header, delimiter = SCORED[form]
    sample = tmp_path / "sample.csv"
    rows = [[ad if name == "id" else 0 for name in header] for ad in ids()]
    sample.write_text(text_of([header, *rows], delimiter))
    submission = Path(stack_like(data, sample).line("Submission: "))
    done = call("score", submission, "--data", data, "--truth", truth)
    right = gap(labels[N_TRAIN:], content()[2][N_TRAIN:])
    assert f"{right:.4f}" in done.out
    frame = pd.read_csv(truth, keep_default_na=False)
    frame["topics"] = frame["topics"].str.replace("|", ",")
    frame.to_csv(truth, index=False)
    done = called("score", submission, "--data", data, "--truth", truth)
    assert done.status == 2


def test_a_list_of_tags_without_scores_cannot_be_scored(data: Path, tmp_path: Path) -> None:
    sample = tmp_path / "sample.csv"
    sample.write_text(text_of([["id", "tags"], *[[ad, "sea|city"] for ad in ids()]]))
    submission = Path(stack_like(data, sample).line("Submission: "))
    truth = tmp_path / "truth.csv"
    truth.write_text("\n".join(["id,topics", *[f"{ad},sea" for ad in ids()]]))
    done = called("score", submission, "--data", data, "--truth", truth)
    assert done.status == 2
    assert "it has no scores, which a GAP needs" in " ".join(done.err.split())


def test_a_pipe_is_refused(data: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "sample.csv")
    done = stack_like(data, tmp_path / "sample.csv")
    assert done.status == 2
    assert "is a folder, a device or a pipe" in " ".join(done.err.split())
