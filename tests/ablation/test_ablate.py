"""`ablate` from stored predictions to its files."""

from pathlib import Path

import pandas as pd
import pytest

from competition.ablation.ablate import Ablation, ablate
from competition.config.profile import load_profile
from competition.evaluation.metrics import gap
from competition.pipeline.context import open_context, open_store
from competition.pipeline.run import run
from competition.pipeline.stack import stored_models
from competition.report.ablation import print_ablation
from competition.report.tables import console
from competition.utils.errors import StoreError
from tests.conftest import write_table

MODELS = ["tfidf_logreg", "tfidf_nblogreg", "lightgbm"]
OVERRIDES = [
    f"models={MODELS}".replace("'", '"'),
    "folds.n=3",
    'level2.model=["pooled", "mean"]',
    "level1.lightgbm.n_estimators=5",
]
RIVALS = ["level1.fusion.epochs=1", "level1.fusion.networks=1", "level1.fusion.device=cpu"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Ablation]:
    folder = tmp_path_factory.mktemp("ablation")
    data, out = write_table(folder / "films"), folder / "out"
    run(data, load_profile("text", OVERRIDES), out, n_jobs=1)
    profile = load_profile("text", [*OVERRIDES, *RIVALS])
    return data, out, ablate(data, profile, out, n_jobs=1)


def test_every_table_has_the_rows_it_promises(finished: tuple[Path, Path, Ablation]) -> None:
    rows = {table.name: [row.name for row in table.rows] for table in finished[2].tables}
    assert rows == {
        "modalities": ["tf-idf", "story+film"],
        "combinations": [
            "tf-idf + metadata",
            "tf-idf + story+film",
            "tf-idf + story+film + metadata",
        ],
        "missing": ["without tf-idf", "without story+film"],
        "fusion": [
            "our method",
            "mean",
            "logit_mean",
            rows["fusion"][3],
            "rival-concat",
            "rival-sum",
            "rival-max",
            "rival-attention",
            "stack-selection",
        ],
        "models": ["all models", *(f"without {name}" for name in sorted(MODELS)), "after dropping"],
    }
    assert rows["fusion"][3] in MODELS


def test_scores_are_those_of_the_store(finished: tuple[Path, Path, Ablation]) -> None:
    data, out, ablation = finished
    store = open_store(open_context(data, load_profile("text", OVERRIDES), out))
    fusion = next(table for table in ablation.tables if table.name == "fusion")
    for row in fusion.rows:
        if row.name not in ("our method", "mean", "logit_mean"):
            oof, _ = store.read(row.name)
            assert row.gap == gap(ablation.dataset.labels, oof)
    assert fusion.rows[0].difference.value == 0


def test_files_hold_what_the_tables_hold(finished: tuple[Path, Path, Ablation]) -> None:
    ablation = finished[2]
    frame = pd.read_csv(ablation.paths[0])
    made = [(table.name, row.name, row.gap) for table in ablation.tables for row in table.rows]
    assert list(frame[["table", "row", "gap"]].itertuples(index=False, name=None)) == made
    text = ablation.paths[1].read_text(encoding="utf-8")
    with console.capture() as captured:
        print_ablation(ablation)
    for table in ablation.tables:
        assert f"## {table.title}\n" in text
        for row in table.rows:
            assert f"| {row.name} | {row.accuracy:.4f} | {row.gap:.4f} |" in text
            assert f"{row.gap:.4f}" in captured.get()


def test_rivals_are_read_the_second_time_and_never_stacked(
    finished: tuple[Path, Path, Ablation],
) -> None:
    data, out, ablation = finished
    cards = {path: path.stat().st_mtime_ns for path in out.rglob("card.json")}
    profile = load_profile("text", [*OVERRIDES, *RIVALS])
    again = ablate(data, profile, out, n_jobs=1)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("card.json")} == cards
    assert again.tables == ablation.tables
    context = open_context(data, profile, out)
    stored = [card.model for card in stored_models(open_store(context), context)]
    assert stored == sorted(MODELS)


def test_two_folds_show_what_each_model_adds_and_say_why_none_is_dropped(
    shared_table: Path, tmp_path: Path
) -> None:
    quick = ['models=["tfidf_logreg", "tfidf_nblogreg"]', "folds.n=2", "level2.model=mean"]
    run(shared_table, load_profile("text", quick), tmp_path, n_jobs=1)
    profile = load_profile("text", [*quick, *RIVALS])
    table = ablate(shared_table, profile, tmp_path, n_jobs=1).tables[-1]
    assert [row.name for row in table.rows] == [
        "all models",
        "without tfidf_logreg",
        "without tfidf_nblogreg",
    ]
    assert "that takes three folds" in table.note


def test_without_stored_models_it_says_how_to_get_some(shared_table: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no finished level-1 model"):
        ablate(shared_table, load_profile("text", OVERRIDES), tmp_path)
