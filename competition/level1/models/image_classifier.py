"""A pre-trained image classifier whose every layer is trained further on the ads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from competition.execution.memory import AtOnce
from competition.features.encoders import (
    LOADING,
    check_weights,
    checkpoint_files,
    load_pretrained,
)
from competition.features.vision_encoders import try_out
from competition.level1.components.chosen_epoch import ChosenEpochModel
from competition.level1.components.network_model import NetworkModel
from competition.level1.components.trained_encoder import Pictures, image_files, in_batches
from competition.level1.registry import level1_model
from competition.utils.parameters import Count, NotNegative, Positive, Seed

if TYPE_CHECKING:
    from torch import Tensor

# Names of the layers that classify in the networks of transformers: they may be new.
_LAST_LAYERS = ("classifier", "cls_classifier", "distillation_classifier", "head", "dist_head")


@level1_model("image_classifier", kinds=("image",))
class ImageClassifier(NetworkModel, ChosenEpochModel):
    """A pre-trained image classifier, every layer of which is trained further on the ads.

    It has a sigmoid for each tag and learns by binary cross-entropy: the baseline of the image-ad
    paper ("All"). An image that cannot be read is not trained on; its ad gets the prior of each
    tag. It needs a checkpoint, so that it runs where a profile names it and not by a pattern.

    Where a batch does not fit into memory its parts are computed one after the other, to the same
    step; a network with batch normalisation (ResNet) then takes its statistics from the parts.

    Parameters
    ----------
    checkpoint : str
        Hub name or folder of any image classifier of Hugging Face's, such as
        ``"microsoft/resnet-50"``; its last layer is made anew.
    epochs : int
    batch_size : int
    learning_rate : float
        Peak of AdamW's, which falls to 0 along a line.
    weight_decay : float
    random_state : int
        Seeds the last layer and the order of the ads.
    n_jobs : int
        Threads. Same seed and same threads, same bytes on a CPU.
    device : str
    """

    libraries = ("PIL", "torch", "transformers")

    def __init__(
        self,
        checkpoint: str,
        epochs: Count = 5,
        batch_size: Count = 32,
        learning_rate: Positive = 1e-4,
        weight_decay: NotNegative = 1e-4,
        random_state: Seed = 0,
        n_jobs: Count = 1,
        device: str = "auto",
    ) -> None:
        self.checkpoint = checkpoint
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.device = device

    def files(self) -> Sequence[Path]:
        """Files of a checkpoint in a local folder."""
        return checkpoint_files(self.checkpoint)

    def _train(self, X: pd.DataFrame, Y: np.ndarray, device: str) -> None:
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits
        from transformers import AutoModelForImageClassification

        files = image_files(X, "image_classifier")
        self.has_images_ = any(file is not None for file in files)
        if not self.has_images_:
            return
        self.pictures_ = Pictures(self.checkpoint)
        network, info = load_pretrained(
            AutoModelForImageClassification.from_pretrained,
            self.checkpoint,
            num_labels=Y.shape[1],
            dtype=torch.float32,
            **LOADING,
        )
        check_weights(network, info, self.checkpoint, _LAST_LAYERS)
        network.to(device)
        try_out(network, self.pictures_.processor, self.checkpoint)
        labels = torch.from_numpy(Y.astype(np.float32))
        n_batches = max(1, round(len(files) / self.batch_size))
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, n_batches * self.epochs)
        self.network_ = network

        def loss(pixels: Tensor, targets: Tensor, some: np.ndarray) -> Tensor:
            logits = network(pixel_values=pixels[some].to(device)).logits
            return binary_cross_entropy_with_logits(logits, targets[some].to(device))

        at_once = AtOnce(-(-len(files) // n_batches))
        chooser = self._chooser(self._predict_proba)
        for _ in range(self.epochs):
            network.train()
            for ads in torch.randperm(len(files)).chunk(n_batches):
                pixels, read = self.pictures_.read([files[ad] for ad in ads])
                if pixels is not None:
                    of_batch = partial(loss, pixels, labels[ads[read]])
                    at_once.gradients(optimizer.zero_grad, of_batch, len(read))
                    optimizer.step()
                schedule.step()
            network.eval()
            chooser.after_epoch(network)
        self.epochs_ = [chooser.restore(network)]

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        import torch

        from competition.execution.devices import torch_threads

        probabilities = np.tile(self.prior_[self.learnable_], (len(X), 1))
        if not self.has_images_:
            return probabilities
        at_once = AtOnce(self.batch_size)

        def predicted(pixels: Tensor) -> Tensor:
            logits = self.network_(pixel_values=pixels.to(self.network_.device)).logits
            return logits.sigmoid().cpu()

        with torch_threads(self.n_jobs), torch.inference_mode():
            files = image_files(X, "image_classifier")
            for rows in in_batches(len(files), self.batch_size):
                pixels, read = self.pictures_.read(files[rows[0] : rows[-1] + 1])
                if pixels is not None:
                    found = [part for _, part in at_once.each(predicted, pixels)]
                    probabilities[rows[read]] = torch.cat(found).numpy()
        return probabilities
