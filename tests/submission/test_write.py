import csv
import json
import string
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from competition.datasets.base import SubmissionFormat, SubmissionSpec
from competition.submission.read import read_submission
from competition.submission.write import write_submission
from competition.utils.errors import SubmissionError

FORMATS = get_args(SubmissionFormat)
TAGS = ["室内", "单人口播", "静态"]
IDS = ["a1", "b2"]
SCORES = np.array([[0.1, 0.9, 0.5], [0.25, 0.25, 1.0]])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "submission"


def names(alphabet: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.text(alphabet, min_size=1, max_size=4), min_size=1, max_size=5, unique=True)


@st.composite
def predictions(draw: st.DrawFn) -> tuple[list[str], list[str], np.ndarray]:
    """Tags with letters of any kind, ids that need quotes in CSV, and any scores of at least 0."""
    tags = draw(names(string.ascii_letters + "室内,\"'|(é"))
    ids = draw(names(string.ascii_letters + ', "\n\t室;'))
    score = st.floats(0, allow_nan=False, allow_infinity=False)
    rows = st.lists(score, min_size=len(tags), max_size=len(tags))
    return tags, ids, np.array(draw(st.lists(rows, min_size=len(ids), max_size=len(ids))))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.parametrize("format", FORMATS)
@given(predictions())
def test_every_score_comes_back_to_the_last_bit(path, format, prediction):
    tags, ids, scores = prediction

    write_submission(path, SubmissionSpec(format), tags, ids, scores)
    back = read_submission(path, tags)

    assert (back.ids, back.tags) == (tuple(ids), tuple(tags))
    np.testing.assert_array_equal(back.scores, scores, strict=True)


@pytest.mark.parametrize("format", FORMATS)
def test_float32_scores_come_back_exactly(path, format):
    scores = np.random.default_rng(0).random((2, 3), dtype=np.float32)

    write_submission(path, SubmissionSpec(format), TAGS, IDS, scores)

    np.testing.assert_array_equal(read_submission(path, TAGS).scores, scores)


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_scores_make_the_same_bytes(path, format):
    files = []
    for _ in range(2):
        write_submission(path, SubmissionSpec(format), TAGS, IDS, SCORES)
        files.append(path.read_bytes())

    assert files[0] == files[1]


def test_taac2021_lists_the_best_tags_first_and_ties_in_tag_order(path):
    write_submission(path, SubmissionSpec("taac2021", 2), TAGS, IDS, SCORES)

    assert json.loads(path.read_text(encoding="utf-8")) == {
        "a1.mp4": {"result": [{"labels": ["单人口播", "静态"], "scores": ["0.9", "0.5"]}]},
        "b2.mp4": {"result": [{"labels": ["静态", "室内"], "scores": ["1.0", "0.25"]}]},
    }


def test_wide_has_a_column_for_every_tag(path):
    write_submission(path, SubmissionSpec("wide"), TAGS, IDS, SCORES)

    assert path.read_text(encoding="utf-8") == (
        "id,室内,单人口播,静态\na1,0.1,0.9,0.5\nb2,0.25,0.25,1.0\n"
    )


def test_youtube8m_lists_pairs_best_first_and_ties_in_tag_order(path):
    write_submission(path, SubmissionSpec("youtube8m", 2), TAGS, IDS, SCORES)

    assert path.read_text(encoding="utf-8") == (
        "VideoId,LabelConfidencePairs\na1,单人口播 0.9 静态 0.5\nb2,静态 1.0 室内 0.25\n"
    )


@pytest.mark.parametrize("format", ["taac2021", "youtube8m"])
def test_tags_beyond_top_k_score_zero(path, format):
    write_submission(path, SubmissionSpec(format, 1), TAGS, IDS, SCORES)

    assert read_submission(path, TAGS, top_k=1).scores.tolist() == [[0, 0.9, 0], [0, 0, 1]]


def test_wide_keeps_scores_beyond_top_k(path):
    write_submission(path, SubmissionSpec("wide", 1), TAGS, IDS, SCORES)

    np.testing.assert_array_equal(read_submission(path, TAGS).scores, SCORES)


def test_tags_with_spaces_survive_in_youtube8m(path):
    tags = ["science fiction", "science", "fiction", "top 10", "10", "0.5"]
    scores = np.random.default_rng(0).random((20, 6))
    ids = [str(i) for i in range(20)]

    write_submission(path, SubmissionSpec("youtube8m"), tags, ids, scores)

    np.testing.assert_array_equal(read_submission(path, tags).scores, scores)


def test_youtube8m_refuses_tags_that_could_be_mistaken_for_another(path):
    tags, scores = ["a", "a 0.5 b", "b"], np.array([[0.5, 0.1, 0.3]])

    with pytest.raises(SubmissionError, match="not written, because it could not be read back"):
        write_submission(path, SubmissionSpec("youtube8m"), tags, ["x"], scores)


