"""What a GPU makes of the networks; run as `python -m benchmarks.gpu`, under 9 minutes on a card.

- ViT-L/16 at 384 pixels over random frames, as the `vit` extractor runs it, in bfloat16: frames a
  second, as a share of what the card's own bfloat16 product, measured here, allows by the network's
  floating-point operations. The aim is half of it.
- BERT-base fine-tuned by the training loop of this package and by a plain loop of PyTorch that does
  what the Trainer of Hugging Face does by default (linear schedule, clipping, AdamW, bfloat16
  autocast, one padded length); tokens a second, padding not counted.
- The networks of level 1 on arrays against two cores; the meta-learner `dnn`, which uses no GPU.

Weights are random, in the real architectures. On a machine without a card it runs on the processor
with tiny networks and writes nothing. The table goes to benchmarks/gpu.md.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from benchmarks.level2_dnn import make_case
from competition.execution.devices import choose_device
from competition.level1.networks.texts import TOKENS_ON_CPU
from competition.level1.networks.training import Schedule, seeded, train
from competition.level1.registry import get_model
from competition.level2.crossfit import cross_fit
from competition.level2.learners.dnn import DNN
from competition.utils.files import write_text

AIM = 0.5
N_TAGS = 82


@dataclass(frozen=True)
class Sizes:
    """How much is computed, and how large the networks are."""

    frames: int
    frames_at_once: int
    vit: dict[str, Any]
    texts: int
    bert: dict[str, Any]
    longest: int
    array_ads: int
    arrays: dict[str, Any]
    stack_ads: int
    dnn: dict[str, Any]
    product: int  # rows of the square matrices whose product is measured


CARD = Sizes(
    frames=20_000,
    frames_at_once=128,
    vit={"image_size": 384, "hidden_size": 1024, "intermediate_size": 4096}
    | {"num_hidden_layers": 24, "num_attention_heads": 16},
    texts=2_000,
    bert={},  # BERT-base is what a configuration is without settings
    longest=256,
    array_ads=4_000,
    arrays={"n_jobs": 2},
    stack_ads=5_000,
    dnn={},
    product=8192,
)
TINY = Sizes(
    frames=8,
    frames_at_once=4,
    vit={"image_size": 32, "hidden_size": 32, "intermediate_size": 64}
    | {"num_hidden_layers": 2, "num_attention_heads": 2},
    texts=24,
    bert={"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    | {"intermediate_size": 64, "vocab_size": 300},
    longest=16,
    array_ads=20,
    arrays={"epochs": 1},
    stack_ads=60,
    dnn={"seeds": 1, "min_steps": 2, "max_steps": 2, "context": 0},
    product=128,
)


@contextmanager
def timed(device: str) -> Iterator[list[float]]:
    """Yield a list that receives the seconds of the block, all of the card's work included."""
    seconds: list[float] = []
    _wait(device)
    start = time.perf_counter()
    yield seconds
    _wait(device)
    seconds.append(time.perf_counter() - start)


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def product_speed(rows: int, device: str) -> float:
    """Floating-point operations a second of a bfloat16 product of square matrices."""
    a, b = (torch.randn(rows, rows, device=device, dtype=torch.bfloat16) for _ in range(2))
    repeats = 50 if device.startswith("cuda") else 2
    for _ in range(3):
        a @ b
    with timed(device) as seconds:
        for _ in range(repeats):
            a @ b
    return 2 * rows**3 * repeats / seconds[0]


def vit_operations(config: Any) -> float:
    """Floating-point operations of a forward pass per frame: products of matrices alone.

    Of each of n tokens of d values, per layer: 4 d d for what attention projects, 2 n d for what it
    compares and mixes, 2 d m for the two dense layers of m units; a multiplication and an addition
    each.
    """
    side = config.image_size // config.patch_size
    n, d, m = side * side + 1, config.hidden_size, config.intermediate_size
    layer = n * (4 * d * d + 2 * n * d + 2 * d * m)
    patches = side * side * 3 * config.patch_size**2 * d
    return 2.0 * (config.num_hidden_layers * layer + patches)


