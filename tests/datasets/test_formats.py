"""Tables as people have them: one set of ads, stored in every way."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from competition.datasets import load_dataset
from competition.datasets.base import AdDataset
from competition.utils.errors import DatasetError
from tests.conftest import write_csv
from tests.datasets.made_tables import read_small, write_small

FRAME = pd.DataFrame(
    {
        "id": ["1", "2", "3"],
        "title": ["Café crème, déjà vu", "naïve\nRésumé", "plain"],
        "price": [1.5, None, 3.0],
        "tags": ["a|b", "b", "a"],
    }
)
TOML = """\
name = "small"
train = "{file}"
{top}
[[tags]]
column = "tags"
dimension = "topic"
[inputs.words]
kind = "text"
column = "title"
[inputs.facts]
kind = "metadata"
column = "price"
"""


def text(**options: str) -> bytes:
    return FRAME.to_csv(index=False, **options).encode()


def excel() -> bytes:
    pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    file = io.BytesIO()
    FRAME.astype({"id": int}).to_excel(file, index=False)
    return file.getvalue()


def parquet() -> bytes:
    file = io.BytesIO()
    FRAME.assign(id=[1, 2, 3], tags=[["a", "b"], ["b"], ["a"]]).to_parquet(file)
    return file.getvalue()


def zipped(*beside: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("train.csv", text())
        for name in beside:
            archive.writestr(name, b"of no use")
    return file.getvalue()


def zst() -> bytes:
    file = pa.BufferOutputStream()
    with pa.CompressedOutputStream(file, "zstd") as stream:
        stream.write(text())
    return file.getvalue().to_pybytes()


def json_lines() -> bytes:
    rows = FRAME.astype(object).where(FRAME.notna(), None).to_dict("records")
    return "\n".join(json.dumps({**row, "tags": row["tags"].split("|")}) for row in rows).encode()


STORED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "commas": ("train.csv", text),
    "semicolons": ("train.csv", lambda: text(sep=";")),
    "tabs": ("train.tsv", lambda: text(sep="\t")),
    "byte order mark": ("train.csv", lambda: b"\xef\xbb\xbf" + text()),
    "Windows line ends": ("train.csv", lambda: text(lineterminator="\r\n")),
    "UTF-16": ("train.csv", lambda: text().decode().encode("utf-16")),
    "UTF-32": ("train.csv", lambda: text().decode().encode("utf-32")),
    "Excel's line sep=": ("train.csv", lambda: b"sep=;\n" + text(sep=";")),
    "zip of a Mac": ("train.zip", lambda: zipped("__MACOSX/._train.csv")),
    "UTF-16 without mark": ("train.csv", lambda: text().decode().encode("utf-16-le")),
    "cp1252": ("train.csv", lambda: text().decode().encode("cp1252")),
    "gzip": ("train.csv.gz", lambda: gzip.compress(text())),
    "zip": ("train.zip", zipped),
    "zstd": ("train.csv.zst", zst),
    "Parquet": ("train.parquet", parquet),
    "JSON lines": ("train.jsonl", json_lines),
    "JSON": ("train.json", lambda: FRAME.to_json(orient="records").encode()),
    "JSON of columns": ("train.json", lambda: FRAME.to_json().encode()),
    "Excel": ("train.xlsx", excel),
}


@pytest.mark.parametrize("name", STORED)
def test_every_way_to_store_a_table_gives_the_same_ads(tmp_path: Path, name: str):
    file, make = STORED[name]
    (tmp_path / file).write_bytes(make())
    (tmp_path / "competition.toml").write_text(TOML.format(file=file, top=""), encoding="utf-8")
    dataset = load_dataset(tmp_path)
    assert dataset.ads["words"].str.replace("\r\n", "\n").tolist() == FRAME["title"].tolist()
    assert dataset.ads["price"].tolist()[::2] == [1.5, 3.0]
    assert list(dataset.ads.index) == ["1", "2", "3"]
    assert dataset.labels.tolist() == [[1, 1], [0, 1], [1, 0]]


def test_gbk_is_read_where_no_doubt_is_left(tmp_path: Path):
    titles = ["海边的日落", "热汤面，好吃", "游戏攻略！"]
    folder = write_small(tmp_path / "d", {"title": titles})
    path = folder / "train.csv"
    path.write_bytes(path.read_text(encoding="utf-8").encode("gbk"))
    dataset, found = read_small(folder)
    assert dataset.ads["words"].tolist() == titles
    assert [(level, kind) for level, kind, _ in found] == [("warning", "not UTF-8")]
    assert "read as gbk, such as '海边的日落'" in found[0][2]


def test_korean_is_not_taken_for_chinese(tmp_path: Path):
    titles = ["안녕하세요 영화", "맛있는 국수", "바다"]
    folder = write_small(tmp_path / "d", {"title": titles})
    path = folder / "train.csv"
    path.write_bytes(path.read_text(encoding="utf-8").encode("euc-kr"))
    with pytest.raises(DatasetError, match="Save the file as UTF-8, or declare its encoding"):
        load_dataset(folder)
    toml = folder / "competition.toml"
    toml.write_text('encoding = "euc-kr"\n' + toml.read_text(encoding="utf-8"), encoding="utf-8")
    assert load_dataset(folder).ads["words"].tolist() == titles


def test_a_declared_encoding_is_obeyed(tmp_path: Path):
    folder = write_small(tmp_path / "d", {"title": ["Zażółć", "gęślą"]}, top='encoding = "cp1250"')
    path = folder / "train.csv"
    path.write_bytes(path.read_text(encoding="utf-8").encode("cp1250"))
    assert load_dataset(folder).ads["words"].tolist() == ["Zażółć", "gęślą"]


def test_an_unknown_encoding_is_refused(tmp_path: Path):
    folder = write_small(tmp_path / "d", {"title": ["x"]}, top='encoding = "latin-99"')
    with pytest.raises(DatasetError, match="no such encoding"):
        load_dataset(folder)


def test_cells_may_be_long(tmp_path: Path):
    folder = write_small(tmp_path / "d", {"title": ["bonus " * 100_000, "x"]})
    dataset, found = read_small(folder)
    assert len(dataset.ads["words"].iloc[0]) == 599_999
    assert found == []


def test_empty_nameless_columns_are_left_out_and_filled_ones_named(tmp_path: Path):
    folder = write_small(tmp_path / "d", {"price": ["1", "2"]})
    path = folder / "train.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line + ",," for line in lines), encoding="utf-8")
    assert read_small(folder)[1] == []
    path.write_text("\n".join([lines[0] + ",", *(line + ",7" for line in lines[1:])]), "utf-8")
    assert [text for *_, text in read_small(folder)[1]] == [
        "train.csv: column 5 has no name: it is not read. Give it one, or remove it."
    ]


DAMAGED = {
    "cut gzip": ("train.csv.gz", gzip.compress(text())[:40], "it cannot be read"),
    "binary": ("train.csv", bytes(range(256)) * 20, "the file is no text"),
    "old Excel": ("train.xls", b"\xd0\xcf\x11\xe0" + b"\0" * 600, "old or encrypted Excel"),
    "R's header": (
        "train.csv",
        b'"id" "title" "tags"\n"1" "a" "x y"\n',
        "train.csv:1: not valid CSV: .* declare what stands between cells",
    ),
    "quote in the header": ("train.csv", b'id,title,"tags"x\na,b,c\n', "train.csv:1: not valid"),
    "cut Parquet": ("train.parquet", b"PAR1" + b"\0" * 60, "it cannot be read"),
    "bad JSON": ("train.jsonl", b'{"id": "1", \n', "train.jsonl:1: malformed JSON"),
    "key twice": (
        "train.jsonl",
        b'{"id": 1, "id": 2, "title": "x", "tags": "a"}\n',
        "train.jsonl:1: malformed JSON: the key 'id' stands twice",
    ),
    "nested JSON": ("train.json", b"[" * 100_000, "it cannot be read"),
    "no objects": ("train.jsonl", b"[1, 2]", "expected an object"),
    "empty": ("train.csv", b"", "no column id"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_no_table_is_named_in_one_message(tmp_path: Path, name: str):
    file, content, message = DAMAGED[name]
    (tmp_path / file).write_bytes(content)
    (tmp_path / "competition.toml").write_text(TOML.format(file=file, top=""), encoding="utf-8")
    with pytest.raises(DatasetError, match=message) as raised:
        load_dataset(tmp_path)
    assert len(str(raised.value)) < 1000


def test_one_file_with_a_column_of_splits(tmp_path: Path):
    columns = {"set": ["test", "train", "Train"], "tags": ["", "a", "b"]}
    dataset = load_dataset(write_small(tmp_path / "d", columns, top='split = "set"'))
    assert (list(dataset.train_ids), list(dataset.test_ids)) == (["a001", "a002"], ["a000"])


def test_another_split_is_named_with_its_place(tmp_path: Path):
    folder = write_small(tmp_path / "d", {"set": ["train", "val"]}, top='split = "set"')
    with pytest.raises(DatasetError, match=r"train.csv:3: column set holds 'val' in 1 row"):
        load_dataset(folder)


def test_frames_become_a_dataset() -> None:
    train = FRAME.assign(tags=[["a", "b"], ["b"], ["a"]])
    dataset = AdDataset.from_frames(
        train,
        FRAME.assign(id=["7", "8", "9"])[["id", "title", "price"]],
        tags=[{"column": "tags", "dimension": "topic"}],
        inputs={
            "words": {"kind": "text", "column": "title"},
            "facts": {"kind": "metadata", "column": "price"},
        },
    )
    assert dataset.labels.tolist() == [[1, 1], [0, 1], [1, 0]]
    assert list(dataset.test_ids) == ["7", "8", "9"]
    assert dataset.ads["price"].dtype == "float64"


def test_a_frame_without_a_column_or_with_an_id_twice_is_refused() -> None:
    inputs = {"words": {"kind": "text", "column": "titel"}}
    tags = [{"column": "tags", "dimension": "topic"}]
    with pytest.raises(DatasetError, match="train has no column 'titel', but 'id', 'title'"):
        AdDataset.from_frames(FRAME, tags=tags, inputs=inputs)
    inputs["words"]["column"] = "title"
    with pytest.raises(DatasetError, match=r"train, row 2 \(ad 1\): id 1 stands on line 1 already"):
        AdDataset.from_frames(FRAME.assign(id="1"), tags=tags, inputs=inputs)


TAGS = [{"column": "tags", "dimension": "topic"}]
WORDS = {"words": {"kind": "text", "column": "title"}}
CYCLE: list[object] = []
CYCLE.append(CYCLE)
FAULTY = {
    "column twice": (pd.concat([FRAME, FRAME[["title"]]], axis=1), {}, "'title' stands twice"),
    "number and text": (
        FRAME.rename(columns={"price": 0}).assign(**{"0": "x"}),
        {},
        "'0' stands twice",
    ),
    "no group": (FRAME, {"group": "brand"}, "train has no column 'brand', but 'id'"),
    "no split": (FRAME, {"split": "set"}, "train has no column 'set', but 'id'"),
    "levels of rows": (FRAME.set_index(["id", "price"]), {}, "an index of several levels"),
    "levels of columns": (pd.concat({"a": FRAME}, axis=1), {}, "columns of several levels"),
    "digits": (FRAME.assign(title=[10**5000, 2, 3]), {}, "row 1: column 'title' holds a int"),
    "cycle": (FRAME.assign(title=[CYCLE, "b", "c"]), {}, "row 1: column 'title' holds a list"),
    "list": ([1, 2], {}, "train is a list. Pass a DataFrame"),
    "series": (FRAME["title"], {}, "train is a Series. Pass a DataFrame"),
    "no tags": (FRAME, {"tags": None}, "tags = None: a list of tables"),
    "no inputs": (FRAME, {"inputs": None}, "inputs = None: a table is"),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_faulty_frame_is_refused_in_one_sentence(name: str) -> None:
    frame, settings, message = FAULTY[name]
    with pytest.raises(DatasetError, match=message):
        AdDataset.from_frames(frame, **{"tags": TAGS, "inputs": WORDS, **settings})  # type: ignore[arg-type]


def test_sets_and_lists_of_frames_are_tags() -> None:
    frame = FRAME.assign(tags=[{"p", 1}, {"q"}, [1.0]])
    dataset = AdDataset.from_frames(frame, tags=TAGS, inputs=WORDS)
    assert dataset.tag_names == ["1", "p", "q"]
    assert dataset.labels.tolist() == [[1, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_a_header_of_many_columns_takes_no_time(tmp_path: Path):
    folder = write_small(tmp_path / "d", {"price": ["1", "2"]})
    more = [f"c{i}" for i in range(50_000)]
    rows = [[f"a{i}", "x", "t", *["1"] * len(more)] for i in range(2)]
    write_csv(folder / "train.csv", ["id", "title", "tags", *more], rows)
    assert len(load_dataset(folder).ads) == 2
