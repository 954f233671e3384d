"""Parameters of plug-ins are held to the types and ranges of their signatures."""

import inspect
import math
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from competition import MetaLearner, load_profile, run
from competition.features.registry import find_extractors, get_extractor
from competition.level1.registry import find_models, get_model
from competition.level2.registry import find_meta_learners, get_meta_learner
from competition.utils.errors import ProfileError
from competition.utils.parameters import Count, check_parameters, declared_types
from tests.cli.calling import called

KINDS = {
    "level1": (find_models, get_model),
    "level2": (find_meta_learners, get_meta_learner),
    "features": (find_extractors, get_extractor),
}
SHIPPED = [
    (kind, name)
    for kind, (find, get) in KINDS.items()
    for name in find()
    if get(name).make.__module__.startswith("competition.")
]
CASES = [
    (kind, name, parameter)
    for kind, name in SHIPPED
    for parameter in inspect.signature(KINDS[kind][1](name).make).parameters
]


def constraints(annotation: Any) -> list[Any]:
    """All that is declared beside the types in an annotation."""
    inner = [one for part in typing.get_args(annotation) for one in constraints(part)]
    own = getattr(annotation, "__metadata__", ())
    return [one for field in own for one in getattr(field, "metadata", [])] + inner


def refused(kind: str, name: str, parameter: str) -> list[str]:
    """Values, in TOML, that a parameter's annotation rules out."""
    annotation = declared_types(KINDS[kind][1](name).make)[parameter]
    base = annotation.__origin__ if hasattr(annotation, "__metadata__") else annotation
    wrong = ["{a = 1}", "2020-01-01", "9" * 30]
    if base in (int, float, bool):
        wrong += ['"many"', "[1]", "nan"]
    if base is int:
        wrong += ["1.5", "true"]
    if base is str:
        wrong += ["3", "true", "[]"]
    if typing.get_origin(base) is Literal:
        wrong += ["3", '"no such word"']
    for one in constraints(annotation):
        if hasattr(one, "ge"):
            wrong.append(str(one.ge - 1))
        if hasattr(one, "gt"):
            wrong.append(str(one.gt))
        if hasattr(one, "lt"):
            wrong.append(str(one.lt))
        if hasattr(one, "le"):
            wrong.append(str(one.le + 1))
    return wrong


@pytest.mark.parametrize(("kind", "name"), SHIPPED)
def test_each_parameter_that_ships_declares_its_type(kind: str, name: str) -> None:
    make = KINDS[kind][1](name).make
    parameters = inspect.signature(make).parameters
    assert {*declared_types(make)} - {"return"} == {*parameters}
    given = {
        key: one.default
        for key, one in parameters.items()
        if one.default is not inspect.Parameter.empty
    }
    check_parameters("x", given, make)
    for key, annotation in declared_types(make).items():
        if annotation in (int, float):
            pytest.fail(f"{name}.{key} declares no range")


@pytest.mark.parametrize(("kind", "name", "parameter"), CASES)
def test_wrong_value_is_refused_before_any_work(
    shared_table: Path, tmp_path: Path, kind: str, name: str, parameter: str
) -> None:
    more = {
        "level1": [],
        "level2": [f"level2.model={name}"],
        "features": [f"features.{name}.extractor={name}"],
    }[kind]
    key = f"level2.{parameter}" if kind == "level2" else f"{kind}.{name}.{parameter}"
    first, *others = refused(kind, name, parameter)
    words = [word for one in [*more, f"{key}={first}"] for word in ("--set", one)]
    done = called("run", "--data", shared_table, "--out", tmp_path, *words)
    assert done.status == 2, done.out
    assert f".{parameter} = " in done.err
    assert done.err.count("\n") == 1
    for value in others:
        with pytest.raises(ProfileError, match=rf"\.{parameter} = .*expected"):
            run(shared_table, load_profile("text", [*more, f"{key}={value}"]), tmp_path)
    assert not any(tmp_path.iterdir())