@pytest.mark.parametrize("format", FORMATS)
def test_without_known_tags_those_of_the_file_are_taken(path, format):
    write_submission(path, SubmissionSpec(format), TAGS, IDS, SCORES)

    back = read_submission(path)

    order = [back.tags.index(tag) for tag in TAGS]
    np.testing.assert_array_equal(back.scores[:, order], SCORES)


def test_wide_columns_are_matched_by_tag(path):
    path.write_text("id,静态,室内,单人口播\na1,3,1,2\n", encoding="utf-8")

    assert read_submission(path, TAGS).scores.tolist() == [[1, 2, 3]]


def test_ids_may_lack_mp4_in_taac2021(path):
    path.write_text(taac({"a": entry(), "b.mp4": entry()}))

    assert read_submission(path, ["s", "t"]).ids == ("a", "b")


def test_ids_that_end_in_mp4_get_no_second_one(path):
    write_submission(path, SubmissionSpec("taac2021"), TAGS, ["a.mp4", "b.mp4"], SCORES)

    assert list(json.loads(path.read_text(encoding="utf-8"))) == ["a.mp4", "b.mp4"]


def test_wide_keeps_ids_that_end_in_mp4(path):
    write_submission(path, SubmissionSpec("wide"), TAGS, ["a.mp4", "b.mp4"], SCORES)

    assert read_submission(path).ids == ("a.mp4", "b.mp4")


@pytest.mark.parametrize("score", [0.75, 1, "0.75", " 1e-3 ", "inf"])
def test_scores_are_what_float_reads(path, score):
    path.write_text(taac({"a": entry(scores=[score, 0])}))

    assert read_submission(path, ["s", "t"]).scores[0, 0] == float(score)


def test_of_a_repeated_tag_the_last_score_counts(path):
    path.write_text(taac({"a": entry(["s", "t", "s"], [0.9, 0.5, 0.1])}))

    assert read_submission(path, ["s", "t"]).scores.tolist() == [[0.1, 0.5]]


def test_a_list_longer_than_top_k_is_read_whole(path):
    path.write_text(taac({"a": entry(["s", "t"], [0.9, 0.5])}))

    assert read_submission(path, ["s", "t"], top_k=1).scores.tolist() == [[0.9, 0.5]]


def test_a_byte_order_mark_is_ignored(path):
    path.write_text("id,s,t\na,1,2\n", encoding="utf-8-sig")

    assert read_submission(path, ["s", "t"]).scores.tolist() == [[1, 2]]


def test_a_space_after_the_last_pair_is_ignored(path):
    path.write_text("VideoId,LabelConfidencePairs\na,s 0.5 t 0.25 \n")

    assert read_submission(path, ["s", "t"]).scores.tolist() == [[0.5, 0.25]]


def taac(content: object) -> str:
    return json.dumps(content)


def entry(labels: object = ("s", "t"), scores: object = (0.5, 0.25)) -> dict:
    return {"result": [{"labels": labels, "scores": scores}]}


PAIRS = "VideoId,LabelConfidencePairs\n"
REJECTED = {
    "empty": ("", "holds no ads"),
    "header alone": ("id,s,t\n", "holds no ads"),
    "no entries": ("{}", "holds no ads"),
    "cut JSON": (taac({"a": entry()})[:-9], "not valid JSON"),
    "JSON list": ("[]", "holds a JSON list"),
    "ad without result": (taac({"a": entry(), "b": {}}), "ad 'b' has no \"result\""),
    "ad that is a list": (taac({"a": []}), "ad 'a' has no \"result\""),
    "empty result": (taac({"a": {"result": []}}), "ad 'a' has no \"result\""),
    "no scores": (taac({"a": {"result": [{"labels": ["s"]}]}}), "ad 'a' lacks a list"),
    "fewer scores": (taac({"a": entry(["s", "t"], [1])}), "ad 'a' lists 2 labels and 1 scores"),
    "short list": (taac({"a": entry(), "b": entry(["s"], [1])}), "ad 'b' lists 1 tags. List at l"),
    "unknown tag": (taac({"a": entry(["s", "u"])}), "ad 'a' lists the tag 'u', which is not one"),
    "tag that is a number": (taac({"a": entry(["s", 3])}), "ad 'a' lists the tag 3, which is no"),
    "malformed number": (taac({"a": entry(scores=["0,5", 1])}), "ad 'a' has the score '0,5' for"),
    "null": (taac({"a": entry(scores=[None, 1])}), "ad 'a' has the score None for the tag 's'"),
    "true": (taac({"a": entry(scores=[True, 1])}), "ad 'a' has the score True for the tag 's'"),
    "NaN": (taac({"a": entry(scores=[1, float("nan")])}), "ad 'a' has the score nan for the tag"),
    "NaN in quotes": (taac({"a": entry(scores=["NaN", 1])}), "ad 'a' has the score 'NaN' for"),
    "ad twice": ('{"a": {}, "a": {}}', "key 'a' is in it twice"),
    "ad with and without mp4": (taac({"a": entry(), "a.mp4": entry()}), "ad 'a' is in the file tw"),
    "wide: unknown tag": ("id,s,t,u\na,1,1,1\n", "row 2: ad 'a' lists the tag 'u'"),
    "wide: missing tag": ("id,s\na,1\n", "has no column for a tag, such as 't'"),
    "wide: repeated tag": ("id,s,t,s\na,1,1,1\n", "has two columns 's'"),
    "wide: only ids": ("id\na\n", "has no column for a tag"),
    "wide: cut row": ("id,s,t\na,1,1\nb,1\n", "row 3 has 2 fields and the header 3"),
    "wide: open quote": ('id,s,t\n"a,1,1\n', "not valid CSV"),
    "wide: empty score": ("id,s,t\na,1,\n", "row 2: ad 'a' has the score '' for the tag 't'"),
    "wide: ad twice": ("id,s,t\na,1,1\nb,1,1\na,1,1\n", "row 4: ad 'a' is in the file twice"),
    "pairs: no score": (PAIRS + "a,s 0.5 t\n", "row 2: ad 'a' lists 't' without a score"),
    "pairs: unknown tag": (PAIRS + "a,s 0.5 u 0.5\n", "row 2: ad 'a' lists the tag 'u'"),
    "pairs: malformed number": (PAIRS + "a,s t\n", "row 2: ad 'a' has the score 't' for the tag"),
}


