"""The record of a run, ``oof/<dataset>/run.json``: for pipelines, trackers and whoever asks later.

It is written when the run has ended well; one that fails or is stopped leaves the last one, and
says so by its exit status.
"""

import os
import platform
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from competition.evaluation.bootstrap import Difference
from competition.evaluation.metrics import Scores
from competition.oof.cards import Card, StackCard
from competition.oof.fold_files import versions
from competition.oof.store import OofStore
from competition.pipeline.context import AnyContext
from competition.pipeline.submit import Submitted
from competition.pipeline.time_limit.plan import ALL_OF_IT, PlanRecord
from competition.utils.errors import StoreError
from competition.utils.files import file_digest, write_text
from competition.utils.progress import Progress

RECORD = "run.json"
EVERY = 0.2  # seconds between two looks at the memory
Command = Literal["run", "stack"]


class _Part(BaseModel):
    """Immutable, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StageRecord(_Part):
    """A stage of a run.

    Attributes
    ----------
    name : str
    seconds : float
    peak_memory : int or None
        Bytes that this process and those that it started held at once, by samples; memory that
        processes share counts for each. None where the system does not tell.
    """

    name: str
    seconds: float
    peak_memory: int | None


class SubmissionRecord(_Part):
    """A leaderboard file: its path below the results' folder, its SHA-256, its scores if known."""

    file: str
    digest: str
    test_scores: Scores | None


class WarningRecord(_Part):
    """What a reader of the stack's score must know.

    Attributes
    ----------
    kind : str
        "leak": a model predicts one fold suspiciously well. "fold offsets": a model's folds differ
        in their level. "failed": a meta-learner was left out. "no gain": the stack does not beat
        its best model. "small gain": the gain may be chance.
    about : str
        The model or meta-learner.
    """

    kind: Literal["leak", "fold offsets", "failed", "no gain", "small gain"]
    about: str


class RunRecord(_Part):
    """A run of `run` or `stack`; docs/files.md explains every key."""

    format: Literal[1] = 1
    command: Command
    dataset: str
    began: str
    seconds: float
    profile: str
    settings: dict[str, Any]
    jobs: int
    cores: int
    device: str
    system: str
    versions: dict[str, str]
    n_train: int
    n_test: int
    n_tags: int
    n_folds: int
    n_trained: int
    plan: PlanRecord = ALL_OF_IT
    stages: tuple[StageRecord, ...]
    scores: dict[str, Scores]
    stack: str
    best_model: str
    gain: Difference
    holdout_scores: Scores | None
    submission: SubmissionRecord | None
    warnings: tuple[WarningRecord, ...]
    remarks: tuple[str, ...]


def read_record(path: Path) -> RunRecord:
    """Read a run.json.

    Raises
    ------
    StoreError
        If there is none, or it has another form.
    """
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise StoreError(f"There is no {path}: `run` and `stack` write it at their end.") from None
    except OSError as bad:
        raise StoreError(f"{path} cannot be read: {bad.strerror}.") from bad
    except ValidationError as bad:
        mistake = bad.errors(include_url=False)[0]
        where = ".".join(str(part) for part in mistake["loc"])
        raise StoreError(
            f"{path} is no record of this version ({where or 'the whole'}: {mistake['msg']}). Run "
            "again to write it anew."
        ) from bad


@dataclass
class Recorder(Progress):
    """Times the stages of a run, and keeps its remarks while it passes them on.

    Attributes
    ----------
    command : {"run", "stack"}
    listener : Progress
        Receives remarks and steps.
    """

    command: Command
    listener: Progress
    _stages: list[StageRecord] = field(default_factory=list)
    _remarks: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._began, self._start = datetime.now(UTC), time.perf_counter()
        self._stage, self._stage_start, self._peak = "", self._start, 0
        self._over = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._sampler.join()

    def remark(self, text: str) -> None:
        self._remarks.append(text)
        self.listener.remark(text)

    def update(self, stage: str, done: int, total: int, last: str = "") -> None:
        self.listener.update(stage, done, total, last)

    def begin(self, stage: str) -> None:
        """End the stage that runs, and begin the next one."""
        self._end_stage()
        self._stage = stage

    def _end_stage(self) -> None:
        now, memory = time.perf_counter(), held_memory()
        if self._stage:
            peak = None if memory is None else max(self._peak, memory)
            seconds = round(now - self._stage_start, 3)
            self._stages.append(StageRecord(name=self._stage, seconds=seconds, peak_memory=peak))
        self._stage_start, self._peak = now, 0

    def _sample(self) -> None:
        while not self._over.wait(EVERY):
            self._peak = max(self._peak, held_memory() or 0)

    def write(
        self,
        context: AnyContext,
        store: OofStore,
        cards: Sequence[Card],
        stack: StackCard,
        submitted: Submitted | None,
        holdout: Scores | None,
        n_trained: int,
        n_test: int,
        plan: PlanRecord = ALL_OF_IT,
    ) -> RunRecord:
        """End the last stage, and write the record beside the cards."""
        self._end_stage()
        submission = None
        if submitted is not None:
            submission = SubmissionRecord(
                file=submitted.path.relative_to(context.out).as_posix(),
                digest=file_digest(submitted.path),
                test_scores=submitted.scores,
            )
        record = RunRecord(
            command=self.command,
            dataset=context.dataset.name,
            began=self._began.isoformat(timespec="seconds"),
            seconds=round(time.perf_counter() - self._start, 3),
            profile=context.profile.called,
            settings=context.profile.model_dump(mode="json"),
            jobs=context.n_jobs,
            cores=context.n_cores,
            device=context.device,
            system=platform.platform(),
            versions={"python": platform.python_version(), **versions()},
            n_train=len(store.folds.ids),
            n_test=n_test,
            n_tags=len(store.tags),
            n_folds=store.folds.n,
            n_trained=n_trained,
            plan=plan,
            stages=tuple(self._stages),
            scores={card.model: card.scores for card in (*cards, stack)},
            stack=stack.model,
            best_model=stack.best_model,
            gain=stack.gain,
            holdout_scores=holdout,
            submission=submission,
            warnings=tuple(_warnings(stack)),
            remarks=tuple(self._remarks),
        )
        write_text(context.store_folder / RECORD, record.model_dump_json(indent=2) + "\n")
        return record


def _warnings(stack: StackCard) -> list[WarningRecord]:
    found = [WarningRecord(kind="failed", about=name) for name in stack.failed]
    found += [WarningRecord(kind="leak", about=name) for name in stack.standing_out]
    found += [WarningRecord(kind="fold offsets", about=name) for name in stack.large_offsets]
    gain = stack.gain
    if len(stack.candidates) > 1 and set(stack.weights.get("single", ())) == {1}:
        return found  # selection chose the best model alone
    if gain.value <= 0:
        found.append(WarningRecord(kind="no gain", about=stack.best_model))
    elif gain.value > 0 and gain.low <= 0:
        found.append(WarningRecord(kind="small gain", about=stack.best_model))
    return found


def held_memory() -> int | None:
    """Bytes that this process and those below it hold in memory; None where there is no /proc."""
    page, total, waiting = _page_size(), 0, [os.getpid()]
    if page is None:
        return None
    while waiting:
        process = Path("/proc", str(waiting.pop()))
        try:
            total += int((process / "statm").read_text().split()[1]) * page
            for thread in (process / "task").iterdir():
                waiting += map(int, (thread / "children").read_text().split())
        except (OSError, ValueError, IndexError):  # it has just ended
            continue
    return total


def _page_size() -> int | None:
    return os.sysconf("SC_PAGE_SIZE") if Path("/proc/self/statm").is_file() else None
