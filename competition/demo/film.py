"""Render demo films: the shots, captions and sound of a plan as an mp4 file."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from random import Random

import av
import numpy as np

from competition.demo.canvas import Canvas, near
from competition.demo.captions import lay_captions
from competition.demo.inserts import draw_goods, draw_insert
from competition.demo.look import FPS, Look, draw_look
from competition.demo.people import (
    FACES,
    Person,
    cast_people,
    draw_passer,
    draw_people,
)
from competition.demo.places import draw_place
from competition.demo.plan import AdPlan, Shot
from competition.demo.sound import RATE, make_sound

STEPS = 5  # different pictures of a shot that moves
PAN = 0.025  # share of the width that a moving camera pans per frame
FARTHEST_PAN = 0.3
PADDED = 0.58  # share of the longer side that the picture of a padded film takes
# Light of each mood: factors of red, green and blue.
GRADES = {
    "喜悦": (1.1, 1.04, 0.9),
    "惊奇": (1.08, 1.08, 1.12),
    "愤怒": (1.12, 0.82, 0.8),
    "悲伤": (0.72, 0.8, 0.96),
}
VIDEO_OPTIONS = {
    "preset": "superfast",
    "crf": "28",
    "threads": "1",
    "x264-params": "cpu-independent=1",
}
SOUND_OPTIONS = {"b": "32000", "aac_coder": "fast"}
SAMPLES_OF_PIECE = 1024


def write_film(path: Path, plan: AdPlan) -> None:
    """Write the film of an ad; the same plan makes the same bytes with the same libraries.

    H.264 at 8 frames per second and AAC, 16 kHz mono; a few films have no sound stream.
    """
    look = draw_look(plan)
    sound = make_sound(plan, look)
    # "bitexact" leaves out the versions of the libraries.
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as file:
        video = file.add_stream("libx264", rate=FPS, options=VIDEO_OPTIONS)
        video.width, video.height, video.pix_fmt = look.width, look.height, "yuv420p"
        if sound is not None:
            _write_sound(file, sound)
        for rank, pixels in enumerate(film_frames(plan, look)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = rank
            file.mux(video.encode(frame))
        file.mux(video.encode(None))


def _write_sound(file: av.container.OutputContainer, sound: np.ndarray) -> None:
    """Encode a sound, float32 (n_samples,), in the pieces that AAC takes."""
    stream = file.add_stream("aac", rate=RATE, layout="mono", options=SOUND_OPTIONS)
    for start in range(0, len(sound), SAMPLES_OF_PIECE):
        piece = sound[None, start : start + SAMPLES_OF_PIECE]
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
        file.mux(stream.encode(frame))
    file.mux(stream.encode(None))


def film_frames(plan: AdPlan, look: Look) -> Iterator[np.ndarray]:
    """Yield the frames of a film, uint8 (height, width, 3), each valid until the next one."""
    overlays = lay_captions(plan, look)
    rng = Random(f"{plan.noise_seed}:people")
    people = cast_people(look.seen, rng)
    frame, window = _filler(look, rng)
    filler = frame.copy()
    number = 0
    for rank, shot in enumerate(plan.shots):
        for picture in _shot_pictures(plan, look, rank, shot, people, window):
            frame[:] = filler
            frame[window] = picture
            for overlay in overlays:
                if overlay.start <= number < overlay.end:
                    overlay.put_on(frame)
            yield frame
            number += 1


def _filler(look: Look, rng: Random) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Return the frame around the picture of a padded film, and the window of the picture."""
    canvas = Canvas(look.width, look.height)
    hue = rng.random()
    canvas.fade(0, 1, near(rng, hue, 0.6, 0.55), near(rng, hue + 0.1, 0.5, 0.8))
    height, width = look.height, look.width
    if "填充" in look.seen:
        height = round(PADDED * height) if height >= width else height
        width = round(PADDED * width) if look.width > look.height else width
    top, left = (look.height - height) // 2, (look.width - width) // 2
    return canvas.pixels().copy(), (slice(top, top + height), slice(left, left + width))


