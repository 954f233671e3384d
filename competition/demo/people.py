"""People in demo films: figures with a role, an age, clothes and a mood."""

from dataclasses import dataclass, replace
from random import Random

from competition.demo.canvas import Canvas, Colour, darker, near
from competition.demo.content import pick

# Radius of a head as a share of the picture's shorter side.
HEAD_OF_FRAMING = {"全景": 0.055, "中景": 0.12, "特写": 0.21, "极端特写": 0.42, "": 0.12}
# Largest number of people in the picture.
CLOSE_UPS = {"特写": 2, "极端特写": 1}
FACES = {"喜悦": "glad", "惊奇": "amazed", "愤怒": "angry", "悲伤": "sad"}
SKINS = ((246, 212, 184), (232, 190, 156), (222, 176, 142))
HAIRS = ((30, 24, 22), (52, 36, 28), (74, 50, 34))
GREY_HAIR = (184, 184, 188)


@dataclass(frozen=True)
class Person:
    """A person in a film.

    `hair` is "short", "long" or "knot"; `size` is 1 for adults; `extra` is "glasses", "tie",
    "microphone" or "".
    """

    skin: Colour
    hair: str
    hair_colour: Colour
    clothes: Colour
    robe: bool
    size: float
    extra: str


def cast_people(seen: frozenset[str], rng: Random) -> list[Person]:
    """Cast the people of a film; none if only a voice is heard."""
    ancient = "古代" in seen
    count = 1 if "单人口播" in seen else 0
    if "多人情景剧" in seen:
        count = 2 + int(rng.random() * 2)
    if {"采访", "夫妻&恋人&相亲"} & seen:
        count = max(count, 2)
    people = [_person(rng, ancient) for _ in range(count)]
    if not people:
        return []
    if "教师(教授)" in seen:
        people[0] = replace(people[0], extra="glasses", clothes=near(rng, 0.62, 0.25, 0.3))
    if "工作职场" in seen:
        people[-1] = replace(people[-1], extra="tie", clothes=near(rng, 0.62, 0.3, 0.22))
    if "采访" in seen:
        people[0] = replace(people[0], extra="microphone")
    if "夫妻&恋人&相亲" in seen:
        people[0] = replace(people[0], hair="short")
        people[1] = replace(people[1], hair="long")
    if "家庭伦理" in seen:
        people.append(replace(_person(rng, ancient), hair="short", hair_colour=GREY_HAIR))
    if "亲子" in seen:
        bright = near(rng, 0.13, 0.8, 0.95)
        people.append(replace(_person(rng, ancient), clothes=bright, size=0.62))
    return people


def _person(rng: Random, ancient: bool) -> Person:
    return Person(
        skin=pick(rng, SKINS),
        hair="knot" if ancient else pick(rng, ("short", "long")),
        hair_colour=pick(rng, HAIRS),
        clothes=near(rng, rng.random(), 0.55, 0.7),
        robe=ancient,
        size=1.0,
        extra="",
    )


def draw_people(
    canvas: Canvas, people: list[Person], framing: str, face: str, talking: int, step: int
) -> None:
    """Draw people side by side in the size of the framing.

    Parameters
    ----------
    canvas : Canvas
    people : list of Person
        At least one.
    framing : str
        A tag, or "".
    face : str
        A value of `FACES`, or "".
    talking : int
        Index of the person whose mouth moves; -1 for nobody.
    step : int
        At odd steps the mouth is open and the hand up.
    """
    head = HEAD_OF_FRAMING[framing]
    if framing in CLOSE_UPS:
        people = people[max(talking, 0) :] + people[: max(talking, 0)]
        people = people[: CLOSE_UPS[framing]]
        talking = min(talking, 0)
    # Heads are round in pixels: their distance depends on the shape of the picture.
    gap = min(4.4 * head * min(canvas.width, canvas.height) / canvas.width, 0.9 / len(people))
    left = 0.5 - gap * (len(people) - 1) / 2
    level = 0.56 if framing == "全景" else 0.46
    for rank, person in enumerate(people):
        opened = rank == talking and step % 2 == 1
        body = canvas.around(left + gap * rank, level, head)
        _draw_person(
            body.around(0.15 * opened, 5 * (1 - person.size), person.size), person, face, opened
        )


