"""The ablation and the image benchmark on the page: the numbers of the files that they write."""

import re
from html import unescape
from pathlib import Path

import pandas as pd
import pytest

from competition.report.stored_tables import METRICS, TITLES
from competition.reproductions.look_read_feel import methods
from tests.cli.calling import call
from tests.conftest import write_table
from tests.made_pitt import write_pitt

STACKING = [
    *("--set", 'models=["tfidf_logreg", "tfidf_nblogreg"]', "--set", "folds.n=3"),
    *("--set", 'level2.model=["mean", "single"]', "--jobs", 1),
]
RIVALS = [
    part
    for setting in ("epochs=1", "networks=1", "device=cpu")
    for part in ("--set", f"level1.fusion.{setting}")
]
SMALL = [
    part
    for setting in (
        *("hmam.dim=8", "hmam.hidden=8", "hmam.epochs=2"),
        *("c2ae_features.hidden=16", "c2ae_features.epochs=2"),
        *("mlgcn_features.hidden=8", "mlgcn_features.epochs=2"),
    )
    for part in ("--set", f"level1.{setting}")
]


def section(page: Path, name: str) -> str:
    found = re.search(rf'<section id="{name}".*?</section>', page.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return found[0]


def texts(html: str) -> list[str]:
    """Text of every cell of a row."""
    cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", html, re.DOTALL)
    return [unescape(re.sub(r"<.*?>", "", cell, flags=re.DOTALL)).strip() for cell in cells]


def body_rows(html: str) -> list[list[str]]:
    body = re.search("<tbody>(.*?)</tbody>", html, re.DOTALL)
    assert body is not None
    return [texts(row) for row in re.findall("<tr>(.*?)</tr>", body[1], re.DOTALL)]


def signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")


def test_ablation_tables_have_the_numbers_of_the_file(tmp_path: Path) -> None:
    given = ["--data", write_table(tmp_path / "films"), "--out", tmp_path, *STACKING]
    call("run", *given)
    done = call("ablate", *given, *RIVALS)
    page = Path(done.line("Report: "))
    html = section(page, "ablation")
    stored = pd.read_csv(tmp_path / "oof/films/ablation/ablation.csv", keep_default_na=False)
    tables = html.split("<h3>")[1:]
    assert [unescape(table.split("</h3>")[0]) for table in tables] == [
        TITLES[name] for name in stored["table"].unique()
    ]
    for table, (_, rows) in zip(tables, stored.groupby("table", sort=False), strict=True):
        assert [[*row[:4], row[5]] for row in body_rows(table)] == [
            [
                row["row"],
                f"{row['accuracy']:.4f}",
                f"{row['gap']:.4f}",
                signed(row["difference"], 4),
                row["note"],
            ]
            for row in rows.to_dict("records")
        ]
        drawn = re.findall('aria-label="95 % interval: (.*?) to (.*?)"', table)
        assert drawn == [
            (signed(low, 4), signed(high, 4))
            for low, high in zip(rows["low"], rows["high"], strict=True)
        ]
    assert 'href="#ablation"' in page.read_text("utf-8")


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory, tiny_resnet: Path) -> tuple[Path, Path]:
    """The page of a small benchmark, and the folder of its files."""
    folder = tmp_path_factory.mktemp("benchmark")
    data = write_pitt(folder / "pitt", 60)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "SWEEPS", {"dropout": (0.0, 0.5)})
        done = call(
            *("benchmark", "image-ads", "--data", data, "--out", folder, "--jobs", 1),
            *("--device", "cpu", "--set", f"features.look.checkpoint={tiny_resnet}", *SMALL),
        )
    return Path(done.line("Report: ")), Path(done.line("Tables and plots: "))


@pytest.mark.parametrize(
    ("title", "file", "form"), [("Table 1", "table1", ".3f"), ("Table 2", "table2", "+.2f")]
)
def test_benchmark_tables_have_ours_and_the_papers_figures(
    benchmark: tuple[Path, Path], title: str, file: str, form: str
) -> None:
    page, folder = benchmark
    table = section(page, "benchmark").split(f'aria-label="{title}"')[1]
    found = {row[0]: row[1:-1] for row in body_rows(table)}
    stored = pd.read_csv(folder / f"{file}.csv")
    assert list(found) == list(stored["method"].unique())
    with_ours = with_paper = 0
    for method, rows in stored.groupby("method", sort=False):
        expected = []
        for row in rows.to_dict("records"):
            for metric in METRICS:
                ours, paper = row[metric], row.get(f"paper_{metric}")
                words = "–" if pd.isna(ours) else f"{ours:{form}}"
                if paper is not None and not pd.isna(paper):
                    words += f" ({paper:{form}})"
                    with_paper += 1
                with_ours += not pd.isna(ours)
                expected.append(words)
        assert found[str(method)] == expected
    assert with_ours
    assert with_paper


def test_benchmark_says_what_was_not_run_and_what_a_method_is_made_from(
    benchmark: tuple[Path, Path],
) -> None:
    table = section(benchmark[0], "benchmark").split('aria-label="Table 1"')[1]
    remarks = {row[0]: row[-1] for row in body_rows(table)}
    stored = pd.read_csv(benchmark[1] / "table1.csv", keep_default_na=False)
    for row in stored.to_dict("records"):
        assert remarks[row["method"]] == (row["note"] or row["made_from"])
    assert any(remark.startswith("not run: ") for remark in remarks.values())


def test_benchmark_figures_have_a_mark_for_every_number(benchmark: tuple[Path, Path]) -> None:
    html = section(benchmark[0], "benchmark")
    titles = [unescape(title) for title in re.findall("<title>(.*?)</title>", html)]
    gains = pd.read_csv(benchmark[1] / "figure3.csv")
    assert len(gains)
    for row in gains.to_dict("records"):
        assert f"{row['tag']}: {row['gain']:+.3f}, {round(row['n_test']):,} ads" in titles
        assert f"HMAM above {row['rival']}" in html
    sweeps = pd.read_csv(benchmark[1] / "sweeps.csv")
    assert len(sweeps)
    for row in sweeps.to_dict("records"):
        for ads in ("test", "validation"):
            assert f"{row['task']}, {ads}: {row[f'{ads}_map']:.4f}" in titles
