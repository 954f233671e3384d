"""The content of demo ads: the wording and the tag odds in ``data``, read and checked once.

A template is text with slots and choices: ``{price}`` is filled from the ad's slots, and
``{cheap/free}`` stands for one of its options, which may themselves hold slots.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd

from competition.utils.errors import DatasetError

DATA = Path(__file__).parent / "data"
TAGS_FILE = Path(__file__).parents[1] / "datasets" / "taac2021_tags.csv"


@dataclass(frozen=True)
class Template:
    """Text with slots and choices.

    Attributes
    ----------
    pieces : tuple
        Pairs of a kind ("text", "slot" or "choice") and the text, the name of the slot or the
        options.
    """

    pieces: tuple[tuple[str, Any], ...]

    @classmethod
    def parse(cls, text: str) -> "Template":
        """Read a template.

        Raises
        ------
        DatasetError
            If its braces do not match.
        """
        pieces: list[tuple[str, Any]] = []
        literal = ""
        position = 0
        while position < len(text):
            if text[position] == "}":
                raise DatasetError(
                    f"The template {text!r} closes a brace that it never opened. Correct it."
                )
            if text[position] != "{":
                literal += text[position]
                position += 1
                continue
            options, position = _options(text, position + 1)
            if literal:
                pieces.append(("text", literal))
                literal = ""
            if len(options) == 1:
                pieces.append(("slot", options[0]))
            else:
                pieces.append(("choice", tuple(cls.parse(option) for option in options)))
        if literal:
            pieces.append(("text", literal))
        return cls(tuple(pieces))

    def fill(self, slots: Mapping[str, str], rng: Random) -> str:
        """Fill the slots and draw one option of every choice."""
        out = []
        for kind, value in self.pieces:
            if kind == "text":
                out.append(value)
            elif kind == "slot":
                out.append(slots[value])
            else:
                out.append(pick(rng, value).fill(slots, rng))
        return "".join(out)

    def slot_names(self) -> set[str]:
        """Return the names of all slots, including those inside options."""
        names: set[str] = set()
        for kind, value in self.pieces:
            if kind == "slot":
                names.add(value)
            elif kind == "choice":
                names.update(*(option.slot_names() for option in value))
        return names


def _options(text: str, start: int) -> tuple[list[str], int]:
    """Return the options of the brace that opens just before `start`, and the position after it."""
    options, depth, begin = [], 0, start
    for position in range(start, len(text)):
        character = text[position]
        if character == "{":
            depth += 1
        elif character == "}" and depth:
            depth -= 1
        elif character == "/" and not depth:
            options.append(text[begin:position])
            begin = position + 1
        elif character == "}":
            return [*options, text[begin:position]], position + 1
    raise DatasetError(f"The template {text!r} opens a brace that it never closes. Correct it.")


def pick(rng: Random, values: Any) -> Any:
    """Return one of `values`, all equally likely, by a single draw of `rng`.

    ``Random.choice`` may change between versions of Python; ``Random.random`` does not.
    """
    return values[int(rng.random() * len(values))]


def pick_weighted(rng: Random, weights: Mapping[str, float]) -> str:
    """Return a key with the probability of its weight; the weights add up to 1."""
    draw = rng.random()
    for key, weight in weights.items():
        draw -= weight
        if draw < 0:
            return key
    return key  # the sum of the weights is a little below 1


@dataclass(frozen=True, eq=False)
class Scenario:
    """One scenario of ads: its wording and the forms that it takes.

    Attributes
    ----------
    formats : dict of str to float
        Shares of ads that are one person's talk, a drama, a voice-over or a street interview.
    slots : dict of str to list of str
    lines : dict of str to tuple of Template
        Speech by its section of an ad (hook, story, pitch, offer); under "drama" whole exchanges.
    captions : dict of str to tuple of Template
        Texts that are only written: "banner" and "legal".
    """

    name: str
    weight: float
    formats: dict[str, float]
    slots: dict[str, list[str]]
    lines: dict[str, tuple[Template, ...]]
    captions: dict[str, tuple[Template, ...]]


@dataclass(frozen=True, eq=False)
class Cue:
    """The trace of a tag in the words: the channel, how often with the tag, how often without."""

    channel: str
    hit: float
    false: float
    lines: tuple[Template, ...]


@dataclass(frozen=True, eq=False)
class Content:
    """Everything that demo ads are made from.

    Attributes
    ----------
    tags : tuple of str
        In the order of the competition's own tag ids.
    dimensions : dict of str to str
    scenarios : dict of str to Scenario
    slots, common : dict
        Slots and templates of all scenarios.
    cues : dict of str to Cue
    mood_weights : dict of str to dict
        Shares of moods by form.
    format_factors : dict of str to dict
        How tags change the odds of a wide film, and its seconds.
    probabilities : dict of (scenario, format, mood) to list of float
        Probability of each tag, in the order of `tags`.
    """

    tags: tuple[str, ...]
    dimensions: dict[str, str]
    scenarios: dict[str, Scenario]
    slots: dict[str, list[str]]
    common: dict[str, tuple[Template, ...]]
    cues: dict[str, Cue]
    mood_weights: dict[str, dict[str, float]]
    format_factors: dict[str, dict[str, float]]
    probabilities: dict[tuple[str, str, str], list[float]]


@cache
def load_content() -> Content:
    """Read the wording and tag odds of the demo ads."""
    tag_data, common = read_toml(DATA / "tags.toml"), read_toml(DATA / "common.toml")
    known = pd.read_csv(TAGS_FILE)
    dimensions = dict(zip(known["tag"], known["dimension"], strict=True))
    tags = tuple(tag for tag in known["tag"] if tag in tag_data["share"])
    raw = {path.stem: read_toml(path) for path in sorted((DATA / "scenarios").glob("*.toml"))}
    total = sum(data["weight"] for data in raw.values())
    scenarios = {
        name: Scenario(
            name,
            data["weight"] / total,
            data["format"],
            data["slots"],
            _templates(data["lines"]),
            _templates(data["captions"]),
        )
        for name, data in raw.items()
    }
    cues = {
        tag: Cue(data["channel"], data["hit"], data["false"], _parsed(data["lines"]))
        for tag, data in read_toml(DATA / "cues.toml").items()
    }
    return Content(
        tags,
        {tag: dimensions[tag] for tag in tags},
        scenarios,
        common["slots"],
        {
            f"{section}.{name}": _parsed(lines)
            for section in ("openers", "calls", "scraps", "chat")
            for name, lines in common[section].items()
        },
        cues,
        tag_data["mood_weight"],
        tag_data["film_format"],
        tag_probabilities(tags, tag_data, raw),
    )


def read_toml(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return tomllib.load(file)


def _parsed(lines: list[str]) -> tuple[Template, ...]:
    return tuple(Template.parse(line) for line in lines)


def _templates(section: dict[str, list[str]]) -> dict[str, tuple[Template, ...]]:
    return {name: _parsed(lines) for name, lines in section.items()}


def tag_probabilities(
    tags: Sequence[str], tag_data: dict[str, Any], raw: dict[str, dict[str, Any]]
) -> dict[tuple[str, str, str], list[float]]:
    """Solve for tag probabilities of every kind of ad that give each tag its share of all ads.

    The odds of a tag are its base odds times the factors of scenario, format and mood. The base
    odds solve  sum_k w_k b r_k / (1 + b r_k) = share  by bisection on the logarithmic scale.

    Parameters
    ----------
    tags : sequence of str
    tag_data : dict
        The tables "share", "format", "mood" and "mood_weight" of ``data/tags.toml``.
    raw : dict of str to dict
        Of each scenario its "weight", its "odds", and the shares of its forms, "format".
    """
    kinds, weights, ratios = [], [], []
    total = sum(data["weight"] for data in raw.values())
    for scenario, data in raw.items():
        for form, form_weight in data["format"].items():
            for mood, mood_weight in tag_data["mood_weight"][form].items():
                kinds.append((scenario, form, mood))
                weights.append(data["weight"] / total * form_weight * mood_weight)
                factors = (data["odds"], tag_data["format"][form], tag_data["mood"][mood])
                ratios.append(
                    [np.prod([factor.get(tag, 1.0) for factor in factors]) for tag in tags]
                )
    weight, ratio = np.array(weights)[:, None], np.array(ratios)
    share = np.array([tag_data["share"][tag] for tag in tags])
    low, high = np.full(len(tags), 2.0**-40), np.full(len(tags), 2.0**40)
    for _ in range(60):
        middle = np.sqrt(low * high)
        too_low = (weight * middle * ratio / (1 + middle * ratio)).sum(axis=0) < share
        low, high = np.where(too_low, middle, low), np.where(too_low, high, middle)
    # Sums may differ in their last bits between machines; rounding makes the ads the same.
    solved = np.round(low * ratio / (1 + low * ratio), 6)
    return dict(zip(kinds, solved.tolist(), strict=True))
