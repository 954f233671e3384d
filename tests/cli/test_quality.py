"""`--quality`: fewer models and meta-learners, or more; what the user sets himself wins."""

import json
from pathlib import Path
from typing import Any

import pytest

from competition.config.profile import load_profile
from competition.datasets import load_dataset
from competition.level2.registry import find_meta_learners
from competition.pipeline.context import open_context
from competition.pipeline.quality import shaped
from competition.pipeline.record import read_record
from tests.cli.calling import Called, call, called
from tests.cli.conftest import QUICK
from tests.faults.runs import predictions

SMALL = ("--profile", "text", "--jobs", 1, "--set", "folds.n=3")


def cards(out: Path) -> dict[str, dict[str, Any]]:
    paths = out.glob("oof/*/*/card.json")
    return {path.parent.name: json.loads(path.read_text("utf-8")) for path in paths}


def test_default_quality_reads_what_a_run_without_it_has_stored(
    finished: tuple[Path, Called], ads: Path, out: Path
) -> None:
    before = predictions(out)
    call("run", "--data", ads, "--out", out, *QUICK, "--quality", "default")
    assert predictions(out) == before
    assert read_record(out / "oof" / "demo" / "run.json").n_trained == 0


def test_fast_run_leaves_out_what_is_slow_and_names_it(shared_table: Path, tmp_path: Path) -> None:
    done = call("run", "--data", shared_table, "--out", tmp_path, *SMALL, "--quality", "fast")
    found = cards(tmp_path)
    assert set(found) == {"shared_trees", "tfidf_logreg", "tfidf_nblogreg", "stack-selection"}
    assert set(found["stack-selection"]["parameters"]) == {"pooled", "logit_mean", "single"}
    said = " ".join(done.out.split())
    assert (
        'quality = "fast" leaves out the models joint_nblogreg, lightgbm, tfidf_linearsvc, '
        "xgboost; in their place runs shared_trees" in said
    )
    record = read_record(tmp_path / "oof" / "films" / "run.json")
    assert record.plan.quality == "fast"
    assert record.plan.models == ("joint_nblogreg", "lightgbm", "tfidf_linearsvc", "xgboost")
    assert record.plan.learners == ("dnn", "xgboost")
    assert "level 2 goes without dnn, xgboost" in said
    (card,) = (tmp_path / "submissions").glob("*.card.json")
    assert json.loads(card.read_text("utf-8"))["plan"]["models"] == list(record.plan.models)


def test_fast_run_has_the_bytes_of_one_that_names_the_same_models(
    shared_table: Path, tmp_path: Path
) -> None:
    call("run", "--data", shared_table, "--out", tmp_path / "a", *SMALL, "--quality", "fast")
    same = (
        *("--set", 'models=["tfidf_logreg", "tfidf_nblogreg", "shared_trees"]'),
        *("--set", 'level2.model=["pooled", "logit_mean", "single"]'),
    )
    call("run", "--data", shared_table, "--out", tmp_path / "b", *SMALL, *same)
    plain = [
        {name: value for name, value in predictions(tmp_path / out).items() if "card" not in name}
        for out in "ab"
    ]
    assert plain[0] == plain[1]


@pytest.mark.parametrize(
    "override",
    [
        "level1.lightgbm.n_estimators=3",
        'models=["tfidf_logreg", "lightgbm"]',
        'level2.model=["mean", "logit_mean"]',
        "level2.dnn.seeds=1",
    ],
)
def test_what_is_set_by_hand_wins(shared_table: Path, tmp_path: Path, override: str) -> None:
    where = ("--data", shared_table, "--out", tmp_path)
    call("run", *where, *SMALL, "--quality", "fast", "--set", override)
    found = cards(tmp_path)
    learners = set(found["stack-selection"]["parameters"])
    assert ("lightgbm" in found) == ("lightgbm" in override)
    assert ("mean" in learners) == ("mean" in override)
    assert ("dnn" in learners) == ("dnn" in override)
    assert "xgboost" not in found


def test_quality_in_a_profile_of_ones_own_spares_its_tables(
    shared_table: Path, tmp_path: Path
) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text(
        'quality = "fast"\nmodels = ["*", "!text_net"]\nkinds = ["text", "metadata"]\n'
        "[folds]\nn = 3\n[level1.xgboost]\nn_estimators = 3\n"
        '[level2]\nmodel = "mean"\n',
        "utf-8",
    )
    where = ("--data", shared_table, "--out", tmp_path, "--jobs", 1)
    call("run", *where, "--profile", profile)
    found = set(cards(tmp_path))
    assert {"xgboost", "shared_trees", "stack-mean"} <= found
    assert "lightgbm" not in found


def test_best_run_takes_three_copies_of_what_draws_numbers(
    shared_table: Path, tmp_path: Path
) -> None:
    quick = (
        *("--set", 'models=["tfidf_logreg", "xgboost", "lightgbm"]'),
        *("--set", "level1.xgboost.n_estimators=3"),
        *("--set", "level1.lightgbm.seeds=1", "--set", "level1.lightgbm.n_estimators=3"),
        *("--set", "level2.model=mean"),
    )
    done = call(
        "run", "--data", shared_table, "--out", tmp_path, *SMALL, *quick, "--quality", "best"
    )
    found = cards(tmp_path)
    assert found["xgboost"]["parameters"]["seeds"] == 3
    assert "seeds" not in found["lightgbm"]["parameters"]
    assert found["tfidf_logreg"]["parameters"]["seeds"] == 3
    assert 'quality = "best": 3 copies' in " ".join(done.out.split())


