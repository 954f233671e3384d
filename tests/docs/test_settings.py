"""Every ``--set`` that the README, a page of docs/ or a shipped profile names takes effect."""

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from competition.config.profile import PROFILES, Profile, load_profile
from competition.config.stages import FoldSettings, Level2Settings
from competition.config.toml import profile_toml
from competition.level1.registry import find_models
from competition.reproductions.look_read_feel import methods
from tests.cli.calling import call, called
from tests.conftest import write_table
from tests.docs.pages import PAGES
from tests.features.extractors.test_bottom_up import tsv_line
from tests.made_pitt import write_pitt
from tests.made_vggish import save_vggish

SETTING = re.compile(r"""--set ('[^']*'|"[^"]*"|[^ `;]+)""")

LEARNER = """\
from competition import MetaLearner, meta_learner


@meta_learner("first_of_all")
class First(MetaLearner):
    def _fit(self, data):
        pass

    def _predict_proba(self, ads):
        return ads.probabilities[:, 0]
"""


def named_settings() -> list[tuple[str, str]]:
    """Settings, each with the first page or profile that names it."""
    found: dict[str, str] = {}
    for path in [*PAGES, *sorted(PROFILES.glob("*.toml"))]:
        for words in SETTING.findall(path.read_text(encoding="utf-8")):
            if words != "KEY=VALUE":
                found.setdefault(shlex.split(words)[0], path.name)
    return [(page, setting) for setting, page in found.items()]


NAMED = named_settings()

# The profile that a page is about; a profile's comments are about that profile.
PROFILE_OF = {
    "README.md": "text",
    "data.md": "text",
    "profiles.md": "text",
    "stacking.md": "text",
    "features.md": "taac2021",
    "models.md": "text",
    "installation.md": "posters",
    **{path.name: path.stem for path in PROFILES.glob("*.toml")},
}


def tried_by(page: str, setting: str) -> str:
    """Say which test tries a setting."""
    if page in ("image-ads.md", "image_ads.toml"):
        return "benchmark"
    if page in ("elsewhere.md", "plug-ins.md"):
        return "stack"
    if page == "clips.toml":
        return "whole run"
    return "extract" if setting.startswith("features.") else "run"


def named(command: str) -> Any:
    """Parametrise a test over the settings that it tries."""
    cases = [case for case in NAMED if tried_by(*case) == command]
    ids = [f"{page}: {setting}" for page, setting in cases]
    return pytest.mark.parametrize(("page", "setting"), cases, ids=ids)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ads with a text and metadata, the runtime among them; two have a poster."""
    folder = write_table(tmp_path_factory.mktemp("table") / "films")
    for name in ("competition.toml", "train.csv", "test.csv"):
        text = (folder / name).read_text("utf-8").replace("year", "runtime")
        for ad in ("ad0", "ad1"):
            text = text.replace(f"{ad},,", f"{ad},{ad}.png,")
        (folder / name).write_text(text, encoding="utf-8")
    for ad in ("ad0", "ad1"):
        Image.new("RGB", (64, 48), "white").save(folder / f"{ad}.png")
    return folder


@pytest.fixture(scope="module")
def ads_of(table: Path, demo_films: Path) -> dict[str, Path]:
    """Ads that each profile can read."""
    return {"text": table, "posters": table, "taac2021": demo_films, "clips": demo_films}


@pytest.fixture(scope="module")
def deep_vit(tiny_vit: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint like `tiny_vit`, of as many layers as settings name."""
    import torch
    from transformers import ViTConfig, ViTModel

    folder = tmp_path_factory.mktemp("deep") / "vit"
    shutil.copytree(tiny_vit, folder)
    config = ViTConfig.from_pretrained(tiny_vit)
    config.num_hidden_layers = 5
    torch.manual_seed(0)
    ViTModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def stand_in(
    deep_vit: Path,
    tiny_bert: Path,
    tiny_wavlm: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], str]:
    """Puts small files with random weights in place of the checkpoints that a setting names."""
    vggish = save_vggish(tmp_path_factory.mktemp("vggish"))

    def replaced(setting: str) -> str:
        key, _, value = setting.partition("=")
        *_, table, name = ["", *key.split(".")]
        if name == "checkpoint":
            value = str(
                tiny_bert if "bert" in table else tiny_wavlm if "sound" in table else deep_vit
            )
        return f"{key}={vggish.get(name, value)}"

    return replaced


