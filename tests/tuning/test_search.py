"""Tuning: honest values, nothing lost by an interruption, nothing mixed up."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.storages.journal import JournalFileOpenLock

from competition.config.profile import load_profile
from competition.datasets import load_dataset
from competition.pipeline.run import run
from competition.tuning.search import Tuned, search, tune
from competition.tuning.study import complete, enqueue_start, give_up, is_start, open_study
from competition.tuning.targets import Tunable
from competition.utils.errors import StoreError, TuningError
from competition.utils.processes import this_process
from competition.utils.progress import Progress
from tests.cli.calling import called
from tests.recorded import Recorded

ROOT = Path(__file__).resolve().parents[2]
MODEL = "tfidf_logreg"
OVERRIDES = [
    f'models=["{MODEL}"]',
    "folds.n=3",
    "level2.model=dnn",
    "level2.seeds=1",
    "level2.min_steps=25",
]


def tuned(table: Path, out: Path, n_trials: int, name: str = MODEL, **settings: Any) -> Tuned:
    profile = load_profile("text", OVERRIDES)
    return tune(name, table, profile, out, n_trials=n_trials, **{"n_jobs": 1, **settings})


def trials(done: Tuned) -> list[tuple[dict[str, Any], Any, dict[int, float]]]:
    """What the trials that have not failed tried and found."""
    found = open_study(done.study, done.storage).trials
    return [
        (trial.params, trial.state, trial.intermediate_values)
        for trial in found
        if trial.state.name != "FAIL"
    ]


class StopIn(Progress):
    """Interrupts in the middle of a trial."""

    def __init__(self, trial: int) -> None:
        self.trial = trial

    def update(self, stage: str, done: int, total: int, last: str = "") -> None:
        if f"trial {self.trial}: " in last:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def straight(shared_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """Six trials without an interruption."""
    return tuned(shared_table, tmp_path_factory.mktemp("straight"), 6)


def test_first_trial_has_the_gap_of_a_run_without_tuning(
    shared_table: Path, straight: Tuned, tmp_path: Path
) -> None:
    assert straight.start == {"C": 4.0, "min_df": 2}
    (card,) = run(shared_table, load_profile("text", OVERRIDES), tmp_path, n_jobs=1).cards
    assert straight.start_score == card.scores.gap


def test_best_profile_has_the_gap_of_the_best_trial_when_run(
    shared_table: Path, straight: Tuned, tmp_path: Path
) -> None:
    assert straight.best != straight.start
    (card,) = run(shared_table, load_profile(str(straight.path)), tmp_path, n_jobs=1).cards
    assert card.parameters == straight.best
    assert card.scores.gap == straight.best_score >= straight.start_score


def test_nothing_is_written_among_the_predictions(straight: Tuned) -> None:
    folder = straight.path.parents[1]
    written = {str(path.relative_to(folder)) for path in folder.glob("**/*")}
    written = {path for path in written if not path.startswith(".locks")}
    assert written == {"folds.csv", "tuning", "tuning/studies.sqlite", f"tuning/{MODEL}.toml"}


def test_interrupted_study_ends_as_one_that_was_not(
    shared_table: Path, straight: Tuned, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        tuned(shared_table, tmp_path, 6, progress=StopIn(2))
    resumed = tuned(shared_table, tmp_path, 6)
    assert (resumed.failed, straight.failed) == (1, 0)
    assert trials(resumed) == trials(straight)
    assert resumed.path.read_bytes() == straight.path.read_bytes()


def test_first_trial_is_repeated_if_it_was_interrupted(shared_table: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        tuned(shared_table, tmp_path, 1, progress=StopIn(0))
    done = tuned(shared_table, tmp_path, 1)
    assert (done.complete, done.failed) == (1, 1)
    assert done.best == done.start


def test_finished_trials_outlive_a_kill(shared_table: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "competition", "tune", MODEL, "--data", str(shared_table)]
    command += ["--out", str(tmp_path), "--jobs", "1", "--trials", "500"]
    for override in OVERRIDES:
        command += ["--set", override]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    file = tmp_path / "oof" / "films" / "tuning" / "studies.sqlite"
    deadline = time.monotonic() + 60
    while n_stored(file, *FINISHED) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = n_stored(file, *FINISHED)
    assert 2 <= kept < 500
    remarks = Recorded()
    done = tuned(shared_table, tmp_path, kept + 1, progress=remarks)
    assert f"{done.study}: {kept} finished trial(s) are stored, and kept" in remarks.remarks
    assert done.complete + done.pruned == kept + 1
    with sqlite3.connect(file) as database:
        lost = "SELECT count(*) FROM trials JOIN trial_user_attributes USING (trial_id)"
        claimed = database.execute(f"{lost} WHERE state = 'RUNNING' AND key = 'process'")
        assert claimed.fetchone()[0] == 0


FINISHED = ("COMPLETE", "PRUNED")


def n_stored(file: Path, *states: str) -> int:
    """Count the trials of a file in some states."""
    query = f"SELECT count(*) FROM trials WHERE state IN ({', '.join('?' * len(states))})"
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
            return int(database.execute(query, states).fetchone()[0])
    except sqlite3.OperationalError:  # not there yet
        return 0


def test_folds_at_a_time_do_not_matter(shared_table: Path, straight: Tuned, tmp_path: Path) -> None:
    assert trials(tuned(shared_table, tmp_path, 2, n_jobs=2)) == trials(straight)[:2]


def test_two_machines_share_a_study_by_url(shared_table: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.sqlite'}"
    first = tuned(shared_table, tmp_path / "a", 1, storage=url)
    second = tuned(shared_table, tmp_path / "b", 2, storage=url)
    assert first.study == second.study
    assert second.complete == 2
    assert not (tmp_path / "b" / "oof" / "films" / "tuning" / "studies.sqlite").exists()


def test_study_in_a_journal_has_the_trials_of_one_in_a_database(
    shared_table: Path, straight: Tuned, tmp_path: Path
) -> None:
    storage = f"journal:{tmp_path / 'studies.journal'}"
    with pytest.raises(KeyboardInterrupt):
        tuned(shared_table, tmp_path / "a", 6, storage=storage, progress=StopIn(2))
    done = tuned(shared_table, tmp_path / "b", 6, storage=storage)
    assert trials(done) == trials(straight)
    assert done.best_score == straight.best_score


def test_machines_share_a_journal_at_once_and_one_is_killed(
    shared_table: Path, tmp_path: Path
) -> None:
    storage = f"journal:{tmp_path / 'studies.journal'}"
    command = [sys.executable, "-m", "competition", "tune", MODEL, "--data", str(shared_table)]
    command += ["--jobs", "1", "--trials", "500", "--storage", storage, "--set"]
    command += " --set ".join(OVERRIDES).split(" ")
    killed = subprocess.Popen(
        [*command, "--out", str(tmp_path / "a")], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        journal = tmp_path / "studies.journal"
        while time.monotonic() < deadline:
            if (
                journal.is_file() and journal.read_bytes().count(b'"op_code":6') >= 2
            ):  # trials ended
                break
            time.sleep(0.02)
        both = tuned(shared_table, tmp_path / "b", 6, storage=storage)
        assert killed.poll() is None
    finally:
        killed.kill()
        killed.wait()
    assert both.complete + both.pruned >= 6
    more = tuned(shared_table, tmp_path / "b", both.complete + both.pruned + 2, storage=storage)
    assert more.study == both.study
    numbers = [trial.number for trial in open_study(more.study, storage).trials]
    assert numbers == sorted(set(numbers))


def test_journal_is_named_as_machines_with_another_current_folder_find_it(
    shared_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = tuned(shared_table, tmp_path, 1, storage="journal:a.journal")
    assert done.storage == f"journal:{tmp_path / 'a.journal'}"
    assert [path.name for path in tmp_path.glob("*.journal")] == ["a.journal"]


@pytest.mark.parametrize("text", ["a line\nand another\n", "one line\n", "no whole line"])
def test_file_that_is_no_journal_is_told(shared_table: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "notes.txt").write_text(text)
    with pytest.raises(TuningError, match="cannot be opened"):
        tuned(shared_table, tmp_path / "a", 1, storage=f"journal:{tmp_path / 'notes.txt'}")
    assert (tmp_path / "notes.txt").read_text() == text


@pytest.mark.parametrize("left", [-20, 20], ids=["of the last line", "of the first line"])
def test_half_a_line_at_the_end_of_a_journal_is_cut_off_and_the_study_goes_on(
    shared_table: Path, straight: Tuned, tmp_path: Path, left: int
) -> None:
    """As a machine that goes down in the midst of writing leaves it."""
    journal = tmp_path / "studies.journal"
    tuned(shared_table, tmp_path / "a", 2, storage=f"journal:{journal}")
    os.truncate(journal, left % journal.stat().st_size)
    done = tuned(shared_table, tmp_path / "a", 3, storage=f"journal:{journal}")
    assert trials(done) == trials(straight)[:3]
    assert all(json.loads(line) for line in journal.read_text().splitlines())


def test_line_that_another_process_is_writing_is_not_cut_off(tmp_path: Path) -> None:
    journal = tmp_path / "made.journal"
    storage = f"journal:{journal}"
    open_study("made", storage)
    line = '{"op_code":0,"worker_id":"w","study_name":"theirs","directions":[2]}\n'
    lock = JournalFileOpenLock(str(journal))
    lock.acquire()
    with journal.open("a") as file:
        file.write(line[:30])
    opening = threading.Thread(target=open_study, args=("ours", storage))
    opening.start()
    opening.join(1.0)
    assert opening.is_alive()
    with journal.open("a") as file:
        file.write(line[30:])
    lock.release()
    opening.join()
    names = optuna.get_all_study_names(open_study("made", storage)._storage)
    assert names == ["made", "theirs", "ours"]


def test_changed_labels_begin_another_study(table: Path, straight: Tuned, tmp_path: Path) -> None:
    path = table / "train.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("Space|Long", "Space"))
    assert tuned(table, tmp_path, 1).study != straight.study


def test_best_profile_of_the_stack_has_the_gap_of_the_best_trial_when_run(
    table: Path, tmp_path: Path
) -> None:
    run(table, load_profile("text", OVERRIDES), tmp_path, n_jobs=1)
    done = tuned(table, tmp_path, 2, "stack")
    assert done.name == "stack-dnn"
    stack = run(table, load_profile(str(done.path)), tmp_path, n_jobs=1).stack
    assert stack.scores.gap == done.best_score


def test_stack_is_not_tuned_before_models_are_stored(table: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no finished level-1 model that fits"):
        tuned(table, tmp_path, 1, "stack")


def test_time_that_is_up_begins_no_trial(table: Path, tmp_path: Path) -> None:
    with pytest.raises(TuningError, match="Give it more time"):
        tuned(table, tmp_path, 9, timeout=1e-9)


@pytest.mark.parametrize("timeout", ["nan", "inf", "0", "-1"])
def test_a_time_that_is_none_is_refused(shared_table: Path, tmp_path: Path, timeout: str) -> None:
    done = called(*("tune", MODEL, "--data", shared_table, "--out", tmp_path, "--timeout", timeout))
    assert (done.status, done.out) == (2, "")
    assert f"timeout = {timeout}: a number of seconds above 0 is expected" in done.err
    assert not list(tmp_path.iterdir())


def test_best_profile_goes_where_it_is_wanted(table: Path, tmp_path: Path) -> None:
    path = tmp_path / "best.toml"
    assert tuned(table, tmp_path, 1, write=path).path == path
    assert load_profile(str(path)).level1[MODEL].params == {"C": 4.0, "min_df": 2}


def test_trial_that_lags_is_stopped_but_never_the_first(table: Path, tmp_path: Path) -> None:
    dataset = load_dataset(table)
    truth = dataset.labels.astype(np.float32)
    noise = np.random.default_rng(0).random(truth.shape, dtype=np.float32)

    def oof(params: dict[str, Any]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for fold in range(4):
            ads = np.arange(len(truth)) % 4 == fold
            yield ads, params["skill"] * truth[ads] + (1 - params["skill"]) * noise[ads]

    def space(trial: Any) -> dict[str, Any]:
        return {"skill": trial.suggest_float("skill", 0, 1)}

    profile = load_profile("text")
    made = Tunable("made", space, {"skill": 0.0}, "identity", oof, lambda _: profile)  # type: ignore[arg-type]
    study = open_study("made", f"sqlite:///{tmp_path / 'made.sqlite'}")
    search(study, made, dataset, 10, time.monotonic() + 60, profile, Progress())
    scored = complete(study)
    stopped = [trial for trial in study.trials if trial.state.name == "PRUNED"]
    assert scored[0].params == {"skill": 0.0}
    assert stopped
    assert all(2 <= len(trial.intermediate_values) < 4 for trial in stopped)
    assert max(t.params["skill"] for t in stopped) < max(t.params["skill"] for t in scored)


START = {"skill": 0.5}


def beginning(storage: str, process: str = "") -> tuple[Any, int]:
    """A study whose first trial runs as a task of a command, in a process; its number too."""
    study = open_study("made", storage)
    enqueue_start(study, START)
    trial = study.ask()
    trial.suggest_float("skill", 0, 1)
    trial.set_user_attr("process", process or this_process())
    trial.set_user_attr("task", f"{process or this_process()}/0")
    return study, trial.number


@pytest.mark.filterwarnings("ignore:Heartbeat")  # which such a study has nobody to send
@pytest.mark.parametrize("end", ["lost", "complete"])
@pytest.mark.parametrize("kind", ["sqlite:///{}/made.sqlite", "journal:{}/made.journal"])
def test_trial_that_ends_while_it_is_given_up_is_tried_again_once_at_most(
    kind: str, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tasks find it running; the second has ended it before the first does so."""
    storage = kind.format(tmp_path)
    study, number = beginning(storage)
    other = optuna.load_study(study_name="made", storage=study._storage)
    find = study.get_trials

    def find_too_late(*args: Any, **named: Any) -> list[Any]:
        found = find(*args, **named)
        monkeypatch.setattr(study, "get_trials", find)
        if end == "lost":
            give_up(other, this_process(), START)
        else:
            other.tell(number, 0.7)
        return found

    monkeypatch.setattr(study, "get_trials", find_too_late)
    give_up(study, this_process(), START)
    states = [trial.state.name for trial in study.trials if is_start(trial)]
    assert states == (["FAIL", "WAITING"] if end == "lost" else ["COMPLETE"])


