"""The page's numbers against the store, and when it is written."""

import re
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from competition import AdDataset, add_oof, load_dataset, load_stack_settings, stack
from competition.oof.cards import read_card
from competition.report import shown
from competition.report.page import write_page
from tests.cli.calling import call, called
from tests.report.conftest import QUICK
from tests.report.made_ads import TAGS, write_hostile_ads

LARGEST = 15_000_000  # bytes


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def rows(html: str, table: str) -> dict[str, list[str]]:
    """Cells of a table's rows, as text, by the first one."""
    body = re.search(rf'id="{table}".*?<tbody>(.*?)</tbody>', html, re.DOTALL)
    assert body is not None
    found = {}
    for row in re.findall(r"<tr.*?</tr>", body[1], re.DOTALL):
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        texts = [unescape(re.sub(r"<(?!i>|/i>).*?>", " ", cell)).strip() for cell in cells]
        name = re.sub(r"<small>.*", "", cells[0])
        found[unescape(name)] = texts
    return found


def test_run_ends_with_the_path_of_the_page(
    hostile: tuple[Path, Path, str], page_file: Path
) -> None:
    assert hostile[2].splitlines()[-1] == f"Report: {page_file}"
    assert page_file.stat().st_size < LARGEST


def test_leaderboard_has_the_scores_of_the_cards(
    hostile: tuple[Path, Path, str], page_file: Path
) -> None:
    found = rows(read(page_file), "models")
    for path in (hostile[1] / "oof" / "hostile").glob("*/card.json"):
        card = read_card(path)
        cells = found[card.model]
        assert cells[1] == f"{card.scores.gap:.4f}"
        assert cells[3:8] == [
            f"{value:.4f}"
            for value in (
                card.scores.gap_folds,
                card.scores.map,
                card.scores.f1_c,
                card.scores.f1_o,
                card.scores.accuracy,
            )
        ]


def test_tags_have_the_precision_that_scikit_learn_finds(
    hostile: tuple[Path, Path, str], page_file: Path
) -> None:
    ads, out, _ = hostile
    dataset = load_dataset(ads)
    found = rows(read(page_file), "tag-table")
    oof = pd.read_parquet(out / "oof" / "hostile" / "stack-selection" / "oof.parquet")
    probabilities = oof.set_index("id").loc[dataset.train_ids]
    assert set(found) == set(TAGS)
    for place, tag in enumerate(dataset.tag_names):
        labels = dataset.labels[:, place]
        expected = average_precision_score(labels, probabilities[tag])
        assert found[tag][2] == str(labels.sum())
        assert float(found[tag][3]) == pytest.approx(expected, abs=5e-4)


def test_metadata_are_shown_as_they_were_written(
    hostile: tuple[Path, Path, str], page_file: Path, tmp_path: Path
) -> None:
    ads, out, _ = hostile
    html = read(page_file)
    article = html[html.index(">ad03</h3>") :]
    found = dict(re.findall("<dt[^>]*>(.*?)</dt><dd[^>]*>(.*?)</dd>", article)[:3])
    written = {"length": "3", "budget": "237000003", "released": "2021-03-04"}
    assert found == written
    settings = ("--data", ads, "--out", out, *QUICK[:-2])
    printed = call("show", "ad03", *settings).line("metadata: ")
    assert all(f"{name} {value}" in printed for name, value in written.items()), printed
    to = tmp_path / "check.csv"
    call("label-errors", *settings, "--to", to, "--most", 10_000)
    listed = pd.read_csv(to, dtype=str).set_index("id").loc["ad03"].iloc[0]
    assert {name: listed[name] for name in written} == written


def test_offsets_that_the_stack_removes_are_those_of_its_models(tmp_path: Path) -> None:
    ads = write_hostile_ads(tmp_path / "ads", n=40, n_test=30)
    of_one = ("--set", "level2.model=pooled", "--jobs", 1)
    call("run", "--data", ads, "--out", tmp_path, *QUICK[:4], *of_one)
    folder = tmp_path / "oof" / "hostile"
    spread = {
        name: np.ptp(read_card(folder / name / "card.json").fold_offsets)
        for name in ("stack-pooled", "tfidf_nblogreg", "tfidf_logreg")
    }
    assert spread["stack-pooled"] > 0.3 > spread["tfidf_logreg"]
    said = f"The stack removes those of tfidf_nblogreg ({spread['tfidf_nblogreg']:.2f})."
    assert said in read(folder / "report" / "index.html")


