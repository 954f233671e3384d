"""Layout `table`."""

from pathlib import Path

import pandas as pd
import pytest

from competition.datasets import load_dataset, read_dataset
from competition.datasets.problems import Problems
from competition.utils.errors import DatasetError
from tests.datasets.made_tables import write_small


def found(folder: Path) -> list[tuple[str, str, str, str]]:
    """Level, kind, place and ad of everything that is wrong."""
    problems = Problems()
    read_dataset(folder, problems)
    return [(p.level, p.kind, p.where, p.ad) for p in problems.found]


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_reads_ads_tags_and_labels(table: Path) -> None:
    dataset = load_dataset(table)
    assert dataset.name == "films"
    assert (len(dataset.train_ids), len(dataset.test_ids)) == (40, 9)
    assert [(tag.name, tag.dimension) for tag in dataset.tags] == [
        ("Long", "genre"),
        ("Love", "genre"),
        ("Space", "genre"),
        ("War", "genre"),
        ("dark", "mood"),
    ]
    assert dataset.labels[0].tolist() == [1, 0, 0, 1, 1]
    assert dataset.labels[dataset.train_ids.get_loc("ad10")].tolist() == [1, 1, 0, 0, 0]


def test_joins_text_columns_and_types_metadata(table: Path) -> None:
    ads = load_dataset(table).ads
    assert ads.loc["ad0", "story"].startswith("Film 0\na soldier")
    assert ads["year"].dtype == "float64"
    assert ads["language"].dtype == "category"
    assert ads["poster"].isna().all()


def test_order_of_the_rows_does_not_matter(table: Path) -> None:
    before = load_dataset(table)
    lines = (table / "train.csv").read_text(encoding="utf-8").splitlines()
    reordered = [lines[0], *reversed(lines[1:])]
    (table / "train.csv").write_text("\n".join(reordered), encoding="utf-8")
    after = load_dataset(table)
    assert after.tags == before.tags
    assert (after.labels == before.labels).all()
    pd.testing.assert_frame_equal(after.ads, before.ads)


def test_test_file_is_optional(table: Path) -> None:
    replace(table / "competition.toml", 'test = "test.csv"\n', "")
    assert len(load_dataset(table).test_ids) == 0


def test_line_number_counts_lines_inside_quoted_cells(table: Path) -> None:
    replace(table / "train.csv", "Film 0", '"Film\n0"')
    replace(table / "train.csv", "ad3,", "ad2,")
    assert found(table) == [("error", "duplicate id", "train.csv:6", "ad2")]


CASES = {
    "duplicate id": ("train.csv", "ad3,", "ad2,", "error", "train.csv:5", "ad2"),
    "id in both splits": ("test.csv", "testad0,", "ad7,", "error", "test.csv:2", "ad7"),
    "malformed table": ("train.csv", ",Film 4,", ",Film, 4,", "error", "train.csv:6", "ad4"),
    "no id": ("train.csv", "ad5,", ",", "error", "train.csv:7", ""),
    "path outside": ("train.csv", "ad1,,", "ad1,../a.jpg,", "error", "train.csv:3", "ad1"),
    "absent file": ("train.csv", "ad1,,", "ad1,a.jpg,", "warning", "train.csv:3", "ad1"),
    "not a number": ("train.csv", "fr,1992", "fr,soon", "warning", "train.csv:4", "ad2"),
    "tag in two dimensions": ("train.csv", "dark", "War", "error", "train.csv", ""),
    "reserved name": ("train.csv", "dark", "fold", "error", "train.csv", ""),
    "no tag": ("train.csv", "Love,\n", ",\n", "warning", "train.csv:15", "ad13"),
}


