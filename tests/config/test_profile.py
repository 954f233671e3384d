"""Profiles."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.config.profile import Profile, load_profile
from competition.config.stages import Level1Settings
from competition.config.toml import profile_toml
from competition.datasets import load_dataset
from competition.pipeline.plan import plan_metadata, plan_models
from competition.utils.errors import CompetitionError, ProfileError


def test_text_profile_runs_all_models_of_text_and_metadata(table: Path) -> None:
    plan = {m.name: m.columns for m in plan_models(load_profile("text"), load_dataset(table))}
    assert plan["tfidf_logreg"] == ("story",)
    assert plan["tfidf_linearsvc"] == ("story",)
    assert plan["lightgbm"] == ("story", "language", "year")
    assert plan["xgboost"] == ("story", "language", "year")


def test_override_sets_a_parameter_of_a_model(table: Path) -> None:
    profile = load_profile("text", ["level1.tfidf_logreg.C=3", "folds.n=4"])
    plan = {m.name: m.params for m in plan_models(profile, load_dataset(table))}
    assert plan["tfidf_logreg"] == {"C": 3}
    assert profile.folds.n == 4


def test_one_model_runs_twice_under_two_names(table: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        '[level1.tfidf_logreg]\n[level1.chars]\nmodel = "tfidf_logreg"\nanalyzer = "char"\n',
        encoding="utf-8",
    )
    plan = plan_models(load_profile(str(path)), load_dataset(table))
    assert [(m.name, m.model, m.params) for m in plan] == [
        ("tfidf_logreg", "tfidf_logreg", {}),
        ("chars", "tfidf_logreg", {"analyzer": "char"}),
    ]


def test_single_facts_can_be_inputs(table: Path) -> None:
    profile = load_profile("text", ["models=[]", 'level1.lightgbm.inputs=["story", "year"]'])
    (planned,) = plan_models(profile, load_dataset(table))
    assert planned.columns == ("story", "year")


MISTAKES = {
    "There is no profile 'demmo'. Did you mean 'demo'?": ("demmo", []),
    "unknown key fold. Did you mean 'folds'?": ("text", ["fold.n=3"]),
    "unknown key folds.seeed. Did you mean 'seed'?": ("text", ["folds.seeed=3"]),
    "folds.n = 1": ("text", ["folds.n=1"]),
    "expected KEY=VALUE": ("text", ["folds.n"]),
    "seed is a value, not a table": ("text", ["seed=1", "seed.x=1"]),
    "level1.tfidf_logreg: unknown key c. Did you mean 'C'?": (
        "text",
        ["level1.tfidf_logreg.c=1"],
    ),
    "There is no level-1 model 'tfidf_logref'. Did you mean 'tfidf_logreg'?": (
        "text",
        ["level1.tfidf_logref.C=1"],
    ),
    "no registered level-1 model matches 'tdidf*'": ("text", ['models=["tdidf*"]']),
    "matches 'metadata'. A model with a section": ("clips", ['models=["metadata"]']),
    "films has no input 'storu'. Did you mean 'story'?": (
        "text",
        ['level1.tfidf_logreg.inputs=["storu"]'],
    ),
    "the input poster is of kind image, but the model reads text": (
        "text",
        ['level1.tfidf_logreg.inputs=["poster"]'],
    ),
    "The profile lists no level-1 model": ("text", ["models=[]"]),
    "level1.bert_ocr.model: There is no level-1 model 'bert-base-chinese'": (
        "text",
        ["level1.bert_ocr.model=bert-base-chinese"],
    ),
    "is set by level1.bert_ocr.checkpoint": (
        "text",
        ["level1.bert_ocr.model=bert-base-chinese"],
    ),
    "No level-1 model of the profile can read films": ("text", ['kinds=["audio"]']),
    "level2.metadata: films has no metadata 'yaer'. Did you mean 'year'?": (
        "text",
        ['level2.metadata=["yaer"]'],
    ),
}


@pytest.mark.parametrize("message", MISTAKES)
def test_mistake_in_a_profile_is_explained(table: Path, message: str) -> None:
    name, overrides = MISTAKES[message]
    dataset = load_dataset(table)
    with pytest.raises(CompetitionError) as raised:
        profile = load_profile(name, overrides)
        plan_models(profile, dataset)
        plan_metadata(profile, dataset)
    assert message in str(raised.value)


def test_profile_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("seed = ", encoding="utf-8")
    with pytest.raises(ProfileError, match=r"own\.toml is not valid TOML"):
        load_profile(str(path))


VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
NAMES = st.text("aZ_7é漢", min_size=1, max_size=4)
PARAMS = st.dictionaries(NAMES, VALUES, max_size=3)


@given(params=PARAMS, name=NAMES, seed=st.integers(0, 99))
def test_written_profile_reads_the_same(params: dict[str, object], name: str, seed: int) -> None:
    settings = Level1Settings(**{**params, "model": "tfidf_logreg", "inputs": ("ocr",)})
    profile = Profile(seed=seed, models=("tfidf_*",), level1={name: settings})
    read = Profile.model_validate(tomllib.loads(profile_toml(profile)))
    assert read.model_dump() == profile.model_dump()


def test_a_model_cannot_have_the_name_of_another_folder() -> None:
    with pytest.raises(ProfileError, match="'tuning' is kept for what"):
        load_profile("text", ["level1.tuning.model=tfidf_logreg"])