MESSAGES = {
    "level1.tfidf_logreg.C=-1": "level1.tfidf_logreg.C = -1: a number above 0 is expected. The "
    "default is 4.0.",
    "level1.bert.dropout=1.5": "level1.bert.dropout = 1.5: a number of at least 0 and below 1 is "
    "expected. The default is 0.1.",
    "level1.lightgbm.n_estimators=0": "level1.lightgbm.n_estimators = 0: a whole number of at "
    "least 1 is expected. The default is 100.",
    "level1.text_net.learning_rate=nan": "level1.text_net.learning_rate = nan: a number above 0 is "
    "expected. The default is 0.01.",
    "level1.text_net.learning_rate=inf": "level1.text_net.learning_rate = inf: a number above 0 is "
    "expected. The default is 0.01.",
    "level1.tfidf_logreg.ngram_range=[3, 1]": "level1.tfidf_logreg.ngram_range = [3, 1]: the "
    "shortest n-gram comes first, like [1, 2].",
    "level1.tfidf_logreg.ngram_range=[1, 2, 3]": "level1.tfidf_logreg.ngram_range = [1, 2, 3]: a "
    "list of 2 whole numbers of at least 1 is expected.",
    "level1.bert.keep=last": "level1.bert.keep = 'last': one of 'first', 'first_last' is expected. "
    "The default is 'first'.",
    "level2.model=3": "profile text: level2.model = 3: a text or a list of texts with 1 or "
    "more entries is expected.",
    'level2.model=["dnn", 3]': "profile text: level2.model = ['dnn', 3]: a text or a list of texts "
    "with 1 or more entries is expected.",
    'level2.model=["dnn", "dnn"]': "profile text: level2.model = ['dnn', 'dnn']: 'dnn' stands "
    "twice; name it once.",
    'level2.model=["dnn", "dmn"]': "There is no meta-learner 'dmn'. Did you mean 'dnn'? `python -m "
    "competition models` lists all.",
    'level2.metadata=["year", "year"]': "profile text: level2.metadata = ['year', 'year']: 'year' "
    "stands twice; name it once.",
    "seed=-1": "profile text: seed = -1: a whole number from 0 to 4294967295 is expected.",
    "seed=4294967296": "profile text: seed = 4294967296: a whole number from 0 to 4294967295 is "
    "expected.",
    "seed=99999999999999999999": "profile text: seed = 99999999999999999999: a number of at most "
    "64 bits is expected.",
    "seed=true": "profile text: seed = True: a whole number from 0 to 4294967295 is expected.",
    "folds.n=2.5": "profile text: folds.n = 2.5: a whole number of at least 2 is expected.",
    "folds.seed=-3": "profile text: folds.seed = -3: a whole number from 0 to 4294967295 is "
    "expected.",
    "kinds=[3]": "profile text: kinds = [3]: a list of one of 'text', 'image', 'video', 'audio', "
    "'metadata', 'array' is expected.",
    "level1.tfidf_logreg=3": "profile text: level1 = {'tfidf_logreg': 3}: a table is expected.",
    "level1.two words.C=1": "profile text: level1.two words: its name may hold letters, digits and "
    "underscores alone.",
    f"seed={'9' * 5000}": "--set seed: the value is nested too deeply, or a number of too many "
    "digits.",
    f"seed={'[' * 100_000}": "--set seed: the value is nested too deeply, or a number of too many "
    "digits.",
}


@pytest.mark.parametrize("setting", MESSAGES, ids=lambda setting: setting[:40])
def test_message_says_what_is_wrong_and_what_is_allowed(
    shared_table: Path, tmp_path: Path, setting: str
) -> None:
    done = called(
        *("run", "--data", shared_table, "--profile", "text", "--out", tmp_path, "--set", setting)
    )
    assert (done.status, done.err) == (2, f"Error: {MESSAGES[setting]}\n")
    assert not any(tmp_path.iterdir())


def test_tuning_and_stacking_check_parameters_first(shared_table: Path, tmp_path: Path) -> None:
    place = ("--data", shared_table, "--out", tmp_path)
    wrong = ("--set", "level1.tfidf_logreg.C=-1")
    assert called("tune", "tfidf_logreg", *place, *wrong).err.startswith(
        "Error: level1.tfidf_logreg.C = -1: a number above 0"
    )
    done = called("stack", *place, "--set", "level2.dnn.epochs=0")
    assert done.err.startswith("Error: level2.dnn.epochs = 0: a number above 0 is expected.")
    assert called("extract", "--profile", "text", *place, *wrong).status == 2
    assert called("ablate", *place, *wrong).status == 2
    assert not any(tmp_path.iterdir())


def test_largest_seed_runs(shared_table: Path, tmp_path: Path) -> None:
    settings = [f"seed={2**32 - 1}", f"folds.seed={2**32 - 1}", "folds.n=2"]
    settings += ['models=["tfidf_linearsvc", "lightgbm", "xgboost"]', 'level2.model="xgboost"']
    words = [word for one in settings for word in ("--set", one)]
    done = called("run", "--data", shared_table, "--jobs", 1, "--out", tmp_path, *words)
    assert done.status == 0, done.err


def declared_range(size: Count = 3, mode: Literal["a", "b"] = "a", share: float = 0.5) -> Any:
    raise NotImplementedError


class DeclaredByField(MetaLearner):
    def __init__(self, strength: Annotated[float, Field(ge=0, le=10)] = 1.0) -> None:
        self.strength = strength


def undeclared(size=3, name="x", ways=(1, 2), anything=None) -> None:  # type: ignore[no-untyped-def]
    pass


def of_a_foreign_type(table: "NoSuchName" = None, size: int = 3) -> None:  # type: ignore[name-defined] # noqa: F821
    pass


@pytest.mark.parametrize(
    ("make", "given", "message"),
    [
        (declared_range, {"size": 0}, "a whole number of at least 1"),
        (declared_range, {"mode": "c"}, "one of 'a', 'b'"),
        (declared_range, {"share": math.inf}, "a number is expected"),
        (DeclaredByField, {"strength": 11}, "a number from 0 to 10 is expected"),
        (undeclared, {"size": "3"}, "a whole number or a number is expected"),
        (undeclared, {"name": 3}, "a text is expected"),
        (undeclared, {"ways": 3}, "a list is expected"),
        (undeclared, {"anything": 2**63}, "at most 64 bits"),
        (of_a_foreign_type, {"size": "3"}, "a number is expected"),
    ],
)
def test_plug_in_gets_the_same_checks(
    make: Callable[..., Any], given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ProfileError, match=message):
        check_parameters("level1.own", given, make)


@pytest.mark.parametrize(
    "given", [{"size": 3.5}, {"ways": [3]}, {"ways": (3, 4)}, {"anything": {"a": [1]}}, {}]
)
def test_without_annotation_a_value_like_the_default_will_do(given: dict[str, Any]) -> None:
    check_parameters("level1.own", given, undeclared)