def test_best_compares_all_meta_learners(shared_table: Path, tmp_path: Path) -> None:
    context = open_context(
        load_dataset(shared_table), load_profile("text", ["quality=best"]), tmp_path
    )
    profile = shaped(context).profile
    assert set(profile.level2.params) == set(find_meta_learners())
    assert "!shared_trees" not in profile.models


def test_fast_plan_says_the_same(shared_table: Path, tmp_path: Path) -> None:
    where = ("--data", shared_table, "--out", tmp_path / "out", *SMALL)
    done = call("run", *where, "--set", "quality=fast", "--plan")
    assert done.row("shared_trees")[1] == "would run"
    assert "lightgbm, tfidf_linearsvc, xgboost" in done.out


def test_trees_of_a_shipped_table_are_replaced_under_another_name(
    real_data: Path, tmp_path: Path
) -> None:
    """The table `metadata` of `clips` is lightgbm: a model called so never is another one."""
    given = ("--data", real_data / "street_clips", "--profile", "clips", "--out", tmp_path / "out")
    done = call("run", *given, "--quality", "fast", "--plan")
    said = " ".join(done.out.split())
    assert 'quality = "fast" leaves out the models metadata, frames, sound' in said
    assert "in their place runs metadata_shared_trees" in said
    assert done.row("metadata_shared_trees")[1] == "would run"


@pytest.mark.parametrize("command", ["tune", "ablate", "extract", "benchmark"])
@pytest.mark.parametrize("setting", ["quality=fast", "time_limit=20m"])
def test_commands_that_cannot_obey_refuse(
    shared_table: Path, tmp_path: Path, command: str, setting: str
) -> None:
    named = {"tune": ["tfidf_logreg"], "benchmark": ["image-ads"]}.get(command, [])
    where = ("--data", shared_table, "--out", tmp_path)
    done = called(command, *named, *where, "--profile", "text", "--set", setting)
    assert done.status == 2
    key = setting.partition("=")[0]
    assert f"`{command}` does not obey it, `run` and `save` do. Leave it out." in done.err
    assert key in done.err
    assert not (tmp_path / "oof").exists()


def test_unknown_quality_is_explained(shared_table: Path, tmp_path: Path) -> None:
    where = ("--data", shared_table, "--out", tmp_path, *SMALL)
    done = called("run", *where, "--set", "quality=faster")
    assert done.status == 2
    assert "quality" in done.err
    assert "fast" in done.err


def test_show_and_label_errors_find_the_stack_of_a_fast_run(
    shared_table: Path, tmp_path: Path
) -> None:
    where = ("--data", shared_table, "--out", tmp_path, "--profile", "text")
    call("run", *where, "--jobs", 1, "--set", "folds.n=3", "--quality", "fast")
    shown = call("show", "ad1", *where, "--set", "quality=fast")
    assert "Long" in shown.out or "War" in shown.out
    call("label-errors", *where, "--set", "quality=fast")


def films_with_texts(table: Path, films: Path) -> Path:
    """Write a copy of a table whose ads have films, too."""
    films.mkdir()
    for path in table.iterdir():
        text = path.read_text("utf-8").replace("ad0,,", "ad0,ad0.mp4,")
        text = text.replace('poster]\nkind = "image"', 'video]\nkind = "video"')
        (films / path.name).write_text(text, encoding="utf-8")
    for ad in ("ad0", "testad0"):
        (films / f"{ad}.mp4").touch()
    return films


def test_fast_run_keeps_texts_where_a_model_has_nothing_else_to_read(
    shared_table: Path, tmp_path: Path
) -> None:
    """The one model reads texts of pictures beside features whose networks are not at hand."""
    films = films_with_texts(shared_table, tmp_path / "films")
    run = ("run", "--data", films, "--out", tmp_path / "out", "--plan", "--quality", "fast")
    done = call(*run, "--profile", "image_ads")
    assert done.row("words")[1].startswith("would run on")
    assert done.row("hmam")[1] == "would run"


def test_fast_run_keeps_texts_that_its_models_read_alone(
    shared_table: Path, tmp_path: Path
) -> None:
    """Of films with a text of their own, where the profile's models read what films say."""
    films = films_with_texts(shared_table, tmp_path / "films")
    run = ("run", "--data", films, "--out", tmp_path / "out", "--plan", "--profile", "taac2021")
    fast = call(*run, "--quality", "fast")
    assert fast.row("ocr")[1].startswith("would run on")
    assert fast.row("tfidf_logreg")[1] == "would run"
    assert "bert" not in fast.out.split("A run would do")[1]


def test_fast_run_shows_beside_it_what_the_user_says(shared_table: Path, tmp_path: Path) -> None:
    context = open_context(
        load_dataset(shared_table),
        load_profile("text", ['quality="fast"', 'level2.beside=["mean"]']),
        tmp_path,
    )
    assert shaped(context).profile.level2.beside == ("mean",)
