"""What saves and loads itself: level-1 models and meta-learners."""

from pathlib import Path
from typing import Self

from competition.utils.state.names import package_of
from competition.utils.state.reading import read_state
from competition.utils.state.writing import write_state


class Saved:
    """An object that is written to plain files, and read from them.

    The defaults suit what holds numbers, texts, arrays, estimators of scikit-learn, boosters, torch
    modules, and instances of classes of its own package; what holds anything else writes both.
    """

    def save(self, folder: Path) -> None:
        """Write it, fitted, to an empty folder.

        Raises
        ------
        StateError
            If it holds what has no plain form.
        """
        write_state(self, folder, [package_of(type(self))])

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read one of this class that `save` has written.

        Raises
        ------
        StateError
            If a file is absent or damaged, or holds something else.
        """
        return read_state(folder, cls, [package_of(cls)])
