"""`label-errors`: moved labels are found, and what the file says is right."""

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from competition.config.profile import load_profile
from competition.datasets import load_dataset
from competition.pipeline.context import open_context, open_store
from tests.cli.calling import Called, call, called
from tests.cli.conftest import QUICK

SETTINGS = QUICK[:-2]  # without --jobs
SHARE = 0.05  # of the true labels
INFO = Path("tagging", "GroundTruth", "tagging_info.txt")


def probabilities(data: Path, out: Path) -> np.ndarray:
    return open_store(open_context(data, load_profile("text"), out)).read("stack-mean")[0]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@dataclass(frozen=True)
class Found:
    """Share of moved labels among as many suggestions: in one list, and in a list of each tag."""

    overall: float
    per_tag: float


def moved_among_first(scores: np.ndarray, moved: np.ndarray) -> Found:
    first = np.argsort(-scores.ravel(), kind="stable")[: moved.sum()]
    n_of_tags = 0
    for of_tag, truly in zip(scores.T, moved.T, strict=True):
        n_of_tags += truly[np.argsort(-of_tag, kind="stable")[: truly.sum()]].sum()
    return Found(float(moved.ravel()[first].mean()), float(n_of_tags / moved.sum()))


def move_labels(data: Path, seed: int, *, of_same_tag: bool) -> np.ndarray:
    """Remove 5 % of the true labels, add as many false ones; say which labels that are.

    The false ones are of the same tags, or of any.
    """
    dataset = load_dataset(data)
    rng, labels = np.random.default_rng(seed), dataset.labels.copy()
    ads, tags = np.nonzero(labels)
    taken = rng.choice(len(ads), round(SHARE * len(ads)), replace=False)
    labels[ads[taken], tags[taken]] = 0
    if of_same_tag:
        for tag, n in zip(*np.unique(tags[taken], return_counts=True), strict=True):
            lack = np.flatnonzero(dataset.labels[:, tag] == 0)
            labels[rng.choice(lack, min(n, len(lack)), replace=False), tag] = 1
    else:
        lack, of = np.nonzero(dataset.labels == 0)
        added = rng.choice(len(lack), len(taken), replace=False)
        labels[lack[added], of[added]] = 1
    names = np.array(dataset.tag_names)
    lines = [
        f"{ad}.mp4\t{','.join(names[row == 1])}\n"
        for ad, row in zip(dataset.train_ids, labels, strict=True)
    ]
    (data / INFO).write_text("".join(lines), encoding="utf-8")
    moved = labels != dataset.labels
    assert np.array_equal(load_dataset(data).labels, labels)
    return moved


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clean") / "demo"
    call("demo", folder, "--ads", 400, "--seed", 5, "--no-films")
    return folder


# Measured when the targets were set: where the false labels are of the same tags 0.312 overall and
# 0.338 in each tag's own list, by plain probability 0.284 and 0.323; of any tags 0.373 and 0.385,
# by plain probability 0.379 and 0.388. By chance it would be 0.03.
@pytest.mark.parametrize(
    ("of_same_tag", "overall", "per_tag", "margin"),
    [(True, 0.30, 0.32, 0.02), (False, 0.36, 0.37, -0.02)],
)
def test_moved_labels_are_among_the_first(
    of_same_tag: bool, overall: float, per_tag: float, margin: float, clean: Path, tmp_path: Path
) -> None:
    """A run of 400 ads: with fewer the shares would depend on luck."""
    data, out, to = tmp_path / "demo", tmp_path / "out", tmp_path / "all.csv"
    shutil.copytree(clean, data)
    moved = move_labels(data, 0, of_same_tag=of_same_tag)
    call("run", "--data", data, "--out", out, *QUICK, "--set", 'models=["tfidf_logreg"]')
    call("label-errors", "--data", data, "--out", out, *SETTINGS, "--to", to, "--most", moved.size)
    dataset = load_dataset(data)
    tags = {name: column for column, name in enumerate(dataset.tag_names)}
    ads = {ad: row for row, ad in enumerate(dataset.train_ids)}
    scores = np.full(moved.shape, np.nan)
    for row in rows_of(to):
        scores[ads[row["id"]], tags[row["tag"]]] = -int(row["rank"])
    assert np.isfinite(scores).all()
    p = probabilities(data, out)
    found = moved_among_first(scores, moved)
    plain = moved_among_first(np.where(dataset.labels == 1, 1 - p, p), moved)
    assert found.overall > overall > 10 * moved.mean()
    assert found.per_tag > per_tag
    assert found.overall > plain.overall + margin


def test_file_says_what_is_given_and_what_is_predicted(
    ads: Path, finished: tuple[Path, Called]
) -> None:
    out = finished[0]
    done = call("label-errors", "--data", ads, "--out", out, *SETTINGS, "--most", 30)
    path = out / "oof" / "demo" / "label_errors.csv"
    assert done.line("Written: ") == str(path)
    rows, dataset = rows_of(path), load_dataset(ads)
    path.unlink()
    assert [int(row["rank"]) for row in rows] == list(range(1, 31))
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    p, places = probabilities(ads, out), {ad: n for n, ad in enumerate(dataset.train_ids)}
    for row in rows:
        ad, tag = places[row["id"]], dataset.tag_names.index(row["tag"])
        assert int(row["given"]) == dataset.labels[ad, tag]
        assert row["probability"] == f"{p[ad, tag]:.4f}"
        assert row["dimension"] == dataset.tags[tag].dimension
        for column in ("ocr", "asr"):
            text = str(dataset.ads.loc[row["id"], column])
            assert text.startswith(row[column].removesuffix("…"))
            assert len(row[column]) <= 501
    for row in rows[:20]:
        cells = done.row(row["rank"])
        assert (cells[2], cells[4]) == (row["tag"], row["probability"])
        assert cells[3] == {"0": "missing?", "1": "false?"}[row["given"]]
    assert "│ 21 │" not in done.out
    n_false = sum(row["given"] == "1" for row in rows)
    assert f"{n_false} that may be false, {30 - n_false} that may be missing" in done.out


def test_stack_that_is_absent_or_of_other_labels_is_refused(
    ads: Path, out: Path, tmp_path: Path
) -> None:
    done = called("label-errors", "--data", ads, "--out", tmp_path / "empty", *SETTINGS)
    assert done.status == 2
    assert "holds no stack-mean" in done.err
    data = shutil.copytree(ads, tmp_path / "ads")
    move_labels(data, 0, of_same_tag=True)
    done = called("label-errors", "--data", data, "--out", out, *SETTINGS)
    assert done.status == 2
    assert "was made from other labels" in done.err
    assert not list(out.rglob("label_errors.csv"))


def test_texts_that_a_spreadsheet_would_run_are_texts(table: Path, tmp_path: Path) -> None:
    path = table / "train.csv"
    path.write_text(path.read_text("utf-8").replace("Film ", '=HYPERLINK("x") '), "utf-8")
    settings = ["--data", table, "--out", tmp_path / "out", *SETTINGS]
    call("run", *settings)
    call("label-errors", *settings, "--to", tmp_path / "check.csv")
    rows = rows_of(tmp_path / "check.csv")
    assert len(rows) == 40 * 5
    assert {row["story"][:5] for row in rows} == {"'=HYP"}
    assert min(float(row["score"]) for row in rows) < 0  # a number, not a text
