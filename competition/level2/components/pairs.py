"""(ad, tag) pairs as rows of a matrix, for learners that judge one pair at a time."""

import numpy as np
import pandas as pd

from competition.level2.base import Ads, prior_logits
from competition.level2.components.features import EncodedMetadata
from competition.level2.components.logits import to_logits


def pair_features(train: Ads, labels: np.ndarray, asked: Ads) -> tuple[np.ndarray, np.ndarray]:
    """Describe every (ad, tag) pair, tags of the first ad first.

    The columns are the models' logits for the tag, their mean and spread, the tag's prior logit,
    what the mean logits say of the ad (the highest of all tags; how far below it this tag lies; the
    expected number of tags), and the metadata about the ad, with statistics of the training ads.

    Parameters
    ----------
    train : Ads
    labels : ndarray of shape (len(train), n_tags), dtype uint8
    asked : Ads

    Returns
    -------
    train, asked : ndarray of shape (n_ads * n_tags, n_columns), dtype float32
    """
    rows = np.arange(len(train))
    metadata = EncodedMetadata(
        pd.concat([train.metadata, asked.metadata], ignore_index=True),
        np.concatenate([train.missing, asked.missing]),
    ).design(rows)[0]
    # A column without a value in training would only say which metadata the asked ads have.
    metadata = metadata[:, metadata[rows].any(axis=0)]
    prior = prior_logits(labels)
    return _pairs(train, prior, metadata[: len(train)]), _pairs(
        asked, prior, metadata[len(train) :]
    )


def _pairs(ads: Ads, prior: np.ndarray, metadata: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    logits = to_logits(ads.probabilities)
    n_ads, n_models, n_tags = logits.shape
    mean = logits.mean(axis=1)
    most = mean.max(axis=1, keepdims=True)
    n_columns = n_models + 6 + metadata.shape[1]
    pairs = np.empty((n_ads, n_tags, n_columns), dtype=np.float32)
    pairs[:, :, :n_models] = logits.transpose(0, 2, 1)
    columns = [mean, logits.std(axis=1), prior, most, mean - most]
    columns.append(expit(mean).sum(axis=1, keepdims=True))
    for position, column in enumerate(columns, start=n_models):
        pairs[:, :, position] = column
    pairs[:, :, n_models + 6 :] = metadata[:, None]
    return pairs.reshape(n_ads * n_tags, n_columns)
