"""One queue, and one thread that predicts what waits in it."""

import threading
import time
from concurrent.futures import wait
from typing import Any

import pytest

from competition.serving.batches import MOST_WAITING, Batches
from competition.serving.form import Row
from competition.serving.refusals import RefusedError


class Slow:
    """Doubles numbers, remembers its batches, and begins once it is let."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, bool]] = []
        self.may = threading.Event()

    def __call__(self, rows: list[Row], explain: bool) -> list[dict[str, Any]]:
        self.may.wait()
        self.sizes.append((len(rows), explain))
        return [{"double": 2 * int(row["n"]), "explained": explain} for row in rows]


def test_what_waits_is_answered_in_batches_each_to_who_asked() -> None:
    slow = Slow()
    batches = Batches(slow, most=8)
    first = batches.submit(({"n": 0},), False)
    while batches.waiting:
        time.sleep(0.001)
    asked = [batches.submit(tuple({"n": n} for _ in range(n % 3 + 1)), False) for n in range(20)]
    assert batches.waiting == sum(n % 3 + 1 for n in range(20))
    slow.may.set()
    assert first.result(9)[0]["double"] == 0
    for n, one in enumerate(asked):
        assert [told["double"] for told in one.result(9)] == [2 * n] * (n % 3 + 1)
    assert len(slow.sizes) <= 7
    assert max(size for size, _ in slow.sizes) <= 8
    batches.stop()


def test_only_who_asks_is_explained_to() -> None:
    slow = Slow()
    batches = Batches(slow, most=8)
    asked = [batches.submit(({"n": 1},), explain) for explain in (False, True, True, False)]
    slow.may.set()
    found = [one.result(9)[0]["explained"] for one in asked]
    assert found == [False, True, True, False]
    batches.stop()


def test_a_bad_request_fails_alone() -> None:
    slow = Slow()
    batches = Batches(slow, most=8)
    asked = [batches.submit(({"n": n},), False) for n in ("1", "x", "3")]
    slow.may.set()
    wait(asked, 9)
    assert asked[0].result(9)[0]["double"] == 2
    assert isinstance(asked[1].exception(9), ValueError)
    assert asked[2].result(9)[0]["double"] == 6
    batches.stop()


def test_who_has_left_is_not_predicted() -> None:
    slow = Slow()
    batches = Batches(slow, most=8)
    batches.submit(({"n": 1},), False)
    while batches.waiting:
        time.sleep(0.001)
    left = batches.submit(({"n": 2},), False)
    left.cancel()
    slow.may.set()
    assert batches.submit(({"n": 3},), False).result(9)[0]["double"] == 6
    assert sum(size for size, _ in slow.sizes) == 2
    batches.stop()


def test_too_many_that_wait_are_refused() -> None:
    slow = Slow()
    batches = Batches(slow, most=8)
    batches.submit(({"n": 1},), False)
    while batches.waiting:
        time.sleep(0.001)
    rows = ({"n": 1},) * MOST_WAITING
    batches.submit(rows, False)
    with pytest.raises(RefusedError, match="wait already") as refused:
        batches.submit(({"n": 1},), False)
    assert refused.value.status == 503
    slow.may.set()
    batches.stop()
    with pytest.raises(RefusedError, match="being stopped"):
        batches.submit(({"n": 1},), False)
