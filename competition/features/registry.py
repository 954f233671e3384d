"""The extractors by name; each is one file of this package, as the level-1 models are of theirs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from competition.datasets.base import InputKind
from competition.features.base import Extractor
from competition.utils.registry import Entry, Registry

Gives = Literal["array", "text", "metadata"]
X = TypeVar("X", bound=type[Extractor])


@dataclass(frozen=True)
class ExtractorEntry(Entry):
    """A registered extractor.

    Attributes
    ----------
    kinds : tuple of str
        The kinds of input it reads.
    gives : {"array", "text", "metadata"}
        The kind of input that it makes.
    version : int
        Counted up when a change of the code changes results: all is then extracted anew.
    metadata : tuple of str
        Where it gives metadata: the names of the metadata.
    """

    kinds: tuple[InputKind, ...]
    gives: Gives
    version: int
    metadata: tuple[str, ...] = ()


_registry: Registry[ExtractorEntry] = Registry(
    "competition.features.extractors", "extractor", "competition.extractors"
)
find_extractors = _registry.find
get_extractor = _registry.get


def extractor(
    name: str,
    *,
    kinds: tuple[InputKind, ...],
    gives: Gives,
    version: int,
    metadata: tuple[str, ...] = (),
) -> Callable[[X], X]:
    """Register the decorated class as the extractor `name`.

    Examples
    --------
    >>> from competition import Extractor, extractor
    >>> @extractor("letters", kinds=("text",), gives="metadata", version=1, metadata=("letters",))
    ... class Letters(Extractor):
    ...     def extract_one(self, item):
    ...         return {"letters": float(len(item.value))}
    >>> find_extractors("lett*"), get_extractor("letters").kinds
    (['letters'], ('text',))
    """

    def register(make: X) -> X:
        _registry.add(
            ExtractorEntry(name, make, kinds, gives, version, metadata, libraries=make.libraries)
        )
        return make

    return register
