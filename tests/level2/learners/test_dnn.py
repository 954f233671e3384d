"""The level-2 DNN: no leak, no surprise, and a gain where there is one."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from competition.evaluation.metrics import gap
from competition.level2.components.linear import linear_stack, principal_directions, stacked
from competition.level2.components.logits import Logits
from competition.level2.components.networks import (
    Inputs,
    corrections,
    endless,
    forward,
    gradients,
    new_layers,
    one_dropped,
    train,
)
from competition.level2.crossfit import cross_fit
from competition.level2.data import Ads, StackData
from competition.level2.learners.dnn import DNN, absence, models_and_inputs, noise_averaged_out
from competition.level2.learners.pooled import Pooled
from competition.testing.stacks import made_stack, with_probabilities
from competition.utils.errors import ModelError
from tests.short_memory import ADDMM, short_memory

torch = pytest.importorskip("torch")
QUICK = {"hidden": (8, 8), "min_steps": 5, "epochs": 1, "batch_size": 16, "seeds": 2}


@pytest.fixture
def full_strength(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every correction through, so that a leak by way of the networks cannot hide."""
    monkeypatch.setattr("competition.level2.learners.dnn.best_strength", lambda *_: 1.0)


def ads(**sizes: int) -> StackData:
    return made_stack(**sizes)[0]


@pytest.mark.usefixtures("full_strength")
def test_labels_of_held_out_ads_do_not_change_a_bit_of_their_predictions() -> None:
    data, test = made_stack()
    held_out = data.fold == 1
    labels = data.labels.copy()
    labels[held_out] = 1 - labels[held_out]
    before, after = (
        cross_fit(DNN(**QUICK), one, test) for one in (data, replace(data, labels=labels))
    )
    np.testing.assert_array_equal(before.oof[held_out], after.oof[held_out])
    np.testing.assert_array_equal(before.fold_test[1], after.fold_test[1])
    assert before.corrections[1] == after.corrections[1]
    assert not np.array_equal(before.oof[~held_out], after.oof[~held_out])


def test_labels_of_held_out_ads_do_not_change_how_far_the_networks_are_trusted() -> None:
    data = ads(n=240)
    labels = data.labels.copy()
    labels[data.fold == 1] = 1 - labels[data.fold == 1]
    first, second = (cross_fit(DNN(**QUICK), one) for one in (data, replace(data, labels=labels)))
    assert first.corrections[1] == second.corrections[1]


@pytest.mark.usefixtures("full_strength")
def test_what_is_known_of_an_ad_does_not_change_a_bit_of_the_others() -> None:
    data, test = made_stack()
    fitted = DNN(**QUICK).fit(data)
    probabilities, missing = test.probabilities.copy(), test.missing.copy()
    metadata = test.metadata.copy()
    metadata.iloc[2, 0] = 1e6
    probabilities[2], missing[2] = 1 - probabilities[2], ~missing[2]
    before = fitted.predict_proba(test)
    after = fitted.predict_proba(Ads(probabilities, metadata, missing))
    others = np.arange(len(test)) != 2
    np.testing.assert_array_equal(before[others], after[others])
    assert not np.array_equal(before[2], after[2])


def test_each_network_leaves_out_other_ads_and_learns_nothing_from_them() -> None:
    data = ads(n=30)
    learns = DNN(seeds=3)._learns(30)
    assert learns.shape == (3, 30)
    assert ((~learns).sum(axis=0) <= 1).all()
    assert (~learns).any(axis=1).all()
    inputs, labels = DNN()._inputs(data), data.labels.copy()
    before = _trained(inputs, learns, labels)
    labels[~learns[1]] = 1 - labels[~learns[1]]
    after = _trained(inputs, learns, labels)
    assert torch.equal(before[1], after[1])
    assert not torch.equal(before[0], after[0])


def _trained(inputs: Inputs, learns: np.ndarray, labels: np.ndarray) -> torch.Tensor:
    layers = train(
        learns,
        inputs,
        labels,
        hidden=(8, 8),
        dropout=0.3,
        modality_dropout=0.3,
        epochs=1,
        min_steps=5,
        max_steps=5,
        batch_size=10,
        learning_rate=0.01,
        weight_decay=0.01,
        seed=0,
    )
    return corrections(layers, len(learns), inputs, np.arange(len(labels)))


def test_models_that_read_the_same_are_one_modality() -> None:
    reads = np.array([[1, 0, 0], [0, 1, 1], [1, 0, 0], [0, 0, 0], [0, 0, 0]], bool)
    missing = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 1], [1, 1, 1]], bool)
    models, inputs = models_and_inputs(reads)
    absent = absence(inputs, missing)
    found = {tuple(np.flatnonzero(of)): list(absent[:, g]) for g, of in enumerate(models)}
    assert found == {
        (0, 2): [True, False, False, True],
        (1,): [False, False, True, True],
        (3,): [False] * 4,
        (4,): [False] * 4,
    }


