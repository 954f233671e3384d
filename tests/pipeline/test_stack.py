"""`stack` on ids, labels and files of predictions, and nothing else."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.config.profile import StackSettings, load_profile, load_stack_settings
from competition.datasets import load_dataset
from competition.datasets.taac2021 import GROUND_TRUTH
from competition.demo.make import make_demo
from competition.evaluation.bootstrap import Difference
from competition.evaluation.metrics import gap
from competition.folds_file import load_or_make_folds
from competition.level2.registry import find_meta_learners
from competition.pipeline.add_oof import add_oof
from competition.pipeline.record import RECORD
from competition.pipeline.run import run
from competition.pipeline.stack import StackResult, stack
from competition.report.tables import console, print_stack
from competition.tuning.search import tune
from competition.utils.errors import ProfileError, StoreError
from tests.recorded import Recorded

QUICK = ["level2.dnn.seeds=1", "level2.dnn.min_steps=5", "level2.dnn.epochs=1", "folds.n=3"]
TAGS = [f"tag{t}" for t in range(6)]
MODELS = ("eyes", "ears", "words")
N_TRAIN, N_TEST = 60, 8
TOML = """\
name = "bare"
train = "train.csv"
test = "test.csv"

[[tags]]
column = "tags"
dimension = "all"
"""


def settings(*overrides: str) -> StackSettings:
    return load_stack_settings([*QUICK, *overrides])


def made(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and level-1 probabilities of unequal quality; training ads first."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(N_TRAIN + N_TEST, len(TAGS))) - 0.5
    labels = rng.random(truth.shape) < 1 / (1 + np.exp(-truth))
    noise = rng.normal(size=(len(MODELS), *truth.shape)) * np.array([0.5, 1, 2])[:, None, None]
    return labels, 1 / (1 + np.exp(-(truth + noise)))


def ids(split: str) -> list[str]:
    return [f"{split}{i}" for i in range(N_TRAIN if split == "train" else N_TEST)]


def write_dataset(folder: Path, labels: np.ndarray) -> Path:
    folder.mkdir()
    (folder / "competition.toml").write_text(TOML, encoding="utf-8")
    tags = ["|".join(np.array(TAGS)[row]) for row in labels[:N_TRAIN]]
    pd.DataFrame({"id": ids("train"), "tags": tags}).to_csv(folder / "train.csv", index=False)
    pd.DataFrame({"id": ids("test")}).to_csv(folder / "test.csv", index=False)
    return folder


def write_files(folder: Path, name: str, values: np.ndarray) -> tuple[Path, Path]:
    paths = folder / f"{name}.oof.csv", folder / f"{name}.test.csv"
    for path, split, rows in zip(
        paths, ("train", "test"), (values[:N_TRAIN], values[N_TRAIN:]), strict=True
    ):
        frame = pd.DataFrame(rows, columns=TAGS)
        frame.insert(0, "id", ids(split))
        frame.to_csv(path, index=False)
    return paths


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, StackResult]:
    """Dataset, output folder and result; tests that change them make their own."""
    folder = tmp_path_factory.mktemp("stack")
    labels, probabilities = made()
    data, out = write_dataset(folder / "bare", labels), folder / "out"
    for name, values in zip(MODELS, probabilities, strict=True):
        add_oof(name, data, *write_files(folder, name, values), out)
    return data, out, stack(data, settings(), out)


def test_files_and_labels_alone_give_a_stack_and_a_submission(
    finished: tuple[Path, Path, StackResult],
) -> None:
    _, out, result = finished
    assert result.submitted is not None
    assert [card.model for card in result.cards] == sorted(MODELS)
    assert result.submitted.path == out / f"submissions/bare-selection-{_gap(result):.4f}.csv"
    assert len(pd.read_csv(result.submitted.path)) == N_TEST


def _gap(result: StackResult) -> float:
    return result.card.scores.gap


def test_every_registered_meta_learner_is_a_candidate(
    finished: tuple[Path, Path, StackResult],
) -> None:
    card = finished[2].card
    assert sorted([*card.candidates, *card.failed, *card.outrun]) == find_meta_learners()
    assert card.failed == {}
    assert card.standing_out == {}
    assert set(card.chosen) <= set(card.candidates)
    assert len(card.chosen) == 5


def test_card_says_how_much_of_its_correction_each_fold_uses(
    finished: tuple[Path, Path, StackResult],
) -> None:
    corrections = finished[2].card.corrections
    assert corrections is not None
    assert set(corrections) == {"dnn", "corrector"} - set(finished[2].card.outrun)
    n_folds = len(finished[2].card.chosen)
    assert all(len(shares) == n_folds for shares in corrections.values())
    assert all(0 <= share <= 1 for shares in corrections.values() for share in shares)


@pytest.mark.parametrize("learner", ["single", "greedy"])
def test_learner_ranks_by_the_top_k_of_the_dataset(tmp_path: Path, learner: str) -> None:
    """Of two models one is better in the first tag of each ad, the other in all tags."""
    order = np.random.default_rng(0).permuted(np.tile(np.arange(6), (68, 1)), axis=1)
    labels = np.zeros((68, 6), dtype=bool)
    np.put_along_axis(labels, order[:, :3], True, axis=1)
    first, broad = np.empty((68, 6)), np.empty((68, 6))
    scores = np.tile([0.65, 0.6, 0.6, 0.2, 0.2, 0.2], (68, 1))
    scores[::5, 3] = 0.7
    np.put_along_axis(first, order, np.tile([0.9, 0.1, 0.1, 0.3, 0.3, 0.3], (68, 1)), axis=1)
    np.put_along_axis(broad, order, scores, axis=1)
    data = write_dataset(tmp_path / "bare", labels)
    chosen, given = load_stack_settings([f"level2.model={learner}", "folds.n=3"]), {}
    for top_k, best, values in ((6, "broad", broad), (1, "first", first)):
        toml = f'{TOML}\n[submission]\nformat = "wide"\ntop_k = {top_k}\n'
        (data / "competition.toml").write_text(toml, encoding="utf-8")
        for name, its in (("broad", broad), ("first", first)):
            add_oof(name, data, *write_files(tmp_path, name, its), tmp_path)
        given[best] = stack(data, chosen, tmp_path).card
        oof = pd.read_parquet(tmp_path / "oof" / "bare" / f"stack-{learner}" / "oof.parquet")
        found = oof.set_index("id").loc[ids("train"), TAGS].to_numpy()
        expected = gap(labels[:N_TRAIN], found, top_k)
        assert given[best].scores.gap == pytest.approx(expected)
        assert given[best].best_model == best
        if learner == "single":
            dataset = load_dataset(data)
            fold = pd.read_csv(tmp_path / "oof" / "bare" / "folds.csv", dtype=str)
            of_ad = fold.set_index("id")["fold"].loc[list(dataset.train_ids)].to_numpy()
            its = pd.DataFrame(values[:N_TRAIN], index=ids("train"), columns=TAGS)
            for k in np.unique(of_ad):  # on a scale that all models share, in the model's order
                held_out = dataset.train_ids[of_ad == k]
                order = np.argsort(its.loc[held_out].to_numpy(), axis=None, kind="stable")
                rising = oof.set_index("id").loc[held_out, TAGS].to_numpy().ravel()[order]
                assert (np.diff(rising) >= 0).all()
    assert given["broad"].fingerprint != given["first"].fingerprint


def test_gain_is_over_the_best_model(finished: tuple[Path, Path, StackResult]) -> None:
    data, out, result = finished
    dataset = load_dataset(data)
    folder = out / "oof" / "bare"
    oof = {
        name: pd.read_parquet(folder / name / "oof.parquet")
        .set_index("id")
        .loc[dataset.train_ids, dataset.tag_names]
        .to_numpy()
        for name in (*MODELS, "stack-selection")
    }
    gaps = {name: gap(dataset.labels, values) for name, values in oof.items()}
    best = max(MODELS, key=lambda name: gaps[name])
    assert result.card.best_model == best
    gain = result.card.gain
    fold = pd.read_csv(folder / "folds.csv").set_index("id")["fold"]
    fold = fold.loc[list(dataset.train_ids)].to_numpy()
    by_fold = []
    for k in np.unique(fold):
        held_out, others = fold == k, fold != k
        rival = max(MODELS, key=lambda name: gap(dataset.labels[others], oof[name][others]))
        by_fold.append(
            gap(dataset.labels[held_out], oof["stack-selection"][held_out])
            - gap(dataset.labels[held_out], oof[rival][held_out])
        )
    assert gain.value == pytest.approx(np.mean(by_fold))
    assert gain.low <= gain.value <= gain.high


def test_unchanged_stack_is_read_not_run(finished: tuple[Path, Path, StackResult]) -> None:
    data, out, result = finished
    before = {
        path: path.stat().st_mtime_ns
        for path in (out / "oof").rglob("*.*")
        if path.is_file() and path.name != RECORD
    }
    assert stack(data, settings(), out).card == result.card
    assert {
        path: path.stat().st_mtime_ns
        for path in (out / "oof").rglob("*.*")
        if path.is_file() and path.name != RECORD
    } == before


def test_from_scratch_the_submission_has_the_same_bytes(
    finished: tuple[Path, Path, StackResult], tmp_path: Path
) -> None:
    data, _, result = finished
    for name, values in zip(MODELS, made()[1], strict=True):
        add_oof(name, data, *write_files(tmp_path, name, values), tmp_path)
    again = stack(data, settings(), tmp_path).submitted
    assert again is not None
    assert result.submitted is not None
    assert again.path.read_bytes() == result.submitted.path.read_bytes()


def test_chosen_one_is_printed_last_to_four_decimals(
    finished: tuple[Path, Path, StackResult],
) -> None:
    result = finished[2]
    with console.capture() as captured:
        print_stack(result)
    rows = [line for line in captured.get().splitlines() if line.startswith("│")]
    weighing = [name for name, of_folds in result.card.weights.items() if any(of_folds)]
    assert weighing
    for name in weighing:
        value = f"{result.card.candidates[name]:.4f}"
        assert any(name in row and value in row for row in rows)
    n_weaker = len(result.card.candidates) - sum(
        any(name in row for row in rows) for name in result.card.candidates
    )
    assert n_weaker == 0 or any(f"{n_weaker} weaker, on the page" in row for row in rows)
    assert "weighted mean" in rows[-1]
    assert f"{_gap(result):.4f}" in rows[-1]


@pytest.mark.parametrize(
    ("gain", "warning"),
    [
        (Difference(-0.01, -0.02, 0.01), "does not beat that model"),
        (Difference(0.01, -0.02, 0.03), "may be chance"),
        (Difference(0.01, 0.002, 0.03), None),
    ],
)
def test_stack_that_does_not_surely_beat_its_best_model_is_warned_of(
    finished: tuple[Path, Path, StackResult], gain: Difference, warning: str | None
) -> None:
    result = finished[2]
    card = result.card.model_copy(update={"gain": gain})
    with console.capture() as captured:
        print_stack(StackResult(result.dataset, result.cards, card, result.submitted))
    assert ("Warning" in captured.get()) == (warning is not None)
    assert (warning or "") in captured.get()


def test_candidate_that_was_dropped_on_a_part_of_the_ads_is_told_with_their_number(
    finished: tuple[Path, Path, StackResult],
) -> None:
    result = finished[2]
    card = result.card.model_copy(update={"dropped": {"paper_dnn": 12_500}})
    with console.capture() as captured:
        print_stack(StackResult(result.dataset, result.cards, card, result.submitted))
    told = " ".join(captured.get().split())
    assert "paper_dnn was too far behind on 12,500 of the ads" in told


def test_model_of_other_folds_is_left_out_aloud(tmp_path: Path) -> None:
    labels, probabilities = made()
    data = write_dataset(tmp_path / "bare", labels)
    add_oof("ears", data, *write_files(tmp_path, "ears", probabilities[1]), tmp_path)
    path = tmp_path / "oof" / "bare" / "folds.csv"
    folds = pd.read_csv(path)
    folds["fold"] = np.random.default_rng(0).permutation(folds["fold"])
    folds.to_csv(path, index=False)
    add_oof("eyes", data, *write_files(tmp_path, "eyes", probabilities[0]), tmp_path)
    remarks = Recorded()
    result = stack(data, settings(), tmp_path, progress=remarks)
    assert result.card.models == ("eyes",)
    assert any(
        remark.startswith("ears: brought for other folds, so it is left out")
        for remark in remarks.remarks
    )


def test_dataset_without_test_ads_gives_scores_alone(tmp_path: Path) -> None:
    labels, probabilities = made()
    data = write_dataset(tmp_path / "bare", labels)
    toml = TOML.replace('test = "test.csv"\n', "")
    (data / "competition.toml").write_text(toml, encoding="utf-8")
    oof, _ = write_files(tmp_path, "eyes", probabilities[0])
    add_oof("eyes", data, oof, None, tmp_path)
    result = stack(data, settings(), tmp_path)
    assert result.submitted is None
    assert 0 < _gap(result) <= 1


def test_store_without_models_says_how_to_fill_it(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "bare", made()[0])
    with pytest.raises(StoreError, match=r"no finished level-1 model that fits bare.*add-oof"):
        stack(data, settings(), tmp_path)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("level2.dmn.seeds=1", "level2: unknown key dmn. Did you mean 'dnn'"),
        ("level2.dnn.seedz=1", "level2.dnn: unknown key seedz. Did you mean 'seeds'"),
        ("level2.seeds=1", "level2: unknown key seeds"),
        ("level2.modle=mean", "level2: unknown key modle. Did you mean 'model'"),
        ("level2.dnn=3", "level2.dnn = 3: set a parameter of that meta-learner"),
        ("level2.dnn.seeds=three", "level2.dnn.seeds = 'three': a whole number"),
        ("level2.dnn.hidden=64", "level2.dnn.hidden = 64: "),
        ('models=["*"]', "unknown key models"),
        ('level2.model=["dnn", "mien"]', "no meta-learner 'mien'. Did you mean 'mean'"),
        ('level2.metadata=["size"]', "no metadata 'size'"),
    ],
)
def test_unknown_setting_is_named(
    finished: tuple[Path, Path, StackResult], override: str, message: str
) -> None:
    with pytest.raises(ProfileError, match=message):
        stack(finished[0], settings(override), finished[1])


def test_predictions_made_elsewhere_are_what_tune_stack_tunes_over(
    finished: tuple[Path, Path, StackResult], tmp_path: Path
) -> None:
    profile = load_profile("text", ["level2.model=dnn", "level2.seeds=1"])
    done = tune(
        "stack", finished[0], profile, finished[1], n_trials=1, write=tmp_path / "best.toml"
    )
    one = stack(
        finished[0],
        load_stack_settings(["level2.model=dnn", "level2.dnn.seeds=1"]),
        finished[1],
    )
    assert one.card.scores.gap == pytest.approx(done.best_score, abs=1e-6)


def test_candidates_can_be_chosen(finished: tuple[Path, Path, StackResult]) -> None:
    two = stack(finished[0], load_stack_settings(['level2.model=["mean", "greedy"]']), finished[1])
    assert set(two.card.candidates) == {"mean", "greedy"}
    one = stack(finished[0], load_stack_settings(["level2.model=mean"]), finished[1])
    assert one.card.level2 == "mean"
    assert one.card.scores.gap == pytest.approx(two.card.candidates["mean"], abs=1e-6)
    with console.capture() as printed:
        print_stack(one)
    assert "chosen: mean" in printed.get()


def test_parameters_of_a_candidate_that_is_not_chosen_are_an_error(
    finished: tuple[Path, Path, StackResult],
) -> None:
    both = StackSettings.model_validate({"level2": {"model": "mean", "dnn": {"seeds": 1}}})
    with pytest.raises(ProfileError, match=r"dnn is not among the meta-learners .*\(mean\)"):
        stack(finished[0], both, finished[1])


def leaky_stack(folder: Path, *, honest: bool, leaks: bool = True) -> StackResult:
    """Stack a model of guesses that knows the labels of one fold, with an honest one or not."""
    labels, probabilities = made()
    folder.mkdir(exist_ok=True)
    data = write_dataset(folder / "bare", labels)
    if honest:
        add_oof("ears", data, *write_files(folder, "ears", probabilities[1]), folder)
    else:
        load_or_make_folds(folder / "oof" / "bare" / "folds.csv", load_dataset(data), 5, 0)
    folds = pd.read_csv(folder / "oof" / "bare" / "folds.csv").set_index("id")["fold"]
    leaked = np.flatnonzero(folds[ids("train")] == 2)
    guesses = np.random.default_rng(1).random(labels.shape)
    if leaks:
        guesses[leaked] = labels[leaked]
    add_oof("eyes", data, *write_files(folder, "eyes", guesses), folder)
    return stack(data, settings(), folder)


def test_a_leaked_fold_is_told_and_done_without(tmp_path: Path) -> None:
    """Where one fold of guesses is the truth, the stack is what it is without the leak."""
    result = leaky_stack(tmp_path / "leaky", honest=True)
    assert list(result.card.standing_out) == ["eyes"]
    with console.capture() as captured:
        print_stack(result)
    printed = " ".join(captured.get().split())
    assert "Warning: eyes has a GAP of 1.0000 in fold 2" in printed
    assert "The stack does without what it says of that fold." in printed
    assert result.card.best_model == "ears"
    clean = leaky_stack(tmp_path / "clean", honest=True, leaks=False).card
    assert clean.standing_out == {}
    # The leak was worth 0.1 and more to whoever believed it.
    assert result.card.scores.gap == pytest.approx(clean.scores.gap, abs=0.02)


def test_a_leak_of_the_only_model_is_told(tmp_path: Path) -> None:
    result = leaky_stack(tmp_path, honest=False)
    assert list(result.card.standing_out) == ["eyes"]
    with console.capture() as captured:
        print_stack(result)
    assert "The stack believes it, as every model is such." in " ".join(captured.get().split())


def test_shuffled_labels_of_real_texts_score_at_chance(tmp_path: Path) -> None:
    """From texts to the selection, nothing is learned where there is nothing to learn."""
    make_demo(tmp_path / "demo", 60, seed=1, films=False)
    path = tmp_path / "demo" / GROUND_TRUTH
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = [f"{ad}\t{rows[j][1]}\n" for (ad, _), j in zip(rows, order, strict=True)]
    path.write_text("".join(shuffled), encoding="utf-8")
    overrides = [
        'models=["tfidf_logreg"]',
        "folds.n=3",
        "level2.model=dnn",
        "level2.seeds=1",
        "level2.min_steps=5",
    ]
    run(tmp_path / "demo", load_profile("demo", overrides), tmp_path, n_jobs=1)
    dataset = load_dataset(tmp_path / "demo")
    result = stack(tmp_path / "demo", settings(), tmp_path)
    folds = pd.read_csv(tmp_path / "oof" / "demo" / "folds.csv")["fold"].to_numpy()
    rates = np.stack([dataset.labels[folds != k].mean(axis=0) for k in range(3)])[folds]
    assert _gap(result) < gap(dataset.labels, rates) + 0.02