@torch.inference_mode()
def vit_speed(sizes: Sizes, device: str) -> tuple[float, float]:
    """Frames a second, and the operations of a frame."""
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(**sizes.vit)
    network = ViTModel(config, add_pooling_layer=False).to(device, torch.bfloat16).eval()
    shape = (sizes.frames_at_once, 3, config.image_size, config.image_size)
    frames = torch.randn(shape).to(torch.bfloat16)
    if device.startswith("cuda"):
        frames = frames.pin_memory()
    batches = -(-sizes.frames // sizes.frames_at_once)
    network(frames.to(device))
    with timed(device) as seconds:
        for _ in range(batches):
            rows = network(frames.to(device, non_blocking=True)).last_hidden_state[:, 0]
            rows.float().cpu()
    return batches * sizes.frames_at_once / seconds[0], vit_operations(config)


class Texts:
    """Random tokens of random lengths, padded to the longest of a batch: an `Encoder`."""

    on_cpu = TOKENS_ON_CPU

    def __init__(self, sizes: Sizes, words: int) -> None:
        draws = np.random.default_rng(0)
        self.lengths = draws.integers(sizes.longest // 4, sizes.longest + 1, sizes.texts)
        self.tokens = torch.from_numpy(draws.integers(5, words, (sizes.texts, sizes.longest)))

    def __call__(self, rows: np.ndarray) -> tuple[Tensor, ...]:
        longest = int(self.lengths[rows].max())
        mask = torch.arange(longest) < torch.from_numpy(self.lengths[rows])[:, None]
        return self.tokens[rows, :longest] * mask, mask.long()


class Tagger(nn.Module):
    """BERT with an output layer on the mean of its states."""

    def __init__(self, settings: dict[str, Any]) -> None:
        from transformers import BertConfig, BertModel

        super().__init__()
        config = BertConfig(**settings)
        self.words = config.vocab_size
        self.encoder = BertModel(config, add_pooling_layer=False)
        self.head = nn.Linear(config.hidden_size, N_TAGS)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        states = self.encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
        weights = (mask / mask.sum(dim=1, keepdim=True)).to(states.dtype)
        return self.head((states * weights[..., None]).sum(dim=1))


def ours(network: Tagger, texts: Texts, labels: np.ndarray, device: str) -> None:
    """Train for an epoch by the loop of this package."""
    train(network, texts, labels, Schedule(1, 32, 5e-5, 0.01), device)


def plain(network: Tagger, texts: Texts, labels: np.ndarray, device: str) -> None:
    """Train for an epoch as the Trainer of Hugging Face does: batches padded as they come."""
    targets = torch.from_numpy(labels.astype(np.float32))
    network.to(device).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-5, weight_decay=0.01, fused=True)
    order = torch.randperm(len(labels)).numpy()
    batches = [order[start : start + 32] for start in range(0, len(order), 32)]
    falling = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / len(batches))
    for rows in batches:
        batch = [tensor.to(device) for tensor in texts(rows)]
        with torch.autocast(
            device.partition(":")[0], torch.bfloat16, enabled=device.startswith("cuda")
        ):
            logits = network(*batch)
        loss = nn.functional.binary_cross_entropy_with_logits(
            logits.float(), targets[rows].to(device)
        )
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        falling.step()
        optimizer.zero_grad()
    network.cpu()


def bert_speed(how: Callable[..., None], sizes: Sizes, device: str) -> float:
    """Tokens a second."""
    labels = (np.random.default_rng(1).random((sizes.texts, N_TAGS)) < 0.15).astype(np.uint8)
    with seeded(0, device):
        network = Tagger(sizes.bert)
        texts = Texts(sizes, network.words)
        with timed(device) as seconds:
            how(network, texts, labels, device)
    return int(texts.lengths.sum()) / seconds[0]


def frames_seconds(sizes: Sizes, device: str) -> float:
    """Seconds of the level-1 model `frames` on arrays of 40 frames: to fit, and to predict."""
    draws = np.random.default_rng(2)
    cells = np.empty(sizes.array_ads, dtype=object)
    cells[:] = list(draws.standard_normal((sizes.array_ads, 40, 1024), dtype=np.float32))
    X = pd.DataFrame({"frames": cells})
    Y = (draws.random((sizes.array_ads, N_TAGS)) < 0.15).astype(np.uint8)
    model = get_model("frames").make(device=device, **sizes.arrays)
    with timed(device) as seconds:
        model.fit(X, Y).predict_proba(X)
    return seconds[0]


def dnn_seconds(sizes: Sizes) -> float:
    """Seconds of the meta-learner `dnn`, cross-fitted on two cores."""
    data = make_case(sizes.stack_ads, seed=0)
    with timed("cpu") as seconds:
        cross_fit(DNN(**sizes.dnn), replace(data, n_threads=2))
    return seconds[0]


def table(sizes: Sizes, device: str) -> str:
    """Markdown of all that is measured."""
    product = product_speed(sizes.product, device)
    frames, operations = vit_speed(sizes, device)
    share = frames * operations / product
    speeds = [bert_speed(how, sizes, device) for how in (ours, plain)]
    networks = [frames_seconds(sizes, where) for where in (device, "cpu")]
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else "the processor"
    return (
        "\n".join(
            [
                "# Networks on a GPU",
                "",
                f"On {name}. Made by `python -m benchmarks.gpu`; weights are random.",
                "",
                "| | |",
                "|---|---|",
                f"| bfloat16 product of {sizes.product:,} square, TFLOP/s | {product / 1e12:.4g} |",
                f"| vision transformer, {operations / 1e9:.4g} GFLOP a frame, frames a second "
                f"| {frames:.4g} |",
                f"| its share of what the product allows (aim: {AIM}) | {share:.2f} |",
                f"| BERT fine-tuned here, tokens a second | {speeds[0]:,.0f} |",
                f"| the same by a plain loop, as the Trainer's | {speeds[1]:,.0f} |",
                f"| `frames` on {sizes.array_ads:,} ads, seconds | {networks[0]:.1f} |",
                f"| the same on two cores | {networks[1]:.1f} |",
                f"| `dnn` on {sizes.stack_ads:,} ads, seconds on two cores; it uses no GPU "
                f"| {dnn_seconds(sizes):.1f} |",
            ]
        )
        + "\n"
    )


def main() -> None:
    """Print the table; write it where there is a card."""
    device = choose_device()
    on_card = device.startswith("cuda")
    if not on_card:
        print("There is no CUDA card here: tiny networks on the processor, nothing is written.")
    text = table(CARD if on_card else TINY, device)
    print(text)
    if on_card:
        write_text(Path(__file__).with_suffix(".md"), text)


if __name__ == "__main__":
    main()
