"""How a stack mixes its meta-learners, kept beside its predictions to tag new ads with.

::

    oof/<dataset>/stack-<name>/blends/        as `competition.utils.state` writes it
"""

from collections.abc import Sequence

from competition.level2.components.blend import Blend
from competition.oof.store import OofStore
from competition.utils.errors import StoreError
from competition.utils.files import folder_written_whole
from competition.utils.state import read_state, write_state

FOLDER = "blends"


def write_blends(store: OofStore, name: str, fingerprint: str, blends: Sequence[Blend]) -> None:
    """Keep the blend of each fold; whoever calls it holds the stack's lock."""
    with folder_written_whole(store.path(name, FOLDER)) as folder:
        write_state({"made from": fingerprint, "blends": list(blends)}, folder)


def read_blends(store: OofStore, name: str, fingerprint: str) -> list[Blend]:
    """Read the blend of each fold; empty where one meta-learner predicts all folds as it is.

    Raises
    ------
    StoreError
        If they are absent or damaged, or those of another stack.
    """
    folder = store.path(name, FOLDER)
    kept = read_state(folder, dict)
    if kept.get("made from") != fingerprint:
        raise StoreError(
            f"{folder} is of another stack than {name} now is. Remove {folder.parent}, and run "
            "again."
        )
    return list(kept["blends"])
