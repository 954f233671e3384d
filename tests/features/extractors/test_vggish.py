import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from competition.features.base import Item
from competition.features.extractors.logmel import log_mel_patches
from competition.features.extractors.vggish import VGGish
from competition.features.registry import get_extractor
from competition.features.vggish_network import (
    embed,
    load_network,
    load_pca,
    make_network,
    postprocess,
)
from competition.media.sound import read_sound
from competition.utils.errors import FeatureError, MediaError
from tests.made_vggish import SHAPES, made_pca, made_weights, save_vggish
from tests.media.made_sound import tone, write_silent_film, write_sound


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return made_weights()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return save_vggish(tmp_path_factory.mktemp("vggish"))


@pytest.fixture(scope="module")
def loaded(files: dict[str, str]) -> VGGish:
    """An extractor of ragged vectors that has its network."""
    extractor = VGGish(**files, n_patches=None, device="cpu", batch_size=4)
    extractor.network_ = extractor.load()
    return extractor


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Sounds of 1, 3, 1 and 4 patches, the third shorter than one."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    paths = []
    for i, seconds in enumerate([1.0, 3.0, 0.3, 4.0]):
        sound = tone(220 * (i + 1), seconds, 16_000) + 0.1 * rng.normal(size=int(16_000 * seconds))
        paths.append(write_sound(folder / f"{i}.wav", sound.clip(-1, 1)[None], rate=16_000))
    return paths


def test_the_network_has_the_published_shapes_and_number_of_weights():
    with torch.device("meta"):
        network = make_network()
        out = embed(network, torch.empty(7, 96, 64))

    state = network.state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == SHAPES
    assert sum(value.numel() for value in state.values()) == 72_141_184
    assert out.shape == (7, 128)


