"""Profiles: what to run, as TOML; unknown keys are errors that name the nearest known one."""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field

from competition.datasets.base import AdDataset, InputKind
from competition.errors import ProfileError
from competition.settings import Settings, check_value, nearest, parse_settings, read_toml

PROFILES = Path(__file__).parent / "profiles"

# From a few dozen ads, where nothing can be learned, to many, and to telling facts, one of these
# proves best or close to it, and all of them together take seconds.
CANDIDATES = ("dnn", "pooled", "xgboost", "logit_mean", "single")


class FoldSettings(Settings):
    """How new folds are made; an existing folds.csv is obeyed instead."""

    n: int = Field(default=5, ge=2)
    seed: int = 0


class FeatureSettings(Settings):
    """One feature: every further key is a parameter of the extractor."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    extractor: str
    input: str | None = None

    @property
    def params(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Level1Settings(Settings):
    """One level-1 model: every further key is a parameter of the model."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    model: str | None = None
    inputs: tuple[str, ...] | None = None

    @property
    def params(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Level2Settings(Settings):
    """The meta-learner, or several, of which the gate chooses.

    Every further key is a parameter of the one meta-learner; of several, each has a table of its
    own: ``level2.dnn.seeds``.
    """

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    model: str | Annotated[tuple[str, ...], Field(min_length=1)] = CANDIDATES
    metadata: tuple[str, ...] | None = None

    @property
    def params(self) -> dict[str, dict[str, Any]]:
        """Each meta-learner's name, in order, with its parameters.

        Raises
        ------
        ProfileError
            If a key is no table of one of several meta-learners.
        """
        given = dict(self.model_extra or {})
        if isinstance(self.model, str):
            return {self.model: given}
        for name, table in given.items():
            if name not in self.model or not isinstance(table, dict):
                raise ProfileError(
                    f"level2: of several meta-learners ({', '.join(self.model)}) each has its own "
                    f"parameters, and {name} is none of them: give level2.NAME.{name}, or choose "
                    "one by level2.model."
                )
        return {name: dict(given.get(name, {})) for name in self.model}

    def with_params(self, name: str, params: dict[str, Any]) -> Self:
        """Return the same settings with parameters of one meta-learner set."""
        given = self.model_dump(exclude_none=True)
        own = given if isinstance(self.model, str) else given.setdefault(name, {})
        own.update(params)
        return type(self).model_validate(given)


class Profile(Settings):
    """What a run does.

    Attributes
    ----------
    seed : int
        Seed of every model.
    kinds : tuple of str or None
        Use only inputs of these kinds, and of `models` only those that read nothing else; None
        uses all.
    models : tuple of str
        Patterns of registered models to run with default settings, wherever the dataset has an
        input that they read; a pattern that begins with "!" takes models away again.
    folds, features, level1, level2
        Settings of the parts; a name in ``features`` becomes an input, one in ``level1`` adds a
        model or sets one of `models`.
    """

    seed: int = 0
    kinds: tuple[InputKind, ...] | None = None
    models: tuple[str, ...] = ()
    folds: FoldSettings = FoldSettings()
    features: dict[Annotated[str, Field(pattern=r"^\w+$")], FeatureSettings] = Field(
        default_factory=dict
    )
    level1: dict[Annotated[str, Field(pattern=r"^\w+$")], Level1Settings] = Field(
        default_factory=dict
    )
    level2: Level2Settings = Level2Settings()


class CandidateSettings(Settings):
    """The meta-learners that `stack` compares, and what they know of an ad.

    Every further key is a meta-learner's table of parameters.

    Parameters
    ----------
    model : str or tuple of str or None
        One, or several; all that are registered if None.
    metadata : tuple of str or None
    """

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())
    __pydantic_extra__: dict[str, dict[str, Any]]

    model: str | Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    metadata: tuple[str, ...] | None = None

    @property
    def params(self) -> dict[str, dict[str, Any]]:
        return dict(self.model_extra or {})


class StackSettings(Settings):
    """What `stack` does: a profile without level 1, and with many meta-learners."""

    seed: int = 0
    folds: FoldSettings = FoldSettings()
    level2: CandidateSettings = CandidateSettings.model_validate({})


@dataclass(frozen=True)
class PlannedModel:
    """A level-1 model with the columns that it will read."""

    name: str
    model: str
    columns: tuple[str, ...]
    params: dict[str, Any]


def profile_names() -> list[str]:
    """Names of the shipped profiles."""
    return sorted(path.stem for path in PROFILES.glob("*.toml"))


def load_profile(name: str, overrides: list[str] | None = None) -> Profile:
    """Read a shipped profile by name, or a user's own by path, and apply overrides.

    Parameters
    ----------
    name : str
        "demo", or a path that ends in ``.toml``.
    overrides : list of str
        Like ``level1.tfidf_logreg.C=3``; the value is TOML, anything else is taken as text.

    Raises
    ------
    ProfileError
        If there is no such profile, or a key of it is unknown.
    """
    path = Path(name) if name.endswith(".toml") else PROFILES / f"{name}.toml"
    if not path.is_file():
        known = profile_names()
        hint = nearest(name, known) if path.parent == PROFILES else ""
        raise ProfileError(f"There is no profile {name!r}.{hint}")
    data = read_toml(path, ProfileError)
    for override in overrides or []:
        _apply(data, override)
    return parse_settings(Profile, data, f"profile {name}", ProfileError)


