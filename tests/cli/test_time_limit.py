"""`run --time-limit`: what does not fit is left out, the plan is stored and obeyed."""

import json
import os
import shutil
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from competition.pipeline.record import read_record
from tests.cli.calling import Called, call, called
from tests.cli.conftest import MODELS, QUICK
from tests.conftest import TRAIN_HEADER, table_rows, write_csv
from tests.faults.runs import leftovers, predictions, started

PLUGINS = '''\
import time
from pathlib import Path

import numpy as np

from competition import Extractor, Level1Model, MetaLearner, extractor, level1_model, meta_learner


@level1_model("sleeper", kinds=("text",))
class Sleeper(Level1Model):
    """Sleeps, until a file is there if one is named, and answers with the share of each tag."""

    def __init__(self, seconds: float = 60.0, file: str = ""):
        self.seconds = seconds
        self.file = file

    def _fit(self, X, Y):
        time.sleep(self.seconds)
        while self.file and not Path(self.file).exists():
            time.sleep(0.05)
        self.shares_ = Y.mean(axis=0)

    def _predict_proba(self, X):
        return np.tile(self.shares_, (len(X), 1))


@extractor("slow_letters", kinds=("text",), gives="array", version=1)
class Letters(Extractor):
    """How many letters a text has, after a while."""

    def __init__(self, seconds: float = 0.0):
        self.seconds = seconds

    def extract_one(self, item):
        time.sleep(self.seconds)
        return np.array([[float(len(item.value)), 1.0]], dtype=np.float32)


@meta_learner("dozer")
class Dozer(MetaLearner):
    """Sleeps, and takes the first model."""

    def _fit(self, data):
        time.sleep(60)

    def _predict_proba(self, ads):
        return ads.probabilities[:, 0]
'''

NEEDING = '''\
import numpy as np

from competition import Level1Model, level1_model


@level1_model("needing", kinds=("text",))
class Needing(Level1Model):
    """Answers with the share of each tag."""

    libraries = ("made_up_library",)

    def _fit(self, X, Y):
        self.shares_ = Y.mean(axis=0)

    def _predict_proba(self, X):
        return np.tile(self.shares_, (len(X), 1))
'''

TURNING = '''\
import time
from pathlib import Path

import numpy as np

from competition import Level1Model, level1_model


@level1_model("turning", kinds=("text",))
class Turning(Level1Model):
    """Takes a moment in each of 20 copies, and for ever after that."""

    def __init__(self, random_state=0):
        self.random_state = random_state

    def _fit(self, X, Y):
        with Path("MARK").open("a") as mark:
            mark.write("x")
        time.sleep(0.3 if Path("MARK").stat().st_size <= 20 else 60)
        self.shares_ = Y.mean(axis=0)

    def _predict_proba(self, X):
        return np.tile(self.shares_, (len(X), 1))
'''


@pytest.fixture(scope="module")
def plugins(
    tmp_path_factory: pytest.TempPathFactory, registries_restored_at_last: None
) -> tuple[str, ...]:
    """Options of a run that reads plug-ins that sleep."""
    path = tmp_path_factory.mktemp("plugins") / "sleeping.py"
    path.write_text(PLUGINS, encoding="utf-8")
    models = json.dumps([*MODELS, "sleeper"])
    return (*QUICK, "--set", f"plugins=[{str(path)!r}]", "--set", f"models={models}")


@dataclass(frozen=True)
class Limited:
    """A run with a limit that has ended: what it was called with, what it left and printed."""

    options: tuple[object, ...]
    out: Path
    done: Called
    seconds: float


