"""TOML settings read into pydantic models; a mistake is named with its place and nearest fix."""

import tomllib
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from competition.utils.errors import CompetitionError, ProfileError, nearest


class Settings(BaseModel):
    """Base of all settings: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


def check_parameters(where: str, given: dict[str, Any], known: dict[str, Any]) -> None:
    """Check parameters of a plug-in against the names and defaults that it knows.

    Raises
    ------
    ProfileError
        If one is unknown, or its value is of another kind than the default.
    """
    for name, value in given.items():
        if name not in known:
            raise ProfileError(f"{where}: unknown key {name}.{nearest(name, known)}")
        check_value(f"{where}.{name}", value, known[name])


def check_value(key: str, value: Any, default: Any) -> None:
    """Raise a ProfileError if a parameter's value is of another kind than its default.

    A number may stand for a number, a list for a tuple; where the default is None, anything goes.
    """
    kinds = {bool: (bool,), int: (int, float), float: (int, float), str: (str,)}
    nouns = {bool: "true or false", int: "a number", float: "a number", str: "a text"}
    kind = type(default)
    if kind in (tuple, list):
        wrong, noun = not isinstance(value, list | tuple), "a list"
    elif kind in kinds:
        wrong = not isinstance(value, kinds[kind]) or isinstance(value, bool) != (kind is bool)
        noun = nouns[kind]
    else:
        return
    if wrong:
        raise ProfileError(f"{key}: {value!r} is not {noun}. The default is {default!r}.")


def read_toml(path: Path, error: type[CompetitionError]) -> dict[str, Any]:
    """Read a TOML file; raise `error` naming file and line where it is malformed."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise error(f"There is no file {path}.") from None
    except UnicodeDecodeError as bad:
        raise error(f"{path} is not UTF-8 at byte {bad.start}. Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as bad:
        raise error(f"{path} is not valid TOML: {bad}.") from None


S = TypeVar("S", bound=Settings)


def parse_settings(
    model: type[S], data: dict[str, Any], source: str, error: type[CompetitionError]
) -> S:
    """Check `data` against `model`; raise `error` with one line per mistake."""
    try:
        return model.model_validate(data)
    except ValidationError as invalid:
        lines = [_explain(model, dict(mistake)) for mistake in invalid.errors(include_url=False)]
        raise error("\n".join(f"{source}: {line}" for line in lines)) from None


def _explain(model: type[BaseModel], mistake: dict[str, Any]) -> str:
    location = [part for part in mistake["loc"] if part != "[key]"]
    where = ".".join(str(part) for part in location)
    if mistake["type"] == "extra_forbidden":
        return f"unknown key {where}.{nearest(str(location[-1]), _keys_at(model, location[:-1]))}"
    if mistake["type"] == "missing":
        return f"{where} is missing."
    return f"{where} = {mistake['input']!r}: {mistake['msg']}."


def _keys_at(model: type[BaseModel], location: list[Any]) -> list[str]:
    """Keys that the settings at `location` may have."""
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            inner = _inner_model(model.model_fields[part].annotation)
            if inner is None:
                return []
            model = inner
    return list(model.model_fields)


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    """Find the settings class inside list[S], dict[str, S] or S | None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (list, dict, tuple, typing.Union, types.UnionType):
        for argument in typing.get_args(annotation):
            found = _inner_model(argument)
            if found is not None:
                return found
    return None
