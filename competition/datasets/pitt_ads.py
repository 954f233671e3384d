"""Layout `pitt_ads`: the image ads of Hussain et al. (2017) with their topics and sentiments.

The folder holds the released annotations and the images::

    Topics.json           {"7/62717.jpg": ["10", "11", "musical instruments"], ...}: a vote each
    Sentiments.json       {"7/62717.jpg": [["18", "19"], ["19"]], ...}: each annotator's votes
    Topics_List.txt       1  "Restaurants, cafe, fast food" (ABBREVIATION: "restaurant")
    Sentiments_List.txt   1. "Active (energetic, ...)" (ABBREVIATION: "active")
    0/ ... 10/            the images
    regions/0/ ...        optional: features of detected regions, <image name>.npy, (regions, dims)

An ad carries the tags that at least two of its annotators name; where no two agree, it carries all
tags that any of them names. Topics and sentiments are counted separately.

There is no official split. An ad is a test ad if the SHA-256 of its path, as a number, is divisible
by 5: a fifth of the ads, the same on every machine, whichever images are present.

References
----------
Hussain, Zhang, Zhang, Ye, Thomas, Agha, Ong, Kovashka: Automatic understanding of image and video
advertisements, CVPR 2017.
"""

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from competition.datasets.base import AdDataset, Input, SubmissionSpec, Tag
from competition.datasets.paths import KINDS, SENTENCES, DatasetFolder, PathFault
from competition.datasets.problems import Problems

VOTES = {"topic": Path("Topics.json"), "sentiment": Path("Sentiments.json")}
LISTS = {"topic": Path("Topics_List.txt"), "sentiment": Path("Sentiments_List.txt")}
REGIONS = Path("regions")
AGREEING = 2  # annotators who must name a tag
TEST_SHARE = 5  # one ad in so many is a test ad

_LINE = re.compile(r'(\d+)[\s.,]*"([^"]*)"\s*\(\s*ABBREVIATION\s*:\s*"([^"]+)"')
_SHORT_LINE = re.compile(r'(\d+)[\s.,]+"?([^"]+?)"?')


@dataclass
class _Vocabulary:
    """The tags of one dimension, by number and by name, as votes name them."""

    tags: dict[str, Tag] = field(default_factory=dict)  # by number, in the order of the list
    by_name: dict[str, str] = field(default_factory=dict)  # number by lower-case name

    def id_of(self, vote: str) -> str | None:
        number = vote.lstrip("0") or vote
        return number if number in self.tags else self.by_name.get(vote.lower())


def read(root: Path, problems: Problems) -> AdDataset:
    """Read a folder of this layout; add its faults to `problems`.

    Ads without a topic, a sentiment or an image are left out, with a note. The labels of the test
    ads are known.
    """
    tags: list[Tag] = []
    named: dict[str, dict[str, set[str]]] = {}  # tags by ad, by dimension
    for dimension, path in VOTES.items():
        vocabulary = _vocabulary(root, dimension, {tag.name for tag in tags}, problems)
        tags += vocabulary.tags.values()
        named[dimension] = _named(_annotations(root, path, problems), vocabulary, path, problems)
    topics, sentiments = named.values()
    both = [ad for ad in topics if ad in sentiments]
    one = len(topics) + len(sentiments) - 2 * len(both)
    if one:
        text = f"{one:,} ads have either no topic or no sentiment: they are left out."
        problems.note("one dimension", " and ".join(map(str, VOTES.values())), text)
    folder = DatasetFolder(root)
    faults: dict[str, PathFault | None] = {ad: folder.path_inside(ad, media=True) for ad in both}
    for ad, fault in faults.items():
        if fault is not None and fault != "absent":
            text = f"the image {SENTENCES[fault]}: the ad is left out. Copy the image."
            problems.warning(KINDS[fault], ad, text, ad)
    images = [ad for ad, fault in faults.items() if fault is None]
    if len(images) < len(both):
        absent = min(set(both) - set(images))
        text = f"{len(both) - len(images):,} of {len(both):,} ads have no image, such as {absent}: "
        problems.note("no image", "0/ to 10/", text + "they are left out.")
    train = [ad for ad in images if not _is_test(ad)]
    test = [ad for ad in images if _is_test(ad)]
    if not train:
        text = "no training ad has an image, a topic and a sentiment. Add the images."
        problems.error("no ads", str(VOTES["topic"]), text)
    index = pd.Index(train + test, name="id", dtype="str")
    column_of = {tag.name: column for column, tag in enumerate(tags)}
    labels = np.zeros((len(index), len(tags)), dtype=np.uint8)
    for row, ad in enumerate(index):
        labels[row, [column_of[name] for name in topics[ad] | sentiments[ad]]] = 1
    ads, inputs = _inputs(folder, index)
    ads.insert(0, "split", pd.Series(["train"] * len(train) + ["test"] * len(test), index, "str"))
    return AdDataset(
        name="pitt_ads",
        root=root,
        ads=ads,
        tags=tuple(tags),
        labels=labels[: len(train)],
        inputs=inputs,
        submission=SubmissionSpec("wide", 20),
        test_labels=labels[len(train) :],
    )