@pytest.fixture(scope="module")
def limited(
    shared_table: Path, plugins: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Limited:
    """A run of 45 s that leaves out the sleeper."""
    options = ("--data", shared_table, *plugins, "--time-limit", "45s")
    out, start = tmp_path_factory.mktemp("limited") / "out", time.monotonic()
    done = call("run", "--out", out, *options)
    return Limited(options, out, done, time.monotonic() - start)


def plan_path(out: Path) -> Path:
    (path,) = out.glob("oof/*/time_limit/*.json")
    return path


def plan_of(out: Path) -> dict[str, Any]:
    return json.loads(plan_path(out).read_text("utf-8"))


def said(done: Called) -> str:
    return " ".join(done.out.split())


def without_cards(out: Path) -> dict[str, bytes]:
    return {name: value for name, value in predictions(out).items() if "card" not in name}


def test_model_that_takes_too_long_is_stopped_and_named(limited: Limited) -> None:
    out, done = limited.out, limited.done
    assert limited.seconds < 45
    plan = plan_of(out)
    assert plan["decided"] == ["features", "level 1", "level 2"]
    assert set(plan["models"]) == {"sleeper"}
    assert "its first fold had not ended after" in plan["models"]["sleeper"]
    assert "Left out for the time limit of 45s, models: sleeper (its first fold" in said(done)
    record = read_record(out / "oof" / "films" / "run.json")
    assert set(record.scores) == {*MODELS, "stack-mean"}
    assert record.n_trained == 6
    assert record.plan.time is not None
    assert set(record.plan.time.models) == {"sleeper"}
    assert record.submission is not None
    card = (out / record.submission.file).with_suffix(".card.json")
    assert set(json.loads(card.read_text("utf-8"))["plan"]["time"]["models"]) == {"sleeper"}
    assert not leftovers(out)


def test_second_run_obeys_the_plan_and_measures_nothing(limited: Limited, tmp_path: Path) -> None:
    out = shutil.copytree(limited.out, tmp_path / "out")
    before, plan = predictions(out), plan_path(out).read_bytes()
    start = time.monotonic()
    done = call("run", "--out", out, *limited.options)
    assert time.monotonic() - start < 10
    assert predictions(out) == before
    assert plan_path(out).read_bytes() == plan
    assert read_record(out / "oof" / "films" / "run.json").n_trained == 0
    assert "Remove that file to measure again and make a new one." in said(done)
    told = call("run", "--out", out, *limited.options, "--plan")
    assert "would be obeyed" in told.out
    assert told.row("tfidf_logreg")[1] == "stored"
    assert "sleeper" not in told.out


def test_same_plan_in_another_folder_gives_the_same_bytes(limited: Limited, tmp_path: Path) -> None:
    target = tmp_path / plan_path(limited.out).relative_to(limited.out)
    target.parent.mkdir(parents=True)
    shutil.copyfile(plan_path(limited.out), target)
    call("run", "--out", tmp_path, *limited.options)
    assert without_cards(tmp_path) == without_cards(limited.out)


def test_run_without_a_limit_that_names_the_same_gives_the_same_bytes(
    limited: Limited, shared_table: Path, tmp_path: Path
) -> None:
    call("run", "--out", tmp_path, "--data", shared_table, *QUICK)
    assert without_cards(limited.out) == without_cards(tmp_path)


def test_limit_that_nothing_fits_ends_with_a_submission_and_says_so(
    shared_table: Path, tmp_path: Path
) -> None:
    options = ("--profile", "text", "--jobs", 1, "--set", "folds.n=3", "--time-limit", "1s")
    done = call("run", "--data", shared_table, "--out", tmp_path, *options)
    assert "The time limit of 1s was overrun" in said(done)
    record = read_record(tmp_path / "oof" / "films" / "run.json")
    assert record.submission is not None
    models = [name for name in record.scores if not name.startswith("stack-")]
    assert models == ["tfidf_logreg"]
    assert record.stack == "stack-logit_mean"
    assert set(plan_of(tmp_path)["models"]) >= {"lightgbm", "xgboost"}


def test_what_is_stored_costs_nothing(shared_table: Path, tmp_path: Path) -> None:
    options = ("--data", shared_table, "--out", tmp_path, *QUICK)
    call("run", *options)
    before = predictions(tmp_path)
    call("run", *options, "--time-limit", "2s")
    plan = plan_of(tmp_path)
    assert (plan["models"], plan["learners"]) == ({}, {})
    assert without_cards(tmp_path) == {k: v for k, v in before.items() if "card" not in k}
    assert read_record(tmp_path / "oof" / "films" / "run.json").n_trained == 0


def test_feature_that_takes_too_long_is_left_out_with_what_reads_it(
    shared_table: Path, tmp_path: Path, plugins: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    features = (
        *("--set", 'kinds=["text", "metadata", "array"]', "--set", f'models=["{MODELS[0]}"]'),
        *("--set", "features.slow.extractor=slow_letters", "--set", "features.slow.seconds=2"),
        *("--set", "features.quick.extractor=slow_letters"),
        *("--set", "level1.probe_slow.model=probe", "--set", 'level1.probe_slow.inputs=["slow"]'),
        *("--set", "level1.probe_quick.model=probe"),
        *("--set", 'level1.probe_quick.inputs=["quick"]'),
    )
    options = ("--data", shared_table, "--out", out, *plugins, *features)
    start = time.monotonic()
    done = call("run", *options, "--time-limit", "60s")
    assert time.monotonic() - start < 60
    assert set(plan_of(out)["features"]) == {"slow"}
    assert "its extraction takes about" in plan_of(out)["features"]["slow"]
    scores = read_record(out / "oof" / "films" / "run.json").scores
    assert set(scores) == {MODELS[0], "probe_quick", "stack-mean"}
    assert "features: slow" in said(done)
    report = json.loads((out / "oof" / "films" / "report" / "notes.json").read_text("utf-8"))
    assert [one["name"] for one in report["features"]] == ["quick"]


def test_feature_that_a_model_must_have_stays_whatever_it_takes(
    shared_table: Path, tmp_path: Path, plugins: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    features = (
        *("--set", 'kinds=["text", "array"]', "--set", "models=[]"),
        *("--set", "features.slow.extractor=slow_letters", "--set", "features.slow.seconds=0.2"),
        *("--set", "features.slower.extractor=slow_letters"),
        *("--set", "features.slower.seconds=0.3"),
        *("--set", "level1.probe_slow.model=probe", "--set", 'level1.probe_slow.inputs=["slow"]'),
        *("--set", "level1.probe_slower.model=probe"),
        *("--set", 'level1.probe_slower.inputs=["slower"]'),
    )
    options = ("--data", shared_table, "--out", out, *plugins, *features)
    done = call("run", *options, "--time-limit", "5s")
    record = read_record(out / "oof" / "films" / "run.json")
    assert set(plan_of(out)["features"]) == {"slower"}
    assert set(record.scores) == {"probe_slow", "stack-mean"}
    assert record.submission is not None
    assert "The time limit of 5s was overrun" in said(done)


def test_meta_learner_that_takes_too_long_is_left_out(
    shared_table: Path, tmp_path: Path, plugins: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    choice = ("--set", 'level2.model=["mean", "dozer"]', "--set", f'models=["{MODELS[0]}"]')
    options = ("--data", shared_table, "--out", out, *plugins, *choice)
    call("run", *options, "--time-limit", "45s")
    assert set(plan_of(out)["learners"]) == {"dozer"}
    assert plan_of(out)["instead"] == ""
    assert read_record(out / "oof" / "films" / "run.json").stack == "stack-mean"


@pytest.mark.slow
def test_killed_run_ends_as_its_plan_says(
    shared_table: Path, tmp_path: Path, plugins: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    slow = ("--set", "level1.sleeper.seconds=3", "--time-limit", "60s")
    options = ("--data", shared_table, *plugins, *slow)
    process = started("run", "--out", out, *options)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        plans = list(out.glob("oof/films/time_limit/*.json"))
        if plans and "level 1" in json.loads(plans[0].read_text("utf-8"))["decided"]:
            break
        time.sleep(0.05)
    assert process.poll() is None, process.communicate()[0]
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    plan = plan_of(out)
    assert plan["models"] == {}
    target = tmp_path / "other" / plan_path(out).relative_to(out)
    target.parent.mkdir(parents=True)
    shutil.copyfile(plan_path(out), target)
    call("run", "--out", out, *options)
    call("run", "--out", tmp_path / "other", *options)
    assert without_cards(out) == without_cards(tmp_path / "other")
    assert "sleeper" in read_record(out / "oof" / "films" / "run.json").scores


@pytest.mark.slow
def test_labels_decide_nothing(tmp_path: Path, plugins: tuple[str, ...]) -> None:
    """Another truth, another score: the same parts are left out."""
    from tests.conftest import write_table

    plain, turned = write_table(tmp_path / "plain"), write_table(tmp_path / "turned")
    rows = table_rows(40)
    shuffled = [[*row[:6], *rows[(7 * place) % 40][6:]] for place, row in enumerate(rows)]
    write_csv(turned / "train.csv", TRAIN_HEADER, shuffled)
    left_out = []
    for data in (plain, turned):
        out = tmp_path / f"out-{data.name}"
        call("run", "--data", data, "--out", out, *plugins, "--time-limit", "45s")
        left_out.append(set(plan_of(out)["models"]))
    assert left_out == [{"sleeper"}, {"sleeper"}]


@pytest.mark.parametrize("given", ["3", "3 minutes", "-2m", "0s", "m", "1d", "nan"])
def test_wrong_time_is_explained_in_a_sentence(
    shared_table: Path, tmp_path: Path, given: str
) -> None:
    where = ("--data", shared_table, "--out", tmp_path, *QUICK)
    done = called("run", *where, f"--time-limit={given}")
    assert done.status == 2
    message = "give a number above 0 with s, m or h behind it, like 90s, 20m or 1.5h"
    assert message in " ".join(done.err.split())
    assert len(done.err.strip().splitlines()) == 1
    assert not (tmp_path / "oof").exists()


def test_limit_of_a_profile_is_obeyed_and_the_option_wins(
    shared_table: Path, tmp_path: Path
) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text(
        f'time_limit = "20m"\nmodels = ["{MODELS[0]}"]\n[folds]\nn = 3\n[level2]\nmodel = "mean"\n',
        "utf-8",
    )
    where = ("--data", shared_table, "--profile", profile, "--jobs", 1)
    done = call("run", *where, "--out", tmp_path / "a")
    assert plan_of(tmp_path / "a")["limit"] == "20m"
    assert "Nothing is left out for the time limit of 20m." in said(done)
    call("run", *where, "--out", tmp_path / "b", "--time-limit", "0.5h")
    assert plan_of(tmp_path / "b")["limit"] == "0.5h"
    call("run", *where, "--out", tmp_path / "c", "--set", "time_limit=40m")
    assert plan_of(tmp_path / "c")["limit"] == "40m"


def test_limit_is_refused_where_tasks_wait_for_other_machines(
    shared_table: Path, tmp_path: Path
) -> None:
    where = ("--data", shared_table, "--out", tmp_path, *QUICK, "--on", "slurm:local")
    done = called("run", *where, "--time-limit", "20m")
    assert done.status == 2
    assert "time_limit = 20m: nobody knows how long tasks wait" in done.err
    assert not (tmp_path / "oof").exists()


def test_damaged_plan_is_named(shared_table: Path, tmp_path: Path) -> None:
    where = ("--data", shared_table, "--out", tmp_path, *QUICK, "--time-limit", "20m")
    call("run", *where)
    plan_path(tmp_path).write_text("{", "utf-8")
    done = called("run", *where)
    assert done.status == 2
    assert "Remove it, and a new one is made." in done.err


def test_saved_stack_holds_what_the_plan_has_left(limited: Limited, tmp_path: Path) -> None:
    out, stack = shutil.copytree(limited.out, tmp_path / "out"), tmp_path / "stack"
    call("save", stack, "--out", out, *limited.options)
    assert {path.name for path in (stack / "level1").iterdir()} == set(MODELS)


def test_show_finds_the_stack_of_the_plan(
    limited: Limited, shared_table: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(limited.out, tmp_path / "out")
    given = [*map(str, limited.options)]
    sets = [given[place + 1] for place, word in enumerate(given) if word == "--set"]
    settings = [word for one in [*sets, "time_limit=45s"] for word in ("--set", one)]
    done = call("show", "ad1", "--data", shared_table, "--out", out, *settings)
    assert "Love" in done.out


def test_stored_plan_is_that_of_its_ads(shared_table: Path, tmp_path: Path) -> None:
    limit = ("--time-limit", "20m")
    call("run", "--data", shared_table, "--out", tmp_path, *QUICK, *limit)
    call("run", "--data", shared_table, "--out", tmp_path, *QUICK, *limit, "--holdout", 0.25)
    names = [path.parent.parent.name for path in tmp_path.glob("oof/*/time_limit/*.json")]
    assert sorted(names) == ["films", "films-holdout-0.25"]


@pytest.fixture(scope="module")
def planned(shared_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run whose plan leaves out nothing."""
    out = tmp_path_factory.mktemp("planned") / "out"
    call("run", "--data", shared_table, "--out", out, *QUICK, "--time-limit", "20m")
    return out


@pytest.mark.parametrize("changed", ["inputs", "labels", "ads"])
def test_other_ads_are_planned_anew(
    planned: Path, shared_table: Path, tmp_path: Path, changed: str
) -> None:
    out = shutil.copytree(planned, tmp_path / "out")
    data = shutil.copytree(shared_table, tmp_path / "films")
    rows = table_rows(40)
    if changed == "inputs":
        rows[0][3] = "another story"
    elif changed == "labels":
        rows[0][6:] = rows[1][6:]
    else:
        rows[0][0] = "another"
    write_csv(data / "train.csv", TRAIN_HEADER, rows)
    options = ("--data", data, "--out", out, *QUICK, "--time-limit", "20m")
    if changed == "ads":  # they have other folds
        (out / "oof" / "films" / "folds.csv").unlink()
    what = f"was made from other {changed}"
    assert what in said(call("run", *options, "--plan"))
    before = plan_of(out)
    done = said(call("run", *options))
    assert what in done
    assert "so it is made anew." in done
    assert plan_of(out)["made_from"] != before["made_from"]
    assert "would be obeyed" in said(call("run", *options, "--plan"))


def test_replaced_film_is_planned_anew(demo_films: Path, tmp_path: Path) -> None:
    """Its name and its cell are the same; only what the profile reads counts."""
    data = shutil.copytree(demo_films, tmp_path / "films")
    seen = ("--set", "features.media.extractor=media_metadata")
    options = ("--data", data, "--out", tmp_path / "out", *QUICK, "--time-limit", "20m")
    for more in (seen, ()):
        call("run", *options, *more)
    films = sorted(data.rglob("*.mp4"))
    shutil.copyfile(films[1], films[0])
    assert "was made from other inputs" in said(call("run", *options, *seen, "--plan"))
    assert "would be obeyed" in said(call("run", *options, "--plan"))
    assert "so it is made anew." in said(call("run", *options, *seen))
    assert "would be obeyed" in said(call("run", *options, *seen, "--plan"))


def test_library_that_is_installed_since_is_planned_anew(
    shared_table: Path,
    tmp_path: Path,
    plugins: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, library = tmp_path / "needing.py", tmp_path / "site" / "made_up_library.py"
    path.write_text(NEEDING, encoding="utf-8")
    library.parent.mkdir()
    choice = ("--set", f"plugins=[{str(path)!r}]", "--set", f'models=["{MODELS[0]}", "needing"]')
    options = ("--data", shared_table, "--out", tmp_path / "out", *plugins, *choice)
    call("run", *options, "--time-limit", "20m")
    library.touch()
    monkeypatch.syspath_prepend(library.parent)
    assert "was made from other models and libraries, so it is made anew." in said(
        call("run", *options, "--time-limit", "20m")
    )
    assert "needing" in read_record(tmp_path / "out" / "oof" / "films" / "run.json").scores


def test_model_of_other_parameters_stays_until_the_new_one_is_made(
    shared_table: Path, tmp_path: Path, plugins: tuple[str, ...]
) -> None:
    options = ("--data", shared_table, "--out", tmp_path, *plugins)
    stored = ("--set", "level1.sleeper.seconds=0.01")
    call("run", *options, *stored)
    card = tmp_path / "oof" / "films" / "sleeper" / "card.json"
    before = card.read_bytes()
    call("run", *options, "--set", "level1.sleeper.seconds=60", "--time-limit", "12s")
    assert set(plan_of(tmp_path)["models"]) == {"sleeper"}
    assert card.read_bytes() == before
    call("run", *options, *stored)
    assert card.read_bytes() == before
    assert read_record(tmp_path / "oof" / "films" / "run.json").n_trained == 0


def test_first_runs_at_once_have_one_plan(
    shared_table: Path, tmp_path: Path, plugins: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first measures until the second waits for it."""
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    waits = tmp_path / "waits"
    slow = ("--set", "level1.sleeper.seconds=0", "--set", f"level1.sleeper.file={str(waits)!r}")
    out = tmp_path / "out"
    options = ("--data", shared_table, "--out", out, *plugins, *slow, "--time-limit", "10m")
    first = started("run", *options)
    deadline = time.monotonic() + 60
    while not list(out.glob("oof/films/.locks/*.json.holder")) and first.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    second, heard, is_heard = started("run", *options), "", False
    given_up = threading.Timer(120, waits.touch)
    given_up.start()
    assert second.stdout is not None
    for line in second.stdout:
        heard += " ".join(line.split()) + " "
        if not is_heard and "Waiting until it has finished" in heard:
            is_heard = True
            assert not waits.exists()  # it is not too late
            waits.touch()
    given_up.cancel()
    told, _ = first.communicate(timeout=60)
    assert first.returncode == 0, told
    assert second.wait(60) == 0, heard
    assert is_heard
    assert "is obeyed. Remove" in heard
    assert "That is the plan" in " ".join(told.split())
    assert read_record(out / "oof" / "films" / "run.json").n_trained == 0


def test_model_that_is_cut_to_one_copy_is_stopped_where_it_is_late(
    shared_table: Path, tmp_path: Path, plugins: tuple[str, ...]
) -> None:
    """Its first fold is quick, and every other one takes for ever."""
    path = tmp_path / "turning.py"
    path.write_text(TURNING.replace("MARK", str(tmp_path / "mark")), encoding="utf-8")
    choice = (
        *("--set", f"plugins=[{str(path)!r}]", "--set", f'models=["{MODELS[0]}", "turning"]'),
        *("--set", "level1.turning.seeds=20"),
    )
    options = ("--data", shared_table, "--out", tmp_path / "out", *plugins, *choice)
    start = time.monotonic()
    call("run", *options, "--time-limit", "30s")
    assert time.monotonic() - start < 60
    plan = plan_of(tmp_path / "out")
    assert "it had not ended when" in plan["models"]["turning"]
    assert plan["seeds"] == {}
    scores = read_record(tmp_path / "out" / "oof" / "films" / "run.json").scores
    assert set(scores) == {MODELS[0], "stack-mean"}


def test_model_whose_copies_are_dear_by_the_table_runs_with_one(
    shared_table: Path, tmp_path: Path
) -> None:
    choice = (
        *("--set", f'models=["{MODELS[0]}", "shared_trees"]'),
        *("--set", "level1.shared_trees.seeds=50000"),
        *("--set", "folds.n=3", "--set", "level2.model=mean", "--jobs", "1"),
    )
    done = call("run", "--data", shared_table, "--out", tmp_path, *choice, "--time-limit", "30s")
    plan = plan_of(tmp_path)
    assert plan["models"] == {}
    assert plan["seeds"] == {"shared_trees": 1}
    assert "Made shorter for the time limit: shared_trees, 1 copy" in " ".join(done.out.split())
    scores = read_record(tmp_path / "oof" / "films" / "run.json").scores
    assert set(scores) == {MODELS[0], "shared_trees", "stack-mean"}
