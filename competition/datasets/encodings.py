"""The bytes of a table: unpacked, and the encoding that they are in beyond doubt."""

import codecs
import gzip
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

BLOCK = 1 << 20
UNPACKING_ERRORS = (
    *(OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, struct.error),
    *(RuntimeError, ValueError, OverflowError),
)

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like the next
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HIGH = re.compile(rb"[\x80-\xff]+")
# Letters of Western Europe, and what word processors set for quotes, dashes and currencies.
_WESTERN = {
    byte
    for byte in range(0x80, 0x100)
    if bytes([byte]).decode("cp1252", "ignore").isalpha() and byte >= 0xC0
} | {0x80, 0x85, *range(0x91, 0x98), 0xA0, 0xA3, 0xA9, 0xAB, 0xAE, 0xB0, 0xBB}
_BEYOND_DOUBT = 0.95


def packing(path: Path) -> str:
    """Return "gzip", "zstd", "zip", "parquet", "xlsx", "xls" or "", as a file begins."""
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(path) as archive:
            return "xlsx" if "xl/workbook.xml" in archive.namelist() else "zip"
    starts = {
        b"\x1f\x8b": "gzip",
        b"\x28\xb5\x2f\xfd": "zstd",
        b"PAR1": "parquet",
        b"\xd0\xcf\x11\xe0": "xls",
    }
    return next((name for magic, name in starts.items() if start.startswith(magic)), "")


@contextmanager
def unpacked(path: Path, packed: str) -> Iterator[BinaryIO]:
    """Open a file that may be packed by gzip or zstd, or be the one file of a zip archive.

    Raises
    ------
    ValueError
        If an archive holds no file, or several.
    """
    if packed == "zip":
        with zipfile.ZipFile(path) as archive:
            names = [
                name
                for name in archive.namelist()
                if not name.endswith("/") and not name.startswith("__MACOSX/")
            ]
            if len(names) != 1:
                raise ValueError(f"the archive holds {len(names)} files, and one is expected")
            with archive.open(names[0]) as file:
                yield cast(BinaryIO, file)
    elif packed == "gzip":
        with gzip.open(path, "rb") as file:
            yield cast(BinaryIO, file)
    elif packed == "zstd":
        import pyarrow as pa

        with pa.input_stream(path, compression="zstd") as file:
            yield cast(BinaryIO, file)
    else:
        with path.open("rb") as file:
            yield file


def detect(stream: BinaryIO) -> tuple[str | None, str]:
    """Return the encoding of a text, and a remark where it is a guess.

    A byte order mark decides; then UTF-8, where all bytes are valid; UTF-16, where every other byte
    of the beginning is zero; then GBK and cp1252, each by what texts in it look like throughout.

    Returns
    -------
    (str or None, str)
        None where no encoding is beyond doubt; "binary" where the bytes are no text.
    """
    first = stream.read(BLOCK)
    for mark, name in _BOMS:
        if first.startswith(mark):
            return name, ""
    head = first[:4096]
    if b"\0" in head:
        for name, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
            if zeros.count(0) > 0.4 * len(zeros) and head.count(0) < 1.1 * zeros.count(0):
                return name, ""
        return "binary", ""
    decoder = codecs.getincrementaldecoder("utf-8")()
    blocks = [first]
    try:
        block = first
        while block:
            decoder.decode(block)
            block = stream.read(BLOCK)
            blocks = [block]
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        # What came before is valid UTF-8, and most of it ASCII: it decides nothing.
        rest = b"".join([*blocks, stream.read()])
        return _detect_legacy(rest)
    return "utf-8", ""


def _detect_legacy(data: bytes) -> tuple[str | None, str]:
    runs = [(match.start(), match.group()) for match in _HIGH.finditer(data)]
    pairs = [run[i : i + 2] for _, run in runs if len(run) % 2 == 0 for i in range(0, len(run), 2)]
    n_pairs = sum(len(run) for _, run in runs) / 2
    chinese = sum(0xB0 <= pair[0] <= 0xD7 and pair[1] >= 0xA1 for pair in pairs)
    marks = sum(0xA1 <= pair[0] <= 0xA3 and pair[1] >= 0xA1 for pair in pairs)
    if _may_be_korean(data, pairs):
        return None, ""
    if chinese + marks > _BEYOND_DOUBT * n_pairs and chinese > marks and _decodes(data, "gbk"):
        return "gbk", _example(data, "gbk", runs)
    singles = [
        (at, run)
        for at, run in runs
        if len(run) == 1 and run[0] in _WESTERN and data[max(at - 1, 0) : at + 2].strip(run) != b""
    ]
    if len(singles) > _BEYOND_DOUBT * len(runs) and _decodes(data, "cp1252"):
        return "cp1252", _example(data, "cp1252", runs)
    return None, ""


def _may_be_korean(data: bytes, pairs: list[bytes]) -> bool:
    """Whether nearly all pairs are syllables in EUC-KR; half of Chinese lies outside of those."""
    letters = [pair for pair in pairs if pair[0] >= 0xB0]
    syllables = sum(pair[0] <= 0xC8 for pair in letters)
    return syllables > _BEYOND_DOUBT * len(letters) and _decodes(data, "euc_kr")


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _example(data: bytes, encoding: str, runs: list[tuple[int, bytes]]) -> str:
    """Return a word of a text that shows how its bytes are read."""
    at, run = runs[0]
    start = max(data.rfind(sep, 0, at) for sep in (b" ", b"\n", b",", b";", b"\t", b'"')) + 1
    end = at + len(run)
    while end < len(data) and data[end : end + 1].isalpha():
        end += 1
    return data[start:end].decode(encoding, "replace")


def known_encoding(name: str) -> bool:
    """Return whether Python knows a text encoding of this name."""
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=name)
    except (LookupError, ValueError):
        return False
    return True
