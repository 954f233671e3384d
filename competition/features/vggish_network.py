"""The VGGish network, and its weights in the layout that its PyTorch ports share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from competition.features.weights import read_weights
from competition.utils.errors import FeatureError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import ModuleDict

N_OUT = 128
LOWEST, HIGHEST = -2.0, 2.0  # range of a principal component in 8 bits
PCA_SHAPES = {"pca_eigen_vectors": (N_OUT, N_OUT), "pca_means": (N_OUT, 1)}


def make_network() -> ModuleDict:
    """Return the network of 72,141,184 weights, without their values.

    Configuration A of VGG (eleven layers) without its last group of convolutions, and with 128
    outputs in place of the classes: S. Hershey et al., ICASSP 2017.
    """
    from torch import nn

    features: list[nn.Module] = []
    n_in = 1
    for widths in ((64,), (128,), (256, 256), (512, 512)):
        for width in widths:
            features += [nn.Conv2d(n_in, width, 3, padding=1), nn.ReLU()]
            n_in = width
        features.append(nn.MaxPool2d(2))
    embeddings: list[nn.Module] = []
    n_in = 512 * 6 * 4  # channels, time, frequency, each pooled four times
    for width in (4096, 4096, N_OUT):
        embeddings += [nn.Linear(n_in, width), nn.ReLU()]
        n_in = width
    return nn.ModuleDict(
        {"features": nn.Sequential(*features), "embeddings": nn.Sequential(*embeddings)}
    )


def embed(network: ModuleDict, patches: Tensor) -> Tensor:
    """Pass log-mel patches of shape (n, 96, 64) through the network, to shape (n, 128).

    The last layer ends in a ReLU, as in the release of these weights.
    """
    maps = network["features"](patches[:, None])
    # The dense layers expect channels last, as in TensorFlow, where they were trained.
    return network["embeddings"](maps.permute(0, 2, 3, 1).flatten(1))


def load_network(path: Path) -> ModuleDict:
    """Load the weights from a ``.pth`` or ``.safetensors`` file.

    Raises
    ------
    FeatureError
        If the file cannot be read safely, lacks a weight, or has a weight of another shape.
    """
    import torch

    with torch.device("meta"):
        network = make_network()
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    weights = _checked(read_weights(path), expected, path)
    network.load_state_dict(
        {key: torch.as_tensor(weight).float() for key, weight in weights.items()}, assign=True
    )
    return network.eval().requires_grad_(False)


def load_pca(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Load the principal components, (128, 128), and the means, (128, 1), both float32.

    The file may be ``.pth``, ``.safetensors`` or ``.npz``.

    Raises
    ------
    FeatureError
        If the file cannot be read safely, or one of them is absent or of another shape.
    """
    pca = _checked(read_weights(path), PCA_SHAPES, path)
    components, means = (np.asarray(pca[key], dtype=np.float32) for key in PCA_SHAPES)
    return components, means


def postprocess(embeddings: np.ndarray, components: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Project on whitened principal components, clip to [-2, 2] and quantise to 8 bits.

    As published with VGGish, in the format of the YouTube-8M features: whole numbers, truncated.

    Parameters
    ----------
    embeddings : ndarray of shape (n, 128)
    components : ndarray of shape (128, 128)
        One component per row.
    means : ndarray of shape (128, 1)

    Returns
    -------
    ndarray of shape (n, 128), dtype uint8
    """
    projected = (embeddings - means.T) @ components.T
    clipped = np.clip(projected, LOWEST, HIGHEST)
    return ((clipped - LOWEST) * (255.0 / (HIGHEST - LOWEST))).astype(np.uint8)


def _checked(
    found: Mapping[str, Any], expected: Mapping[str, tuple[int, ...]], path: Path
) -> dict[str, Any]:
    for key, shape in expected.items():
        if key not in found:
            raise FeatureError(
                f"{path} lacks {key}: VGGish needs another file here. The first names in this one "
                f"are {', '.join(sorted(map(str, found))[:3])}. Correct its path."
            )
        if tuple(np.shape(found[key])) != shape:
            raise FeatureError(
                f"In {path}, {key} has the shape {tuple(np.shape(found[key]))}, but VGGish needs "
                f"{shape}. Correct its path."
            )
    return {key: found[key] for key in expected}