@pytest.mark.parametrize(("text", "message"), REJECTED.values(), ids=REJECTED.keys())
def test_what_the_official_scorer_would_reject_is_rejected(path, text, message):
    path.write_text(text)

    with pytest.raises(SubmissionError) as error:
        read_submission(path, ["s", "t"])

    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_an_unknown_tag_brings_the_nearest_one(path):
    path.write_text(taac({"a": entry(["science"], [1])}))

    with pytest.raises(SubmissionError, match=r"Did you mean 'scene'\?"):
        read_submission(path, ["scene"])


def test_a_missing_file_is_named(path):
    with pytest.raises(SubmissionError, match="submission cannot be read: No such file"):
        read_submission(path)


def test_text_in_another_encoding_is_refused(path):
    path.write_text("id,室内\na,1\n", encoding="gb18030")

    with pytest.raises(SubmissionError, match="is not UTF-8 text"):
        read_submission(path)


UNWRITABLE = {
    "shape": (TAGS, IDS, SCORES[:1], r"\(n_ads, n_tags\) = \(2, 3\), got .* \(1, 3\)"),
    "no ads": (TAGS, [], np.empty((0, 3)), "no ads or no tags"),
    "NaN": (TAGS, IDS, SCORES * [1, np.nan, 1], "ad 'a1' for the tag '单人口播' is nan"),
    "infinity": (TAGS, IDS, SCORES * [1, 1, np.inf], "ad 'a1' for the tag '静态' is inf"),
    "text": (TAGS, IDS, SCORES.astype(str), "must be numbers"),
    "ad twice": (TAGS, ["a", "a"], SCORES, "the ad 'a' occurs twice"),
    "ad twice by its video": (TAGS, ["a", "a.mp4"], SCORES, "the ad 'a' occurs twice"),
    "tag twice": (["s", "t", "s"], IDS, SCORES, "the tag 's' occurs twice"),
    "empty id": (TAGS, ["a", ""], SCORES, "ad number 1 is named ''"),
    "carriage return": (["s", "t", "u\r"], IDS, SCORES, "tag number 2 is named"),
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("tags", "ids", "scores", "message"), UNWRITABLE.values(), ids=UNWRITABLE.keys()
)
def test_what_no_format_can_hold_is_not_written(path, format, tags, ids, scores, message):
    with pytest.raises(SubmissionError, match=message):
        write_submission(path, SubmissionSpec(format), tags, ids, scores)

    assert not list(path.parent.iterdir())


@pytest.mark.parametrize("format", ["taac2021", "youtube8m"])
def test_a_listed_negative_score_is_refused(path, format):
    with pytest.raises(SubmissionError, match="ad 'b2' would list a negative score"):
        write_submission(path, SubmissionSpec(format, 2), TAGS, IDS, SCORES - [[0], [0.5]])


def test_a_refused_submission_leaves_the_old_file(path):
    path.write_text("old")

    with pytest.raises(SubmissionError):
        write_submission(
            path, SubmissionSpec("youtube8m"), ["a", "a 1.0 b", "b"], ["x"], np.array([[1, 0, 0.5]])
        )

    assert path.read_text() == "old"


def test_wide_is_csv_that_another_reader_understands(path):
    ids = ['say "hi"', "a,b"]

    write_submission(path, SubmissionSpec("wide"), ["x,y", "z", 'q"'], ids, SCORES)

    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ids
    assert [float(row["x,y"]) for row in rows] == SCORES[:, 0].tolist()
