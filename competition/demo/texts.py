"""The texts of demo ads: the captions and speech of a plan, damaged as by OCR and ASR.

OCR reads a caption again in many frames, so its fragments are cut, misread and repeated, and still
captions (brands, buttons, small print) come late and out of order. ASR writes numbers as words,
confuses homophones, drops words and joins sentences.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from random import Random

from competition.demo.content import DATA, pick
from competition.demo.plan import AdPlan, CaptionLine

# Shares of ads without any text, without OCR, without ASR, and with sound but without words.
NO_TEXT = 0.002
NO_OCR = 0.01
NO_ASR = 0.015
NO_WORDS = 0.12

DIGITS = "零一二三四五六七八九"
NUMBER = re.compile(r"\d+(?:\.\d+)?%?")
LATIN = re.compile(r"[A-Za-z]+")


@dataclass(frozen=True, eq=False)
class Confusions:
    """The characters that OCR and ASR may confuse with each character."""

    alike: dict[str, str]
    stray: list[str]
    homophones: dict[str, str]
    fillers: list[str]
    empty_speech: list[str]


@cache
def load_confusions() -> Confusions:
    """Read the confusions of characters."""
    with (DATA / "confusions.toml").open("rb") as file:
        raw = tomllib.load(file)
    return Confusions(
        _others(raw["looks_alike"]) | raw["as_symbols"],
        raw["stray"],
        _others(raw["sounds_alike"]),
        raw["fillers"],
        raw["empty_speech"],
    )


def _others(groups: list[str]) -> dict[str, str]:
    others: dict[str, str] = {}
    for group in groups:
        for character in group:
            others[character] = others.get(character, "") + group.replace(character, "")
    return others


def render_texts(plan: AdPlan) -> tuple[str, str]:
    """Return the OCR and the ASR text of an ad, segments joined by ``|``; either may be empty."""
    rng = Random(f"{plan.noise_seed}:missing")
    nothing = rng.random() < NO_TEXT
    ocr = "" if nothing or rng.random() < NO_OCR else _read(plan, Random(f"{plan.noise_seed}:ocr"))
    asr = "" if nothing or rng.random() < NO_ASR else _hear(plan, Random(f"{plan.noise_seed}:asr"))
    return ocr, asr


def _read(plan: AdPlan, rng: Random) -> str:
    """Return the OCR text of an ad."""
    # Squared: OCR reads most films well and a few hardly at all.
    damage = 0.03 + 0.3 * rng.random() ** 2
    first, late = [], []
    for line in plan.captions:
        if line.kind == "subtitle":
            first += _subtitle(line, damage, rng)
        elif line.kind in ("banner", "cue"):
            late += _seen_again(line.text, 0.5, damage, rng)
        elif line.kind == "brand":
            late += _seen_again(line.text, 0.85, 0.35 + damage, rng)
        else:
            late += _seen_again(line.text, 0.3, damage, rng)
    while rng.random() < damage + 0.5:
        late.append("".join(pick(rng, load_confusions().stray) for _ in range(2)))
    return "|".join(first + _shuffled(late, rng))


def _subtitle(line: CaptionLine, damage: float, rng: Random) -> list[str]:
    """Return the readings of a subtitle's pieces, one after the other."""
    pieces = [piece for piece in line.text.split("，") if piece]
    return [
        text
        for piece in pieces
        if rng.random() > damage / 3
        for text in _seen_again(piece, 0.12, damage / 2, rng)
    ]


def _seen_again(text: str, again: float, damage: float, rng: Random) -> list[str]:
    """Return the first reading of a caption, then a random number of near-duplicates."""
    readings = [misread(text, rng) if rng.random() < damage else text]
    while rng.random() < again and len(readings) < 12:
        reading = misread(text, rng)
        readings.append(_cut(reading, rng) if rng.random() < 0.45 else reading)
    return [reading for reading in readings if reading.strip()]


