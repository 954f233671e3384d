"""Types and ranges of what can be set: declared in signatures, checked before anything runs.

A model, meta-learner or extractor annotates the parameters of its constructor, and what a profile
or ``--set`` gives is held to that, by pydantic. A range is ``Annotated[int, Field(ge=1)]``; those
that many parameters share have names here.
"""

import inspect
import json
import types
import typing
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
)

from competition.utils.errors import ProfileError, nearest

Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]  # what numpy, PyTorch and LightGBM take
Count = Annotated[int, Field(ge=1)]
Whole = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
SomeShare = Annotated[float, Field(gt=0, le=1)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Leaves = Annotated[int, Field(ge=2)]  # of a tree


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    for place, name in enumerate(names):
        if name in names[:place]:
            raise ValueError(f"{name!r} stands twice; name it once")
    return names


Names = Annotated[tuple[str, ...], AfterValidator(_each_once)]

# JSON has lists alone, so that a list may stand for a tuple; nothing else stands for another type.
_STRICT = ConfigDict(strict=True, allow_inf_nan=False)
_LARGEST = 2**63  # whole numbers beyond 64 bits fit no library that a model uses
_LONGEST = 60  # characters of a value that a message quotes
# What a parameter without an annotation may be, by its default.
_BY_DEFAULT: dict[type, Any] = {
    bool: bool,
    int: int | float,
    float: float,
    str: str,
    tuple: tuple[Any, ...],
    list: tuple[Any, ...],
}
_NOUNS: dict[Any, tuple[str, str]] = {
    bool: ("true or false", "of true or false"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("a text", "texts"),
    dict: ("a table", "tables"),
}
_BOUNDS = {
    "ge": "of at least {}",
    "gt": "above {}",
    "le": "of at most {}",
    "lt": "below {}",
    "multiple_of": "divisible by {}",
    "min_length": "with {} or more entries",
    "pattern": "that fits {}",
}


def check_parameters(where: str, given: dict[str, Any], make: Callable[..., Any]) -> None:
    """Check parameters of a plug-in against the signature of its class or function.

    A parameter without an annotation that pydantic knows may be what its default is: a number where
    that is a number. Where the default is None, too, anything goes.

    Parameters
    ----------
    where : str
        What messages put before the parameter's name: ``level1.tfidf_logreg``.
    given : dict
    make : callable

    Raises
    ------
    ProfileError
        If one is unknown, of another type than declared, or out of its range.
    """
    signature = inspect.signature(make).parameters
    declared = declared_types(make)
    for name, value in given.items():
        if name not in signature:
            raise ProfileError(f"{where}: unknown key {name}.{nearest(name, signature)}")
        if fault := unfit(f"{where}.{name}", value):
            raise ProfileError(fault)
        default = signature[name].default
        fault = _fault(value, declared.get(name, Any), default)
        if fault:
            known = default is not inspect.Parameter.empty and default is not None
            hint = f" The default is {default!r}." if known else ""
            raise ProfileError(f"{where}.{name} = {quoted(value)}: {fault}.{hint}")


def declared_types(make: Callable[..., Any]) -> dict[str, Any]:
    """Annotation of each parameter of a class or function; empty where they cannot be resolved."""
    function = inspect.unwrap(make)
    if inspect.isclass(function):
        function = function.__init__
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError):  # a name that only type checkers import
        return {}


def _fault(value: Any, annotation: Any, default: Any) -> str:
    """Say what is wrong with a value; "" where nothing is."""
    try:
        adapter = TypeAdapter(annotation, config=_STRICT)
    except (PydanticUserError, NameError, TypeError):
        annotation = Any
    if annotation is Any:
        annotation = _BY_DEFAULT.get(type(default), Any)
        adapter = TypeAdapter(annotation, config=_STRICT)
    try:
        adapter.validate_json(json.dumps(value))
    except ValidationError as invalid:
        return explained(annotation, (), invalid.errors(include_url=False))
    return ""


def unfit(place: str, value: Any) -> str:
    """Name what no setting may hold: numbers beyond 64 bits, dates, nesting without end.

    Parameters
    ----------
    place : str
        The value's place in messages.
    value : object

    Returns
    -------
    str
        "" where nothing is wrong.
    """
    try:
        return _unfit(place, value)
    except RecursionError:
        return f"{place}: it is nested too deeply."


def _unfit(place: str, value: Any) -> str:
    if isinstance(value, bool | str | float | None):
        return ""
    if isinstance(value, int):
        fits = -_LARGEST <= value < _LARGEST
        return (
            "" if fits else f"{place} = {quoted(value)}: a number of at most 64 bits is expected."
        )
    if isinstance(value, dict):
        faults = (_unfit(f"{place}.{key}" if place else key, one) for key, one in value.items())
    elif isinstance(value, list | tuple):
        faults = (_unfit(f"{place}.{number}", one) for number, one in enumerate(value))
    else:
        return f"{place} = {quoted(value)}: a text, a number, a list or a table is expected."
    return next((fault for fault in faults if fault), "")


def quoted(value: Any) -> str:
    """Return a value as a message quotes it, shortened."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # of a number with thousands of digits, or deep nesting
        return "(too long to show)"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def explained(annotation: Any, metadata: Sequence[Any], mistakes: Sequence[Any]) -> str:
    """Say what a value must be, or what a check of the project's own has found in it."""
    for mistake in mistakes:
        if mistake["type"] == "value_error":
            return str(mistake["ctx"]["error"])
    return f"{_described(annotation, metadata)} is expected"


def _described(annotation: Any, metadata: Sequence[Any] = (), *, many: bool = False) -> str:
    """Say in words what an annotation allows: "a whole number of at least 1"."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _described(arguments[0], [*arguments[1:], *metadata], many=many)
    if origin is Literal:
        return "one of " + ", ".join(map(repr, arguments))
    if origin in (typing.Union, types.UnionType):
        kinds = [one for one in arguments if one is not type(None)]
        return " or ".join(dict.fromkeys(_described(one, many=many) for one in kinds))
    if origin in (tuple, list):
        number = "" if origin is list or arguments[-1] is ... else f"{len(arguments)} "
        inner = "" if arguments[0] is Any else f" of {number}{_described(arguments[0], many=True)}"
        return " ".join([f"a list{inner}", *_bounds(metadata)])
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        origin = dict
    noun = _NOUNS.get(origin or annotation, (str(annotation), str(annotation)))[many]
    bounds = [bound for bound in _bounds(metadata) if annotation is not str or "fits" in bound]
    return " ".join([noun, " and ".join(bounds)]).strip()


def _bounds(metadata: Sequence[Any]) -> list[str]:
    single = [part for given in metadata for part in getattr(given, "metadata", [given])]
    found = {
        name: getattr(part, name)
        for part in single
        for name in _BOUNDS
        if getattr(part, name, None) is not None
    }
    between = []
    if "ge" in found and "le" in found:
        between = [f"from {found.pop('ge')} to {found.pop('le')}"]
    return between + [_BOUNDS[name].format(bound) for name, bound in found.items()]
