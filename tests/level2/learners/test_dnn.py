"""The level-2 DNN: no leak, no surprise, and a gain where there is one."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit

from competition.evaluation.metrics import gap
from competition.level2.base import StackInput
from competition.level2.components.features import EncodedMetadata
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
from competition.level2.learners.dnn import DNN, models_and_absence, noise_averaged_out, strength
from competition.level2.learners.pooled import Pooled
from competition.testing.level2 import made_stack as ads
from competition.utils.errors import ModelError

torch = pytest.importorskip("torch")
QUICK = {"hidden": (8, 8), "min_steps": 5, "epochs": 1, "batch_size": 16, "seeds": 2}


@pytest.fixture
def full_strength(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every correction through, so that a leak by way of the networks cannot hide."""
    monkeypatch.setattr("competition.level2.learners.dnn.strength", lambda *_: 1.0)


def both(data: StackInput, **parameters) -> tuple[np.ndarray, np.ndarray]:
    output = DNN(**{**QUICK, **parameters}).cross_fit(data)
    return output.oof, output.fold_test


@pytest.mark.usefixtures("full_strength")
def test_labels_of_held_out_ads_do_not_change_a_bit_of_their_predictions() -> None:
    data = ads()
    before, test_before = both(data)
    held_out = data.fold == 1
    labels = data.labels.copy()
    labels[held_out] = 1 - labels[held_out]
    after, test_after = both(replace(data, labels=labels))
    np.testing.assert_array_equal(before[held_out], after[held_out])
    np.testing.assert_array_equal(test_before[1], test_after[1])
    assert not np.array_equal(before[~held_out], after[~held_out])


def test_labels_of_held_out_ads_do_not_change_how_far_the_networks_are_trusted() -> None:
    data = ads(n=240)
    labels = data.labels.copy()
    labels[data.fold == 1] = 1 - labels[data.fold == 1]
    first, second = DNN(**QUICK), DNN(**QUICK)
    first.cross_fit(data)
    second.cross_fit(replace(data, labels=labels))
    assert first.strength_[1] == second.strength_[1]


@pytest.mark.usefixtures("full_strength")
def test_inputs_of_a_held_out_ad_do_not_change_a_bit_of_the_others_predictions() -> None:
    data = ads()
    before, test_before = both(data)
    one, *rest = np.flatnonzero(data.fold == 2)
    metadata, train, missing = (
        data.train_metadata.copy(),
        data.train.copy(),
        data.train_missing.copy(),
    )
    metadata.loc[one, "size"] = 1e6
    train[one], missing[one] = 1 - train[one], ~missing[one]
    changed = replace(data, train_metadata=metadata, train=train, train_missing=missing)
    after, test_after = both(changed)
    np.testing.assert_array_equal(before[rest], after[rest])
    np.testing.assert_array_equal(test_before[2], test_after[2])
    assert not np.array_equal(before[one], after[one])


def test_each_network_leaves_out_another_part_and_learns_nothing_from_it() -> None:
    data = ads(n=40)
    learns = DNN(seeds=3)._learns(0, 30)
    assert learns.shape == (3, 30)
    assert ((~learns).sum(axis=0) <= 1).all()
    assert (~learns).any(axis=1).all()
    rows, labels = np.arange(30), data.labels.copy()
    inputs = _inputs(data, rows, labels)
    before = _trained(inputs, rows, learns, labels)
    labels[rows[~learns[1]]] = 1 - labels[rows[~learns[1]]]
    after = _trained(inputs, rows, learns, labels)
    assert torch.equal(before[1], after[1])
    assert not torch.equal(before[0], after[0])


