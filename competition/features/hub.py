"""Whether a checkpoint is at hand: in a folder, in the hub's cache here, or on the hub."""

from functools import cache
from pathlib import Path

WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
PATIENCE = 10  # seconds that the hub has to answer


def absent_folder(checkpoint: str) -> Path | None:
    """Return the folder that a checkpoint names by its path, if it is not there."""
    folder = Path(checkpoint).expanduser()
    is_path = folder.is_absolute() or checkpoint[:1] in ".~" or checkpoint.count("/") > 1
    return folder if is_path and not folder.is_dir() else None


@cache
def why_not_at_hand(checkpoint: str) -> str:
    """Say why a checkpoint cannot be had, and how to get it; "" if it can.

    Whether it can be used is another question: what is there but cannot be loaded is an error.

    Parameters
    ----------
    checkpoint : str
        A hub name or a local folder.
    """
    if Path(checkpoint).expanduser().is_dir():
        return ""
    from huggingface_hub import HfApi, try_to_load_from_cache

    def is_cached(name: str) -> bool:
        return isinstance(try_to_load_from_cache(checkpoint, name), str)

    try:
        if is_cached("config.json") and any(map(is_cached, WEIGHTS)):
            return ""
        HfApi().model_info(checkpoint, timeout=PATIENCE)
    except Exception as bad:  # no network, no such name, no permission, or no name at all
        reason = str(bad).strip().split("\n", 1)[0].split(". ", 1)[0]
        return (
            f"the checkpoint {checkpoint} is neither in the hub's cache on this machine nor to be "
            f"had from the hub ({reason}). Where there is a network, `hf download {checkpoint}` "
            "fetches it; or set checkpoint to another, or to a folder."
        )
    return ""
