"""What happens in a demo ad, before anything is rendered: who says what, where, in which shots.

`competition.demo.draw` draws plans, `competition.demo.noise` writes down what
OCR and ASR would make of them, `competition.demo.film` films them. A plan knows more than
the texts tell: places, framing and sounds are seen and heard in the film alone.
"""

from dataclasses import dataclass


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
class FilmFormat:
    """Duration in seconds, width and height in pixels, as planned; films are made to scale."""

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
        They add up to ``metadata.duration``, but for rounding.
    music : {"calm", "bright", "tense", "sad"}
    metadata : FilmFormat
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
    metadata: FilmFormat
    noise_seed: int
