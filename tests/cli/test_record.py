"""run.json: what it says is what ran."""

import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from competition.pipeline.record import RunRecord, StageRecord, WarningRecord, read_record
from competition.utils.errors import StoreError
from competition.utils.files import file_digest
from competition.utils.processes import INTERRUPTED, TERMINATED
from tests.cli.calling import Called, call
from tests.cli.conftest import MODELS, QUICK

DOCS = Path(__file__).resolve().parents[2] / "docs" / "files.md"


def card(out: Path, model: str) -> dict[str, object]:
    return json.loads((out / "oof" / "demo" / model / "card.json").read_text(encoding="utf-8"))


def test_run_records_settings_stages_and_scores(finished: tuple[Path, Called]) -> None:
    out, done = finished
    record = read_record(out / "oof" / "demo" / "run.json")
    assert (record.format, record.command, record.dataset) == (1, "run", "demo")
    assert (record.n_train, record.n_test, record.n_tags, record.n_folds) == (60, 12, 40, 3)
    assert (record.profile, record.jobs, record.n_trained) == ("text", 1, 6)
    assert record.settings["models"] == list(MODELS)
    assert record.settings["level2"]["model"] == "mean"
    for model in (*MODELS, "stack-mean"):
        assert record.scores[model].gap == card(out, model)["scores"]["gap"]  # type: ignore[index]
    assert record.gain.value == card(out, "stack-mean")["gain"]["value"]  # type: ignore[index]
    assert record.submission is not None
    path = out / record.submission.file
    assert str(path) == done.line("Submission: ")
    assert record.submission.digest == file_digest(path)
    assert f"{record.submission.test_scores.gap:.4f}" == done.line("GAP on the test ads: ")
    for remark in record.remarks:
        assert remark in done.out
    assert datetime.fromisoformat(record.began).utcoffset() is not None
    assert {"python", "competition", "numpy"} <= set(record.versions)


def test_stages_add_up_and_hold_memory(finished: tuple[Path, Called]) -> None:
    out = finished[0]
    record = read_record(out / "oof" / "demo" / "run.json")
    names = [stage.name for stage in record.stages]
    assert names == ["reading", "features", "level 1", "level 2", "submission"]
    assert sum(stage.seconds for stage in record.stages) == pytest.approx(record.seconds, abs=0.1)
    fitted = [card(out, model)["seconds"] for model in MODELS]
    assert record.stages[2].seconds >= sum(fitted)  # type: ignore[arg-type]
    if Path("/proc/self/statm").is_file():
        assert all(2**26 < (stage.peak_memory or 0) < 2**35 for stage in record.stages)


def test_second_run_and_stack_write_their_own(ads: Path, out: Path) -> None:
    path = out / "oof" / "demo" / "run.json"
    first = read_record(path)
    call("run", "--data", ads, "--out", out, *QUICK)
    again = read_record(path)
    assert again.n_trained == 0
    assert again.scores == first.scores
    assert again.stages[2].seconds < first.stages[2].seconds
    done = call("stack", "--data", ads, "--out", out, "--set", "level2.model=single")
    record = read_record(path)
    assert (record.command, record.profile, record.stack) == ("stack", "stack", "stack-single")
    assert [stage.name for stage in record.stages] == ["reading", "level 2", "submission"]
    warned = {warning.kind for warning in record.warnings}
    assert ("no gain" in warned) == ("does not beat that model" in done.out)
    assert ("small gain" in warned) == ("a gain this small" in done.out)


def test_holdout_has_its_record(ads: Path, tmp_path: Path) -> None:
    done = call("run", "--data", ads, "--out", tmp_path, "--holdout", 0.2, *QUICK)
    record = read_record(tmp_path / "oof" / "demo-holdout-0.2" / "run.json")
    assert record.holdout_scores is not None
    assert f"{record.holdout_scores.gap:.4f}" == done.line("GAP on the training ads held out: ")


@pytest.mark.parametrize(
    ("change", "where"),
    [({"format": 2}, "format"), ({"more": 1}, "more"), ({"n_train": "many"}, "n_train")],
)
def test_another_form_is_refused(
    change: dict[str, object], where: str, finished: tuple[Path, Called], tmp_path: Path
) -> None:
    values = json.loads((finished[0] / "oof" / "demo" / "run.json").read_text(encoding="utf-8"))
    (tmp_path / "run.json").write_text(json.dumps({**values, **change}), encoding="utf-8")
    with pytest.raises(StoreError, match=rf"no record of this version \({where}"):
        read_record(tmp_path / "run.json")
    with pytest.raises(StoreError, match="There is no"):
        read_record(tmp_path / "none.json")


def test_docs_explain_every_key_kind_and_status() -> None:
    page = DOCS.read_text(encoding="utf-8")
    record = page.partition("## The record of a run")[2].partition("## Exit statuses")[0]
    keys = set(re.findall(r"`(\w+)`", record))
    assert set(RunRecord.model_fields) | set(StageRecord.model_fields) <= keys
    for kind in WarningRecord.model_fields["kind"].annotation.__args__:  # type: ignore[union-attr]
        assert f"`{kind}`" in record
    statuses = re.findall(r"^\| (\d+) \|", page.partition("## Exit statuses")[2], re.MULTILINE)
    assert {0, 1, 2, INTERRUPTED, TERMINATED} <= set(map(int, statuses))
