"""Other ways of combining the same predictions, for `benchmarks.regret`."""

import numpy as np

from competition.level2.components.logits import to_logits
from competition.level2.data import Ads, StackData

ROUNDS = 40


def stacking_classifier(data: StackData, test: Ads) -> np.ndarray:
    """scikit-learn's StackingClassifier for each tag, over the models' probabilities of it."""
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.ensemble import StackingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import PredefinedSplit

    class Column(ClassifierMixin, BaseEstimator):
        """A model that was fitted elsewhere."""

        def __init__(self, column: int = 0) -> None:
            self.column = column

        def fit(self, X: np.ndarray, y: np.ndarray) -> "Column":
            self.classes_ = np.array([0, 1])
            return self

        def predict(self, X: np.ndarray) -> np.ndarray:
            return (X[:, self.column] > 0.5).astype(int)

        def predict_proba(self, X: np.ndarray) -> np.ndarray:
            return np.column_stack([1 - X[:, self.column], X[:, self.column]])

    train, scored = data.ads.probabilities, test.probabilities
    found = np.empty((len(scored), data.labels.shape[1]))
    for tag in range(found.shape[1]):
        truth = data.labels[:, tag]
        if truth.min() == truth.max():
            found[:, tag] = truth.mean()
            continue
        model = StackingClassifier(
            [(name, Column(place)) for place, name in enumerate(data.models)],
            final_estimator=LogisticRegression(),
            cv=PredefinedSplit(data.fold),
        )
        model.fit(train[:, :, tag], truth)
        found[:, tag] = model.predict_proba(scored[:, :, tag])[:, 1]
    return found


def cross_validated_greedy(data: StackData, test: Ads) -> np.ndarray:
    """Greedy selection on log loss whose number of rounds is chosen by cross-validation.

    Our reading of the cross-validated stacking ensemble of TabArena: a bag of probabilities grown
    with replacement on the other folds, as large as has the lowest log loss on the folds left out.
    """
    models, labels = data.ads.probabilities, data.labels
    losses = np.zeros(ROUNDS)
    for fold in data.folds:
        left = data.fold == fold
        bag = np.cumsum(models[left][:, _grown(models[~left], labels[~left])], axis=1)
        for size in range(ROUNDS):
            losses[size] += _loss(bag[:, size] / (size + 1), labels[left])
    chosen = _grown(models, labels)[: int(np.argmin(losses)) + 1]
    return np.asarray(test.probabilities[:, chosen].mean(axis=1))


def _grown(models: np.ndarray, labels: np.ndarray) -> list[int]:
    bag, order = np.zeros_like(models[:, 0]), []
    for size in range(1, ROUNDS + 1):
        losses = [_loss((bag + models[:, m]) / size, labels) for m in range(models.shape[1])]
        order.append(int(np.argmin(losses)))
        bag = bag + models[:, order[-1]]
    return order


def _loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    logits = to_logits(probabilities, 1e-6)
    return float((np.logaddexp(0, logits) - labels * logits).sum())
