"""`check`, `folds`, `demo` and `extract`, by what they print and what they write."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd

import competition
from competition.datasets import load_dataset
from competition.features.store import ArrayRef
from tests.cli.calling import call, called


def test_demo_without_films_writes_the_texts_alone(tmp_path: Path) -> None:
    done = call("demo", tmp_path / "ads", "--ads", 10, "--no-films")
    assert done.out.strip() == f"{tmp_path / 'ads'}: 10 training ads and 2 test ads (seed 0)"
    dataset = load_dataset(tmp_path / "ads")
    assert (len(dataset.train_ids), len(dataset.test_ids)) == (10, 2)
    assert not (tmp_path / "ads" / "videos").exists()


def test_check_counts_ads_tags_and_inputs(table: Path) -> None:
    done = call("check", table)
    assert f"{table} (films): 40 training ads, 9 test ads, 5 tags" in done.out
    assert done.row("year") == ["year", "metadata", "40", "9"]
    assert done.row("poster") == ["poster", "image", "0", "0"]
    assert done.out.splitlines()[-1] == "No errors."


def test_check_lists_faults_and_exits_2_for_errors(table: Path) -> None:
    path = table / "train.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("ad3,", "ad2,"), encoding="utf-8")
    done = called("check", table)
    assert done.status == 2
    assert "train.csv:5 (ad ad2): id ad2 stands on line 4 already" in done.out
    assert done.out.splitlines()[-1] == "1 error(s): a run would refuse this."


def test_check_warns_of_tags_too_rare_for_the_folds_of_a_profile(table: Path) -> None:
    path = table / "train.csv"
    text = path.read_text(encoding="utf-8").replace("War|Long", "War|Rare")  # three of them
    path.write_text(text, encoding="utf-8")
    assert "Rare" in call("check", table).out
    assert "Rare" not in call("check", table, "--folds", 2).out


def test_folds_of_many_tags_lists_those_that_come_out_least_even(tmp_path: Path) -> None:
    # 100 tags of 30 ads each, but for one whose ads are of one group, and so in one fold.
    rows = [f"a{n},g{n},{'|'.join(f't{k}' for k in range(99))}" for n in range(30)]
    rows += [f"b{n},one,[b]odd" for n in range(10)]
    (tmp_path / "train.csv").write_text("\n".join(["id,group,tags", *rows]), encoding="utf-8")
    (tmp_path / "competition.toml").write_text(
        'name = "many"\ntrain = "train.csv"\nid = "id"\ngroup = "group"\n[[tags]]\n'
        'column = "tags"\ndimension = "tag"\nseparator = "|"\n',
        encoding="utf-8",
    )
    done = call("folds", tmp_path, "--n", 3, "--out", tmp_path / "out")
    assert done.row("[b]odd")[1:4] == ["10", "0", "10"]
    assert sum(line.startswith("│ ") for line in done.out.splitlines()) == 50
    assert "These 50 of 100 tags come out least even." in done.out


def test_check_of_the_real_sample_finds_no_error(real_data: Path) -> None:
    done = call("check", real_data / "taac2021" / "dataset")
    assert "4,948 of 5,000 listed ads have no file of any kind" in done.out
    assert "video_asr is empty" in done.out


def test_folds_prints_how_even_the_folds_are_that_it_writes(table: Path, tmp_path: Path) -> None:
    done = call("folds", table, "--n", 4, "--out", tmp_path / "out")
    path = tmp_path / "out" / "oof" / "films" / "folds.csv"
    assert done.line("Folds: ") == str(path)
    fold = pd.read_csv(path).set_index("id")["fold"]
    sizes = [int(size) for size in done.line("Ads in each fold: ").split(", ")]
    assert sizes == fold.value_counts().sort_index().tolist()
    dataset = load_dataset(table)
    for place, tag in enumerate(dataset.tag_names):
        counts = (
            pd.Series(dataset.labels[:, place]).groupby(fold[dataset.train_ids].to_numpy()).sum()
        )
        expected = [counts.sum(), counts.min(), counts.max()]
        assert done.row(tag)[1:] == [*map(str, expected), f"{counts.sum() / 4:.1f}"]


def test_folds_that_are_stored_are_shown_and_kept(table: Path, tmp_path: Path) -> None:
    first = call("folds", table, "--n", 4, cwd=tmp_path)
    again = call("folds", table, "--n", 3, "--seed", 9, cwd=tmp_path)
    assert again.out == first.out


def test_folds_of_a_profile_are_the_default(table: Path, tmp_path: Path) -> None:
    call("folds", table, cwd=tmp_path)
    assert pd.read_csv(tmp_path / "oof" / "films" / "folds.csv")["fold"].nunique() == 5


def test_extract_counts_what_is_new_and_lists_faulty_files(
    demo_films: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(demo_films, tmp_path / "ads")
    broken = min(data.glob("videos/train_5k/*.mp4"))
    broken.write_bytes(b"no film")
    settings = ["--data", data, "--profile", "clips", "--out", tmp_path, "--jobs", 1]
    done = call("extract", *settings)
    found = {name: done.row(name) for name in ("media", "thumbnails", "logmel")}
    for name, row in found.items():
        assert row[4:7] == ["12", "12", "1"], name  # ads, new, faulty
        assert (
            f"{name}: {broken.relative_to(data)} (ad {broken.stem}) counts as missing" in done.out
        )
    assert found["media"][1:4] == ["media_metadata", "video", "8 metadata"]
    left_out = "features.vit is left out, and with it probe_vit: No vision encoder is named"
    assert left_out in " ".join(done.out.split())
    again = call("extract", *settings)
    assert [again.row(name)[5] for name in found] == ["0", "0", "0"]
    left = {"features", "digests.parquet", "digests.parquet.seal"}
    assert {path.name for path in (tmp_path / "cache").iterdir()} == left


def bytes_of(ref: ArrayRef) -> bytes:
    values = np.load(ref.path, allow_pickle=False)
    return values[ref.start : ref.start + ref.rows * ref.dims].tobytes()


def test_features_do_not_depend_on_the_number_of_processes(
    demo_films: Path, tmp_path: Path
) -> None:
    def features(out: Path, n_jobs: int) -> pd.DataFrame:
        ads, _ = competition.extract(
            demo_films, competition.load_profile("clips"), out, n_jobs=n_jobs
        )
        found = ads.ads.copy()
        for name in ("thumbnails", "logmel"):
            found[name] = [None if ref is None else bytes_of(ref) for ref in found[name]]
        return found

    alone = features(tmp_path / "one", 1)
    pd.testing.assert_frame_equal(features(tmp_path / "two", 2), alone, check_exact=True)