def draw_passer(canvas: Canvas, x: float, ancient: bool, rng: Random) -> None:
    """Draw a small passer-by at `x` in the background."""
    _draw_person(canvas.around(x, 0.5, 0.04), _person(rng, ancient), "", opened=False)


def _draw_person(body: Canvas, person: Person, face: str, opened: bool) -> None:
    """Draw one person; lengths are radii of the head, whose middle is the origin."""
    clothes = person.clothes
    for side in (-1, 1):
        body.box(0.55 * side - 0.4, 5, 0.55 * side + 0.4, 8.2, darker(clothes, 0.5))
    if person.hair == "long":
        body.round_box(-1.2, -0.4, 1.2, 2.2, person.hair_colour, 0.6)
    if person.robe:
        body.polygon([(-1.2, 1.4), (1.2, 1.4), (2.4, 8.6), (-2.4, 8.6)], clothes)
    body.round_box(-1.8, 1.35, 1.8, 5.2, clothes, 0.8)
    body.box(-0.35, 0.7, 0.35, 1.55, darker(person.skin, 0.9))
    if person.extra == "tie":
        body.polygon([(-0.5, 1.35), (0.5, 1.35), (0, 2.6)], (245, 245, 245))
        body.polygon([(0, 1.4), (0.2, 3.0), (0, 3.4), (-0.2, 3.0)], (170, 30, 40))
    for side in (-1, 1):
        raised = opened and side > 0
        hand = (2.4, 1.9) if raised else (1.6 * side, 5.1)
        elbow = (2.3 * side, 3.5)
        body.line([(1.5 * side, 1.9), elbow, hand], darker(clothes, 0.85), 0.6)
        body.disc(*hand, 0.42, person.skin)
    if person.extra == "microphone":
        body.line([(0.9, 1.5), (1.5, 4.6)], (30, 30, 34), 0.25)
        body.disc(0.85, 1.4, 0.36, (70, 72, 80))
    _draw_head(body, person)
    _draw_face(body, face, opened)
    if person.extra == "glasses":
        for side in (-1, 1):
            body.arc(0.36 * side, 0.02, 0.3, 0, 360, (40, 28, 26), 0.06)


def _draw_head(body: Canvas, person: Person) -> None:
    body.disc(0, -0.22, 1.08, person.hair_colour, 1.05)
    if person.hair == "knot":
        body.disc(0, -1.45, 0.4, person.hair_colour)
        body.line([(-0.6, -1.5), (0.6, -1.3)], (222, 184, 80), 0.12)
    body.disc(0, 0.12, 0.92, person.skin, 1.12)
    body.disc(0, -0.85, 0.75, person.hair_colour, 0.45)


def _draw_face(body: Canvas, face: str, opened: bool) -> None:
    dark, lips = (40, 28, 26), (140, 44, 48)
    eye = 0.2 if face == "amazed" else 0.12
    brow = -0.48 if face == "amazed" else -0.28
    tilt = {"angry": 0.14, "sad": -0.14}.get(face, 0.0)
    for side in (-1, 1):
        body.disc(0.36 * side, 0.02, 1.4 * eye, (250, 250, 250))
        body.disc(0.36 * side, 0.02, eye, dark)
        body.line([(0.16 * side, brow + tilt), (0.58 * side, brow - tilt)], dark, 0.09)
        if face == "sad":
            body.disc(0.36 * side, 0.42, 0.09, (120, 180, 235), 1.8)
        if face == "angry":
            body.disc(0.55 * side, 0.4, 0.18, (226, 110, 96), 0.7)
    if face == "amazed":
        body.disc(0, 0.62, 0.22, (120, 30, 34), 1.3)
    elif opened:
        body.disc(0, 0.58, 0.24, (120, 30, 34), 0.75)
    elif face == "glad":
        body.arc(0, 0.33, 0.36, 20, 160, lips, 0.08)
    elif face in ("angry", "sad"):
        body.arc(0, 0.88, 0.3, 200, 340, lips, 0.08)
    else:
        body.line([(-0.22, 0.58), (0.22, 0.58)], lips, 0.08)
