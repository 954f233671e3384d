"""One feature of an ad that has several files: what was extracted from each, joined in order.

Arrays are stacked along their first axis, texts stand on lines of their own, and of metadata the
mean over the files counts that have it. A file that cannot be read is left out; only where none can
the ad is without the feature.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from competition.features.base import Extracted
from competition.features.store import FeatureStore
from competition.utils.errors import MediaError
from competition.utils.files import digest

AT_ONCE = 256  # ads that are written together


def join_files(store: FeatureStore, files: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Store the joined feature of each ad that has several files, unless it is stored.

    Parameters
    ----------
    store : FeatureStore
        With the features of all files.
    files : mapping of str to sequence of str
        Keys of each ad's files, in order.

    Returns
    -------
    dict of str to str
        The key of each ad's feature; of an ad with one file it is that of the file.
    """
    keys = {ad: key_of_files(its) for ad, its in files.items()}
    several = {keys[ad]: its for ad, its in files.items() if len(its) > 1}
    if not several:
        return keys
    found = store.read()
    missing = [key for key in several if key not in found.index]
    for start in range(0, len(missing), AT_ONCE):
        block = missing[start : start + AT_ONCE]
        store.write(block, [_joined(store, found.loc[list(several[key])]) for key in block])
    return keys


def key_of_files(keys: Sequence[str]) -> str:
    """Return the key of an ad's feature: that of its file, or of several files together."""
    return keys[0] if len(keys) == 1 else digest("files", list(keys))


def _joined(store: FeatureStore, rows: pd.DataFrame) -> Extracted:
    good = rows[rows["error"] == ""]
    if good.empty:
        return MediaError("; ".join(dict.fromkeys(rows["error"])))
    if "start" in good and good["start"].notna().all():
        arrays = [store.array(row) for row in good.itertuples()]
        dims = {array.shape[1] for array in arrays}
        if len(dims) > 1:
            shown = ", ".join(map(str, sorted(dims)))
            return MediaError(f"its files have different numbers of values a row: {shown}")
        return np.concatenate(arrays)
    if "text" in good and good["text"].notna().all():
        return "\n".join(text for text in good["text"] if text)
    values = good.drop(columns=["error", "shard"]).astype(np.float64).mean()
    return {str(name): float(value) for name, value in values.items()}