def misread(text: str, rng: Random) -> str:
    """Replace at least one character, if there is any, by a look-alike, a stray one or none."""
    confusions = load_confusions()
    characters = list(text)
    if not characters:
        return text
    while True:
        place = int(rng.random() * len(characters))
        draw = rng.random()
        if draw < 0.7:
            likes = confusions.alike.get(characters[place])
            if likes is None:
                continue
            characters[place] = pick(rng, likes)
        elif draw < 0.87:
            characters[place] = pick(rng, confusions.stray)
        else:
            characters[place] = ""
        if rng.random() < 0.55:
            return "".join(characters)


def _cut(text: str, rng: Random) -> str:
    """Return a beginning or an end of `text`, at least half of it."""
    length = max(1, round(len(text) * (0.5 + 0.5 * rng.random())))
    return text[:length] if rng.random() < 0.5 else text[-length:]


def _shuffled(texts: list[str], rng: Random) -> list[str]:
    return [text for _, text in sorted((rng.random(), text) for text in texts)]


def _hear(plan: AdPlan, rng: Random) -> str:
    """Return the ASR text of an ad."""
    confusions = load_confusions()
    if rng.random() < NO_WORDS:
        return "|".join(
            pick(rng, confusions.empty_speech) for _ in range(1 + int(3 * rng.random()))
        )
    damage = 0.02 + 0.16 * rng.random() ** 2
    heard, segment = [], ""
    for line in plan.speech:
        if rng.random() < damage / 2:
            continue
        segment += mishear(line.text, damage, rng)
        if rng.random() < 0.1:
            segment += pick(rng, confusions.fillers)
        if len(segment) > 25 + 70 * rng.random():
            heard.append(segment + "。")
            segment = ""
        elif rng.random() > 0.3:
            segment += pick(rng, "，，，。？")
    if segment:
        heard.append(segment.rstrip("，。？") + "。")
    return "|".join(heard)


def mishear(text: str, damage: float, rng: Random) -> str:
    """Return a sentence as ASR writes it, with a share `damage` of its characters wrong."""
    homophones = load_confusions().homophones
    text = NUMBER.sub(lambda match: spoken_number(match.group()), text)
    text = LATIN.sub(lambda match: match.group().upper(), text)
    out = []
    for character in text:
        draw = rng.random()
        if draw >= damage:
            out.append(character)
        elif draw < 0.25 * damage and character != "，":
            continue
        elif character in homophones:
            out.append(pick(rng, homophones[character]))
        elif draw < 0.9 * damage:
            out.append(character)
    return "".join(out)


def spoken_number(number: str) -> str:
    """Spell a number out: 49 as 四十九, 9.9 as 九点九, 30% as 百分之三十.

    Numbers of seven digits or more, or with a leading zero, are spelled digit by digit.
    """
    if number.endswith("%"):
        return "百分之" + spoken_number(number[:-1])
    whole, _, decimals = number.partition(".")
    if len(whole) > 6 or (len(whole) > 1 and whole[0] == "0"):
        spoken = _by_digit(whole)
    elif len(whole) > 4:
        rest = int(whole[-4:])
        link = "零" if 0 < rest < 1000 else ""
        spoken = f"{_below_10000(int(whole[:-4]))}万{link}{_below_10000(rest) if rest else ''}"
    else:
        spoken = _below_10000(int(whole))
    return f"{spoken}点{_by_digit(decimals)}" if decimals else spoken


def _by_digit(number: str) -> str:
    return "".join(DIGITS[int(digit)] for digit in number)


def _below_10000(number: int) -> str:
    if number == 0:
        return DIGITS[0]
    spoken = ""
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, unit)
        if digit:
            spoken += DIGITS[digit] + name
        elif spoken and number and not spoken.endswith("零"):
            spoken += "零"
    return spoken[1:] if spoken.startswith("一十") else spoken
