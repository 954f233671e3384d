"""The fitted level-1 models of each fold, kept beside their predictions to tag new ads with.

::

    oof/<dataset>/<model>/fold_<k>.model/        as `Level1Model.save` writes it
    oof/<dataset>/<model>/fold_<k>.model.json    the fingerprint that it was made from, and digests
                                                 of its files
    oof/<dataset>/<model>/all.model/             the same, fitted on all training ads
"""

import json
from pathlib import Path

from competition.level1.base import Level1Model
from competition.oof.store import OofStore
from competition.utils.errors import StoreError
from competition.utils.files import file_digest, folder_written_whole, remove, write_json


def model_folder(store: OofStore, name: str, which: int | str) -> Path:
    """Return the folder of the model of a fold, or of another fit."""
    return store.path(name, f"fold_{which}.model" if isinstance(which, int) else f"{which}.model")


def write_model(
    store: OofStore, name: str, which: int | str, fingerprint: str, model: Level1Model
) -> None:
    """Keep the fitted model of a fold, or another fit; whoever calls it holds the model's lock.

    Raises
    ------
    StateError
        If it holds what has no plain form.
    """
    folder = model_folder(store, name, which)
    _note(folder).unlink(missing_ok=True)
    if folder.exists():
        remove(folder)
    with folder_written_whole(folder) as temporary:
        model.save(temporary)
    write_json(_note(folder), {"fingerprint": fingerprint, "files": digests(folder)})


def has_model(store: OofStore, name: str, which: int | str, fingerprint: str) -> bool:
    """Whether a model is kept, with this very fingerprint, as it was written."""
    folder = model_folder(store, name, which)
    try:
        note = json.loads(_note(folder).read_text(encoding="utf-8"))
        return note["fingerprint"] == fingerprint and note["files"] == digests(folder)
    except (OSError, ValueError, KeyError, TypeError, StoreError):
        return False


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by its path there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}


def _note(folder: Path) -> Path:
    return folder.with_name(folder.name + ".json")
