"""Many models made elsewhere: added by the folder, listed, renamed, removed, stacked in part."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from competition import gap, list_oof
from competition.evaluation.metrics import gap_mean_of_folds
from competition.oof.cards import StackCard, read_card
from tests.cli.calling import call, called
from tests.conftest import write_csv
from tests.mounts import mounted

TAGS = ["sea", "food", "city", "night"]
N_TRAIN, N_TEST, N_FOLDS = 90, 30, 3
TOML = """\
name = "topics"
train = "train.csv"
test = "test.csv"

[[tags]]
column = "topics"
dimension = "topic"
"""
IDS = [f"ad{i:03}" for i in range(N_TRAIN + N_TEST)]
RNG = np.random.default_rng(0)
LABELS = (RNG.random((len(IDS), len(TAGS))) < 0.4).astype(np.uint8)
LABELS[np.arange(len(IDS)), RNG.integers(len(TAGS), size=len(IDS))] = 1
FOLD = np.random.default_rng(7).permutation(N_TRAIN) % N_FOLDS


def predicted(seed: int, noise: float = 1.2) -> np.ndarray:
    """Probabilities of all ads that know something of their labels."""
    rng = np.random.default_rng(seed)
    return expit(2 * LABELS - 1.5 + rng.normal(0, noise, LABELS.shape))


def write(folder: Path, name: str, values: np.ndarray, ending: str = "csv", folds: bool = True):
    """Write ``NAME.oof.*`` and ``NAME.test.*``."""
    frame = pd.DataFrame(values, columns=TAGS).assign(id=IDS)
    oof = frame[:N_TRAIN].assign(fold=FOLD) if folds else frame[:N_TRAIN]
    for part, table in (("oof", oof), ("test", frame[N_TRAIN:])):
        path = folder / f"{name}.{part}.{ending}"
        if ending == "csv":
            table.to_csv(path, index=False)
        elif ending == "parquet":
            table.to_parquet(path, index=False)
        else:
            also = {"fold": table["fold"].to_numpy()} if "fold" in table else {}
            np.savez(
                path,
                ids=np.array(table["id"], dtype=str),
                tags=np.array(TAGS),
                probabilities=table[TAGS].to_numpy(),
                **also,
            )


@pytest.fixture
def ads(tmp_path: Path) -> Path:
    data = tmp_path / "ads"
    data.mkdir()
    tags = ["|".join(np.array(TAGS)[row == 1]) for row in LABELS]
    rows = [list(one) for one in zip(IDS, tags, strict=True)]
    write_csv(data / "train.csv", ["id", "topics"], rows[:N_TRAIN])
    write_csv(data / "test.csv", ["id"], [[ad] for ad in IDS[N_TRAIN:]])
    (data / "competition.toml").write_text(TOML)
    (tmp_path / "models").mkdir()
    return data


@pytest.fixture
def models(ads: Path) -> Path:
    """A folder of four models, in three forms; the first names no folds."""
    folder = ads.parent / "models"
    write(folder, "a", predicted(1), folds=False)
    write(folder, "b", predicted(2, 0.8), "parquet")
    write(folder, "c", predicted(3), "npz")
    write(folder, "d", predicted(4))
    return folder


def where(ads: Path) -> tuple[object, ...]:
    return ("--data", ads, "--out", ads.parent / "out")


def stored(ads: Path, name: str, file: str = "oof.parquet") -> pd.DataFrame:
    return pd.read_parquet(ads.parent / "out" / "oof" / "topics" / name / file)


def stack_card(ads: Path, learner: str = "mean") -> StackCard:
    path = ads.parent / "out" / "oof" / "topics" / f"stack-{learner}" / "card.json"
    card = read_card(path)
    assert isinstance(card, StackCard)
    return card


def names(ads: Path) -> list[str]:
    return [one.name for one in list_oof(ads, ads.parent / "out")]


def test_folder_is_added_as_each_of_its_models_would_be(ads: Path, models: Path) -> None:
    done = call("add-oof", "--from", models, *where(ads))
    assert "4 models are stored; the best is b" in done.out
    folds = pd.read_csv(ads.parent / "out" / "oof" / "topics" / "folds.csv")
    assert folds["fold"].tolist() == FOLD.tolist()  # of the first file that names some
    one_by_one = ads.parent / "again"
    for name, ending in (("d", "csv"), ("c", "npz"), ("b", "parquet"), ("a", "csv")):
        files = (
            "--oof",
            models / f"{name}.oof.{ending}",
            "--test",
            models / f"{name}.test.{ending}",
        )
        call("add-oof", name, *files, "--data", ads, "--out", one_by_one)
        for file in ("oof.parquet", "test.parquet"):
            of_one = one_by_one / "oof" / "topics" / name / file
            assert stored(ads, name, file).equals(pd.read_parquet(of_one))


def test_bad_files_stop_no_others(ads: Path, models: Path) -> None:
    write(models, "worse", predicted(5))
    (models / "worse.test.csv").unlink()
    write(models, "twice", predicted(6))
    write(models, "twice", predicted(6), "npz")
    write(models, "too-much", predicted(7) * 3)
    (models / "late.test.csv").write_text("id\n")
    done = called("add-oof", "--from", models, *where(ads))
    assert done.status == 2
    assert "4 models are stored" in done.out
    assert "4 model(s)" in done.err
    for text in (
        "worse: topics has 30 test ads",
        "late: late.test.csv has no late.oof",
        "too-much",
    ):
        assert text in done.err
    assert "twice: both twice.oof.csv and twice.oof.npz are there" in done.err
    assert names(ads) == ["b", "d", "a", "c"] or set(names(ads)) == set("abcd")


def test_folder_that_is_added_again_is_read_and_not_written(ads: Path, models: Path) -> None:
    call("add-oof", "--from", models, *where(ads))
    store = ads.parent / "out" / "oof" / "topics"
    before = {path: path.stat().st_mtime_ns for path in store.glob("*/*.parquet")}
    write(models, "d", predicted(9))
    write(models, "e", predicted(10))
    assert "5 models are stored" in call("add-oof", "--from", models, *where(ads)).out
    after = {path: path.stat().st_mtime_ns for path in store.glob("*/*.parquet")}
    changed = {path.parent.name for path in after if after[path] != before.get(path)}
    assert changed == {"d", "e"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((), "Give a NAME with --oof FILE"),
        (("one",), "Give a NAME with --oof FILE"),
        (("--from", "models", "--oof", "x.csv"), "or --from DIR alone"),
        (("--from", "nowhere"), "There is no folder nowhere"),
        (("--from", "ads"), "ads holds no predictions: name them NAME.oof.csv"),
    ],
)
def test_what_cannot_be_added_is_told(
    given: tuple[str, ...], says: str, ads: Path, models: Path
) -> None:
    done = called("add-oof", *given, *where(ads), cwd=ads.parent)
    assert done.status == 2
    assert says in done.err
    assert not (ads.parent / "out").exists()


def test_list_is_sorted_filtered_and_says_what_each_adds(ads: Path, models: Path) -> None:
    call("add-oof", "--from", models, *where(ads))
    call("stack", *where(ads), "--set", "level2.model=mean")
    done = call("oof", "list", *where(ads), "--adds")
    scores = {name: gap(LABELS[:N_TRAIN], stored(ads, name)[TAGS].to_numpy()) for name in "abcd"}
    assert done.row("b")[2] == f"{scores['b']:.4f}"
    assert done.row("stack-mean")[1] == "stack"
    assert "`stack` would take 4 of them" in done.out
    values = {name: stored(ads, name)[TAGS].to_numpy() for name in "abcd"}
    mean = gap(LABELS[:N_TRAIN], np.mean([*values.values()], axis=0))
    for name in "abcd":
        others = [one for other, one in values.items() if other != name]
        adds = mean - gap(LABELS[:N_TRAIN], np.mean(others, axis=0))
        assert float(done.row(name)[5]) == pytest.approx(adds, abs=0.002)  # odds are rounded
    by_name = call("oof", "list", "[bd]", *where(ads), "--sort", "name").out
    assert [line.split(" ")[0] for line in by_name.splitlines()[2:4]] == ["b", "d"]
    assert "\na " not in by_name
    refused = called("oof", "list", "zz*", *where(ads))
    assert refused.status == 2
    assert "fits 'zz*'" in refused.err


def test_of_a_copy_and_what_lacks_most_of_it_the_whole_one_is_stacked(ads: Path) -> None:
    folder = ads.parent / "models"
    whole = predicted(2, 0.8)
    write(folder, "full", whole)
    write(folder, "other", predicted(3))
    frame = pd.DataFrame(whole, columns=TAGS).assign(id=IDS)
    frame[:12].assign(fold=FOLD[:12]).to_csv(folder / "a_few.oof.csv", index=False)
    frame[N_TRAIN : N_TRAIN + 1].to_csv(folder / "a_few.test.csv", index=False)
    call("add-oof", "--from", folder, "--partial", *where(ads))
    call("stack", *where(ads), "--set", "level2.model=pooled")
    card = stack_card(ads, "pooled")
    assert card.left_out == {"a_few": "full"}
    assert card.models == ("full", "other")
    assert card.best_model == "full"


def test_a_model_whose_test_ads_differ_is_no_copy(ads: Path) -> None:
    folder = ads.parent / "models"
    right, wrong = predicted(2, 0.8), predicted(2, 0.8)
    wrong[N_TRAIN:] = wrong[N_TRAIN:][::-1]
    write(folder, "a_wrong", wrong)
    write(folder, "full", right)
    call("add-oof", "--from", folder, *where(ads))
    call("stack", *where(ads), "--set", "level2.model=mean")
    assert stack_card(ads).left_out == {}
    assert stack_card(ads).models == ("a_wrong", "full")


def test_gain_is_over_the_best_model_though_it_is_left_out_as_a_copy(ads: Path) -> None:
    """Of copies that rank the ads of all tags otherwise, the one that is kept scores less."""
    folder = ads.parent / "models"
    best = logit(predicted(2, 0.8))
    uneven = best + np.array([0.0, 1.0, -1.0, 0.5])  # each tag on a level of its own
    write(folder, "a_uneven", expit(uneven))
    write(folder, "even", expit(best))
    write(folder, "other", predicted(3))
    call("add-oof", "--from", folder, *where(ads))
    done = call("stack", *where(ads), "--set", "level2.model=mean")
    card = stack_card(ads)
    assert card.left_out == {"even": "a_uneven"}
    assert card.best_model == "even"
    folds = pd.read_csv(ads.parent / "out" / "oof" / "topics" / "folds.csv").set_index("id")["fold"]
    fold = folds.loc[stored(ads, "even")["id"]].to_numpy()
    stack, even = (
        gap_mean_of_folds(LABELS[:N_TRAIN], stored(ads, name)[TAGS].to_numpy(), fold)
        for name in ("stack-mean", "even")
    )
    assert card.gain.value == pytest.approx(stack - even, abs=1e-6)
    assert "over its best model, even" in " ".join(done.out.split())
    page = (ads.parent / "out" / "oof" / "topics" / "report" / "index.html").read_text("utf-8")
    assert "over even alone" in page


def test_stacks_of_one_gap_do_not_overwrite_each_other_s_submission(ads: Path) -> None:
    folder = ads.parent / "models"
    write(folder, "one", 0.9 * LABELS + 0.05)
    write(folder, "two", 0.8 * LABELS + 0.1 + np.linspace(0, 0.05, len(IDS))[:, None])
    call("add-oof", "--from", folder, *where(ads))
    commands = [("stack", *where(ads), "--only", one) for one in ("one", "two")]
    for command in commands * 2:
        call(*command, "--set", "level2.model=mean")
    files = sorted((ads.parent / "out" / "submissions").glob("topics-mean-1.0000*.csv"))
    assert len(files) == 2
    assert files[0].read_bytes() != files[1].read_bytes()
    ledger = pd.read_csv(ads.parent / "out" / "submissions" / "ledger.csv")
    assert sorted(ledger["file"]) == sorted(path.name for path in files)


def test_nothing_stored_is_told(ads: Path) -> None:
    done = called("oof", "list", *where(ads))
    assert done.status == 2
    assert "Nothing is stored for topics" in done.err


def test_patterns_remove_only_with_yes(ads: Path, models: Path) -> None:
    call("add-oof", "--from", models, *where(ads))
    refused = called("oof", "remove", "[ab]", *where(ads))
    assert refused.status == 2
    assert "2 model(s) would be removed: a, b" in refused.err
    unknown = called("oof", "remove", "a", "z", *where(ads))
    assert unknown.status == 2
    assert set(names(ads)) == set("abcd")
    assert "Removed c." in call("oof", "remove", "c", *where(ads)).out
    call("oof", "remove", "[ab]", "--yes", *where(ads))
    assert names(ads) == ["d"]
    call("stack", *where(ads), "--set", "level2.model=mean")
    assert stack_card(ads).models == ("d",)


def test_renamed_model_is_the_same(ads: Path, models: Path) -> None:
    call("add-oof", "--from", models, *where(ads))
    before = stored(ads, "a")
    call("oof", "rename", "a", "ears", *where(ads))
    assert stored(ads, "ears").equals(before)
    assert set(names(ads)) == {"ears", "b", "c", "d"}
    call("stack", *where(ads), "--set", "level2.model=mean")
    assert stack_card(ads).models == ("b", "c", "d", "ears")
    for old, new, says in (
        ("a", "x", "There is no model 'a'"),
        ("b", "c", "exists. Choose another name"),
        ("b", "tfidf_logreg", "is a registered model"),
        ("stack-mean", "x", "was not brought by `add-oof`"),
    ):
        refused = called("oof", "rename", old, new, *where(ads))
        assert refused.status == 2
        assert says in refused.err


@pytest.mark.parametrize("stopped", ["half", "whole"])
def test_renaming_that_was_stopped_is_ended_by_the_same_command(
    stopped: str, ads: Path, models: Path
) -> None:
    call("add-oof", "--from", models, *where(ads))
    store = ads.parent / "out" / "oof" / "topics"
    kept = {path.name: path.read_bytes() for path in (store / "a").iterdir()}
    call("oof", "rename", "a", "ears", *where(ads))
    (store / "a").mkdir()  # as it was when the new one stood already, or half of it
    if stopped == "half":
        (store / "ears" / "card.json").unlink()
        (store / "ears" / "oof.parquet").write_bytes(b"half")
    for name, content in kept.items():
        (store / "a" / name).write_bytes(content)
    call("oof", "rename", "a", "ears", *where(ads))
    assert set(names(ads)) == {"ears", "b", "c", "d"}
    assert (store / "ears" / "oof.parquet").read_bytes() == kept["oof.parquet"]


def test_stack_takes_what_only_and_without_leave(ads: Path, models: Path) -> None:
    call("add-oof", "--from", models, *where(ads))
    mean = ("--set", "level2.model=mean")
    call("stack", *where(ads), *mean, "--only", "[abc]", "--without", "b")
    assert stack_card(ads).models == ("a", "c")
    expected = (stored(ads, "a")[TAGS] + stored(ads, "c")[TAGS]) / 2
    np.testing.assert_allclose(stored(ads, "stack-mean")[TAGS], expected, atol=1e-6)
    call("stack", *where(ads), *mean)
    assert stack_card(ads).models == ("a", "b", "c", "d")
    for given, says in (
        (("--only", "z*"), "fits 'z*'"),
        (("--without", "q"), "fits 'q'"),
        (("--only", "a", "--without", "a"), "no model is left"),
    ):
        refused = called("stack", *where(ads), *mean, *given)
        assert refused.status == 2
        assert says in refused.err


def test_copies_and_constants_are_named_and_taken_once(ads: Path, models: Path) -> None:
    call("add-oof", "--from", models, *where(ads))
    call("stack", *where(ads), "--set", "level2.model=mean")
    alone = stored(ads, "stack-mean")
    write(models, "copy", predicted(2, 0.8))
    write(models, "flatter", expit(0.6 * logit(predicted(3)) - 0.4))
    write(models, "still", np.tile([0.1, 0.4, 0.2, 0.3], (len(IDS), 1)))
    write(models, "noisy", predicted(3) + np.random.default_rng(0).normal(0, 1e-5, LABELS.shape))
    call("add-oof", "--from", models, *where(ads))
    done = call("stack", *where(ads), "--set", "level2.model=mean")
    assert stack_card(ads).left_out == {
        "copy": "b",
        "flatter": "c",
        "noisy": "c",
        "still": "",
    }
    told = " ".join(done.out.split())
    assert "3 model(s) say what another says and are used once: copy as b" in told
    assert "1 model(s) say the same of every ad and are left out: still" in told
    assert stored(ads, "stack-mean").equals(alone)


def test_stack_of_more_models_than_learners_are_shown(ads: Path, models: Path) -> None:
    for seed in range(45):
        write(models, f"m{seed:02}", predicted(100 + seed, 1.5 + seed / 20), "npz")
    call("add-oof", "--from", models, *where(ads))
    chosen = ("--set", 'level2.model=["mean", "pooled"]')
    done = call("stack", *where(ads), *chosen)
    card = stack_card(ads, "selection")
    assert len(card.models) == 49
    assert not card.failed
    best = max(list_oof(ads, ads.parent / "out"), key=lambda one: one.name == "b")
    assert best.card is not None
    assert card.scores.gap > best.card.scores.gap
    page = (ads.parent / "out" / "oof" / "topics" / "report" / "index.html").read_text("utf-8")
    assert "Of 49 models the page shows" in page
    assert "Of 49 models each meta-learner that weighs them is shown 24" in " ".join(
        done.out.split()
    )


@pytest.mark.skipif(os.cpu_count() == 1, reason="one core works on one at a time")
def test_number_of_processes_changes_nothing(ads: Path, models: Path) -> None:
    from competition import add_oof_folder

    found = [add_oof_folder(models, ads, ads.parent / f"out{n}", n_jobs=n).cards for n in (1, 2)]
    for one, two in zip(*found, strict=True):
        assert (one.model, one.files, one.scores) == (two.model, two.files, two.scores)


def test_a_name_that_is_kept_is_no_new_one(ads: Path, models: Path) -> None:
    call("add-oof", "--from", models, *where(ads))
    refused = called("oof", "rename", "a", "a", *where(ads))
    assert refused.status == 2
    assert "is called so already" in refused.err
    assert set(names(ads)) == set("abcd")


@pytest.mark.parametrize("name", ["report", "distil", "studies", "time_limit", "x" * 250])
def test_names_beside_the_models_and_long_ones_are_refused(
    name: str, ads: Path, models: Path
) -> None:
    files = ("--oof", models / "d.oof.csv", "--test", models / "d.test.csv")
    refused = called("add-oof", name, *files, *where(ads))
    assert refused.status == 2
    assert "Choose another name." in refused.err
    assert "goes on" not in refused.err


def test_capitals_of_an_ending_are_read(ads: Path, models: Path) -> None:
    for part in ("oof", "test"):
        (models / f"d.{part}.csv").rename(models / f"d.{part}.CSV")
    call("add-oof", "--from", models, *where(ads))
    assert set(names(ads)) == set("abcd")


def test_what_stands_in_the_place_of_a_file_is_told(ads: Path, models: Path) -> None:
    for name in ("xz", "folder", "link"):
        write(models, name, predicted(5))
        (models / f"{name}.oof.csv").rename(models / f"{name}.was")
    (models / "xz.was").rename(models / "xz.oof.csv.xz")
    (models / "folder.oof.csv").mkdir()
    (models / "link.oof.csv").symlink_to(models / "nowhere.csv")
    (models / "a.oof.csv.bak").write_text("left alone")
    (models / "b.test.parquet").unlink()
    done = called("add-oof", "--from", models, *where(ads))
    assert done.status == 2
    assert set(names(ads)) == set("acd")
    for text in (
        "xz: xz.oof.csv.xz cannot be read: predictions are read from .csv, ",
        "folder: folder.oof.csv is a folder",
        "link: link.oof.csv is a link to a file that is not there",
        "Put b.test.csv beside b.oof.parquet",
    ):
        assert text in done.err
    assert "--test" not in done.err
    assert "a.oof.csv.bak" not in done.err


def test_column_that_is_given_twice_is_named(ads: Path, models: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = models / "b.oof.parquet"
    table = pq.read_table(path)
    pq.write_table(
        pa.Table.from_arrays([*table.columns, table["sea"]], names=[*table.column_names, "sea"]),
        path,
    )
    refused = called(
        "add-oof", "twice", "--oof", path, "--test", models / "b.test.parquet", *where(ads)
    )
    assert refused.status == 2
    assert "the column 'sea' is given twice" in refused.err
    assert len(refused.err.strip().splitlines()) == 1


def test_what_may_only_be_read_is_listed(ads: Path, models: Path) -> None:
    call("add-oof", "--from", models, *where(ads))
    call("stack", *where(ads), "--set", "level2.model=mean")
    out = ads.parent / "out"
    with mounted(ads.parent / "read", "size=16m"):
        shutil.copytree(out, ads.parent / "read", dirs_exist_ok=True)
        subprocess.run(["mount", "-o", "remount,ro", ads.parent / "read"], check=True)
        given = ("--data", ads, "--out", ads.parent / "read")
        assert call("oof", "list", *given).row("stack-mean")[1] == "stack"
        assert call("oof", "list", *given, "--adds").row("b")[1] == "elsewhere"
        refused = called("report", *given)
    assert refused.status == 2
    assert "index.html cannot be written: " in refused.err
    assert "folds.csv" not in refused.err


def test_full_disk_stops_a_folder_with_one_sentence(ads: Path, models: Path) -> None:
    for seed in range(20):
        write(models, f"m{seed:02}", predicted(seed), "npz")
    with mounted(ads.parent / "out", "size=100k"):
        done = called("add-oof", "--from", models, *where(ads))
        stored_now = names(ads)
    assert done.status == 2
    assert done.err.count("disk is full") == 1
    assert 0 < len(stored_now) < 24


def test_gain_of_nothing_has_no_minus() -> None:
    from competition.report.stored import _signed

    assert [_signed(one) for one in (-1e-7, 0.0, -0.2, None)] == [
        "+0.0000",
        "+0.0000",
        "-0.2000",
        "",
    ]
