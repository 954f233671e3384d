"""Stacks that may take so long an ad, or so much room: `save --max-ms-per-ad`, `--max-mb`."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from competition.saved.manifest import read_manifest
from tests.cli.calling import call, called
from tests.cli.pictured import TOML, WORDS

PROFILE = """\
models = ["tfidf_logreg", "tfidf_nblogreg", "lightgbm"]
folds.n = 3
level2.model = ["mean", "pooled"]

[features.thumbs]
extractor = "thumbnails"
side = 16

[level1.probe]
inputs = ["thumbs"]

[level1.lightgbm]
n_estimators = 5
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[object, ...]]:
    """A folder with a finished run that kept its models, and how it was called."""
    folder = tmp_path_factory.mktemp("pictured")
    rng = np.random.default_rng(0)
    for name, shade in (("dark", 60), ("light", 200)):  # large: they take far longer than texts
        Image.new("RGB", (4000, 3000), (shade,) * 3).save(folder / f"{name}.png")
    made = []
    for number in range(72):
        tags = [tag for tag in WORDS if rng.random() < 0.5] or ["sea"]
        poster = "light.png" if "food" in tags else "dark.png"
        title = " ".join(rng.choice(WORDS[rng.choice(tags)].split(), 3))
        made.append((f"ad{number}", title, poster, "|".join(tags)))
    table = pd.DataFrame(made, columns=["id", "title", "poster", "tags"])
    table[:48].to_csv(folder / "train.csv", index=False)
    table[48:].drop(columns="tags").to_csv(folder / "test.csv", index=False)
    (folder / "competition.toml").write_text(TOML, "utf-8")
    (folder / "own.toml").write_text(PROFILE, "utf-8")
    given = ("--data", folder, "--out", folder / "out", "--profile", folder / "own.toml")
    call("run", *given, "--jobs", 1, "--save", folder / "all")
    return folder, (*given, "--jobs", 1)


def stored(folder: Path) -> dict[str, bytes]:
    return {
        str(one): one.read_bytes() for one in sorted(folder.rglob("*.parquet")) if one.is_file()
    }


def test_a_small_stack_holds_fewer_models_and_predicts_without_the_others(
    ran: tuple[Path, tuple[object, ...]], tmp_path: Path
) -> None:
    folder, given = ran
    before = stored(folder / "out" / "oof")
    sizes = {
        one.name: sum(file.stat().st_size for file in one.rglob("*") if file.is_file()) / 1e6
        for one in (folder / "all" / "level1").iterdir()
    }
    whole = sum(file.stat().st_size for file in (folder / "all").rglob("*") if file.is_file()) / 1e6
    limit = whole - max(sizes.values()) / 2  # the largest model, or several others
    done = call("save", tmp_path / "small", *given, "--max-mb", f"{limit:.6f}")
    manifest = read_manifest(tmp_path / "small")
    budget = manifest.budget
    assert budget is not None
    assert budget.way[0].n_models == 4
    assert budget.way[-1].n_models == len(manifest.models) < 4
    assert budget.way[0].mb == pytest.approx(whole, abs=0.01)
    assert budget.way[-1].mb <= limit < budget.way[-2].mb
    gone = {name for step in budget.way for name in step.dropped}
    assert gone == set(sizes) - set(manifest.models)
    assert not any((tmp_path / "small" / "level1" / name).exists() for name in gone)
    assert f"{budget.way[-1].gap:.4f}" in done.out
    assert f"{budget.nested_gap:.4f} where each fold" in " ".join(done.out.split())
    assert stored(folder / "out" / "oof") == before  # the run's own stack stays
    assert [one.name for one in (folder / "out" / "oof").iterdir()] == ["pictured"]
    # The stack is that of a run that never had the others.
    lean = tmp_path / "lean.toml"
    named = ", ".join(f'"{name}"' for name in manifest.models if name != "probe")
    text = PROFILE.replace('"tfidf_logreg", "tfidf_nblogreg", "lightgbm"', named)
    if "probe" in gone:
        text = text.replace('[level1.probe]\ninputs = ["thumbs"]\n', "").replace(
            '[features.thumbs]\nextractor = "thumbnails"\nside = 16\n', ""
        )
    if "lightgbm" in gone:
        text = text.replace("[level1.lightgbm]\nn_estimators = 5\n", "")
    lean.write_text(text, "utf-8")
    again = ("--data", folder, "--out", tmp_path / "out", "--profile", lean, "--jobs", 1)
    call("run", *again, "--save", tmp_path / "alike")
    for name in ("small", "alike"):
        to = tmp_path / f"{name}.parquet"
        call("predict", tmp_path / name, "--data", folder, "--to", to)
    small, alike = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("small", "alike"))
    pd.testing.assert_frame_equal(small, alike)
    assert manifest.scores == read_manifest(tmp_path / "alike").scores


def test_a_dear_feature_is_not_extracted_any_more(
    ran: tuple[Path, tuple[object, ...]], tmp_path: Path
) -> None:
    """Of large pictures, reading one takes most of the time of an ad."""
    folder, given = ran
    whole = call("save", tmp_path / "whole", *given, "--max-ms-per-ad", 100_000)
    assert "dropped" in whole.out
    (step,) = json.loads((tmp_path / "whole" / "manifest.json").read_text("utf-8"))["budget"]["way"]
    assert step["dropped"] == []
    assert step["n_models"] == 4
    quick = ("save", tmp_path / "quick", *given, "--max-ms-per-ad", step["ms"] / 2)
    # Milliseconds are measured: a busy machine may halt just then, but not again and again.
    assert any(called(*quick).status == 0 for _ in range(4))
    manifest = read_manifest(tmp_path / "quick")
    assert manifest.budget is not None
    assert manifest.budget.way[-1].ms <= step["ms"] / 2
    assert "probe" not in manifest.models
    assert manifest.profile["features"] == {}
    described = call("describe", tmp_path / "quick")
    assert f"To {step['ms'] / 2:g} ms an ad" in described.out
    call("predict", tmp_path / "quick", "--data", folder, "--to", tmp_path / "p.csv")
    assert len(pd.read_csv(tmp_path / "p.csv")) == 24


def test_a_budget_that_nothing_fits_saves_nothing(
    ran: tuple[Path, tuple[object, ...]], tmp_path: Path
) -> None:
    _, given = ran
    done = called("save", tmp_path / "none", *given, "--max-ms-per-ad", 0.001)
    assert done.status == 2
    assert "No model fits 0.001 ms an ad: " in done.err
    assert "Traceback" not in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--max-ms-per-ad", "--max-mb"])
def test_a_budget_is_a_number_above_nothing_and_goes_with_save(
    option: str, ran: tuple[Path, tuple[object, ...]], tmp_path: Path
) -> None:
    _, given = ran
    assert called("save", tmp_path / "s", *given, option, 0).status == 2
    assert not (tmp_path / "s").exists()
    done = called("run", *given, option, 5)
    assert done.status == 2
    assert "--max-mb and --distil go with --save." in " ".join(done.err.replace("│", " ").split())
