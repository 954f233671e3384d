"""`show`, by what it prints and what it draws."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from competition.datasets import load_dataset
from tests.cli.calling import Called, call, called
from tests.cli.conftest import QUICK

SETTINGS = QUICK[:-2]  # without --jobs


def stored(out: Path, model: str, ad: str) -> pd.Series:
    """Probabilities of an ad in the store, by tag."""
    files = [out / "oof" / "demo" / model / file for file in ("oof.parquet", "test.parquet")]
    rows = pd.concat([pd.read_parquet(file) for file in files]).set_index("id")
    (row,) = rows.drop(columns="fold").loc[[ad]].to_numpy(dtype=float)
    return pd.Series(row, rows.columns.drop("fold"))


def shown(done: Called) -> dict[str, list[str]]:
    """Cells of the rows of tags, by tag: rank, "✓" or nothing, scores."""
    found = {}
    for line in done.out.splitlines():
        cells = line.split()
        if len(cells) > 3 and cells[0].isdigit() and cells[2][0] in "✓?0123456789":
            found[cells[1]] = [cells[0], *cells[2:]]
    return found


@pytest.mark.parametrize("split", ["train", "test"])
def test_scores_shown_are_those_stored_and_truth_is_marked(
    split: str, ads: Path, finished: tuple[Path, Called]
) -> None:
    out = finished[0]
    dataset = load_dataset(ads)
    ad = str((dataset.train_ids if split == "train" else dataset.test_ids)[3])
    done = call("show", ad, "--data", ads, "--out", out, *SETTINGS)
    stack, words = stored(out, "stack-mean", ad), stored(out, "tfidf_logreg", ad)
    other = stored(out, "tfidf_nblogreg", ad)
    rows = shown(done)
    ranked = stack.sort_values(ascending=False, kind="stable").index
    assert set(ranked[:10]) <= set(rows)
    for tag, (rank, *cells) in rows.items():
        assert stack.index[np.argsort(-stack.to_numpy(), kind="stable")[int(rank) - 1]] == tag
        scores = [cell for cell in cells if cell[0].isdigit()]
        both = (words[tag] + other[tag]) / 2
        assert scores == [f"{stack[tag]:.2f}", f"{both:.2f}"]
    true = {tag for tag, cells in rows.items() if "✓" in cells}
    assert sorted(true) == sorted(done.line("truth: ").split(", "))
    if split == "train":
        row = dataset.labels[dataset.train_ids == ad][0]
        assert true == {n for n, positive in zip(dataset.tag_names, row, strict=True) if positive}
        assert f"{ad}, training ad, fold " in done.out
    else:
        truth = (ads / "truth" / "tagging_info.txt").read_text(encoding="utf-8")
        line = next(line for line in truth.splitlines() if line.startswith(ad))
        assert true == set(line.split("\t")[1].split(","))
    assert str(dataset.ads.loc[ad, "asr"])[:20] in done.out


def test_picture_holds_frames_texts_and_bars(tmp_path: Path) -> None:
    ads = tmp_path / "ads"
    call("demo", ads, "--ads", 12, "--seed", 2)
    settings = ["--data", ads, "--out", tmp_path, *SETTINGS, "--set", "folds.n=2"]
    call("run", *settings)
    ad = str(load_dataset(ads).train_ids[0])
    done = call("show", ad, *settings, "--to", tmp_path / "ad.png")
    assert done.line("Written: ") == str(tmp_path / "ad.png")
    with Image.open(tmp_path / "ad.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    green = (pixels == [0x2F, 0x7D, 0x4F]).all(axis=2)
    assert green[len(green) // 2 :].sum() > 500  # bars of true tags, in the lower half
    frames = pixels[40:250]
    assert len(np.unique(frames.reshape(-1, 3), axis=0)) > 300  # colours of a film
    for film in (ads / "videos").rglob(f"{ad}.mp4"):
        film.write_bytes(b"no film")
    done = call("show", ad, *settings)
    assert f"No picture: videos/{next((ads / 'videos').rglob(f'{ad}.mp4')).parent.name}" in done.out


def test_unknown_ad_and_stack_are_named(
    ads: Path, finished: tuple[Path, Called], tmp_path: Path
) -> None:
    done = called("show", "nobody", "--data", ads, "--out", finished[0], *SETTINGS)
    assert done.status == 2
    assert "demo has no ad 'nobody'" in done.err
    ad = str(load_dataset(ads).train_ids[0])
    done = called("show", ad, "--data", ads, "--out", finished[0], "--set", "level2.model=greedy")
    assert done.status == 2
    assert "holds no stack-greedy; it holds stack-mean. Name the profile that was run" in done.err
    done = called("show", ad, "--data", ads, "--out", finished[0], *SETTINGS, "--to", "ad.jpg")
    assert done.status == 2
    assert "--to ad.jpg: the drawing is a PNG. Give it the ending .png." in done.err
    done = called("show", ad, "--data", ads, "--out", tmp_path)
    assert done.status == 2
    assert "holds no" in done.err
    assert "Traceback" not in done.err


def test_markup_in_texts_is_shown_as_it_is(tmp_path: Path) -> None:
    lines = [
        "id,text,tags",
        *(f"[b]{n},$x$ [red]word{n % 2}[/red] <b>,tag{n % 2}" for n in range(30)),
    ]
    (tmp_path / "train.csv").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "competition.toml").write_text(
        'name = "odd"\ntrain = "train.csv"\nid = "id"\n[[tags]]\ncolumn = "tags"\n'
        'dimension = "tag"\nseparator = "|"\n[inputs.text]\nkind = "text"\ncolumn = "text"\n',
        encoding="utf-8",
    )
    settings = ["--data", tmp_path, "--out", tmp_path / "out", *SETTINGS]
    call("run", *settings)
    done = call("show", "[b]4", *settings)
    assert "[b]4, training ad" in done.out
    assert "$x$ [red]word0[/red] <b>" in done.out
    call("show", "[b]4", *settings, "--to", tmp_path / "ad.png")
    assert (tmp_path / "ad.png").stat().st_size > 10_000
