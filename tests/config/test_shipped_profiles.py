"""Every key of every shipped profile is one that its models, extractors and ads know."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from competition.config.profile import PROFILES, Profile, load_profile, profile_names
from competition.config.toml import profile_toml
from competition.datasets import load_dataset
from competition.datasets.base import AdDataset, Input
from competition.features.registry import get_extractor
from competition.pipeline.context import Context
from competition.pipeline.imagined import model_names
from competition.pipeline.plan import check_level2, plan_feature, plan_models
from competition.pipeline.quality import shaped
from competition.utils.errors import CompetitionError, ProfileError
from tests.made_pitt import write_pitt
from tests.recorded import Recorded

ADS = {  # that each profile is meant for
    "clips": "films",
    "demo": "films",
    "image_ads": "pictures",
    "posters": "table",
    "taac2021": "release",
    "text": "table",
}
# Arrays of the release are absent from other ads in its layout: with another name, or another
# input, their two tables read like those of such ads.
ABSENT_AT_TIMES = {"taac2021": 4}
NAMING = ("extractor", "model", "input", "inputs", "models", "kinds")  # values that name something


@pytest.fixture(scope="module")
def datasets(
    demo_films: Path, shared_table: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, AdDataset]:
    pictures = write_pitt(tmp_path_factory.mktemp("pitt"), 20)
    folders = {"films": demo_films, "pictures": pictures, "table": shared_table}
    found = {name: load_dataset(folder) for name, folder in folders.items()}
    table = found["table"]
    found["table"] = replace(table, ads=table.ads.assign(poster="one.jpg"))
    return {**found, "release": with_arrays(found["films"])}


def with_arrays(films: AdDataset) -> AdDataset:
    """Films and the arrays that the competition released, without texts."""
    arrays = {name: Input(name, "array", (name,)) for name in ("youtube8m", "vggish")}
    inputs = {"video": films.inputs["video"], **arrays}
    return replace(films, ads=films.ads.assign(**dict.fromkeys(arrays, "an.npy")), inputs=inputs)


def check(profile: Profile, dataset: AdDataset) -> None:
    """Plan a profile as a run does, with all features; an input that the ads lack is a fault."""
    remarks = Recorded()
    context = Context(dataset, profile, Path(), 1, 1, "cpu", remarks)
    own = dataset
    for name, settings in profile.features.items():
        plan_feature(name, own, context)
        entry = get_extractor(settings.extractor)
        feature = Input(name, entry.gives, entry.metadata or (name,))
        ads = dataset.ads.assign(**dict.fromkeys(feature.columns, "there"))
        dataset = replace(dataset, ads=ads, inputs={**dataset.inputs, name: feature})
    for remark in remarks.remarks:
        if "has no input" in remark or "no ad has" in remark:
            raise ProfileError(remark)
    plan_models(profile, dataset)
    check_level2(profile, dataset)


def test_every_shipped_profile_has_ads_that_it_is_meant_for() -> None:
    assert sorted(ADS) == profile_names()


@pytest.mark.parametrize("name", profile_names())
def test_every_key_is_known(name: str, datasets: dict[str, AdDataset]) -> None:
    profile = load_profile(name)
    check(profile, datasets[ADS[name]])
    assert profile.folds.n == 5


@pytest.mark.parametrize("name", profile_names())
def test_written_it_reads_the_same(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.toml"
    path.write_text(profile_toml(load_profile(name)), encoding="utf-8")
    assert load_profile(str(path)) == load_profile(name)


@pytest.mark.parametrize("quality", ["fast", "best"])
@pytest.mark.parametrize("name", profile_names())
def test_every_quality_goes_with_it(
    name: str, quality: str, datasets: dict[str, AdDataset], tmp_path: Path
) -> None:
    dataset, whole = datasets[ADS[name]], load_profile(name)
    profile = load_profile(name, [f"quality={quality}"])
    context = Context(dataset, profile, tmp_path, 1, 1, "cpu", Recorded())
    found = shaped(context)
    usual = set(model_names(replace(context, profile=whole)))
    models = set(model_names(replace(context, profile=found.profile)))
    assert models
    assert found.profile.quality == "default"
    if quality == "fast":
        tables = {f"{one}_shared_trees" for one in usual & set(whole.level1)}
        assert models - usual <= {"shared_trees", *tables}
        assert set(found.models) == usual - models
        assert set(found.profile.level2.params) == {"pooled", "logit_mean", "single"}
    else:
        assert models >= usual
        assert len(found.profile.level2.params) > 10
    check_level2(found.profile, dataset)
    assert not list(tmp_path.iterdir())


def mistakes(text: str) -> Iterator[str]:
    """Copies of a profile that each have one key, or one name among the values, misspelt."""
    lines = text.splitlines()
    named = set(re.findall(r'"(\w+)"', "".join(line for line in lines if "inputs =" in line)))
    for place, line in enumerate(lines):
        wrong = []
        if found := re.match(r"(\w+) = (.*)", line):
            key, value = found.groups()
            wrong.append(f"{key}x = {value}")
            if key in NAMING:
                for name in re.findall(r'"[^"]+"', value):
                    wrong.append(line.replace(name, f'{name[:-1]}x"', 1))
        elif found := re.match(r"\[features\.(\w+)\]", line):
            if found[1] in named:
                wrong.append(f"[features.{found[1]}x]")
        elif found := re.match(r"\[level1\.(\w+)\]", line):
            has_model = any(follow.startswith("model =") for follow in table(lines, place))
            wrong += [] if has_model else [f"[level1.{found[1]}x]"]
        for text_of_line in wrong:
            yield "\n".join([*lines[:place], text_of_line, *lines[place + 1 :]])


def table(lines: list[str], place: int) -> list[str]:
    """Lines of the table whose heading stands at a place."""
    rest = lines[place + 1 :]
    ends = [end for end, line in enumerate(rest) if line.startswith("[")]
    return rest[: ends[0]] if ends else rest


@pytest.mark.parametrize("name", profile_names())
def test_a_misspelt_key_or_name_in_a_copy_is_refused(
    name: str, datasets: dict[str, AdDataset], tmp_path: Path
) -> None:
    path, accepted, tried = tmp_path / "own.toml", [], 0
    for text in mistakes((PROFILES / f"{name}.toml").read_text(encoding="utf-8")):
        path.write_text(text, encoding="utf-8")
        tried += 1
        try:
            check(load_profile(str(path)), datasets[ADS[name]])
        except CompetitionError:
            continue
        accepted.append(text)
    assert tried >= 4
    assert len(accepted) == ABSENT_AT_TIMES.get(name, 0)
