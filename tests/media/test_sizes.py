"""Sizes that are refused, and sizes after scaling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.media.sizes import MAX_PIXELS, check_size, scaled
from competition.utils.errors import MediaError

SIDES = st.integers(1, 20_000)


@pytest.mark.parametrize(("width", "height"), [(2, 1), (1, 2), (8_192, 8_192), (1, MAX_PIXELS)])
def test_picture_up_to_the_limit_is_accepted(width: int, height: int):
    check_size(width, height)


@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [
        (1, 1, "a placeholder of 1 x 1 pixels"),
        (8_193, 8_192, "8193 x 8192 pixels exceed the limit of 67,108,864 for a picture"),
        (1, MAX_PIXELS + 1, "exceed the limit"),
    ],
)
def test_placeholder_and_picture_beyond_the_limit_are_refused(width: int, height: int, reason: str):
    with pytest.raises(MediaError, match=reason):
        check_size(width, height)


@given(SIDES, SIDES)
def test_without_a_side_a_picture_keeps_its_size(width: int, height: int):
    assert scaled(width, height, None) == (width, height)


@given(SIDES, SIDES, SIDES)
def test_shorter_side_becomes_the_given_one_and_is_never_enlarged(
    width: int, height: int, side: int
):
    new = scaled(width, height, side)

    assert min(new) == min(width, height, side)


@given(SIDES, SIDES, SIDES)
def test_longer_side_keeps_its_proportion_to_half_a_pixel(width: int, height: int, side: int):
    new = scaled(width, height, side)
    factor = min(1, side / min(width, height))

    assert abs(max(new) - max(width, height) * factor) <= 0.5


def test_tall_picture_stays_tall():
    assert scaled(100, 300, 50) == (50, 150)
    assert scaled(300, 100, 50) == (150, 50)
