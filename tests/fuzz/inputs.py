"""Inputs that readers meet when something has gone wrong, or somebody means ill."""

import csv
import gzip
import io
import zipfile
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

NASTY_TEXTS = (
    *("", " ", "\t", "\n", "\r\n", "\r", "\0", '"', "'", ",", ";", "|", "\\", "[", "]", "{}", "="),
    *("nan", "inf", "-inf", "1e999", "-0", "-1", "0x10", "1_000", "١٢", "½", "²", "true", "null"),
    *(
        str(2**31),
        str(2**63),
        str(2**64),
        "9" * 400,
        "9" * 5000,
        "1" + "0" * 4300,
        "0." + "1" * 5000,
    ),
    *("[" * 2000, '{"a":' * 2000, "(" * 200, "['a', 'b']", '["a"]', "\\N", "n/a", "id", "fold"),
    *(
        "\ufeff",
        "\u200b",
        "\u202e",
        "漢字",
        "é",
        "e\u0301",
        "\x85",
        "\u2028",
        "😀",
        "../../etc/passwd",
    ),
    *("/dev/zero", "C:\\x", "http://a/b", "a" * 300, "x" * 100_000, "=1+1", "1,5", "1.234,5", "$3"),
    *("2020-01-01", "2020-13-45", "99999-01-01", "12:00", "%s%n", "{0}", "${x}", "<b>", "\x1b[31m"),
)
NASTY_BYTES = (
    *(text.encode("utf-8") for text in NASTY_TEXTS if len(text) < 10_000),
    *(
        b"\xff\xfe",
        b"\xfe\xff",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\xc3\x28",
        b"\x80",
        b"\xff" * 9,
    ),
    *(b"PK\x03\x04", b"\x1f\x8b", b"PAR1", b"\x93NUMPY", b"\x28\xb5\x2f\xfd", b"\xd0\xcf\x11\xe0"),
    *(b"\0" * 64, b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80"),
)

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63 - 1, 2**63, 2**64, -1, 0, 1])
    | st.floats()
    | st.sampled_from([text for text in NASTY_TEXTS if len(text) < 10_000])
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn, valid: bytes) -> bytes:
    """A file with up to four edits: bytes flipped, cut, doubled, put in, or an end cut off."""
    content = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)) | st.integers(0, min(len(content), 200)))
        edit = draw(st.sampled_from(("flip", "cut", "double", "put", "end", "put")))
        length = draw(st.integers(1, 40))
        if edit == "flip" and at < len(content):
            content[at] ^= draw(st.integers(1, 255))
        elif edit == "cut":
            del content[at : at + length]
        elif edit == "double":
            content[at:at] = content[at : at + length]
        elif edit == "put":
            content[at:at] = draw(st.sampled_from(NASTY_BYTES) | st.binary(max_size=12))
        else:
            del content[at:]
    return bytes(content)


