"""Chunks of an ad, or on a GPU of many ads, fill the batches of one network."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from competition.features.base import Item
from competition.features.chunked import ChunkedExtractor, Network
from competition.utils.errors import FeatureError, MediaError

# Number of chunks of each ad; None cannot be read at all, -2 breaks after two chunks.
ADS = [3, 0, 1, None, 5, -2, 2]


class Doubled(ChunkedExtractor):
    """Doubles chunks, each the number of its ad and its own; notes the sizes of the batches."""

    def __init__(self, batch_size: int = 4) -> None:
        self.batch_size = batch_size

    def read(self, item: Item) -> Iterator[np.ndarray]:
        name = str(item.path)
        if name == "fault of the extractor":
            raise FeatureError("no checkpoint")
        ad, n_chunks = name.split(":")
        if n_chunks == "None":
            raise MediaError("it is broken")
        for chunk in range(abs(int(n_chunks))):
            yield np.array([[int(ad), chunk]])
        if int(n_chunks) < 0:
            raise ValueError("broken end")

    def load(self) -> Network:
        self.batches_: list[int] = []

        def run(chunks: np.ndarray) -> np.ndarray:
            self.batches_.append(len(chunks))
            return 2 * chunks

        return run

    def join(self, results: list[Any]) -> np.ndarray:
        return np.array(results).reshape(-1, 2)


class OnGpu(Doubled):
    """As it behaves where there is a GPU."""

    def on_gpu(self) -> bool:
        return True


def items() -> list[Item]:
    return [Item("audio", Path(f"{ad}:{n_chunks}")) for ad, n_chunks in enumerate(ADS)]


@pytest.mark.parametrize("batch_size", [1, 4, 100])
@pytest.mark.parametrize("n_workers", [0, 2])
@pytest.mark.parametrize("make", [Doubled, OnGpu])
def test_each_ad_gets_the_results_of_its_own_chunks(
    make: type[Doubled], batch_size: int, n_workers: int
) -> None:
    found = list(make(batch_size).extract(items(), n_workers))
    assert len(found) == len(ADS)
    for ad, (result, n_chunks) in enumerate(zip(found, ADS, strict=True)):
        if n_chunks is None:
            assert str(result) == "it is broken"
        elif n_chunks < 0:
            assert str(result) == "ValueError: broken end"
        else:
            expected = [[2 * ad, 2 * chunk] for chunk in range(n_chunks)]
            np.testing.assert_array_equal(result, np.reshape(expected, (-1, 2)))


def test_batches_hold_one_ad_so_that_no_other_shows_in_its_last_bits() -> None:
    extractor = Doubled(4)
    list(extractor.extract(items()))
    assert extractor.batches_ == [3, 1, 4, 1, 2, 2]


def test_on_a_gpu_batches_span_ads_and_only_the_last_is_smaller() -> None:
    extractor = OnGpu(4)
    list(extractor.extract(items()))
    assert extractor.batches_ == [4, 4, 4, 1]


def test_one_ad_by_itself_raises_what_is_wrong_with_it() -> None:
    np.testing.assert_array_equal(Doubled().extract_one(items()[2]), [[4, 0]])
    with pytest.raises(MediaError, match="it is broken"):
        Doubled().extract_one(items()[3])


def test_fault_of_the_extractor_ends_the_extraction() -> None:
    with pytest.raises(FeatureError, match="no checkpoint"):
        list(Doubled().extract([Item("audio", Path("fault of the extractor"))]))
