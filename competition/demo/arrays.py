"""Demo ads at the competition's own size: its 82 tags, texts of its lengths, arrays for films.

A film is made up of latent values: each tag moves them in a direction of its own, each ad and each
shot adds noise, and they are spread over all dimensions of the features. Frames know more of places
and presentation, sound more of moods and voices, and what is said of a rare tag is its name.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from competition.datasets.taac2021 import MEDIA, METADATA_FILE, official_tags
from competition.demo.content import DATA, load_content, pick, read_toml, tag_probabilities
from competition.demo.plan import AdPlan
from competition.demo.texts import mishear, misread, render_texts
from competition.utils.progress import Progress

MOST_FRAMES = 60
SOUND_ROWS = 62
# Lengths of texts in the competition, in characters: read, and heard.
OCR_MEDIAN, OCR_SPREAD, OCR_LONGEST = 380, 0.75, 7640
ASR_MEAN, ASR_SPREAD, ASR_LONGEST = 210, 85, 880
NAMED, WRONGLY_NAMED = 0.4, 0.004  # share of ads whose words name a rare tag: with it, without

WORLD_SEED = 2021  # the directions of the tags, the same for all ads
LATENT = 64
# How far a tag of each dimension moves the latent values that frames and sound show.
SHOWN = {
    "youtube8m": {"scene": 1.0, "presentation": 1.0, "style": 0.6, "narration": 0.4},
    "vggish": {"scene": 0.3, "presentation": 0.7, "style": 0.8, "narration": 0.5},
}
DIMS = {"youtube8m": 1024, "vggish": 128}
SIZE = {"youtube8m": 0.7, "vggish": 1.0}  # so that values spread as those of the competition do
AD_NOISE, SHOT_NOISE, ROW_NOISE = 1.0, 0.5, 0.5


def with_all_tags(plan: AdPlan) -> AdPlan:
    """Draw those of the competition's tags that rendered films leave out."""
    chances = _rare_probabilities()[plan.scenario, plan.form, plan.mood]
    rng = Random(f"{plan.noise_seed}:rare tags")
    rare = {tag for tag, chance in zip(_rare(), chances, strict=True) if rng.random() < chance}
    return replace(plan, tags=tuple(tag for tag in official_tags() if tag in {*plan.tags, *rare}))


def long_texts(plan: AdPlan) -> tuple[str, str]:
    """Return the OCR and the ASR text of an ad, as long as the competition's are.

    A long text reads or hears again what the ad says, with other mistakes.
    """
    ocr, asr = render_texts(plan)
    rng = Random(f"{plan.noise_seed}:lengths")
    read, heard = [part.split("|") if part else [] for part in (ocr, asr)]
    wanted = min(OCR_LONGEST, OCR_MEDIAN * math.exp(OCR_SPREAD * _bell(rng)))
    read = _of_length(read, int(wanted), lambda line: misread(line, rng), rng)
    wanted = min(ASR_LONGEST, max(1, ASR_MEAN + ASR_SPREAD * _bell(rng)))
    if len(asr) > 12:  # not sound without words
        heard = _of_length(heard, int(wanted), lambda line: mishear(line, 0.1, rng), rng)
    for number, tag in enumerate(_rare()):
        named = rng.random() < (NAMED if tag in plan.tags else WRONGLY_NAMED)
        text = read if number % 2 else heard
        if named and text:
            text.insert(int(rng.random() * (len(text) + 1)), _spoken_name(tag))
    return "|".join(read), "|".join(heard)


