"""The sound of demo films."""

from dataclasses import replace

import numpy as np

from competition.demo.look import draw_look
from competition.demo.plan import AdPlan
from competition.demo.sound import RATE, make_sound


def test_sound_is_none_silent_or_within_range(film_plans: list[AdPlan]) -> None:
    look = draw_look(film_plans[0])
    assert make_sound(film_plans[0], replace(look, sound="none")) is None
    silence = make_sound(film_plans[0], replace(look, sound="silence"))
    sound = make_sound(film_plans[0], replace(look, sound="full"))
    assert silence is not None
    assert sound is not None
    assert not silence.any()
    assert sound.dtype == np.float32
    assert sound.shape == silence.shape == (round(look.seconds * RATE),)
    assert 0.1 < np.abs(sound).max() <= 0.9 + 1e-6


def spectrum(plan: AdPlan, *heard: str) -> np.ndarray:
    """Power by Hz of a film without music in which the tags are heard."""
    look = replace(draw_look(plan), sound="full", music="", heard=frozenset(heard))
    sound = make_sound(plan, look)
    assert sound is not None
    power = np.abs(np.fft.rfft(sound[: 3 * RATE])) ** 2
    # 3 s have three lines a Hz: bands of 10 Hz.
    return power[: 3 * 7990].reshape(-1, 30).sum(axis=1) / power.sum()


def test_a_monitor_beeps_in_hospital(film_plans: list[AdPlan]) -> None:
    band = slice(87, 90)  # 870 to 900 Hz
    beeping, plain = (
        spectrum(film_plans[0], "医院")[band].sum(),
        spectrum(film_plans[0])[band].sum(),
    )
    assert beeping > 5 * plain


def test_traffic_rumbles_outdoors(film_plans: list[AdPlan]) -> None:
    assert spectrum(film_plans[0], "室外")[1:8].sum() > 5 * spectrum(film_plans[0])[1:8].sum()


def test_a_low_voice_is_lower_than_a_high_one(film_plans: list[AdPlan]) -> None:
    def share_of_lows(pitch: float) -> float:
        speakers = tuple(replace(speaker, pitch=pitch) for speaker in film_plans[0].speakers)
        return spectrum(replace(film_plans[0], speakers=speakers))[7:16].sum()

    assert share_of_lows(110.0) > 5 * share_of_lows(250.0)
