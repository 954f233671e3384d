"""Score and speed of the level-2 DNN on made-up ads; run as `python -m benchmarks.level2_dnn`.

Ten models see four modalities of each ad: models of one modality share its errors, some modalities
are missing, and no model is calibrated. The scores are OOF GAP. The speed is that of the same
networks trained all at once and one after another. The tables go to benchmarks/level2_dnn.md.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from competition.evaluation.metrics import gap
from competition.execution.devices import torch_threads
from competition.level2.components.networks import Inputs, endless, train
from competition.level2.crossfit import cross_fit
from competition.level2.data import Ads, StackData
from competition.level2.learners.dnn import DNN
from competition.utils.files import write_text

if TYPE_CHECKING:
    from torch import Tensor

N_TAGS, N_LATENT = 82, 14
MODALITY = np.array([0, 0, 0, 1, 1, 2, 2, 3, 3, 3])
MISSING = np.array([0.05, 0.15, 0.02, 0.1])
SIZES = (300, 1000, 5000)
TIMED = 5000
THREADS = 2
REPEATS = 3
OF_NETWORKS = (
    "hidden",
    "dropout",
    "modality_dropout",
    "epochs",
    "min_steps",
    "max_steps",
    "batch_size",
    "learning_rate",
    "weight_decay",
)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits, float32."""
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def make_case(n_ads: int, seed: int | None = None) -> StackData:
    """Ads of one and the same world, whatever their number."""
    world, rng = np.random.default_rng(123), np.random.default_rng(n_ads if seed is None else seed)
    loadings = world.normal(size=(N_LATENT, N_TAGS))
    loadings *= world.choice([0.3, 1.0], size=loadings.shape, p=[0.6, 0.4]) / np.sqrt(N_LATENT)
    often = np.sort(world.beta(0.3, 1.9, size=N_TAGS))[::-1].clip(0.004, 0.98)
    offset = np.log(often / (1 - often))
    effects, jump = world.normal(size=(3, N_TAGS)) * 0.35, world.normal(size=N_TAGS) * 0.35
    sight = world.uniform(0.25, 0.9, size=(4, N_LATENT))
    skill = world.uniform(0.35, 1, size=(4, N_TAGS))
    habits, overconfidence = world.normal(size=(10, 6, N_TAGS)), world.uniform(0.6, 1.5, size=10)

    latent, metadata = rng.normal(size=(n_ads, N_LATENT)), rng.normal(size=(n_ads, 3))
    truth = 1.6 * offset + 3.6 * latent @ loadings + metadata @ effects
    truth += np.sign(metadata[:, :1]) * jump + 0.5 * rng.normal(size=truth.shape)
    missing = rng.random((n_ads, 4)) < MISSING
    probabilities = np.empty((n_ads, len(MODALITY), N_TAGS), dtype=np.float32)
    for modality in range(4):
        blur = rng.normal(size=latent.shape) * np.sqrt(sight[modality] * (1 - sight[modality]))
        seen = 3.0 * (latent * sight[modality] + blur) @ loadings * skill[modality]
        seen += 0.35 * rng.normal(size=seen.shape)
        for model in np.flatnonzero(modality == MODALITY):
            own = 0.25 * rng.normal(size=(n_ads, 6)) @ habits[model]
            own += 0.4 * rng.normal(size=own.shape)
            signal = (seen + own) * overconfidence[model]
            signal[missing[:, modality]] = 0
            probabilities[:, model] = sigmoid(1.28 * offset + signal)
    frame = pd.DataFrame(
        {
            "duration": np.exp(metadata[:, 0] * 0.7 + 3),
            "width": metadata[:, 1],
            "shape": np.where(metadata[:, 2] > 0.5, "wide", "tall"),
        }
    )
    return StackData(
        models=tuple(f"model_{m}" for m in range(len(MODALITY))),
        reads=MODALITY[:, None] == np.arange(4),
        ads=Ads(probabilities, frame, missing),
        labels=(rng.random(truth.shape) < sigmoid(truth)).astype(np.uint8),
        fold=rng.permutation(np.arange(n_ads) % 5),
        top_k=20,
    )


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock and processor seconds of a piece of work."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def score_row(n_ads: int) -> str:
    """Score the best single model, both means and the DNN as one row of the table."""
    data = make_case(n_ads)
    models = data.ads.probabilities
    clipped = np.clip(models, 1e-4, 1 - 1e-4)
    scores = [
        max(gap(data.labels, models[:, m]) for m in range(len(data.models))),
        gap(data.labels, models.mean(axis=1)),
        gap(data.labels, sigmoid(np.log(clipped / (1 - clipped)).mean(axis=1))),
    ]
    start = time.perf_counter()
    output = cross_fit(DNN(), data)
    taken = time.perf_counter() - start
    scores.append(gap(data.labels, output.oof))
    cells = " | ".join(f"{score:.4f}" for score in scores)
    return f"| {n_ads:,} | {cells} | {np.mean(output.corrections):.2f} | {taken:.1f} |"