@pytest.fixture(scope="module")
def stored(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the predictions of two models; tests work on a copy."""
    out = tmp_path_factory.mktemp("stored")
    quick = ['models=["tfidf_logreg", "tfidf_nblogreg"]', "folds.n=3", "level2.model=mean"]
    call("run", "--data", table, "--out", out, "--jobs", 1, *options(quick))
    return out


def options(settings: list[str]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


def same_table(page: str, setting: str) -> list[str]:
    """Settings of a page that are about one table, like weights and pca: one goes with another."""
    head = setting.split("=")[0].rpartition(".")[0]
    return [other for where, other in NAMED if where == page and other.startswith(f"{head}.")]


def cut(name: str, setting: str, folder: Path) -> Path:
    """Write a copy of a profile with what a setting is about, and little else."""
    whole = load_profile(name)
    part, _, table = setting.split("=")[0].rpartition(".")[0].partition(".")
    level1 = {table: whole.level1[table]} if table in whole.level1 else {}
    small = Profile(
        folds=FoldSettings(n=3),
        features={table: whole.features[table]} if part == "features" else {},
        level1=level1,
        models=() if level1 else ("tfidf_logreg", "tfidf_nblogreg"),
        level2=Level2Settings() if part == "level2" else Level2Settings(model="mean"),
    )
    path = folder / "cut.toml"
    path.write_text(profile_toml(small), encoding="utf-8")
    return path


def cards(out: Path) -> dict[str, dict[str, Any]]:
    """Cards of a store, by model."""
    paths = out.glob("oof/*/*/card.json")
    return {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def assert_effect(setting: str, out: Path) -> None:
    """Hold what a command has stored against a setting."""
    key, _, text = setting.partition("=")
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    found = cards(out)
    stacks = [name for name in found if name.startswith("stack-")]
    stack = found["stack-selection" if len(stacks) > 1 else stacks[0]]
    match key.split("."):
        case ["level1", model, parameter]:
            assert found[model]["parameters"][parameter] == value
        case ["level2", "model"]:
            names = [value] if isinstance(value, str) else value
            assert set(stack["parameters"]) == set(names)
        case ["level2", "metadata"]:
            assert stack["metadata"] == value
        case ["level2", learner, parameter]:
            assert stack["parameters"][learner][parameter] == value
        case ["folds", "n"]:
            (path,) = out.glob("oof/*/folds.csv")
            assert pd.read_csv(path)["fold"].nunique() == value
        case ["models"]:
            wanted = {name for pattern in value for name in find_models(pattern)}
            assert {name for name in found if not name.startswith("stack-")} == wanted
        case ["seed"]:
            assert stack["parameters"]["dnn"]["random_state"] == value
        case ["plugins"]:
            assert "first_of_all" in stack["candidates"]
        case _:
            raise AssertionError(f"{setting}: say here what it changes")


@named("run")
def test_setting_of_a_run_takes_effect(
    page: str,
    setting: str,
    ads_of: dict[str, Path],
    stand_in: Callable[[str], str],
    tmp_path: Path,
) -> None:
    name, setting = PROFILE_OF[page], stand_in(setting)
    profile = cut(name, setting, tmp_path)
    given = ["--data", ads_of[name], "--profile", profile, "--out", tmp_path, "--jobs", 1]
    call("run", *given, "--device", "cpu", *options([setting]))
    assert_effect(setting, tmp_path)


@named("stack")
def test_setting_of_stack_takes_effect(
    page: str, setting: str, table: Path, stored: Path, tmp_path: Path, registries_restored: None
) -> None:
    shutil.copytree(stored, tmp_path, dirs_exist_ok=True)
    (tmp_path / "my_learner.py").write_text(LEARNER, encoding="utf-8")
    quick = ["level2.dnn.min_steps=5", "level2.dnn.seeds=1"]
    if setting.startswith("plugins"):
        quick = ['level2.model=["mean", "first_of_all"]']
    elif not setting.startswith("level2.model"):
        quick.append('level2.model=["mean", "dnn"]')
    call("stack", "--data", table, *options([*quick, setting]), cwd=tmp_path)
    assert_effect(setting, tmp_path)


@named("extract")
def test_setting_of_a_feature_takes_effect(
    page: str,
    setting: str,
    ads_of: dict[str, Path],
    stand_in: Callable[[str], str],
    tmp_path: Path,
) -> None:
    name = PROFILE_OF[page]
    feature = setting.split(".")[1]
    profile = cut(name, setting, tmp_path)
    given = ["--data", ads_of[name], "--profile", profile, "--out", tmp_path, "--jobs", 1]
    settings = list(map(stand_in, same_table(page, setting)))
    done = call("extract", *given, "--device", "cpu", *options(settings))
    if "tesseract" in setting and not shutil.which("tesseract"):
        assert f"features.{feature} is left out" in done.out
        assert "tesseract" in done.out
        return
    assert f"features.{feature} is left out" not in done.out
    _, extractor, _, _, n_ads, n_new, n_faulty, _ = done.row(feature)
    assert extractor == load_profile(name).features[feature].extractor
    assert 0 < int(n_new) <= int(n_ads)  # the same content is extracted once
    assert n_faulty == "0"


def test_settings_of_clips_make_every_model_of_it_run(
    demo_films: Path, stand_in: Callable[[str], str], tmp_path: Path
) -> None:
    settings = [stand_in(setting) for page, setting in NAMED if page == "clips.toml"]
    quick = ["level1.frames.epochs=1", "level1.sound.epochs=1", "level1.vggish_sound.epochs=1"]
    few = [*settings, *quick, "folds.n=2", "level2.model=mean"]
    given = ["--data", demo_films, "--profile", "clips", "--out", tmp_path, "--jobs", 1]
    done = call("run", *given, "--device", "cpu", *options(few))
    assert "left out" not in done.out
    models = {"metadata", "frames", "sound", "probe_vit", "vggish_sound", "probe_sound"}
    assert set(cards(tmp_path)) == {*models, "stack-mean"}
    for model in models:
        assert done.row(model)[1] == f"{cards(tmp_path)[model]['scores']['gap']:.4f}"


def test_settings_of_image_ads_reach_the_benchmark(
    stand_in: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(methods, "SWEEPS", {"dropout": (0.0,)})
    data = write_pitt(tmp_path / "pitt", 40)
    (tmp_path / "glove.txt").write_text("cars 1 2\nsad -1 0\n", encoding="utf-8")
    (tmp_path / "bottom_up.tsv").write_text(tsv_line("1000", np.ones((2, 4))), encoding="utf-8")
    files = {"FILE": "glove.txt", "PATH": "bottom_up.tsv", "FOLDER_OR_TSV": "bottom_up.tsv"}
    settings = []
    for case in NAMED:
        if tried_by(*case) == "benchmark":
            key, _, value = stand_in(case[1]).partition("=")
            settings.append(f"{key}={tmp_path / files[value] if value in files else value}")
    given = ["--data", data, "--out", tmp_path, "--jobs", 1, "--device", "cpu"]
    small = ["level1.hmam.dim=8", "level1.hmam.hidden=8", "level1.c2ae_features.epochs=1"]
    done = call("benchmark", "image-ads", *given, *options([*settings, *small]))
    folder = tmp_path / "benchmarks" / "image-ads" / "pitt_ads"
    assert done.line("Tables and plots: ") == str(folder)
    fits = [json.loads(path.read_text("utf-8")) for path in folder.glob("fits/hmam-*.json")]
    assert 3 in {fit["params"]["epochs"] for fit in fits}
    features = {path.name.split("-")[0] for path in (tmp_path / "cache" / "features").iterdir()}
    assert {"vit", "regions"} <= features
    assert "Not run: Encoder (Last)" not in done.out


def test_convolutional_network_needs_the_last_layer_of_posters(
    table: Path, tiny_resnet: Path, tmp_path: Path
) -> None:
    profile = cut("posters", "features.poster_vit.layers=[-1]", tmp_path)
    given = ("extract", "--data", table, "--profile", profile, "--out", tmp_path, "--device", "cpu")
    network = f"features.poster_vit.checkpoint={tiny_resnet}"
    refused = called(*given, "--set", network)
    assert refused.status != 0
    assert "has 2 layers. Name some from 1 to 2, or from -2 to -1." in " ".join(refused.err.split())
    call(*given, "--set", network, "--set", "features.poster_vit.layers=[-1]")
