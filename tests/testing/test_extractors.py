"""Every extractor keeps the contract, and the contract catches those that do not."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from competition.features.base import Extractor
from competition.features.pictures import pictures
from competition.features.registry import ExtractorEntry, find_extractors, get_extractor
from competition.testing.extractors import ExtractorContract
from competition.testing.items import made_items
from competition.utils.errors import FeatureError, MediaError

# What those need that run with a checkpoint alone; of the others there is no small one here.
CHECKPOINTS = {"audio": "tiny_wavlm", "bert": "tiny_bert", "vit": "tiny_resnet"}
WITHOUT = ("asr", "bottom_up", "vggish")
MORE = {"bert": {"batch_size": 2}, "vit": {"batch_size": 2, "pooling": "pooler"}}


# Not those that other test files register.
SHIPPED = [
    name
    for name in find_extractors()
    if name not in WITHOUT and get_extractor(name).make.__module__.startswith("competition.")
]


class TestRegistered(ExtractorContract):
    @pytest.fixture(autouse=True, params=SHIPPED)
    def _named(self, request: pytest.FixtureRequest) -> None:
        self.name = request.param
        self.params: dict[str, Any] = {**MORE.get(self.name, {})}
        if self.name in CHECKPOINTS:
            folder = request.getfixturevalue(CHECKPOINTS[self.name])
            self.params |= {"checkpoint": str(folder), "device": "cpu"}


def test_those_left_out_lack_a_checkpoint() -> None:
    assert all(get_extractor(name).make().lacks() for name in WITHOUT)


class Mean(Extractor):
    """The mean colour of a picture."""

    def __init__(self, every_ms: int = 500) -> None:
        self.every_ms = every_ms

    def extract_one(self, item):
        found = [picture.mean(axis=(0, 1)) for picture in pictures(item, self.every_ms)]
        return np.stack(found).astype(np.float32)


class GivesText(Mean):
    def extract_one(self, item):
        return str(super().extract_one(item))


class GivesNaN(Mean):
    def extract_one(self, item):
        return super().extract_one(item) * np.nan


class GivesVector(Mean):
    def extract_one(self, item):
        return super().extract_one(item)[0]


class GivesDoubles(Mean):
    def extract_one(self, item):
        return super().extract_one(item).astype(float)


class GivesWidth(Mean):
    def extract_one(self, item):
        return next(pictures(item, 500)).mean(axis=(0, 2))[None].astype(np.float32)


class GivesOtherNames(Mean):
    def extract_one(self, item):
        return {"redness": 1.0}


class GivesWords(Mean):
    def extract_one(self, item):
        return {"red": "much"}


class LeavesOut(Mean):
    def extract(self, items, n_workers=0):
        yield from list(super().extract(items))[:1]


class DrawsUnseeded(Mean):
    def extract_one(self, item):
        return super().extract_one(item) + np.random.default_rng().random(1, np.float32)


class ScalesByBatch(Mean):
    def extract(self, items, n_workers=0):
        results = list(super().extract(items))
        most = max((one.max() for one in results if isinstance(one, np.ndarray)), default=1)
        return iter([one / most if isinstance(one, np.ndarray) else one for one in results])


class SortsItems(Mean):
    def extract(self, items, n_workers=0):
        return super().extract(sorted(items, key=lambda item: item.path.stat().st_size))


class HelpedOtherwise(Mean):
    def extract(self, items, n_workers=0):
        return super().extract(items[::-1] if n_workers else items)


class FailsWithOne(Mean):
    def extract(self, items, n_workers=0):
        yield from [self.extract_one(item) for item in items]


class MakesUp(Mean):
    def extract_one(self, item):
        try:
            return super().extract_one(item)
        except MediaError:
            return np.zeros((1, 3), dtype=np.float32)


class ForgetsNext(Mean):
    def extract(self, items, n_workers=0):
        results = list(super().extract(items))
        bad = [isinstance(one, MediaError) for one in results]
        return iter([MediaError("?") if any(bad[:i]) else one for i, one in enumerate(results)])


class StaysHere(Mean):
    def __reduce__(self):
        raise TypeError("it holds an open file")


class ForgetsOnPickling(Mean):
    factor = 1.0

    def extract_one(self, item):
        return super().extract_one(item) * np.float32(self.factor)

    def __setstate__(self, state):
        super().__setstate__(state)
        self.factor = 2.0


class PreparesInConstructor(Mean):
    def __init__(self, every_ms=500):
        super().__init__(every_ms)
        self.sides = (12, 12)


class Lacks(Mean):
    def lacks(self):
        return "No checkpoint is named."


class NamesAbsentFiles(Mean):
    def files(self):
        return [Path("no", "such", "vocabulary.txt")]


class IsNoExtractor:
    pass


BROKEN = [
    (IsNoExtractor, "nothing_is_missing", "is no Extractor"),
    (Lacks, "nothing_is_missing", "No checkpoint is named"),
    (NamesAbsentFiles, "files_are_there", "vocabulary.txt is not"),
    (GivesText, "results_are_what_is_registered", "must be an array, got str"),
    (GivesNaN, "results_are_what_is_registered", "not finite"),
    (GivesVector, "results_are_what_is_registered", r"float32 of shape \(3,\)"),
    (GivesDoubles, "results_are_what_is_registered", "got float64"),
    (GivesOtherNames, "results_are_what_is_registered", r"\['red'\], got \['redness'\]"),
    (GivesWords, "results_are_what_is_registered", "numbers alone"),
    (GivesWidth, "arrays_are_equally_wide", "must have one width"),
    (LeavesOut, "one_result_for_each_item", "of 3 items of kind image must yield 3 results, got 1"),
    (DrawsUnseeded, "same_item_gives_the_same_result", "fixed seed"),
    (ScalesByBatch, "result_does_not_depend_on_the_other_items", "no mean or scale over items"),
    (SortsItems, "result_does_not_depend_on_the_other_items", "sorting by length"),
    (HelpedOtherwise, "processes_that_decode_change_nothing", "n_workers"),
    (FailsWithOne, "item_that_cannot_be_read_is_a_media_error", "must not end the run"),
    (MakesUp, "item_that_cannot_be_read_is_a_media_error", "Make up no feature"),
    (ForgetsNext, "item_that_cannot_be_read_is_a_media_error", "items around it"),
    (StaysHere, "pickled_extractor_gives_the_same_results", "it holds an open file"),
    (ForgetsOnPickling, "pickled_extractor_gives_the_same_results", "gives other results"),
    (PreparesInConstructor, "constructor_only_stores_its_parameters", "sides"),
]


def contract_of(make: type) -> ExtractorContract:
    gives = "metadata" if make in (GivesOtherNames, GivesWords) else "array"

    class Contract(ExtractorContract):
        entry = ExtractorEntry("made", make, ("image",), gives, 1, ("red",))  # type: ignore[assignment]

    return Contract()


def checked(contract: ExtractorContract, test: str, folder: Path) -> None:
    check = getattr(contract, f"test_{test}")
    check(**{name: folder for name in inspect.signature(check).parameters})


@pytest.mark.parametrize(("make", "test", "message"), BROKEN)
def test_contract_catches_a_broken_extractor(
    make: type, test: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match=message):
        checked(contract_of(make), test, tmp_path)


CHECKS = [name.removeprefix("test_") for name in dir(ExtractorContract) if name[:5] == "test_"]


@pytest.mark.parametrize("test", CHECKS)
def test_contract_lets_a_sound_extractor_pass(test: str, tmp_path: Path) -> None:
    checked(contract_of(Mean), test, tmp_path)


def test_every_check_of_the_contract_catches_something() -> None:
    assert set(CHECKS) == {test for _, test, _ in BROKEN}


def test_kind_that_no_extractor_reads_has_no_made_items(tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match="No extractor reads the kind metadata"):
        made_items("metadata", tmp_path)
