"""`run --plan`: what would run, what is stored, and nothing written."""

import shutil
from pathlib import Path

import pytest

from competition import load_profile, plan_run
from tests.cli.calling import Called, call, called
from tests.cli.conftest import MODELS, QUICK
from tests.conftest import TABLE_TOML, TRAIN_HEADER, table_rows, write_csv

EXTRACTOR = '''\
from competition import Extractor, extractor


@extractor("letters", kinds=("text",), gives="metadata", version=1, metadata=("letters",))
class Letters(Extractor):
    """How many letters a text has."""

    def extract_one(self, item):
        return {"letters": float(len(item.value))}
'''


def files(folder: Path) -> dict[Path, int]:
    """When each file below a folder was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def smaller(folder: Path, n: int) -> Path:
    """Write the first of the films of `write_table`, under another name."""
    folder.mkdir()
    (folder / "competition.toml").write_text(TABLE_TOML.replace('"films"', '"few"'), "utf-8")
    write_csv(folder / "train.csv", TRAIN_HEADER, table_rows(n))
    write_csv(
        folder / "test.csv", TRAIN_HEADER[:6], [[f"t{row[0]}", *row[1:6]] for row in table_rows(3)]
    )
    return folder


def test_plan_of_a_first_run_writes_nothing(ads: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = call("run", "--data", ads, "--out", out, "--plan", *QUICK)
    assert not out.exists()
    for model in (*MODELS, "stack-mean"):
        _, state, seconds, memory, basis = done.row(model)
        assert state == "would run"
        assert seconds == "about 1 s"
        assert memory.endswith("GiB")
        assert basis == "table"
    assert "Nothing was run or written." in done.out


def test_plan_of_a_finished_run_says_that_all_is_stored(
    finished: tuple[Path, Called], ads: Path, out: Path
) -> None:
    before = files(out)
    done = call("run", "--data", ads, "--out", out, "--plan", *QUICK)
    assert {done.row(name)[1] for name in (*MODELS, "stack-mean")} == {"stored"}
    assert "All of it is stored" in done.out
    assert files(out) == before


def test_plan_counts_the_folds_that_are_stored(ads: Path, out: Path) -> None:
    for file in ("card.json", "fold_1.parquet"):
        (out / "oof" / "demo" / "tfidf_logreg" / file).unlink()
    before = files(out)
    done = call("run", "--data", ads, "--out", out, "--plan", *QUICK)
    assert done.row("tfidf_logreg")[1] == "2 of 3 folds stored"
    assert done.row("tfidf_nblogreg")[1] == "stored"
    assert done.row("stack-mean")[1] == "would run"
    assert files(out) == before


def test_changed_parameter_would_run_again(ads: Path, out: Path) -> None:
    changed = ("--set", "level1.tfidf_logreg.C=2")
    done = call("run", "--data", ads, "--out", out, "--plan", *QUICK, *changed)
    assert done.row("tfidf_logreg")[1] == "would run"
    assert done.row("tfidf_nblogreg")[1] == "stored"


def test_seconds_measured_on_fewer_ads_count(shared_table: Path, tmp_path: Path) -> None:
    few, out = smaller(tmp_path / "few", 20), tmp_path / "out"
    call("run", "--data", few, "--out", out, *QUICK)
    done = call("run", "--data", shared_table, "--out", out, "--plan", *QUICK)
    assert {done.row(model)[4] for model in (*MODELS, "stack-mean")} == {"measured here"}
    forecast = plan_run(
        shared_table, load_profile("text", [one for one in QUICK if "=" in one]), out, n_jobs=1
    )
    stored = call("oof", "list", "--data", few, "--out", out)
    for part in forecast.parts[:2]:
        # Twice the ads of the same number of tags and folds.
        assert part.cost.seconds == pytest.approx(2 * seconds_of(out, part.name), rel=0.01)
    assert "tfidf_logreg" in stored.out


def seconds_of(out: Path, model: str) -> float:
    import json

    return json.loads((out / "oof" / "few" / model / "card.json").read_text("utf-8"))["seconds"]


def test_plan_counts_the_ads_of_a_feature_that_are_stored(
    shared_table: Path, tmp_path: Path, registries_restored: None
) -> None:
    plugin, out = tmp_path / "letters.py", tmp_path / "out"
    plugin.write_text(EXTRACTOR, "utf-8")
    few = smaller(tmp_path / "few", 10)
    options = [
        *QUICK,
        *("--set", f"plugins=[{str(plugin)!r}]"),
        *("--set", "features.length.extractor=letters", "--set", "features.length.input=story"),
    ]
    call("run", "--data", few, "--out", out, *options)
    before = files(out)
    done = call("run", "--data", shared_table, "--out", out, "--plan", *options)
    # The texts of ads 0 to 9 are those of the test ads, too, but for one.
    _, state, seconds = done.row("length")[:3]
    assert state == "19 of 49 ads stored"
    assert seconds == "not known"
    assert "Nothing is known of length." in done.out
    assert files(out) == before
    again = call("run", "--data", few, "--out", out, "--plan", *options)
    assert again.row("length")[1] == "stored"
    assert again.row("tfidf_logreg")[1] == "stored"
    assert again.row("stack-mean")[1] == "stored"


def test_plan_of_a_holdout_has_a_store_of_its_own(ads: Path, out: Path) -> None:
    done = call("run", "--data", ads, "--out", out, "--plan", "--holdout", 0.2, *QUICK)
    assert done.row("tfidf_logreg")[1] == "would run"


def test_mistake_is_named_as_a_run_names_it(ads: Path, tmp_path: Path) -> None:
    wrong = ("--set", "level1.tfidf_logreg.c=3")
    done = called("run", "--data", ads, "--out", tmp_path / "o", "--plan", *QUICK, *wrong)
    assert done.status == 2
    assert "unknown key c" in done.err


def test_plan_without_ads_asks_for_some(tmp_path: Path) -> None:
    done = called("run", "--out", tmp_path, "--plan")
    assert done.status == 2
    assert "--plan needs ads" in done.err


def test_damaged_fold_counts_as_absent(ads: Path, out: Path) -> None:
    folder = out / "oof" / "demo" / "tfidf_logreg"
    (folder / "card.json").unlink()
    shutil.copyfile(out / "oof" / "demo" / "folds.csv", folder / "fold_0.parquet")
    done = call("run", "--data", ads, "--out", out, "--plan", *QUICK)
    assert done.row("tfidf_logreg")[1] == "would run"


def test_model_brought_under_a_name_of_the_profile_is_not_replaced(
    ads: Path, out: Path, tmp_path: Path
) -> None:
    trained, brought = (out / "oof" / "demo" / name for name in ("tfidf_logreg", "mychar"))
    files = ("--oof", trained / "oof.parquet", "--test", trained / "test.parquet")
    call("add-oof", "mychar", *files, "--data", ads, "--out", out)
    before = files_of(brought)
    mine = ("--set", "level1.mychar.model=tfidf_nblogreg")
    for plan in ((), ("--plan",)):
        done = called("run", "--data", ads, "--out", out, *plan, *QUICK, *mine)
        assert done.status == 2
        assert "level1.mychar: " in done.err
        assert "oof rename mychar NEW" in done.err
        assert files_of(brought) == before
    call("oof", "rename", "mychar", "theirs", "--data", ads, "--out", out)
    call("run", "--data", ads, "--out", out, *QUICK, *mine)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--on", "Ray"), "There is no engine 'Ray'. Choose one of local, ray"),
        (("--on", "slurm"), "--on slurm needs sbatch"),
        (("--on", "slurm:local", "--time-limit", "1m"), "Leave out one of the two"),
    ],
)
def test_engine_that_a_run_refuses_is_refused(
    given: tuple[str, ...],
    says: str,
    ads: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("submitit", reason="the extra slurm is not installed")
    monkeypatch.setenv("PATH", str(tmp_path))
    done = called("run", "--data", ads, "--out", tmp_path / "o", "--plan", *QUICK, *given)
    assert done.status == 2
    assert says in done.err


def test_checkpoint_that_is_not_there_is_refused_before_anything_is_extracted(
    ads: Path, tmp_path: Path
) -> None:
    plugin, out = tmp_path / "letters_of_ads.py", tmp_path / "out"
    plugin.write_text(EXTRACTOR.replace('"letters", kinds', '"ads_letters", kinds'), "utf-8")
    settings = [f"plugins=[{str(plugin)!r}]", "features.a.extractor=ads_letters"]
    settings += ["features.a.input=ocr", "features.vectors.extractor=bert"]
    settings += ["features.vectors.input=ocr", 'kinds=["text", "array", "metadata"]']
    settings += [f"features.vectors.checkpoint={tmp_path / 'nowhere'}"]
    options = [part for one in settings for part in ("--set", one)]
    for plan in (["--plan"], []):
        done = called("run", "--data", ads, "--out", out, *plan, *QUICK, *options)
        assert done.status == 2
        assert "features.vectors.checkpoint: There is no folder" in " ".join(done.err.split())
        assert not (out / "cache" / "features").exists()
