"""Small datasets and checkpoints that tests share, and the real ones where they are at hand."""

import csv
import os
from pathlib import Path

import pytest

# No test loads a checkpoint from the hub; one that looks for it must not wait for the network.
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked gpu where there is no GPU."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked:
        import torch

        if not torch.cuda.is_available():
            for item in marked:
                item.add_marker(pytest.mark.skip(reason="there is no NVIDIA GPU"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real datasets: the environment variable ADS_DATA, else ../shared/data."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ADS_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"the real datasets are not at hand (no folder {folder})")
    return folder


def write_csv(path: Path, header: list[str], rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


TABLE_TOML = """\
name = "films"
train = "train.csv"
test = "test.csv"
id = "id"

[[tags]]
column = "genres"
dimension = "genre"
separator = "|"

[[tags]]
column = "moods"
dimension = "mood"

[inputs.poster]
kind = "image"
column = "poster"

[inputs.story]
kind = "text"
columns = ["title", "plot"]

[inputs.film]
kind = "metadata"
columns = ["language", "year"]

[submission]
format = "wide"
"""
TRAIN_HEADER = ["id", "poster", "title", "plot", "language", "year", "genres", "moods"]
PLOTS = {
    "War": "a soldier fights in the trenches of a long war",
    "Love": "two people fall in love and marry after many letters",
    "Space": "a ship travels to a far planet and meets an alien",
}


def table_rows(n: int) -> list[list[str]]:
    """Rows whose genre can be read off the plot and whose mood off the year."""
    genres = list(PLOTS)
    return [
        [
            f"ad{i}",
            "",
            f"Film {i}",
            f"{PLOTS[genres[i % 3]]} number{i % 7}",
            "en" if i % 2 else "fr",
            str(1990 + i % 20),
            genres[i % 3] + ("|Long" if i % 5 == 0 else ""),
            "dark" if i % 20 < 10 else "",
        ]
        for i in range(n)
    ]


def write_table(folder: Path) -> Path:
    """Write 40 training and 9 test ads in the table layout."""
    folder.mkdir()
    (folder / "competition.toml").write_text(TABLE_TOML, encoding="utf-8")
    write_csv(folder / "train.csv", TRAIN_HEADER, table_rows(40))
    test = [[f"test{row[0]}", *row[1:6]] for row in table_rows(9)]
    write_csv(folder / "test.csv", TRAIN_HEADER[:6], test)
    return folder


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A folder of 40 training and 9 test ads in the table layout."""
    return write_table(tmp_path / "films")


@pytest.fixture(scope="session")
def shared_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same folder, for tests that leave it as it is."""
    return write_table(tmp_path_factory.mktemp("shared") / "films")


DEMO_FILMS, DEMO_SEED = 10, 4


@pytest.fixture(scope="session")
def demo_films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 10 training and 2 test ads with their films."""
    from competition.demo.make import make_demo

    folder = tmp_path_factory.mktemp("films") / "demo"
    make_demo(folder, DEMO_FILMS, DEMO_SEED, n_jobs=1)
    return folder


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"w{i}" for i in range(20))]


@pytest.fixture(scope="session")
def real_models() -> Path:
    """Folder of the real checkpoints: the environment variable ADS_MODELS, or ../shared/models."""
    default = Path(__file__).resolve().parents[2] / "shared" / "models"
    folder = Path(os.environ.get("ADS_MODELS", default))
    if not folder.is_dir():
        pytest.skip(f"the real checkpoints are not at hand (no folder {folder})")
    return folder


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of 20 words, 16 dimensions, 4 layers and 300 positions."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("bert")
    words = {word: i for i, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=300,
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=300,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_wavlm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a WavLM of 16 dimensions and 2 layers, with random weights."""
    from tests.made_sound_checkpoints import made_waves

    return made_waves(tmp_path_factory.mktemp("wavlm"), "WavLM")


@pytest.fixture(scope="session")
def tiny_resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a ResNet of two narrow stages, with random weights."""
    import torch
    from transformers import ConvNextImageProcessor, ResNetConfig, ResNetForImageClassification

    torch.manual_seed(0)
    config = ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=3
    )
    folder = tmp_path_factory.mktemp("resnet")
    ResNetForImageClassification(config).save_pretrained(folder)
    ConvNextImageProcessor(size={"shortest_edge": 32}, crop_pct=1.0).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a ViT of one narrow layer with a pooler, with random weights."""
    import torch
    from transformers import ViTConfig, ViTImageProcessorPil, ViTModel

    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
    )
    folder = tmp_path_factory.mktemp("vit")
    ViTModel(config).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder
