"""Make the sound of demo films: voices that speak no language, music of a mood, noises of a place.

A voice has the pitch of its speaker and one syllable per character; a character always sounds the
same.
"""

from collections.abc import Callable
from random import Random

import numpy as np

from competition.demo.content import pick
from competition.demo.look import Look
from competition.demo.plan import AdPlan

Effect = Callable[[int, Random, np.random.Generator], np.ndarray]

RATE = 16_000  # samples per second
LOUDEST = 0.9
# Formants of vowels in Hz: a, e, i, o, u, ü.
FORMANTS = (
    (800, 1200, 2700),
    (500, 1400, 2500),
    (300, 2250, 3000),
    (500, 900, 2600),
    (330, 750, 2400),
    (300, 1850, 2300),
)
BANDWIDTH = 120.0
HARMONICS = 24
# Pitch at the beginning, middle and end of a syllable in the four tones of Mandarin.
TONES = ((1.15, 1.15, 1.15), (0.92, 1.0, 1.2), (0.95, 0.8, 0.95), (1.25, 1.0, 0.8))
# Of a voice in each mood: syllables per second, range of pitch, breath and harshness.
MOODS = {
    "愤怒": (5.8, 1.5, 0.02, 5.0),
    "惊奇": (5.4, 1.9, 0.02, 1.0),
    "喜悦": (5.2, 1.4, 0.02, 1.0),
    "悲伤": (3.2, 0.6, 0.12, 1.0),
}
CALM = (4.4, 1.0, 0.02, 1.0)
# Of music: beats per second, scale in semitones, share of higher harmonics, seconds of a note.
MUSIC = {
    "calm": (1.3, (0, 4, 7, 9, 12), 0.1, 0.9),
    "bright": (2.3, (0, 4, 7, 12, 16), 0.5, 0.25),
    "tense": (2.8, (0, 1, 0, 3, 6), 0.8, 0.18),
    "sad": (0.9, (0, 3, 7, 8, 10), 0.15, 1.4),
}
OLD_SCALE = (0, 2, 4, 7, 9)


def make_sound(plan: AdPlan, look: Look) -> np.ndarray | None:
    """Make the sound of a film: float32 mono, (n_samples,), as long as the film.

    Some films are silent; those without a sound stream get None.
    """
    if look.sound == "none":
        return None
    length = round(look.seconds * RATE)
    if look.sound == "silence":
        return np.zeros(length, np.float32)
    rng = Random(f"{plan.noise_seed}:sound")
    noise = np.random.default_rng(plan.noise_seed)
    sound = _voices(plan, look, length, rng, noise)
    loud = 0.5 if "配音" in look.heard else 0.22
    if look.music:
        sound += loud * (0.6 + 0.8 * rng.random()) * _music(look, length, rng)
    for tag, effect in _EFFECTS.items():
        if tag in look.heard:
            sound += effect(length, rng, noise)
    sound += 0.004 * noise.standard_normal(length, np.float32)
    sound *= LOUDEST / max(1e-6, float(np.abs(sound).max()))
    return sound * np.float32(10 ** (-0.7 * rng.random()))


def _voices(
    plan: AdPlan, look: Look, length: int, rng: Random, noise: np.random.Generator
) -> np.ndarray:
    """Make voices that speak line after line until the film ends."""
    mood = next((MOODS[tag] for tag in MOODS if tag in look.heard), CALM)
    pause = 0.05 if "配音" in look.heard else 0.2
    sound = np.zeros(length, np.float32)
    # The film is too short for all lines: it begins with any of them and keeps their order.
    first = int(rng.random() * len(plan.speech))
    lines = plan.speech[first:] + plan.speech[:first]
    start = round(0.2 * rng.random() * RATE)
    for rank, line in enumerate(lines):
        pitch = plan.speakers[line.speaker].pitch
        if "亲子" in look.heard and rank % 3 == 1:
            pitch = 320.0 + 60.0 * rng.random()  # a child
        spoken = _line(line.text, pitch, mood, rng, noise)[: length - start]
        sound[start : start + len(spoken)] += spoken
        start += len(spoken) + round(pause * (0.5 + rng.random()) * RATE)
        if start >= length:
            break
    return sound


