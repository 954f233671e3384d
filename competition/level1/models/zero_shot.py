"""Zero-shot tags: how close an ad's picture, frames or sound is to each tag's name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from competition.features.encoders import checkpoint_files
from competition.features.text_towers import TextVectors, embed_texts
from competition.level1.base import Level1Model
from competition.level1.components.calibration import Sigmoid, fit_sigmoid
from competition.level1.registry import level1_model
from competition.utils.errors import ModelError


@level1_model("zero_shot", kinds=("array",))
class ZeroShot(Level1Model):
    """Similarity of an ad to the name of each tag, by a dual encoder such as CLIP or CLAP.

    The ad's vectors are a feature made by the same checkpoint with ``pooling = "projection"``: one
    of a picture, several of a film's frames or of sound. Their cosines with the vector of a tag's
    text are averaged. Nothing of it is trained, so that tags with few ads or none have a chance.

    With `calibrate`, two numbers per tag turn cosines into probabilities: an intercept, and a slope
    that is drawn towards the one that all tags share (`competition.level1.components.calibration`).
    They are fitted on the training ads; the order of the ads within a tag stays as it is. A tag
    that no training ad carries gets the shared slope, and an intercept for a tag as rare as that.
    Without it, probabilities are those of the encoder: of each tag by itself (SigLIP), or
    shared out among the tags of the ad, which then sum to 1 (CLIP, CLAP).

    An ad without vectors gets the prior of each tag.

    Parameters
    ----------
    checkpoint : str
        A hub name or a local folder: CLIP, Chinese-CLIP, SigLIP, SigLIP 2, CLAP.
    template : str or tuple of str
        A tag's text, with ``{}`` for its name, in the language of the tags and the checkpoint:
        ``"a photo of {}"``. The vectors of several are averaged, as those of CLIP's authors are.
    calibrate : bool
    tag_names : tuple of str, optional
        The name of each tag; the run gives them.

    Attributes
    ----------
    texts_ : TextVectors
        Of each tag.
    sigmoid_ : Sigmoid or None
        None without `calibrate`, and where no training ad has vectors.

    References
    ----------
    Radford et al.: Learning transferable visual models from natural language supervision, ICML
    2021, section 3.1.
    """

    libraries = ("torch", "transformers")
    knows_tags = True

    def __init__(
        self,
        checkpoint: str,
        template: str | tuple[str, ...] = "{}",
        calibrate: bool = True,
        tag_names: tuple[str, ...] | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.template = template
        self.calibrate = calibrate
        self.tag_names = tag_names

    def files(self) -> Sequence[Path]:
        """Files of a checkpoint in a local folder."""
        return checkpoint_files(self.checkpoint)

    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        from competition.execution.devices import torch_threads

        if X.shape[1] != 1:
            raise ModelError(
                f"zero_shot reads one feature of an ad, got the inputs {', '.join(X.columns)}. "
                "Name one of them in its inputs."
            )
        with torch_threads(1):  # so that the bytes are the same on any machine
            self.texts_ = self._tag_vectors()
        similarities, there = self._similarities(X)
        self.sigmoid_: Sigmoid | None = None
        self.trained_ = bool(there.any())
        if self.calibrate and self.trained_:
            self.sigmoid_ = fit_sigmoid(similarities[:, self.learnable_], Y[there])

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        probabilities = np.tile(self.prior_[self.learnable_], (len(X), 1))
        similarities, there = self._similarities(X)
        if not there.any() or not self.trained_:
            return probabilities
        if self.sigmoid_ is not None:
            probabilities[there] = self.sigmoid_(similarities[:, self.learnable_])
        else:
            probabilities[there] = _uncalibrated(self.texts_, similarities)[:, self.learnable_]
        return probabilities

    def _tag_vectors(self) -> TextVectors:
        """Vectors of all tags, the mean over templates."""
        n_tags = len(self.learnable_)
        if self.tag_names is None or len(self.tag_names) != n_tags:
            n_names = "no names" if self.tag_names is None else f"{len(self.tag_names)} names"
            raise ModelError(
                f"zero_shot got {n_names} for {n_tags} tags. Give tag_names, the name of each."
            )
        templates = (self.template,) if isinstance(self.template, str) else tuple(self.template)
        for template in templates:
            if "{}" not in template:
                raise ModelError(
                    f"zero_shot: the template {template!r} has no {{}} for the name of the tag."
                )
        if not templates:
            raise ModelError("zero_shot: template is empty. Give one text or more.")
        texts = [t.replace("{}", name) for t in templates for name in self.tag_names]
        found = embed_texts(self.checkpoint, texts)
        mean = found.vectors.reshape(len(templates), n_tags, -1).mean(axis=0)
        length = np.linalg.norm(mean, axis=1, keepdims=True)
        return TextVectors(mean / np.maximum(length, 1e-12), found.scale, found.bias)

    def _similarities(self, X: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Mean cosine of the vectors of ads with each tag, (n_there, n_tags), and who has any."""
        cells, dims = X.iloc[:, 0], self.texts_.vectors.shape[1]
        there = np.array([isinstance(c, np.ndarray) and len(c) > 0 for c in cells], dtype=bool)
        similarities = np.zeros((int(there.sum()), len(self.texts_.vectors)), dtype=np.float32)
        for row, cell in enumerate(cells[there]):
            if cell.shape[1] != dims:
                raise ModelError(
                    f"zero_shot: the vectors of {X.columns[0]} have {cell.shape[1]} numbers, and "
                    f"the projection of {self.checkpoint!r} has {dims}. Extract the feature with "
                    'that checkpoint and pooling = "projection".'
                )
            vectors = cell.astype(np.float32)
            length = np.linalg.norm(vectors, axis=1, keepdims=True)
            mean = (vectors / np.maximum(length, 1e-12)).mean(axis=0)
            similarities[row] = self.texts_.vectors @ mean
        return similarities, there


def _uncalibrated(texts: TextVectors, similarities: np.ndarray) -> np.ndarray:
    """Return what the encoder itself says, (n_ads, n_tags)."""
    from scipy.special import expit, softmax

    logits = texts.scale * similarities
    if texts.bias is not None:
        return np.asarray(expit(logits + texts.bias))
    return np.asarray(softmax(logits, axis=1))
