"""Long pictures are cut so that every line lies whole in a piece that keeps it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.features.ocr_pieces import ASPECT, pieces

AT_LEAST = 960
LONG = st.tuples(st.integers(1, 70_000), st.integers(1, 8_000)).filter(
    lambda sides: sides[0] > AT_LEAST and sides[0] > ASPECT * sides[1]
)


@pytest.mark.parametrize(
    ("longer", "shorter"), [(960, 10), (900, 900), (3_000, 1_000), (8_000, 7_000)]
)
def test_small_picture_and_one_of_a_usual_shape_stay_whole(longer: int, shorter: int):
    (piece,) = pieces(longer, shorter, AT_LEAST)

    assert piece == (0, longer, 0, longer)


@given(LONG)
def test_pieces_are_equally_long_and_cover_the_picture(sides: tuple[int, int]):
    cut = pieces(*sides, AT_LEAST)
    length = max(AT_LEAST, 2 * sides[1])

    assert {piece.end - piece.start for piece in cut} == {length}
    assert (cut[0].start, cut[-1].end) == (0, sides[0])


@given(LONG, st.floats(0, 1))
def test_every_line_lies_whole_in_a_piece_that_keeps_it(sides: tuple[int, int], place: float):
    longer, shorter = sides
    height = max(AT_LEAST, 2 * shorter) / 6
    middle = height / 2 + place * (longer - height)

    keeping = [p for p in pieces(*sides, AT_LEAST) if p.first <= middle <= p.last]

    assert keeping
    for piece in keeping:
        assert piece.start <= middle - height / 2 + 1
        assert middle + height / 2 - 1 <= piece.end


@given(LONG)
def test_pieces_are_few(sides: tuple[int, int]):
    length = max(AT_LEAST, 2 * sides[1])

    assert len(pieces(*sides, AT_LEAST)) <= 2 + sides[0] / (0.7 * length)
