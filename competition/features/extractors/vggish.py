"""Sound as vectors of VGGish, the network of the video paper's sound branch."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from competition.execution.devices import choose_device
from competition.features.base import Item
from competition.features.chunked import ChunkedExtractor, Network
from competition.features.extractors.logmel import RATE, log_mel_patches
from competition.features.registry import extractor
from competition.media.sound import read_sound
from competition.utils.errors import FeatureError
from competition.utils.parameters import Count


@extractor("vggish", kinds=("video", "audio"), gives="array", version=1)
class VGGish(ChunkedExtractor):
    """One vector of 128 numbers for each 0.96 s of sound (S. Hershey et al., ICASSP 2017).

    The network's outputs are projected on principal components and quantised to 0..255, as in
    AudioSet and YouTube-8M.

    Parameters
    ----------
    weights : str
        File of the network's weights in the layout of ``vggish-10086976.pth``; "" leaves the
        feature out.
    pca : str
        File of the principal components, ``vggish_pca_params-970ea276.pth`` or
        ``vggish_pca_params.npz``; "" gives the network's outputs as they are.
    n_patches : int or None
        Rows of each ad: longer sound is cut, shorter filled up with zeros. 62 is the video
        paper's number (section 3.2.2); None keeps what there is.
    device : str
    batch_size : int
        Patches per pass of the network; only on a GPU are they of several ads.
    """

    libraries = ("av", "torch")
    hears = True

    def __init__(
        self,
        weights: str = "",
        pca: str = "",
        n_patches: Count | None = 62,
        device: str = "auto",
        batch_size: Count = 64,
    ) -> None:
        self.weights = weights
        self.pca = pca
        self.n_patches = n_patches
        self.device = device
        self.batch_size = batch_size

    def lacks(self) -> str:
        """Say which files are needed, if no weights are named."""
        if self.weights:
            return ""
        return (
            "No weights of VGGish are named. Fetch vggish-10086976.pth and "
            "vggish_pca_params-970ea276.pth from the releases of harritaylor/torchvggish on "
            "GitHub, and set weights and pca to their paths."
        )

    def files(self) -> Sequence[Path]:
        """Files that are named and there."""
        named = [Path(name).expanduser() for name in (self.weights, self.pca) if name]
        return [path for path in named if path.is_file()]

    def read(self, item: Item) -> Iterator[np.ndarray]:
        """Yield log-mel patches, shape (n_patches, 96, 64), dtype float32."""
        n_read = 0
        for patches in log_mel_patches(read_sound(item.path, RATE)):
            if self.n_patches is not None:
                patches = patches[: self.n_patches - n_read]
            yield patches
            n_read += len(patches)
            if n_read == self.n_patches:
                return

    def load(self) -> Network:
        """Return the network, and the principal components where they are named.

        Raises
        ------
        FeatureError
            If a file cannot be used, or a parameter is out of range.
        """
        import torch

        from competition.features.vggish_network import embed, load_network, load_pca, postprocess

        if self.n_patches is not None and self.n_patches < 1:
            raise FeatureError(f"vggish: n_patches is {self.n_patches}; it must be 1 or more.")
        device = choose_device(self.device)
        network = load_network(Path(self.weights).expanduser()).to(device)
        pca = load_pca(Path(self.pca).expanduser()) if self.pca else None

        def run(patches: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                embeddings = embed(network, torch.from_numpy(patches).to(device)).cpu().numpy()
            return embeddings if pca is None else postprocess(embeddings, *pca)

        return run

    def join(self, results: list[Any]) -> np.ndarray:
        """Return an array of shape (n_patches, 128), dtype float16."""
        vectors = np.stack(results).astype(np.float16)
        if self.n_patches is None:
            return vectors
        return np.pad(vectors, ((0, self.n_patches - len(vectors)), (0, 0)))