def film_arrays(plan: AdPlan) -> dict[str, np.ndarray]:
    """Return what stands for an ad's film, by input.

    Returns
    -------
    dict of str to ndarray
        "youtube8m", float32 (n_frames, 1024), a frame a second, at most 60; "vggish", float64
        (62, 128).
    """
    n_frames = max(1, min(MOST_FRAMES, round(plan.format.duration)))
    rng = np.random.default_rng([WORLD_SEED, plan.noise_seed])
    arrays = {}
    for name, n_rows in {"youtube8m": n_frames, "vggish": SOUND_ROWS}.items():
        codes, spread = _world(name)
        latent = AD_NOISE * rng.standard_normal(LATENT) + sum(codes[tag] for tag in plan.tags)
        shots = latent + SHOT_NOISE * rng.standard_normal((len(plan.shots), LATENT))
        # Not by the matrix product of a library: its last bits differ between machines.
        shown = np.einsum("sl,ld->sd", shots, spread)
        shot_of_row = np.arange(n_rows) * len(shots) // n_rows
        noise = ROW_NOISE * rng.standard_normal((n_rows, DIMS[name]))
        arrays[name] = SIZE[name] * (shown[shot_of_row] + noise)
    return arrays | {"youtube8m": arrays["youtube8m"].astype(np.float32)}


def write_arrays(folder: Path, plans: Sequence[AdPlan], progress: Progress) -> None:
    """Write those arrays and facts of a split's ads that are absent below its folder."""
    places = {name: folder / below for name, kind, below, _ in MEDIA if kind == "array"}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    progress.update(f"writing arrays, {folder.name}", 0, len(plans))
    for done, plan in enumerate(plans, start=1):
        paths = {name: place / f"{plan.ad_id}.npy" for name, place in places.items()}
        if not all(path.exists() for path in paths.values()):
            for name, array in film_arrays(plan).items():
                if not paths[name].exists():
                    np.save(paths[name], array)
        progress.update(f"writing arrays, {folder.name}", done, len(plans))
    if not (folder / METADATA_FILE).exists():
        formats = [(plan.ad_id, plan.format) for plan in plans]
        rows = [f"{ad},{film.duration},{film.height},{film.width}\n" for ad, film in formats]
        text = "id,duration,height,width\n" + "".join(rows)
        (folder / METADATA_FILE).write_text(text, encoding="utf-8", newline="\n")


@cache
def _rare() -> tuple[str, ...]:
    """Return the tags that rendered films leave out."""
    return tuple(tag for tag in official_tags() if tag not in load_content().tags)


@cache
def _rare_probabilities() -> dict[tuple[str, str, str], list[float]]:
    rare, tags = read_toml(DATA / "rare_tags.toml"), read_toml(DATA / "tags.toml")
    kinds: dict[str, Any] = {
        name: {
            "weight": scenario.weight,
            "format": scenario.formats,
            "odds": rare["odds"].get(name, {}),
        }
        for name, scenario in load_content().scenarios.items()
    }
    return tag_probabilities(_rare(), tags | {"share": rare["share"]}, kinds)


@cache
def _world(name: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return how each tag moves the latent values, and how these spread over the dimensions."""
    rng = np.random.default_rng([WORLD_SEED, DIMS[name]])
    codes = {
        tag.name: SHOWN[name][tag.dimension] * rng.standard_normal(LATENT) / LATENT**0.5 * 2
        for tag in official_tags().values()
    }
    return codes, rng.standard_normal((LATENT, DIMS[name])) / LATENT**0.5


def _bell(rng: Random) -> float:
    """Draw about a standard normal value, the same on every machine: a sum of uniform draws."""
    return sum(rng.random() for _ in range(12)) - 6


def _of_length(
    lines: list[str], wanted: int, again: Callable[[str], str], rng: Random
) -> list[str]:
    """Leave lines out, or add some, read or heard `again`, until a text is as long as wanted."""
    if not lines:
        return lines
    out = list(lines)
    length = sum(len(line) + 1 for line in out) - 1
    while len(out) > 1 and length - len(out[-1]) - 1 >= wanted:
        length -= len(out.pop(int(rng.random() * len(out)))) + 1
    while length < wanted:
        line = again(pick(rng, lines))
        if line:
            out.append(line)
        length += len(line) + 1
    return out


def _spoken_name(tag: str) -> str:
    """Return the name of a tag without what stands in brackets."""
    return re.sub(r"\(.*?\)", "", tag).replace("/", "")
