"""Demo films are files like any other, and the same bytes every time."""

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from competition.datasets import load_dataset
from competition.datasets.base import AdDataset
from competition.demo.film import film_frames
from competition.demo.look import draw_look
from competition.demo.make import write_films
from competition.demo.plan import AdPlan
from competition.demo.sound import RATE
from tests.demo.made_demo import film_of, frames_of
from tests.recorded import Recorded


@pytest.fixture(scope="module")
def dataset(demo_films: Path) -> AdDataset:
    return load_dataset(demo_films)


def test_every_ad_has_a_film(dataset: AdDataset) -> None:
    assert dataset.inputs["video"].kind == "video"
    assert dataset.ads["video"].notna().all()
    assert "metadata" not in dataset.inputs


def test_films_are_h264_and_aac_of_the_planned_shape(
    demo_films: Path, film_plans: list[AdPlan]
) -> None:
    for plan in film_plans:
        look = draw_look(plan)
        with av.open(str(film_of(demo_films, plan))) as file:
            video = file.streams.video[0]
            assert video.codec_context.name == "h264"
            assert (video.width, video.height) == (look.width, look.height)
            assert video.frames == look.n_frames
            assert [s.codec_context.name for s in file.streams.audio] in ([], ["aac"])
            assert bool(file.streams.audio) == (look.sound != "none")


def test_every_frame_can_be_decoded_and_the_sound_is_as_long(
    demo_films: Path, film_plans: list[AdPlan]
) -> None:
    for plan in film_plans:
        look = draw_look(plan)
        path = film_of(demo_films, plan)
        assert len(frames_of(path)) == look.n_frames
        with av.open(str(path)) as file:
            if file.streams.audio:
                samples = sum(frame.samples for frame in file.decode(audio=0))
                assert samples / RATE == pytest.approx(look.seconds, abs=0.2)


def test_two_processes_write_what_one_does(
    demo_films: Path, film_plans: list[AdPlan], tmp_path: Path
) -> None:
    progress = Recorded()
    write_films(tmp_path, {"train": film_plans[:2]}, 2, progress)
    for plan in film_plans[:2]:
        assert film_of(tmp_path, plan).read_bytes() == film_of(demo_films, plan).read_bytes()
    assert progress.steps == [("rendering demo films", done, 2) for done in (0, 1, 2)]


def colours(frame: np.ndarray) -> np.ndarray:
    """Histogram of 512 colours."""
    cells = (frame[::4, ::4] >> 5).astype(int) @ np.array([64, 8, 1])
    return np.bincount(cells.ravel(), minlength=512) / cells.size


def test_pictures_jump_where_shots_change_and_nowhere_else(
    demo_films: Path, film_plans: list[AdPlan]
) -> None:
    for plan in film_plans:
        found = [colours(frame) for frame in frames_of(film_of(demo_films, plan))]
        jumps = [np.abs(b - a).sum() / 2 for a, b in pairwise(found)]
        ends = np.cumsum(draw_look(plan).shot_frames)[:-1]
        assert [at for at, jump in enumerate(jumps, start=1) if jump > 0.28] == list(ends)


def test_frames_are_drawn_as_encoded(demo_films: Path, film_plans: list[AdPlan]) -> None:
    plan = film_plans[2]
    drawn = [frame.copy() for frame in film_frames(plan, draw_look(plan))]
    for one, other in zip(drawn, frames_of(film_of(demo_films, plan)), strict=True):
        assert np.abs(one.astype(int) - other).mean() < 12
