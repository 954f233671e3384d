"""The look of a demo film: the tags that leave a trace in picture and sound, size and length.

Some tags leave no trace, and some traces are false. A film is shorter and smaller than its plan; a
longer and larger plan makes a longer and larger film.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import exp
from random import Random

from competition.demo.content import DATA, pick
from competition.demo.plan import AdPlan

FPS = 8
FRAMES_OF_SHOT = 2  # at least
LEAST_SECONDS, MOST_SECONDS = 3.0, 8.0
# Pixels of a film by the pixels of its plan; for portrait films both are swapped.
SIZES = {
    (960, 540): (384, 216),
    (1280, 720): (448, 252),
    (1920, 1080): (480, 270),
    (720, 720): (288, 288),
    (1080, 1080): (360, 360),
}
PLACES = ("场景-其他", "室内", "家", "室外", "办公室", "影棚幕布", "医院")
OTHER_PLACE = 0.12
OTHER_MUSIC = 0.25
NO_SOUND = 0.03
SILENCE = 0.02
NO_MUSIC = 0.15


@dataclass(frozen=True)
class Look:
    """The look of one film.

    Attributes
    ----------
    width, height : int
        Pixels, both even.
    shot_frames : tuple of int
        Length of each shot of the plan in frames.
    seen, heard : frozenset of str
        Tags that leave a trace in picture and sound.
    places : dict of str to str
        The place that is drawn for each place of the plan; for some places another one.
    sound : {"full", "silence", "none"}
        "none" means that the film has no sound stream.
    music : str
        The mood of the music, or "" for none.
    """

    width: int
    height: int
    shot_frames: tuple[int, ...]
    seen: frozenset[str]
    heard: frozenset[str]
    places: dict[str, str]
    sound: str
    music: str

    @property
    def n_frames(self) -> int:
        """Length of the film in frames."""
        return sum(self.shot_frames)

    @property
    def seconds(self) -> float:
        """Length of the film."""
        return self.n_frames / FPS


def draw_look(plan: AdPlan) -> Look:
    """Draw the look of a film; the same plan always gives the same look."""
    rng = Random(f"{plan.noise_seed}:look")
    width, height = film_size(plan.format.width, plan.format.height)
    odds = _load_odds()
    traces = {
        sense: frozenset(
            tag
            for tag, odd in odds[sense].items()
            if rng.random() < odd["hit" if tag in plan.tags else "false"]
        )
        for sense in ("seen", "heard")
    }
    places = {
        place: pick(rng, PLACES) if rng.random() < OTHER_PLACE else place
        for place in dict.fromkeys(shot.place for shot in plan.shots)
    }
    draw = rng.random()
    sound = "none" if draw < NO_SOUND else "silence" if draw < NO_SOUND + SILENCE else "full"
    music = pick(rng, ("calm", "bright", "tense", "sad"))
    if rng.random() >= OTHER_MUSIC:
        music = plan.music
    if rng.random() < NO_MUSIC:
        music = ""
    return Look(
        width,
        height,
        _shot_frames([shot.seconds for shot in plan.shots], film_seconds(plan.format.duration)),
        traces["seen"],
        traces["heard"],
        places,
        sound,
        music,
    )


@cache
def _load_odds() -> dict[str, dict[str, dict[str, float]]]:
    """Read how often a tag leaves its trace: sense -> tag -> "hit" and "false"."""
    with (DATA / "media.toml").open("rb") as file:
        return tomllib.load(file)


def film_seconds(planned: float) -> float:
    """Return the seconds of a film, 3 to 8, which grow with the planned seconds."""
    span = MOST_SECONDS - LEAST_SECONDS
    return LEAST_SECONDS + span * (1 - exp(-max(planned - 6.0, 0.0) / 35.0))


def film_size(width: int, height: int) -> tuple[int, int]:
    """Return width and height of a film in pixels, in the proportion of those planned."""
    if height > width:
        tall, wide = film_size(height, width)
        return wide, tall
    return SIZES[width, height]


def _shot_frames(planned: Sequence[float], seconds: float) -> tuple[int, ...]:
    """Return the frames of each shot, about in proportion to the planned seconds."""
    total, start, counts = sum(planned), 0, []
    passed = 0.0
    for length in planned:
        passed += length
        count = max(FRAMES_OF_SHOT, round(seconds * FPS * passed / total) - start)
        counts.append(count)
        start += count
    return tuple(counts)
