"""Zero-shot tags against the whole network of transformers, and what calibration does to them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file

from competition.features.base import Item
from competition.features.extractors.vit import ViT
from competition.features.text_towers import embed_texts
from competition.level1.models.zero_shot import ZeroShot
from competition.utils.errors import FeatureError, ModelError
from tests.features.test_vision_encoders import made_vit
from tests.made_dual import DIMS, LONGEST, made_dual, place_texts, plain_texts

NAMES = ("red", "green", "blue", "gold")
WORDS = ["a", "photo", "of", "one", *NAMES]
FAMILIES = ("CLIP", "ChineseCLIP", "Siglip", "Siglip2", "Clap")
PADDING = {"padding": "max_length", "max_length": LONGEST}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP in which the text of each tag is a direction of its own."""
    folder = made_dual(tmp_path_factory.mktemp("clip"), "CLIP", WORDS)
    place_texts(folder, [f"a photo of {name}" for name in NAMES], 3 * np.eye(4, DIMS))
    return folder


def made(clip: Path, **params: Any) -> ZeroShot:
    given = {"template": "a photo of {}", "tag_names": NAMES, **params}
    return ZeroShot(str(clip), **given)


def ads_of(vectors: np.ndarray) -> pd.DataFrame:
    """Ads with one vector each."""
    cells = np.empty(len(vectors), dtype=object)
    cells[:] = [vector[None].astype(np.float16) for vector in vectors]
    return pd.DataFrame({"clip": cells}, index=[f"ad{i}" for i in range(len(vectors))])


