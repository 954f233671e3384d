"""Each equation of the network and its losses against a direct computation in numpy."""

import numpy as np
import pytest
import torch

from competition.level1.models.hmam.inputs import Batch, Sizes
from competition.level1.models.hmam.loss import multilabel_loss, multitask_loss, reconstruction_loss
from competition.level1.models.hmam.network import (
    Head,
    ImageMLP,
    InterAttention,
    IntraAttention,
    Network,
    ObjectAutoencoder,
    WordLSTM,
)

N_OBJECTS, N_WORDS = [3, 0, 2], [0, 4, 2]  # of three ads
N = len(N_OBJECTS)


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        yield


def numbers(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32))


def there(lengths: list[int]) -> torch.Tensor:
    return torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]


def weights(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: p.detach().numpy() for name, p in module.named_parameters()}


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_equation_2_image_is_a_perceptron_of_two_layers():
    mlp, x = ImageMLP(5, 4, dropout=0.0), numbers(N, 5)
    w = weights(mlp)
    first = relu(x.numpy() @ w["layers.0.weight"].T + w["layers.0.bias"])
    expected = relu(first @ w["layers.3.weight"].T + w["layers.3.bias"])
    assert np.allclose(mlp(x).detach(), expected, atol=1e-6)


def test_equations_4_and_5_objects_are_encoded_and_rebuilt():
    autoencoder, x = ObjectAutoencoder(5, 4), numbers(N, 3, 5)
    w = weights(autoencoder)
    latent, rebuilt = autoencoder(x)
    encoded = relu(x.numpy() @ w["encoder.0.weight"].T + w["encoder.0.bias"])
    assert np.allclose(latent.detach(), encoded, atol=1e-6)
    expected = encoded @ w["decoder.weight"].T + w["decoder.bias"]
    assert np.allclose(rebuilt.detach(), expected, atol=1e-6)


def test_equation_6_reconstruction_is_a_mean_over_ads_of_means_over_their_objects():
    x, rebuilt = numbers(N, 3, 5), numbers(N, 3, 5) * 2
    expected = 0.0
    for ad, n_objects in enumerate(N_OBJECTS):
        for j in range(n_objects):
            distance = float(((rebuilt[ad, j] - x[ad, j]) ** 2).sum())
            expected += distance / n_objects / N
    assert float(reconstruction_loss(rebuilt, x, there(N_OBJECTS))) == pytest.approx(expected)


