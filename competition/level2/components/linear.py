"""A logistic regression for each tag, shrunken as far as the evidence of all tags says."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from competition.level2.components.features import Scale, scale_of, standardised
from competition.level2.components.logits import Logits, blocks, enough

if TYPE_CHECKING:
    from torch import Tensor

ROUNDS = 5
# Tags are solved side by side while their design matrices hold no more numbers than this.
CELLS = 1_000_000
# Newton's step may change a weight by this much: beyond, the quadratic it trusts is far off.
LONGEST_STEP = 4.0


class Directions(NamedTuple):
    """Leading principal directions of some columns.

    Attributes
    ----------
    before : Scale
        Of the columns.
    directions : ndarray of shape (n_columns, n_directions), dtype float32
    after : Scale
        Of the scores on the directions.
    """

    before: Scale
    directions: np.ndarray
    after: Scale

    def scores(self, columns: np.ndarray) -> np.ndarray:
        """Scores of any ads, with spread 1 among the training ads: (n_ads, n_directions)."""
        return standardised(standardised(columns, self.before) @ self.directions, self.after)


def principal_directions(columns: np.ndarray, most: int) -> Directions:
    """Learn the leading principal directions of training ads.

    Parameters
    ----------
    columns : ndarray of shape (n_ads, n_columns)
    most : int
        At most this many directions, and at most half as many as there are columns.
    """
    before = scale_of(columns)
    scaled = standardised(columns, before)
    known = scaled.astype(np.float64)
    values, directions = np.linalg.eigh(known.T @ known)
    leading = np.argsort(values)[::-1][: min(most, columns.shape[1] // 2)]
    chosen = directions[:, leading].astype(np.float32)
    return Directions(before, chosen, scale_of(scaled @ chosen))


def linear_stack(logits: Logits, designs: "list[Tensor]", labels: np.ndarray) -> np.ndarray:
    """Weights of one logistic regression per tag, drawn towards one pooled over all tags.

    A tag weighs an intercept, its own level-1 logits and the columns of `designs`. A weight's
    prior is normal. Its mean comes from the pooled regression (0 for `designs`); its precision is
    shared by all weights of a kind and estimated by MacKay, "Bayesian Interpolation" (1992),
    as gamma / (2 E_W): the number of weights that the data determine, over the sum of their
    squared distances from the mean. Of more than 100,000 ads, so many teach what tags share; each
    tag's own weights are learned from all.

    Parameters
    ----------
    logits : Logits
        Of the training ads.
    designs : list of Tensor of shape (n_ads, n_columns), float32
        The columns of each make up one kind of weight.
    labels : ndarray of shape (n_ads, n_tags), 0 or 1

    Returns
    -------
    ndarray of shape (n_tags, 1 + n_models + n_columns), dtype float32
        Intercept, weights of the models, weights of the columns.
    """
    import torch

    shared = torch.cat([torch.zeros(logits.n_ads, 0), *designs], dim=1)
    sizes = [1, logits.n_models, *(design.shape[1] for design in designs)]
    sample = enough(logits.n_ads)
    weights, mean, precision = _shrunken(logits, shared[sample], labels[sample], sample, sizes)
    if len(sample) < logits.n_ads:
        every = np.arange(logits.n_ads)
        for tag in range(logits.n_tags):
            own = torch.from_numpy(logits.of_tag(tag, every))
            design = torch.cat([torch.ones(len(every), 1), own, shared], dim=1)[None]
            truth = torch.from_numpy(labels[:, tag].astype(np.float32))[None]
            one = slice(tag, tag + 1)
            weights[one], _ = _newton(design, truth, mean[one], precision, weights[one], steps=2)
    return weights.float().numpy()


def stacked(weights: np.ndarray, logits: "Tensor", designs: "list[Tensor]") -> "Tensor":
    """Logits that a `linear_stack` gives to ads: (n_ads, n_tags), float32.

    Parameters
    ----------
    weights : ndarray
        As `linear_stack` returns them.
    logits : Tensor of shape (n_ads, n_models, n_tags)
    designs : list of Tensor of shape (n_ads, n_columns)
    """
    import torch

    sizes = [1, logits.shape[1], *(design.shape[1] for design in designs)]
    intercepts, own, *shared = torch.from_numpy(weights).split(sizes, dim=1)
    found = torch.einsum("amt,tm->at", logits, own)
    found += intercepts[:, 0]
    for design, its_weights in zip(designs, shared, strict=True):
        found += design @ its_weights.T
    return found


def _shrunken(
    logits: Logits, shared: "Tensor", labels: np.ndarray, rows: np.ndarray, sizes: list[int]
) -> "tuple[Tensor, Tensor, Tensor]":
    """Weights of all tags, mean of their prior, both (n_tags, n_columns), and its precision."""
    import torch

    n_tags, n_models = logits.n_tags, logits.n_models
    truth = torch.from_numpy(labels.T.astype(np.float32))
    own = torch.from_numpy(np.stack([logits.of_tag(tag, rows) for tag in range(n_tags)]))
    mean = torch.zeros(n_tags, sum(sizes), dtype=torch.float64)
    mean[:, : 1 + n_models] = _pooled(own, truth)
    kinds = [kind for kind in torch.arange(sum(sizes)).split(sizes) if len(kind)]
    precision = torch.full((sum(sizes),), 50.0, dtype=torch.float64)
    precision[0] = 5.0
    weights, variances = mean.clone(), torch.zeros_like(mean)
    at_once = max(1, CELLS // (len(rows) * sum(sizes)))
    for last in [False] * (ROUNDS - 1) + [True]:
        for tags in torch.arange(n_tags).split(at_once):
            ones = torch.ones(len(tags), len(rows), 1)
            design = torch.cat([ones, own[tags], shared.expand(len(tags), -1, -1)], dim=2)
            weights[tags], variances[tags] = _newton(
                design, truth[tags], mean[tags], precision, weights[tags], steps=2
            )
        for kind in kinds if not last else []:
            determined = n_tags * len(kind) - (precision[kind] * variances[:, kind]).sum()
            distance = ((weights - mean)[:, kind] ** 2).sum().clamp_min(1e-9)
            precision[kind] = (determined / distance).clamp(0.1, 1e4)
    return weights, mean, precision


def _pooled(own: "Tensor", truth: "Tensor") -> "Tensor":
    """Intercept of each tag and weights of its models, if all tags weigh them and the prior alike.

    Returns shape (n_tags, 1 + n_models), float64.
    """
    import torch

    n_tags, n_rows, n_models = own.shape
    positives = truth.sum(dim=1)
    # `prior_logits` rounds otherwise in the last bit, which networks on top would magnify.
    prior = torch.log((positives + 0.5) / (n_rows - positives + 0.5))
    columns = [torch.ones(n_tags, n_rows, 1), prior[:, None, None].expand(-1, n_rows, 1), own]
    design = torch.cat(columns, dim=2).view(1, n_tags * n_rows, 2 + n_models)
    start = torch.zeros(1, 2 + n_models, dtype=torch.float64)
    start[0, 2:] = 1 / n_models
    weights, _ = _newton(
        design, truth.reshape(1, -1), start, torch.ones(2 + n_models).double(), start, steps=8
    )
    intercepts = weights[0, 0] + weights[0, 1] * prior.double()
    return torch.cat([intercepts[:, None], weights[0, 2:].expand(n_tags, -1)], dim=1)


def _newton(
    design: "Tensor",
    truth: "Tensor",
    mean: "Tensor",
    precision: "Tensor",
    weights: "Tensor",
    steps: int,
) -> "tuple[Tensor, Tensor]":
    """Take Newton steps of several regressions with a normal prior.

    Returns the weights and their variances, both of shape (n_regressions, n_columns).
    """
    import torch

    for _ in range(steps):
        probability = torch.bmm(design, weights.float()[:, :, None])[:, :, 0].sigmoid()
        slope = torch.bmm((probability - truth)[:, None], design)[:, 0].double()
        slope += precision * (weights - mean)
        curvature = (probability * (1 - probability))[:, :, None]
        bend = torch.bmm((design * curvature).mT, design).double() + torch.diag(precision)
        factor, failed = torch.linalg.cholesky_ex(bend)
        if failed.any():  # many ads that say nearly the same: what tells them apart was rounded off
            bend = _in_doubles(design, curvature) + torch.diag(precision)
            factor = torch.linalg.cholesky(bend)
        step = torch.cholesky_solve(slope[:, :, None], factor)[:, :, 0]
        longest = step.abs().amax(dim=1, keepdim=True).clamp_min(1e-12)
        weights = weights - step * (LONGEST_STEP / longest).clamp_max(1)
    return weights, torch.cholesky_inverse(factor).diagonal(dim1=1, dim2=2)


def _in_doubles(design: "Tensor", curvature: "Tensor") -> "Tensor":
    """Curvature of the likelihood, (n_regressions, n_columns, n_columns), summed in float64."""
    import torch

    n_regressions, n_rows, n_columns = design.shape
    bend = torch.zeros(n_regressions, n_columns, n_columns, dtype=torch.float64)
    for block in blocks(n_rows):
        part = design[:, block].double()
        bend += torch.bmm((part * curvature[:, block]).mT, part)
    return bend
