"""Ads that lie under a URL: copied into the cache, where all else reads them.

::

    cache/remote/<digest of the URL>/<last part>/        the files, as they are there
    cache/remote/<digest of the URL>/copied.json         size and tag of each when it was copied
    cache/remote/<digest of the URL>/*.reader            a process that uses the copy, until it ends
    cache/remote/<digest of the URL>-<n>/                the same of a further copy

What has not changed since is not copied again; what has gone there goes here. Each file is replaced
whole, and none while another process uses the copy: then a further one is made beside it, which
shares the files that have not changed. A copy that nobody uses goes when there is a newer one.
"""

import atexit
import errno
import itertools
import json
import os
import re
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

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

SCHEME = "s3"
CACHE = "cache"  # below the current folder, unless another is named
AT_ONCE = 64  # files
INDEX = "copied.json"
# Other numbers are what s3fs makes of a server's answers, or of the network.
OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.ENAMETOOLONG}
STAGE = "copying ads"

# A path of the command line has lost a slash. A scheme has two letters or more: C:/ads is no URL.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)


def is_url(path: PathLike) -> bool:
    """Whether a path is a URL.

    Examples
    --------
    >>> is_url("s3://bucket/ads"), is_url("ads/films"), is_url("C:/ads")
    (True, False, False)
    """
    return _URL.fullmatch(str(path)) is not None and not Path(path).exists()


def shown(path: PathLike) -> str:
    """Write a path as it was given: a URL with both slashes.

    Examples
    --------
    >>> from pathlib import Path
    >>> shown(Path("s3://bucket/ads")), shown(Path("ads/films"))
    ('s3://bucket/ads', 'ads/films')
    """
    if not is_url(path):
        return str(path)
    scheme, rest = _URL.fullmatch(str(path)).groups()  # type: ignore[union-attr]
    return f"{scheme}://{rest}"


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
    if not is_url(path):
        return Path(path)
    scheme, rest = _URL.fullmatch(str(path)).groups()  # type: ignore[union-attr]
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
    import s3fs

    url, name = f"{SCHEME}://{place}", PurePosixPath(place).name
    there: dict[str, tuple[int, str]] = {}
    try:
        files = s3fs.S3FileSystem(skip_instance_cache=True)
        for key, about in files.find(place, detail=True).items():
            if key == place:
                raise DatasetError(f"{url} is a file. Pass the folder that holds it.")
            if key.endswith("/"):  # what consoles make to show an empty folder
                continue
            there[_relative(key, place, url)] = int(about["size"]), str(about.get("ETag", ""))
    except DatasetError:
        raise
    except Exception as bad:  # of botocore, aiohttp or the system, by what is wrong
        raise _unreadable(url, bad) from bad
    if not there:
        raise DatasetError(f"{url} holds no file. Pass the folder of the ads.")
    home = _chosen(home, name, {key: list(about) for key, about in there.items()}, url, progress)
    folder, known = home / name, _known(home / INDEX)
    wanted = [
        name
        for name, about in there.items()
        if known.get(name) != list(about) or not _is_whole(folder / name, about[0])
    ]
    _remove_gone(folder, set(there))
    index: dict[str, Any] = {name: list(there[name]) for name in there if name not in {*wanted}}
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        progress.update(STAGE, start, len(wanted))
        _fetch(files, place, folder, some, url)
        index.update({name: list(there[name]) for name in some})
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
    current = [one for one in homes if _known(one / INDEX) == there]
    free = [one for one in homes if not users[one]]
    chosen = next(iter([*current, *free]), None)
    if chosen is None:
        numbers = (home.with_name(f"{home.name}-{n}") for n in itertools.count(2))
        chosen = next(one for one in numbers if one not in homes)
        _share(homes[-1], chosen, name, there)
        progress.remark(
            f"{url} has changed, and the process {users[homes[-1]]} uses the copy in {homes[-1]}: "
            f"that stays as it is, and a further one is made."
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
    same = [one for one, about in there.items() if known.get(one) == about]
    with told_as_write_error(new):
        for one in same:
            path = new / name / one
            path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):  # a file system without links, or a file that is gone
                os.link(old / name / one, path)
    write_json(new / INDEX, {one: there[one] for one in same})


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


def _fetch(files: Any, place: str, folder: Path, names: list[str], url: str) -> None:
    """Copy some files, each whole or not at all."""
    aside = [(folder / name).with_name(f".{Path(name).name}.copying") for name in names]
    with told_as_write_error(folder):
        for path in aside:
            path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with told_as_write_error(folder):
            _get(files, [f"{place}/{name}" for name in names], [str(path) for path in aside], url)
            for path, name in zip(aside, names, strict=True):
                path.replace(folder / name)
    finally:
        for path in aside:
            path.unlink(missing_ok=True)


def _get(files: Any, keys: list[str], paths: list[str], url: str) -> None:
    try:
        files.get(keys, paths)
    except Exception as bad:
        if isinstance(bad, OSError) and bad.errno in OF_THE_DISK:
            raise
        raise _unreadable(url, bad) from bad


def _unreadable(url: str, bad: Exception) -> DatasetError:
    reason = (str(bad).strip() or type(bad).__name__).splitlines()[0].rstrip(".")
    return DatasetError(
        f"{url} cannot be read: {reason}. The credentials are those that boto3 finds "
        "(AWS_ACCESS_KEY_ID, ~/.aws, the machine's role), another server is named by "
        "AWS_ENDPOINT_URL. What was copied is kept, and the same command goes on."
    )


def _relative(key: str, place: str, url: str) -> str:
    """Name of a file below the folder; one that would lie outside is refused."""
    name = key.removeprefix(f"{place}/")
    if name.startswith("/") or "\\" in name or {"..", "."} & {*PurePosixPath(name).parts}:
        raise DatasetError(
            f"{url} holds a file {name!r}, which would lie outside of the folder it is copied to. "
            "Remove or rename it there."
        )
    return name


def _known(index: Path) -> dict[str, list[Any]]:
    try:
        found = json.loads(index.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # copied anew
        return {}
    return found if isinstance(found, dict) else {}


def _is_whole(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size
