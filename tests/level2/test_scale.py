"""One scale: order is kept, and the distribution becomes that of the reference."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from competition.level2.components.scale import to_reference

VALUES = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40)


@given(VALUES, st.integers(0, 1000))
def test_order_of_all_values_is_kept(values: list[float], seed: int) -> None:
    learned = np.array(values, dtype=np.float32)
    reference = np.random.default_rng(seed).random(len(values), dtype=np.float32)
    every = np.linspace(0, 1, 101, dtype=np.float32)
    found = to_reference(learned, reference)(every)
    assert (np.diff(found) >= 0).all()
    assert ((found >= 0) & (found <= 1)).all()


def test_values_learned_from_get_the_distribution_of_the_reference() -> None:
    rng = np.random.default_rng(0)
    reference = rng.random(500).astype(np.float32)
    values = (rng.random(500) ** 6).astype(np.float32)
    found = to_reference(values, reference)(values)
    np.testing.assert_allclose(np.sort(found), np.sort(reference), atol=1e-6)
    assert (np.argsort(found) == np.argsort(values)).all()


def test_equal_values_get_one_level() -> None:
    found = to_reference(np.full(4, 0.3), np.array([0.1, 0.2, 0.3, 0.4]))(np.array([0.3]))
    np.testing.assert_allclose(found, [0.25], atol=1e-6)
