"""Films of the demo ads: what they look and sound like, and that they are files like any other."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random

import av
import numpy as np
import pytest

from competition.datasets import load_dataset
from competition.datasets.base import AdDataset
from competition.demo.canvas import Canvas
from competition.demo.captions import lay_captions
from competition.demo.content import load_content
from competition.demo.draw import FRAMINGS, INSERTS, draw_plan
from competition.demo.film import film_frames
from competition.demo.inserts import draw_goods, draw_insert
from competition.demo.look import FPS, PLACES, draw_look, film_seconds, film_size
from competition.demo.make import write_films
from competition.demo.people import cast_people
from competition.demo.places import draw_place
from competition.demo.plan import AdPlan
from competition.demo.sound import RATE, make_sound
from tests.conftest import DEMO_FILMS, DEMO_SEED
from tests.recorded import Recorded


@pytest.fixture(scope="module")
def dataset(demo_films: Path) -> AdDataset:
    return load_dataset(demo_films)


@pytest.fixture(scope="module")
def plans() -> list[AdPlan]:
    return [draw_plan(DEMO_SEED, "train", index) for index in range(DEMO_FILMS)]


def film_of(root: Path, plan: AdPlan) -> Path:
    return root / "videos" / "train_5k" / f"{plan.ad_id}.mp4"


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


def test_every_ad_has_a_film(dataset: AdDataset) -> None:
    assert dataset.inputs["video"].kind == "video"
    assert dataset.ads["video"].notna().all()
    assert "metadata" not in dataset.inputs


def test_films_are_h264_and_aac_of_the_planned_shape(demo_films: Path, plans: list[AdPlan]) -> None:
    for plan in plans:
        look = draw_look(plan)
        with av.open(str(film_of(demo_films, plan))) as file:
            video = file.streams.video[0]
            assert video.codec_context.name == "h264"
            assert (video.width, video.height) == (look.width, look.height)
            assert video.frames == look.n_frames
            assert [s.codec_context.name for s in file.streams.audio] in ([], ["aac"])
            assert bool(file.streams.audio) == (look.sound != "none")


def test_every_frame_can_be_decoded_and_the_sound_is_as_long(
    demo_films: Path, plans: list[AdPlan]
) -> None:
    for plan in plans:
        look = draw_look(plan)
        path = film_of(demo_films, plan)
        assert len(frames_of(path)) == look.n_frames
        with av.open(str(path)) as file:
            if file.streams.audio:
                samples = sum(frame.samples for frame in file.decode(audio=0))
                assert samples / RATE == pytest.approx(look.seconds, abs=0.2)


def test_two_processes_write_what_one_does(
    demo_films: Path, plans: list[AdPlan], tmp_path: Path
) -> None:
    progress = Recorded()
    write_films(tmp_path, {"train": plans[:2]}, 2, progress)
    for plan in plans[:2]:
        assert film_of(tmp_path, plan).read_bytes() == film_of(demo_films, plan).read_bytes()
    assert progress.steps == [("rendering demo films", done, 2) for done in (1, 2)]


def colours(frame: np.ndarray) -> np.ndarray:
    """Histogram of 512 colours."""
    cells = (frame[::4, ::4] >> 5).astype(int) @ np.array([64, 8, 1])
    return np.bincount(cells.ravel(), minlength=512) / cells.size


def test_pictures_jump_where_shots_change_and_nowhere_else(
    demo_films: Path, plans: list[AdPlan]
) -> None:
    for plan in plans:
        found = [colours(frame) for frame in frames_of(film_of(demo_films, plan))]
        jumps = [np.abs(b - a).sum() / 2 for a, b in pairwise(found)]
        ends = np.cumsum(draw_look(plan).shot_frames)[:-1]
        assert [at for at, jump in enumerate(jumps, start=1) if jump > 0.28] == list(ends)


def test_length_of_films_grows_with_the_plan_from_3_to_8_seconds() -> None:
    seconds = [film_seconds(planned) for planned in np.linspace(6, 80, 50)]
    assert all(short < long for short, long in pairwise(seconds))
    assert 3 <= seconds[0] < seconds[-1] <= 8


def test_films_keep_the_order_and_the_shape_of_the_planned_sizes() -> None:
    wide, tall = ((960, 540), (1280, 720), (1920, 1080)), ((540, 960), (720, 1280), (1080, 1920))
    for sizes in (wide, tall):
        films = [film_size(*size) for size in sizes]
        assert films == sorted(films)
        for (w, h), (film_w, film_h) in zip(sizes, films, strict=True):
            assert film_w / film_h == pytest.approx(w / h, rel=0.01)
    assert film_size(720, 720)[0] == film_size(720, 720)[1] < film_size(1080, 1080)[0]


def some_looks(n: int) -> Iterator[tuple[AdPlan, frozenset[str], frozenset[str], str]]:
    for index in range(n):
        plan = draw_plan(0, "train", index)
        look = draw_look(plan)
        yield plan, look.seen, look.heard, look.sound


def test_traces_follow_tags_but_not_always() -> None:
    looks = list(some_looks(400))
    for sense, tag, hit, false in ((1, "填充", 0.8, 0.1), (2, "愤怒", 0.65, 0.04)):
        with_tag = [tag in look[sense] for look in looks if tag in look[0].tags]
        without = [tag in look[sense] for look in looks if tag not in look[0].tags]
        assert np.mean(with_tag) == pytest.approx(hit, abs=0.15)
        assert np.mean(without) == pytest.approx(false, abs=0.05)


def test_a_few_films_are_silent_and_a_few_have_no_sound_stream() -> None:
    sounds = [sound for *_, sound in some_looks(400)]
    assert 0.01 < sounds.count("none") / 400 < 0.06
    assert 0.002 < sounds.count("silence") / 400 < 0.05


def test_every_scene_tag_has_a_backdrop_of_its_own() -> None:
    scenes = {tag for tag, dimension in load_content().dimensions.items() if dimension == "scene"}
    assert set(PLACES) == scenes
    drawn = set()
    for place in PLACES:
        canvas = Canvas(64, 64)
        draw_place(canvas, place, Random(0), ancient=False)
        drawn.add(canvas.pixels().tobytes())
    assert len(drawn) == len(PLACES)


@pytest.mark.parametrize("insert", INSERTS)
def test_every_insert_moves(insert: str) -> None:
    pictures = []
    for progress in (0.0, 1.0):
        canvas = Canvas(64, 96)
        draw_insert(canvas, insert, Random(0), progress)
        pictures.append(canvas.pixels().astype(int))
    assert np.abs(pictures[1] - pictures[0]).max() > 50


def test_closer_framing_shows_larger_goods() -> None:
    covered = []
    for framing in ("全景", "中景", "特写", "极端特写"):
        canvas = Canvas(90, 90)
        draw_goods(canvas, framing, Random(0), 0.5)
        covered.append(np.count_nonzero(canvas.pixels().any(axis=2)))
    assert set(FRAMINGS) == {"全景", "中景", "特写", "极端特写"}
    assert covered == sorted(covered)


def test_people_follow_what_is_seen() -> None:
    def cast(*seen: str) -> list:
        return cast_people(frozenset(seen), Random(0))

    assert cast() == []
    assert len(cast("单人口播")) == 1
    assert len(cast("多人情景剧")) >= 2
    assert min(person.size for person in cast("单人口播", "亲子")) < 1
    assert all(person.robe for person in cast("多人情景剧", "古代"))


def test_lines_of_a_kind_follow_one_another_for_half_a_second_or_more(
    plans: list[AdPlan],
) -> None:
    for plan in plans:
        look = draw_look(plan)
        for overlay in lay_captions(plan, look):
            assert (overlay.end - overlay.start) / FPS >= 0.5
            assert 0 <= overlay.start < overlay.end <= look.n_frames
            height, width = overlay.clear.shape[:2]
            assert 0 <= overlay.top <= look.height - height
            assert 0 <= overlay.left <= look.width - width


def test_ocr_reads_the_captions(demo_films: Path, plans: list[AdPlan]) -> None:
    from rapidocr import RapidOCR

    ocr = RapidOCR(params={"Global.log_level": "error", "Det.limit_side_len": 320})
    right = wrong = 0
    for plan in plans[:2]:
        texts = [line.text for line in plan.captions]
        pieces = {piece for text in texts for piece in text.replace(" ", "").split("，")} | {*texts}
        frame = frames_of(film_of(demo_films, plan))[1]
        for text in ocr(frame[:, :, ::-1]).txts:
            known = any(text.replace(" ", "") in piece.replace(" ", "") for piece in pieces)
            right, wrong = right + known, wrong + (not known)
    assert right >= 6
    assert right > 2 * wrong


def test_sound_is_none_silent_or_within_range(plans: list[AdPlan]) -> None:
    look = draw_look(plans[0])
    assert make_sound(plans[0], replace(look, sound="none")) is None
    silence = make_sound(plans[0], replace(look, sound="silence"))
    sound = make_sound(plans[0], replace(look, sound="full"))
    assert silence is not None
    assert sound is not None
    assert not silence.any()
    assert sound.dtype == np.float32
    assert sound.shape == silence.shape == (round(look.seconds * RATE),)
    assert 0.1 < np.abs(sound).max() <= 0.9 + 1e-6


def spectrum(plan: AdPlan, *heard: str) -> np.ndarray:
    """Power by Hz of a film without music in which the tags are heard."""
    look = replace(draw_look(plan), sound="full", music="", heard=frozenset(heard))
    sound = make_sound(plan, look)
    assert sound is not None
    power = np.abs(np.fft.rfft(sound[: 3 * RATE])) ** 2
    # 3 s have three lines a Hz: bands of 10 Hz.
    return power[: 3 * 7990].reshape(-1, 30).sum(axis=1) / power.sum()


def test_a_monitor_beeps_in_hospital(plans: list[AdPlan]) -> None:
    band = slice(87, 90)  # 870 to 900 Hz
    beeping, plain = spectrum(plans[0], "医院")[band].sum(), spectrum(plans[0])[band].sum()
    assert beeping > 5 * plain


def test_traffic_rumbles_outdoors(plans: list[AdPlan]) -> None:
    assert spectrum(plans[0], "室外")[1:8].sum() > 5 * spectrum(plans[0])[1:8].sum()


def test_a_low_voice_is_lower_than_a_high_one(plans: list[AdPlan]) -> None:
    def share_of_lows(pitch: float) -> float:
        speakers = tuple(replace(speaker, pitch=pitch) for speaker in plans[0].speakers)
        return spectrum(replace(plans[0], speakers=speakers))[7:16].sum()

    assert share_of_lows(110.0) > 5 * share_of_lows(250.0)


def test_frames_are_drawn_as_encoded(demo_films: Path, plans: list[AdPlan]) -> None:
    plan = plans[2]
    drawn = [frame.copy() for frame in film_frames(plan, draw_look(plan))]
    for one, other in zip(drawn, frames_of(film_of(demo_films, plan)), strict=True):
        assert np.abs(one.astype(int) - other).mean() < 12