def _trained(
    inputs: Inputs, rows: np.ndarray, learns: np.ndarray, labels: np.ndarray
) -> torch.Tensor:
    layers = train(
        rows,
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
    return corrections(layers, len(learns), inputs, rows)


def _inputs(data: StackInput, rows: np.ndarray, labels: np.ndarray) -> Inputs:
    missing = np.concatenate([data.train_missing, data.test_missing])
    metadata = EncodedMetadata(pd.concat([data.train_metadata, data.test_metadata]), missing)
    modalities = models_and_absence(data.reads, missing)
    logits = Logits(data)
    return DNN()._inputs(logits, metadata, modalities, logits.mean(), labels, rows)


def test_models_that_read_the_same_are_one_modality() -> None:
    reads = np.array([[1, 0, 0], [0, 1, 1], [1, 0, 0], [0, 0, 0], [0, 0, 0]], bool)
    missing = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 1], [1, 1, 1]], bool)
    models, absent = models_and_absence(reads, missing)
    found = {tuple(np.flatnonzero(of)): list(absent[:, g]) for g, of in enumerate(models)}
    assert found == {
        (0, 2): [True, False, False, True],
        (1,): [False, False, True, True],
        (3,): [False] * 4,
        (4,): [False] * 4,
    }


def test_a_dropped_modality_is_what_an_ad_without_it_looks_like() -> None:
    """Its models replaced by the prior, the stack and the network see just the same."""
    data = ads(n=60, n_test=0)
    rows, dropped = np.arange(40), torch.zeros(20, 3)
    without = data.train.copy()
    before = _inputs(data, rows, data.labels)
    place = int(before.models[:, 0].argmax())
    dropped[:, place] = 1
    seen, base = before.lacking(np.arange(40, 60), dropped)
    without[40:, 0] = expit(before.prior.numpy())
    after = Logits(replace(data, train=without))
    expected = before._replace(logits=after)
    flagged = before.absent.clone()
    flagged[40:, place] = 1
    torch.testing.assert_close(
        seen, expected._replace(absent=flagged).of_ads(np.arange(40, 60)), atol=1e-4, rtol=1e-4
    )
    change = after.of_ads(np.arange(40, 60)) - Logits(data).of_ads(np.arange(40, 60))
    moved = before.base[40:] + torch.einsum("amt,tm->at", torch.from_numpy(change), before.weights)
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


def test_as_many_threads_as_one_likes_same_bytes() -> None:
    one, two = (DNN(**QUICK).cross_fit(ads(), n_jobs=n) for n in (1, 2))
    assert one.oof.tobytes() == two.oof.tobytes()


@pytest.mark.usefixtures("full_strength")
def test_same_seed_same_bytes() -> None:
    first, second = both(ads()), both(ads())
    assert [part.tobytes() for part in first] == [part.tobytes() for part in second]


@pytest.mark.usefixtures("full_strength")
def test_another_seed_another_answer() -> None:
    assert not np.array_equal(both(ads())[0], both(ads(), random_state=1)[0])


def test_a_test_ad_equal_to_a_held_out_ad_gets_its_prediction() -> None:
    data = ads(n_test=3)
    twin = int(np.flatnonzero(data.fold == 0)[4])
    test, metadata = data.test.copy(), data.train_metadata.iloc[[twin] * 3]
    test[:] = data.train[twin]
    missing = np.repeat(data.train_missing[[twin]], 3, axis=0)
    data = replace(data, test=test, test_metadata=metadata, test_missing=missing)
    oof, fold_test = both(data)
    np.testing.assert_allclose(fold_test[0, 1], oof[twin], rtol=1e-5)


def test_it_beats_the_mean_of_unequal_models_on_few_ads() -> None:
    data = ads(n=300, n_models=4, n_tags=10)
    oof = DNN(seeds=2).cross_fit(data).oof
    assert gap(data.labels, oof) > gap(data.labels, data.train.mean(axis=1)) + 0.02


def test_the_networks_find_what_no_linear_stack_can() -> None:
    """A tag is present where exactly one of two level-1 models says so."""
    rng = np.random.default_rng(1)
    says = rng.random((900, 2)) < 0.5
    labels = np.stack([says[:, 0] ^ says[:, 1], says[:, 0]], axis=1).astype(np.uint8)
    train = np.where(says, 0.9, 0.1).astype(np.float32)[:, :, None].repeat(2, axis=2)
    base = ads(n=900, n_models=2, n_tags=2, n_test=0)
    oof = DNN(seeds=2).cross_fit(replace(base, labels=labels, train=train)).oof
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
        DNN(**parameters).cross_fit(ads())


