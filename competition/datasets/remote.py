"""Ads that lie under a URL: copied into the cache, where all else reads them.

::

    cache/remote/<digest of the URL>/<last part>/        the files, as they are there
    cache/remote/<digest of the URL>/copied.json         size and tag of each when it was copied,
                                                         and when its copy was last written to
    cache/remote/<digest of the URL>/*.reader            a process that uses the copy, until it ends
    cache/remote/<digest of the URL>-<n>/                the same of a further copy

What has not changed since, there or here, is not copied again; what has gone there goes here. Each
file is replaced whole, and none while another process uses the copy: then a further one is made
beside it, which shares the files that have not changed. A copy that nobody uses goes when there is
a newer one.
"""

import atexit
import itertools
import json
import os
import re
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from competition.datasets.bucket import SCHEME, get, listed, server
from competition.utils.errors import DatasetError
from competition.utils.extras import how_to_get, lacking
from competition.utils.files import (
    PathLike,
    digest,
    remove,
    told_as_write_error,
    write_json,
    write_text,
)
from competition.utils.locks import locked
from competition.utils.processes import another_lives, this_process
from competition.utils.progress import Progress

CACHE = "cache"  # below the current folder, unless another is named
AT_ONCE = 64  # files
INDEX = "copied.json"
STAGE = "copying ads"

# A path of the command line has lost a slash. A scheme has two letters or more: C:/ads is no URL.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)


def _parts(path: PathLike) -> tuple[str, str] | None:
    """Return the scheme of a URL and what comes after its slashes; None for any other path."""
    text = str(path)
    if text.lower() == f"{SCHEME}:":  # a path that has lost both slashes, and had no more
        return text[:-1], ""
    found = _URL.fullmatch(text)
    return None if found is None else (found[1], found[2])


def is_url(path: PathLike) -> bool:
    """Whether a path is a URL.

    Examples
    --------
    >>> is_url("s3://bucket/ads"), is_url("ads/films"), is_url("C:/ads")
    (True, False, False)
    """
    return _parts(path) is not None and not Path(path).exists()


def shown(path: PathLike) -> str:
    """Write a path as it was given: a URL with both slashes.

    Examples
    --------
    >>> from pathlib import Path
    >>> shown(Path("s3://bucket/ads")), shown(Path("ads/films"))
    ('s3://bucket/ads', 'ads/films')
    """
    parts = _parts(path)
    return str(path) if parts is None or not is_url(path) else "://".join(parts)


def local_folder(path: PathLike, cache: PathLike, progress: Progress | None = None) -> Path:
    """Return a folder as it is, or the copy of what lies under a URL.

    Parameters
    ----------
    path : path or str
    cache : path
        Folder that receives the copy.
    progress : Progress or None

    Raises
    ------
    DatasetError
        If the URL is of another kind than ``s3://``, or its files cannot be read.
    WriteError
        If they cannot be written here; those that were copied stay.
    """
    parts = _parts(path)
    if parts is None or not is_url(path):
        return Path(path)
    scheme, rest = parts
    place = rest.strip("/")
    if scheme.lower() != SCHEME or not place:
        raise DatasetError(
            f"Ads cannot be read from {scheme}://{place}: give a folder of this machine or "
            f"{SCHEME}://BUCKET/FOLDER."
        )
    if lacking(["s3fs"]):
        raise DatasetError(f"Ads cannot be read from {SCHEME}://{place}: {how_to_get('s3fs')}")
    home = Path(cache) / "remote" / digest(place)[:16]
    listener = progress or Progress()
    with locked(home, ["copy"], listener):
        folder = _copied(place, home, listener)
        _will_read(folder.parent)
        return folder


def _copied(place: str, home: Path, progress: Progress) -> Path:
    url, name = f"{SCHEME}://{place}", PurePosixPath(place).name
    files = server()
    keys, there = listed(files, place, url)
    home = _chosen(home, name, there, url, progress)
    folder, known = home / name, _known(home / INDEX)
    wanted = _changed(home, name, there)
    _remove_gone(folder, set(there))
    index: dict[str, Any] = {one: known[one] for one in there if one not in {*wanted}}
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        progress.update(STAGE, start, len(wanted))
        _fetch(files, {one: keys[one] for one in some}, folder, url)
        written = {one: (folder / one).stat().st_mtime_ns for one in some}
        index.update({one: [*there[one], written[one]] for one in some})
        write_json(home / INDEX, index)
    if wanted:
        progress.update(STAGE, len(wanted), len(wanted))
    else:
        write_json(home / INDEX, index)
    progress.remark(f"{url}: {len(there):,} files, {len(wanted):,} of them copied now to {folder}")
    return folder


