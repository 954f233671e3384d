"""The score of a leaderboard file, where the true tags of its ads are known."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from competition.datasets.base import AdDataset, TagColumns
from competition.datasets.label_doubts import RARE_SEPARATORS, fused_tags
from competition.datasets.labels import SEPARATORS, read_flags, read_tags
from competition.datasets.metadata import NULL_WORDS
from competition.datasets.problems import Problems
from competition.datasets.reading import read_table
from competition.datasets.table_rows import Table
from competition.evaluation.metrics import Scores, score
from competition.submission.read import read_submission, read_text, without_mp4
from competition.utils.errors import SubmissionError, nearest

_NAMED = 3  # ads that a message names


@dataclass(frozen=True)
class Truth:
    """The true tags of ads.

    Attributes
    ----------
    source : str
        Where they come from, for messages.
    of : dict of str to frozenset of str
        True tags by ad id.
    """

    source: str
    of: dict[str, frozenset[str]]

    @property
    def tags(self) -> set[str]:
        """Every tag that some ad carries."""
        return set().union(*self.of.values())


def read_truth(path: Path, dataset: AdDataset | None = None) -> Truth:
    """Read the true tags of ads.

    Parameters
    ----------
    path : Path
        Either a text file with rows of ``<id>.mp4<TAB>tag,tag,...``, or a table with a header, the
        ids in the dataset's id column (else in ``id``, else in the first). The tags are in the
        dataset's tag columns, as it separates them; else in the columns that are named like its
        dimensions; else in the only other column, separated by ``|``, or by commas where no cell
        has a ``|``. Where none of this is so, the file is refused.
    dataset : AdDataset, optional
        Where its list of tags is closed, other tags are an error.

    Raises
    ------
    SubmissionError
        If a row is malformed, names an ad again or has an unknown tag. The message says which.
    """
    id_column = "id" if dataset is None else dataset.submission.id_column
    if path.suffix == ".txt" or _is_tagging_info(path, id_column):
        rows = _tagging_rows(read_text(path), path)
    else:
        rows = _table_rows(path, id_column, dataset)
    known = None if dataset is None or not dataset.tags_are_closed else dataset.tag_names
    truth: dict[str, frozenset[str]] = {}
    for number, ad, tags in rows:
        if not ad:
            raise SubmissionError(f"{path}, row {number} has no ad id. Give it one.")
        if ad in truth:
            raise SubmissionError(f"{path}, row {number}: ad {ad!r} is there twice. Remove one.")
        names = frozenset(tag.strip() for tag in tags if tag.strip())
        unknown = sorted(names - set(known)) if known is not None else []
        if known is not None and unknown:
            raise SubmissionError(
                f"{path}, row {number}: ad {ad!r} has the tag {unknown[0]!r}, which the dataset "
                f"does not know.{nearest(unknown[0], known)} Correct it."
            )
        truth[ad] = names
    return Truth(str(path), truth)


def score_submission(path: Path, dataset: AdDataset | None, truth: Path | None) -> Scores:
    """Score a leaderboard file; its GAP is that of the official scorer, but exact under ties.

    Parameters
    ----------
    path : Path
        A file of any format that `competition.submission.write` knows.
    dataset : AdDataset or None
        Where given, its tags are the ones that may occur. Without one they are the 82 of TAAC 2021
        if those include all true tags, else the ones of the truth and the file.
    truth : Path or None
        A file for `read_truth`. Without one the true tags are those of the dataset's test ads where
        it knows them, else its training labels if the file predicts training ads. A true tag that
        neither the dataset nor the file knows has the score 0, like one that is not listed.

    Raises
    ------
    SubmissionError
        If a file is malformed, the truth is not known, or the two name different ads.
    """
    top_k = 20 if dataset is None else dataset.submission.top_k
    known = None if truth is None else read_truth(truth, dataset)
    dimension_of = _dimensions(dataset, known)
    id_column = "id" if dataset is None else dataset.submission.id_column
    submission = read_submission(path, list(dimension_of) or None, top_k, id_column)
    if known is None:
        known = _truth_of_dataset(dataset, submission.ids, path)
    rows = {without_mp4(ad): row for row, ad in enumerate(submission.ids)}
    true_tags = {without_mp4(ad): tags for ad, tags in known.of.items()}
    _check_same_ads(rows, true_tags, path, known.source)
    _check_same_tags({*dimension_of, *submission.tags}, known, dataset)
    tags = list(dimension_of) or list(submission.tags)
    tags += sorted(known.tags - set(tags))
    columns = {tag: column for column, tag in enumerate(tags)}
    labels = np.zeros((len(rows), len(tags)), dtype=np.uint8)
    for ad, row in rows.items():
        labels[row, [columns[tag] for tag in true_tags[ad]]] = 1
    scores = np.zeros(labels.shape)
    scores[:, [columns[tag] for tag in submission.tags]] = submission.scores
    return score(labels, scores, [dimension_of.get(tag, "all") for tag in tags], top_k=top_k)


def _dimensions(dataset: AdDataset | None, truth: Truth | None) -> dict[str, str]:
    """Return the dimension of each known tag; empty where only the files know the tags."""
    from competition.datasets.taac2021 import official_tags

    if dataset is not None:
        return {tag.name: tag.dimension for tag in dataset.tags}
    official = official_tags()
    if truth is not None and truth.tags <= set(official):
        return {tag.name: tag.dimension for tag in official.values()}
    return {}


def _truth_of_dataset(dataset: AdDataset | None, ids: Sequence[str], path: Path) -> Truth:
    if dataset is None:
        raise SubmissionError(
            f"The true tags for {path} are not known. Pass a file that holds them as --truth, or "
            "the dataset of its ads."
        )
    if dataset.truth is not None:
        return read_truth(dataset.truth, dataset)
    known = [("training", dataset.train_ids, dataset.labels)]
    if dataset.test_labels is not None:
        known.append(("test", dataset.test_ids, dataset.test_labels))
    names = np.array(dataset.tag_names, dtype=object)
    for split, ads, labels in known:
        if {without_mp4(ad) for ad in ids} <= {without_mp4(ad) for ad in ads}:
            tags = {ad: frozenset(names[row == 1]) for ad, row in zip(ads, labels, strict=True)}
            return Truth(f"the {split} ads of {dataset.name}", tags)
    raise SubmissionError(
        f"{path} predicts ads that are not training ads of {dataset.name}, and their true tags are "
        "not known. Pass a file that holds them as --truth."
    )


def _check_same_tags(tags: set[str], truth: Truth, dataset: AdDataset | None) -> None:
    """Refuse a truth in another layout, where "tags" are several, or hardly any is a known one."""
    strange = truth.tags - tags
    for separator in (*SEPARATORS, *RARE_SEPARATORS):
        fused = fused_tags(strange, separator, tags)
        if 2 * len(fused) > len(strange):
            ad = min(ad for ad, names in truth.of.items() if names & fused.keys())
            example = min(truth.of[ad] & fused.keys())
            declared = {one.separator for one in dataset.tag_columns} if dataset else set()
            named = declared.pop() if len(declared) == 1 else None
            advice = "Separate them by |."
            if named is not None:
                advice = f"Separate them by {named!r}, as the dataset does."
            raise SubmissionError(
                f"{truth.source}: ad {ad!r} has the tag {example!r}, which nobody knows, but "
                f"{' and '.join(map(repr, fused[example]))} are tags: {separator!r} separates them "
                f"there. {advice}"
            )
    found = [tag for names in truth.of.values() for tag in names]
    unknown = [tag for tag in found if tag not in tags]
    if 2 * len(unknown) > len(found):
        raise SubmissionError(
            f"{truth.source}: {len(unknown):,} of its {len(found):,} tags are unknown, such as "
            f"{min(unknown)!r}. Give an id and the names of its tags, separated by | or commas."
        )


def _check_same_ads(
    predicted: Mapping[str, int], true: Mapping[str, frozenset[str]], path: Path, source: str
) -> None:
    faults = []
    for fault, ads in {
        "missing": [ad for ad in true if ad not in predicted],
        "extra": [ad for ad in predicted if ad not in true],
    }.items():
        if ads:
            names = ", ".join(ads[:_NAMED]) + (", ..." if len(ads) > _NAMED else "")
            faults.append(f"{len(ads)} {fault} ({names})")
    if faults:
        raise SubmissionError(
            f"{path} and {source} name different ads: {' and '.join(faults)}. Predict exactly "
            "the ads whose truth is known."
        )


def _tagging_rows(text: str, path: Path) -> list[tuple[int, str, Iterable[str]]]:
    """Return row number, id and tags of each row of ``<id>.mp4<TAB>tag,tag,...``."""
    rows: list[tuple[int, str, Iterable[str]]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        name, *cells = line.rstrip("\r").split("\t")
        if len(cells) != 1:
            raise SubmissionError(
                f"{path}, row {number} is not of the form <id>.mp4<TAB>tag,tag,...: "
                f"{line[:60]!r}. Put exactly one tab between the id and its tags."
            )
        rows.append((number, without_mp4(name.strip()), cells[0].split(",")))
    if not rows:
        raise SubmissionError(f"{path} holds no ads. Give one row per ad.")
    return rows


def _is_tagging_info(path: Path, id_column: str) -> bool:
    """Return whether a file begins with an ad, a tab and its tags, and not with a header."""
    try:
        with path.open("rb") as file:
            first = file.readline(4096)
    except OSError as error:
        raise SubmissionError(f"{path} cannot be read: {error.strerror}.") from error
    ad, *rest = first.split(b"\t")
    return len(rest) == 1 and ad.strip() not in (b"id", id_column.encode())


def _table_rows(
    path: Path, wanted: str, dataset: AdDataset | None
) -> list[tuple[int, str, Iterable[str]]]:
    """Return line, id and tags of each row of a table."""
    problems = Problems()
    table = read_table(path, str(path), [], problems)
    if problems.errors:
        raise SubmissionError(str(problems.errors[0]))
    if not len(table.lines):
        raise SubmissionError(f"{path} holds no ads. Give a header and one row per ad.")
    names = list(table.cells.columns)
    id_column = next((name for name in (wanted, "id") if name in names), names[0])
    tags: list[list[str]] = [[] for _ in table.lines]
    for spec in _columns_of_tags(path, table, id_column, dataset):
        if spec.separator is None:
            flags = read_flags(
                table.cells[list(spec.columns)], table.place, spec.null_words, problems
            )
            for row, column in np.argwhere(flags):
                tags[row].append(spec.columns[column])
        else:
            read = read_tags(table.cells[spec.columns[0]], spec.separator, spec.null_words)
            for of_ad, code in zip(tags, read.codes, strict=True):
                of_ad.extend(read.tags[code])
    if problems.errors:
        raise SubmissionError(str(problems.errors[0]))
    ids = table.cells[id_column]
    return [(int(line), ad, row) for line, ad, row in zip(table.lines, ids, tags, strict=True)]


def _columns_of_tags(
    path: Path, table: Table, id_column: str, dataset: AdDataset | None
) -> list[TagColumns]:
    """Return the columns that the dataset declares, or the obvious ones."""
    names = [name for name in table.cells.columns if name != id_column]
    if not names:
        raise SubmissionError(f"{path} has no column of tags beside its ids. Add one.")
    declared = () if dataset is None else dataset.tag_columns
    found = [spec for spec in declared if set(spec.columns) <= set(names)]
    if found:
        return found
    dimensions = set() if dataset is None else {tag.dimension for tag in dataset.tags}
    obvious = [name for name in names if name in dimensions] or [
        name for name in names if len(names) == 1
    ]
    if not obvious:
        of_dataset = ", ".join(column for spec in declared for column in spec.columns)
        raise SubmissionError(
            f"{path} has the columns {', '.join(names)}, and which of them hold tags is not said. "
            + (
                f"The dataset's are called {of_dataset}. Rename them so, or give an id and one "
                "column of tags."
                if of_dataset
                else "Give an id and one column of tags, or the dataset that names its columns."
            )
        )
    separators = {spec.separator for spec in declared if spec.separator is not None}
    nulls = declared[0].null_words if declared else NULL_WORDS
    if len(separators) == 1:
        separator = separators.pop()
    else:
        has_bar = any(table.cells[name].str.contains("|", regex=False).any() for name in obvious)
        separator = "|" if has_bar else ","
    return [TagColumns((name,), separator, nulls) for name in obvious]
