"""TOML settings read into pydantic models; a mistake is named with its place and nearest fix."""

import json
import tomllib
import types
import typing
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from competition.utils.errors import CompetitionError, nearest
from competition.utils.parameters import explained, quoted, unfit


class Settings(BaseModel):
    """Base of all settings: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


def read_toml(path: Path, error: type[CompetitionError]) -> dict[str, Any]:
    """Read a TOML file; raise `error` naming file and line where it is malformed."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise error(f"There is no file {path}.") from None
    except OSError as bad:
        raise error(f"{path} cannot be read: {bad.strerror}.") from None
    except UnicodeDecodeError as bad:
        raise error(f"{path} is not UTF-8 at byte {bad.start}. Save it as UTF-8.") from None
    except RecursionError:
        raise error(f"{path} is nested too deeply to be read. Correct it.") from None
    except ValueError as bad:  # of its syntax, or a number of thousands of digits
        raise error(f"{path} is not valid TOML: {bad}.") from None


S = TypeVar("S", bound=Settings)


def parse_settings(
    model: type[S], data: dict[str, Any], source: str, error: type[CompetitionError]
) -> S:
    """Check `data` against `model`; raise `error` with one line per mistake."""
    if fault := unfit("", data):
        raise error(f"{source}: {fault}")
    try:
        # As JSON, where a list may stand for a tuple, and nothing else for another type.
        return model.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as invalid:
        faults: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
        for mistake in _told_apart(invalid.errors(include_url=False)):
            faults[_place(model, data, mistake)].append(mistake)
        lines = [_explain(model, data, place, found) for place, found in faults.items()]
        raise error("\n".join(f"{source}: {line}" for line in lines)) from None


def _told_apart(mistakes: Sequence[Any]) -> list[Any]:
    """Leave out lists that are too short only because of a mistake in one of their entries."""

    def holds(one: Any, other: Any) -> bool:
        n = len(one["loc"])
        return n < len(other["loc"]) and other["loc"][:n] == one["loc"]

    return [
        one
        for one in mistakes
        if one["type"] != "too_short" or not any(holds(one, other) for other in mistakes)
    ]


def _place(model: type[BaseModel], data: Any, mistake: Any) -> tuple[Any, ...]:
    """Keys down to what is wrong, without those of a choice among types."""
    location, kind = mistake["loc"], mistake["type"]
    if location[-1:] == ("[key]",) or kind in ("extra_forbidden", "missing"):
        return tuple(location)
    if kind == "value_error":  # of a whole table as well as of a field
        return tuple(location[: len(_followed(data, location)) - 1])
    return tuple(location[: _depth(model, location)])


def _followed(data: Any, location: Sequence[Any]) -> list[Any]:
    """Data, and what lies at each part of the location as far as it can be followed."""
    found = [data]
    for part in location:
        inner = found[-1]
        if not isinstance(inner, dict if isinstance(part, str) else list | tuple):
            break
        if isinstance(part, str) and part not in inner:
            break
        found.append(inner[part])
    return found


def _explain(model: type[BaseModel], data: Any, place: tuple[Any, ...], found: list[Any]) -> str:
    where, kind = ".".join(map(str, place)), found[0]["type"]
    if place[-1:] == ("[key]",):
        where = where.removesuffix(".[key]")
        return f"{where}: its name may hold letters, digits and underscores alone."
    if kind == "extra_forbidden":
        return f"unknown key {where}.{nearest(str(place[-1]), _keys_at(model, place[:-1]))}"
    if kind == "missing":
        return f"{where} is missing."
    settings = _settings_at(model, place[:-1])
    field = settings.model_fields.get(str(place[-1])) if settings and place else None
    annotation, metadata = (field.annotation, field.metadata) if field else (dict, [])
    fault = explained(annotation, metadata, found)
    if not place:
        return f"{fault}."
    return f"{where} = {quoted(_followed(data, place)[-1])}: {fault}."


def _keys_at(model: type[BaseModel], location: Sequence[Any]) -> list[str]:
    """Keys that the settings at `location` may have."""
    settings = _settings_at(model, location)
    return [] if settings is None else list(settings.model_fields)


def _settings_at(model: type[BaseModel], location: Sequence[Any]) -> type[BaseModel] | None:
    """Class of the settings at `location`, whose parts are fields, and keys or places in them."""
    inner: type[BaseModel] | None = model
    for part in location:
        if inner is not None and isinstance(part, str) and part in inner.model_fields:
            inner = _inner_model(inner.model_fields[part].annotation)
    return inner


def _depth(model: type[BaseModel], location: Sequence[Any]) -> int:
    """How many parts of a location lead to its last field."""
    inner: type[BaseModel] | None = model
    depth = 0
    for number, part in enumerate(location, start=1):
        if inner is not None and isinstance(part, str) and part in inner.model_fields:
            depth = number
            inner = _inner_model(inner.model_fields[part].annotation)
    return depth


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