def test_a_dropped_modality_is_what_an_ad_without_it_looks_like() -> None:
    """Its models replaced by the prior, the stack and the network see just the same."""
    data = ads(n=60)
    inputs, rows = DNN()._inputs(data), np.arange(40, 60)
    place = int(inputs.models[:, 0].argmax())
    dropped, flagged = torch.zeros(20, 3), inputs.absent.clone()
    dropped[:, place] = flagged[40:, place] = 1
    known, base = inputs.lacking(rows, dropped)
    without = data.ads.probabilities.copy()
    without[40:, 0] = expit(inputs.prior.numpy())
    after = Logits(with_probabilities(data, without).ads)
    expected = inputs._replace(logits=after, absent=flagged)
    torch.testing.assert_close(known, expected.of_ads(rows), atol=1e-4, rtol=1e-4)
    change = after.of_ads(rows) - Logits(data.ads).of_ads(rows)
    moved = inputs.base[40:] + torch.einsum("amt,tm->at", torch.from_numpy(change), inputs.weights)
    torch.testing.assert_close(base, moved, atol=1e-4, rtol=1e-4)


def test_at_most_one_modality_is_dropped_and_never_the_only_one() -> None:
    dropped = one_dropped(4000, 4, 0.3, np.random.default_rng(0))
    assert set(dropped.sum(axis=1)) == {0, 1}
    np.testing.assert_allclose(dropped.mean(axis=0), 0.3 / 4, atol=0.02)
    assert not one_dropped(50, 1, 0.9, np.random.default_rng(0)).any()


@pytest.mark.parametrize("hidden", [(), (5,), (6, 4)])
def test_gradients_are_those_of_autograd(hidden: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    layers = new_layers([7, *hidden, 3], 2, rng)
    layers = [(torch.randn(w.shape) * 0.5, torch.randn(b.shape) * 0.5) for w, b in layers]
    inputs, aim = torch.randn(11, 7), torch.randn(2, 11, 3)
    error = forward(layers, 2, inputs)[-1] - aim
    found = gradients(layers, forward(layers, 2, inputs), error, dropout=0.0)
    leaves = [(w.clone().requires_grad_(), b.clone().requires_grad_()) for w, b in layers]
    (weight, bias), *others = leaves
    units = (inputs @ weight + bias).view(11, 2, -1).transpose(0, 1)
    for weight, bias in others:
        units = torch.relu(units) @ weight + bias
    (0.5 * (units - aim) ** 2).sum().backward()
    expected = [leaf.grad for layer in leaves for leaf in layer]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_dropped_units_pass_on_no_gradient_and_kept_ones_a_larger_one() -> None:
    layers = new_layers([4, 50, 2], 1, np.random.default_rng(0))
    layers = [(torch.rand(w.shape), torch.rand(b.shape)) for w, b in layers]
    inputs = torch.rand(1, 4)  # nothing is cut off by the rectifier
    units = forward(layers, 1, inputs, 0.5, np.random.default_rng(1))
    kept = units[1][0, 0] > 0
    assert 10 < kept.sum() < 40
    torch.testing.assert_close(
        units[1][0, 0][kept], 2 * (inputs @ layers[0][0] + layers[0][1])[0][kept]
    )
    by_bias = gradients(layers, units, torch.ones(1, 1, 2), 0.5)[1]
    torch.testing.assert_close(by_bias, 2 * kept * layers[1][0][0].sum(dim=1))


def test_each_round_of_minibatches_visits_every_training_ad_once() -> None:
    order = endless(5, 13, np.random.default_rng(0))
    assert [sorted(order[:5]), sorted(order[5:10])] == [list(range(5))] * 2
    assert len(set(order[10:])) == 3


@pytest.mark.usefixtures("full_strength")
def test_same_seed_same_bytes() -> None:
    first, second = (cross_fit(DNN(**QUICK), *made_stack()) for _ in range(2))
    assert first.oof.tobytes() == second.oof.tobytes()
    assert first.fold_test.tobytes() == second.fold_test.tobytes()


@pytest.mark.usefixtures("full_strength")
def test_another_seed_another_answer() -> None:
    first, second = (cross_fit(DNN(**QUICK, random_state=n), ads()).oof for n in (0, 1))
    assert not np.array_equal(first, second)


def test_networks_of_each_fold_begin_elsewhere() -> None:
    data = ads()
    first, second = (DNN(**QUICK).for_fold(place).fit(data) for place in (0, 1))
    assert not np.array_equal(first.layers_[0][0], second.layers_[0][0])


def test_it_beats_the_mean_of_unequal_models_on_few_ads() -> None:
    data = ads(n=300, n_models=4, n_tags=10)
    oof = cross_fit(DNN(seeds=2), data).oof
    assert gap(data.labels, oof) > gap(data.labels, data.ads.probabilities.mean(axis=1)) + 0.02


def test_the_networks_find_what_no_linear_stack_can() -> None:
    """A tag is present where exactly one of two level-1 models says so."""
    rng = np.random.default_rng(1)
    says = rng.random((900, 2)) < 0.5
    labels = np.stack([says[:, 0] ^ says[:, 1], says[:, 0]], axis=1).astype(np.uint8)
    train = np.where(says, 0.9, 0.1).astype(np.float32)[:, :, None].repeat(2, axis=2)
    data = replace(with_probabilities(ads(n=900, n_models=2, n_tags=2), train), labels=labels)
    oof = cross_fit(DNN(seeds=2), data).oof
    assert ((oof[:, 0] > 0.5) == labels[:, 0]).mean() > 0.95


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"seeds": 0}, "needs seeds above 0, got 0"),
        ({"dropout": 1.0}, r"needs dropout in \[0, 1\), got 1.0"),
    ],
)
def test_a_parameter_out_of_range_is_an_error(parameters, message) -> None:
    with pytest.raises(ModelError, match=message):
        DNN(**parameters).fit(ads())