def prepared(data: StackData) -> list[tuple[StackData, np.ndarray, Inputs]]:
    """Of every fold its training ads, which of them each network learns from, and its inputs."""
    found = []
    for place, fold in enumerate(data.folds):
        rest, learner = data.without_fold(fold), DNN().for_fold(place)
        found.append((rest, learner._learns(len(rest.labels)), learner._inputs(rest)))
    return found


def plain_network(inputs: "Tensor", base: "Tensor", labels: "Tensor") -> None:
    """Train one such network as one would without any thought of speed."""
    import torch
    from torch import nn

    given = DNN()
    first, second = given.hidden
    network = nn.Sequential(
        nn.Linear(inputs.shape[1], first),
        nn.ReLU(),
        nn.Dropout(given.dropout),
        nn.Linear(first, second),
        nn.ReLU(),
        nn.Dropout(given.dropout),
        nn.Linear(second, N_TAGS),
    )
    steps = max(given.min_steps, math.ceil(given.epochs * len(labels) / given.batch_size))
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=given.learning_rate, weight_decay=given.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    loss_of = nn.BCEWithLogitsLoss()
    batches = endless(len(labels), steps * given.batch_size, np.random.default_rng(0))
    for batch in batches.reshape(steps, -1):
        ads = torch.from_numpy(batch)
        loss = loss_of(network(inputs[ads]) + base[ads], labels[ads])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def speed_rows() -> list[str]:
    """Time 25 networks trained at once and one after another, in the same process."""
    import torch
    from joblib import Parallel, delayed

    given = DNN()
    folds, settings = prepared(make_case(TIMED)), {n: getattr(given, n) for n in OF_NETWORKS}
    every = [inputs.of_ads(np.arange(len(rest.labels))) for rest, _, inputs in folds]

    def at_once() -> None:
        with torch_threads(1):
            Parallel(n_jobs=THREADS, prefer="threads")(
                delayed(train)(learns, inputs, rest.labels, seed=0, **settings)
                for rest, learns, inputs in folds
            )

    def one_by_one() -> None:
        for rest, learns, inputs in folds:
            for own in learns:
                train(own[None], inputs, rest.labels, seed=0, **settings)

    def plainly() -> None:
        for (rest, learns, inputs), seen in zip(folds, every, strict=True):
            labels = torch.from_numpy(rest.labels.astype(np.float32))
            for own in torch.from_numpy(learns):
                plain_network(seen[own], inputs.base[own], labels[own])

    quickest = [
        np.min([seconds(way) for _ in range(REPEATS)], axis=0)
        for way in (at_once, one_by_one, plainly)
    ]
    names = ("at once", "one after another, by the same code", "one after another, by torch.nn")
    return [
        f"| {name} | {wall:.1f} | {processor:.1f} | {wall / quickest[0][0]:.1f} |"
        for name, (wall, processor) in zip(names, quickest, strict=True)
    ]


def main() -> None:
    """Print both tables and write them to benchmarks/level2_dnn.md."""
    lines = [
        "# Level-2 DNN",
        "",
        "Made by `python -m benchmarks.level2_dnn`: OOF GAP with 10 models, 82 tags, 5 folds and 5 "
        "networks a fold; seconds on one thread.",
        "",
        "| ads | best model | mean | mean logit | dnn | strength | seconds |",
        "|---|---|---|---|---|---|---|",
        *(score_row(n_ads) for n_ads in SIZES),
        "",
        f"The 25 networks alone, {TIMED:,} ads; the quickest of {REPEATS}. All may use both cores.",
        "",
        "| training | wall-clock s | processor s | times the first |",
        "|---|---|---|---|",
        *speed_rows(),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    write_text(Path(__file__).with_suffix(".md"), text)


if __name__ == "__main__":
    main()
