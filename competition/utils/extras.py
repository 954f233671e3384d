"""Libraries that not every installation has, and the extras of this package that bring them."""

from collections.abc import Iterable
from importlib.util import find_spec

EXTRAS = {
    "PIL": "media",
    "av": "media",
    "fastapi": "serve",
    "gensim": "networks",
    "matplotlib": "plots",
    "onnxruntime": "media",
    "ray": "cluster",
    "pylopdf_fonts_zh_cn": "demo",
    "python_multipart": "serve",
    "rapidocr": "media",
    "safetensors": "networks",
    "s3fs": "s3",
    "submitit": "slurm",
    "tokenizers": "networks",
    "torch": "networks",
    "transformers": "networks",
    "uvicorn": "serve",
    "xgboost": "xgboost-cpu",
}
# What cuts texts into words. Every installation has them; each is imported for its own scripts.
CUTTERS = ("jieba", "rjieba", "icu4py")


def lacking(libraries: Iterable[str]) -> str:
    """Say which of some libraries is not installed and how to get it; "" if all are there.

    Parameters
    ----------
    libraries : iterable of str
        Names to import.

    Examples
    --------
    >>> lacking(["numpy"])
    ''
    >>> lacking(["numpy", "no_such_library"])
    'no_such_library is not installed.'
    """
    return next((how_to_get(name) for name in libraries if find_spec(name) is None), "")


def how_to_get(library: str) -> str:
    """Say that a library is not installed, and what to install.

    Examples
    --------
    >>> how_to_get("torch")
    "torch is not installed: pip install 'competition[networks]'."
    >>> how_to_get("icu4py")
    'icu4py is not installed: pip install icu4py.'
    """
    wanted = f"'competition[{EXTRAS[library]}]'" if library in EXTRAS else library
    hint = f": pip install {wanted}" if library in (*EXTRAS, *CUTTERS) else ""
    return f"{library} is not installed{hint}."