def made_ads(n: int = 60, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Ads near the directions of their tags."""
    rng = np.random.default_rng(seed)
    Y = (rng.random((n, 4)) < 0.3).astype(np.uint8)
    vectors = rng.normal(size=(n, DIMS)) * 0.6
    vectors[:, :4] += Y
    return ads_of(vectors), Y


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_are_those_of_the_whole_network(tmp_path: Path, family: str) -> None:
    folder = made_dual(tmp_path, family, WORDS)
    texts = ["a photo of red", "gold", "a photo of one blue photo"]
    padding = PADDING if family.startswith("Siglip") else {}
    expected = plain_texts(folder, texts, **padding)
    found = embed_texts(str(folder), texts)
    assert found.vectors.shape == (3, 16 if family.startswith("Siglip") else DIMS)
    assert (found.vectors * expected).sum(axis=1).min() > 0.999
    np.testing.assert_allclose(found.vectors, expected, atol=1e-5)
    whole = transformers.AutoModel.from_pretrained(folder)
    scale = whole.logit_scale_a if family == "Clap" else whole.logit_scale
    assert found.scale == pytest.approx(scale.exp().item())
    assert (found.bias is not None) == family.startswith("Siglip")


@pytest.mark.parametrize("family", FAMILIES)
def test_pictures_and_sounds_are_not_loaded(tmp_path: Path, family: str) -> None:
    folder = made_dual(tmp_path / "whole", family, WORDS)
    before = embed_texts(str(folder), NAMES).vectors
    weights = load_file(folder / "model.safetensors")
    kept = {name: weights[name] for name in weights if name.startswith(("text", "logit"))}
    assert len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    assert embed_texts(str(folder), NAMES).vectors.tobytes() == before.tobytes()


def test_text_weights_that_are_missing_are_refused(tmp_path: Path) -> None:
    folder = made_dual(tmp_path / "whole", "CLIP", WORDS)
    weights = load_file(folder / "model.safetensors")
    kept = {name: weights[name] for name in weights if not name.startswith("text")}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(FeatureError, match=r"lacks \d+ of the weights of a CLIPModel"):
        embed_texts(str(folder), NAMES)


@pytest.mark.parametrize("family", ["CLIP", "ChineseCLIP", "Siglip"])
def test_uncalibrated_is_what_the_whole_network_says(tmp_path: Path, family: str) -> None:
    """Features by the extractor, texts by the model, against one pass of transformers."""
    folder = made_dual(tmp_path / "model", family, WORDS)
    network = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        network.logit_scale.fill_(1.5)
    network.save_pretrained(folder)
    blocks = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    Image.fromarray(blocks.repeat(9, axis=0).repeat(9, axis=1)).save(tmp_path / "ad.png")
    picture = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")(
        Image.open(tmp_path / "ad.png"), return_tensors="pt"
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    padding = PADDING if family == "Siglip" else {"padding": True}
    texts = [f"a photo of {name}" for name in NAMES]
    tokens = tokenizer(texts, return_tensors="pt", **padding)
    with torch.no_grad():
        logits = network(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"], **picture
        ).logits_per_image
    expected = (logits.sigmoid() if family == "Siglip" else logits.softmax(dim=1)).numpy()[0]

    vit = ViT(str(folder), pooling="projection", device="cpu")
    vectors = vit.extract_one(Item("image", tmp_path / "ad.png"))
    X, Y = ads_of(np.repeat(vectors, 4, axis=0)), np.eye(4, dtype=np.uint8)
    found = made(folder, calibrate=False).fit(X, Y).predict_proba(X)
    np.testing.assert_allclose(found, np.tile(expected, (4, 1)), atol=5e-3)
    assert np.dot(found[0], expected) > 0.999 * np.linalg.norm(found[0]) * np.linalg.norm(expected)


def test_frames_count_alike_whatever_their_length(clip: Path) -> None:
    frames = np.zeros((2, DIMS), dtype=np.float16)
    frames[0, 0], frames[1, 2] = 9, 2  # red, and blue
    X = ads_of(np.eye(4, DIMS))
    X.iat[0, 0] = frames
    model = made(clip, calibrate=False).fit(X, np.eye(4, dtype=np.uint8))
    logits = model.texts_.scale * np.array([0.5, 0, 0.5, 0])
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(model.predict_proba(X)[0], expected, atol=1e-4)


def test_vectors_of_templates_are_averaged(tmp_path: Path) -> None:
    folder = made_dual(tmp_path, "CLIP", WORDS)
    templates = ("a photo of {}", "{}", "one {}")
    X, Y = made_ads()
    found = made(folder, template=templates).fit(X, Y).texts_.vectors
    each = [plain_texts(folder, [t.replace("{}", name) for name in NAMES]) for t in templates]
    mean = np.mean(each, axis=0)
    np.testing.assert_allclose(found, mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-5)


def test_calibration_keeps_the_order_of_ads_and_meets_the_share_of_each_tag(clip: Path) -> None:
    X, Y = made_ads(200)
    plain = made(clip, calibrate=False).fit(X, Y)
    cosines = plain._similarities(X)[0]
    found = made(clip).fit(X, Y).predict_proba(X)
    for tag in range(4):
        order = np.argsort(cosines[:, tag], kind="stable")
        assert (np.diff(found[order, tag]) >= 0).all()
    np.testing.assert_allclose(found.mean(axis=0), Y.mean(axis=0), atol=0.02)


def test_tag_without_a_positive_keeps_the_shared_slope_and_is_rare(clip: Path) -> None:
    X, Y = made_ads(200)
    others, their_labels = made_ads(200, seed=1)
    blind = Y.copy()
    blind[:, 3] = 0  # as where all its ads are held out
    model = made(clip).fit(X, blind)
    shared = np.delete(model.sigmoid_.slope, 3).mean()
    assert model.sigmoid_.slope[3] == pytest.approx(shared, rel=0.2)
    found = model.predict_proba(others)[:, 3]
    assert 0 < found.mean() < 0.02
    with_tag, without = (found[their_labels[:, 3] == value] for value in (1, 0))
    assert (with_tag[:, None] > without[None]).mean() > 0.8  # AUC, of a tag never seen


def test_held_out_ads_reach_no_number_of_the_fit(clip: Path) -> None:
    X, Y = made_ads(80)
    first = made(clip).fit(X[:60], Y[:60]).predict_proba(X[60:])
    again = made(clip).fit(X[:60].copy(), Y[:60].copy())
    again.predict_proba(made_ads(30, seed=5)[0])
    assert again.predict_proba(X[60:]).tobytes() == first.tobytes()


def test_ad_without_vectors_gets_the_prior(clip: Path) -> None:
    X, Y = made_ads()
    X.iat[3, 0] = None
    model = made(clip).fit(X, Y)
    np.testing.assert_allclose(model.predict_proba(X)[3], model.prior_, atol=1e-6)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"tag_names": None}, r"got no names for 4 tags. Give tag_names"),
        ({"tag_names": NAMES[:2]}, r"got 2 names for 4 tags"),
        ({"template": "a photo"}, r"template 'a photo' has no \{\} for the name"),
        ({"template": ()}, r"template is empty"),
    ],
)
def test_settings_that_say_too_little_are_refused(
    clip: Path, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        made(clip, **params).fit(*made_ads())


def test_feature_of_another_width_is_refused(clip: Path) -> None:
    X = ads_of(np.ones((4, 16)))
    with pytest.raises(ModelError, match=r'clip have 16 numbers, .* has 12\. .*"projection"'):
        made(clip).fit(X, np.eye(4, dtype=np.uint8))


def test_two_features_are_refused(clip: Path) -> None:
    X, Y = made_ads()
    with pytest.raises(ModelError, match="reads one feature of an ad, got the inputs clip, more"):
        made(clip).fit(X.assign(more=X["clip"]), Y)


def test_checkpoint_of_pictures_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match="a ViTModel, is no encoder of texts and of pictures"):
        made(made_vit(tmp_path)).fit(*made_ads())


def test_tokenizer_that_knows_no_tag_is_refused(tmp_path: Path) -> None:
    folder = made_dual(tmp_path, "CLIP", ["other", "words"])
    with pytest.raises(FeatureError, match="gives 'red' and 'green' the same vector"):
        made(folder, template="{}").fit(*made_ads())
