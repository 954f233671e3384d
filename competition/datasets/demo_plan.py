"""What happens in a demo ad, before anything is rendered: who says what, where, in which shots.

`draw_plan` draws an ad; `competition.datasets.demo_noise` writes down what OCR and ASR would make
of it. The plan knows more than the texts tell: places, framing and sounds are there for a renderer
of films.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from competition.datasets.demo_content import (
    Content,
    Scenario,
    Template,
    load_content,
    pick,
    pick_weighted,
)

SPLITS = ("train", "test")
NOWHERE = "场景-其他"
FRAMINGS = ("中景", "特写", "极端特写", "全景")
INSERTS = ("手机电脑录屏", "教辅材料", "手写解题", "红包", "商品展示", "才艺展示", "游戏画面")
MUSIC_OF_TAG = {"愤怒": "tense", "悲伤": "sad", "喜悦": "bright", "惊奇": "bright"}

# Chances that make the modalities disagree, and each of them incomplete.
OTHER_SPEECH = 0.07
OTHER_CAPTIONS = 0.08
SUBTITLED = 0.75
CUE_REPEATED = 0.3

WIDE_SIZES = ((1280, 720), (1920, 1080), (960, 540))
TALL_SIZES = ((720, 1280), (1080, 1920), (540, 960))
SQUARE_SIZES = ((720, 720), (1080, 1080))
SECONDS_OF_FORMAT = {"talk": 30.0, "drama": 36.0, "voice": 24.0, "street": 31.0}


@dataclass(frozen=True)
class Speaker:
    """A voice: its part in the story, and its fundamental frequency in Hz."""

    role: str
    pitch: float


@dataclass(frozen=True)
class SpeechLine:
    """A sentence spoken by ``AdPlan.speakers[speaker]``."""

    speaker: int
    text: str


@dataclass(frozen=True)
class CaptionLine:
    """Something written in the picture.

    `kind` is "subtitle" (of what is spoken), "banner", "legal", "cue" (what a tag brings into the
    picture, such as the buttons of an app), "brand" or "scrap".
    """

    kind: str
    text: str


@dataclass(frozen=True)
class Shot:
    """A stretch of film. `place`, `framing` and `insert` are tags; "" where there is none."""

    seconds: float
    place: str
    framing: str
    moving: bool
    insert: str


@dataclass(frozen=True)
class Facts:
    """Duration in seconds, width and height in pixels."""

    duration: float
    width: int
    height: int


@dataclass(frozen=True)
class AdPlan:
    """A demo ad.

    Attributes
    ----------
    ad_id : str
        32 hexadecimal digits.
    scenario, form, mood : str
        What kind of ad it is; its tags depend on these alone.
    tags : tuple of str
        In the order of the tag ids, never empty.
    product : str
    speech_scenario, caption_scenario : str
        Whose words are spoken and written: now and then not those of `scenario`.
    speakers : tuple of Speaker
    speech : tuple of SpeechLine
    captions : tuple of CaptionLine
        In the order in which they appear; they may come in together.
    shots : tuple of Shot
        They add up to ``facts.duration``, but for rounding.
    music : {"calm", "bright", "tense", "sad"}
    facts : Facts
    noise_seed : int
        For whoever renders the ad.
    """

    ad_id: str
    scenario: str
    form: str
    mood: str
    tags: tuple[str, ...]
    product: str
    speech_scenario: str
    caption_scenario: str
    speakers: tuple[Speaker, ...]
    speech: tuple[SpeechLine, ...]
    captions: tuple[CaptionLine, ...]
    shots: tuple[Shot, ...]
    music: str
    facts: Facts
    noise_seed: int


def draw_plan(seed: int, split: str, index: int) -> AdPlan:
    """Draw ad `index` of a split; it is the same however many other ads there are."""
    content = load_content()
    sequence = np.random.SeedSequence(seed, spawn_key=(SPLITS.index(split), index))
    state = [int(word) for word in sequence.generate_state(4, np.uint64)]
    rng = Random(state[0])

    scenario = pick_weighted(rng, {s.name: s.weight for s in content.scenarios.values()})
    form = pick_weighted(rng, content.scenarios[scenario].formats)
    mood = pick_weighted(rng, content.mood_weights[form])
    tags = _draw_tags(content, (scenario, form, mood), rng)
    names = sorted(content.scenarios)
    spoken = pick(rng, names) if rng.random() < OTHER_SPEECH else scenario
    written = pick(rng, names) if rng.random() < OTHER_CAPTIONS else scenario

    slots = {
        name: pick(rng, values)
        for source in (content.slots, content.scenarios[scenario].slots)
        for name, values in source.items()
    }
    turns = _speech(content, content.scenarios[spoken], form, slots, rng)
    subtitles = [text for _, text in turns] if written == spoken else []
    if written != spoken:
        subtitles = [
            text for _, text in _speech(content, content.scenarios[written], form, slots, rng)
        ]
    for line in _cue_lines(content, "asr", tags, slots, rng):
        turns.insert(int(rng.random() * (len(turns) + 1)), (pick(rng, turns)[0], line))
    roles = list(dict.fromkeys(role for role, _ in turns))
    facts = _facts(content, form, tags, rng)
    return AdPlan(
        ad_id=f"{state[1]:016x}{state[2]:016x}",
        scenario=scenario,
        form=form,
        mood=mood,
        tags=tuple(tags),
        product=slots["product"],
        speech_scenario=spoken,
        caption_scenario=written,
        speakers=tuple(Speaker(role, round(95 + 170 * rng.random(), 1)) for role in roles),
        speech=tuple(SpeechLine(roles.index(role), text) for role, text in turns),
        captions=tuple(_captions(content, content.scenarios[written], subtitles, tags, slots, rng)),
        shots=tuple(_shots(tags, facts.duration, rng)),
        music=pick(rng, [MUSIC_OF_TAG[tag] for tag in tags if tag in MUSIC_OF_TAG] or ["calm"]),
        facts=facts,
        noise_seed=state[3],
    )


def _draw_tags(content: Content, kind: tuple[str, str, str], rng: Random) -> list[str]:
    chances = content.probabilities[kind]
    tags = [tag for tag, chance in zip(content.tags, chances, strict=True) if rng.random() < chance]
    if not any(content.dimensions[tag] == "scene" for tag in tags):
        tags.insert(0, NOWHERE)
    return tags


def _speech(
    content: Content, scenario: Scenario, form: str, slots: dict[str, str], rng: Random
) -> list[tuple[str, str]]:
    """Who says what: (role, text), in order, at least one."""
    # The words may be another scenario's than the slots: its own come first then.
    slots = {name: pick(rng, values) for name, values in scenario.slots.items()} | slots

    def some(part: str, least: int, most: int) -> list[str]:
        wanted = least + int(rng.random() * (most - least + 1))
        return [line.fill(slots, rng) for line in _sample(scenario.lines[part], wanted, rng)]

    opener = pick(rng, content.common[f"openers.{form}"]).fill(slots, rng)
    calls = [line.fill(slots, rng) for line in _sample(content.common["calls.speech"], 1, rng)]
    if form == "drama":
        turns = [
            (role, text)
            for exchange in some("drama", 2, 4)
            for role, text in (turn.split("：", 1) for turn in exchange.split("／"))
        ]
        hero = turns[-1][0]
        turns[0] = (turns[0][0], f"{opener}，{turns[0][1]}")
        rest = some("story", 1, 3) + some("pitch", 2, 4) + some("offer", 1, 2) + calls
        return turns + [(hero, text) for text in rest]
    hook, *others = some("hook", 1, 2)
    lines = [f"{opener}，{hook}", *others, *some("story", 2, 6)]
    lines += some("pitch", 3, 6) + some("offer", 1, 2) + calls
    if form == "street":
        return [("记者" if rank % 3 == 0 else "路人", text) for rank, text in enumerate(lines)]
    return [("旁白" if form == "voice" else "主播", text) for text in lines]


def _captions(
    content: Content,
    scenario: Scenario,
    subtitles: Sequence[str],
    tags: Sequence[str],
    slots: dict[str, str],
    rng: Random,
) -> list[CaptionLine]:
    slots = {name: pick(rng, values) for name, values in scenario.slots.items()} | slots

    def some(templates: Sequence[Template], most: int) -> list[str]:
        wanted = int(rng.random() * (most + 1))
        return [line.fill(slots, rng) for line in _sample(templates, wanted, rng)]

    kept = 0.4 + 0.6 * rng.random() if rng.random() < SUBTITLED else 0.0
    lines = [CaptionLine("subtitle", text) for text in subtitles if rng.random() < kept]
    lines += [CaptionLine("cue", text) for text in _cue_lines(content, "ocr", tags, slots, rng)]
    lines += [CaptionLine("banner", text) for text in some(scenario.captions["banner"], 7)]
    lines += [CaptionLine("banner", text) for text in some(content.common["calls.captions"], 3)]
    lines += [CaptionLine("legal", text) for text in some(scenario.captions["legal"], 2)]
    lines += [CaptionLine("legal", text) for text in some(content.common["calls.legal"], 2)]
    lines += [CaptionLine("scrap", text) for text in some(content.common["scraps.texts"], 14)]
    if rng.random() < 0.6:
        lines.append(CaptionLine("brand", slots["product"]))
    return lines


def _cue_lines(
    content: Content, channel: str, tags: Sequence[str], slots: dict[str, str], rng: Random
) -> list[str]:
    """Traces of the tags in one channel, and false ones."""
    lines = []
    for tag, cue in content.cues.items():
        if cue.channel == channel and rng.random() < (cue.hit if tag in tags else cue.false):
            wanted = 2 if rng.random() < CUE_REPEATED else 1
            lines += [line.fill(slots, rng) for line in _sample(cue.lines, wanted, rng)]
    return lines


def _sample(templates: Sequence[Template], wanted: int, rng: Random) -> list[Template]:
    """`wanted` different templates, fewer where there are not so many."""
    left = list(templates)
    return [left.pop(int(rng.random() * len(left))) for _ in range(min(wanted, len(left)))]


def _facts(content: Content, form: str, tags: Sequence[str], rng: Random) -> Facts:
    odds, seconds = 0.5, SECONDS_OF_FORMAT[form]
    for tag in tags:
        odds *= content.facts["wide"].get(tag, 1.0)
        seconds += content.facts["seconds"].get(tag, 0.0)
    # A sum of three uniform draws: bell-shaped, and the same on every machine.
    seconds += 22 * (rng.random() + rng.random() + rng.random() - 1.5)
    if rng.random() < 0.04:
        sizes = SQUARE_SIZES
    else:
        sizes = WIDE_SIZES if rng.random() < odds / (1 + odds) else TALL_SIZES
    width, height = pick(rng, sizes)
    return Facts(round(max(seconds, 6.0), 1), width, height)


def _shots(tags: Sequence[str], duration: float, rng: Random) -> list[Shot]:
    """Shots in which every tag that can be seen is seen."""
    places = [tag for tag in tags if load_content().dimensions[tag] == "scene"]
    framings = [tag for tag in tags if tag in FRAMINGS] or [""]
    inserts = [tag for tag in tags if tag in INSERTS]
    motions = [tag == "动态" for tag in tags if tag in ("静态", "动态")] or [False]
    least = max(len(places), len(framings), 2 * len(inserts), len(motions), 2)
    count = max(least, round(duration / (3.5 if True in motions else 6.0)))
    weights = [0.5 + rng.random() for _ in range(count)]
    total = sum(weights)
    start = int(rng.random() * 2)
    return [
        Shot(
            seconds=round(duration * weight / total, 2),
            place=places[rank % len(places)],
            framing=framings[rank % len(framings)],
            moving=motions[rank % len(motions)],
            insert=inserts[rank // 2 % len(inserts)] if inserts and rank % 2 == start else "",
        )
        for rank, weight in enumerate(weights)
    ]
