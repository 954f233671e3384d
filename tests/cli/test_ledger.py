"""`ledger`: what runs write, and what the leaderboard said."""

import json
import shutil
from pathlib import Path

from competition.submission.ledger import read_ledger
from competition.utils.files import file_digest
from tests.cli.calling import Called, call, called
from tests.cli.conftest import QUICK


def test_run_and_stack_add_a_row_for_every_file(ads: Path, out: Path) -> None:
    folder = out / "submissions"
    (row,) = read_ledger(folder)
    card = json.loads((out / "oof/demo/stack-mean/card.json").read_text("utf-8"))
    assert row.file == f"demo-mean-{card['scores']['gap']:.4f}.json"
    assert row.digest == file_digest(folder / row.file)
    assert (row.profile, row.oof_gap, row.leaderboard) == ("text", card["scores"]["gap"], None)
    assert row.when.endswith("+00:00")
    before = (folder / "ledger.csv").read_bytes()
    call("run", "--data", ads, "--out", out, *QUICK)
    assert (folder / "ledger.csv").read_bytes() == before
    call("stack", "--data", ads, "--out", out, "--set", "level2.model=logit_mean")
    first, second = read_ledger(folder)
    assert first == row
    assert second.profile == "stack"
    assert second.file.startswith("demo-logit_mean-")
    done = call("ledger", "--out", out)
    assert done.row(second.file)[2:4] == ["stack", f"{second.oof_gap:.4f}"]


def test_score_is_noted_and_stays(ads: Path, out: Path) -> None:
    (row,) = read_ledger(out / "submissions")
    path = out / "submissions" / row.file
    done = call("ledger", "add", path, "--score", 0.81)
    noted, hint = done.out.splitlines()
    assert noted == f"{row.file}: leaderboard 0.81, OOF GAP {row.oof_gap:.4f}"
    assert "`python -m competition report --data DIR`" in hint
    page = out / "oof" / "demo" / "report" / "index.html"
    assert "0.8100" not in page.read_text("utf-8")
    call("run", "--data", ads, "--out", out, *QUICK)
    assert call("ledger", "--out", out).row(row.file)[4] == "0.8100"
    assert "0.8100" in page.read_text("utf-8")  # what the run has written again
    path.unlink()
    call("ledger", "add", row.file, "--score", 0.82, "--out", out)
    assert call("ledger", "--out", out).row(f"{row.file} (gone)")[4] == "0.8200"


def test_unknown_file_is_named(out: Path) -> None:
    done = called("ledger", "add", "nothing.json", "--score", 0.5, "--out", out)
    assert done.status == 2
    assert "nothing.json is neither there nor in" in done.err
    assert len(read_ledger(out / "submissions")) == 1


def test_run_goes_on_where_the_ledger_is_damaged(
    ads: Path, finished: tuple[Path, Called], out: Path
) -> None:
    ledger = out / "submissions" / "ledger.csv"
    ledger.write_text("no ledger\n", encoding="utf-8")
    done = call("run", "--data", ads, "--out", out, *QUICK)
    assert "Warning: demo-mean-" in done.out
    assert ledger.read_text(encoding="utf-8") == "no ledger\n"
    refused = called("ledger", "--out", out)
    assert refused.status == 2
    assert "Mend it, or rename it" in refused.err
    shutil.rmtree(out / "submissions")
    assert "ledger.csv, which is not there yet" in call("ledger", "--out", out).out
