"""Profiles: what to run, and the reader of their TOML.

An unknown key is an error that names the nearest known one.
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, PrivateAttr, field_validator

from competition.config.stages import (
    CandidateSettings,
    FeatureSettings,
    FoldSettings,
    Level1Settings,
    Level2Settings,
    why_reserved,
)
from competition.datasets.base import InputKind
from competition.utils.durations import seconds_of
from competition.utils.errors import ProfileError, nearest
from competition.utils.parameters import Seed
from competition.utils.registry import load_plugins
from competition.utils.settings import Settings, parse_settings, read_toml

PROFILES = Path(__file__).parent / "profiles"
Quality = Literal["fast", "default", "best"]


class Profile(Settings):
    """What a run does.

    Attributes
    ----------
    plugins : tuple of str
        Files of Python that register models, meta-learners or extractors. A path in a profile is
        relative to the profile's folder, one of ``--set`` to the current folder.
    seed : int
        Seed of every model.
    metric : str
        What the stack and `tune` are chosen by: "gap", "map", "f1" or "module:function".
    quality : {"fast", "default", "best"}
        Fewer models or more than the profile names (`competition.pipeline.quality`).
    time_limit : str or None
        What a run may take, like "90s", "20m" or "1.5h" (`competition.pipeline.time_limit.plan`).
    kinds : tuple of str or None
        Use only inputs of these kinds, and of `models` only those that read nothing else; None
        uses all.
    models : tuple of str
        Patterns of registered models to run with default settings, wherever the dataset has an
        input that they read; a pattern that begins with "!" takes models away again. A model with a
        parameter that has no default runs where it is named in ``level1``, whatever the patterns.
    optional : tuple of str
        Settings of this profile that name a checkpoint, such as ``level1.bert_ocr.checkpoint``,
        and may be left out: where it is not to be had, its feature or model is left out of the run.
        One that ``--set`` names is not.
    folds, features, level1, level2
        Settings of each stage; a name in ``features`` becomes an input, one in ``level1`` adds a
        model or sets one of `models`.
    """

    plugins: tuple[str, ...] = ()
    seed: Seed = 0
    metric: str = "gap"
    quality: Quality = "default"
    time_limit: str | None = None
    kinds: tuple[InputKind, ...] | None = None
    models: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    folds: FoldSettings = FoldSettings()
    features: dict[Annotated[str, Field(pattern=r"^\w+$")], FeatureSettings] = Field(
        default_factory=dict
    )
    level1: dict[Annotated[str, Field(pattern=r"^\w+$")], Level1Settings] = Field(
        default_factory=dict
    )
    level2: Level2Settings = Level2Settings()
    _called: str = PrivateAttr("")
    _own: frozenset[str] = PrivateAttr(frozenset())

    @property
    def seconds(self) -> float | None:
        """The time limit; None where there is none."""
        return None if self.time_limit is None else seconds_of(self.time_limit)

    def __eq__(self, other: object) -> bool:
        """Whether both say the same, whoever has set it."""
        return isinstance(other, Profile) and self.model_dump() == other.model_dump()

    def sets(self, key: str) -> bool:
        """Whether the user has set a key, or one below it, in a file of his own or by ``--set``."""
        return any(own == key or own.startswith(f"{key}.") for own in self._own)

    def wants(self, kind: InputKind) -> bool:
        """Whether inputs of a kind are used."""
        return self.kinds is None or kind in self.kinds

    @field_validator("time_limit")
    @classmethod
    def _is_a_time(cls, value: str | None) -> str | None:
        if value is not None:
            seconds_of(value)
        return value

    @property
    def called(self) -> str:
        """Name of the file that it was read from, without its ending; "" where there was none."""
        return self._called

    @field_validator("level1")
    @classmethod
    def _names_are_free(cls, value: dict[str, Level1Settings]) -> dict[str, Level1Settings]:
        for reason in filter(None, map(why_reserved, value)):
            raise ValueError(reason.removesuffix("."))
        return value


class StackSettings(Settings):
    """What `stack` does: a profile without level 1, and with many meta-learners."""

    plugins: tuple[str, ...] = ()
    seed: Seed = 0
    metric: str = "gap"
    folds: FoldSettings = FoldSettings()
    level2: CandidateSettings = CandidateSettings.model_validate({})

    @property
    def called(self) -> str:
        """What a log calls these settings."""
        return "stack"


S = TypeVar("S", Profile, StackSettings)


def profile_names() -> list[str]:
    """Names of the shipped profiles."""
    return sorted(path.stem for path in PROFILES.glob("*.toml"))


def load_profile(name: str, overrides: list[str] | None = None) -> Profile:
    """Read a shipped profile by name, or a user's own by path; apply overrides, load plug-ins.

    Parameters
    ----------
    name : str
        "demo", or a path that ends in ``.toml``.
    overrides : list of str
        Like ``level1.tfidf_logreg.C=3``; the value is TOML, anything else is taken as text.

    Raises
    ------
    ProfileError
        If there is no such profile, a key of it is unknown, or a plug-in is missing.

    Examples
    --------
    >>> from competition import load_profile
    >>> profile = load_profile("text", ["folds.n=3", "level1.tfidf_logreg.C=2"])
    >>> profile.folds.n, profile.level1["tfidf_logreg"].params
    (3, {'C': 2})
    """
    path = Path(name) if name.endswith(".toml") else PROFILES / f"{name}.toml"
    if path.is_dir():
        raise ProfileError(f"{path} is a folder. Name a profile's .toml file.")
    if not path.is_file():
        known = profile_names()
        hint = nearest(name, known) if path.parent == PROFILES else ""
        raise ProfileError(f"There is no profile {name!r}.{hint}")
    data = read_toml(path, ProfileError)
    _anchor_plugins(data, path.parent)
    own = [] if path.parent == PROFILES else list(_keys(data))
    own += [override.partition("=")[0].strip() for override in overrides or []]
    profile = _parsed(Profile, data, overrides, f"profile {name}")
    profile = profile.model_copy(update={"optional": _still_optional(profile, overrides or [])})
    profile._called = path.stem
    profile._own = frozenset(own)
    return profile


def load_stack_settings(overrides: list[str] | None = None) -> StackSettings:
    """Read what `stack` does from overrides like ``level2.dnn.seeds=3``; load plug-ins.

    Raises
    ------
    ProfileError
        If a key is unknown, or a plug-in is missing.

    Examples
    --------
    >>> from competition import load_stack_settings
    >>> load_stack_settings(["level2.dnn.seeds=3", "seed=1"]).level2.params
    {'dnn': {'seeds': 3}}
    """
    return _parsed(StackSettings, {}, overrides, "--set")


def _parsed(schema: type[S], data: dict[str, Any], overrides: list[str] | None, source: str) -> S:
    """Apply overrides, check the result and load its plug-ins."""
    for override in overrides or []:
        _apply(data, override)
    _anchor_plugins(data, Path.cwd())
    settings = parse_settings(schema, data, source, ProfileError)
    load_plugins([Path(path) for path in settings.plugins])
    return settings


def _still_optional(profile: Profile, overrides: list[str]) -> tuple[str, ...]:
    """Return what a profile calls optional, without what an override sets."""
    tables = {f"features.{name}": one.params for name, one in profile.features.items()}
    tables |= {f"level1.{name}": one.params for name, one in profile.level1.items()}
    named = [f"{table}.checkpoint" for table, params in tables.items() if "checkpoint" in params]
    overridden = tuple(override.partition("=")[0].strip() for override in overrides)
    kept = [
        key
        for key in profile.optional
        if not any(f"{key}.".startswith(f"{given}.") for given in overridden)
    ]
    for key in kept:
        if key not in named:
            raise ProfileError(
                f"optional: the profile sets no checkpoint {key!r}.{nearest(key, named)}"
            )
    return tuple(kept)


def _keys(data: dict[str, Any], above: str = "") -> Iterator[str]:
    """Keys of tables within tables, joined by dots; that of a table too."""
    for key, value in data.items():
        yield f"{above}{key}"
        if isinstance(value, dict):
            yield from _keys(value, f"{above}{key}.")


def _anchor_plugins(data: dict[str, Any], folder: Path) -> None:
    """Make the paths of plug-ins absolute, so that they hold wherever the profile is written."""
    paths = data.get("plugins")
    if isinstance(paths, list):
        data["plugins"] = [
            str((folder / path).absolute()) if isinstance(path, str) else path for path in paths
        ]


def _apply(data: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    parts = key.strip().split(".")
    if not separator or not all(parts):
        raise ProfileError(f"--set {override}: expected KEY=VALUE, like level1.tfidf_logreg.C=3.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    except (ValueError, RecursionError):
        raise ProfileError(
            f"--set {key}: the value is nested too deeply, or a number of too many digits."
        ) from None
    for part in parts[:-1]:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise ProfileError(f"--set {override}: {part} is a value, not a table.")
    data[parts[-1]] = value
