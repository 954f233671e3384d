"""Contract tests that every extractor passes, and that an extractor of your own can run.

A test file imports the extractor, so that it is registered, and names it; pytest finds the tests in
the base class:

    class TestMyExtractor(ExtractorContract):
        name = "my_extractor"
        params = {"side": 4}

Each test makes its own small files. Of an extractor that needs a checkpoint, name one in `params`.
"""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from competition.features.base import Extracted, Extractor, Item
from competition.features.registry import ExtractorEntry, get_extractor
from competition.testing.items import bad_items, made_items
from competition.utils.errors import MediaError


class ExtractorContract:
    """What the store of features and the level-1 models rely on in an extractor."""

    name: str
    """The name that the extractor is registered under."""

    params: Mapping[str, Any] = {}
    """Parameters to make it with."""

    @property
    def entry(self) -> ExtractorEntry:
        """What is registered."""
        return get_extractor(self.name)

    def make(self) -> Extractor:
        """Return the extractor, not used yet."""
        extractor = self.entry.make(**self.params)
        assert isinstance(extractor, Extractor), (
            f"{type(extractor).__name__} is no Extractor. Derive it from "
            "competition.features.base.Extractor: only extract_one is left to write."
        )
        return extractor

    def test_nothing_is_missing(self) -> None:
        lacks = self.make().lacks()
        assert lacks == "", f"lacks must return an empty text where all is there, got: {lacks}"

    def test_files_are_there(self) -> None:
        absent = [str(path) for path in self.make().files() if not path.is_file()]
        assert not absent, (
            f"files must return paths of files that are there, to be digested; {', '.join(absent)} "
            "is not. Leave out what is not set."
        )

    def test_results_are_what_is_registered(self, tmp_path: Path) -> None:
        for item, result in self._made(tmp_path):
            self._check(item, result)

    def test_arrays_are_equally_wide(self, tmp_path: Path) -> None:
        if self.entry.gives != "array":
            pytest.skip("the extractor gives no arrays")
        widths = {result.shape[1] for _, result in self._made(tmp_path)}
        assert len(widths) == 1, (
            f"The rows of all arrays must have one width, got {sorted(widths)}: let what varies "
            "with the length of an item be the number of rows."
        )

    def test_one_result_for_each_item(self, tmp_path: Path) -> None:
        for kind in self.entry.kinds:
            items = made_items(kind, tmp_path)
            for given in (items, items[:1], []):
                n_results = len(list(self.make().extract(given)))
                assert n_results == len(given), (
                    f"extract of {len(given)} items of kind {kind} must yield {len(given)} "
                    f"results, got {n_results}. Yield a MediaError where there is no feature."
                )

    def test_same_item_gives_the_same_result(self, tmp_path: Path) -> None:
        for kind in self.entry.kinds:
            items = made_items(kind, tmp_path)
            extractor = self.make()
            first, again = list(extractor.extract(items)), list(extractor.extract(items))
            for results in (again, list(self.make().extract(items))):
                assert all(map(_same, first, results)), (
                    f"Items of kind {kind} that are extracted twice differ. Draw every random "
                    "number from a generator with a fixed seed, made in extract_one, and keep "
                    "nothing of one call for the next."
                )

    def test_result_does_not_depend_on_the_other_items(self, tmp_path: Path) -> None:
        for kind in self.entry.kinds:
            items = made_items(kind, tmp_path)
            together = list(self.make().extract(items))
            turned = list(self.make().extract(items[::-1]))[::-1]
            alone = [next(iter(self.make().extract([item]))) for item in items]
            for results in (turned, alone):
                assert all(map(_alike, together, results)), (
                    f"An item of kind {kind} must have the same feature alone, among others and in "
                    "any order. Compute no mean or scale over items, and yield results in the "
                    "order of the items: undo any sorting by length."
                )

    def test_processes_that_decode_change_nothing(self, tmp_path: Path) -> None:
        for kind in self.entry.kinds:
            items = made_items(kind, tmp_path)
            here, helped = (list(self.make().extract(items, n)) for n in (0, 1))
            same = len(here) == len(helped) and all(map(_alike, here, helped))
            assert same, (
                "Results must not depend on n_workers, the number of processes that decode."
            )

    def test_item_that_cannot_be_read_is_a_media_error(self, tmp_path: Path) -> None:
        for kind in self.entry.kinds:
            good, bad = made_items(kind, tmp_path), bad_items(kind, tmp_path)
            try:
                results = list(self.make().extract([good[0], *bad, *good[1:]]))
            except Exception as other:
                raise AssertionError(
                    f"One bad item of kind {kind} must not end the run, but extract raised "
                    f"{other!r}. Yield `attempt(self, item)`, which turns what fails into a "
                    "MediaError."
                ) from other
            expected = list(self.make().extract(good))
            found = [results[0], *results[1 + len(bad) :]]
            assert all(map(_alike, expected, found)), (
                f"A bad item of kind {kind} changes the features of the items around it."
            )
            if kind != "text":  # an empty text may have a feature
                for item, result in zip(bad, results[1:], strict=False):
                    assert isinstance(result, MediaError), (
                        f"{item.path.name} cannot be read, so that its result must be a "
                        f"MediaError, got {_shown(result)}. Make up no feature: the ad counts as "
                        "one that has none."
                    )

    def test_pickled_extractor_gives_the_same_results(self, tmp_path: Path) -> None:
        for kind in self.entry.kinds:
            items = made_items(kind, tmp_path)
            try:
                copy = pickle.loads(pickle.dumps(self.make()))
                results = list(copy.extract(items))
            except Exception as bad:
                raise AssertionError(
                    f"An extractor must work in another process, but its pickled copy raised "
                    f"{bad!r}. Load what cannot be pickled in the first call of extract."
                ) from bad
            assert all(map(_same, self.make().extract(items), results)), (
                "A pickled extractor gives other results: something that it uses is no parameter."
            )

    def test_constructor_only_stores_its_parameters(self) -> None:
        extractor = self.make()
        wanted = {name for name in inspect.signature(type(extractor)).parameters if name != "self"}
        assert set(vars(extractor)) == wanted, (
            f"The constructor must store each of {sorted(wanted)} under its own name and nothing "
            f"else; it stored {sorted(vars(extractor))}. Load and check in the first call."
        )

    def _made(self, folder: Path) -> list[tuple[Item, Any]]:
        """Made items of all kinds, with their features."""
        found = []
        for kind in self.entry.kinds:
            items = made_items(kind, folder)
            found += list(zip(items, self.make().extract(items), strict=False))
        return found

    def _check(self, item: Item, result: Extracted) -> None:
        gives, what = self.entry.gives, f"The result of a made {item.kind}"
        if gives == "text":
            assert isinstance(result, str), f"{what} must be a str, got {_shown(result)}."
        elif gives == "metadata":
            assert isinstance(result, dict), f"{what} must be a dict, got {_shown(result)}."
            assert set(result) == set(self.entry.metadata), (
                f"{what} must have the registered names {sorted(self.entry.metadata)}, got "
                f"{sorted(result)}."
            )
            assert all(isinstance(value, int | float) for value in result.values()), (
                f"{what} must have numbers alone (NaN where one is not known), got {result}."
            )
        else:
            assert isinstance(result, np.ndarray), f"{what} must be an array, got {_shown(result)}."
            fits = result.ndim == 2 and len(result) > 0 and result.dtype in (np.float16, np.float32)
            assert fits, (
                f"{what} must have the shape (rows, width), one row or more, and be float16 or "
                f"float32, got {result.dtype} of shape {result.shape}."
            )
            assert np.isfinite(result).all(), (
                f"{what} has numbers that are not finite. Raise a MediaError instead."
            )


def _shown(result: Extracted) -> str:
    return repr(result) if isinstance(result, MediaError) else type(result).__name__


def _same(one: Extracted, other: Extracted) -> bool:
    """Tell whether two results are equal, to the bit."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    return repr(one) == repr(other)


def _alike(one: Extracted, other: Extracted) -> bool:
    """Tell whether two results are equal but for rounding, which batches may change."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.shape == other.shape and np.allclose(one, other, rtol=0.02, atol=0.02)
    return repr(one) == repr(other)
