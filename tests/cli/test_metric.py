"""What is to be best: `--metric`, by its name or a function of one's own."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition import load_dataset
from competition.evaluation.metrics import f1_per_class, mean_average_precision
from tests.cli.calling import call, called
from tests.cli.conftest import MODELS, QUICK

LEARNERS = 'level2.model=["mean", "greedy", "single"]'
RECALL = """
def recall(labels, scores):
    found = (scores >= {threshold}) & (labels > 0)
    return found.sum() / (labels > 0).sum()
"""


def oof(out: Path, ads: Path, model: str) -> np.ndarray:
    """Stored OOF probabilities of a model, in the order of the dataset."""
    frame = pd.read_parquet(out / "oof" / "demo" / model / "oof.parquet")
    frame = frame.set_index("id").drop(columns="fold", errors="ignore")
    return frame.loc[list(load_dataset(ads).train_ids)].to_numpy()


def card(out: Path, name: str = "stack-selection") -> dict[str, object]:
    return json.loads((out / "oof" / "demo" / name / "card.json").read_text(encoding="utf-8"))


def mean_gain(score: Callable[[np.ndarray, np.ndarray], float], out: Path, ads: Path) -> float:
    """Mean over folds of the stack's score less that of the model the other folds call best."""
    labels, gains = load_dataset(ads).labels, []
    of_id = pd.read_csv(out / "oof" / "demo" / "folds.csv", dtype={"id": str}).set_index("id")
    fold = of_id["fold"].loc[list(load_dataset(ads).train_ids)].to_numpy()
    stacked, models = oof(out, ads, "stack-selection"), [oof(out, ads, name) for name in MODELS]
    for k in np.unique(fold):
        held_out, others = fold == k, fold != k
        rival = max(models, key=lambda of: score(labels[others], of[others]))
        gains.append(
            score(labels[held_out], stacked[held_out]) - score(labels[held_out], rival[held_out])
        )
    return float(np.mean(gains))


@pytest.mark.parametrize(
    ("metric", "called_so", "score"),
    [("map", "mAP", mean_average_precision), ("f1", "F1-C", f1_per_class)],
)
def test_stack_is_judged_by_the_metric(
    metric: str, called_so: str, score, ads: Path, out: Path
) -> None:
    done = call("stack", "--data", ads, "--out", out, "--set", LEARNERS, "--metric", metric)
    labels = load_dataset(ads).labels
    scores = {name: score(labels, oof(out, ads, name)) for name in MODELS}
    best = max(scores, key=lambda name: scores[name])
    gain = mean_gain(score, out, ads)
    assert f"The stack gains {gain:+.4f} {called_so} over its best model, {best} (" in done.out
    assert card(out)["metric"] == metric


def test_learners_weigh_by_the_metric_without_the_fold(ads: Path, out: Path) -> None:
    given = ("--data", ads, "--out", out, "--set", LEARNERS)
    call("stack", *given)
    by_gap = card(out)["candidates_without_fold"]
    call("stack", *given, "--metric", "map")
    by_map = card(out)["candidates_without_fold"]
    labels, fold = load_dataset(ads).labels, pd.read_csv(out / "oof" / "demo" / "folds.csv")["fold"]
    assert by_gap != by_map
    for k, found in enumerate(by_map["mean"]):
        # A candidate is cross-fitted on the other folds; the mean has nothing to fit, and the scale
        # that it is brought to keeps the order of an ad's scores within a fold, not quite of a tag.
        rows = np.flatnonzero(fold != k)
        plain = np.mean([oof(out, ads, name)[rows] for name in MODELS], axis=0)
        assert found == pytest.approx(mean_average_precision(labels[rows], plain), abs=0.03)


def test_run_and_stack_take_a_function_of_ones_own(ads: Path, tmp_path: Path) -> None:
    module = tmp_path / "our_metric.py"
    module.write_text(RECALL.format(threshold=0.3), encoding="utf-8")
    given = ("--data", ads, "--out", tmp_path, *QUICK, "--set", LEARNERS)
    done = call("run", *given, "--metric", "our_metric:recall", cwd=tmp_path)
    gain = mean_gain(
        lambda labels, scores: ((scores >= 0.3) & (labels > 0)).sum() / labels.sum(), tmp_path, ads
    )
    assert f"gains {gain:+.4f} our_metric:recall over" in done.out


def add_models(ads: Path, out: Path) -> np.ndarray:
    """Add a model that is good at 0.5 and three that never say so much; return the good one's."""
    dataset, rng = load_dataset(ads), np.random.default_rng(0)
    n_ads, n_tags = dataset.labels.shape
    truth = np.vstack([dataset.labels, rng.integers(0, 2, (len(dataset.test_ids), n_tags))])
    ids, names = [*dataset.train_ids, *dataset.test_ids], [tag.name for tag in dataset.tags]
    files = {"--oof": slice(0, n_ads), "--test": slice(n_ads, None)}
    for name in ("good", "faint_1", "faint_2", "faint_3"):
        values = 1 / (1 + np.exp(-(5 * truth - 2.5 + rng.normal(0, 1.5, truth.shape))))
        found = pd.DataFrame(values, index=ids, columns=names)
        if name == "good":
            good = values[:n_ads]
        else:
            found = 0.2 * found**6
        for option, rows in files.items():
            found.iloc[rows].to_csv(out / f"{option[2:]}.csv", index_label="id")
        given = [part for option in files for part in (option, out / f"{option[2:]}.csv")]
        call("add-oof", name, "--data", ads, "--out", out, *given)
    return good


