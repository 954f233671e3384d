"""The page where files are damaged, odd or shared: it is written, or one message says why not."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition import AdDataset, add_oof, load_stack_settings, stack
from competition.pipeline.record import read_record
from competition.report import page as page_module
from competition.report import shown
from competition.report.page import write_page
from tests.cli.calling import Called, called
from tests.report.conftest import QUICK

RECORD = "oof/hostile/run.json"
ABLATION = "oof/hostile/ablation/ablation.csv"
LEDGER = "submissions/ledger.csv"
HEADER = "file,when,profile,oof_gap,leaderboard,digest\n"


@pytest.fixture
def out(hostile: tuple[Path, Path, str], tmp_path: Path) -> Path:
    """A copy of a finished run."""
    return shutil.copytree(hostile[1], tmp_path / "out")


def place(path: Path, content: str | bytes | None) -> None:
    """Put a file in the place of what lies there; a folder if there is no content."""
    if path.is_file():
        path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def report(hostile: tuple[Path, Path, str], out: Path, *more: object) -> Called:
    return called("report", "--data", hostile[0], "--out", out, "--jobs", 1, *more)


def contents_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read(out: Path) -> str:
    return (out / "oof/hostile/report/index.html").read_text("utf-8")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', b"\xff\xfe\x00", None])
def test_damaged_record_is_remarked_and_the_page_does_without(
    hostile: tuple[Path, Path, str], out: Path, content: str | bytes | None
) -> None:
    place(out / RECORD, content)
    done = report(hostile, out)
    assert done.status == 0, done.err
    assert "The page shows no submission and no times: " in done.out
    assert "run.json" in done.out
    assert "submission</span><small>none is known" in read(out)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "nothing\n",
        b"\xff\xff",
        f"{HEADER}hostile-mean-0.5000.csv,now,text,inf,0.5,d\n",
        f"{HEADER}hostile-mean-0.5000.csv,now,text,0.5,nan,d\n",
        f"{HEADER}hostile-mean-0.5000.csv,now,text,0.5\n",
    ],
)
def test_damaged_ledger_is_named_on_the_page(
    hostile: tuple[Path, Path, str], out: Path, content: str | bytes
) -> None:
    place(out / LEDGER, content)
    done = report(hostile, out)
    assert done.status == 0, done.err
    assert "ledger.csv cannot be read: " in read(out)


def test_leaderboard_on_any_scale_is_drawn(hostile: tuple[Path, Path, str], out: Path) -> None:
    rows = [
        f"hostile-a-0.500{place}.csv,now,text,0.5,{score},d{place}\n"
        for place, score in enumerate(("81.5", "1e308", "-1e308", "0"))
    ]
    place(out / LEDGER, HEADER + "".join(rows))
    assert report(hostile, out).status == 0
    assert "1e+308" not in read(out)
    assert not re.search('="-?(inf|nan)"', read(out))
    place(out / LEDGER, HEADER + rows[0] + rows[3])
    assert report(hostile, out).status == 0
    assert "leaderboard 81.5000" in read(out)


def test_submissions_of_a_dataset_whose_name_begins_alike_are_not_listed(
    hostile: tuple[Path, Path, str], out: Path
) -> None:
    own = "hostile-rank_mean-0.5000.csv"
    other = "hostile-2-rank_mean-0.6000.csv"
    place(out / LEDGER, HEADER + "".join(f"{name},now,text,0.5,,d\n" for name in (own, other)))
    assert report(hostile, out).status == 0
    assert own in read(out)
    assert other not in read(out)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\0",
        "table,row\nfusion,x\n",
        b"\xff\xff",
        "table,row,models,accuracy,gap,difference,low,high,note\nfusion,x,a,high,,,,,\n",
        None,
    ],
)
def test_damaged_ablation_is_one_message(
    hostile: tuple[Path, Path, str], out: Path, content: str | bytes | None
) -> None:
    place(out / ABLATION, content)
    done = report(hostile, out)
    if content is None:
        assert done.status == 0  # a folder is no table
        return
    assert done.status == 2
    assert "ablation.csv is damaged (" in done.err
    assert "`python -m competition ablate` writes it anew" in done.err


def test_damaged_benchmark_is_one_message(hostile: tuple[Path, Path, str], out: Path) -> None:
    for name in ("table1", "table2", "figure3", "sweeps"):
        place(out / "benchmarks/image-ads/hostile" / f"{name}.csv", "method\nx\n")
    done = report(hostile, out)
    assert done.status == 2
    assert "image-ads/hostile is damaged (" in done.err.replace("\n", "")


def test_file_in_the_place_of_the_reports_folder_is_one_message(
    hostile: tuple[Path, Path, str], out: Path
) -> None:
    shutil.rmtree(out / "oof/hostile/report")
    place(out / "oof/hostile/report", "mine")
    done = report(hostile, out)
    assert done.status == 2
    assert "is a file where a folder is needed" in done.err
    assert (out / "oof/hostile/report").read_text() == "mine"


@pytest.mark.parametrize(
    "command", [("run", *QUICK), ("stack", "--set", "level2.model=rank_mean")], ids=["run", "stack"]
)
def test_work_is_done_although_its_page_cannot_be_written(
    hostile: tuple[Path, Path, str], out: Path, command: tuple[object, ...]
) -> None:
    shutil.rmtree(out / "oof/hostile/report")
    place(out / "oof/hostile/report", "mine")
    done = called(*command, "--data", hostile[0], "--out", out)
    assert done.status == 0, done.err
    assert "The page was not written: " in done.out
    assert "is a file where a folder is needed" in done.out
    assert read_record(out / RECORD).command == command[0]


@pytest.mark.parametrize("kind", ["absent", "file", "empty", "other ads", "damaged"])
def test_nothing_to_compare_with_is_one_message_and_the_page_stays(
    hostile: tuple[Path, Path, str], out: Path, tmp_path: Path, kind: str
) -> None:
    other = tmp_path / "other"
    if kind == "file":
        place(other, "no folder")
    elif kind == "empty":
        other.mkdir()
    elif kind != "absent":
        shutil.copytree(hostile[1], other)
    if kind == "other ads":
        folds = other / "oof/hostile/folds.csv"
        place(folds, folds.read_text("utf-8").replace("ad01,", "someone,"))
    elif kind == "damaged":
        place(other / "oof/hostile/stack-selection/oof.parquet", "torn")
    before, theirs = read(out), contents_of(other)
    done = report(hostile, out, "--against", other)
    assert done.status == 2, kind
    assert contents_of(other) == theirs
    assert done.err.strip()
    assert "Traceback" not in done.err
    assert str(other) in done.err.replace("\n", "")
    assert read(out) == before


def test_two_reports_at_once_both_end_well(hostile: tuple[Path, Path, str], out: Path) -> None:
    code = (
        "import competition.report.contents as c; c.MOST_INSIDE = 5;"
        "from competition.report.page import write_page; import sys;"
        "[write_page(sys.argv[1], sys.argv[2], n_ads=60, always=True, n_jobs=1) for _ in range(3)]"
    )
    command = [sys.executable, "-c", code, str(hostile[0]), str(out)]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate()[1] for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    folder = out / "oof/hostile/report"
    assert (folder / "pictures").is_dir()
    assert not list(folder.glob(".*.tmp"))


def stored(dataset: AdDataset, out: Path, labels: np.ndarray) -> str:
    """The page of a stack of two models whose predictions were made elsewhere."""
    rng = np.random.default_rng(1)
    for name in ("one", "two"):
        frame = pd.DataFrame(rng.random(labels.shape) * 0.5, columns=dataset.tag_names)
        frame.insert(0, "id", dataset.train_ids)
        frame.to_parquet(out / f"{name}.parquet")
        add_oof(name, dataset, out / f"{name}.parquet", None, out)
    stack(dataset, load_stack_settings(["level2.model=mean"]), out, n_jobs=1)
    return write_page(dataset, out, n_jobs=1).read_text("utf-8")


def rare(n_ads: int, n_true: int, metadata: int = 0) -> AdDataset:
    """Ads of one tag, which the last `n_true` carry, and a second one that one ad carries."""
    topics = [[] for _ in range(n_ads - n_true)] + [["rare"] for _ in range(n_true)]
    topics[-1] = ["rare", "rarest"]
    columns = {f"fact <{place}>": np.arange(n_ads) for place in range(metadata)}
    frame = pd.DataFrame(
        {"text": [f"text {n}" for n in range(n_ads)], "topics": topics, **columns},
        index=[f"ad{n}" for n in range(n_ads)],
    )
    inputs = {"text": {"kind": "text", "column": "text"}}
    if metadata:
        inputs["facts"] = {"kind": "metadata", "columns": list(columns)}  # type: ignore[dict-item]
    return AdDataset.from_frames(
        frame, tags=[{"column": "topics", "dimension": "topic"}], inputs=inputs, name="rare"
    )


@pytest.mark.parametrize("measured", [1000, 20])
def test_tags_that_hardly_any_ad_has_have_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measured: int
) -> None:
    monkeypatch.setattr(shown, "MEASURED", measured)
    dataset = rare(200, 5)
    html = stored(dataset, tmp_path, dataset.labels)
    assert "rarest" in html


def test_page_that_would_be_too_large_shows_fewer_ads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = rare(120, 60, metadata=100)
    html = stored(dataset, tmp_path, dataset.labels)
    assert html.count('<article class="ad"') == 120
    assert "and 40 more</p>" in html
    monkeypatch.setattr(page_module, "LARGEST", 300_000)
    smaller = write_page(dataset, tmp_path, always=True, n_jobs=1).read_text("utf-8")
    assert len(smaller.encode()) < 300_000
    shown_ads = smaller.count('<article class="ad"')
    assert 1 <= shown_ads < 120
    assert f"the first of each order below in turn, until there are {shown_ads}" in smaller