def test_an_unchanged_run_leaves_the_page_and_another_stack_writes_it(tmp_path: Path) -> None:
    ads = write_hostile_ads(tmp_path / "ads", n=40)
    command = ("run", "--data", ads, "--out", tmp_path, *QUICK)
    call(*command)
    page = tmp_path / "oof" / "hostile" / "report" / "index.html"
    first = page.stat().st_mtime_ns
    call(*command)
    assert page.stat().st_mtime_ns == first
    call("stack", "--data", ads, "--out", tmp_path, "--set", "level2.model=mean")
    assert page.stat().st_mtime_ns > first
    assert rows(read(page), "models")["stack-mean"]
    assert "Profile</th><td>text" in read(page)  # what the run told stays


def test_two_runs_are_compared(hostile: tuple[Path, Path, str], tmp_path: Path) -> None:
    ads, other, _ = hostile
    call(
        *("run", "--data", ads, "--out", tmp_path, *QUICK),
        *("--set", "level1.tfidf_logreg.C=0.01"),
    )
    call("report", "--data", ads, "--out", tmp_path, "--against", other)
    html = read(tmp_path / "oof" / "hostile" / "report" / "index.html")
    section = html[html.index('id="comparison"') :]
    names = ("tfidf_logreg", "stack-selection")
    for name in names:
        gaps = [
            read_card(out / "oof" / "hostile" / name / "card.json").scores.gap
            for out in (other, tmp_path)
        ]
        cells = "".join(f'<td class="n">{gap:.4f}</td>' for gap in gaps)
        assert f"{name}</th>{cells}" in section
    assert "level1.tfidf_logreg.C" in section
    assert ">None<" not in section  # a setting that is not set
    assert "Better now" in section
    assert "by stack-selection of the other run and stack-selection of this one" in section


def test_a_stack_of_models_that_were_made_anew_is_not_compared(
    hostile: tuple[Path, Path, str], tmp_path: Path
) -> None:
    ads, other, _ = hostile
    command = ("run", "--data", ads, "--out", tmp_path, *QUICK[:4], "--jobs", 1)
    call(*command, "--set", "level2.model=mean")
    call(*command, "--set", "level2.model=rank_mean", "--set", "level1.tfidf_logreg.C=0.01")
    call("report", "--data", ads, "--out", tmp_path, "--against", other)
    html = read(tmp_path / "oof" / "hostile" / "report" / "index.html")
    section = html[html.index('id="comparison"') :]
    assert "stack-rank_mean</th>" in section
    assert "stack-mean</th>" not in section
    assert "by stack-selection of the other run and stack-rank_mean of this one" in section


