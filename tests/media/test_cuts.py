from itertools import chain

import numpy as np
import pytest

from competition.media.cuts import count_cuts


def scene(seed: int, n_frames: int, speed: float = 1.0) -> list[np.ndarray]:
    """A camera that passes over coloured fields."""
    rng = np.random.default_rng(seed)
    fields = rng.integers(0, 256, (6, 12, 3)).astype(np.uint8)
    wide = fields.repeat(12, axis=0).repeat(12, axis=1)
    noise = rng.integers(0, 4, (n_frames, 32, 56, 3), dtype=np.uint8)
    starts = (speed * np.arange(n_frames)).astype(int)
    return [wide[20:52, x : x + 56] // 2 + 20 + n for x, n in zip(starts, noise, strict=True)]


@pytest.mark.parametrize("n_scenes", range(1, 6))
@pytest.mark.parametrize("first", [0, 100, 200])
def test_every_hard_cut_is_counted_once(first: int, n_scenes: int):
    lengths = np.random.default_rng(first).integers(4, 20, n_scenes)
    film = chain.from_iterable(scene(first + i, n) for i, n in enumerate(lengths))

    assert count_cuts(film) == n_scenes - 1


def test_motion_is_no_cut():
    assert count_cuts(scene(0, 20, speed=4.0)) == 0


def test_cross_fade_is_no_cut():
    before, after = scene(1, 10), scene(2, 10)
    fade = [
        (before[-1] * (1 - share) + after[0] * share).astype(np.uint8)
        for share in np.linspace(0, 1, 8)
    ]

    assert count_cuts([*before, *fade, *after]) == 0


def test_same_colours_in_other_places_are_a_cut():
    frames = scene(3, 8, speed=0.0)

    assert count_cuts([*frames, *(frame[::-1, ::-1] for frame in frames)]) == 1


@pytest.mark.parametrize("n_frames", [0, 1])
def test_too_few_frames_have_no_cut(n_frames: int):
    assert count_cuts(scene(0, n_frames)) == 0
