"""`init` describes folders of unknown files, and the result is what `check` and a run take."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from competition.datasets import load_dataset
from competition.datasets.base import AdDataset, files_of
from tests.cli.calling import Called, call, called

N = 30
WORDS = ["sea", "soup", "tram", "snow", "moon"]


def text(i: int) -> str:
    return f"we saw the {WORDS[i % 5]} and then the {WORDS[i % 3]} on day {i}"


def base() -> pd.DataFrame:
    columns = {
        "ad_id": [f"a{i:02}" for i in range(N)],
        "caption": [text(i) for i in range(N)],
        "price": [f"{i * 3 + 1}.5" for i in range(N)],
        "country": [["de", "fr", "it"][i % 3] for i in range(N)],
    }
    return pd.DataFrame(columns)


def tags(separator: str) -> list[str]:
    return [separator.join(WORDS[k] for k in sorted({i % 5, i % 3})) for i in range(N)]


def split_files(folder: Path) -> None:
    frame = base().assign(moods=tags(";"))
    frame.iloc[:24].to_csv(folder / "train.csv", index=False)
    frame.iloc[24:].drop(columns="moods").to_csv(folder / "test.csv", index=False)
    sample = frame.iloc[24:][["ad_id", "moods"]]
    sample.to_csv(folder / "sample_submission.csv", index=False)


def one_hot(folder: Path) -> None:
    frame = base()
    for k, word in enumerate(WORDS):
        frame[word] = [int(k in (i % 5, i % 3)) for i in range(N)]
    frame.to_csv(folder / "ads.csv", index=False)


def lists_in_json_lines(folder: Path) -> None:
    frame = base().assign(tags=[cell.split("|") for cell in tags("|")])
    frame["set"] = ["train"] * 24 + ["test"] * 6
    frame.to_json(folder / "ads.jsonl", orient="records", lines=True)


def labels_apart(folder: Path) -> None:
    base().to_parquet(folder / "train.parquet")
    labels = pd.DataFrame({"ad_id": base()["ad_id"], "topics": tags(",")})
    labels.sample(frac=1, random_state=0).to_csv(folder / "labels.csv", index=False)


def semicolons_in_gbk(folder: Path) -> None:
    frame = base().assign(标签=tags("|"), caption=[f"我们看到大海和天空第{i}天" for i in range(N)])
    frame = frame.rename(columns={"标签": "tags"})
    frame.to_csv(folder / "train.csv", index=False, sep=";", encoding="gbk")


def several_pictures(folder: Path) -> None:
    for i in range(N):
        album = folder / "media" / f"a{i:02}"
        album.mkdir(parents=True)
        for k in range(1 + i % 2):
            Image.new("RGB", (8, 8), (i, k, 9)).save(album / f"{k}.png")
    frame = base().assign(album=[f"media/a{i:02}" for i in range(N)], tags=tags("|"))
    frame["source"] = [f"s{i // 3}" for i in range(N)]
    frame.to_csv(folder / "train.csv", index=False)


FOLDERS: dict[str, tuple[Callable[[Path], None], int, int]] = {
    "files": (split_files, 24, 6),
    "one_hot": (one_hot, N, 0),
    "lists": (lists_in_json_lines, 24, 6),
    "labels": (labels_apart, N, 0),
    "gbk": (semicolons_in_gbk, N, 0),
    "pictures": (several_pictures, N, 0),
}


def described(folder: Path, name: str) -> tuple[AdDataset, Called]:
    root = folder / name
    root.mkdir()
    FOLDERS[name][0](root)
    done = call("init", root)
    return load_dataset(root), done


@pytest.mark.parametrize("name", FOLDERS)
def test_guess_is_the_dataset_that_was_meant(tmp_path: Path, name: str) -> None:
    ads, _ = described(tmp_path, name)
    _, n_train, n_test = FOLDERS[name]
    assert (len(ads.train_ids), len(ads.test_ids)) == (n_train, n_test)
    assert sorted(ads.tag_names) == sorted(WORDS)
    expected = np.array([[k in (i % 5, i % 3) for k in range(5)] for i in range(n_train)])
    columns = [ads.tag_names.index(word) for word in WORDS]
    np.testing.assert_array_equal(ads.labels[:, columns], expected)
    assert ads.ads["text"].iloc[4] == base()["caption"].iloc[4] or name == "gbk"
    assert ads.ads["price"].iloc[4] == 13.5
    assert ads.inputs["about"].columns == ("price", "country")
    assert call("check", tmp_path / name).status == 0


def test_what_is_not_sure_is_said(tmp_path: Path) -> None:
    _, done = described(tmp_path, "files")
    assert "# sample_submission.csv: for `run --like`" in done.out
    _, done = described(tmp_path, "one_hot")
    assert "# No table of test ads was found" in done.out


def test_encoding_is_declared_and_texts_are_read_in_it(tmp_path: Path) -> None:
    ads, done = described(tmp_path, "gbk")
    assert 'encoding = "gbk' in done.out
    assert ads.ads["text"].iloc[0] == "我们看到大海和天空第0天"


def test_folders_of_pictures_and_groups_are_seen(tmp_path: Path) -> None:
    ads, _ = described(tmp_path, "pictures")
    assert ads.inputs["album"].kind == "image"
    assert files_of(ads.ads["album"].iloc[1]) == ["media/a01/0.png", "media/a01/1.png"]
    assert ads.groups is not None
    assert len(set(ads.groups)) == N // 3


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    described(tmp_path, "files")
    toml = tmp_path / "files" / "competition.toml"
    toml.write_text("mine", encoding="utf-8")
    done = called("init", tmp_path / "files")
    assert (done.status, toml.read_text(encoding="utf-8")) == (2, "mine")
    assert "there already" in done.err


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no table that can be read"),
        ({"ads.csv": "a,b\n1,1\n1,1\n"}, "no column has another text in every row"),
        ({"ads.csv": "id,text\n1,some words here too\n2,others\n"}, "no column looks like tags"),
        ({"test.csv": "id\n1\n"}, "tables of test ads alone"),
    ],
)
def test_folder_that_cannot_be_described_is_refused(
    tmp_path: Path, files: dict[str, str], message: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    done = called("init", tmp_path)
    assert done.status == 2
    assert message in done.err
    assert not (tmp_path / "competition.toml").exists()


@pytest.mark.parametrize("name", ["movie_posters", "street_clips"])
def test_real_folders_are_described_as_by_hand(real_data: Path, tmp_path: Path, name: str) -> None:
    known = real_data / name
    folder = tmp_path / name
    folder.mkdir()
    for path in known.iterdir():
        if path.suffix == ".csv":
            shutil.copy(path, folder)
        elif path.is_dir():
            (folder / path.name).symlink_to(path)
    call("init", folder)
    ours, theirs = load_dataset(folder), load_dataset(known)
    assert ours.tag_names == theirs.tag_names
    np.testing.assert_array_equal(ours.labels, theirs.labels)
    assert {one.kind: one.columns for one in ours.inputs.values() if one.kind == "metadata"} == {
        one.kind: one.columns for one in theirs.inputs.values() if one.kind == "metadata"
    }
    for kind in {one.kind for one in theirs.inputs.values()} - {"metadata"}:
        (mine,) = [one.columns[0] for one in ours.inputs.values() if one.kind == kind]
        (other,) = [one.columns[0] for one in theirs.inputs.values() if one.kind == kind]
        assert ours.ads[mine].equals(theirs.ads[other])
    assert (ours.groups is None) == (theirs.groups is None)


def test_each_table_keeps_its_own_encoding(tmp_path: Path) -> None:
    frame = base().assign(moods=tags("|"))
    frame["caption"] = "ein schönes café, " + frame["caption"]
    frame.iloc[:24].to_csv(tmp_path / "train.csv", index=False, encoding="cp1252")
    frame.iloc[24:].drop(columns="moods").to_csv(tmp_path / "test.csv", index=False)
    call("init", tmp_path)
    said = (tmp_path / "competition.toml").read_text(encoding="utf-8")
    assert "encoding =" not in said
    assert "# train.csv is read as cp1252, and not every table is" in said
    assert load_dataset(tmp_path).ads["text"].str.startswith("ein schönes café").all()


def test_a_column_with_a_name_of_ours_is_left_out_and_said(tmp_path: Path) -> None:
    frame = base().assign(moods=tags("|")).rename(columns={"country": "split"})
    frame.to_csv(tmp_path / "train.csv", index=False)
    call("init", tmp_path)
    assert "# split: left out, a name that the ads need" in (
        tmp_path / "competition.toml"
    ).read_text(encoding="utf-8")
    call("check", tmp_path)  # status 0


def test_numbers_of_classes_are_tags_where_the_column_is_called_so(tmp_path: Path) -> None:
    base().assign(label=[i % 3 for i in range(N)]).to_csv(tmp_path / "train.csv", index=False)
    call("init", tmp_path)
    said = (tmp_path / "competition.toml").read_text(encoding="utf-8")
    assert "# label: numbers are taken for classes, each of them a tag." in said
    assert load_dataset(tmp_path).tag_names == ["0", "1", "2"]
