"""Labels that are likely wrong, as the page lists them."""

import base64
import io
from dataclasses import dataclass, replace

import numpy as np

from competition.evaluation.label_errors import rank_label_errors
from competition.pipeline.label_errors import HEADER, FoundLabelErrors
from competition.report.shown import Shown

LISTED = 200  # pairs of an ad and a tag
TAGS = 12  # with the most doubtful labels


@dataclass(frozen=True)
class Doubt:
    """A label to be checked: `given` is true where it may be false, else it may be missing."""

    ad: str
    tag: str
    given: bool
    probability: float
    score: float
    confident: bool


@dataclass(frozen=True)
class Doubts:
    """Labels to be checked.

    Attributes
    ----------
    listed : list of Doubt
        The most suspicious first.
    by_tag : list of (str, int, int)
        Tags with the most pairs on the list: labels that may be false, and that may be missing.
    csv : str
        The list as a CSV file, in base 64.
    """

    listed: list[Doubt]
    by_tag: list[tuple[str, int, int]]
    csv: str


def doubtful_labels(shown: Shown) -> Doubts:
    """Rank the labels of the measured ads that the stack contradicts."""
    pairs = rank_label_errors(shown.data.labels, shown.oof, LISTED)
    pairs = replace(pairs, ad=shown.rows[pairs.ad])  # positions among all training ads
    found = FoundLabelErrors(shown.dataset, shown.stack, pairs)
    ids, names = shown.dataset.train_ids, shown.dataset.tag_names
    listed = [
        Doubt(str(ids[ad]), names[tag], bool(given), float(p), float(score), bool(confident))
        for ad, tag, given, p, score, confident in zip(
            pairs.ad, pairs.tag, pairs.given, pairs.probability, pairs.score, pairs.confident,
            strict=True,
        )
    ]  # fmt: skip
    n_tags = len(names)
    false = np.bincount(pairs.tag[pairs.given == 1], minlength=n_tags)
    missing = np.bincount(pairs.tag[pairs.given == 0], minlength=n_tags)
    most = np.argsort(-(false + missing), kind="stable")[:TAGS]
    by_tag = [(names[t], int(false[t]), int(missing[t])) for t in most if false[t] + missing[t]]
    written = io.StringIO()
    found.write_rows(written, HEADER)
    encoded = base64.b64encode(written.getvalue().encode()).decode()
    return Doubts(listed, by_tag, encoded)
