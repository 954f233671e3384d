"""Tags in tables: lists, columns of 0 and 1, separators, null words, lists of tags."""

import json
from pathlib import Path

import pandas as pd
import pytest

from competition.datasets import AdDataset, load_dataset
from competition.utils.errors import DatasetError
from tests.conftest import write_csv
from tests.datasets.made_tables import read_small, write_small


def kinds(folder: Path) -> list[str]:
    return [kind for _, kind, _ in read_small(folder)[1]]


FLAGS = {"genre_food": ["1", "0", "true"], "genre_games": ["0", "", "1.0"]}


@pytest.mark.parametrize("columns", ['"genre_*"', '["genre_food", "genre_games"]'])
def test_one_column_per_tag(tmp_path: Path, columns: str):
    folder = write_small(tmp_path / "d", FLAGS, tags=f"columns = {columns}")
    dataset = load_dataset(folder)
    assert dataset.tag_names == ["genre_food", "genre_games"]
    assert dataset.labels.tolist() == [[1, 0], [0, 0], [1, 1]]


def test_another_word_in_such_a_column_is_named_with_its_place(tmp_path: Path):
    folder = write_small(
        tmp_path / "d", {**FLAGS, "genre_food": ["1", "2", "0"]}, tags='columns = "genre_*"'
    )
    text = "train.csv:3 (ad a001): column genre_food holds '2': write 1 or 0."
    assert ("error", "no yes or no", text) in read_small(folder)[1]


def test_columns_of_0_and_1_that_are_declared_as_tags_are_refused(tmp_path: Path):
    tags = 'column = "genre_food"\n[[tags]]\ndimension = "topic"\ncolumn = "genre_games"'
    folder = write_small(tmp_path / "d", FLAGS, tags=tags)
    with pytest.raises(DatasetError, match=r'columns = \["genre_food", "genre_games"\]'):
        load_dataset(folder)


