"""Files that appear whole or not at all, and digests of what they were made from.

All that this package writes appears through `written_whole` or `folder_written_whole`: written
aside, forced to the disk, then renamed. What a killed process leaves aside is removed by the next
one that writes to the same folder.
"""

import errno
import hashlib
import json
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

from competition.utils.errors import WriteError
from competition.utils.processes import another_lives

PathLike: TypeAlias = str | os.PathLike[str]

LONGEST = 100  # characters of a file's name that the name of its temporary file repeats
GOES_ON = "What is finished is kept, and the same command goes on."
FULL = 2**20  # bytes; a disk with less to spare counts as full

_written_now: set[str] = set()  # names of temporary files and folders of this process
_swept: set[Path] = set()


@contextmanager
def written_whole(path: Path, *, to_disk: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` once the block has succeeded.

    Whatever stops the block, or the machine, `path` holds its old content or the complete new one.
    Waiting for the disk takes milliseconds: many small files that are looked at when they are
    read, and made anew where they are damaged, do without `to_disk`.

    Raises
    ------
    WriteError
        If the system refuses to write: no space, no right, no folder.
    """
    with told_as_write_error(path), _aside(path) as temporary:
        temporary.touch()
        yield temporary
        temporary.chmod(0o644)
        if to_disk:
            _to_disk(temporary)
        temporary.replace(path)
        if to_disk:
            _to_disk(path.parent)


@contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """Yield a new folder; put it in the place of `path` once the block has succeeded.

    Raises
    ------
    WriteError
        As `written_whole`.
    """
    with told_as_write_error(path), _aside(path) as workspace:
        new, old = workspace / "new", workspace / "old"
        new.mkdir(parents=True)
        yield new
        for folder, _, files in os.walk(new, topdown=False):
            for name in [*files, "."]:
                _to_disk(Path(folder, name))
        replaced = path.exists()
        if replaced:
            path.rename(old)
        try:
            new.rename(path)
        except BaseException:
            if replaced:
                old.rename(path)
            raise
        _to_disk(path.parent)


@contextmanager
def folder_aside(folder: Path) -> Iterator[Path]:
    """Yield a new folder below `folder`, to work in; it is gone after the block.

    What a killed process leaves of it is removed by the next one that writes to `folder`.

    Raises
    ------
    WriteError
        If the folder cannot be made.
    """
    with _aside(folder / "work") as workspace:
        with told_as_write_error(workspace):
            workspace.mkdir()
        yield workspace


@contextmanager
def _aside(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` that nothing has; remove what lies there at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    process = f"{socket.gethostname()}.{os.getpid()}"
    name = f".{path.name[:LONGEST]}.{process}.{secrets.token_hex(4)}.tmp"
    _written_now.add(name)
    try:
        yield path.parent / name
    finally:
        remove(path.parent / name)
        _written_now.discard(name)


def _sweep(folder: Path) -> None:
    """Remove what ended processes of this machine left aside in a folder, once per process."""
    if folder in _swept:
        return
    _swept.add(folder)
    for left in folder.glob(".*.tmp"):
        before, _, number = left.name.removesuffix(".tmp").rpartition(".")[0].rpartition(".")
        host = socket.gethostname()
        is_ours = before.endswith(f".{host}") and number.isdecimal()
        if is_ours and left.name not in _written_now and not another_lives(f"{host}:{number}"):
            remove(left)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all it holds; what is absent or held fast is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _to_disk(path: Path) -> None:
    """Wait until the disk has a file, or the names in a folder."""
    if path.is_dir() and os.name == "nt":  # Windows writes folders by itself
        return
    opened = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(opened)
    except OSError as bad:
        if bad.errno != errno.EINVAL:  # a file system that has no such call
            raise
    finally:
        os.close(opened)


@contextmanager
def told_as_write_error(path: Path) -> Iterator[None]:
    """Turn an OSError, which NumPy and PyArrow raise without a file's name, into a WriteError."""
    try:
        yield
    except OSError as bad:
        raise WriteError(f"{path} cannot be written: {why_not_written(path, bad)}") from bad


def why_not_written(path: Path, bad: OSError) -> str:
    """Say in sentences why a file could not be written, and what to do."""
    folder = next(folder for folder in path.absolute().parents if folder.is_dir())
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        free = -1
    if bad.errno == errno.EDQUOT:
        return f"your quota on the disk of {folder} is used up. Make room there. {GOES_ON}"
    if bad.errno == errno.ENOSPC or (bad.errno is None and 0 <= free < FULL):
        return (
            f"the disk is full, {free:,} bytes are free in {folder}. Make room there, or name "
            f"another folder by --out. {GOES_ON}"
        )
    if bad.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"{folder} may not be written to ({bad.strerror}). Give yourself the right to, or name "
            f"another folder by --out. {GOES_ON}"
        )
    if bad.errno in (errno.EEXIST, errno.ENOTDIR):
        file = next((one for one in path.absolute().parents if one.is_file()), path)
        return f"{file} is a file where a folder is needed. Rename it, or name another folder."
    if bad.errno in (errno.EISDIR, errno.ENOTEMPTY):
        return "a folder of that name is in the way. Rename or remove it."
    return f"{bad.strerror or bad} ({free:,} bytes are free in {folder}). {GOES_ON}"


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 `text` to `path`, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON to `path`, whole or not at all."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def file_digest(path: Path) -> str:
    """SHA-256 of the bytes of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(*parts: Any) -> str:
    """SHA-256 of JSON-serialisable parts and bytes, in hexadecimal.

    Parts are length-prefixed, so that ("ab", "c") and ("a", "bc") differ.
    """
    hasher = hashlib.sha256()
    for part in parts:
        data = (
            bytes(part)
            if isinstance(part, bytes | bytearray | memoryview)
            else json.dumps(part, ensure_ascii=False, sort_keys=True).encode()
        )
        hasher.update(len(data).to_bytes(8, "little"))
        hasher.update(data)
    return hasher.hexdigest()
