"""Encoders of a saved stack's features: where they lie here, and whether they are the same."""

from pathlib import Path
from typing import Any

from competition.config.profile import Profile
from competition.saved.manifest import Manifest
from competition.utils.errors import StoreError
from competition.utils.files import file_digest


def profile_here(folder: Path, manifest: Manifest) -> Profile:
    """Return the settings of a stack's features on this machine.

    Parameters
    ----------
    folder : Path
        Of the stack, with the checkpoints that were copied into it.
    manifest : Manifest

    Raises
    ------
    StoreError
        If a checkpoint is not here, or not that of the training.
    """
    features = {
        name: _feature(folder, manifest, name, settings)
        for name, settings in manifest.profile["features"].items()
    }
    return Profile.model_validate({**manifest.profile, "features": features})


def _feature(
    folder: Path, manifest: Manifest, name: str, settings: dict[str, Any]
) -> dict[str, Any]:
    """Settings of a feature on this machine; its checkpoint must be what it was."""
    found = dict(settings)
    for key, value in settings.items():
        if isinstance(value, str) and value.startswith("checkpoints/"):
            found[key] = str(folder / value)
    for file, expected in manifest.checkpoints.get(name, {}).items():
        key, _, inner = file.partition("/")
        path = Path(found[key])
        whole = path / inner if path.is_dir() else path
        if not whole.is_file():
            raise StoreError(
                f"The feature {name} needs {path}, which is not here. Copy it there, or save "
                "the stack with its checkpoints (--with-checkpoints)."
            )
        if file_digest(whole) != expected:
            raise StoreError(
                f"{whole} is not the file that the feature {name} was made with in training. "
                "Put the same checkpoint there."
            )
    return found
