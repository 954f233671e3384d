"""What a checkpoint says of pooling, layers and prompts is done; what the user names wins."""

import json
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import torch
import transformers

from competition.features.base import Item
from competition.features.extractors import bert
from competition.features.extractors.bert import Bert
from competition.features.sentence_layers import sentence_files
from competition.features.text_encoders import load_text_encoder
from competition.text.tokens import encode, padded, pooled
from competition.utils.errors import FeatureError
from tests.conftest import PLOTS
from tests.made_checkpoints import CAUSAL, add_dense, add_modules, made_checkpoint

TEXTS = [*PLOTS.values(), "Film", "a ship travels to a planet"]
OLD = {"cls": "cls_token", "mean": "mean_tokens", "lasttoken": "lasttoken"}
TANH = "torch.nn.modules.activation.Tanh"


def old_form(*names: str) -> dict[str, Any]:
    flags = {f"pooling_mode_{flag}": name in names for name, flag in OLD.items()}
    more = {"pooling_mode_max_tokens": "max" in names, "pooling_mode_mean_sqrt_len_tokens": False}
    return {"word_embedding_dimension": 16, **flags, **more}


def new_form(name: Any) -> dict[str, Any]:
    return {"embedding_dimension": 16, "pooling_mode": name, "include_prompt": True}