def test_threads_are_as_before_afterwards() -> None:
    before = torch.get_num_threads()
    DNN(**QUICK).cross_fit(ads(), n_jobs=before + 1)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("helpful", [0.4, 3.0, -1.0])
def test_strength_is_the_best_weight_between_0_and_1(helpful) -> None:
    rng = np.random.default_rng(2)
    base, correction = rng.normal(size=(2, 400, 3))
    chance = 1 / (1 + np.exp(-(base + helpful * correction)))
    labels = (rng.random(chance.shape) < chance).astype(float)

    def loss(weight: float) -> float:
        logits = base + weight * correction
        return float((np.logaddexp(0, logits) - labels * logits).sum())

    best = minimize_scalar(loss, bounds=(0, 1), method="bounded").x
    found = strength(*(torch.tensor(x) for x in (base, correction, labels)))
    assert found == pytest.approx(best, abs=1e-3)


def test_the_linear_stack_pools_where_tags_are_alike() -> None:
    """All tags weigh the two models 1 and 0: few ads per tag, many tags."""
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(400, 2, 30)) * 1.5
    labels = (rng.random((400, 30)) < 1 / (1 + np.exp(-logits[:, 0]))).astype(np.float32)
    base = ads(n=400, n_models=2, n_tags=30, n_test=0)
    data = replace(base, train=expit(logits).astype(np.float32))
    seen, asked = Logits(data), np.arange(100, 400)
    out = stacked(linear_stack(seen, [], labels, np.arange(100)), seen, [], asked).numpy()
    assert np.sqrt(np.mean((out - seen.of_ads(asked)[:, 0]) ** 2)) < 0.35


def test_many_ads_are_read_from_a_file_part_by_part(tmp_path, monkeypatch) -> None:
    """Nothing kept, blocks and samples smaller than the data: about the same predictions."""
    data = ads(n=900, n_tags=4)
    whole = [learner.cross_fit(data) for learner in (Pooled(), DNN(**QUICK))]
    mapped = np.memmap(tmp_path / "oof", np.float32, "w+", shape=data.train.shape)
    mapped[:] = data.train
    monkeypatch.setattr("competition.level2.components.logits.KEPT", 0)
    monkeypatch.setattr("competition.level2.components.logits.BLOCK", 64)
    parted = [
        learner.cross_fit(replace(data, train=mapped)) for learner in (Pooled(), DNN(**QUICK))
    ]
    for one, other in zip(whole, parted, strict=True):
        np.testing.assert_allclose(one.oof, other.oof, atol=1e-4)
        np.testing.assert_allclose(one.fold_test, other.fold_test, atol=1e-4)
    monkeypatch.setattr("competition.level2.components.logits.ENOUGH", 300)
    sampled = Pooled().cross_fit(data)
    assert np.abs(sampled.oof - whole[0].oof).mean() < 0.01
    assert not np.array_equal(sampled.oof, whole[0].oof)


def test_principal_directions_are_uncorrelated_on_training_rows() -> None:
    columns = np.random.default_rng(4).normal(size=(80, 6)) @ np.triu(np.ones((6, 6)))
    scores = principal_directions(columns, np.arange(50), 3)[:50]
    np.testing.assert_allclose(np.corrcoef(scores.T), np.eye(3), atol=0.1)


def test_networks_without_anything_in_common_gain_their_number_by_averaging() -> None:
    apart = torch.zeros(4, 8, 2)
    for net in range(4):
        apart[net, 2 * net] = 1.0
    assert noise_averaged_out(torch.zeros(8, 2), apart) == pytest.approx(4)


def test_networks_that_agree_gain_nothing_by_averaging() -> None:
    same = torch.randn(1, 8, 2, generator=torch.Generator().manual_seed(0)).repeat(4, 1, 1)
    assert noise_averaged_out(torch.zeros(8, 2), same) == pytest.approx(1)
