"""Draw the plans of demo ads at random: first the kind of ad and its tags, then its content.

The kind of an ad is a scenario, a form and a mood, and its tags depend on these alone. Words, sizes
and lengths depend loosely on kind and tags, so that each modality holds information that the others
lack.
"""

from collections.abc import Sequence
from random import Random

import numpy as np

from competition.demo.content import (
    Content,
    Scenario,
    Template,
    load_content,
    pick,
    pick_weighted,
)
from competition.demo.plan import AdPlan, CaptionLine, FilmFormat, Shot, Speaker, SpeechLine

SPLITS = ("train", "test")
NOWHERE = "场景-其他"
FRAMINGS = ("中景", "特写", "极端特写", "全景")
INSERTS = ("手机电脑录屏", "教辅材料", "手写解题", "红包", "商品展示", "才艺展示", "游戏画面")
MUSIC_OF_TAG = {"愤怒": "tense", "悲伤": "sad", "喜悦": "bright", "惊奇": "bright"}

# Probabilities that make the modalities disagree, and each of them incomplete.
OTHER_SPEECH = 0.14
OTHER_CAPTIONS = 0.06
SUBTITLED = 0.7
MOST_CHAT = 0.8
CUE_REPEATED = 0.5

WIDE_SIZES = ((1280, 720), (1920, 1080), (960, 540))
TALL_SIZES = ((720, 1280), (1080, 1920), (540, 960))
SQUARE_SIZES = ((720, 720), (1080, 1080))
SECONDS_OF_FORMAT = {"talk": 30.0, "drama": 36.0, "voice": 24.0, "street": 31.0}


def draw_plan(seed: int, split: str, index: int) -> AdPlan:
    """Draw the plan of one ad, which does not depend on the number of ads.

    Parameters
    ----------
    seed : int
        At least 0.
    split : {"train", "test"}
    index : int
        From 0.
    """
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
    read = turns
    if written != spoken:
        read = _speech(content, content.scenarios[written], form, slots, rng)
    subtitles = [text for _, text in read]
    for line in _cue_lines(content, "asr", tags, slots, rng):
        turns.insert(int(rng.random() * (len(turns) + 1)), (pick(rng, turns)[0], line))
    roles = list(dict.fromkeys(role for role, _ in turns))
    film_format = _film_format(content, form, tags, rng)
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
        shots=tuple(_shots(tags, film_format.duration, rng)),
        music=pick(rng, [MUSIC_OF_TAG[tag] for tag in tags if tag in MUSIC_OF_TAG] or ["calm"]),
        format=film_format,
        noise_seed=state[3],
    )


def _draw_tags(content: Content, kind: tuple[str, str, str], rng: Random) -> list[str]:
    chances = content.probabilities[kind]
    tags = [tag for tag, chance in zip(content.tags, chances, strict=True) if rng.random() < chance]
    if not any(content.dimensions[tag] == "scene" for tag in tags):
        tags.insert(0, NOWHERE)
    return tags


def _completed(slots: dict[str, str], scenario: Scenario, rng: Random) -> dict[str, str]:
    """Return the slots of an ad and those that only the scenario of its words has."""
    return {name: pick(rng, values) for name, values in scenario.slots.items()} | slots


def _speech(
    content: Content, scenario: Scenario, form: str, slots: dict[str, str], rng: Random
) -> list[tuple[str, str]]:
    """Return the lines of speech in order, at least one: (role, text)."""
    slots = _completed(slots, scenario, rng)

    def some(section: str, least: int, most: int) -> list[str]:
        wanted = least + int(rng.random() * (most - least + 1))
        return [line.fill(slots, rng) for line in _sample(scenario.lines[section], wanted, rng)]

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
        rest = some("story", 2, 4) + some("pitch", 3, 5) + some("offer", 1, 3) + calls
        return turns + [(hero, text) for text in _chatty(content, rest, rng)]
    hook, *others = some("hook", 1, 2)
    lines = [f"{opener}，{hook}", *others, *some("story", 3, 7)]
    lines += some("pitch", 3, 7) + some("offer", 1, 3) + calls
    lines = _chatty(content, lines, rng)
    if form == "street":
        return [("记者" if rank % 3 == 0 else "路人", text) for rank, text in enumerate(lines)]
    return [("旁白" if form == "voice" else "主播", text) for text in lines]


def _chatty(content: Content, lines: list[str], rng: Random) -> list[str]:
    """Replace a random share of the lines by talk that fits any ad."""
    share = MOST_CHAT * rng.random()
    chat = content.common["chat.speech"]
    return [pick(rng, chat).fill({}, rng) if rng.random() < share else t for t in lines]


def _captions(
    content: Content,
    scenario: Scenario,
    subtitles: Sequence[str],
    tags: Sequence[str],
    slots: dict[str, str],
    rng: Random,
) -> list[CaptionLine]:
    slots = _completed(slots, scenario, rng)

    def some(templates: Sequence[Template], most: int, least: int = 0) -> list[str]:
        wanted = least + int(rng.random() * (most - least + 1))
        return [line.fill(slots, rng) for line in _sample(templates, wanted, rng)]

    kept = 0.4 + 0.6 * rng.random() if rng.random() < SUBTITLED else 0.0
    lines = [CaptionLine("subtitle", text) for text in subtitles if rng.random() < kept]
    lines += [CaptionLine("cue", text) for text in _cue_lines(content, "ocr", tags, slots, rng)]
    lines += [CaptionLine("banner", text) for text in some(scenario.captions["banner"], 7, least=4)]
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
    """Return traces of the tags in one channel, and false traces."""
    lines = []
    for tag, cue in content.cues.items():
        if cue.channel == channel and rng.random() < (cue.hit if tag in tags else cue.false):
            wanted = 2 if rng.random() < CUE_REPEATED else 1
            lines += [line.fill(slots, rng) for line in _sample(cue.lines, wanted, rng)]
    return lines


def _sample(templates: Sequence[Template], wanted: int, rng: Random) -> list[Template]:
    """Draw `wanted` different templates, or all if there are fewer."""
    left = list(templates)
    return [left.pop(int(rng.random() * len(left))) for _ in range(min(wanted, len(left)))]


def _film_format(content: Content, form: str, tags: Sequence[str], rng: Random) -> FilmFormat:
    odds, seconds = 0.5, SECONDS_OF_FORMAT[form]
    for tag in tags:
        odds *= content.format_factors["wide"].get(tag, 1.0)
        seconds += content.format_factors["seconds"].get(tag, 0.0)
    # A sum of three uniform draws is bell-shaped and the same on every machine.
    seconds += 22 * (rng.random() + rng.random() + rng.random() - 1.5)
    sizes = WIDE_SIZES if rng.random() < odds / (1 + odds) else TALL_SIZES
    width, height = pick(rng, SQUARE_SIZES if rng.random() < 0.04 else sizes)
    return FilmFormat(round(max(seconds, 6.0), 1), width, height)


def _shots(tags: Sequence[str], duration: float, rng: Random) -> list[Shot]:
    """Draw shots that show every visible tag."""
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