def _chosen(
    home: Path, name: str, there: dict[str, list[Any]], url: str, progress: Progress
) -> Path:
    """Choose a copy that is current, or that no other process uses, or begin one; remove the rest.

    What this process has read itself is not removed, either: it may go on reading there.
    """
    homes = [home, *sorted(home.parent.glob(f"{home.name}-*"))]
    users = {one: _user(one) for one in homes}
    current = [
        one
        for one in homes
        if _known(one / INDEX).keys() == there.keys() and not _changed(one, name, there)
    ]
    free = [one for one in homes if not users[one]]
    chosen = next(iter([*current, *free]), None)
    if chosen is None:
        numbers = (home.with_name(f"{home.name}-{n}") for n in itertools.count(2))
        chosen = next(one for one in numbers if one not in homes)
        _share(homes[-1], chosen, name, there)
        progress.remark(
            f"{url} is not what it was copied as, and the process {users[homes[-1]]} uses the copy "
            f"in {homes[-1]}: that stays as it is, and a further one is made."
        )
    for one in homes:
        if one != chosen and not users[one] and not _note(one).exists():
            remove(one / name)
            remove(one / INDEX)
            with suppress(OSError):  # the first holds the lock
                one.rmdir()
    return chosen


def _share(old: Path, new: Path, name: str, there: dict[str, list[Any]]) -> None:
    """Begin a copy with the files of another that have not changed; none is written in place."""
    known = _known(old / INDEX)
    same = there.keys() - _changed(old, name, there)
    with told_as_write_error(new):
        for one in same:
            path = new / name / one
            path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):  # a file system without links, or a file that is gone
                os.link(old / name / one, path)
    write_json(new / INDEX, {one: known[one] for one in same})


def _user(home: Path) -> str:
    """Name another process that uses a copy; "" where none does."""
    for note in sorted(home.glob("*.reader")):
        try:
            process = note.read_text(encoding="utf-8")
        except FileNotFoundError:  # it has just ended
            continue
        if another_lives(process):
            return process
        if process != this_process():
            note.unlink(missing_ok=True)
    return ""


def _note(home: Path) -> Path:
    return home / f"{this_process().replace(':', '-')}.reader"


def _will_read(home: Path) -> None:
    """Say that this process uses the copy, until it ends."""
    note = _note(home)
    write_text(note, this_process())
    atexit.register(note.unlink, missing_ok=True)


def _remove_gone(folder: Path, there: set[str]) -> None:
    """Remove what does not lie under the URL any more, and folders that are empty then."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            with suppress(OSError):  # it holds something
                path.rmdir()
        elif path.relative_to(folder).as_posix() not in there:
            path.unlink()


def _fetch(files: Any, keys: dict[str, str], folder: Path, url: str) -> None:
    """Copy some files, by their paths below the folder, each whole or not at all."""
    aside = [(folder / name).with_name(f".{Path(name).name}.copying") for name in keys]
    with told_as_write_error(folder):
        for path in aside:
            path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with told_as_write_error(folder):
            get(files, [*keys.values()], [str(path) for path in aside], url)
            for path, name in zip(aside, keys, strict=True):
                path.replace(folder / name)
    finally:
        for path in aside:
            path.unlink(missing_ok=True)


def _known(index: Path) -> dict[str, list[Any]]:
    try:
        found = json.loads(index.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # copied anew
        return {}
    return found if isinstance(found, dict) else {}


def _changed(home: Path, name: str, there: dict[str, list[Any]]) -> list[str]:
    """Names of the files that are not, there or here, what they were when they were copied."""
    known = _known(home / INDEX)
    return [one for one, about in there.items() if known.get(one) != _now(home / name / one, about)]


def _now(path: Path, about: list[Any]) -> list[Any]:
    """What the index would hold of a file; nothing where its copy is not whole."""
    try:
        copy = path.stat()
    except OSError:  # not there, or below a file
        return []
    return [*about, copy.st_mtime_ns] if copy.st_size == about[0] else []
