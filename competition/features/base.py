"""What the extractors share: what goes in, what comes out, and how one bad ad is dealt with."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from competition.datasets.base import InputKind
from competition.utils.errors import MediaError
from competition.utils.machine_faults import fault_of_ad
from competition.utils.versions import installed

Extracted = np.ndarray | str | dict[str, float] | MediaError

# Packages that decode the files of a kind. Animations are films that Pillow reads.
_PICTURES = ("pillow", "pillow-heif")
_DECODERS: dict[InputKind, tuple[str, ...]] = {
    "image": _PICTURES,
    "video": ("av", *_PICTURES),
    "audio": ("av",),
}


@dataclass(frozen=True)
class Item:
    """An input of one ad.

    Attributes
    ----------
    kind : {"text", "image", "video", "audio", "array"}
    value : Path or str
        The path of a file; of a text, the text itself.
    """

    kind: InputKind
    value: Path | str

    @property
    def path(self) -> Path:
        return Path(self.value)

    @property
    def file(self) -> Path | None:
        """The path; of a text there is none."""
        return None if self.kind == "text" else self.path


class Extractor(BaseEstimator, ABC):
    """Makes a feature of each item, looking at no other item and at no label.

    The life of an extractor:

    1. The constructor stores its parameters and does nothing else. Where it has the parameter
       ``device``, the run sets it.
    2. The run reads the hooks: `lacks` says why the feature cannot be had here, `files` which files
       it depends on beside the ads, and `prepared_by` which packages decode and prepare the ads.
       The attributes below say how the work is shared out.
       Each hook has a default that suits most extractors.
    3. `extract` gets some items at a time, in this process or in others, and yields one result for
       each, in order. Whatever a network needs is loaded in the first call.

    A subclass writes `extract_one`; one whose network takes batches overrides `extract`.

    Attributes
    ----------
    not_counted : frozenset of str
        Parameters that do not change the results, such as the device: changing them extracts
        nothing anew.
    neutral : mapping of str to object
        Parameters that an extractor got later, with the value that changes nothing: at that value
        they do not count either, so that what was extracted before stays.
    parallel : bool
        Whether the work is worth other processes.
    shard : int
        Items that are written together: what a killed run loses, per process.
    libraries : tuple of str
        What must be installed beside what this package always needs: names to import.
    device : str
        Where the network runs: ``"cpu"``, ``"cuda"``, ..., or ``"auto"``. On a GPU, one process
        extracts and others decode.
    hears : bool
        Whether it reads the sound alone, of films too.

    Examples
    --------
    >>> from competition import Extractor
    >>> class Letters(Extractor):
    ...     def extract_one(self, item):
    ...         return {"letters": float(len(item.value))}
    >>> list(Letters().extract([Item("text", "free coins")]))
    [{'letters': 10.0}]
    """

    not_counted: frozenset[str] = frozenset({"device", "batch_size"})
    neutral: ClassVar[Mapping[str, Any]] = {}
    parallel: bool = True
    shard: int = 32
    libraries: tuple[str, ...] = ()
    device: str = "cpu"
    hears: ClassVar[bool] = False

    def lacks(self) -> str:
        """Say what is missing, in a sentence that says how to mend it; "" if nothing is.

        A feature that lacks something is left out of the run with this sentence.
        """
        return ""

    def files(self) -> Sequence[Path]:
        """Files whose content the results depend on: checkpoints, vocabularies."""
        return ()

    def prepared_by(self, kind: InputKind) -> dict[str, str]:
        """Versions of what decodes and prepares items of a kind: another version, another feature.

        By default that of what decodes pictures, films or sounds. What is not installed is left
        out.
        """
        return installed(*_DECODERS.get("audio" if self.hears else kind, ()))

    def on_gpu(self) -> bool:
        """Whether the network runs on a GPU, where one pass may hold several ads.

        Elsewhere a pass holds one ad alone: the last bits of its feature depend on no other.
        """
        if self.device == "cpu":
            return False
        from competition.execution.devices import choose_device

        return choose_device(self.device) != "cpu"

    def extract(self, items: Sequence[Item], n_workers: int = 0) -> Iterator[Extracted]:
        """Yield the feature of each item, in order; a MediaError where it has none.

        Parameters
        ----------
        items : sequence of Item
        n_workers : int
            Processes that may decode beside this one; 0 decodes here. Results do not depend on it.

        Yields
        ------
        ndarray of shape (time or regions, dims), str, dict of str to float, or MediaError
        """
        for item in items:
            yield attempt(self, item)

    @abstractmethod
    def extract_one(self, item: Item) -> np.ndarray | str | dict[str, float]:
        """Return the feature of one item.

        Raises
        ------
        MediaError
            If the item cannot be read; any other exception counts as one, unless the machine is at
            fault (`competition.utils.machine_faults`).
        """


def attempt(extractor: Extractor, item: Item) -> Extracted:
    """Extract one item; what fails becomes a MediaError, if it is the ad's fault.

    Raises
    ------
    CompetitionError
        Of any kind but MediaError: a checkpoint that cannot be loaded, say, is no ad's fault, and
        neither is a full disk, memory that runs out, or a folder that is gone
        (`competition.utils.machine_faults.fault_of_ad` says which are whose).
    """
    try:
        return extractor.extract_one(item)
    except Exception as bad:
        return fault_of_ad(bad, item.file)
