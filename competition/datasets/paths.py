"""The files of a dataset: inside its folder, regular, or refused."""

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from competition.datasets.labels import list_of

PathFault = Literal["outside", "absent", "no regular file"]

SENTENCES: dict[PathFault, str] = {
    "outside": "leaves the dataset's folder",
    "no regular file": "is a folder, a device or a pipe, not a file",
    "absent": "is not there",
}

# The kinds of problems that they are.
KINDS: dict[PathFault, str] = {
    "outside": "path outside",
    "no regular file": "no regular file",
    "absent": "absent file",
}

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SEARCHED = 200_000  # files that the search for a hint looks at
_SAMPLE = 20  # absent paths that it tries


class DatasetFolder:
    """A dataset's folder: says of each relative path whether it may be opened.

    A path may not leave the folder, neither by ``..`` nor by a link. One thing is allowed: media
    lie where there is room, so a folder of media may be a link to another place, and its own files
    are then read. A link to a single file elsewhere is refused, and so is any folder of texts or
    tables that lies elsewhere, since their content would end up in models and reports.

    Parameters
    ----------
    root : Path
    """

    def __init__(self, root: Path) -> None:
        self._root = os.path.realpath(root)
        self._folders: dict[str, str] = {}

    def path_inside(self, relative: str, *, media: bool = False) -> PathFault | None:
        """Return why a file may not be opened, or None where it may.

        Parameters
        ----------
        relative : str
            Path below the folder.
        media : bool
            Whether it is an image, a film, a sound or an array.
        """
        folder, name = os.path.split(os.path.join(self._root, relative))
        path = os.path.join(folder, name)
        if not self._holds(os.path.normpath(path)):
            return "outside"
        try:
            if folder not in self._folders:
                self._folders[folder] = os.path.realpath(folder)
            real = self._folders[folder]
            linked = not self._holds(real)
            if linked and (not media or ".." in Path(relative).parts):
                return "outside"
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                target = os.path.realpath(path)
                if not (self._holds(target) or (linked and _is_below(target, real))):
                    return "outside"
                status = os.stat(path)
        except (OSError, ValueError):  # absent, a loop of links, a name that no file can have
            return "absent"
        return None if stat.S_ISREG(status.st_mode) else "no regular file"

    def files(self, cell: str, separator: str | None) -> list[str]:
        """Return the paths that a cell of media names: one, several, or those of a folder.

        Parameters
        ----------
        cell : str
            A path below the folder; several, as a list such as ``['a.jpg', 'b.jpg']`` or with
            `separator` between them; or a folder, whose files count in the order of their names.
        separator : str or None

        Returns
        -------
        list of str
            Not checked yet; empty for a folder without files.
        """
        if self.path_inside(cell, media=True) is None:
            return [cell]
        paths = list_of(cell)
        if paths is None:
            paths = cell.split(separator) if separator else [cell]
        found: list[str] = []
        for path in (one.strip() for one in paths):
            if path and ".." not in Path(path).parts and self._is_folder(path):
                found += [
                    f"{path.rstrip('/')}/{name}"
                    for name in sorted(os.listdir(os.path.join(self._root, path)))
                    if not name.startswith(".")
                    and not os.path.isdir(os.path.join(self._root, path, name))
                ]
            elif path:
                found.append(path)
        return found

    def _is_folder(self, relative: str) -> bool:
        path = os.path.normpath(os.path.join(self._root, relative))
        return self._holds(path) and path != self._root and os.path.isdir(path)

    def _holds(self, path: str) -> bool:
        return _is_below(path, self._root)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def is_url(text: str) -> bool:
    """Return whether a text begins like ``https://``."""
    return _URL.match(text) is not None


def hint_for_absent(root: Path, paths: Sequence[str]) -> str:
    """Say what was perhaps meant by paths that are all absent; empty where nothing comes near.

    Tries slashes for backslashes, a folder in front, an ending, and other case.
    """
    sample = paths[:_SAMPLE]
    there = _files_below(root)
    lower = {path.lower(): path for path in there}
    by_name: dict[str, str] = {}
    by_stem: dict[str, str] = {}
    for path in there:
        by_name.setdefault(path.rsplit("/", 1)[-1], path)
        by_stem.setdefault(path.rsplit(".", 1)[0], path)
    for path in sample:
        slashes = path.replace("\\", "/")
        if slashes != path and slashes in there:
            return f"backslashes were perhaps meant as slashes ({slashes} is there)"
        if slashes.lower() in lower:
            return f"{lower[slashes.lower()]} is there: capital and small letters differ"
        if slashes in by_stem:
            return f"the ending is missing ({by_stem[slashes]} is there)"
        name = slashes.rsplit("/", 1)[-1]
        if name in by_name:
            return f"the folder is perhaps another one ({by_name[name]} is there)"
        stems = [found for stem, found in by_stem.items() if stem.rsplit("/", 1)[-1] == name]
        if stems:
            return f"the folder and the ending are missing ({stems[0]} is there)"
    return ""


def _files_below(root: Path) -> set[str]:
    """Relative paths of the files below a folder, linked folders included, up to a limit."""
    found: set[str] = set()
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a loop of links
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        below = os.path.relpath(folder, root).replace(os.sep, "/")
        found.update(name if below == "." else f"{below}/{name}" for name in names)
        if len(found) > _SEARCHED:
            break
    return found
