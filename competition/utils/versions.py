"""Versions of packages, as installed."""

from functools import cache
from importlib import metadata


@cache  # looked up in files, and asked for with every card
def version_of(package: str) -> str:
    """Version of a package; "" where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def installed(*packages: str) -> dict[str, str]:
    """Version of each package that is installed, in this order."""
    return {package: version for package in packages if (version := version_of(package))}
