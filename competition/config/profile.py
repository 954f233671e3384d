"""Profiles: what to run, as TOML; unknown keys are errors that name the nearest known one."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field

from competition.datasets.base import InputKind
from competition.utils.errors import ProfileError, nearest
from competition.utils.settings import Settings, parse_settings, read_toml

PROFILES = Path(__file__).parent / "profiles"

# From a few dozen ads, where nothing can be learned, to many, and to telling metadata, one of these
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
        input that they read; a pattern that begins with "!" takes models away again. A model with a
        parameter that has no default runs where it is named in ``level1``, whatever the patterns.
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
