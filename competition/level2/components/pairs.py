"""(ad, tag) pairs as rows of a matrix, for learners that judge one pair at a time."""

from typing import NamedTuple

import numpy as np

from competition.level2.components.features import MetadataEncoding, encode_metadata
from competition.level2.components.logits import to_logits
from competition.level2.data import Ads, StackData
from competition.utils.odds import prior_logits

# Bins of a column for trees. Logits are smooth: 255 take a third longer, and on 36 problems of
# `benchmarks.regret` score 0.0007 less (xgboost 0.0011, corrector 0.0001; standard errors 0.0015
# to 0.0019).
BINS = 63
BINNED = 50_000  # pairs that LightGBM's bins are found on; of more they come out alike


class PairFeatures(NamedTuple):
    """How (ad, tag) pairs are described, learned from training ads by `fit_pairs`.

    The columns are the models' logits for the tag, their mean and spread, the tag's prior logit,
    what the mean logits say of the ad (the highest of all tags; how far below it this tag lies; the
    expected number of tags), and the metadata about the ad.

    Attributes
    ----------
    prior : ndarray of shape (n_tags,), dtype float32
        Prior logits of the tags.
    metadata : MetadataEncoding
    kept : ndarray of shape (n_metadata_columns,), dtype bool
        Metadata columns that say anything of a training ad.
    """

    prior: np.ndarray
    metadata: MetadataEncoding
    kept: np.ndarray

    def of_ads(self, ads: Ads) -> np.ndarray:
        """Describe every pair, tags of the first ad first.

        Returns
        -------
        ndarray of shape (n_ads * n_tags, n_columns), dtype float32
        """
        from scipy.special import expit

        logits = to_logits(ads.probabilities)
        metadata = self.metadata.design(ads.metadata, ads.missing)[0][:, self.kept]
        n_ads, n_models, n_tags = logits.shape
        mean = logits.mean(axis=1)
        most = mean.max(axis=1, keepdims=True)
        n_columns = n_models + 6 + metadata.shape[1]
        pairs = np.empty((n_ads, n_tags, n_columns), dtype=np.float32)
        pairs[:, :, :n_models] = logits.transpose(0, 2, 1)
        columns = [mean, logits.std(axis=1), self.prior, most, mean - most]
        columns.append(expit(mean).sum(axis=1, keepdims=True))
        for position, column in enumerate(columns, start=n_models):
            pairs[:, :, position] = column
        pairs[:, :, n_models + 6 :] = metadata[:, None]
        return pairs.reshape(n_ads * n_tags, n_columns)


def fit_pairs(data: StackData) -> PairFeatures:
    """Learn from training ads how pairs are described."""
    metadata = encode_metadata(data.ads.metadata, data.ads.missing)
    design = metadata.design(data.ads.metadata, data.ads.missing)[0]
    return PairFeatures(prior_logits(data.labels), metadata, np.asarray(design.any(axis=0)))
