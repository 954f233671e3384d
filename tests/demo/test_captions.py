"""Captions of demo films."""

from pathlib import Path

from competition.demo.captions import lay_captions
from competition.demo.look import FPS, draw_look
from competition.demo.plan import AdPlan
from tests.demo.made_demo import film_of, frames_of


def test_lines_of_a_kind_follow_one_another_for_half_a_second_or_more(
    film_plans: list[AdPlan],
) -> None:
    for plan in film_plans:
        look = draw_look(plan)
        for overlay in lay_captions(plan, look):
            assert (overlay.end - overlay.start) / FPS >= 0.5
            assert 0 <= overlay.start < overlay.end <= look.n_frames
            height, width = overlay.clear.shape[:2]
            assert 0 <= overlay.top <= look.height - height
            assert 0 <= overlay.left <= look.width - width


def test_ocr_reads_the_captions(demo_films: Path, film_plans: list[AdPlan]) -> None:
    from rapidocr import RapidOCR

    ocr = RapidOCR(params={"Global.log_level": "error", "Det.limit_side_len": 320})
    right = wrong = 0
    for plan in film_plans[:2]:
        texts = [line.text for line in plan.captions]
        pieces = {piece for text in texts for piece in text.replace(" ", "").split("，")} | {*texts}
        frame = frames_of(film_of(demo_films, plan))[1]
        for text in ocr(frame[:, :, ::-1]).txts:
            known = any(text.replace(" ", "") in piece.replace(" ", "") for piece in pieces)
            right, wrong = right + known, wrong + (not known)
    assert right >= 6
    assert right > 2 * wrong