LISTS = {
    "Python": ["['a', 'b c']", "['a']", "[]"],
    "JSON": ['["a", "b c"]', '["a"]', "[]"],
    "numpy": ["['a' 'b c']", "['a']", "[]"],
    "tuples": ["('a', 'b c')", "('a',)", ""],
    "bare": ["[a, b c]", "[a]", "[]"],
    "JSON with escapes": ['["\\u0061", "b c"]', '["a"]', "[]"],
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_in_cells_are_read(tmp_path: Path, name: str):
    folder = write_small(tmp_path / "d", {"tags": LISTS[name]})
    dataset, found = read_small(folder)
    assert dataset.tag_names == ["a", "b c"]
    assert dataset.labels.tolist() == [[1, 1], [1, 0], [0, 0]]
    assert "lists of tags" in [kind for _, kind, _ in found]


SEPARATORS = {
    "comma": (["games,travel", "games", "travel"], "7"),
    "Chinese comma": (["games、travel", "games", "travel"], ""),
    "no tag alone": (["a;b", "b;c", "a;c", "a;b;c"], ""),
}


@pytest.mark.parametrize("name", SEPARATORS)
def test_tags_that_another_separator_fuses_are_named(tmp_path: Path, name: str):
    assert "fused tags" in kinds(write_small(tmp_path / "d", {"tags": SEPARATORS[name][0]}))


NOT_FUSED = {
    "commas in names": ["Food, Drinks", "Games", "Travel, Tours"],
    "declared": ["a|b", "a", "b"],
    "slash in a name": ["TV/Film|News", "News", "TV/Film"],
}


@pytest.mark.parametrize("name", NOT_FUSED)
def test_a_name_with_a_comma_is_no_fused_tag(tmp_path: Path, name: str):
    assert "fused tags" not in kinds(write_small(tmp_path / "d", {"tags": NOT_FUSED[name]}))


def test_null_words_are_no_tags_and_are_counted(tmp_path: Path):
    folder = write_small(tmp_path / "d", {"tags": ["nan", "None", "food", "NA", "nan|food"]})
    dataset, found = read_small(folder)
    assert dataset.tag_names == ["food"]
    assert any("2 'nan', 1 'None', 1 'NA' stand for no tag" in text for _, _, text in found)


def test_null_words_may_be_tags_where_that_is_declared(tmp_path: Path):
    folder = write_small(tmp_path / "d", {"tags": ["None", "food"]}, top="null_words = []")
    assert load_dataset(folder).tag_names == ["None", "food"]


def test_null_words_are_no_texts(tmp_path: Path):
    dataset, found = read_small(write_small(tmp_path / "d", {"title": ["NULL", "beach"]}))
    assert dataset.ads["words"].tolist() == ["", "beach"]
    assert any("1 'NULL' are read as no text" in text for _, _, text in found)


LOOK_ALIKES = [
    ["Food", "food"],
    ["ＡＢ", "AB"],
    ["a b", "a\u00a0b"],
    ["ab", "a\u200bb"],
    ["a  b", "a b"],
]


@pytest.mark.parametrize("tags", LOOK_ALIKES)
def test_tags_that_look_alike_are_named(tmp_path: Path, tags: list[str]):
    assert "tags that look alike" in kinds(write_small(tmp_path / "d", {"tags": tags}))


@pytest.mark.parametrize("names", ['["z", "x", "y"]', '"label_id.txt"'])
def test_a_list_of_tags_may_have_tags_that_no_ad_carries(tmp_path: Path, names: str):
    folder = write_small(
        tmp_path / "d", {"tags": ["x", "y", "x|y"]}, tags=f'column = "tags"\nnames = {names}'
    )
    (folder / "label_id.txt").write_text("z\t0\nx\t1\ny\t2\n", encoding="utf-8")
    dataset = load_dataset(folder)
    assert dataset.tag_names == ["z", "x", "y"]
    assert dataset.labels.tolist() == [[0, 1, 0], [0, 0, 1], [0, 1, 1]]
    assert dataset.tags_are_closed


def test_a_tag_beyond_the_list_is_named_with_its_place(tmp_path: Path):
    folder = write_small(
        tmp_path / "d", {"tags": ["food", "fodo"]}, tags='column = "tags"\nnames = ["food"]'
    )
    with pytest.raises(DatasetError, match=r"train.csv:3 \(ad a001\): the tag 'fodo' is not in"):
        load_dataset(folder)


BAD_LISTS = {
    'names = ["a", "a"]': "the tag 'a' stands twice",
    'names = "absent.txt"': "there is no such file",
    'names = "../outside.txt"': "there is no such file in the folder",
}


@pytest.mark.parametrize("names", BAD_LISTS)
def test_a_list_of_tags_that_cannot_be_read_is_refused(tmp_path: Path, names: str):
    folder = write_small(tmp_path / "d", {"tags": ["a"]}, tags=f'column = "tags"\n{names}')
    (tmp_path / "outside.txt").write_text("a\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=BAD_LISTS[names]):
        load_dataset(folder)


def test_labels_in_a_file_of_their_own_are_joined_by_id(tmp_path: Path):
    tags = 'column = "topic"\nfile = "labels.csv"'
    folder = write_small(tmp_path / "d", {"price": ["1", "2", "3"]}, tags=tags)
    rows = [["a002", "food"], ["a000", "games"], ["a002", "shop"], ["stranger", "new"]]
    write_csv(folder / "labels.csv", ["id", "topic"], rows)
    dataset, found = read_small(folder)
    assert dataset.tag_names == ["food", "games", "shop"]
    assert dataset.labels.tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 1]]
    assert [kind for _, kind, _ in found] == ["unknown ads", "no tag"]


@pytest.mark.parametrize(
    "cells",
    [['["p", null]', '["q"]', '["p"]'], ['[["p"]]', '[["q"]]', '[["p"], []]']],
    ids=["null", "list in a list"],
)
def test_a_list_may_hold_null_and_lists(tmp_path: Path, cells: list[str]):
    dataset = load_dataset(write_small(tmp_path / "d", {"tags": cells}))
    assert dataset.tag_names == ["p", "q"]
    assert dataset.labels.tolist() == [[1, 0], [0, 1], [1, 0]]


def test_null_in_the_lists_of_a_frame_is_no_tag():
    frame = pd.DataFrame({"id": ["a", "b"], "t": ["x", "y"], "g": [["p", None], ["q"]]})
    inputs = {"t": {"kind": "text", "column": "t"}}
    tags = [{"column": "g", "dimension": "d"}]
    assert AdDataset.from_frames(frame, tags=tags, inputs=inputs).tag_names == ["p", "q"]


def test_a_cell_that_looks_like_a_list_among_lists_is_warned_of(tmp_path: Path):
    folder = write_small(tmp_path / "d", {"tags": ['["p"]', '["q"]', '[{"x": 1}]']})
    assert any("looks like a list" in text for _, _, text in read_small(folder)[1])


