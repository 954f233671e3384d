"""What hmam reads of an ad's columns."""

import numpy as np
import pandas as pd
import pytest

from competition.level1.models.hmam.inputs import Reader
from competition.utils.errors import ModelError

RNG = np.random.default_rng(0)
REGIONS = [RNG.normal(3, 2, (n, 4)).astype(np.float16) for n in (3, 0, 2)]
FRAMES = [RNG.normal(size=(n, 3)).astype(np.float32) for n in (5, 1)]


def frame() -> pd.DataFrame:
    """Three ads: all there; no object, no text; no image."""
    return pd.DataFrame(
        {
            "story": ["a soldier|goes home", "", "the long way"],
            "regions": REGIONS,
            "still": [FRAMES[0], FRAMES[1], None],
            "sound": [np.ones((2, 2), np.float32), None, None],
            "absent": [None, None, None],
        },
        index=["one", "two", "three"],
    )


def reader(objects: str = "regions", max_words: int = 3) -> Reader:
    return Reader(objects, max_words, vectors="", random_state=0)


@pytest.fixture(scope="module")
def fitted() -> Reader:
    return reader().fit(frame())


def test_sizes_are_those_of_the_columns(fitted):
    assert fitted.sizes_ == (3 + 2, 4, 300)


def test_image_is_the_standardised_mean_over_rows(fitted):
    means = np.array([array.mean(axis=0) for array in FRAMES])
    expected = (means - means.mean(axis=0)) / means.std(axis=0)
    ads = fitted.read(frame())
    assert np.allclose(ads.image[:2, :3], expected, atol=1e-5)
    assert not ads.image[2].any()
    assert ads.has_image.tolist() == [True, True, False]


def test_objects_are_standardised_over_all_objects_of_all_ads(fitted):
    rows = np.concatenate(REGIONS).astype(np.float64)
    batch = fitted.batch(fitted.read(frame()), np.array([2, 0]))
    expected = (REGIONS[2] - rows.mean(axis=0)) / rows.std(axis=0)
    assert np.allclose(batch.objects[0, :2], expected, atol=1e-4)
    assert batch.is_object.tolist() == [[True, True, False], [True] * 3]
    assert not batch.objects[0, 2].any()


def test_first_words_of_each_text_are_read_in_order(fitted):
    ads = fitted.read(frame().assign(absent=""))
    read = [[ads.vocabulary[i] for i in ad] for ad in ads.words]
    assert read == [["a", "soldier", "goes"], [], ["the", "long", "way"]]


def test_known_are_ads_with_anything_at_all(fitted):
    nothing = frame().assign(story="", still=None, sound=None)
    assert fitted.read(nothing).known.tolist() == [True, False, True]


def test_another_column_may_hold_the_objects():
    fitted = reader(objects="still").fit(frame())
    assert fitted.sizes_ == (2 + 4, 3, 300)
    assert len(fitted.read(frame()).objects[0]) == 5


def test_inputs_of_other_ads_change_nothing(fitted):
    alone = fitted.read(frame().iloc[[0]])
    together = fitted.read(frame())
    assert np.array_equal(alone.image[0], together.image[0])
    assert np.array_equal(alone.vectors[alone.words[0]], together.vectors[together.words[0]])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1.5, 2.5, 3.5], r"'one', column 'budget': hmam reads texts and arrays .*, not float"),
        (["a text", FRAMES[0], None], "'budget' mixes texts and arrays"),
        ([["a", "b"], None, None], "'one', column 'budget': hmam reads .*, not list"),
        ([np.zeros(3), None, None], "'one', column 'budget': hmam reads .*shape"),
    ],
)
def test_other_columns_are_refused(column, message):
    ads = frame()
    ads["budget"] = pd.Series(column, index=ads.index)
    with pytest.raises(ModelError, match=message):
        reader().fit(ads)
