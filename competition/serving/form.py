"""From the JSON of a request to rows of ads; what names a file is resolved or refused."""

import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from competition.datasets.base import InputKind
from competition.saved.manifest import Manifest
from competition.serving.refusals import BAD_REQUEST, FORBIDDEN, TOO_LARGE, WRONG_AD, RefusedError
from competition.utils.errors import nearest, some

Row = dict[str, Any]  # cells of an ad by column: texts, numbers, lists of paths
FILES = "files"  # the allowed folder's name below the folder that paths of rows are relative to
_SHOWN = 100  # characters of what a request holds that a sentence repeats


class Key(NamedTuple):
    """What a key of an ad stands for."""

    input: str
    kind: InputKind
    column: str
    type: str


@dataclass(frozen=True)
class AskedAds:
    """The ads of a request.

    Attributes
    ----------
    ids : tuple of str, int or None
        As they were given.
    rows : tuple of Row
    """

    ids: tuple[str | int | None, ...]
    rows: tuple[Row, ...]


class AdForm:
    """The form of the ads that a saved stack can tag.

    Parameters
    ----------
    manifest : Manifest
    files : Path or None
        The folder whose files an ad may name.
    max_ads : int
    """

    def __init__(self, manifest: Manifest, files: Path | None, max_ads: int) -> None:
        self.id = manifest.id_column
        self.files = None if files is None else Path(os.path.realpath(files))
        self.max_ads = max_ads
        self.keys = _keys(manifest)

    @property
    def columns(self) -> list[str]:
        """Columns of a frame of ads."""
        return list(dict.fromkeys(key.column for key in self.keys.values()))

    def ads_of(self, asked: Any, uploads: dict[str, str]) -> AskedAds:
        """Return the ads that a request asks about.

        Parameters
        ----------
        asked : dict or list of dict
            What its JSON holds: an ad, or several.
        uploads : dict of str to str
            The path of each uploaded file, by its name in the request.

        Raises
        ------
        RefusedError
            If an ad is not of this form, an id stands twice, or a path may not be opened.
        """
        ads = asked if isinstance(asked, list) else [asked]
        if not ads:
            raise RefusedError(WRONG_AD, "The list of ads is empty: send at least one ad.")
        if len(ads) > self.max_ads:
            raise RefusedError(
                TOO_LARGE,
                f"The request has {len(ads):,} ads, and at most {self.max_ads:,} are taken: send "
                "several requests.",
            )
        used: set[str] = set()
        rows = [self._row(ad, place, uploads, used) for place, ad in enumerate(ads, 1)]
        unused = sorted(set(uploads) - used)
        if unused:
            raise RefusedError(
                WRONG_AD,
                f"No ad names the upload {_shown(unused[0])}: write "
                f'{{"upload": {json.dumps(unused[0])}}} where it belongs.',
            )
        ids = tuple(ad.get(self.id) for ad in ads)
        seen: set[str] = set()
        for one in ids:
            if one is not None and str(one) in seen:
                raise RefusedError(WRONG_AD, f"The {self.id} {_shown(one)} stands twice.")
            seen.add(str(one))
        return AskedAds(ids, tuple(rows))

    def _row(self, ad: Any, place: int, uploads: dict[str, str], used: set[str]) -> Row:
        where = f"Ad {place}"
        if not isinstance(ad, dict):
            raise RefusedError(WRONG_AD, f"{where} is {_what(ad)}, and not an object with inputs.")
        given = ad.get(self.id)
        if given is not None and (isinstance(given, bool) or not isinstance(given, str | int)):
            raise RefusedError(WRONG_AD, f"{where}: {self.id} is {_what(given)}, and not a text.")
        _sound(str(given), f"{where}: {self.id}")
        row: Row = {}
        for name, value in ad.items():
            if name == self.id:
                continue
            if name not in self.keys:
                raise RefusedError(
                    WRONG_AD,
                    f"{where} has {_shown(name)}, which is no input of the stack."
                    + nearest(name, [self.id, *self.keys]),
                )
            key = self.keys[name]
            if key.column in row:
                raise RefusedError(WRONG_AD, f"{where} has the column {key.column!r} by two names.")
            at = f"{where}: {name}"
            if key.kind == "text":
                row[key.column] = _text(value, at)
            elif key.kind == "metadata":
                row[key.column] = _value(value, at)
            else:
                row[key.column] = self._paths(value, at, uploads, used)
        return row

    def _paths(self, value: Any, at: str, uploads: dict[str, str], used: set[str]) -> Any:
        if value is None or value == []:
            return ""
        many = value if isinstance(value, list) else [value]
        found = [self._path(one, at, uploads, used) for one in many]
        return found[0] if len(found) == 1 else found

    def _path(self, value: Any, at: str, uploads: dict[str, str], used: set[str]) -> str:
        if isinstance(value, str):
            return f"{FILES}/{_below(self.files, value, at)}"
        if (
            isinstance(value, dict)
            and list(value) == ["upload"]
            and isinstance(value["upload"], str)
        ):
            name = value["upload"]
            if name not in uploads:
                raise RefusedError(
                    WRONG_AD,
                    f"{at}: the request brings no upload {_shown(name)}; it brings "
                    f"{some(sorted(uploads), 10) or 'none'}.",
                )
            used.add(name)
            return uploads[name]
        raise RefusedError(
            WRONG_AD,
            f'{at} is {_what(value)}: write the path of a file, {{"upload": NAME}}, or a list of '
            "these.",
        )