@pytest.mark.filterwarnings("ignore:Heartbeat")
def test_first_trial_that_runs_in_another_process_is_waited_for(
    shared_table: Path, tmp_path: Path
) -> None:
    """There are trials enough; only that of the start values has not ended."""
    storage, progress = f"sqlite:///{tmp_path / 'made.sqlite'}", Recorded()
    with subprocess.Popen(["sleep", "60"]) as process:
        name = f"{socket.gethostname()}:{process.pid}"
        study, number = beginning(storage, name)
        study.tell(study.ask({"skill": FloatDistribution(0, 1)}), 0.2)

        def end() -> None:
            open_study("made", storage).tell(number, 0.4)
            process.kill()

        threading.Timer(2.0, end).start()
        dataset, profile = load_dataset(shared_table), load_profile("text")
        none: Any = ("identity", lambda _: iter(()), lambda _: profile)
        made = Tunable("made", lambda _: START, START, *none)
        search(study, made, dataset, 1, time.monotonic() + 30, profile, progress)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE"]
    assert any(f"waiting for the first trial, of {name}" in one for one in progress.remarks)


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "sqlite:////no/such/folder/x.sqlite",
        "nosuch://me:secret@host/name",
        "journal:/no/such/folder/x.journal",
        "journal:",
    ],
)
def test_storage_that_cannot_be_opened_is_named_without_its_password(
    shared_table: Path, tmp_path: Path, url: str
) -> None:
    with pytest.raises(TuningError, match="cannot be opened") as raised:
        tuned(shared_table, tmp_path, 1, storage=url)
    assert url.replace("secret", "***") in str(raised.value)
