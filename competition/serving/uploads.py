"""The body of a request: its JSON, and the files that it brings."""

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from competition.serving.refusals import BAD_REQUEST, OTHER_FORM, TOO_LARGE, WRONG_AD, RefusedError

if TYPE_CHECKING:
    from fastapi import Request
    from starlette.datastructures import UploadFile
    from starlette.types import Message

ADS = "ads"  # the part of a form that holds the JSON
MOST_FILES = 1_000
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,8}$")


async def read_body(
    request: "Request", folder: Path, max_mb: float
) -> tuple[bytes, dict[str, Path]]:
    """Read a request, no further than its limit.

    Parameters
    ----------
    request : Request
    folder : Path
        Receives uploaded files, under names that are made here; it appears with the first.
    max_mb : float

    Returns
    -------
    (bytes, dict of str to Path)
        The JSON, and each uploaded file by its name in the request.

    Raises
    ------
    RefusedError
        If the body is too large, or of another form.
    """
    from starlette.exceptions import HTTPException

    limit = round(max_mb * 1e6)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RefusedError(OTHER_FORM, "The request is packed: send it without Content-Encoding.")
    form = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if form not in ("application/json", "multipart/form-data"):
        raise RefusedError(
            OTHER_FORM,
            "Send ads as application/json, or with files as multipart/form-data, and say so in "
            "Content-Type.",
        )
    limited = _limited(request, limit, max_mb)
    if form == "application/json":
        return await limited.body(), {}
    try:
        async with limited.form(max_files=MOST_FILES, max_part_size=limit) as parts:
            return await _parts(parts.multi_items(), folder)
    except HTTPException as bad:
        raise RefusedError(BAD_REQUEST, f"The form cannot be read: {bad.detail}") from None


def _limited(request: "Request", limit: int, max_mb: float) -> "Request":
    """Return a request whose body cannot be read beyond a limit.

    What lies beyond is read and dropped, as far again: who still sends would not see the answer.
    """
    from fastapi import Request

    n_read = 0

    async def receive() -> "Message":
        nonlocal n_read
        message = await request.receive()
        n_read += len(message.get("body", b""))
        if n_read <= limit:
            return message
        while message.get("more_body") and n_read <= 2 * limit:
            message = await request.receive()
            n_read += len(message.get("body", b""))
        raise RefusedError(TOO_LARGE, f"The request is larger than {max_mb:g} MB: send less.")

    return Request(request.scope, receive)


async def _parts(
    parts: "list[tuple[str, UploadFile | str]]", folder: Path
) -> tuple[bytes, dict[str, Path]]:
    from starlette.concurrency import run_in_threadpool

    content: bytes | None = None
    uploads: dict[str, Path] = {}
    for name, part in parts:
        if name in uploads or (name == ADS and content is not None):
            raise RefusedError(WRONG_AD, f"The form has the part {name!r} twice: name each apart.")
        if name == ADS:
            content = part.encode() if isinstance(part, str) else await part.read()
        elif isinstance(part, str):
            raise RefusedError(
                WRONG_AD, f"The part {name!r} is no file; what is no file goes into {ADS!r}."
            )
        else:
            ending = _ENDING.search(part.filename or "")
            path = folder / f"{len(uploads)}{ending[0].lower() if ending else ''}"
            await run_in_threadpool(_write, part, path)
            uploads[name] = path
    if content is None:
        raise RefusedError(BAD_REQUEST, f"The form has no part {ADS!r} with the ads as JSON.")
    return content, uploads


def _write(part: "UploadFile", path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("xb") as file:
        shutil.copyfileobj(part.file, file)