def _line(
    text: str,
    pitch: float,
    mood: tuple[float, float, float, float],
    rng: Random,
    noise: np.random.Generator,
) -> np.ndarray:
    """Make one line: harmonics of the pitch, weighted by the formants of each syllable's vowel."""
    pace, span, breath, harshness = mood
    pitches, weights, hisses = [], [], []
    order = np.arange(1, HARMONICS + 1, dtype=np.float32)
    declination = 1.08
    for character in text:
        samples = round(RATE * (0.8 + 0.4 * rng.random()) / pace)
        swell = np.sqrt(np.abs(np.sin(np.linspace(0, np.pi, samples, dtype=np.float32))))
        if character in "，。！？":
            swell *= 0
        code = ord(character)
        tone = np.interp(np.linspace(0, 2, samples), (0, 1, 2), TONES[code % 4])
        f0 = pitch * declination * tone**span
        declination *= 0.99
        at = order[:, None] * np.float32(f0.mean())
        resonance = sum(
            1 / (1 + ((at - formant) / BANDWIDTH) ** 2) / rank
            for rank, formant in enumerate(FORMANTS[code % len(FORMANTS)], start=1)
        )
        weights.append(np.where(at < RATE / 2, resonance, 0) * swell)
        pitches.append(f0)
        hiss = np.zeros(samples, np.float32)
        if code % 3:
            hiss[: samples // 5] = 0.15 if code % 3 == 1 else 0.06
        hisses.append(hiss + breath * swell)
    phase = (2 * np.pi / RATE * np.cumsum(np.concatenate(pitches))).astype(np.float32)
    voice = (np.sin(order[:, None] * phase) * np.concatenate(weights, axis=1)).sum(axis=0)
    voice += np.concatenate(hisses) * noise.standard_normal(len(voice), np.float32)
    return np.tanh(harshness * 0.35 * voice).astype(np.float32)


def _music(look: Look, length: int, rng: Random) -> np.ndarray:
    """Make broken chords in the tempo, scale and timbre of a mood; ancient ads sound plucked."""
    tempo, scale, bright, ring = MUSIC[look.music]
    if "古代" in look.heard:
        scale, bright, ring = OLD_SCALE, 0.3, 0.5
    root = 110 * 2 ** (int(rng.random() * 12) / 12)
    tempo *= 0.9 + 0.2 * rng.random()
    sound = np.zeros(length, np.float32)
    for beat in range(int(2 * tempo * length / RATE) + 1):
        start = round(beat / (2 * tempo) * RATE)
        note = root * 2 ** (pick(rng, scale) / 12) * (1 if beat % 4 == 0 else 2)
        _add(sound, start, _note(note, bright, ring))
        if look.music in ("bright", "tense") and beat % 2 == 0:
            _add(sound, start, 1.5 * _note(55.0, 0.0, 0.08))
    return sound


def _note(pitch: float, bright: float, ring: float) -> np.ndarray:
    time = np.arange(round(3 * ring * RATE), dtype=np.float32) / RATE
    wave = sum(bright ** (k - 1) * np.sin(2 * np.pi * k * pitch * time) for k in range(1, 6))
    return wave * np.exp(-time / ring) * np.minimum(time * 100, 1)


def _add(sound: np.ndarray, start: int, piece: np.ndarray) -> None:
    """Add a piece to a sound and cut it off at the end of the sound."""
    room = len(sound) - start
    if room > 0:
        sound[start : start + len(piece)] += piece[:room]


def _repeated(
    length: int, rng: Random, per_second: float, piece: Callable[[], np.ndarray]
) -> np.ndarray:
    """Place pieces at random moments."""
    sound = np.zeros(length, np.float32)
    for _ in range(round(per_second * length / RATE)):
        _add(sound, int(rng.random() * length), piece())
    return sound


def _traffic(length: int, rng: Random, noise: np.random.Generator) -> np.ndarray:
    """Make a rumble that rises and falls as cars pass."""
    knots = np.cumsum(noise.standard_normal(length // 8 + 2, np.float32))
    knots -= np.convolve(knots, np.ones(200, np.float32) / 200, "same")
    rumble = np.interp(np.arange(length) / 8, np.arange(len(knots)), knots)
    swell = 1 + np.sin(np.linspace(0, 2 * np.pi * length / RATE / 3, length) + 6 * rng.random())
    return (0.12 * swell * rumble / rumble.std()).astype(np.float32)


def _keys(length: int, rng: Random, noise: np.random.Generator) -> np.ndarray:
    """Make keyboards over the hum of lights."""
    hum = 0.05 * np.sin(2 * np.pi * 100 / RATE * np.arange(length, dtype=np.float32))
    return hum + _repeated(length, rng, 6, lambda: 0.3 * _burst(noise, 0.012))


def _burst(noise: np.random.Generator, seconds: float) -> np.ndarray:
    time = np.arange(round(seconds * RATE), dtype=np.float32) / RATE
    return noise.standard_normal(len(time), np.float32) * np.exp(-4 * time / seconds)


def _applause(length: int, rng: Random, noise: np.random.Generator) -> np.ndarray:
    """Make many claps."""
    return _repeated(length, rng, 25, lambda: 0.12 * _burst(noise, 0.03))


def _leaps(length: int, rng: Random, noise: np.random.Generator) -> np.ndarray:
    """Make tones that leap up."""

    def leap() -> np.ndarray:
        time = np.arange(round(0.4 * RATE), dtype=np.float32) / RATE
        return 0.3 * np.sin(2 * np.pi * (400 + 2000 * time) * time) * np.exp(-3 * time)

    return _repeated(length, rng, 0.8, leap)


def _chimes(pitches: tuple[float, ...], ring: float, level: float, per_second: float) -> Effect:
    """Return an effect: notes at random moments, each at one of the pitches."""

    def effect(length: int, rng: Random, noise: np.random.Generator) -> np.ndarray:
        def chime() -> np.ndarray:
            return level * _note(pick(rng, pitches), 0.4, ring)

        return _repeated(length, rng, per_second, chime)

    return effect


def _scratches(length: int, rng: Random, noise: np.random.Generator) -> np.ndarray:
    """Make a pen on paper."""
    return _repeated(length, rng, 4, lambda: 0.1 * _burst(noise, 0.12))


_EFFECTS: dict[str, Effect] = {
    "室外": _traffic,
    "采访": _traffic,
    "办公室": _keys,
    "医院": _chimes((880.0,), 0.12, 0.35, 1.2),
    "手机电脑录屏": _chimes((2100.0, 2600.0), 0.015, 0.5, 3.0),
    "手写解题": _scratches,
    "红包": _chimes((1976.0, 2637.0), 0.2, 0.4, 3.0),
    "游戏画面": _chimes((523.0, 659.0, 784.0, 1047.0), 0.07, 0.4, 7.0),
    "喜悦": _applause,
    "惊奇": _leaps,
}
