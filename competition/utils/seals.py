"""Seals of cached files: a damaged or absent file is noticed before it is believed.

A seal is a small JSON file, written after the files that it names, with the XXH3 checksum of each.
Files without a seal were not written to their end, and count as absent.

XXH3 finds accidents, not forgers: https://github.com/Cyan4973/xxHash.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import xxhash

from competition.utils.files import write_json

ENDING = ".seal"


def seal(path: Path, files: Iterable[Path]) -> None:
    """Write the seal `path` of files that lie beside or below it."""
    write_json(path, {file.relative_to(path.parent).as_posix(): checksum(file) for file in files})


def damaged(path: Path) -> list[str]:
    """Return what is absent or not as it was sealed: names of files, or that of the seal itself.

    A file is read once in a process, and again where the system says that it was changed.
    """
    try:
        sealed = json.loads(path.read_bytes())
        names = {str(name): str(value) for name, value in sealed.items()}
    except (OSError, ValueError, AttributeError, RecursionError):
        return [path.name]
    return [name for name, value in names.items() if not _is(path.parent / name, value)]


def checksum(path: Path) -> str:
    """XXH3 of the bytes of a file, 128 bits in hexadecimal."""
    found = path.stat()
    return _checksum(path, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@cache
def _checksum(path: Path, *as_found: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, xxhash.xxh3_128).hexdigest()


def _is(path: Path, value: str) -> bool:
    try:
        return checksum(path) == value
    except (OSError, ValueError):
        return False