def test_threads_are_as_before_afterwards() -> None:
    before = torch.get_num_threads()
    DNN(**QUICK).fit(ads())
    assert torch.get_num_threads() == before


def test_the_linear_stack_pools_where_tags_are_alike() -> None:
    """All tags weigh the two models 1 and 0: few ads per tag, many tags."""
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(400, 2, 30)) * 1.5
    labels = (rng.random((400, 30)) < 1 / (1 + np.exp(-logits[:, 0]))).astype(np.float32)
    data = with_probabilities(ads(n=400, n_models=2, n_tags=30), expit(logits).astype(np.float32))
    weights = linear_stack(Logits(data.ads.take(np.arange(100))), [], labels[:100])
    others = torch.from_numpy(Logits(data.ads).of_ads(np.arange(100, 400)))
    out = stacked(weights, others, [])
    assert (out - others[:, 0]).square().mean().sqrt() < 0.35


def test_many_ads_are_read_from_a_file_block_by_block(tmp_path, monkeypatch) -> None:
    """Nothing kept, blocks and samples smaller than the data: about the same predictions."""
    data, test = made_stack(n=900, n_tags=4)
    learners = (Pooled(), DNN(**QUICK))
    whole = [cross_fit(learner, data, test) for learner in learners]
    mapped = np.memmap(tmp_path / "oof", np.float32, "w+", shape=data.ads.shape)
    mapped[:] = data.ads.probabilities
    monkeypatch.setattr("competition.level2.components.logits.KEPT", 0)
    monkeypatch.setattr("competition.level2.components.logits.BLOCK", 64)
    in_file = with_probabilities(data, mapped)
    for one, learner in zip(whole, learners, strict=True):
        other = cross_fit(learner, in_file, test)
        np.testing.assert_allclose(one.oof, other.oof, atol=1e-4)
        np.testing.assert_allclose(one.fold_test, other.fold_test, atol=1e-4)
    monkeypatch.setattr("competition.level2.components.logits.ENOUGH", 300)
    sampled = cross_fit(Pooled(), data)
    assert np.abs(sampled.oof - whole[0].oof).mean() < 0.01
    assert not np.array_equal(sampled.oof, whole[0].oof)


def test_principal_directions_are_uncorrelated_on_training_rows() -> None:
    columns = np.random.default_rng(4).normal(size=(80, 6)) @ np.triu(np.ones((6, 6)))
    scores = principal_directions(columns[:50], 3).scores(columns)[:50]
    np.testing.assert_allclose(np.corrcoef(scores.T), np.eye(3), atol=0.1)


def test_networks_without_anything_in_common_gain_their_number_by_averaging() -> None:
    apart = torch.zeros(4, 8, 2)
    for net in range(4):
        apart[net, 2 * net] = 1.0
    assert noise_averaged_out(torch.zeros(8, 2), apart) == pytest.approx(4)


def test_networks_that_agree_gain_nothing_by_averaging() -> None:
    same = torch.randn(1, 8, 2, generator=torch.Generator().manual_seed(0)).repeat(4, 1, 1)
    assert noise_averaged_out(torch.zeros(8, 2), same) == pytest.approx(1)


@pytest.mark.usefixtures("full_strength")
def test_what_does_not_fit_into_memory_is_halved_to_the_same_probabilities() -> None:
    data, test = made_stack()
    model = DNN(**{**QUICK, "dropout": 0.0})
    whole = model.fit(data).predict_proba(test)
    with short_memory(5, ADDMM) as seen:
        halved = model.fit(data).predict_proba(test)
    assert max(seen) > 5
    assert max(seen[-2:]) <= 5
    np.testing.assert_allclose(halved, whole, atol=1e-5)


def test_an_ad_that_does_not_fit_is_told() -> None:
    with short_memory(0, ADDMM), pytest.raises(ModelError, match="A single ad does not fit"):
        DNN(**QUICK).fit(ads())
