"""Predictions made elsewhere by the command line: tags without ads, scales, ads that are new."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from competition.evaluation.metrics import gap
from tests.cli.calling import Called, call, called
from tests.conftest import write_csv

TAGS = ["sea", "food", "city", "night", "snow"]  # no ad carries the last two
USED = 3
N_TRAIN, N_TEST = 90, 30
TOML = """\
name = "topics"
train = "train.csv"
test = "test.csv"

[[tags]]
column = "topics"
dimension = "topic"
names = "label_id.txt"
"""


def content() -> tuple[list[str], np.ndarray, np.ndarray]:
    """Ids, labels and probabilities that know something of them."""
    rng = np.random.default_rng(0)
    ids = [f"ad{i:03}" for i in range(N_TRAIN + N_TEST)]
    labels = np.zeros((len(ids), len(TAGS)), dtype=np.uint8)
    labels[:, :USED] = rng.random((len(ids), USED)) < 0.4
    noise = rng.normal(0, 1.2, labels.shape)
    return ids, labels, 1 / (1 + np.exp(-(2 * labels - 1.5 + noise)))


def write_ads(folder: Path, n_train: int = N_TRAIN, n_test: int = N_TEST) -> Path:
    """Write the first training ads and the first test ads, without inputs."""
    folder.mkdir(exist_ok=True)
    ids, labels, _ = content()
    tags = ["|".join(np.array(TAGS)[row == 1]) for row in labels]
    train = list(zip(ids, tags, strict=True))[:n_train]
    write_csv(folder / "train.csv", ["id", "topics"], [list(row) for row in train])
    write_csv(folder / "test.csv", ["id"], [[ad] for ad in ids[N_TRAIN : N_TRAIN + n_test]])
    (folder / "label_id.txt").write_text("".join(f"{t}\t{i}\n" for i, t in enumerate(TAGS)))
    (folder / "competition.toml").write_text(TOML, encoding="utf-8")
    return folder


def write_files(
    folder: Path, values: np.ndarray, n_train: int = N_TRAIN, n_test: int = N_TEST
) -> list[object]:
    """Write predictions of the first ads; return the options that name the files."""
    ids, _, _ = content()
    frame = pd.DataFrame(values, columns=[*TAGS, "title"][: values.shape[1]], index=ids)
    frame.iloc[:n_train].to_csv(folder / "oof.csv", index_label="id")
    frame.iloc[N_TRAIN : N_TRAIN + n_test].to_csv(folder / "test_oof.csv", index_label="id")
    return ["--oof", folder / "oof.csv", "--test", folder / "test_oof.csv"]


def add(name: str, data: Path, *options: object) -> Called:
    return call("add-oof", name, "--data", data, "--out", data / "out", *options)


def card(data: Path, model: str) -> dict:
    path = data / "out" / "oof" / "topics" / model / "card.json"
    return json.loads(path.read_text(encoding="utf-8"))


def stack(data: Path, *options: object) -> str:
    done = call("stack", "--data", data, "--out", data / "out", *options)
    return re.sub(r"\s+", " ", done.out)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_ads(tmp_path / "topics")


def test_tags_that_no_ad_carries_are_accepted_stacked_and_submitted(data: Path) -> None:
    _, labels, values = content()
    call("folds", data, "--n", 3, "--out", data / "out")
    add("theirs", data, *write_files(data, values))
    scores = card(data, "theirs")["scores"]
    assert scores["gap"] == pytest.approx(gap(labels[:N_TRAIN], values[:N_TRAIN]), abs=1e-6)
    learners = ["mean", "logreg"]
    stack(data, "--set", f"level2.model={json.dumps(learners)}")
    assert card(data, "stack-selection")["failed"] == {}
    (path,) = (data / "out" / "submissions").glob("topics-*.csv")
    written = pd.read_csv(path, index_col="id")
    assert list(written.columns) == TAGS
    assert written.shape == (N_TEST, len(TAGS))


def test_map_is_the_mean_over_tags_that_some_ad_carries(data: Path) -> None:
    from sklearn.metrics import average_precision_score

    _, labels, values = content()
    add("theirs", data, *write_files(data, values))
    of_tags = [
        average_precision_score(labels[:N_TRAIN, tag], values[:N_TRAIN, tag]) for tag in range(USED)
    ]
    assert card(data, "theirs")["scores"]["map"] == pytest.approx(np.mean(of_tags), abs=1e-6)


def test_without_a_list_of_tags_the_refusal_says_how_to_declare_one(data: Path) -> None:
    toml = data / "competition.toml"
    toml.write_text(TOML.replace('names = "label_id.txt"\n', ""), encoding="utf-8")
    files = write_files(data, content()[2])
    done = called("add-oof", "theirs", "--data", data, "--out", data / "out", *files)
    assert done.status == 2
    assert "has no tag 'night'" in done.err
    assert "names = [...] below [[tags]]" in done.err
    assert "--ignore-extra" in done.err
    add("theirs", data, *files, "--ignore-extra")
    _, labels, values = content()
    expected = gap(labels[:N_TRAIN, :USED], values[:N_TRAIN, :USED])
    assert card(data, "theirs")["scores"]["gap"] == pytest.approx(expected, abs=1e-6)


def test_columns_beyond_the_tags_are_ignored_where_that_is_asked_for(data: Path) -> None:
    values = np.column_stack([content()[2], np.arange(N_TRAIN + N_TEST)])
    add("theirs", data, *write_files(data, values), "--ignore-extra")
    add("ours", data, *write_files(data, content()[2]))
    assert card(data, "theirs")["scores"] == card(data, "ours")["scores"]


def test_logits_score_as_the_probabilities_that_they_are(data: Path) -> None:
    values = content()[2]
    add("probabilities", data, *write_files(data, values))
    done = called(
        *("add-oof", "raw", "--data", data, "--out", data / "out"),
        *write_files(data, logit(values)),
    )
    assert done.status == 2
    assert "--scale" in done.err
    add("logits", data, *write_files(data, logit(values)), "--scale", "logit")
    assert card(data, "logits")["scale"] == "logit"
    gaps = [card(data, model)["scores"]["gap"] for model in ("logits", "probabilities")]
    assert gaps[0] == pytest.approx(gaps[1], abs=1e-6)


def test_scores_of_two_rising_scales_are_calibrated_alike_inside_the_folds(data: Path) -> None:
    values = content()[2]
    add("cubes", data, *write_files(data, 40 * values**3 - 3), "--scale", "score")
    add("logs", data, *write_files(data, np.log(values)), "--scale", "score")
    add("probabilities", data, *write_files(data, values))
    cubes, logs, plain = (card(data, model) for model in ("cubes", "logs", "probabilities"))
    assert cubes["scores"]["gap"] == pytest.approx(logs["scores"]["gap"], abs=0.01)
    assert cubes["scores"]["gap"] == pytest.approx(plain["scores"]["gap"], abs=0.03)
    assert len(cubes["curves"]) == 1 + 5  # of each fold, and of the test ads


def test_rounding_just_outside_is_clipped(data: Path) -> None:
    values = content()[2]
    values[3, 1], values[5, 0] = 1.0000000000000002, -3e-9
    add("theirs", data, *write_files(data, values))
    stored = pd.read_parquet(data / "out" / "oof" / "topics" / "theirs" / "oof.parquet")
    cells = stored.set_index("id")
    assert (cells.at["ad003", "food"], cells.at["ad005", "sea"]) == (1.0, 0.0)


NEW = 12


def test_model_that_lacks_new_ads_is_left_out_until_it_may_be_partial(data: Path) -> None:
    values = content()[2]
    mean = ["--set", "level2.model=mean"]
    write_ads(data, N_TRAIN - NEW, N_TEST - 2)
    old = write_files(data, values, N_TRAIN - NEW, N_TEST - 2)
    add("theirs", data, *old)
    write_ads(data)
    noisy = np.clip(values + np.random.default_rng(1).normal(0, 0.2, values.shape), 0.01, 0.99)
    (data / "new").mkdir()
    new = write_files(data / "new", noisy)
    add("ours", data, *new)

    assert (
        f"theirs: has no prediction of {NEW} training ad(s) (ad078, ad079, ad080, ...) and 2 test "
        "ad(s) (ad118, ad119), so it is left out: bring files that have them"
    ) in stack(data, *mean)
    assert card(data, "stack-mean")["models"] == ["ours"]
    alone = card(data, "stack-mean")["scores"]["gap"]

    refused = called("add-oof", "theirs", "--data", data, "--out", data / "out", *old)
    assert refused.status == 2
    assert "pass --partial" in refused.err
    done = re.sub(r"\s+", " ", add("theirs", data, *old, "--partial").out)
    assert f"{NEW} of {N_TRAIN} training ads and 2 of {N_TEST} test ads have no pred" in done
    assert card(data, "theirs")["lacking"][:2] == ["ad078", "ad079"]
    assert "left out" not in stack(data, *mean)
    assert card(data, "stack-mean")["models"] == ["ours", "theirs"]
    assert card(data, "stack-mean")["scores"]["gap"] > alone


def test_meta_learners_of_every_family_handle_a_partial_model(data: Path) -> None:
    call("folds", data, "--n", 3, "--out", data / "out")
    values = content()[2]
    noisy = np.clip(values + np.random.default_rng(1).normal(0, 0.2, values.shape), 0.01, 0.99)
    add("ours", data, *write_files(data, noisy))
    old = write_files(data, values, N_TRAIN - NEW, N_TEST - 2)
    add("theirs", data, *old, "--partial", "--scale", "score")
    stack(data, "--set", 'level2.model=["rank_mean", "greedy", "logreg"]')
    assert card(data, "stack-selection")["failed"] == {}


def with_folds(data: Path, of_ad: np.ndarray) -> list[object]:
    """Write predictions that name the folds; return the options that name the files."""
    ids, _, values = content()
    frame = pd.DataFrame(values, columns=TAGS, index=ids)
    frame.iloc[:N_TRAIN].assign(fold=of_ad).to_csv(data / "oof.csv", index_label="id")
    frame.iloc[N_TRAIN:].to_csv(data / "test_oof.csv", index_label="id")
    return ["--oof", data / "oof.csv", "--test", data / "test_oof.csv"]


def keep_rows(data: Path, kept: np.ndarray) -> None:
    """Take training ads out of the table."""
    header, *rows = (data / "train.csv").read_text().splitlines()
    left = [row for row, keep in zip(rows, kept, strict=True) if keep]
    (data / "train.csv").write_text("\n".join([header, *left]))


MEAN = ["--set", "level2.model=mean"]


@pytest.mark.parametrize("gone", ["a fold", "three ads"])
def test_model_is_used_without_the_ads_that_are_gone(data: Path, gone: str) -> None:
    of_ad = np.arange(N_TRAIN) % 4
    files = with_folds(data, of_ad)
    add("theirs", data, *files)
    kept = of_ad != 1 if gone == "a fold" else np.arange(N_TRAIN) > 2
    keep_rows(data, kept)
    said = stack(data, *MEAN)
    assert ("no ad of fold 1 is left, so 3 folds are numbered anew" in said) == (gone == "a fold")
    assert "and is stored for them" in said
    _, labels, values = content()
    right = gap(labels[:N_TRAIN][kept], values[:N_TRAIN][kept])
    assert card(data, "theirs")["scores"]["gap"] == pytest.approx(right, abs=1e-6)
    assert card(data, "stack-mean")["models"] == ["theirs"]
    stored = {path.name: path.read_bytes() for path in (data / "out/oof/topics/theirs").iterdir()}
    add("theirs", data, *files, "--ignore-extra")  # the very same: nothing is written
    for path in (data / "out/oof/topics/theirs").iterdir():
        assert path.read_bytes() == stored[path.name]
    assert "gone" not in stack(data, *MEAN)


def test_scores_are_brought_again_after_ads_have_gone(data: Path) -> None:
    files = [*with_folds(data, np.arange(N_TRAIN) % 4), "--scale", "score"]
    add("theirs", data, *files)
    keep_rows(data, np.arange(N_TRAIN) > 2)
    done = called("stack", "--data", data, "--out", data / "out", *MEAN)
    assert done.status == 2
    advice = "bring the same files again by `add-oof --ignore-extra`"
    assert advice in re.sub(r"\s+", " ", done.out)
    add("theirs", data, *files, "--ignore-extra")
    stack(data, *MEAN)


def test_labels_that_moved_to_other_folds_leave_a_model_out(data: Path) -> None:
    add("theirs", data, *with_folds(data, np.arange(N_TRAIN) % 4))
    folds = data / "out/oof/topics/folds.csv"
    rows = pd.read_csv(folds)
    rows["fold"] = np.sort(rows["fold"])
    rows.to_csv(folds, index=False)
    done = called("stack", "--data", data, "--out", data / "out", *MEAN)
    assert done.status == 2
    assert "theirs: brought for other folds, so it is left out" in re.sub(r"\s+", " ", done.out)