def _is_test(ad: str) -> bool:
    return int.from_bytes(hashlib.sha256(ad.encode()).digest()) % TEST_SHARE == 0


def _inputs(folder: DatasetFolder, index: pd.Index) -> tuple[pd.DataFrame, dict[str, Input]]:
    columns = {"picture": pd.Series(index, index, dtype="object")}
    inputs = {"picture": Input("picture", "image", ("picture",))}
    paths = {ad: (REGIONS / ad).with_suffix(".npy") for ad in index}
    there = {
        ad: path.as_posix()
        for ad, path in paths.items()
        if folder.path_inside(path.as_posix(), media=True) is None
    }
    if there:
        columns["regions"] = pd.Series([there.get(ad) for ad in index], index, dtype="object")
        inputs["regions"] = Input("regions", "array", ("regions",))
    return pd.DataFrame(columns, index=index), inputs


def _vocabulary(root: Path, dimension: str, taken: set[str], problems: Problems) -> _Vocabulary:
    """Read the tags of a dimension: on each line a number, a description and a short name."""
    vocabulary = _Vocabulary()
    path = LISTS[dimension]
    fault = DatasetFolder(root).path_inside(str(path))
    if fault is not None:
        problems.error(KINDS[fault], str(path), f"the file {SENTENCES[fault]}. Add it.")
        return vocabulary
    for number, line in enumerate(_text((root / path).read_bytes()).splitlines(), start=1):
        line = " ".join(line.translate(_QUOTES).split())
        if not line:
            continue
        where = f"{path}:{number}"
        match = _LINE.match(line) or _SHORT_LINE.fullmatch(line)
        if match is None:
            text = f'write 1 "description" (ABBREVIATION: "name") in place of {line[:60]!r}.'
            problems.error("malformed table", where, text)
            continue
        identifier, *names = (group.strip() for group in match.groups())
        name = names[-1].lower()
        if identifier in vocabulary.tags or name in taken:
            text = f"the {dimension} {name} or its number {identifier} stands twice. Remove one."
            problems.error("malformed table", where, text)
            continue
        taken.add(name)
        vocabulary.tags[identifier] = Tag(name, dimension)
        vocabulary.by_name |= {known.lower(): identifier for known in names}
    return vocabulary


_QUOTES = str.maketrans("“”„″", '""""')


def _text(data: bytes) -> str:
    """Decode a list of tags: the release has one in UTF-16 and one in Latin-1."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    if b"\0" in data:
        return data.decode("utf-16-le", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _annotations(root: Path, relative: Path, problems: Problems) -> dict[str, list[Any]]:
    """Read the annotators' votes by ad."""
    path = root / relative
    fault = DatasetFolder(root).path_inside(str(relative))
    if fault is not None:
        problems.error(KINDS[fault], str(relative), f"the file {SENTENCES[fault]}. Add it.")
        return {}
    try:
        value = json.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as bad:
        text = f"byte {bad.start} is not UTF-8: save the file as UTF-8."
        problems.error("not UTF-8", str(relative), text)
        return {}
    except (ValueError, RecursionError) as bad:  # of its syntax, or endless nesting
        problems.error("malformed JSON", str(relative), f"malformed JSON: {bad}. Correct the file.")
        return {}
    if not isinstance(value, dict):
        text = "expected an object with a list of votes for each image. Correct the file."
        problems.error("malformed JSON", str(relative), text)
        return {}
    votes = {}
    for ad, annotators in value.items():
        if _is_votes(annotators):
            votes[ad] = annotators
        else:
            text = "expected a list of votes, or of lists of votes. Correct or remove the entry."
            problems.error("malformed JSON", str(relative), text, ad)
    return votes


def _is_votes(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(vote, str | int)
        or (isinstance(vote, list) and all(isinstance(one, str | int) for one in vote))
        for vote in value
    )


def _named(
    annotations: dict[str, list[Any]], vocabulary: _Vocabulary, path: Path, problems: Problems
) -> dict[str, set[str]]:
    """Return the tags of each ad that has any, by the rule at the top of this module."""
    unknown: Counter[str] = Counter()
    written = 0
    tags_of: dict[str, set[str]] = {}
    for ad, annotators in annotations.items():
        counts: Counter[str] = Counter()
        for votes in annotators:
            found = set()
            for vote in votes if isinstance(votes, list) else [votes]:
                identifier = vocabulary.id_of(str(vote).strip())
                if identifier is not None:
                    found.add(identifier)
                elif str(vote).strip().isdigit():
                    unknown[str(vote).strip()] += 1
                else:
                    written += 1
            counts.update(found)
        enough = min(AGREEING, max(counts.values(), default=AGREEING))
        names = {vocabulary.tags[i].name for i, count in counts.items() if count >= enough}
        if names:
            tags_of[ad] = names
    for identifier, count in sorted(unknown.items()):
        text = f"{count:,} vote(s) are for the number {identifier}, which the list of tags lacks: "
        problems.warning("unknown tag", str(path), text + "they do not count.")
    if written:
        text = f"{written:,} vote(s) are an annotator's own words and no tag of the list: "
        problems.note("own words", str(path), text + "they do not count.")
    return tags_of