def test_metric_of_values_is_judged_on_the_values_that_are_submitted(ads: Path, out: Path) -> None:
    """F1 looks at 0.5: on the scale of the mean model, which is faint, nothing would reach it."""
    good, labels = add_models(ads, out), load_dataset(ads).labels
    alone = f1_per_class(labels, good)
    assert alone > 0.6
    for learners in ('["mean", "greedy", "single", "logit_mean"]', '"single"'):
        settings = ("--metric", "f1", "--set", f"level2.model={learners}")
        call("stack", "--data", ads, "--out", out, *settings)
        name = "stack-single" if learners == '"single"' else "stack-selection"
        assert f1_per_class(labels, oof(out, ads, name)) > alone - 0.02


def test_metric_may_write_into_what_it_is_given(ads: Path, out: Path) -> None:
    source = "from competition import gap\ndef cut(labels, scores):\n"
    (out / "writing.py").write_text(
        source + "    scores[scores < 0.5] = 0\n    labels[:] = labels > 0\n"
        "    return gap(labels, scores)\n"
    )
    (out / "copying.py").write_text(
        source + "    scores = scores.copy()\n    scores[scores < 0.5] = 0\n"
        "    return gap(labels, scores)\n"
    )
    gains, written = [], []
    for module in ("writing", "copying"):
        given = ("--data", ads, "--out", out, "--set", LEARNERS, "--metric", f"{module}:cut")
        done = call("stack", *given, cwd=out)
        gains.append(done.out.split("The stack gains ")[1].split()[0])
        written.append(oof(out, ads, "stack-selection").tobytes())
    assert gains[0] == gains[1]
    assert written[0] == written[1]


def test_saved_stack_is_that_of_the_metric(ads: Path, tmp_path: Path) -> None:
    """Its meta-learners are fitted anew: greedy looks for what it looked for in the run."""
    one = 'level2.model="greedy"'
    given = ("--data", ads, "--out", tmp_path, *QUICK, "--set", one, "--metric", "map")
    call("run", *given, "--save", tmp_path / "stack")
    call("predict", tmp_path / "stack", "--data", ads, "--to", tmp_path / "p.parquet")
    found = pd.read_parquet(tmp_path / "p.parquet").set_index("id")
    stored = pd.read_parquet(tmp_path / "oof" / "demo" / "stack-greedy" / "test.parquet")
    stored = stored.set_index("id").loc[found.index]
    assert found.to_numpy().tobytes() == stored.to_numpy().tobytes()


@pytest.mark.parametrize("name", ["mAP", "nowhere:f", "competition:nothing", "json:JSONDecoder.x"])
def test_unknown_metric_is_refused_before_anything_runs(
    name: str, ads: Path, tmp_path: Path
) -> None:
    for command in (("run", "--jobs", 1), ("stack",), ("tune", "tfidf_logreg")):
        done = called(*command, "--data", ads, "--out", tmp_path, "--metric", name)
        assert done.status == 2
        assert f"There is no metric '{name}'" in " ".join(done.err.split())
    assert not (tmp_path / "oof").exists()


def test_metric_that_is_no_number_is_named(ads: Path, out: Path) -> None:
    (out / "odd_metric.py").write_text("def odd(labels, scores):\n    return float('nan')\n")
    given = ("--data", ads, "--out", out, "--set", LEARNERS, "--metric", "odd_metric:odd")
    done = called("stack", *given, cwd=out)
    assert done.status == 2
    assert "The metric odd_metric:odd gives nan" in " ".join(done.err.split())


def test_metric_that_ends_the_program_is_named(ads: Path, out: Path) -> None:
    (out / "leaving.py").write_text("import sys\ndef leave(labels, scores):\n    sys.exit(0)\n")
    (out / "gone.py").write_text("raise SystemExit\n")
    for name, said in (
        ("leaving:leave", "The metric leaving:leave failed: SystemExit: 0"),
        ("gone:f", "There is no metric 'gone:f' (SystemExit"),
    ):
        given = ("--data", ads, "--out", out, "--set", LEARNERS, "--metric", name)
        done = called("stack", *given, cwd=out)
        assert done.status == 2
        assert said in " ".join(done.err.split())


def test_changed_function_makes_the_stack_anew(ads: Path, out: Path) -> None:
    from competition.evaluation.chosen_metric import metric_digest

    found = set()
    for number, threshold in enumerate((0.3, 0.3, 0.6)):
        name = f"recall_{number}"
        (out / f"{name}.py").write_text(RECALL.format(threshold=threshold), encoding="utf-8")
        given = ("--data", ads, "--out", out, "--set", LEARNERS, "--metric", f"{name}:recall")
        call("stack", *given, cwd=out)
        found.add(card(out)["made_from"]["metric"])  # type: ignore[index]
        assert card(out)["made_from"]["metric"] == metric_digest(f"{name}:recall")  # type: ignore[index]
    assert len(found) == 3


def test_tune_searches_by_the_metric(ads: Path, out: Path) -> None:
    settings = ["--data", ads, "--set", "folds.n=3", "--out", out, "--jobs", 1]
    done = call("tune", "tfidf_logreg", *settings, "--trials", 2, "--metric", "map")
    start = float(done.row("mAP")[1])
    assert start == pytest.approx(
        mean_average_precision(load_dataset(ads).labels, oof(out, ads, "tfidf_logreg")), abs=1e-4
    )
    tuned = out / "oof" / "demo" / "tuning" / "tfidf_logreg.toml"
    assert 'metric = "map"' in tuned.read_text(encoding="utf-8")
