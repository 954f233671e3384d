"""Errors that a user can do something about.

Each message says what is wrong, where (file, row, column, ad id) and what to do. The command line
prints the message alone and exits with status 2; any other exception is a defect of this package.
"""

import difflib
import errno
from collections.abc import Iterable, Iterator
from typing import Any


class CompetitionError(Exception):
    """Base of every error that the command line reports as one message.

    Attributes
    ----------
    numbers : tuple of int
        Of the system's errors that it was made from, where it has come from another process: what
        an error was made from does not travel.

    Examples
    --------
    >>> from competition import CompetitionError, load_dataset
    >>> try:
    ...     load_dataset("/no/such/folder")
    ... except CompetitionError as error:
    ...     print(error)
    There is no folder /no/such/folder. Pass the folder of the ads.
    """

    numbers: tuple[int, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        """Take the numbers along to another process."""
        return type(self), self.args, {**self.__dict__, "numbers": (*system_numbers(self),)}


class DatasetError(CompetitionError):
    """A folder of ads that cannot be read as it stands."""


class ProfileError(CompetitionError):
    """A profile, or an override of it, that does not say what to run."""


class FoldsError(CompetitionError):
    """A folds.csv that does not fit the ads."""


class PredictionsError(CompetitionError):
    """A file of predictions made elsewhere that does not fit the dataset."""


class ModelError(CompetitionError):
    """A level-1 model or meta-learner that is unknown or breaks its contract."""


class StoreError(CompetitionError):
    """A file of the OOF store that is damaged or was made from something else."""


class WriteError(CompetitionError):
    """A file that the system refuses to write: no space, no right, no folder."""


class ProcessError(CompetitionError):
    """A process of a run that was ended from outside."""


class TuningError(CompetitionError):
    """A model that cannot be tuned, or a study that cannot be opened."""


class MetricError(CompetitionError, ValueError):
    """Labels or scores from which a metric cannot be computed."""


class SubmissionError(CompetitionError):
    """A leaderboard file that the official scorer would reject."""


class FeatureError(CompetitionError):
    """An extractor that is unknown, or cannot run with the settings it was given."""


class MediaError(CompetitionError):
    """A file that cannot be read; for one ad it means a missing input, not the end of a run."""


def causes(bad: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it was made from, one after another."""
    seen: set[int] = set()
    while bad is not None and id(bad) not in seen:
        seen.add(id(bad))
        yield bad
        bad = bad.__cause__ or (None if bad.__suppress_context__ else bad.__context__)


def system_numbers(bad: BaseException | None) -> Iterator[int]:
    """Yield the numbers (errno) of the system's errors that an error was made from.

    Memory that has run out is one, whoever says so. FFmpeg's errors are none: damaged films have
    any number.
    """
    for one in causes(bad):
        if isinstance(one, CompetitionError):
            yield from one.numbers
        elif type(one).__module__.startswith("av."):
            continue
        elif isinstance(one, MemoryError) or is_out_of_memory(one):
            yield errno.ENOMEM
        elif isinstance(one, OSError) and one.errno is not None:
            yield one.errno


# How PyTorch says that memory ran out where it raises no OutOfMemoryError: on the processor, on
# Apple's cards, and in libraries of CUDA.
_SIGNS = (
    *("DefaultCPUAllocator", "not enough memory: you tried to allocate"),
    *("MPS backend out of memory", "STATUS_ALLOC_FAILED"),
)


def is_out_of_memory(bad: BaseException) -> bool:
    """Whether PyTorch says that memory has run out."""
    return isinstance(bad, RuntimeError) and (
        type(bad).__name__ == "OutOfMemoryError" or any(sign in str(bad) for sign in _SIGNS)
    )


_LISTED = 100  # known words that a message lists


def some(names: Iterable[str], most: int = 3) -> str:
    """Return the first names, with a mark where there are more."""
    names = list(names)
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the nearest known word, else the list of known ones."""
    known = sorted(known)
    by_small_letters = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_small_letters, n=1)
    if near:
        return f" Did you mean {by_small_letters[near[0]]!r}?"
    if len(known) > _LISTED:
        return f" Of {len(known):,} that are known, the first is {known[0]!r}."
    return f" Known are: {', '.join(known)}." if known else ""