def load_stack_settings(overrides: list[str] | None = None) -> StackSettings:
    """Read what `stack` does from overrides like ``level2.dnn.seeds=3``.

    Raises
    ------
    ProfileError
        If a key is unknown.
    """
    data: dict[str, Any] = {}
    for override in overrides or []:
        _apply(data, override)
    return parse_settings(StackSettings, data, "--set", ProfileError)


def _apply(data: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    parts = key.strip().split(".")
    if not separator or not all(parts):
        raise ProfileError(f"--set {override}: expected KEY=VALUE, like level1.tfidf_logreg.C=3.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    for part in parts[:-1]:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise ProfileError(f"--set {override}: {part} is a value, not a table.")
    data[parts[-1]] = value


def profile_toml(profile: Profile) -> str:
    """Write a profile as the TOML that `load_profile` reads; what is None is left out."""
    data = profile.model_dump(exclude_none=True)
    named = {
        f"{part}.{_toml_key(name)}": table
        for part in ("features", "level1")
        for name, table in data.pop(part).items()
    }
    tables = {"folds": data.pop("folds"), **named, "level2": data.pop("level2")}
    lines = _toml_lines(data)
    for name, table in tables.items():
        lines += ["", f"[{name}]", *_toml_lines(table)]
    return "\n".join(lines) + "\n"


def _toml_lines(table: dict[str, Any]) -> list[str]:
    return [f"{_toml_key(key)} = {_toml_value(value)}" for key, value in table.items()]


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml_value(key)


def _toml_value(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(_toml_lines(value))}}}"
    return repr(value)  # numbers, written as TOML writes them


def plan_models(profile: Profile, dataset: AdDataset) -> list[PlannedModel]:
    """Say which level-1 models run on a dataset, on which columns.

    Raises
    ------
    ProfileError
        If a model, an input or a parameter is unknown, or no model can run.
    """
    from competition.level1.registry import find_models, get_model

    settings = dict(profile.level1)
    names: list[str] = []
    for pattern in profile.models:
        matching = find_models(pattern.removeprefix("!"))
        if not matching:
            raise ProfileError(f"models: no level-1 model matches {pattern!r}.")
        if pattern.startswith("!"):
            names = [name for name in names if name not in matching]
        else:
            names += [name for name in matching if name not in names]
    for name in names:
        if profile.kinds is None or set(get_model(name).kinds) <= set(profile.kinds):
            settings.setdefault(name, Level1Settings())
    planned = []
    for name, chosen in settings.items():
        entry = get_model(chosen.model or name)
        for parameter in chosen.params:
            if parameter not in entry.parameters:
                hint = nearest(parameter, entry.parameters)
                raise ProfileError(f"level1.{name}: unknown key {parameter}.{hint}")
            given = chosen.params[parameter]
            check_value(f"level1.{name}.{parameter}", given, entry.parameters[parameter])
        columns = _columns(name, chosen, entry.kinds, profile, dataset)
        if columns:
            planned.append(PlannedModel(name, entry.name, columns, chosen.params))
    if not profile.models and not profile.level1:
        raise ProfileError(
            'The profile lists no level-1 model: add models = ["*"], or a table [level1.NAME].'
        )
    if not planned:
        kinds = ", ".join(sorted({given.kind for given in dataset.inputs.values()})) or "none"
        raise ProfileError(
            f"No level-1 model of the profile can read {dataset.name}: its inputs are of kind "
            f"{kinds}. `python -m competition models` lists what each model reads."
        )
    return planned


def _columns(
    name: str,
    chosen: Level1Settings,
    kinds: tuple[InputKind, ...],
    profile: Profile,
    dataset: AdDataset,
) -> tuple[str, ...]:
    """Columns that a model reads: those it names, else all of the kinds it can read."""
    allowed = set(kinds) if profile.kinds is None else set(kinds) & set(profile.kinds)
    if chosen.inputs is None:
        return tuple(
            column
            for given in dataset.inputs.values()
            if given.kind in allowed
            for column in given.columns
        )
    columns: list[str] = []
    facts = {
        column
        for given in dataset.inputs.values()
        if given.kind == "metadata"
        for column in given.columns
    }
    for wanted in chosen.inputs:
        if wanted in dataset.inputs:
            given = dataset.inputs[wanted]
            if given.kind not in kinds:
                raise ProfileError(
                    f"level1.{name}: the input {wanted} is of kind {given.kind}, but the model "
                    f"reads {', '.join(kinds)}."
                )
            columns += given.columns
        elif wanted in facts and "metadata" in kinds:
            columns.append(wanted)
        elif wanted not in profile.features:  # a feature was left out, and that was said
            hint = nearest(wanted, [*dataset.inputs, *facts, *profile.features])
            raise ProfileError(f"level1.{name}: {dataset.name} has no input {wanted!r}.{hint}")
    return tuple(columns)


def plan_facts(profile: Profile | StackSettings, dataset: AdDataset) -> list[str]:
    """Facts that the meta-learner sees: those the profile names, else all the dataset has.

    Raises
    ------
    ProfileError
        If the profile names a fact that the dataset lacks.
    """
    facts = [
        column
        for given in dataset.inputs.values()
        if given.kind == "metadata"
        for column in given.columns
    ]
    if profile.level2.metadata is None:
        return facts
    for name in profile.level2.metadata:
        if name not in facts:
            raise ProfileError(
                f"level2.metadata: {dataset.name} has no fact {name!r}.{nearest(name, facts)}"
            )
    return list(profile.level2.metadata)
