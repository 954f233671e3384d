"""Metadata about a film or a sound file: its length, size, rate, loudness and cuts."""

from dataclasses import asdict, fields

from competition.features.base import Extractor, Item
from competition.features.registry import extractor
from competition.media.probe import MediaMetadata, probe


@extractor(
    "media_metadata",
    kinds=("video", "audio"),
    gives="metadata",
    version=2,
    metadata=tuple(field.name for field in fields(MediaMetadata)),
)
class MediaMetadataExtractor(Extractor):
    """The attributes of `competition.media.probe.MediaMetadata`; NaN where one is not known."""

    libraries = ("av",)

    def extract_one(self, item: Item) -> dict[str, float]:
        """Return the metadata by name."""
        return asdict(probe(item.path))