def lstm(words: np.ndarray, w: dict[str, np.ndarray], suffix: str) -> np.ndarray:
    """Hidden states of one direction: gates in torch's order i, f, g, o."""
    size = w[f"lstm.weight_hh_l0{suffix}"].shape[1]
    h, c, states = np.zeros(size), np.zeros(size), []
    for x in words:
        gates = (
            w[f"lstm.weight_ih_l0{suffix}"] @ x
            + w[f"lstm.bias_ih_l0{suffix}"]
            + w[f"lstm.weight_hh_l0{suffix}"] @ h
            + w[f"lstm.bias_hh_l0{suffix}"]
        )
        i, f, g, o = np.split(gates, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.array(states)


def test_equation_9_words_are_read_both_ways_within_the_ad():
    reader, x = WordLSTM(5, 8), numbers(N, 4, 5)
    states = reader(x, there(N_WORDS)).detach().numpy()
    assert states.shape == (N, 4, 8)
    for ad, n_words in enumerate(N_WORDS):
        assert not states[ad, n_words:].any()
        if n_words:
            words = x[ad, :n_words].numpy()
            forward = lstm(words, weights(reader), "")
            backward = lstm(words[::-1], weights(reader), "_reverse")[::-1]
            expected = np.hstack([forward, backward])
            assert np.allclose(states[ad, :n_words], expected, atol=1e-6)


def test_equations_10_to_12_vectors_are_weighed_by_a_kernel_and_a_softmax():
    attention, z = IntraAttention(4, learned=True), numbers(N, 3, 4)
    attention.kernel.data = q = numbers(4)
    m, a = attention(z, there(N_OBJECTS))
    for ad, n_objects in enumerate(N_OBJECTS):
        vectors = z[ad, :n_objects].numpy()
        p = np.exp(vectors @ q.numpy())
        expected = p / p.sum()
        assert np.allclose(a[ad, :n_objects].detach(), expected, atol=1e-6)
        assert not a[ad, n_objects:].any()
        assert np.allclose(m[ad].detach(), expected @ vectors, atol=1e-6)


def test_attention_to_no_vector_at_all_is_a_vector_of_zeros():
    m, a = IntraAttention(4, learned=True)(torch.zeros(2, 0, 4), torch.zeros(2, 0, dtype=bool))
    assert torch.equal(m, torch.zeros(2, 4))
    assert a.shape == (2, 0)


def test_equation_13_modalities_are_scored_and_put_side_by_side():
    attention, parts = InterAttention(learned=True), [numbers(N, k) for k in (2, 3, 4)]
    attention.scores.data = torch.tensor([0.5, -2.0, 3.0])
    expected = np.hstack([0.5 * parts[0], -2.0 * parts[1], 3.0 * parts[2]])
    assert np.allclose(attention(*parts).detach(), expected)


def test_equations_14_to_16_tags_of_a_task():
    head, r = Head(6, 4, torch.tensor([0.5, -1.0]), dropout=0.0), numbers(N, 6)
    w = weights(head)
    r0 = relu(r.numpy() @ w["reduce.0.weight"].T + w["reduce.0.bias"])
    logits = r0 @ w["output.weight"].T + [0.5, -1.0]
    assert np.allclose(torch.sigmoid(head(r)).detach(), sigmoid(logits), atol=1e-6)


def test_equation_17_cross_entropy_is_summed_over_ads_and_tags():
    logits, labels = numbers(N, 4), (numbers(N, 4) > 0).float()
    p, y = sigmoid(logits.numpy()), labels.numpy()
    expected = -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum()
    assert float(multilabel_loss(logits, labels)) == pytest.approx(expected, rel=1e-6)


def test_equation_18_losses_are_weighed_by_alpha_and_beta():
    losses = [torch.tensor(2.0), torch.tensor(3.0)]
    assert float(multitask_loss(torch.tensor(5.0), losses, [200, 50])) == 5 + 200 * 2 + 50 * 3


def batch(image: bool = True) -> Batch:
    objects, words = there(N_OBJECTS), there(N_WORDS)
    return Batch(
        numbers(N, 5),
        torch.full((N,), image),
        numbers(N, 3, 6) * objects[..., None],
        objects,
        numbers(N, 4, 7) * words[..., None],
        words,
    )


def network(**changes) -> Network:
    settings = {
        "sizes": Sizes(5, 6, 7),
        "prior_logits": [torch.zeros(2), torch.zeros(3)],
        "dim": 8,
        "hidden": 4,
        "dropout": 0.0,
        "autoencoder": True,
        "attention": True,
    }
    return Network(**{**settings, **changes})


def test_network_joins_the_equations():
    net, ads = network(), batch()
    for task in net.tasks:  # no kernel or score stays where it starts
        task.objects.kernel.data, task.words.kernel.data = numbers(8), -numbers(8)
        task.modalities.scores.data = torch.tensor([1.5, -0.5, 2.0])
    answers, rebuilt = net(ads)
    latent, expected_rebuilt = net.objects(ads.objects)
    words = net.words(ads.words, ads.is_word)
    assert torch.equal(rebuilt, expected_rebuilt)
    for task, answer in zip(net.tasks, answers, strict=True):
        m_objects = task.objects(latent, ads.is_object)[0]
        m_words = task.words(words, ads.is_word)[0]
        expected = task.head(task.modalities(net.image(ads.image), m_objects, m_words))
        assert torch.allclose(answer.logits, expected, atol=1e-6)


def test_missing_image_says_nothing():
    net, ads = network(), batch(image=False)
    other = ads._replace(image=ads.image + 1)
    assert torch.equal(net(ads)[0][0].logits, net(other)[0][0].logits)


def test_without_autoencoder_objects_are_their_features():
    net, ads = network(autoencoder=False), batch()
    answers, rebuilt = net(ads)
    assert rebuilt is None
    assert net.tasks[0].objects.kernel.shape == (6,)
    mean = ads.objects.sum(dim=1) / torch.tensor(N_OBJECTS).clamp(min=1)[:, None]
    words = net.words(ads.words, ads.is_word)
    m_words = words.sum(dim=1) / torch.tensor(N_WORDS).clamp(min=1)[:, None]
    joined = torch.cat([net.image(ads.image), mean, m_words], dim=1)
    assert torch.allclose(answers[1].logits, net.tasks[1].head(joined), atol=1e-6)


@pytest.mark.parametrize(("attention", "learned"), [(True, 3), (False, 0)])
def test_without_attention_no_weight_is_learned(attention, learned):
    task = network(attention=attention).tasks[0]
    attending = [task.objects.kernel, task.words.kernel, task.modalities.scores]
    assert sum(parameter.requires_grad for parameter in attending) == learned


def test_modality_that_is_never_there_takes_no_part():
    net, ads = network(sizes=Sizes(5, 0, 0)), batch()
    without = ads._replace(
        objects=torch.zeros(N, 0, 0),
        is_object=torch.zeros(N, 0, dtype=bool),
        words=torch.zeros(N, 0, 0),
        is_word=torch.zeros(N, 0, dtype=bool),
    )
    answers, rebuilt = net(without)
    assert rebuilt is None
    assert torch.allclose(answers[0].logits, net.tasks[0].head(net.image(ads.image)))