def test_a_folder_without_a_stack_is_nothing_to_compare_with(
    hostile: tuple[Path, Path, str], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    failed = called(
        "report", "--data", hostile[0], "--out", hostile[1], "--against", tmp_path / "empty"
    )
    assert failed.status == 2
    assert "no finished stack" in failed.err
    assert not (tmp_path / "empty" / "oof").exists()


def test_more_ads_than_500_have_their_pictures_beside_the_page(
    hostile: tuple[Path, Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("competition.report.contents.MOST_INSIDE", 20)
    ads, out, _ = hostile
    page = out / "oof" / "hostile" / "report"
    before = read(page / "index.html")
    try:
        call("report", "--data", ads, "--out", out, "--ads", 60)
        assert len(list((page / "pictures").iterdir())) == 1
        assert 'src="pictures/' in read(page / "index.html")
        call("report", "--data", ads, "--out", out, "--ads", 20)
        assert not (page / "pictures").exists()
    finally:
        (page / "index.html").write_text(before, encoding="utf-8")


def stored_page(dataset: AdDataset, out: Path, *, signal: float = 0.7, digits: int = 6) -> str:
    """Page of a stack of two models whose predictions were made elsewhere."""
    rng = np.random.default_rng(1)
    for name in ("one", "two"):
        p = signal * dataset.labels + 0.3 * rng.random(dataset.labels.shape)
        frame = pd.DataFrame(p.round(digits), columns=dataset.tag_names)
        frame.insert(0, "id", dataset.train_ids)
        frame.to_parquet(out / f"{name}.parquet")
        add_oof(name, dataset, out / f"{name}.parquet", None, out)
    stack(dataset, load_stack_settings(["level2.model=mean"]), out, n_jobs=1)
    page = write_page(dataset, out, n_jobs=1)
    assert page.stat().st_size < LARGEST
    return read(page)


def made(n_ads: int, n_tags: int) -> AdDataset:
    """Ads of texts alone, without test ads."""
    names = [f"tag {place}" for place in range(n_tags)]
    most = max(2, n_tags // n_ads + 1)
    of_ad = [[names[(n * most + k) % n_tags] for k in range(most)] for n in range(n_ads)]
    frame = pd.DataFrame(
        {"text": [f"text {n}" for n in range(n_ads)], "topics": of_ad},
        index=[f"ad{n}" for n in range(n_ads)],
    )
    return AdDataset.from_frames(
        frame,
        tags=[{"column": "topics", "dimension": "topic"}],
        inputs={"text": {"kind": "text", "column": "text"}},
        name="made",
    )


@pytest.mark.parametrize(
    ("n_ads", "n_tags"), [(60, 1), pytest.param(200, 2000, marks=pytest.mark.slow)]
)
def test_one_tag_and_two_thousand_have_a_page(n_ads: int, n_tags: int, tmp_path: Path) -> None:
    html = stored_page(made(n_ads, n_tags), tmp_path)
    assert len(rows(html, "tag-table")) == n_tags
    assert "there are no test ads" in html


def test_of_many_ads_some_are_measured_and_the_page_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown, "MEASURED", 40)
    html = stored_page(made(90, 5), tmp_path)
    assert "Of 90 training ads, 40 drawn by lot are measured" in html
    assert "40 of 90 training ads (40 drawn by lot were looked at)" in html


def test_a_rank_that_is_told_is_the_one_in_the_list(tmp_path: Path) -> None:
    html = stored_page(
        made(40, 30), tmp_path, signal=0.1, digits=1
    )  # many tags are equally probable
    told = 0
    for article in html.split("<article")[1:]:
        listed = re.findall(r'class="rank">(\d+)</span><bdi>(.*?)</bdi>', article)
        for tag, rank in re.findall(r'<b dir="auto">(.*?)</b> is true, ranked (\d+)', article):
            assert (rank, tag) in listed
            told += 1
    assert told > 10


def test_a_folder_without_results_has_a_page_that_says_so(tmp_path: Path) -> None:
    page = write_page(made(20, 3), tmp_path, n_jobs=1)
    assert "No stack is stored yet" in read(page)
    ads = write_hostile_ads(tmp_path / "ads", n=10)
    assert "holds no finished stack" in call("report", "--data", ads, "--out", tmp_path).out


def test_the_ledger_is_drawn_against_the_leaderboard(tmp_path: Path) -> None:
    ads = write_hostile_ads(tmp_path / "ads", n=40)
    call("run", "--data", ads, "--out", tmp_path, *QUICK)
    call("stack", "--data", ads, "--out", tmp_path, "--set", "level2.model=rank_mean")
    page = tmp_path / "oof" / "hostile" / "report" / "index.html"
    assert 'aria-label="leaderboard against OOF GAP"' not in read(page)
    files = sorted((tmp_path / "submissions").glob("hostile-*[0-9].csv"))
    assert len(files) == 2
    for place, file in enumerate(files):
        call("ledger", "add", file, "--score", 0.5 + place / 10)
    call("report", "--data", ads, "--out", tmp_path)
    drawn = re.search('aria-label="leaderboard against OOF GAP".*?</svg>', read(page))
    assert drawn is not None
    assert drawn[0].count("<circle") == 2
    assert "leaderboard 0.6000" in drawn[0]


def test_best_model_has_its_own_score_where_a_meta_learner_has_its_name(tmp_path: Path) -> None:
    ads, out = tmp_path / "ads", tmp_path / "out"
    call("demo", ads, "--ads", 60, "--seed", 1, "--no-films")
    settings = ['models=["xgboost", "lightgbm"]', "level1.xgboost.n_estimators=30", "folds.n=3"]
    settings += ["level1.lightgbm.n_estimators=2", 'level2.model=["mean", "xgboost"]']
    words = [word for one in settings for word in ("--set", one)]
    call("run", "--data", ads, "--out", out, "--jobs", 1, *words)
    own = read_card(out / "oof" / "demo" / "xgboost" / "card.json").scores.gap
    other = read_card(out / "oof" / "demo" / "stack-selection" / "card.json").candidates["xgboost"]
    assert f"{own:.4f}" != f"{other:.4f}"
    html = read(out / "oof" / "demo" / "report" / "index.html")
    assert f"best xgboost, GAP {own:.4f}" in html
