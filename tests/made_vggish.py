"""VGGish with random weights, in the files that its PyTorch ports share."""

from pathlib import Path

import numpy as np
import torch

# Of the checkpoint that PyTorch ports of VGGish share.
SHAPES = {
    "features.0.weight": (64, 1, 3, 3),
    "features.0.bias": (64,),
    "features.3.weight": (128, 64, 3, 3),
    "features.3.bias": (128,),
    "features.6.weight": (256, 128, 3, 3),
    "features.6.bias": (256,),
    "features.8.weight": (256, 256, 3, 3),
    "features.8.bias": (256,),
    "features.11.weight": (512, 256, 3, 3),
    "features.11.bias": (512,),
    "features.13.weight": (512, 512, 3, 3),
    "features.13.bias": (512,),
    "embeddings.0.weight": (4096, 12288),
    "embeddings.0.bias": (4096,),
    "embeddings.2.weight": (4096, 4096),
    "embeddings.2.bias": (4096,),
    "embeddings.4.weight": (128, 4096),
    "embeddings.4.bias": (128,),
}


def made_weights() -> dict[str, torch.Tensor]:
    """Random weights in that layout; the rows of a large dense layer are one row, repeated.

    So a file holds the row alone, which keeps it small.
    """
    torch.manual_seed(0)
    weights = {}
    for key, shape in SHAPES.items():
        if len(shape) == 1:
            weights[key] = 0.1 * torch.randn(shape)
        elif key in ("embeddings.0.weight", "embeddings.2.weight"):
            weights[key] = (torch.randn(1, shape[1]) / shape[1] ** 0.5).expand(shape)
        else:
            fan_in = int(np.prod(shape[1:]))
            weights[key] = torch.randn(shape) * (2 / fan_in) ** 0.5
    return weights


def made_pca() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {
        "pca_eigen_vectors": torch.randn(128, 128) / 10,
        "pca_means": torch.randn(128, 1) / 10,
    }


def save_vggish(folder: Path) -> dict[str, str]:
    """Write the weights and the principal components; return their paths by parameter."""
    torch.save(made_weights(), folder / "weights.pth")
    torch.save(made_pca(), folder / "pca.pth")
    return {"weights": str(folder / "weights.pth"), "pca": str(folder / "pca.pth")}