FLAG_WORDS = {
    "yes and no": ["yes", "no", "yes"],
    "of R": ["T", "F", "T"],
    "letters": ["Y", "N", ""],
    "with a question mark": ["1", "0", "?"],
}


@pytest.mark.parametrize("words", FLAG_WORDS)
def test_flags_that_are_declared_as_tags_are_refused_however_they_are_written(
    tmp_path: Path, words: str
):
    cells = FLAG_WORDS[words]
    folder = write_small(tmp_path / "d", {"tags": cells})
    with pytest.raises(DatasetError, match=r'columns = \["tags"\]'):
        load_dataset(folder)
    if "?" not in cells:
        folder = write_small(tmp_path / "e", {"tags": cells}, tags='columns = ["tags"]')
        assert load_dataset(folder).labels[:2].tolist() == [[1], [0]]


def test_yes_and_no_are_tags_where_they_are_declared(tmp_path: Path):
    tags = 'column = "tags"\nnames = ["yes", "no"]'
    folder = write_small(tmp_path / "d", {"tags": ["yes", "no", "yes"]}, tags=tags)
    assert load_dataset(folder).tag_names == ["yes", "no"]


@pytest.mark.parametrize("separator", [" ", "\n", "｜", "+", " - ", " & ", " + ", "#"])
def test_tags_that_a_rare_separator_fuses_are_named(tmp_path: Path, separator: str):
    cells = [f"p{separator}q", "q", "p", f"p{separator}r", f"q{separator}r", "r"] * 5
    found = read_small(write_small(tmp_path / "d", {"tags": cells}))[1]
    fused = [text for _, kind, text in found if kind == "fused tags"]
    assert len(fused) == 1
    assert "15 cells" in fused[0]
    assert f"separator = {json.dumps(separator, ensure_ascii=False)}" in fused[0]


@pytest.mark.parametrize(
    "cells",
    [
        ["science fiction", "drama", "science show", "crime show"],
        ["sci-fi", "rom-com", "sci-rom", "fi-com"],
        ["R&B", "rock&roll", "R&roll"],
    ],
)
def test_words_that_share_pieces_are_names(tmp_path: Path, cells: list[str]):
    assert "fused tags" not in kinds(write_small(tmp_path / "d", {"tags": cells}))


def test_a_column_that_is_named_twice_is_refused(tmp_path: Path):
    folder = write_small(tmp_path / "d", FLAGS, tags='columns = ["genre_food", "genre_food"]')
    with pytest.raises(DatasetError, match="columns names 'genre_food' twice"):
        load_dataset(folder)


def test_a_pattern_in_a_table_of_labels_takes_columns_that_are_called_like_inputs(tmp_path: Path):
    tags = 'columns = "*"\nfile = "labels.csv"'
    folder = write_small(tmp_path / "d", {"title": ["x", "y"]}, tags=tags)
    write_csv(folder / "labels.csv", ["id", "title", "u"], [["a000", 1, 0], ["a001", 0, 1]])
    dataset, found = read_small(folder)
    assert dataset.tag_names == ["title", "u"]
    assert dataset.labels.tolist() == [[1, 0], [0, 1]]
    assert found == []


def test_a_pattern_leaves_out_columns_that_other_tags_use(tmp_path: Path):
    columns = {"g_a": ["1", "0"], "g_b": ["1", "1"], "g_main": ["k", "l"]}
    more = '[[tags]]\ncolumn = "g_main"\ndimension = "main"'
    folder = write_small(tmp_path / "d", columns, tags=f'columns = "g_*"\n{more}')
    dataset, found = read_small(folder)
    assert dataset.tag_names == ["g_a", "g_b", "k", "l"]
    assert dataset.labels.tolist() == [[1, 1, 1, 0], [0, 1, 0, 1]]
    assert found == []


def test_objects_with_a_name_are_tags_by_that_name(tmp_path: Path):
    cells = ["[{'id': 18, 'name': \"Drama\"}, {'id': 1, 'name': 'War'}]", '[{"name": "War"}]', "[]"]
    dataset, _ = read_small(write_small(tmp_path / "d", {"tags": cells}))
    assert dataset.tag_names == ["Drama", "War"]
    assert dataset.labels.tolist() == [[1, 1], [0, 1], [0, 0]]
