"""What the level-1 models share: checks, and tags that nothing can be learned about."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from competition.text.terms import TermsSpec
from competition.utils.errors import ModelError
from competition.utils.state import Saved


class Level1Model(Saved, BaseEstimator, ABC):
    """A multilabel classifier over a DataFrame of inputs.

    The life of a model:

    1. The constructor stores its parameters and does nothing else. Where it has the parameters
       ``random_state``, ``n_jobs``, ``device``, ``dimensions`` or ``tag_names``, cross-fitting sets
       the seed, the number of threads, the device of networks, and the dimension and the name of
       each tag through them.
    2. The run reads the hooks: `text_terms` says in which form texts come, `files` which files the
       model depends on beside the ads, and `search_space` what `tune` tries. Each has a default
       that suits most models.
    3. `fit` checks its arguments, sets aside the tags that are always or never present, and hands
       the rest to `_fit`.
    4. `predict_proba` gets the probabilities of those tags from `_predict_proba`, and fills in the
       prior of the others.

    A subclass writes `_fit` and `_predict_proba` and never meets a tag with a single value, unless
    it says that it knows the tags.

    Attributes
    ----------
    search_space : callable or None
        From an Optuna trial to parameters: a static method ``search_space(trial)`` of the subclass.
        None: the model cannot be tuned.
    libraries : tuple of str
        What must be installed beside what this package always needs: names to import. A model that
        lacks one is left out of a run.
    knows_tags : bool
        Whether the model knows something of a tag that no training ad carries, such as what its
        name means. It then meets such tags, and gives them probabilities that are low but differ
        from ad to ad.
    prior_ : ndarray of shape (n_tags,), dtype float32
        Share of training ads that carry each tag.
    learnable_ : ndarray of shape (n_tags,), dtype bool
        Tags that some training ads carry and others do not; of a model that `knows_tags`, those
        that no training ad carries as well.
    columns_ : list of str
        Columns of the training inputs.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from competition import Level1Model
    >>> class Frequencies(Level1Model):
    ...     def _fit(self, X, Y):
    ...         self.frequencies_ = Y.mean(axis=0)
    ...     def _predict_proba(self, X):
    ...         return np.tile(self.frequencies_, (len(X), 1))
    >>> ads = pd.DataFrame({"story": ["a war", "a love", "a war", "a war"]})
    >>> model = Frequencies().fit(ads, np.array([[1, 0], [0, 1], [1, 0], [1, 0]]))
    >>> model.predict_proba(ads[:1])
    array([[0.75, 0.25]], dtype=float32)
    """

    search_space: ClassVar[Callable[..., dict[str, Any]] | None] = None
    libraries: ClassVar[tuple[str, ...]] = ()
    knows_tags: ClassVar[bool] = False

    @property
    def text_terms(self) -> TermsSpec | None:
        """How to count the terms of texts; None: texts come as str."""
        return None

    def files(self) -> Sequence[Path]:
        """Files whose content the predictions depend on, such as a checkpoint's."""
        return ()

    def parts(self) -> Sequence[Level1Model]:
        """Models whose mean this is; one that stands alone is its own only part."""
        return [self]

    def fit(self, X: pd.DataFrame, Y: np.ndarray) -> Self:
        """Learn from training ads.

        Parameters
        ----------
        X : DataFrame of shape (n_ads, n_columns)
            One column per input: text as str (empty where missing) or, where `text_terms` says how,
            as counted terms; metadata as numbers or categories; arrays as one ndarray per cell;
            images as the path of a file (str). What is missing of the last three is NA or None.
        Y : ndarray of shape (n_ads, n_tags), dtype uint8
            1 where the ad carries the tag.
        """
        name = type(self).__name__
        Y = np.asarray(Y)
        if Y.ndim != 2:
            raise ModelError(f"{name}.fit needs labels of shape (n_ads, n_tags), got {Y.shape}.")
        if len(X) != len(Y):
            raise ModelError(f"{name}.fit got {len(X)} ads but {len(Y)} rows of labels.")
        if len(Y) == 0:
            raise ModelError(f"{name}.fit got no ads.")
        if not np.isin(Y, (0, 1)).all():
            raise ModelError(f"{name}.fit needs labels that are 0 or 1.")
        self.columns_ = list(X.columns)
        self.prior_ = Y.mean(axis=0).astype(np.float32)
        self.learnable_ = (self.prior_ < 1) & ((self.prior_ > 0) | self.knows_tags)
        if self.learnable_.any():
            self._fit(X, np.ascontiguousarray(Y[:, self.learnable_], dtype=np.uint8))
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Probability of every tag for every ad: (n_ads, n_tags), float32."""
        if not hasattr(self, "prior_"):
            raise ModelError(f"{type(self).__name__} must be fitted before it predicts.")
        if list(X.columns) != self.columns_:
            raise ModelError(
                f"{type(self).__name__} was fitted on the columns {self.columns_}, "
                f"got {list(X.columns)}."
            )
        probabilities = np.tile(self.prior_, (len(X), 1))
        if self.learnable_.any() and len(X):
            probabilities[:, self.learnable_] = self._predict_proba(X)
        return probabilities

    @abstractmethod
    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        """Learn tags that all have positives and negatives; Y is uint8 (n_ads, n_learnable)."""

    @abstractmethod
    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Probabilities of those tags, (n_ads, n_learnable)."""