def read_json(content: bytes) -> Any:
    """Read the JSON of a request.

    Raises
    ------
    RefusedError
        If it is none, a key stands twice, or a number is none.
    """
    if not content.strip():
        raise RefusedError(BAD_REQUEST, "The request is empty: send an ad as a JSON object.")
    try:
        return json.loads(
            content.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number
        )
    except RecursionError:
        raise RefusedError(BAD_REQUEST, "The JSON of the request is nested too deeply.") from None
    except ValueError as bad:  # of JSON, of UTF-8, or a number of thousands of digits
        raise RefusedError(BAD_REQUEST, f"The request holds no JSON: {_short(str(bad))}.") from None


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise RefusedError(BAD_REQUEST, f"The JSON has the key {_shown(twice)} twice.")
    return found


def _no_number(word: str) -> None:
    raise RefusedError(BAD_REQUEST, f"The request holds no JSON: {word} is no number; write null.")


def _keys(manifest: Manifest) -> dict[str, Key]:
    """Return the keys that an ad may have: the columns of training, and names of inputs."""
    found: dict[str, Key] = {}
    for name, given in manifest.inputs.items():
        if not given.columns:
            continue
        single = given.settings.get("column")
        columns = [single] if single else list(given.settings.get("columns", given.columns))
        for column in columns:
            found[column] = Key(name, given.kind, column, given.types.get(column, ""))
    for name, given in manifest.inputs.items():
        of_input = [key for key in found.values() if key.input == name]
        if of_input and given.kind != "metadata":
            found.setdefault(name, of_input[0])
    return found


def _text(value: Any, at: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RefusedError(WRONG_AD, f"{at} is {_what(value)}, and not a text.")
    return _sound(value, at)


def _value(value: Any, at: str) -> Any:
    if value is None:
        return ""
    if isinstance(value, str):
        return _sound(value, at)
    if not isinstance(value, bool | int | float):
        raise RefusedError(WRONG_AD, f"{at} is {_what(value)}, and not a number or a text.")
    return value


def _sound(text: str, at: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise RefusedError(WRONG_AD, f"{at} holds half a character, which is no Unicode.") from None
    return text


def _below(folder: Path | None, path: str, at: str) -> str:
    """Return where a path below the allowed folder really lies, relative to that folder.

    What is returned has no link in it: a link that leads out of the folder is refused.
    """
    if folder is None:
        raise RefusedError(
            FORBIDDEN,
            f"{at} names a file of the server, which gives none out: upload it, or start the "
            "service with --files DIR.",
        )
    sentence = f"{at} = {_shown(path)} does not lie in the folder of files."
    parts = path.replace("\\", "/").split("/")
    if "\0" in path or not path.strip() or path.startswith(("/", "\\")) or ".." in parts:
        raise RefusedError(FORBIDDEN, sentence)
    try:
        real = Path(os.path.realpath(folder / path))
        inside = real.relative_to(folder).as_posix()
        mode = os.stat(real).st_mode
    except (OSError, UnicodeError):
        raise RefusedError(WRONG_AD, f"{at}: there is no file {_shown(path)}.") from None
    except ValueError:
        raise RefusedError(FORBIDDEN, sentence) from None
    if not stat.S_ISREG(mode):
        raise RefusedError(WRONG_AD, f"{at} = {_shown(path)} is not a file.")
    if inside != inside.strip() or not inside.isprintable():
        raise RefusedError(WRONG_AD, f"{at} = {_shown(path)} has a name of odd signs: rename it.")
    return inside


_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (int, "a number"),
    (float, "a number"),
    (str, "a text"),
    (list, "a list"),
    (dict, "an object"),
)


def _what(value: Any) -> str:
    return next((name for kind, name in _NAMES if isinstance(value, kind)), "null")


def _shown(value: object) -> str:
    """Return what a request holds as a sentence may repeat it: short, and in JSON's form."""
    return _short(json.dumps(value))


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