def packed_gzip(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def packed_zip(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(zipfile.ZipInfo("table.csv"), content)
    return buffer.getvalue()


PACKINGS: tuple[Callable[[bytes], bytes], ...] = (bytes, bytes, bytes, packed_gzip, packed_zip)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gbk", "cp1252")


@st.composite
def tables(draw: st.DrawFn, header: list[str], rows: list[list[str]]) -> bytes:
    """A table with nasty cells and columns, in any encoding, separated and packed by anything."""
    cells = [list(header), *map(list, rows)]
    for _ in range(draw(st.integers(1, 4))):
        row = draw(st.integers(0, len(cells) - 1))
        column = draw(st.integers(0, len(header) - 1))
        new = draw(st.sampled_from(NASTY_TEXTS) | st.text(max_size=6))
        if draw(st.integers(0, 4)) == 0:  # a whole column of it
            for one in cells[1:]:
                one[column] = new
        else:
            cells[row][column] = new
    text = io.StringIO()
    delimiter = draw(st.sampled_from((",", ",", ";", "\t", "|")))
    csv.writer(text, delimiter=delimiter).writerows(cells)
    encoded = text.getvalue().encode(draw(st.sampled_from(ENCODINGS)), "replace")
    return draw(st.sampled_from(PACKINGS))(encoded)


def plain_toml(value: Any) -> str:
    """Write a value as TOML, a table as an inline one; nothing as an empty text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{plain_toml(str(k))} = {plain_toml(v)}" for k, v in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(plain_toml, value)) + "]"
    if isinstance(value, int | float):
        return repr(value)
    escaped = "".join(
        c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08X}" for c in value or ""
    )
    return f'"{escaped}"'


@st.composite
def altered(draw: st.DrawFn, valid: dict[str, Any]) -> dict[str, Any]:
    """A document in which one or two values, wherever they are, are others, absent or new."""
    document = _copied(valid)
    for _ in range(draw(st.integers(1, 2))):
        place: Any = document
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
                place = place[key]
                continue
            what = draw(st.sampled_from(("change", "change", "remove", "add")))
            if what == "change":
                place[key] = draw(VALUES)
            elif what == "remove":
                del place[key]
            elif isinstance(place, dict):
                place[draw(st.text(min_size=1, max_size=6))] = draw(VALUES)
            else:
                place.append(draw(VALUES))
            break
    return document


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(one) for key, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list) else value


def _arrays(n: int) -> st.SearchStrategy[pa.Array]:
    """Arrow columns of many types, their extremes included."""

    def of(kind: pa.DataType, values: st.SearchStrategy[Any]) -> st.SearchStrategy[pa.Array]:
        cells = st.lists(st.none() | values, min_size=n, max_size=n)
        return cells.map(lambda given: pa.array(given, type=kind))

    whole = st.integers(-(2**63), 2**63 - 1)
    text = st.sampled_from([one for one in NASTY_TEXTS if len(one) < 10_000]) | st.text(max_size=6)
    return st.one_of(
        of(pa.string(), text),
        of(pa.large_string(), text),
        of(pa.binary(), st.binary(max_size=6)),
        of(pa.int64(), whole),
        of(pa.uint64(), st.integers(0, 2**64 - 1)),
        of(pa.float64(), st.floats()),
        of(pa.bool_(), st.booleans()),
        of(pa.list_(pa.string()), st.lists(text, max_size=3)),
        of(pa.struct([("a", pa.int64())]), st.fixed_dictionaries({"a": whole})),
        of(pa.map_(pa.string(), pa.int64()), st.lists(st.tuples(text, whole), max_size=2)),
        *(
            of(pa.int64(), whole).map(lambda column, kind=kind: column.view(kind))
            for kind in (
                pa.timestamp("ns"),
                pa.timestamp("us", "Europe/Berlin"),
                pa.date64(),
                pa.time64("ns"),
                pa.duration("ms"),
            )
        ),
        of(pa.string(), text).map(lambda column: column.dictionary_encode()),
        st.just(pa.nulls(n)),
    )


@st.composite
def parquets(draw: st.DrawFn, names: list[str], n: int) -> bytes:
    """A Parquet file of columns of any types; some mended so that they can be ids."""
    columns = [draw(_arrays(n)) for _ in names]
    if draw(st.booleans()):
        columns[0] = pa.array([f"ad{row}" for row in range(n)])
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, names=names), buffer)
    return buffer.getvalue()


@st.composite
def npys(draw: st.DrawFn) -> bytes:
    """An .npy file whose header says anything of 64 bytes."""
    descr = draw(
        st.sampled_from(("<f4", ">f8", "<f2", "|O", "|V8", "<U4", "|S3", "<M8[ns]", "<c16", "|b1"))
        | st.sampled_from(("f4", "x", "", "<f99", "<U999999999999", "[('a', '<f4')]", "{}", "None"))
    )
    shape = draw(
        st.lists(st.integers(-2, 2**70) | st.integers(0, 4), max_size=4).map(tuple).map(repr)
        | st.sampled_from(
            ("3", "'a'", "(2.0,)", "None", "(True, 3)", "[2, 2]", "(" * 80, "9" * 5000)
        )
    )
    described = descr if descr[:1] in "[{N" and descr else repr(descr)
    order = draw(st.sampled_from(("False", "True", "3", "None")))
    text = f"{{'descr': {described}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    version = draw(st.sampled_from((b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x09")))
    length = len(text).to_bytes(2 if version == b"\x01\x00" else 4, "little")
    return b"\x93NUMPY" + version + length + text + draw(st.binary(min_size=64, max_size=64))


def archives(members: dict[str, st.SearchStrategy[bytes]]) -> st.SearchStrategy[bytes]:
    """An .npz file of such members, stored or packed."""

    def archived(drawn: tuple[dict[str, bytes], int]) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", drawn[1]) as file:
            for name, content in drawn[0].items():
                file.writestr(zipfile.ZipInfo(f"{name}.npy"), content)
        return buffer.getvalue()

    methods = st.sampled_from((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    return st.tuples(st.fixed_dictionaries(members), methods).map(archived)
