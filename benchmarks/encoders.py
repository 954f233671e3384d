"""Speed of `vit` and `bert`; run as `python -m benchmarks.encoders --models DIR --data DIR`.

DIR of the models holds the checkpoints dinov2-small and me5-small-zh; DIR of the data is the
dataset movie_posters. The rival is what most people write: a loop over the ads through the Hugging
Face pipeline, image-feature-extraction or feature-extraction, one ad at a time. Both take the same
posters and synopses, pool the same tokens and have one thread, in one run; rounds alternate and
the best one of each counts. Time is the processor's, so that other work on the machine matters
less. Loading is no part of it. The table goes to benchmarks/encoders.md.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from competition.datasets import load_dataset
from competition.features.base import Extractor, Item
from competition.features.encoders import network_dtype
from competition.features.extractors.bert import Bert
from competition.features.extractors.vit import ViT
from competition.utils.files import write_text

N_POSTERS, N_TEXTS, N_ROUNDS = 64, 64, 5
MAX_TOKENS = 256
PREFIX = "query: "


def pictures_one_by_one(model: Path, items: list[Item]) -> Callable[[], np.ndarray]:
    """A loop over pictures through the pipeline."""
    from transformers import pipeline

    pipe = pipeline("image-feature-extraction", model=str(model), device="cpu")
    return lambda: np.stack(
        [pipe(str(item.path), return_tensors=True)[0, 1:].mean(0).numpy() for item in items]
    )


def texts_one_by_one(model: Path, items: list[Item]) -> Callable[[], np.ndarray]:
    """A loop over texts through the pipeline."""
    from transformers import pipeline

    pipe = pipeline(
        "feature-extraction",
        model=str(model),
        device="cpu",
        tokenize_kwargs={"truncation": True, "max_length": MAX_TOKENS + 2},
    )
    return lambda: np.stack(
        [pipe(PREFIX + str(item.value), return_tensors=True)[0].mean(0).numpy() for item in items]
    )


def ours(extractor: Extractor, items: list[Item]) -> Callable[[], np.ndarray]:
    """All items in one call."""
    return lambda: np.concatenate(list(extractor.extract(items)))


def row(name: str, rival: Callable[[], np.ndarray], own: Callable[[], np.ndarray]) -> str:
    """Compare the two; a row of the table."""
    seconds: dict[Callable[[], np.ndarray], list[float]] = {rival: [], own: []}
    vectors = {how: how().astype(np.float64) for how in seconds}  # loads and warms up
    for _ in range(N_ROUNDS):
        for how, spent in seconds.items():
            start = time.process_time()
            how()
            spent.append(time.process_time() - start)
    a, b = vectors[rival], vectors[own]
    cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    slow, fast = len(a) / min(seconds[rival]), len(a) / min(seconds[own])
    return (
        f"| {name} | {len(a)} | {slow:.1f} | {fast:.1f} | {fast / slow:.1f} | {cosines.min():.5f} |"
    )


def main() -> None:
    """Run both and write the table."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    dataset = load_dataset(given.data)
    posters = [
        Item("image", dataset.root / path)
        for path in dataset.ads["poster"].dropna().iloc[:N_POSTERS]
    ]
    texts = [Item("text", text) for text in dataset.ads["synopsis"].iloc[:N_TEXTS] if text]
    vision, text = given.models / "dinov2-small", given.models / "me5-small-zh"
    vit = ViT(str(vision), pooling="mean", device="cpu")
    bert = Bert(str(text), instruction=PREFIX, max_tokens=MAX_TOKENS, device="cpu")
    dtype = str(network_dtype("cpu")).removeprefix("torch.")
    lines = [
        "# Pre-trained encoders on a CPU",
        "",
        f"Ads per second of processor time on one thread, best of {N_ROUNDS} rounds; ours computes "
        f"in {dtype} here. Posters of 300 x 450 pixels; synopses of at most "
        f"{MAX_TOKENS} tokens. Made by `python -m benchmarks.encoders`.",
        "",
        "| | ads | pipeline, one by one | ours | ratio | least cosine of the two |",
        "|---|---|---|---|---|---|",
        row("`vit`, dinov2-small", pictures_one_by_one(vision, posters), ours(vit, posters)),
        row("`bert`, me5-small-zh", texts_one_by_one(text, texts), ours(bert, texts)),
    ]
    result = "\n".join(lines) + "\n"
    print(result)
    write_text(Path(__file__).with_suffix(".md"), result)


if __name__ == "__main__":
    main()
