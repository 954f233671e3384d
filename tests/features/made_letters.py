"""An extractor for tests, which processes can import."""

import numpy as np

from competition.features.base import Extractor, Item
from competition.utils.errors import MediaError


class LetterCodes(Extractor):
    """One row per letter of a text; an "x" makes the text unreadable."""

    shard = 4

    def __init__(self, scale: float = 1.0, device: str = "cpu") -> None:
        self.scale = scale
        self.device = device

    def extract_one(self, item: Item) -> np.ndarray:
        if "x" in str(item.value):
            raise MediaError("it holds an x")
        return self.scale * np.array([[ord(letter), 1.0] for letter in str(item.value)])


def texts(n: int) -> dict[str, Item]:
    """Items by key; every fifth cannot be read."""
    words = {f"key{i:02}": "x" if i % 5 == 4 else "ab"[: 1 + i % 2] for i in range(n)}
    return {key: Item("text", word) for key, word in words.items()}
