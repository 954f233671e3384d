"""`run --profile taac2021`: films alone, checkpoints that are not to be had, its stacks."""

import shutil
from pathlib import Path

import pytest

from tests.cli.calling import Called, call, called
from tests.features.extractors.test_asr import make_whisper, save

QUICK = [
    *("--set", "folds.n=3"),
    *("--set", "level2.epochs=2"),
    *("--set", 'level2.beside=["dnn", "mean"]'),
    *("--set", "level2.dnn.min_steps=5"),
    *("--set", "level2.dnn.seeds=1"),
    *("--set", "features.ocr.every_ms=4000"),
    *("--set", "features.asr.max_new_tokens=12"),
    *("--jobs", "1"),
    *("--device", "cpu"),
]


@pytest.fixture(scope="module", autouse=True)
def _offline() -> object:
    """A machine without a network whose hub cache is empty."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        yield


@pytest.fixture(scope="module")
def films(demo_films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films where the first release has them, and no text."""
    folder = tmp_path_factory.mktemp("raw") / "dataset"
    shutil.copytree(demo_films, folder, ignore=shutil.ignore_patterns("text_txt"))
    for split in ("train", "test"):
        (folder / f"videos/{split}_5k").rename(folder / f"videos/{split}_5k_A")
    return folder


@pytest.fixture(scope="module")
def done(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Called:
    """A run with a Whisper of one's own; reading ten films takes some seconds."""
    out = tmp_path_factory.mktemp("out")
    whisper = save(make_whisper(), tmp_path_factory.mktemp("tiny-whisper"))
    checkpoint = f"features.asr.checkpoint={whisper}"
    given = ["--data", films, "--profile", "taac2021", "--out", out, "--set", checkpoint]
    return call("run", *given, *QUICK)


def test_texts_are_read_from_the_films_and_their_models_say_by_what(done: Called) -> None:
    made_from = done.row("tfidf_logreg")[-1]
    assert "rapidocr" in made_from
    assert "tiny-whisper" in made_from


def test_a_checkpoint_that_is_not_to_be_had_is_one_remark(done: Called) -> None:
    (of_bert,) = [line for line in done.out.splitlines() if "bert-base-chinese" in line][:1]
    said = " ".join(done.out.split())
    assert of_bert.startswith("Left out: bert_ocr, bert_asr: the checkpoint bert-base-chinese")
    assert "`hf download bert-base-chinese` fetches it" in said
    assert "features.vit is left out, and with it frames_vit: the checkpoint google/vit" in said
    assert "features.youtube8m is left out, and with it frames_youtube8m" in said
    assert said.count("frames_vit") == 1


def test_the_papers_network_is_submitted_and_others_stand_beside_it(done: Called) -> None:
    assert Path(done.line("Submission: ")).name.startswith("demo-paper_dnn-")
    names = [line.split("│")[1].strip() for line in done.out.splitlines() if "│ stack-" in line]
    assert names[-1] == "stack-paper_dnn"
    assert set(names[:-1]) == {"stack-dnn", "stack-mean"}
    assert "of its correction in the folds" in done.out


def test_checkpoint_that_is_named_by_the_user_must_be_there(films: Path, tmp_path: Path) -> None:
    given = ["--data", films, "--profile", "taac2021", "--out", tmp_path, *QUICK]
    named = "features.vit.checkpoint=google/vit-large-patch16-384"
    failed = called("run", *given, "--set", named, "--set", 'kinds=["array"]')
    assert failed.status == 2
    assert "features.vit: The checkpoint 'google/vit-large-patch16-384' cannot be" in failed.err


def test_bert_without_a_checkpoint_is_an_error(films: Path, tmp_path: Path) -> None:
    given = ["--data", films, "--profile", "text", "--out", tmp_path]
    failed = called("run", *given, "--set", 'models=["bert"]')
    assert failed.status == 2
    assert "the model bert has no default checkpoint. Set level1.bert.checkpoint." in failed.err


def test_folder_of_a_checkpoint_must_be_there_before_anything_is_trained(
    ads: Path, tmp_path: Path
) -> None:
    given = ["--data", ads, "--profile", "text", "--out", tmp_path, "--jobs", 1]
    failed = called("run", *given, "--set", f"level1.bert.checkpoint={tmp_path / 'none'}")
    assert failed.status == 2
    assert f"level1.bert.checkpoint: There is no folder {tmp_path / 'none'}" in failed.err
    assert not list(tmp_path.glob("oof/*/*/card.json"))


def test_optional_names_settings_of_the_profile(films: Path, tmp_path: Path) -> None:
    given = ["--data", films, "--profile", "text", "--out", tmp_path]
    failed = called("run", *given, "--set", 'optional=["level1.bert.checkpoint"]')
    assert failed.status == 2
    assert "optional: the profile sets no checkpoint 'level1.bert.checkpoint'" in failed.err