def _shot_pictures(
    plan: AdPlan,
    look: Look,
    rank: int,
    shot: Shot,
    people: list[Person],
    window: tuple[slice, slice],
) -> Iterator[np.ndarray]:
    """Yield the pictures of one shot, each in the size of the window."""
    height = window[0].stop - window[0].start
    width = window[1].stop - window[1].start
    count = look.shot_frames[rank]
    talking = bool(people) and not shot.insert
    steps = 2 if talking else min(STEPS, count)
    travel = round(min(PAN * count, FARTHEST_PAN) * width) if shot.moving else 0
    pictures = []
    for step in range(steps):
        canvas = Canvas(width + travel, height)
        _draw_shot(canvas, plan, look, rank, people, step, step / max(1, steps - 1))
        pictures.append(_lit(canvas.pixels(), plan, look, rank))
    for number in range(count):
        picture = pictures[number % 2 if talking else number * steps // count]
        left = travel * number // max(1, count - 1)
        yield picture[:, left : left + width]


def _draw_shot(
    canvas: Canvas,
    plan: AdPlan,
    look: Look,
    rank: int,
    people: list[Person],
    step: int,
    progress: float,
) -> None:
    """Draw one picture of a shot: an insert, or a place with people or goods in it."""
    shot = plan.shots[rank]
    rng = Random(f"{plan.noise_seed}:shot:{rank}")
    if shot.insert:
        # The same screen or sheet in every shot that shows it.
        draw_insert(canvas, shot.insert, Random(f"{plan.noise_seed}:{shot.insert}"), progress)
    else:
        # Two cameras alternate in each place.
        place = look.places[shot.place]
        room = Random(f"{plan.noise_seed}:{place}:{rank % 2}")
        ancient = "古代" in look.seen
        draw_place(canvas, place, room, ancient)
        if "路人" in look.seen:
            for _ in range(3):
                draw_passer(canvas, rng.random() + 0.02 * step, ancient, rng)
        if people:
            face = next((face for tag, face in FACES.items() if tag in look.seen), "")
            draw_people(canvas, people, shot.framing, face, rank % len(people), step)
        else:
            draw_goods(canvas, shot.framing, Random(f"{plan.noise_seed}:goods"), progress)
    if rank == len(plan.shots) - 1 and "推广页" in look.seen:
        _draw_page(canvas, Random(f"{plan.noise_seed}:page"))


def _draw_page(canvas: Canvas, rng: Random) -> None:
    """Draw a landing page over the lower half of the picture."""
    accent = near(rng, rng.random(), 0.75, 0.85)
    canvas.round_box(0.04, 0.54, 0.96, 1.05, (252, 252, 252), 0.05)
    canvas.round_box(0.1, 0.59, 0.3, 0.72, accent, 0.04)
    canvas.box(0.36, 0.61, 0.8, 0.64, (70, 74, 84))
    canvas.box(0.36, 0.67, 0.68, 0.69, (170, 174, 182))
    canvas.round_box(0.12, 0.86, 0.88, 0.97, accent, 0.06)


def _lit(pixels: np.ndarray, plan: AdPlan, look: Look, rank: int) -> np.ndarray:
    """Light a picture: from one side, brighter or darker by shot, tinted by mood."""
    rng = Random(f"{plan.noise_seed}:light:{rank}")
    grade = np.ones(3, np.float32)
    for tag, factors in GRADES.items():
        if tag in look.seen:
            grade *= np.asarray(factors, np.float32)
    gain = (0.84 if rank % 2 else 1.0) + 0.1 * rng.random()
    slope = 0.3 * (rng.random() - 0.5)
    ramp = np.linspace(gain - slope, gain + slope, pixels.shape[1], dtype=np.float32)
    return np.minimum(pixels * (ramp[:, None] * grade), 255).astype(np.uint8)
