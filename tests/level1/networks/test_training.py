"""The training loop: batches, schedule, where it starts, and what it leaves alone."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from competition.execution.memory import AtOnce
from competition.level1.networks import training
from competition.level1.networks.training import (
    Schedule,
    length_buckets,
    new_head,
    predict,
    seeded,
    train,
)
from competition.utils.errors import ModelError

LABELS = (np.arange(70)[:, None] % [2, 5, 7] == 0).astype(np.uint8)


class Numbers:
    """Ads of one number each, the remainder of their row by 10; remembers its calls."""

    def __init__(self, n_ads: int = 70, on_cpu: int = 1000) -> None:
        self.on_cpu = on_cpu
        self.lengths = np.arange(n_ads) % 9 + 1
        self.called: list[np.ndarray] = []

    def __call__(self, rows: np.ndarray) -> tuple[torch.Tensor, ...]:
        self.called.append(rows)
        return (torch.nn.functional.one_hot(torch.from_numpy(rows) % 10, 10).float(),)


class Linear(nn.Module):
    def __init__(self, labels: np.ndarray = LABELS) -> None:
        super().__init__()
        self.head = new_head(10, labels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x)


def trained(encode: Numbers, **settings: float) -> Linear:
    schedule = {"epochs": 3, "batch_size": 16, "learning_rate": 0.1, "weight_decay": 0.0}
    with seeded(0, "cpu"):
        network = Linear()
        train(network, encode, LABELS, Schedule(**{**schedule, **settings}), "cpu")
    return network


def test_every_ad_is_in_one_batch_of_ads_of_like_length():
    lengths = np.random.default_rng(0).integers(1, 200, 1000)
    with seeded(0, "cpu"):
        batches = length_buckets(lengths, 16)
    assert sorted(np.concatenate(batches)) == list(range(1000))
    assert max(map(len, batches)) == 16
    padded = sum(len(rows) * lengths[rows].max() for rows in batches)
    assert padded < 1.15 * lengths.sum()


def test_batches_are_mixed_anew_each_time():
    with seeded(0, "cpu"):
        first, second = (length_buckets(np.ones(100, dtype=int), 10) for _ in range(2))
    assert {frozenset(rows) for rows in first} != {frozenset(rows) for rows in second}


def test_number_of_epochs_is_fixed():
    encode = Numbers()
    trained(encode, epochs=4)
    counts = np.bincount(np.concatenate(encode.called))
    np.testing.assert_array_equal(counts, 4)


def test_untrained_network_predicts_how_frequent_each_tag_is():
    found = predict(Linear(), Numbers(), 16, "cpu")
    expected = (LABELS.sum(axis=0) + 0.5) / (len(LABELS) + 1)
    np.testing.assert_allclose(found, np.tile(expected, (70, 1)), rtol=1e-5)


def test_trained_network_has_learned_what_each_ad_tells():
    found = predict(trained(Numbers(), epochs=100), Numbers(), 16, "cpu")
    assert found[LABELS[:, 0] == 1, 0].min() > 0.9
    assert found[LABELS[:, 0] == 0, 0].max() < 0.1


def test_predictions_come_back_in_the_order_of_the_ads():
    network = trained(Numbers())
    alone = predict(network, Numbers(), 1, "cpu")
    np.testing.assert_allclose(predict(network, Numbers(), 7, "cpu"), alone, atol=1e-6)
    np.testing.assert_array_equal(alone[3], alone[13])


def test_accumulated_batches_make_the_step_of_one_large_batch():
    small = trained(Numbers(), batch_size=5, accumulate=14)
    large = trained(Numbers(), batch_size=70)
    torch.testing.assert_close(small.head.weight, large.head.weight, rtol=1e-3, atol=1e-4)


def test_learning_rate_rises_for_a_tenth_of_the_steps_and_falls_to_nothing():
    rates = [training._rate(step, 100) for step in range(101)]
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10)
    assert np.argmax(rates) in (9, 10)
    np.testing.assert_allclose(np.diff(rates[10:]), -1 / 90)
    assert rates[100] == 0


def test_biases_do_not_decay():
    network = Linear()
    schedule = Schedule(1, 16, 1e-3, weight_decay=0.3)
    matrices, vectors = training._parameter_groups(network, schedule, ())
    assert matrices["params"] == [network.head.weight]
    assert vectors["params"] == [network.head.bias]
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.3, 0.0)


def test_same_seed_gives_the_same_weights_and_leaves_the_random_state_alone():
    before = torch.get_rng_state()
    first = trained(Numbers())
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(3)
    assert torch.equal(first.head.weight, trained(Numbers()).head.weight)


class RefuseGradient(torch.autograd.Function):
    """Hands its input on; its gradient does not fit into memory for more ads than `most`."""

    @staticmethod
    def forward(context, x, most):
        context.most = most
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        if len(gradient) > context.most:
            raise torch.OutOfMemoryError("the backward pass does not fit")
        return gradient, None


class Large(Linear):
    """A network that runs out of memory as a GPU does, on its way there or back."""

    def __init__(self, forward: int = 1000, backward: int = 1000) -> None:
        super().__init__()
        # Not at the priors: of gradients that cancel, an optimiser makes steps of their rounding.
        nn.init.constant_(self.head.weight, 0.3)
        nn.init.constant_(self.head.bias, 0.7)
        self.limits = forward, backward
        self.seen: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        forward, backward = self.limits
        if len(x) > forward:
            raise torch.OutOfMemoryError(f"{len(x)} ads do not fit")
        self.seen.append(len(x))
        return RefuseGradient.apply(super().forward(x), backward)


def trained_large(batch_size: int = 16, accumulate: int = 1, **limits: int) -> Large:
    with seeded(0, "cpu"):
        network = Large(**limits)
        schedule = Schedule(3, batch_size, 0.1, 0.0, accumulate)
        train(network, Numbers(), LABELS, schedule, "cpu")
    return network


@pytest.mark.parametrize("limits", [{"forward": 5}, {"backward": 5}, {"forward": 9, "backward": 3}])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_batch_that_does_not_fit_is_halved_and_takes_the_same_steps(limits, accumulate):
    whole = trained_large(accumulate=accumulate)
    halved = trained_large(accumulate=accumulate, **limits)
    assert max(whole.seen) == 16
    fitting = min(limits.values())
    refused = [n for n in halved.seen if n > fitting]
    assert len(refused) <= 2  # found out once, not in every step
    torch.testing.assert_close(halved.head.weight, whole.head.weight, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(halved.head.bias, whole.head.bias, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("limits", [{"forward": 5}, {"backward": 5}])
def test_gradients_of_halves_are_those_of_the_whole(limits):
    targets = torch.from_numpy(LABELS.astype(np.float32))
    batches = [np.arange(16), np.arange(30, 43)]
    gradients = []
    for network in (Large(), Large(**limits)):
        compute = partial(training._compute_gradients, network, Numbers(), targets, batches, "cpu")
        at_once = AtOnce(16)
        at_once.again(compute)
        gradients.append(network.head.weight.grad)
    assert at_once.most == 4
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_processor_computes_a_long_batch_in_parts_and_takes_the_same_steps(accumulate):
    networks, encoders = [], [Numbers(), Numbers(on_cpu=20)]
    for encode in encoders:
        with seeded(0, "cpu"):
            networks.append(Large())
            train(networks[-1], encode, LABELS, Schedule(3, 16, 0.1, 0.0, accumulate), "cpu")
    whole, parts = encoders
    assert max(map(len, whole.called)) == 16
    # Parts are as large as they may be, and of no more rows in all than that, padding included.
    taken = [len(rows) * parts.lengths[rows].max() for rows in parts.called]
    assert 15 <= max(taken) <= 20
    torch.testing.assert_close(
        networks[1].head.weight, networks[0].head.weight, rtol=1e-4, atol=1e-5
    )
    again = trained(Numbers(on_cpu=20))
    assert torch.equal(again.head.weight, trained(Numbers(on_cpu=20)).head.weight)


def test_prediction_that_does_not_fit_is_halved():
    network = trained_large()
    whole = predict(network, Numbers(), 16, "cpu")
    network.limits = 3, 1000
    network.seen.clear()
    np.testing.assert_allclose(predict(network, Numbers(), 16, "cpu"), whole, atol=1e-6)
    assert max(network.seen) == 2


def test_ad_that_does_not_fit_alone_is_told():
    with pytest.raises(ModelError, match=r"single ad does not fit into memory.*--device cpu"):
        trained_large(forward=0)
