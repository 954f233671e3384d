"""Tables with very many columns."""

import time
from pathlib import Path

from competition.datasets.problems import Problems
from competition.datasets.reading import read_table
from competition.oof.external_files import read_predictions
from competition.submission.read import read_submission
from tests.conftest import write_csv


def seconds_of_header(folder: Path, n: int) -> float:
    """Time to read tables of `n` columns by all that reads tables with a column per tag."""
    names = [f"tag{i}" for i in range(n)]
    path = folder / f"{n}.csv"
    write_csv(path, ["id", *names], [["ad1", *["0.5"] * n], ["ad2", *["0.25"] * n]])
    start = time.process_time()
    problems = Problems()
    table = read_table(path, "wide.csv", ["id"], problems)
    assert table.cells.shape == (2, n + 1)
    assert not problems.found
    assert read_submission(path, names).scores[1, -1] == 0.25
    found = read_predictions(path, ["ad2", "ad1"], names[::-1], "training")
    assert found.values[:, 0].tolist() == [0.25, 0.5]
    return time.process_time() - start


def test_time_grows_with_the_width_of_a_header_and_not_with_its_square(tmp_path: Path) -> None:
    seconds_of_header(tmp_path, 100)  # imports what it needs
    few = min(seconds_of_header(tmp_path, 1000) for _ in range(3))
    many = min(seconds_of_header(tmp_path, 8000) for _ in range(2))
    assert many < 25 * few