def states(folder: Path, text: str) -> torch.Tensor:
    """Last hidden states of one text, by a plain pass: (n_tokens, dims)."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        return network(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]


def vector(folder: Path, text: str, **params: Any) -> torch.Tensor:
    bert._loaded.cache_clear()  # the folder may hold other files by now
    found = Bert(str(folder), max_tokens=20, device="cpu", **params)
    return torch.from_numpy(found.extract_one(Item("text", text))[0]).float()


def assert_alike(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert found.shape == expected.shape
    assert torch.cosine_similarity(found, expected, dim=-1).min() > 0.999
    assert (found.norm(dim=-1) / expected.norm(dim=-1) - 1).abs().max() < 5e-3


@pytest.mark.parametrize("side", ["left", "right"])
def test_poolings_pay_no_heed_to_the_side_of_the_padding(side: str) -> None:
    hidden = torch.arange(24.0).reshape(2, 4, 3)
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    first, last = (0, 1)
    if side == "left":
        mask, first, last = mask.flip(1), 2, 3
    assert torch.equal(pooled(hidden, mask, "cls"), torch.stack([hidden[0, 0], hidden[1, first]]))
    assert torch.equal(pooled(hidden, mask, "last"), torch.stack([hidden[0, 3], hidden[1, last]]))
    mean = torch.stack([hidden[0].mean(0), hidden[1, first : last + 1].mean(0)])
    assert torch.equal(pooled(hidden, mask, "mean"), mean)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("family", [*CAUSAL, "Bert", "XLMRoberta"])
def test_last_token_of_batches_is_that_of_a_plain_pass(
    tmp_path: Path, family: str, side: str
) -> None:
    folder = made_checkpoint(tmp_path, family)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, padding_side=side)
    tokenizer.save_pretrained(folder)
    network = transformers.AutoModel.from_pretrained(folder).eval()
    # As the cards of such checkpoints have it: the last column of rows that are padded before.
    tokenizer.padding_side = "left"
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    if family not in CAUSAL:  # their positions are absolute
        batch["position_ids"] = positions = batch["attention_mask"].cumsum(1)
        positions += -1 if family == "Bert" else 1
        batch["position_ids"] = positions.clamp(min=0 if family == "Bert" else 1)
    with torch.no_grad():
        expected = network(**batch).last_hidden_state[:, -1]

    encoder = load_text_encoder(str(folder), "cpu", pooling="last")
    rows = encode(encoder.tokenizer, TEXTS, 20, "first")
    together = encoder.vectors(*padded(rows, encoder.padding, encoder.longest))
    alone = torch.stack([vector(folder, text, pooling="last") for text in TEXTS])

    assert_alike(together, expected)
    assert_alike(alone, expected)


def test_a_causal_network_gives_its_last_token_unless_told_otherwise(tmp_path: Path) -> None:
    folder = made_checkpoint(tmp_path, "Qwen3")
    hidden = states(folder, TEXTS[0])
    assert_alike(vector(folder, TEXTS[0]), hidden[-1])
    assert_alike(vector(folder, TEXTS[0], pooling="mean"), hidden.mean(0))
    with pytest.raises(
        FeatureError, match=r"a Qwen3Model, whose first token knows nothing .* last"
    ):
        vector(folder, TEXTS[0], pooling="cls")


@pytest.mark.parametrize("form", [old_form, new_form])
@pytest.mark.parametrize("name", OLD)
def test_pooling_of_the_folder_is_read_in_both_forms(tmp_path: Path, name: str, form: Any) -> None:
    folder = add_modules(made_checkpoint(tmp_path, "Bert"), form(name))
    hidden = states(folder, TEXTS[0])
    by_name = {"cls": hidden[0], "mean": hidden.mean(0), "lasttoken": hidden[-1]}
    assert_alike(vector(folder, TEXTS[0]), by_name[name])
    (folder / "modules.json").unlink()  # 1_Pooling alone says it, too
    assert_alike(vector(folder, TEXTS[0]), by_name[name])
    for ours, theirs in (("cls", "cls"), ("mean", "mean"), ("last", "lasttoken")):
        assert_alike(vector(folder, TEXTS[0], pooling=ours), by_name[theirs])


def test_without_a_word_of_pooling_the_mean_counts(tmp_path: Path) -> None:
    folder = made_checkpoint(tmp_path, "Bert")
    assert_alike(vector(folder, TEXTS[0]), states(folder, TEXTS[0]).mean(0))
    add_modules(folder, old_form())
    assert_alike(vector(folder, TEXTS[0]), states(folder, TEXTS[0]).mean(0))


@pytest.mark.parametrize("ending", ["safetensors", "bin"])
def test_layers_after_the_pooling_are_applied_in_order(tmp_path: Path, ending: str) -> None:
    kinds = ("Dense", "sentence_transformers.base.modules.dense.Dense", "Normalize")
    folder = add_modules(made_checkpoint(tmp_path, "Bert"), old_form("cls"), *kinds)
    first = add_dense(folder / "2_Dense", 16, 24, ending, activation_function=TANH)
    identity = "torch.nn.modules.linear.Identity"
    second = add_dense(folder / "3_Dense", 24, 8, ending, activation_function=identity)
    hidden = states(folder, TEXTS[0])
    for pooling, of_text in ((None, hidden[0]), ("mean", hidden.mean(0))):
        with torch.no_grad():
            expected = second(torch.tanh(first(of_text)))
        expected = expected / expected.norm()
        assert_alike(vector(folder, TEXTS[0], pooling=pooling), expected)


def test_a_residual_is_added(tmp_path: Path) -> None:
    folder = add_modules(made_checkpoint(tmp_path, "Bert"), old_form("mean"), "Dense")
    layer = add_dense(
        folder / "2_Dense", 16, 16, "safetensors", activation_function=TANH, use_residual=True
    )
    mean = states(folder, TEXTS[0]).mean(0)
    with torch.no_grad():
        expected = mean + torch.tanh(layer(mean))
    assert_alike(vector(folder, TEXTS[0]), expected)


def test_default_prompt_is_put_before_each_text_unless_an_instruction_is_named(
    tmp_path: Path,
) -> None:
    prompts = {"prompts": {"query": "a long war ", "document": ""}, "default_prompt_name": "query"}
    folder = add_modules(made_checkpoint(tmp_path, "Bert"), old_form("mean"), prompts=prompts)
    assert_alike(vector(folder, "Film"), states(folder, "a long war Film").mean(0))
    assert_alike(vector(folder, "Film", instruction=""), states(folder, "Film").mean(0))
    named = vector(folder, "Film", instruction="many letters ")
    assert_alike(named, states(folder, "many letters Film").mean(0))
    prompts["default_prompt_name"] = None
    add_modules(folder, old_form("mean"), prompts=prompts)
    assert_alike(vector(folder, "Film", keep="first_last"), states(folder, "Film").mean(0))


def refused(folder: Path, pooling: dict[str, Any], *kinds: str, **config: Any) -> Path:
    """Write modules with a Dense of a config, where there is one."""
    add_modules(folder, pooling, *kinds)
    if "Dense" in kinds:
        add_dense(
            folder / "2_Dense", 16, 8, "safetensors", **{"activation_function": TANH, **config}
        )
    return folder


REFUSED: dict[str, tuple[Any, str]] = {
    "max": (
        lambda f: refused(f, old_form("max")),
        r"1_Pooling \(Pooling\) whose pooling is max, .* Set pooling to one of mean, cls, last",
    ),
    "several": (lambda f: refused(f, new_form(["cls", "mean"])), "pooling is cls with mean, which"),
    "other module": (
        lambda f: refused(f, old_form("mean"), "LSTM"),
        r"a module 2_LSTM \(LSTM\), which cannot be applied here",
    ),
    "own code": (
        lambda f: refused(f, old_form("mean"), "custom_st.Normalize"),
        r"a module 2_Normalize \(custom_st.Normalize\), which cannot be applied",
    ),
    "activation": (
        lambda f: refused(f, old_form("mean"), "Dense", activation_function="custom.Tanh"),
        "with the activation custom.Tanh; known are Identity, Tanh",
    ),
    "width": (
        lambda f: (
            refused(f, old_form("mean"), "Dense", "Dense"),
            add_dense(f / "3_Dense", 16, 8, "safetensors", activation_function=TANH),
        ),
        "3_Dense .* is 8 x 16, where 8 columns are needed",
    ),
    "tokens": (
        lambda f: refused(f, old_form("mean"), "Dense", module_input_name="token_embeddings"),
        "of token_embeddings, not of one vector a text",
    ),
    "no weights": (
        lambda f: (refused(f, old_form("mean"), "Dense") / "2_Dense/model.safetensors").unlink(),
        "without weights. Put 2_Dense/model.safetensors into",
    ),
    "pickle": (
        lambda f: (
            (refused(f, old_form("mean"), "Dense") / "2_Dense/model.safetensors").unlink(),
            torch.save({"linear.weight": Path("a")}, f / "2_Dense/pytorch_model.bin"),
        ),
        "pytorch_model.bin is refused: it holds pickled objects",
    ),
    "broken": (
        lambda f: refused(f, old_form("mean")).joinpath("modules.json").write_text("[", "utf-8"),
        "modules.json cannot be read as JSON",
    ),
    "no list": (
        lambda f: refused(f, old_form("mean")).joinpath("modules.json").write_text("3", "utf-8"),
        "modules.json holds something else than a list of tables",
    ),
    "outside": (
        lambda f: (
            refused(f, {})
            .joinpath("modules.json")
            .write_text(
                json.dumps(
                    [{"type": "sentence_transformers.models.Pooling", "path": "../1_Pooling"}]
                ),
                "utf-8",
            )
        ),
        "names '../1_Pooling', outside of its folder",
    ),
    "no network": (
        lambda f: (
            refused(f, {})
            .joinpath("modules.json")
            .write_text(
                json.dumps([{"type": "sentence_transformers.models.BoW", "path": ""}]), "utf-8"
            )
        ),
        "begins with BoW, not with a Transformer",
    ),
    "prompt": (
        lambda f: add_modules(
            f, old_form("mean"), prompts={"prompts": {}, "default_prompt_name": "query"}
        ),
        "has no prompt of the name 'query'",
    ),
    "prompt left out": (
        lambda f: add_modules(
            f,
            {**old_form("mean"), "include_prompt": False},
            prompts={"prompts": {"q": "a "}, "default_prompt_name": "q"},
        ),
        "leaves the instruction's tokens out, which is not supported",
    ),
}


@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_done_is_refused_by_name(tmp_path: Path, make: Any, reason: str) -> None:
    make(made_checkpoint(tmp_path, "Bert"))
    with pytest.raises(FeatureError, match=reason):
        load_text_encoder(str(tmp_path), "cpu")


def test_a_pooling_that_is_named_wins_over_one_that_is_not_known(tmp_path: Path) -> None:
    folder = add_modules(made_checkpoint(tmp_path, "Bert"), old_form("max"))
    assert_alike(vector(folder, "Film", pooling="last"), states(folder, "Film")[-1])


def test_files_of_modules_are_those_of_the_feature(tmp_path: Path) -> None:
    folder = add_modules(made_checkpoint(tmp_path, "Bert"), old_form("mean"), "Dense")
    add_dense(folder / "2_Dense", 16, 8, "safetensors")
    names = {str(path.relative_to(folder)) for path in sentence_files(str(folder))}
    assert names == {"1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors"}
    assert set(sentence_files(str(folder))) < set(Bert(str(folder)).files())
    assert sentence_files("org/name") == ()


def test_the_real_encoder_keeps_its_mean_and_takes_what_is_put_beside_it(
    real_models: Path, tmp_path: Path
) -> None:
    texts = ["query: 手机游戏下载", "query: 好玩的手游，马上下载，今天就玩"]
    items = [Item("text", text) for text in texts]
    source = real_models / "me5-small-zh"
    for path in source.iterdir():
        (tmp_path / path.name).symlink_to(path)

    def vectors(folder: Path, **params: Any) -> np.ndarray:
        bert._loaded.cache_clear()
        return np.concatenate(list(Bert(str(folder), device="cpu", **params).extract(items)))

    mean, first = vectors(source), vectors(source, pooling="cls")
    add_modules(tmp_path, old_form("mean"))
    assert (vectors(tmp_path) == mean).all()
    add_modules(tmp_path, new_form("cls"))
    assert (vectors(tmp_path) == first).all()
    add_modules(tmp_path, old_form("mean"), "Normalize")
    wide = mean.astype(np.float32)
    expected = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    # bfloat16 processors and float16 results: the third digit.
    np.testing.assert_allclose(vectors(tmp_path), expected, atol=2e-3)


def test_modules_of_a_name_are_read_from_the_cache_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    for name in ("with", "without"):
        kept = tmp_path / f"models--org--{name}"
        (kept / "refs").mkdir(parents=True)
        (kept / "refs" / "main").write_text("0" * 40, encoding="utf-8")
        folder = made_checkpoint(kept / "snapshots" / ("0" * 40), "Bert")
    with_modules = tmp_path / "models--org--with" / "snapshots" / ("0" * 40)
    add_modules(with_modules, old_form("lasttoken"), "Normalize")
    hidden = states(folder, "Film")
    assert_alike(vector(Path("org/with"), "Film"), hidden[-1] / hidden[-1].norm())
    assert_alike(vector(Path("org/without"), "Film"), hidden.mean(0))
