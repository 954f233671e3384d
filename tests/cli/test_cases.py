"""Small inputs that once failed, each through the command line with what is right.

They lie in a folder of their own (``cases`` below): texts, labels and media are made up, the
checkpoints are tiny and random.
"""

import math
import os
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.calling import Called, call, called

RUN = ("--profile", "text", "--set", "level2.model=mean", "--set", "folds.n=3", "--jobs", 1)
TOPICS = ["food", "games", "shop", "travel"]


@pytest.fixture
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of the case that the test names."""
    default = Path(__file__).resolve().parents[3] / "shared" / "cases"
    folder = Path(os.environ.get("ADS_CASES", default))
    if not folder.is_dir():
        pytest.skip(f"the cases are not at hand (no folder {folder})")
    copy = tmp_path / "case"
    shutil.copytree(folder / request.param, copy)
    for path in copy.rglob("*.toml"):
        text = path.read_text(encoding="utf-8-sig")
        if "CASE_FOLDER" in text:
            path.write_text(text.replace("CASE_FOLDER", str(copy)), encoding="utf-8")
    return copy


def of(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", names, indirect=True)


def run(case: Path, *more: str) -> Called:
    return called("run", "--data", case, "--out", case / "out", *RUN, *more)


def refused(done: Called) -> str:
    """Return the one sentence of a command that ends in an error."""
    assert done.status == 2
    assert done.err.startswith("Error: ")
    assert "Traceback" not in done.out + done.err
    return " ".join(done.err.split())


def extract(case: Path) -> Called:
    profile = case / "profile.toml"
    paths = ("--data", case, "--profile", profile, "--out", case / "out")
    return called("extract", *paths, "--jobs", 1)


@of("01a", "01b", "01c")
def test_null_words_in_a_column_of_numbers_are_missing_values(case: Path) -> None:
    done = run(case, "--set", 'models=["lightgbm"]')
    assert done.status == 0
    assert float(done.row("lightgbm")[1]) > 0.97  # 0.35 where they are categories


@of("02a")
def test_columns_of_0_and_1_are_never_tags_called_0_and_1(case: Path) -> None:
    said = refused(run(case, "--set", 'models=["tfidf_logreg"]'))
    assert "columns = [" in said
    toml = case / "competition.toml"
    before, *_, inputs = re.split(r"(?=^\[)", toml.read_text(encoding="utf-8"), flags=re.M)
    tags = f'[[tags]]\ncolumns = {TOPICS}\ndimension = "topic"\n'
    toml.write_text(before + tags + inputs, encoding="utf-8")
    assert "4 tags" in call("check", case).out


@of("03a")
def test_lists_in_cells_are_their_items(case: Path) -> None:
    out = call("check", case).out
    assert "30 training ads, 0 test ads, 4 tags" in out
    assert "the cells are lists such as ['travel']" in out


@of("03c")
def test_another_separator_than_the_declared_one_is_named(case: Path) -> None:
    out = " ".join(call("check", case).out.split())
    assert "no cell holds the separator '|'" in out
    assert 'Declare separator = ","' in out


@of("04a")
def test_null_words_are_no_tags(case: Path) -> None:
    out = call("check", case).out
    assert "4 tags" in out
    assert not re.search(r"tag (nan|None|NA|null)\b", out)


@of("05a")
def test_truth_is_split_as_the_dataset_says(case: Path) -> None:
    done = call("score", case / "sub.csv", "--data", case, "--truth", case / "truth.csv")
    assert "GAP 1.0000" in done.out


@of("06")
def test_wide_submission_calls_the_ids_as_the_dataset_does(case: Path) -> None:
    done = run(case, "--set", 'models=["tfidf_logreg"]')
    assert done.status == 0
    (file,) = (case / "out" / "submissions").glob("*-*.csv")
    assert list(pd.read_csv(file)) == ["image_id", *TOPICS]


@of("07")
def test_cell_of_138_000_characters_is_read(case: Path) -> None:
    out = call("check", case).out
    assert "30 training ads" in out
    assert "No errors." in out


@of("08a")
def test_rounding_beyond_1_is_accepted(case: Path) -> None:
    call("add-oof", "m", "--data", case, "--oof", case / "oof.csv", "--out", case / "out")
    stored = pd.read_parquet(case / "out" / "oof" / "c" / "m" / "oof.parquet")
    assert stored[TOPICS].to_numpy().max() == 1.0


@of("09a")
def test_code_of_a_checkpoint_never_runs(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object) -> str:
        raise AssertionError("a question on the terminal")

    monkeypatch.setattr("builtins.input", asked)
    said = refused(extract(case))
    assert "auto_map in its config.json" in said
    assert not (case / "RAN").exists()


@of("10a", "10c")
def test_checkpoint_without_a_tokenizer_is_refused(case: Path) -> None:
    assert "vocab.txt or tokenizer.json" in refused(extract(case))


@of("11a")
def test_encoder_of_an_encoder_decoder_is_used(case: Path) -> None:
    done = extract(case)
    assert done.status == 0
    assert "1 x 32" in done.row("x")[3]


@of("11b")
def test_dual_encoder_is_no_text_encoder(case: Path) -> None:
    assert "CLIPModel" in refused(extract(case))


@of("11c")
def test_positions_begin_after_the_padding(case: Path) -> None:
    said = refused(extract(case))
    assert "max_tokens = 128" in said
    assert "1 to 126 tokens" in said


@of("12a")
def test_picture_size_of_processor_and_network_are_compared(case: Path) -> None:
    said = refused(extract(case))
    assert "96 x 96" in said
    assert "64 x 64" in said


@of("13")
def test_named_checkpoint_is_fine_tuned(case: Path) -> None:
    settings = ("folds.n=2", "level2.model=mean", f"level1.bert_ocr.checkpoint={case / 'model'}")
    words = [word for one in settings for word in ("--set", one)]
    done = call(
        *("run", "--data", case, "--profile", case / "profile.toml", "--out", case / "out"),
        *("--jobs", 1, *words),
    )
    assert done.row("bert_ocr")[-1] == "model"


@of("14a")
def test_all_lines_of_a_very_long_picture_are_read(case: Path) -> None:
    assert len(text_in(case / "long.png").split("|")) == 8


@of("23")
def test_picture_too_thin_for_letters_has_no_text(case: Path) -> None:
    assert text_in(case / "line.png") == ""


def text_in(picture: Path) -> str:
    from competition.features.base import Item
    from competition.features.extractors.ocr import Ocr

    return str(Ocr().extract_one(Item("image", picture)))


@of("15a")
def test_film_is_measured_not_its_cover(case: Path) -> None:
    from competition.media.probe import probe

    facts = probe(case / "thumb_first.mkv")
    assert (facts.width, facts.height, facts.frame_rate, facts.cuts) == (320, 180, 25, 4)


@of("15c")
def test_animated_webp_is_a_film_of_six_pictures(case: Path) -> None:
    from competition.media.probe import probe

    facts = probe(case / "anim.webp")
    assert (facts.duration, facts.frame_rate) == (3.0, 2.0)


@of("15d")
def test_duration_that_no_one_states_is_never_0(case: Path) -> None:
    from competition.media.probe import probe

    duration = probe(case / "a.h264").duration
    assert duration == 2.0 or math.isnan(duration)


@of("16a", "16c", "16d", "16f", "17")
def test_tables_as_people_have_them_are_read(case: Path) -> None:
    out = call("check", case).out
    assert "8 training ads, 0 test ads, 4 tags" in out
    assert "No errors." in out


@of("18a")
def test_invisible_characters_do_not_cut_words(case: Path) -> None:
    done = run(case, "--set", 'models=["tfidf_logreg"]')
    assert float(done.row("tfidf_logreg")[1]) > 0.99


@of("19")
def test_linked_folder_of_pictures_is_read(case: Path) -> None:
    elsewhere = case.with_name("elsewhere")
    (case / "elsewhere_images").rename(elsewhere)
    (case / "images").symlink_to(elsewhere)
    out = call("check", case).out
    assert "No errors." in out
    assert "there is no file" not in out


@of("20")
def test_heic_that_cannot_be_read_is_called_so(case: Path) -> None:
    out = call("check", case).out
    assert "HEIC" in out
    assert "convert it to JPEG or PNG" in " ".join(out.split())


@of("21")
def test_backslashes_are_guessed(case: Path) -> None:
    out = " ".join(call("check", case).out.split())
    assert "none of the 8 paths is there; backslashes were perhaps meant as slashes" in out


@of("22")
def test_group_that_fills_a_fold_is_named(case: Path) -> None:
    out = " ".join(call("check", case).out.split())
    assert "25 of 30 training ads" in out
