"""Ads in memory and in a file, and what is taken of them."""

from pathlib import Path

import numpy as np
import pytest

from competition.level2.data import Ads, check_range
from competition.testing.stacks import made_stack, with_probabilities
from competition.utils.errors import ModelError


@pytest.fixture
def mapped(tmp_path: Path) -> Ads:
    """The ads of `made_stack`, their probabilities in a file."""
    data, _ = made_stack()
    values = data.ads.probabilities
    file = np.memmap(tmp_path / "oof", np.float32, "w+", shape=values.shape)
    file[:] = values
    return with_probabilities(data, file).ads


def test_ads_taken_from_a_file_are_not_copied(mapped: Ads) -> None:
    taken = mapped.take(np.arange(5, 30)).take(np.array([3, 3, 0]))
    assert taken._array is mapped._array
    assert taken.shape == (3, 3, 5)


def test_ads_in_a_file_read_as_those_in_memory(mapped: Ads) -> None:
    rows = np.array([7, 2, 40, 2])
    held = made_stack()[0].ads
    for ads, expected in (
        (mapped, held),
        (mapped.take(rows), held.take(rows)),
        (mapped.take(rows).of_models([2, 0]), held.take(rows).of_models([2, 0])),
    ):
        some = np.array([1, 3])
        np.testing.assert_array_equal(ads.probabilities, expected.probabilities)
        np.testing.assert_array_equal(ads.read(some), expected.probabilities[some])
        np.testing.assert_array_equal(ads.read(slice(1, 3)), expected.probabilities[1:3])
        last = expected.shape[2] - 1
        np.testing.assert_array_equal(ads.read_tag(last, some), expected.probabilities[some, :, -1])
        assert ads.metadata.equals(expected.metadata)


def test_without_a_fold_its_ads_are_not_there() -> None:
    data, _ = made_stack()
    rest, kept = data.without_fold(2), data.fold != 2
    assert rest.folds == [0, 1]
    np.testing.assert_array_equal(rest.ads.probabilities, data.ads.probabilities[kept])
    np.testing.assert_array_equal(rest.ads.missing, data.ads.missing[kept])
    np.testing.assert_array_equal(rest.labels, data.labels[kept])
    assert list(rest.ads.metadata.index) == list(np.flatnonzero(kept))


def test_of_models_keeps_the_named_models_in_the_order_given() -> None:
    data, _ = made_stack()
    kept = data.of_models(["model_2", "model_0"])
    np.testing.assert_array_equal(kept.ads.probabilities, data.ads.probabilities[:, [2, 0]])
    np.testing.assert_array_equal(kept.reads, data.reads[[2, 0]])


def test_without_metadata_nothing_is_known_but_predictions() -> None:
    data, _ = made_stack()
    bare = data.without_metadata()
    assert bare.ads.metadata.shape == bare.ads.missing.shape == (60, 0)
    assert bare.reads.shape == (3, 0)
    assert data.ads.metadata.shape == (60, 2)


@pytest.mark.parametrize("bad", [np.nan, -0.1, 1.5])
def test_a_probability_out_of_range_is_an_error_that_names_the_model_and_the_ad(bad) -> None:
    _, test = made_stack()
    values = test.probabilities.copy()
    values[2, 1, 0] = bad
    with pytest.raises(ModelError, match=r"'asr' predicts .* tag number 0 of test ad number 2"):
        check_range(Ads(values, test.metadata, test.missing), "test", ("ocr", "asr", "sound"))
