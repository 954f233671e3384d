"""Where a stack is saved, beside which others."""

from pathlib import Path

from competition.saved.manifest import NAME, read_manifest
from competition.utils.errors import StoreError, WriteError
from competition.utils.files import PathLike


def check_target(folder: PathLike) -> Path:
    """Raise a WriteError if something else than a saved stack is where one is to be saved."""
    target = Path(folder)
    taken = target.is_file() or (target.is_dir() and any(target.iterdir()))
    if taken and not (target / NAME).is_file():
        raise WriteError(f"{target} holds something else than a saved stack. Name a new folder.")
    file = next((one for one in target.parents if one.is_file()), None)
    if file is not None:
        raise WriteError(f"{file} is a file where {target} needs a folder. Name another folder.")
    return target


def next_version(folder: PathLike, made_from: str) -> Path:
    """Where a stack is saved: the folder, or beside the other stacks that lie there.

    Parameters
    ----------
    folder : path
    made_from : str
        Fingerprint of the stack. Its own folder, of an earlier call, is taken again.

    Returns
    -------
    Path
        The first of ``folder``, ``folder-2``, ``folder-3``, ... that holds no other saved stack.
    """
    first, number = Path(folder), 1
    while True:
        target = first if number == 1 else first.with_name(f"{first.name}-{number}")
        if not (target / NAME).is_file() or _made_from(target) == made_from:
            return check_target(target)
        number += 1


def what_stays(folder: Path, saved: Path) -> str:
    """Say what lies in the folder that was asked for, where a stack was saved beside it."""
    try:
        read_manifest(folder)
    except StoreError as bad:
        return f"{folder} stays as it is, and cannot be read: {bad}"
    return (
        f"{folder} holds another one still: `python -m competition describe {folder} {saved}` "
        "says what differs."
    )


def _made_from(folder: Path) -> str:
    try:
        return read_manifest(folder).made_from
    except StoreError:  # damaged, or of a newer version: not ours to replace
        return ""
