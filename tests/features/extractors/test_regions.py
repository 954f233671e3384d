"""Regions of a picture: detections, cells of an encoder's patches, thumbnails of cells."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from competition.features.base import Item
from competition.features.extractors.regions import Regions, _key_picture
from competition.utils.errors import FeatureError, MediaError

N_QUERIES, N_LABELS = 10, 4


def picture(side: tuple[int, int] = (96, 64), seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (*side[::-1], 3), dtype=np.uint8))


@pytest.fixture
def image(tmp_path: Path) -> Item:
    picture().save(tmp_path / "ad.png")
    return Item("image", tmp_path / "ad.png")


def saved(folder: Path, network: Any, processor: Any) -> str:
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)


def small_resnet(config: type, **options: Any) -> Any:
    return config(
        embedding_size=8, hidden_sizes=[8] * 4, depths=[1] * 4, layer_type="basic", **options
    )


@pytest.fixture(scope="module", autouse=True)
def _seeded():
    import torch

    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        yield


@pytest.fixture(scope="module")
def detr(tmp_path_factory: pytest.TempPathFactory) -> str:
    from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig
    from transformers.models.detr.image_processing_pil_detr import DetrImageProcessorPil

    config = DetrConfig(
        use_timm_backbone=False,
        backbone_config=small_resnet(ResNetConfig, out_features=["stage4"]),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        num_queries=N_QUERIES,
        num_labels=N_LABELS,
        init_xavier_std=5.0,
        init_std=3.0,  # queries that differ
    )
    processor = DetrImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 96})
    return saved(tmp_path_factory.mktemp("detr"), DetrForObjectDetection(config), processor)


@pytest.fixture(scope="module")
def rt_detr(tmp_path_factory: pytest.TempPathFactory) -> str:
    from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrResNetConfig
    from transformers.models.rt_detr.image_processing_pil_rt_detr import RTDetrImageProcessorPil

    config = RTDetrConfig(
        backbone_config=small_resnet(
            RTDetrResNetConfig, out_features=["stage2", "stage3", "stage4"]
        ),
        d_model=16,
        encoder_hidden_dim=16,
        encoder_in_channels=[8] * 3,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        decoder_in_channels=[16] * 3,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        decoder_layers=2,
        num_queries=N_QUERIES,
        num_labels=N_LABELS,
        num_denoising=0,
    )
    processor = RTDetrImageProcessorPil(size={"height": 64, "width": 64})
    return saved(tmp_path_factory.mktemp("rtdetr"), RTDetrForObjectDetection(config), processor)


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> str:
    from transformers import ViTConfig, ViTModel
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=64,
        patch_size=8,
    )
    processor = ViTImageProcessorPil(size={"height": 64, "width": 64})
    network = ViTModel(config, add_pooling_layer=False)
    return saved(tmp_path_factory.mktemp("vit"), network, processor)


def output_of(model: str, item: Item, auto: str) -> tuple[Any, Any]:
    """What transformers itself gives for a picture, and its image processor."""
    import torch
    import transformers

    from competition.features.encoders import network_dtype

    processor = transformers.AutoImageProcessor.from_pretrained(model, backend="pil")
    dtype = network_dtype("cpu")
    network = getattr(transformers, auto).from_pretrained(model, dtype=dtype).eval()
    pixels = processor(Image.open(item.path), return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        return network(pixel_values=pixels.to(dtype)), processor


@pytest.mark.parametrize("detector", ["detr", "rt_detr"])
def test_detections_are_the_states_that_score_best(detector, image, request):
    model = request.getfixturevalue(detector)
    output, processor = output_of(model, image, "AutoModelForObjectDetection")
    output.logits = output.logits.float()
    kept = Regions(model, most=4, threshold=0.0, device="cpu").extract_one(image)
    assert kept.shape == (4, 16)
    assert kept.dtype == np.float16
    states = output.last_hidden_state[0].float().numpy()
    queries = [int(np.abs(states - row).sum(axis=1).argmin()) for row in kept.astype(float)]
    assert np.allclose(kept, states[queries], atol=2e-2)
    if detector == "detr":
        scores = output.logits[0].softmax(dim=1)[:, :N_LABELS].amax(dim=1)
    else:
        scores = output.logits[0].sigmoid().amax(dim=1)
    assert queries == scores.argsort(descending=True, stable=True)[:4].tolist()
    # The scores are those that the processor reports.
    found = processor.post_process_object_detection(output, threshold=float(scores[queries[2]]))
    assert np.isclose(float(found[0]["scores"].max()), float(scores[queries[0]]), atol=1e-4)


def test_detections_below_the_threshold_are_left_out(detr, image):
    output, _ = output_of(detr, image, "AutoModelForObjectDetection")
    scores = output.logits[0].float().softmax(dim=1)[:, :N_LABELS].amax(dim=1)
    middle = float(scores.sort().values[-4:-2].mean())
    kept = Regions(detr, threshold=middle, device="cpu").extract_one(image)
    assert len(kept) == int((scores >= middle).sum())
    assert 0 < len(kept) < N_QUERIES


def test_best_detection_is_kept_whatever_its_score(detr, image):
    assert Regions(detr, threshold=1.1, device="cpu").extract_one(image).shape == (1, 16)


def test_cells_are_means_of_the_patches_in_them(vit, image):
    output, _ = output_of(vit, image, "AutoModel")
    patches = output.last_hidden_state[0, 1:].float().numpy().reshape(8, 8, 16)
    expected = patches.reshape(4, 2, 4, 2, 16).mean(axis=(1, 3)).reshape(16, 16)
    cells = Regions(vit, grid=4, device="cpu").extract_one(image)
    assert np.allclose(cells, expected, atol=1e-2)


def test_cells_of_a_convolutional_network_are_means_of_its_maps(tmp_path, image):
    from transformers import ResNetConfig, ResNetModel
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    processor = ViTImageProcessorPil(size={"height": 64, "width": 64})
    model = saved(tmp_path / "resnet", ResNetModel(small_resnet(ResNetConfig)), processor)
    output, _ = output_of(model, image, "AutoModel")
    maps = output.last_hidden_state[0].float().numpy()  # (8, 2, 2)
    cells = Regions(model, grid=2, device="cpu").extract_one(image)
    assert np.allclose(cells, maps.reshape(8, 4).T, rtol=1e-2, atol=1e-2)


def test_cells_of_a_hierarchical_network_follow_its_merged_patches(tmp_path, image):
    from transformers import SwinConfig, SwinModel
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    config = SwinConfig(
        image_size=64, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[1, 1], window_size=4
    )
    processor = ViTImageProcessorPil(size={"height": 64, "width": 64})
    model = saved(tmp_path / "swin", SwinModel(config, add_pooling_layer=False), processor)
    output, _ = output_of(model, image, "AutoModel")
    patches = output.last_hidden_state[0].float().numpy().reshape(8, 8, -1)
    expected = patches.reshape(2, 4, 2, 4, -1).mean(axis=(1, 3)).reshape(4, -1)
    cells = Regions(model, grid=2, device="cpu").extract_one(image)
    assert np.allclose(cells, expected, atol=1e-2)


def test_without_a_checkpoint_cells_are_thumbnails(tmp_path):
    quarters = np.zeros((40, 60, 3), dtype=np.uint8)
    quarters[:20, :30], quarters[:20, 30:] = (255, 0, 0), (0, 255, 0)
    quarters[20:, :30], quarters[20:, 30:] = (0, 0, 255), (51, 51, 51)
    Image.fromarray(quarters).save(tmp_path / "ad.png")
    cells = Regions(grid=2).extract_one(Item("image", tmp_path / "ad.png"))
    assert cells.shape == (4, 8 * 8 * 3)
    expected = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.2, 0.2, 0.2]]
    assert np.allclose(cells.reshape(4, 64, 3), np.array(expected)[:, None], atol=1e-3)


def write_film(path: Path, seconds: int) -> None:
    """A film whose brightness in second s is 40 * (s + 1)."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(5 * seconds):
            frame = np.full((48, 64, 3), 40 * (i // 5 + 1), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


@pytest.mark.parametrize(("seconds", "brightness"), [(3, 80), (1, 40)])
def test_key_frame_is_the_one_after_a_second_or_else_the_first(tmp_path, seconds, brightness):
    write_film(tmp_path / "ad.mp4", seconds)
    frame = _key_picture(Item("video", tmp_path / "ad.mp4"), at_ms=1000)
    assert abs(float(frame.mean()) - brightness) < 4
    assert Regions().extract_one(Item("video", tmp_path / "ad.mp4")).shape == (16, 192)


def test_damaged_picture_is_a_missing_input(tmp_path):
    (tmp_path / "ad.jpg").write_bytes(b"no picture")
    (result,) = Regions().extract([Item("image", tmp_path / "ad.jpg")])
    assert isinstance(result, MediaError)


def test_network_whose_tokens_are_not_patches_is_refused(tmp_path, image):
    from transformers import YolosConfig, YolosForObjectDetection
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    config = YolosConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=[64, 64],
        patch_size=16,
        num_detection_tokens=5,
    )
    processor = ViTImageProcessorPil(size={"height": 64, "width": 64})
    model = saved(tmp_path / "yolos", YolosForObjectDetection(config), processor)
    with pytest.raises(FeatureError, match="has no state for each of its detections"):
        Regions(model, device="cpu").extract_one(image)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grid": 0}, "grid is 0"),
        ({"most": 0}, "most is 0"),
        ({"checkpoint": "/nowhere/detr"}, "no folder .*nowhere"),
    ],
)
def test_wrong_settings_are_refused(changes, message, image):
    with pytest.raises(FeatureError, match=message):
        Regions(**changes).extract_one(image)


def test_files_of_a_local_checkpoint_count(vit):
    assert {path.name for path in Regions(vit).files()} >= {"config.json", "model.safetensors"}
    assert Regions().files() == ()
