"""One queue of requests, and one thread that predicts what waits in it, several at once."""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from competition.serving.form import Row
from competition.serving.refusals import BUSY, RefusedError

MOST_WAITING = 1_000  # ads
Told = dict[str, Any]  # what is answered of an ad


@dataclass(frozen=True, eq=False)
class _Waiting:
    rows: tuple[Row, ...]
    explain: bool
    future: "Future[list[Told]]"


class Batches:
    """Requests that wait, and the thread that answers them.

    The thread takes what waits when it has time, up to a number of ads: a request that comes alone
    is answered at once, and those that come while it is at work are answered together. Where a
    batch fails, its requests are predicted one by one, so that a bad one fails alone.

    Parameters
    ----------
    predict : callable
        From rows of ads, and whether to explain, to what is told of each ad.
    most : int
        Ads that are predicted at once; a request of more is a batch of its own.
    """

    def __init__(self, predict: Callable[[list[Row], bool], list[Told]], most: int) -> None:
        self._predict = predict
        self._most = most
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._stopped = False
        self._since: float | None = None
        self._thread = threading.Thread(target=self._run, name="predicting", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Ads that wait."""
        with self._changed:
            return sum(len(one.rows) for one in self._queue)

    @property
    def at_work(self) -> float:
        """Seconds since the batch was begun that is being predicted; 0 where there is none."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def submit(self, rows: tuple[Row, ...], explain: bool) -> "Future[list[Told]]":
        """Let rows of ads wait for their turn.

        Raises
        ------
        RefusedError
            If too many wait already.
        """
        with self._changed:
            if self._stopped:
                raise RefusedError(BUSY, "The service is being stopped.")
            if sum(len(one.rows) for one in self._queue) + len(rows) > max(MOST_WAITING, len(rows)):
                raise RefusedError(BUSY, f"{MOST_WAITING:,} ads wait already: try again later.")
            future: Future[list[Told]] = Future()
            self._queue.append(_Waiting(rows, explain, future))
            self._changed.notify()
        return future

    def stop(self) -> None:
        """End the thread once it has answered what it is at."""
        with self._changed:
            self._stopped = True
            for one in self._queue:
                one.future.cancel()
            self._queue.clear()
            self._changed.notify()
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        while batch := self._next():
            self._since = time.monotonic()
            self._answer(batch)
            self._since = None

    def _next(self) -> list[_Waiting]:
        """Wait for requests, and take the first ones that can be answered together."""
        with self._changed:
            while not self._queue and not self._stopped:
                self._changed.wait()
            batch: list[_Waiting] = []
            n_ads = 0
            while self._queue:
                one = self._queue[0]
                n_ads += len(one.rows)
                if batch and (n_ads > self._most or one.explain != batch[0].explain):
                    break
                batch.append(self._queue.popleft())
            return batch

    def _answer(self, batch: list[_Waiting]) -> None:
        live = [one for one in batch if one.future.set_running_or_notify_cancel()]
        if not live:
            return
        try:
            told = self._predict([row for one in live for row in one.rows], live[0].explain)
        except Exception as bad:
            if len(live) == 1:
                live[0].future.set_exception(bad)
                return
            for one in live:
                self._answer_alone(one)
            return
        start = 0
        for one in live:
            one.future.set_result(told[start : start + len(one.rows)])
            start += len(one.rows)

    def _answer_alone(self, one: _Waiting) -> None:
        try:
            one.future.set_result(self._predict(list(one.rows), one.explain))
        except Exception as bad:
            one.future.set_exception(bad)
