"""Numbers, categories and dates in metadata."""

from pathlib import Path

import numpy as np
import pytest

from competition.datasets import load_dataset
from competition.utils.errors import DatasetError
from competition.utils.progress import Progress
from tests.datasets.made_tables import read_small, write_small

FACTS = '[inputs.facts]\nkind = "metadata"\ncolumns = ["price"]\n'
nan = float("nan")

NUMBERS = {
    "null word of databases": (["\\N", "1", "2.5"], [nan, 1, 2.5], None),
    "dash": (["-", "1", "2.5", "3"], [nan, 1, 2.5, 3], "1 with null words ('-')"),
    "question mark": (["?", "1", "unknown"], [nan, 1, nan], "2 with null words ('?', 'unknown')"),
    "decimal commas": (["847,43", "2,1", ""], [847.43, 2.1, nan], "2 with decimal commas"),
    "continental": (["1.234,5", "2.000", "7,25"], [1234.5, 2000, 7.25], "2 with thousands"),
    "thousands": (["1,234", "12", "3,456,789.5"], [1234, 12, 3456789.5], "2 with thousands"),
    "thousands by spaces": (["1 234", "5\u00a0678", "9"], [1234, 5678, 9], "2 with thousands"),
    "currency": (["$5", "-€ 7.50", "8 USD"], [5, -7.5, 8], "3 with currency signs"),
    "percent": (["12%", "7.5 %"], [12, 7.5], "2 with percent signs"),
    "accounts": (["(12)", "$3"], [-12, 3], "1 with brackets for minus"),
    "few with thousands": (
        [*map(str, range(97)), "1,234", "12,345", "1,000"],
        [*range(97), 1234, 12345, 1000],
        "3 with thousands",
    ),
    "points for thousands, one beyond doubt": (
        ["999", *[f"{i}.345" for i in range(12, 60)], "1.234.567"],
        [999, *[i * 1000 + 345 for i in range(12, 60)], 1234567],
        "49 with thousands",
    ),
    "three decimals": (["0,125", "0,250", "1,375"], [0.125, 0.25, 1.375], "3 with decimal commas"),
    "lakhs": (["₹12,34,567", "₹1,00,000", "₹999"], [1234567, 100000, 999], "3 with currency"),
    "dollars of a country": (["US$ 5", "HK$1,000"], [5, 1000], "2 with currency signs"),
    "crowns": (["5 kr", "1 000 kr.", "7,50 Kč"], [5, 1000, 7.5], "3 with currency signs"),
    "multiples": (["1.2k", "950", "3M", "2万"], [1200, 950, 3e6, 20000], "1 with k for thousands"),
    "underscores": (["1_000", "2_500_000"], [1000, 2.5e6], "2 with thousands"),
    "powers of ten": (["1e-3", "2.5e3", "4%"], [0.001, 2500, 4], "1 with percent signs"),
    "wide digits": (["１２", "3$"], [12, 3], "1 with currency signs"),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_as_people_write_them_are_numbers_with_a_warning(tmp_path: Path, name: str):
    cells, expected, warning = NUMBERS[name]
    dataset, found = read_small(write_small(tmp_path / "d", {"price": cells}, inputs=FACTS))
    np.testing.assert_array_equal(dataset.ads["price"], expected)
    assert [kind for _, kind, _ in found] == (["decorated numbers"] if warning else [])
    if warning:
        assert warning in found[0][2]


CATEGORIES = {
    "words": (["red", "-", "blue"], []),
    "mostly numbers": (["1", "2", "3", "soon", "later"], ["mostly numbers"]),
    "units": (["5 km", "7 km", "12"], ["mostly numbers"]),
    "codes": (["A1", "PG-13", "3/4", "v2"], []),
    "dates": (["2020-01-02", "2021-03-04"], ["dates"]),
    "two notations": (["1.5", "2,5", "3.5", "4,5"], ["mostly numbers"]),
    "numbers of many digits": (["9" * 5000, "cat", "dog", "cow"], []),
}


@pytest.mark.parametrize("name", CATEGORIES)
def test_other_columns_are_categories_and_doubt_is_a_warning(tmp_path: Path, name: str):
    cells, kinds = CATEGORIES[name]
    dataset, found = read_small(write_small(tmp_path / "d", {"price": cells}, inputs=FACTS))
    assert dataset.ads["price"].tolist() == cells
    assert [kind for _, kind, _ in found] == kinds


def test_declared_types_are_obeyed(tmp_path: Path):
    columns = {
        "price": ["1", "2", "soon"],
        "store": ["1", "2", "3"],
        "day": ["1970-01-02", "1970-01-03", "?"],
    }
    inputs = FACTS.replace('["price"]', '["price", "store", "day"]')
    inputs += 'types = { price = "number", store = "category", day = "date" }'
    dataset, found = read_small(write_small(tmp_path / "d", columns, inputs=inputs))
    np.testing.assert_array_equal(dataset.ads["price"], [1, 2, nan])
    assert dataset.ads["store"].tolist() == ["1", "2", "3"]
    np.testing.assert_array_equal(dataset.ads["day"], [1, 2, nan])
    assert ("warning", "not a number") in [(level, kind) for level, kind, _ in found]


def test_null_words_among_dates_are_said_to_be_among_dates(tmp_path: Path):
    inputs = FACTS + 'types = { price = "date" }'
    _, found = read_small(
        write_small(tmp_path / "d", {"price": ["1970-01-02", "?"]}, inputs=inputs)
    )
    assert "1 of 2 cells are read as dates; 1 with null words ('?')" in found[0][2]


def test_a_day_that_comes_first_is_seen_from_the_column(tmp_path: Path):
    inputs = FACTS + 'types = { price = "date" }'
    cells = ["03/01/1970", "13/01/1970"]
    dataset, _ = read_small(write_small(tmp_path / "d", {"price": cells}, inputs=inputs))
    assert dataset.ads["price"].tolist() == [2, 12]


def test_declared_null_words_take_the_place_of_the_usual_ones(tmp_path: Path):
    folder = write_small(
        tmp_path / "d",
        {"price": ["none", "x", "red"]},
        inputs=FACTS,
        top='null_words = ["X"]',
    )
    dataset, _ = read_small(folder)
    assert dataset.ads["price"].astype(object).where(
        dataset.ads["price"].notna(), None
    ).tolist() == [
        "none",
        None,
        "red",
    ]


def test_a_type_of_a_column_that_is_not_there_is_refused(tmp_path: Path):
    inputs = FACTS + 'types = { prise = "number" }'
    with pytest.raises(DatasetError, match="types names 'prise', which is none of its columns"):
        read_small(write_small(tmp_path / "d", {"price": ["1"]}, inputs=inputs))


def test_a_run_begins_with_the_warnings_that_are_of_no_single_ad(tmp_path: Path):
    class Remarks(Progress):
        said: list[str] = []  # noqa: RUF012

        def remark(self, text: str) -> None:
            self.said.append(text)

    folder = write_small(tmp_path / "d", {"price": ["$5", "6"]}, inputs=FACTS)
    load_dataset(folder, Remarks())
    assert len(Remarks.said) == 1
    assert Remarks.said[0].startswith("Warning: column price: 2 of 2 cells are read as numbers")
