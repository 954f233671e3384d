"""Layout `pitt_ads`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from competition.datasets import load_dataset, read_dataset
from competition.datasets.base import AdDataset
from competition.datasets.problems import Problems
from competition.submission.score import score_submission
from competition.submission.write import write_submission
from tests.made_pitt import write_lists, write_pitt, write_votes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_pitt(tmp_path / "pitt", 30)


def tags_of(dataset: AdDataset, ad: str) -> set[str]:
    assert dataset.test_labels is not None
    labels = np.vstack([dataset.labels, dataset.test_labels])
    row = labels[dataset.ads.index.get_loc(ad)]
    return {name for name, there in zip(dataset.tag_names, row, strict=True) if there}


def read_one(folder: Path, topics: object, sentiments: object) -> tuple[set[str], Problems]:
    """Tags of the ad 0/1000.jpg under these votes, and what was found."""
    ad = "0/1000.jpg"
    write_votes(folder, {ad: topics, "1/1001.jpg": ["9"]}, {ad: sentiments, "1/1001.jpg": [["8"]]})
    problems = Problems()
    return tags_of(read_dataset(folder, problems), ad), problems


def test_lists_are_read_in_the_encodings_of_the_release(folder: Path) -> None:
    dataset = load_dataset(folder)
    assert [(tag.name, tag.dimension) for tag in dataset.tags] == [
        ("restaurant", "topic"),
        ("cars", "topic"),
        ("active", "sentiment"),
        ("calm", "sentiment"),
        ("sad", "sentiment"),
    ]
    assert {name: given.kind for name, given in dataset.inputs.items()} == {"picture": "image"}


def test_a_tag_needs_two_annotators(folder: Path) -> None:
    tags, _ = read_one(folder, ["9", "1", "9"], [["1", "8"], ["8"], ["28"]])
    assert tags == {"cars", "calm"}


def test_where_no_two_agree_all_that_is_named_counts(folder: Path) -> None:
    tags, _ = read_one(folder, ["9", "1"], [["1"], ["8"]])
    assert tags == {"cars", "restaurant", "active", "calm"}


def test_an_annotator_counts_once_for_a_tag(folder: Path) -> None:
    tags, _ = read_one(folder, ["9"], [["8", "8"], ["1"], ["1"]])
    assert tags == {"cars", "active"}


def test_votes_may_be_numbers_names_or_descriptions(folder: Path) -> None:
    tags, problems = read_one(folder, [9, "Cars"], [["Calm", "active"], ["Active (energetic)"]])
    assert tags == {"cars", "active"}
    assert not problems.found


def test_votes_that_do_not_count_are_reported(folder: Path) -> None:
    _, problems = read_one(folder, ["39", "9", "39", "boats"], [["8"]])
    assert [(p.level, p.kind, p.text.split(" vote")[0]) for p in problems.found] == [
        ("warning", "unknown tag", "2"),
        ("note", "own words", "1"),
    ]
    assert "39" in problems.found[0].text


def test_ads_without_both_dimensions_or_without_image_are_left_out(folder: Path) -> None:
    ads = {"0/1000.jpg": ["9"], "1/1001.jpg": ["9"], "2/none.jpg": ["1"], "3/1003.jpg": ["own"]}
    write_votes(folder, ads, {ad: [["8"]] for ad in ["0/1000.jpg", "2/none.jpg", "3/1003.jpg"]})
    problems = Problems()
    assert list(read_dataset(folder, problems).ads.index) == ["0/1000.jpg"]
    texts = {p.kind: p.text for p in problems.found}
    assert texts["one dimension"].startswith("2 ads")
    assert texts["no image"] == "1 of 2 ads have no image, such as 2/none.jpg: they are left out."


def test_image_outside_the_folder_is_no_image(folder: Path) -> None:
    (folder.parent / "away.jpg").write_bytes((folder / "0/1000.jpg").read_bytes())
    votes = {"../away.jpg": ["9"], "1/1001.jpg": ["9"], "5/1005.jpg": ["9"]}
    write_votes(folder, votes, {ad: [["8"]] for ad in votes})
    assert "../away.jpg" not in load_dataset(folder).ads.index


def test_split_is_a_fifth_and_independent_of_what_else_is_there(tmp_path: Path) -> None:
    whole = load_dataset(write_pitt(tmp_path / "pitt", 200))
    assert 25 <= len(whole.test_ids) <= 55
    for path in (tmp_path / "pitt" / "4").glob("*.jpg"):
        path.unlink()
    rest = load_dataset(tmp_path / "pitt")
    assert len(rest.ads) < len(whole.ads)
    assert rest.ads["split"].equals(whole.ads["split"].reindex(rest.ads.index))


def test_regions_become_an_input(folder: Path) -> None:
    (folder / "regions" / "3").mkdir(parents=True)
    np.save(folder / "regions" / "3" / "1003.npy", np.ones((4, 8), dtype=np.float32))
    dataset = load_dataset(folder)
    assert dataset.inputs["regions"].kind == "array"
    assert dataset.ads["regions"].dropna().to_dict() == {"3/1003.jpg": "regions/3/1003.npy"}


def test_test_labels_score_a_submission(folder: Path, tmp_path: Path) -> None:
    dataset = load_dataset(folder)
    assert dataset.test_labels is not None
    path = tmp_path / "submission.csv"
    scores = dataset.test_labels * 0.8 + 0.1
    write_submission(path, dataset.submission, dataset.tag_names, list(dataset.test_ids), scores)
    assert score_submission(path, dataset, None).map == 1.0


def not_json(folder: Path) -> None:
    (folder / "Topics.json").write_text('{"0/1000.jpg": ["1"', encoding="utf-8")


def not_utf8(folder: Path) -> None:
    (folder / "Topics.json").write_bytes('{"é.jpg": ["1"]}'.encode("latin-1"))


def bad_votes(folder: Path) -> None:
    votes = {"0/1000.jpg": [["8"]], "1/1001.jpg": [["8"]]}
    write_votes(folder, {"0/1000.jpg": {"votes": 3}, "1/1001.jpg": ["1"]}, votes)


def add_line(line: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        write_lists(folder)
        with (folder / "Sentiments_List.txt").open("a", encoding="latin-1") as file:
            file.write(line + "\n")

    return spoil


CASES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "cut off": (not_json, "malformed JSON", ""),
    "other encoding": (not_utf8, "not UTF-8", ""),
    "no list": (lambda f: write_votes(f, ["1"], {}), "malformed JSON", ""),
    "votes of another shape": (bad_votes, "malformed JSON", "0/1000.jpg"),
    "no number": (add_line("Sad"), "malformed table", ""),
    "number twice": (add_line('1. "Odd" (ABBREVIATION: "odd")'), "malformed table", ""),
    "name of a topic": (add_line('40. "Cars" (ABBREVIATION: "cars")'), "malformed table", ""),
    "absent file": (lambda f: (f / "Topics_List.txt").unlink(), "absent file", ""),
    "no ads": (lambda f: write_votes(f, {}, {}), "no ads", ""),
}


@pytest.mark.parametrize("case", CASES)
def test_fault_is_an_error_with_its_place(folder: Path, case: str) -> None:
    spoil, kind, ad = CASES[case]
    spoil(folder)
    problems = Problems()
    read_dataset(folder, problems)
    assert (kind, ad) in [(p.kind, p.ad) for p in problems.errors]
