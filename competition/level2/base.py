"""The base class of all meta-learners."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, clone

from competition.execution.devices import native_libraries
from competition.level2.components.preselection import MANY, preselected
from competition.level2.data import Ads, StackData, check_range
from competition.utils.errors import ModelError
from competition.utils.state import Saved


class MetaLearner(Saved, BaseEstimator, ABC):
    """A model over the predictions of the level-1 models.

    Its life: the constructor stores parameters and does nothing else. `competition.level2.crossfit`
    takes a copy for each fold, has it `fit` to the ads of the other folds, and has it predict the
    held-out ads and the test ads. So nothing (scaling, choice of epochs, averaging weights) is
    learned with the ads that it then predicts, and no ad changes the prediction of another.

    A child writes `_fit` and `_predict_proba`. What it learns ends in ``_`` and is plain data
    (numbers, arrays, tuples of these, boosters, other meta-learners), so that a stack can be saved.

    Attributes
    ----------
    complexity : int
        How much it may learn: 0 for one model alone, 1 for a mean of all, 2 for a weighted mean, 3
        for a shrunken linear stack, 4 for an unshrunken one, 5 for a stack that bends. Of
        candidates that do about equally well, nested selection takes one of the lowest.
    libraries : tuple of str
        What must be installed beside what this package always needs: names to import.
    sees_all : bool
        Whether it is shown all level-1 models, however many there are.
    search_space : callable or None
        What `tune` tries: a static method from an Optuna trial to parameters. None: it cannot be
        tuned.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from competition import MetaLearner
    >>> class Brave(MetaLearner):
    ...     def _fit(self, data):
    ...         pass
    ...     def _predict_proba(self, ads):
    ...         return ads.probabilities.max(axis=1)
    >>> values = np.array([[[0.5, 0.125], [0.75, 0.0]], [[0.25, 0.5], [0.5, 1.0]]])
    >>> ads = Ads(values, pd.DataFrame(index=range(2)), np.zeros((2, 0), dtype=bool))
    >>> reads, labels, fold = np.zeros((2, 0), dtype=bool), np.eye(2, dtype=np.uint8), np.arange(2)
    >>> data = StackData(("one", "other"), reads, ads, labels, fold, top_k=20)
    >>> Brave().fit(data).predict_proba(ads)
    array([[0.75 , 0.125],
           [0.5  , 1.   ]], dtype=float32)
    """

    complexity: ClassVar[int] = 5
    libraries: ClassVar[tuple[str, ...]] = ()
    sees_all: ClassVar[bool] = False
    search_space: ClassVar[Callable[..., dict[str, Any]] | None] = None

    n_tags_: int
    models_: tuple[str, ...]
    taken_: tuple[int, ...] = ()  # positions of the models that it is shown, if not all

    def fit(self, data: StackData) -> Self:
        """Learn from training ads.

        Of more than 40 level-1 models it is shown 24, which are chosen by these ads
        (`competition.level2.components.preselection`), unless it `sees_all`.

        Parameters
        ----------
        data : StackData

        Raises
        ------
        ModelError
            If a level-1 probability is not a number between 0 and 1, there are no ads, or a
            parameter is out of range.
        """
        if len(data.ads) == 0:
            raise ModelError(f"{type(self).__name__} needs training ads, and there are none.")
        self.models_, self.n_tags_, self.taken_ = data.models, data.labels.shape[1], ()
        with one_blas_thread():
            if not self.sees_all and len(data.models) > MANY:
                self.taken_ = data.shown.get(tuple(data.folds)) or preselected(data)
                data = data.of_models([data.models[place] for place in self.taken_])
            check_range(data.ads, "training", data.models)
            self._fit(data)
        return self

    def predict_proba(self, ads: Ads) -> np.ndarray:
        """Predict ads, each on its own.

        Parameters
        ----------
        ads : Ads
            With the level-1 models, the metadata and the inputs of the training ads, in their
            order.

        Returns
        -------
        ndarray of shape (n_ads, n_tags), dtype float32
            Between 0 and 1.

        Raises
        ------
        ModelError
            If it is not fitted, there are other models or tags than in training, or a level-1
            probability is not a number between 0 and 1.
        """
        name = type(self).__name__
        if "n_tags_" not in vars(self):
            raise ModelError(f"{name} cannot predict before it is fitted: call fit(data) first.")
        expected = (len(self.models_), self.n_tags_)
        if ads.shape[1:] != expected:
            raise ModelError(
                f"{name} was fitted to {expected[0]} level-1 models and {expected[1]} tags, and "
                f"these ads have {ads.shape[1]} and {ads.shape[2]}. Give it the predictions of the "
                f"same models: {', '.join(self.models_)}."
            )
        if len(ads) == 0:
            return np.empty((0, self.n_tags_), dtype=np.float32)
        shown, models = ads, self.models_
        if self.taken_:
            shown = ads.of_models(self.taken_)
            models = tuple(self.models_[place] for place in self.taken_)
        check_range(shown, "predicted", models)
        with one_blas_thread():
            return np.asarray(self._predict_proba(shown), dtype=np.float32)

    def for_fold(self, place: int) -> Self:
        """Return an unfitted copy for the fold at this place; folds are counted from 0.

        A meta-learner that draws numbers may draw others for each fold.
        """
        return clone(self)

    @property
    def correction(self) -> float | None:
        """Share in [0, 1] of its correction that a fitted meta-learner uses.

        None: it corrects no other stack.
        """
        return None

    @abstractmethod
    def _fit(self, data: StackData) -> None:
        """Learn from at least one training ad."""

    @abstractmethod
    def _predict_proba(self, ads: Ads) -> np.ndarray:
        """Predict at least one ad: (n_ads, n_tags), between 0 and 1."""


def one_blas_thread() -> Any:
    """One thread for linear algebra: sums of several add up in another order, to other bits."""
    import scipy.linalg  # noqa: F401  (its library of linear algebra is loaded from here on)

    return native_libraries().limit(limits=1, user_api="blas")