def test_a_pass_is_the_published_chain_of_layers(
    files: dict[str, str], weights: dict[str, torch.Tensor]
):
    network = load_network(Path(files["weights"]))
    torch.manual_seed(2)
    patches = torch.randn(2, 96, 64)

    maps = patches[:, None].double()
    for layer, pooled in ((0, 1), (3, 1), (6, 0), (8, 1), (11, 0), (13, 1)):
        kernel, bias = (weights[f"features.{layer}.{part}"].double() for part in ("weight", "bias"))
        maps = torch.conv2d(maps, kernel, bias, padding=1).clamp(min=0)
        if pooled:
            n, channels, time, bands = maps.shape
            maps = maps.reshape(n, channels, time // 2, 2, bands // 2, 2).amax(dim=(3, 5))
    flat = np.empty((2, 6 * 4 * 512))  # time, then frequency, then channel
    for time in range(6):
        for band in range(4):
            start = (time * 4 + band) * 512
            flat[:, start : start + 512] = maps[:, :, time, band]
    for layer in (0, 2, 4):
        kernel, bias = (
            weights[f"embeddings.{layer}.{part}"].numpy() for part in ("weight", "bias")
        )
        flat = np.maximum(flat @ kernel.T.astype(float) + bias, 0)

    with torch.inference_mode():
        embeddings = embed(network, patches).numpy()
    assert (flat > 0).mean() > 0.1
    np.testing.assert_allclose(embeddings, flat, rtol=1e-3, atol=1e-4)


def test_postprocessing_by_hand():
    components = np.zeros((128, 128))
    components[0, 3], components[1, 0], components[2, 5], components[3, 5] = 2, 1, -9, 9
    means = np.zeros((128, 1))
    means[3], means[0] = 0.25, -0.5
    embedding = np.zeros((1, 128))
    embedding[0, [0, 3, 5]] = [0.2, 0.75, 1]

    quantised = postprocess(embedding, components, means)[0]

    # 2 (0.75 - 0.25) = 1 and 0.2 + 0.5 = 0.7 of [-2, 2] in 255 steps, cut off; -9 and 9 clipped.
    assert quantised.dtype == np.uint8
    assert quantised[:5].tolist() == [191, 172, 0, 255, 127]


def test_rows_are_the_postprocessed_vectors_of_the_patches(
    loaded: VGGish, files: dict[str, str], sounds: list[Path]
):
    rows = loaded.extract_one(Item("audio", sounds[1]))

    patches = np.concatenate(list(log_mel_patches(read_sound(sounds[1]))))
    with torch.inference_mode():
        embeddings = embed(load_network(Path(files["weights"])), torch.from_numpy(patches)).numpy()
    pca = {key: value.numpy().astype(float) for key, value in made_pca().items()}
    projected = (pca["pca_eigen_vectors"] @ (embeddings.T - pca["pca_means"])).T
    expected = np.floor((np.clip(projected, -2, 2) + 2) * 63.75)
    assert rows.dtype == np.float16
    assert rows.shape == (3, 128)
    assert np.abs(rows - expected).max() <= 1  # float32 may fall on the other side of a step
    assert np.std(expected) > 10


def test_without_principal_components_the_outputs_stay_as_they_are(
    loaded: VGGish, files: dict[str, str], sounds: list[Path]
):
    raw = VGGish(files["weights"], n_patches=None, device="cpu").extract_one(
        Item("audio", sounds[1])
    )

    means, components = made_pca()["pca_means"].numpy(), made_pca()["pca_eigen_vectors"].numpy()
    again = postprocess(raw.astype(np.float32), components, means)
    assert raw.min() >= 0
    assert np.abs(again - loaded.extract_one(Item("audio", sounds[1]))).max() <= 1


def test_ads_keep_their_own_rows_whatever_the_batches(
    loaded: VGGish, sounds: list[Path], tmp_path: Path
):
    silent = write_silent_film(tmp_path / "silent.mp4")
    items = [Item("video", path) for path in (*sounds[:2], silent, *sounds[2:])]

    together = list(loaded.extract(items))
    in_processes = list(loaded.extract(items, n_workers=2))

    assert isinstance(together[2], MediaError)
    assert isinstance(in_processes[2], MediaError)
    arrays = [result for result in together if isinstance(result, np.ndarray)]
    again = [result for result in in_processes if isinstance(result, np.ndarray)]
    assert [len(array) for array in arrays] == [1, 3, 1, 4]
    for array, same, path in zip(arrays, again, sounds, strict=True):
        np.testing.assert_array_equal(array, same)
        assert np.abs(array - loaded.extract_one(Item("video", path))).max() <= 1
    assert len({array[0].tobytes() for array in arrays}) == 4


def test_sound_is_cut_or_filled_up_with_zeros_to_the_number_of_patches(
    loaded: VGGish, files: dict[str, str], sounds: list[Path]
):
    extractor = VGGish(**files, n_patches=3, device="cpu")
    extractor.network_ = loaded.network_

    short, long = extractor.extract([Item("audio", sounds[0]), Item("audio", sounds[3])])

    assert np.shape(short) == np.shape(long) == (3, 128)
    assert short[0].any()
    assert not short[1:].any()
    assert long.any(axis=1).all()


def test_the_default_is_the_papers_62_by_128():
    extractor = VGGish()

    assert extractor.join([np.ones(128)]).shape == (62, 128)


def test_it_says_which_files_it_lacks(files: dict[str, str]):
    assert "vggish-10086976.pth" in VGGish().lacks()
    assert "vggish_pca_params-970ea276.pth" in VGGish().lacks()
    assert VGGish(**files).lacks() == ""
    assert [path.name for path in VGGish(**files).files()] == ["weights.pth", "pca.pth"]


def test_principal_components_are_read_from_every_format(tmp_path: Path):
    pca = made_pca()
    torch.save(pca, tmp_path / "pca.pth")
    save_file(pca, tmp_path / "pca.safetensors")
    np.savez(tmp_path / "pca.npz", **{key: value.numpy() for key, value in pca.items()})

    for ending in ("pth", "safetensors", "npz"):
        components, means = load_pca(tmp_path / f"pca.{ending}")
        np.testing.assert_array_equal(components, pca["pca_eigen_vectors"].numpy())
        np.testing.assert_array_equal(means, pca["pca_means"].numpy())


class Harmful:
    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return exec, ("raise SystemExit('code of a checkpoint was run')",)


def other_shape(path: Path) -> None:
    torch.save({**made_weights(), "features.3.weight": torch.zeros(128, 64, 5, 5)}, path)


def without_a_key(path: Path) -> None:
    torch.save({key: value for key, value in made_weights().items() if "13" not in key}, path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: torch.save({"features.0.weight": Harmful()}, path), "may run code"),
        (lambda path: path.write_bytes(pickle.dumps(Harmful(), protocol=2)), "may run code"),
        (lambda path: path.write_bytes(b""), "cannot be read as weights"),
        (lambda path: torch.save([1, 2], path), "holds a list"),
        (other_shape, r"features\.3\.weight has the shape \(128, 64, 5, 5\)"),
        (without_a_key, r"lacks features\.13\.weight"),
        (lambda path: None, "There is no file"),
    ],
)
def test_a_wrong_file_of_weights_is_refused(
    tmp_path: Path, write: Callable[[Path], None], message: str
):
    path = tmp_path / "weights.pth"
    write(path)

    with pytest.raises(FeatureError, match=message):
        next(VGGish(str(path)).extract([Item("audio", tmp_path / "sound.wav")]))


def test_a_number_of_patches_below_one_is_refused(files: dict[str, str], tmp_path: Path):
    with pytest.raises(FeatureError, match="n_patches is 0"):
        next(VGGish(**files, n_patches=0).extract([Item("audio", tmp_path / "sound.wav")]))


def test_it_is_registered():
    entry = get_extractor("vggish")

    assert entry.make is VGGish
    assert (entry.kinds, entry.gives) == (("video", "audio"), "array")