@pytest.mark.parametrize("kind", CASES)
def test_fault_is_named_with_row_and_ad(table: Path, kind: str) -> None:
    file, old, new, level, where, ad = CASES[kind]
    text = (table / file).read_bytes().decode().replace("\r\n", "\n")
    assert old in text
    (table / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    assert (level, kind, where, ad) in found(table)


def test_absolute_path_is_refused(table: Path) -> None:
    replace(table / "train.csv", "ad1,,", "ad1,/etc/hostname,")
    assert ("error", "path outside", "train.csv:3", "ad1") in found(table)


def test_bytes_that_are_not_utf8_are_named(table: Path) -> None:
    path = table / "train.csv"
    path.write_bytes(path.read_bytes().replace(b"Film 6", b"Film \xff\xfe6"))
    assert found(table) == [("error", "not UTF-8", "train.csv:8", "ad6")]


def test_empty_text_is_a_warning(table: Path) -> None:
    path = table / "test.csv"
    path.write_text("id,poster,title,plot,language,year\nx,,,,en,1999\n", encoding="utf-8")
    assert found(table) == [("warning", "empty text", "test.csv:2", "x")]


def test_ads_with_an_empty_group_stand_alone(table: Path) -> None:
    replace(table / "competition.toml", 'id = "id"\n', 'id = "id"\ngroup = "title"\n')
    replace(table / "train.csv", "Film 1,", "Film 0,")
    replace(table / "train.csv", "Film 2,", ",")
    dataset = load_dataset(table)
    assert dataset.groups is not None
    assert dataset.groups[0] == dataset.groups[1]
    assert len(set(dataset.groups)) == 39


def test_load_refuses_with_the_first_errors_and_the_command_that_lists_all(table: Path) -> None:
    replace(table / "train.csv", "ad3,", "ad2,")
    with pytest.raises(DatasetError, match=r"1 error.*\n.*train.csv:5 \(ad ad2\).*\n.*check"):
        load_dataset(table)


BAD_TOML = {
    "unknown key inputs.poster.colum. Did you mean 'column'?": ("column = ", "colum = "),
    "unknown key nmae. Did you mean 'name'?": ("name", "nmae"),
    "name is missing": ("name", "nmae"),
    "inputs.poster.kind = 'picture'": ('"image"', '"picture"'),
    "submission.format = 'tall'": ('"wide"', '"tall"'),
    "needs column, the one that holds its paths": (
        'column = "poster"',
        'columns = ["poster", "title"]',
    ),
    "is not valid TOML": ("[inputs.poster]", "[inputs.poster"),
    "leaves the dataset's folder": ('"train.csv"', '"../train.csv"'),
    "no column plots": ('"plot"', '"plots"'),
}


@pytest.mark.parametrize("message", BAD_TOML)
def test_mistake_in_competition_toml_is_explained(table: Path, message: str) -> None:
    old, new = BAD_TOML[message]
    path = table / "competition.toml"
    at = path.read_text(encoding="utf-8").index(old, 0)
    if old == "column = ":
        at = path.read_text(encoding="utf-8").index('column = "poster"')
    text = path.read_text(encoding="utf-8")
    path.write_text(text[:at] + text[at:].replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DatasetError) as raised:
        load_dataset(table)
    assert message in str(raised.value)


def test_mistake_in_an_entry_is_not_told_of_its_list_too(tmp_path: Path) -> None:
    tags = 'column = "tags"\nnames = [1, 2]'
    with pytest.raises(DatasetError) as raised:
        load_dataset(write_small(tmp_path / "d", {"tags": ["a", "b"]}, tags=tags))
    assert str(raised.value).count("is expected") == 1


@pytest.mark.parametrize("column", ["split", "group", "id"])
def test_metadata_cannot_take_the_name_of_a_column_of_the_ads(table: Path, column: str) -> None:
    replace(table / "competition.toml", '"year"', f'"{column}"')
    for file in ("train.csv", "test.csv"):
        if column != "id":
            replace(table / file, "year", column)
    with pytest.raises(
        DatasetError, match=f"the column '{column}', but another column has that name"
    ):
        load_dataset(table)


def test_table_without_any_tag_is_an_error(table: Path) -> None:
    path = table / "train.csv"
    text = path.read_text(encoding="utf-8")
    header, *rows = text.splitlines()
    bare = [",".join([*row.split(",")[:-2], "", ""]) for row in rows]
    path.write_text("\n".join([header, *bare]), encoding="utf-8")
    assert ("error", "no tags", "train.csv", "") in found(table)


def test_folder_without_a_layout_names_both(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"neither competition.toml, nor label_id.txt"):
        load_dataset(tmp_path)


def test_posters_are_read_without_a_fault(real_data: Path) -> None:
    dataset = load_dataset(real_data / "movie_posters")
    assert dataset.labels.shape == (1800, 50)
    assert len(dataset.test_ids) == 600
    # "Family" and "family", as IMDb and TMDB name the genre
    alike = ("warning", "tags that look alike", "train.csv", "")
    assert found(real_data / "movie_posters") == [alike]


WRONG_SETTINGS = {
    "type": ('types = { price = "float" }', "'float' is no type; write number, category or date"),
    "types": ("types = 3", "types = 3: a table"),
}


@pytest.mark.parametrize("name", WRONG_SETTINGS)
def test_a_wrong_type_of_a_column_is_told_with_those_that_there_are(tmp_path: Path, name: str):
    line, message = WRONG_SETTINGS[name]
    inputs = f'[inputs.facts]\nkind = "metadata"\ncolumns = ["price"]\n{line}'
    with pytest.raises(DatasetError, match=message):
        load_dataset(write_small(tmp_path / "d", {"price": ["1"]}, inputs=inputs))


def test_a_delimiter_is_one_character(tmp_path: Path):
    folder = write_small(tmp_path / "d", {"price": ["1"]}, top='delimiter = "||"')
    with pytest.raises(DatasetError, match="one character separates cells"):
        load_dataset(folder)
