"""The ledger as a file."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from competition.submission.ledger import note_score, note_submission, read_ledger
from competition.utils.errors import SubmissionError
from competition.utils.files import file_digest
from competition.utils.progress import Progress
from tests.recorded import Recorded

NOTE = """
import sys
from pathlib import Path
from competition.submission.ledger import note_submission
from competition.utils.progress import Progress
folder, who = Path(sys.argv[1]), sys.argv[2]
for number in range(5):
    path = folder / f"{who}-{number}.csv"
    path.write_text(path.name)
    note_submission(path, who, number / 10, Progress())
"""


def written(folder: Path, name: str, text: str = "id,a\n1,0.5\n") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_processes_at_once_lose_no_row(tmp_path: Path) -> None:
    command = [sys.executable, "-c", NOTE, str(tmp_path)]
    running = [subprocess.Popen([*command, who]) for who in "abc"]
    assert [process.wait() for process in running] == [0, 0, 0]
    rows = read_ledger(tmp_path)
    assert sorted(row.file for row in rows) == [f"{w}-{n}.csv" for w in "abc" for n in range(5)]
    for row in rows:
        assert row.digest == file_digest(tmp_path / row.file)
        assert row.file == f"{row.profile}-{round(10 * (row.oof_gap or 0))}.csv"


def test_same_bytes_add_no_row_and_others_do(tmp_path: Path) -> None:
    path = written(tmp_path, "one.csv")
    for gap in (0.7, 0.8):
        note_submission(path, "text", gap, Progress())
    first = read_ledger(tmp_path)
    note_submission(written(tmp_path, "one.csv", "id,a\n1,0.6\n"), "text", 0.9, Progress())
    assert [row.oof_gap for row in first] == [0.7]
    assert [row.oof_gap for row in read_ledger(tmp_path)] == [0.7, 0.9]


def test_score_goes_to_the_row_of_these_bytes(tmp_path: Path) -> None:
    path = written(tmp_path, "one.csv")
    note_submission(path, "text", 0.7, Progress())
    note_submission(written(tmp_path, "one.csv", "other"), "text", 0.8, Progress())
    written(tmp_path, "one.csv")
    note_score(path, 0.75, tmp_path / "nowhere", Progress())
    assert [row.leaderboard for row in read_ledger(tmp_path)] == [0.75, None]
    path.unlink()
    note_score(path, 0.65, tmp_path, Progress())
    assert [row.leaderboard for row in read_ledger(tmp_path)] == [0.75, 0.65]


def test_file_that_was_made_by_hand_gets_a_row(tmp_path: Path) -> None:
    row = note_score(written(tmp_path, "mine.csv"), 0.5, tmp_path, Progress())
    assert read_ledger(tmp_path) == [row]
    assert (row.profile, row.oof_gap, row.leaderboard) == ("", None, 0.5)


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_score_that_is_no_number_is_refused(score: float, tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="Give the leaderboard's, like"):
        note_score(written(tmp_path, "mine.csv"), score, tmp_path, Progress())
    assert not read_ledger(tmp_path)


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    st.floats(0, 1),
)
@example("\r", 0.0)
@settings(max_examples=25, deadline=None)
def test_any_profile_and_score_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, profile: str, score: float
) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    path = written(folder, '=a,"b".csv')
    note_submission(path, profile, score, Progress())
    note_score(path, score, folder, Progress())
    (row,) = read_ledger(folder)
    assert (row.file, row.profile, row.oof_gap, row.leaderboard) == (
        *(path.name, profile),
        *(score, score),
    )


def test_nothing_in_it_runs_in_a_spreadsheet_and_own_columns_stay(tmp_path: Path) -> None:
    note_submission(written(tmp_path, "=1+1,a.csv"), "@SUM(1)", 0.5, Progress())
    ledger = tmp_path / "ledger.csv"
    with ledger.open(encoding="utf-8", newline="") as file:
        header, cells = csv.reader(file)
    assert cells[0] == "'=1+1,a.csv"
    assert cells[2] == "'@SUM(1)"
    # As a spreadsheet saves it, with a column of the user's.
    lines = [[*header, "notes"], [*cells, "a, b"]]
    with ledger.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(lines)
    note_submission(written(tmp_path, "two.csv", "2"), "text", 0.6, Progress())
    first, second = read_ledger(tmp_path)
    assert (first.file, first.profile, first.own) == ("=1+1,a.csv", "@SUM(1)", {"notes": "a, b"})
    assert (second.file, second.own) == ("two.csv", {"notes": ""})


HEADER = "file,when,profile,oof_gap,leaderboard,digest\n"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff\xfe", "it is no UTF-8"),
        (b"", "it is no CSV"),
        (b"file;when\n", "its header needs one column 'file'"),
        (HEADER.encode() + b"a,b\n", "row 2 has 2 cells, not 6"),
        (HEADER.encode() + b"\na,b,c,0.5,,d\na,b,c,high,,d\n", "oof_gap is 'high', no number"),
    ],
)
def test_ledger_that_cannot_be_read_stays_as_it_is(
    content: bytes, why: str, tmp_path: Path
) -> None:
    (tmp_path / "ledger.csv").write_bytes(content)
    said = Recorded()
    note_submission(written(tmp_path, "one.csv"), "text", 0.5, said)
    assert why in said.remarks[0]
    with pytest.raises(SubmissionError, match=why):
        note_score(tmp_path / "one.csv", 0.5, tmp_path, Progress())
    assert (tmp_path / "ledger.csv").read_bytes() == content
