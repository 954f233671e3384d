"""Facts about a film or a sound file: its length, size, rate, loudness and cuts."""

from dataclasses import asdict, fields

from competition.features.base import Extractor, Item
from competition.features.registry import extractor
from competition.media.probe import MediaFacts, probe


@extractor(
    "media_facts",
    kinds=("video", "audio"),
    gives="metadata",
    version=1,
    facts=tuple(field.name for field in fields(MediaFacts)),
)
class MediaFactsExtractor(Extractor):
    """The attributes of `competition.media.probe.MediaFacts`; NaN where one is not known."""

    def extract_one(self, item: Item) -> dict[str, float]:
        """Return the facts by name."""
        return asdict(probe(item.path))
