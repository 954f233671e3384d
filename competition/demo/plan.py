"""The plan of a demo ad: its speech, captions and shots, before anything is rendered.

`competition.demo.draw` draws plans, `competition.demo.texts` turns them into the texts of OCR and
ASR, `competition.demo.film` into films. Places, framing and sounds appear in the film alone.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Speaker:
    """A voice: its role in the story, and its fundamental frequency in Hz."""

    role: str
    pitch: float


@dataclass(frozen=True)
class SpeechLine:
    """A sentence spoken by ``AdPlan.speakers[speaker]``."""

    speaker: int
    text: str


@dataclass(frozen=True)
class CaptionLine:
    """A text in the picture.

    `kind` is "subtitle" (of speech), "banner", "legal", "cue" (a trace of a tag, such as the
    buttons of an app), "brand" or "scrap".
    """

    kind: str
    text: str


@dataclass(frozen=True)
class Shot:
    """One shot of a film. `place`, `framing` and `insert` are tags, or "" for none."""

    seconds: float
    place: str
    framing: str
    moving: bool
    insert: str


@dataclass(frozen=True)
class FilmFormat:
    """Planned duration in seconds, width and height in pixels; the film is made to scale."""

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
        The kind of ad; the tags depend on these alone.
    tags : tuple of str
        In the order of the tag ids, never empty.
    product : str
    speech_scenario, caption_scenario : str
        The scenarios whose words are spoken and written; in some ads not `scenario`.
    speakers : tuple of Speaker
    speech : tuple of SpeechLine
    captions : tuple of CaptionLine
        In the order of their appearance; several may be on show together.
    shots : tuple of Shot
        Their seconds add up to ``format.duration``, but for rounding.
    music : {"calm", "bright", "tense", "sad"}
    format : FilmFormat
    noise_seed : int
        Seed of all random draws in rendering.
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
    format: FilmFormat
    noise_seed: int
