"""What lies under a URL: a server that speaks S3, what it holds, and how that is copied."""

import errno
from typing import Any

from competition.utils.errors import DatasetError

SCHEME = "s3"
ANSWERS_IN = 10.0  # seconds of silence until a server is asked again
TRIES = 2  # of a request, both of botocore and of s3fs: it is asked four times in all
# Other numbers are what s3fs makes of a server's answers, or of the network.
OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.ENAMETOOLONG}


def server() -> Any:
    """Return the client of the server, which tells within a minute that it does not answer."""
    import s3fs

    silence = {"connect_timeout": ANSWERS_IN, "read_timeout": ANSWERS_IN}
    tries = {"mode": "standard", "total_max_attempts": TRIES}
    files = s3fs.S3FileSystem(skip_instance_cache=True, config_kwargs={**silence, "retries": tries})
    files.retries = TRIES
    return files


def listed(files: Any, place: str, url: str) -> tuple[dict[str, str], dict[str, list[Any]]]:
    """Return the key, and the size and tag, of each file by its path below the folder."""
    keys: dict[str, str] = {}
    there: dict[str, list[Any]] = {}
    try:
        found = files.find(place, detail=True)
    except Exception as bad:  # of botocore, aiohttp or the system, by what is wrong
        raise _unreadable(url, bad) from bad
    for key, about in found.items():
        if key == place:
            raise DatasetError(f"{url} is a file. Pass the folder that holds it.")
        if key.endswith("/"):  # what consoles make to show an empty folder
            continue
        path = _relative(key, place, url)
        if path in keys:
            raise _clash(url, key, keys[path])
        keys[path] = key
        there[path] = [int(about["size"]), str(about.get("ETag", ""))]
    for path, key in keys.items():
        while path := path.rpartition("/")[0]:
            if path in keys:
                raise _clash(url, key, keys[path])
    if not there:
        raise DatasetError(f"{url} holds no file. Pass the folder of the ads.")
    return keys, there


def _clash(url: str, one: str, other: str) -> DatasetError:
    return DatasetError(
        f"{url} holds {one!r} and {other!r}, which cannot both be files of a disk: the path of one "
        "is, or leads through, that of the other. Remove or rename one of them there."
    )


def get(files: Any, keys: list[str], paths: list[str], url: str) -> None:
    """Copy some files; errors of this machine's disk are raised as they are."""
    try:
        files.get(keys, paths)
    except Exception as bad:
        if isinstance(bad, OSError) and bad.errno in OF_THE_DISK:
            raise
        raise _unreadable(url, bad) from bad


def _unreadable(url: str, bad: Exception) -> DatasetError:
    reason = (str(bad).strip() or type(bad).__name__).splitlines()[0].rstrip(".")
    return DatasetError(
        f"{url} cannot be read: {reason}. The credentials are those that boto3 finds "
        "(AWS_ACCESS_KEY_ID, ~/.aws, the machine's role), another server is named by "
        "AWS_ENDPOINT_URL. What was copied is kept, and the same command goes on."
    )


def _relative(key: str, place: str, url: str) -> str:
    """Name of a file below the folder, as a path has it; one that would lie outside is refused."""
    name = key.removeprefix(f"{place}/")
    parts = [one for one in name.split("/") if one not in ("", ".")]
    if not parts or ".." in parts or "\\" in name:
        raise DatasetError(
            f"{url} holds a file {name!r}, which would lie outside of the folder it is copied to. "
            "Remove or rename it there."
        )
    return "/".join(parts)
