"""One small network in place of a stack: `save --distil`."""

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from competition import gap, load_dataset, load_profile, load_stack, run
from competition.pipeline.stack_input import stack_input
from competition.saved.distil_folds import SHARES, networks_of_folds
from competition.saved.manifest import read_manifest
from tests.cli.calling import call, called
from tests.cli.pictured import TOML, WORDS
from tests.faults.runs import leftovers, started

FACTS = """
[inputs.facts]
kind = "metadata"
columns = ["price"]
"""
PROFILE = """\
models = ["tfidf_logreg", "tfidf_nblogreg"]
folds.n = 4
level2.model = ["mean", "pooled"]

[features.thumbs]
extractor = "thumbnails"
side = 4

[level1.probe]
inputs = ["thumbs"]
"""


def made_ads(folder: Path) -> pd.DataFrame:
    """Write 80 training and 40 test ads; return the tags of all."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for name, shade in (("dark", 60), ("light", 200)):
        Image.new("RGB", (40, 30), (shade,) * 3).save(folder / f"{name}.png")
    made = []
    for number in range(120):
        tags = [tag for tag in WORDS if rng.random() < 0.5] or ["sea"]
        poster = "light.png" if ("food" in tags) != (rng.random() < 0.1) else "dark.png"
        title = " ".join(rng.choice(WORDS[rng.choice(tags)].split(), 2))
        price = round(float(rng.normal(10 + 5 * ("sea" in tags), 4)), 2)
        made.append((f"ad{number}", title, poster, price, "|".join(tags)))
    table = pd.DataFrame(made, columns=["id", "title", "poster", "price", "tags"])
    table[:80].to_csv(folder / "train.csv", index=False)
    table[80:].drop(columns="tags").to_csv(folder / "test.csv", index=False)
    (folder / "competition.toml").write_text(TOML + FACTS, "utf-8")
    (folder / "own.toml").write_text(PROFILE, "utf-8")
    return table


def given(folder: Path) -> tuple[object, ...]:
    where = ("--data", folder, "--out", folder / "out", "--profile", folder / "own.toml")
    return (*where, "--jobs", 1)


def stored(folder: Path) -> dict[str, bytes]:
    return {str(one): one.read_bytes() for one in sorted(folder.rglob("*.parquet"))}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame, str]:
    """A folder of ads with a distilled stack, the tags of all ads, and what was printed."""
    folder = tmp_path_factory.mktemp("pictured")
    table = made_ads(folder)
    return folder, table, call("save", folder / "small", *given(folder), "--distil").out


def test_one_network_tags_new_ads_nearly_as_well_as_its_honest_score_says(
    saved: tuple[Path, pd.DataFrame, str], tmp_path: Path
) -> None:
    folder, table, printed = saved
    manifest = read_manifest(folder / "small")
    assert list(manifest.models) == ["distilled"]
    model, told = manifest.models["distilled"], manifest.distillation
    assert model.columns == ("title", "price", "thumbs")
    assert told is not None
    assert (told.stack, told.n_models) == ("selection", 3)
    assert [share for share, _ in told.gaps] == list(SHARES)
    assert f"{told.stack_gap:.4f}" in printed
    assert all(f"{reached:.4f}" in printed for _, reached in told.gaps)
    assert told.gaps[SHARES.index(told.share)][1] == max(reached for _, reached in told.gaps)
    assert "It reads title, price, thumbs." in " ".join(printed.split())
    assert "One network in place of a stack" in call("describe", folder / "small").out
    whole = sum(one.stat().st_size for one in (folder / "small").rglob("*") if one.is_file())
    assert whole < 1e6
    to = tmp_path / "new.csv"
    call("predict", folder / "small", "--data", folder, "--to", to)
    found = pd.read_csv(to).set_index("id")
    truth = table.set_index("id").loc[found.index, "tags"].str.get_dummies()
    reached = gap(truth[list(found)].to_numpy(), found.to_numpy())
    assert reached == pytest.approx(model.gap, abs=0.06)  # 40 ads
    assert reached > 0.8
    # No ad changes what is said of another.
    stack = load_stack(folder / "small", n_jobs=1)
    ads = table[80:].drop(columns="tags").set_index("id")
    alone = pd.concat([stack.predict_proba(ads[row : row + 1], folder) for row in range(5)])
    np.testing.assert_allclose(alone, found.loc[alone.index], atol=1e-6)
    explained = stack.explain(ads[:2], folder)
    assert set(explained["model"]) == {"distilled"}
    np.testing.assert_allclose(explained["probability"], explained["stack"], atol=1e-6)


def test_a_broken_picture_of_a_new_ad_is_told_once(
    saved: tuple[Path, pd.DataFrame, str], tmp_path: Path
) -> None:
    folder, table, _ = saved
    (tmp_path / "broken.png").write_bytes(b"no picture")
    table[80:83].drop(columns="tags").assign(poster="broken.png").to_csv(
        tmp_path / "new.csv", index=False
    )
    where = ("--data", tmp_path / "new.csv", "--to", tmp_path / "p.csv")
    told = " ".join(call("predict", folder / "small", *where).out.split())
    assert "3 file(s) count as missing: ad80: broken.png: " in told
    assert told.count("count as missing") == 1


def test_a_second_call_fits_no_model_again_and_saves_the_same(
    saved: tuple[Path, pd.DataFrame, str],
) -> None:
    folder, _, _ = saved
    before = stored(folder / "out" / "oof")
    pairs = [one for one in before if "/distil/without_fold_" in one]
    assert len(pairs) == 3 * 6  # models, pairs of four folds
    times = {one: Path(one).stat().st_mtime_ns for one in pairs}
    manifest = json.loads((folder / "small" / "manifest.json").read_text("utf-8"))
    Path(pairs[0]).unlink()  # as if the first call had been killed
    call("save", folder / "small", *given(folder), "--distil")
    assert stored(folder / "out" / "oof").keys() == before.keys()
    assert [one for one in pairs[1:] if Path(one).stat().st_mtime_ns != times[one]] == []
    assert [one.name for one in folder.glob("small*")] == ["small"]
    again = json.loads((folder / "small" / "manifest.json").read_text("utf-8"))
    timed = {"ms_per_ad": again["ms_per_ad"], "seal": again["seal"]}
    assert again == {**manifest, **timed}


def test_the_labels_of_a_fold_have_no_part_in_its_predictions(tmp_path: Path) -> None:
    made_ads(tmp_path)
    profile = load_profile(str(tmp_path / "own.toml"), [])
    first = run(tmp_path, profile, tmp_path / "out", n_jobs=1)
    of_ad = first.store.folds.of_ad
    ads = load_dataset(tmp_path)
    labels = ads.labels.copy()
    labels[of_ad == 2] = 1 - labels[of_ad == 2]
    other = replace(ads, labels=labels)
    folds = tmp_path / "out" / "oof" / "pictured" / "folds.csv"
    second = run(other, profile, tmp_path / "other", n_jobs=1, own_folds=folds)
    found = []
    for result in (first, second):
        stack = result.stack
        data, _ = stack_input(result.store, result.cards, result.dataset, stack.metadata)
        columns = tuple(
            {column.name: column for job in result.jobs for column in job.columns}.values()
        )
        found.append(networks_of_folds(result, data, columns))
    for place in range(len(SHARES)):
        one, two = (of_run[2][place].held_out for of_run in found)
        assert one.tobytes() == two.tobytes()
        assert np.abs(found[0][1][place].held_out - found[1][1][place].held_out).max() > 0.05


def test_a_kill_while_the_network_is_saved_leaves_nothing(
    saved: tuple[Path, pd.DataFrame, str], tmp_path: Path
) -> None:
    folder = shutil.copytree(saved[0], tmp_path / "ads")
    to = tmp_path / "stacks" / "small"
    process = started("save", to, *given(folder), "--distil")
    until = time.monotonic() + 100
    while not list(to.parent.glob(".small.*")) and time.monotonic() < until:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not to.exists()
    assert leftovers(folder / "out")  # else it was killed elsewhere
    call("save", to, *given(folder), "--distil")
    assert leftovers(tmp_path) == []
    assert [one.name for one in (folder / "out" / "oof").iterdir()] == ["pictured"]
    one, two = (read_manifest(path) for path in (folder / "small", to))
    assert (one.models, one.distillation) == (two.models, two.distillation)


def test_a_damaged_stack_is_left_and_told_of(
    saved: tuple[Path, pd.DataFrame, str], tmp_path: Path
) -> None:
    folder = shutil.copytree(saved[0], tmp_path / "ads")
    damaged = folder / "small" / "manifest.json"
    damaged.write_text("{", "utf-8")
    printed = " ".join(call("save", folder / "small", *given(folder), "--distil").out.split())
    assert f"{folder / 'small-2'} holds the stack" in printed
    assert f"{folder / 'small'} stays as it is, and cannot be read: {damaged} is dam" in printed
    assert "says what differs" not in printed
    assert damaged.read_text("utf-8") == "{"


ARRAYS = """
[inputs.vector]
kind = "array"
column = "vector"
"""


@pytest.mark.parametrize(
    ("kinds", "columns"),
    [
        (None, ("title", "price", "vector")),
        (["text", "metadata"], ("title", "price")),
        (["array"], ("vector",)),
    ],
)
def test_arrays_that_ads_come_with_are_read_where_the_profile_reads_them(
    kinds: list[str] | None, columns: tuple[str, ...], tmp_path: Path
) -> None:
    table = made_ads(tmp_path)
    rng = np.random.default_rng(1)
    for ad, tags in zip(table["id"], table["tags"], strict=True):
        vector = rng.normal(size=4) + 3 * ("food" in tags)
        np.save(tmp_path / f"{ad}.npy", vector.astype(np.float32))
    for name in ("train", "test"):
        part = pd.read_csv(tmp_path / f"{name}.csv")
        part["vector"] = [f"{ad}.npy" if at % 5 else "" for at, ad in enumerate(part["id"])]
        part.to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "competition.toml").write_text(TOML + FACTS + ARRAYS, "utf-8")
    profile = 'models = ["tfidf_logreg", "probe"]\nfolds.n = 3\nlevel2.model = "mean"\n'
    given_kinds = "" if kinds is None else f"kinds = {json.dumps(kinds)}\n"
    (tmp_path / "own.toml").write_text(given_kinds + profile, "utf-8")
    printed = call("save", tmp_path / "small", *given(tmp_path), "--distil").out
    (model,) = read_manifest(tmp_path / "small").models.values()
    assert model.columns == columns
    assert f"It reads {', '.join(columns)}." in " ".join(printed.split())
    to = tmp_path / "new.csv"
    call("predict", tmp_path / "small", "--data", tmp_path, "--to", to)
    found = pd.read_csv(to).set_index("id")
    truth = table.set_index("id").loc[found.index, "tags"].str.get_dummies()
    assert gap(truth[list(found)].to_numpy(), found.to_numpy()) > 0.7


def test_pairs_that_were_damaged_are_fitted_again(
    saved: tuple[Path, pd.DataFrame, str], tmp_path: Path
) -> None:
    folder = shutil.copytree(saved[0], tmp_path / "ads")
    pairs = sorted(folder.glob("out/oof/pictured/distil/without_fold_*/*/*.parquet"))
    for pair, left in zip(pairs, (0, 100), strict=False):
        os.truncate(pair, left)
    content = pd.read_parquet(pairs[2])
    content.iloc[0, -1] += 0.1
    schema = pq.read_schema(pairs[2])
    changed = pa.Table.from_pandas(content, preserve_index=False)
    pq.write_table(changed.replace_schema_metadata(schema.metadata), pairs[2])
    printed = call("save", folder / "again", *given(folder), "--distil").out
    assert printed.count("is damaged, so that fold is run again") == 3
    assert stored(folder / "out" / "oof").keys() == {
        one.replace(str(saved[0]), str(folder)) for one in stored(saved[0] / "out" / "oof")
    }
    one, two = (read_manifest(folder / name) for name in ("small", "again"))
    assert one.distillation == two.distillation
    assert one.models == two.models


PLUGIN = """\
from competition import Level1Model, level1_model


@level1_model("{name}", kinds=("text",))
class Frequencies(Level1Model):
    def _fit(self, X, Y):
        self.frequencies_ = Y.mean(axis=0)

    def _predict_proba(self, X):
        return self.frequencies_ + 0 * X["title"].str.len().to_numpy()[:, None]
"""


def test_only_plug_ins_of_what_is_saved_must_be_named(
    tmp_path: Path, registries_restored: None
) -> None:
    made_ads(tmp_path)
    for name in ("often", "seldom"):
        (tmp_path / f"{name}.py").write_text(PLUGIN.format(name=name), "utf-8")
    text = PROFILE.replace('["mean", "pooled"]', '"mean"')
    for name, text_of in (
        ("both", text.replace('"tfidf_nblogreg"]', '"often", "seldom"]')),
        ("one", text.replace('"tfidf_nblogreg"]', '"often"]')),
    ):
        profile = tmp_path / f"{name}.toml"
        profile.write_text('plugins = ["often.py", "seldom.py"]\n' + text_of, "utf-8")
        where = ("--data", tmp_path, "--out", tmp_path / "out", "--profile", profile)
        call("save", tmp_path / name, *where, "--jobs", 1)
    call("save", tmp_path / "small", *where, "--jobs", 1, "--distil")
    assert [read_manifest(tmp_path / name).plugins for name in ("both", "one", "small")] == [
        ("often.py", "seldom.py"),
        ("often.py",),
        (),
    ]
    to = ("--data", tmp_path, "--to", tmp_path / "p.csv")
    done = called("predict", tmp_path / "one", *to)
    assert done.status == 2
    assert "holds models of the plug-in often.py, whose code is not in it" in " ".join(
        done.err.split()
    )
    call("predict", tmp_path / "one", *to, "--plugin", tmp_path / "often.py")
    call("predict", tmp_path / "small", *to)
    assert len(pd.read_csv(tmp_path / "p.csv")) == 40


ALONE = "--distil saves one small network that needs no checkpoint, fitted on all ads"
NOT_CHEAP = """\
plugins = ["deep.py"]
folds.n = 4
kinds = ["array"]

[features.deep]
extractor = "deep"

[level1.probe]
inputs = ["deep"]
"""
DEEP = """\
import numpy as np
from competition import Extractor, extractor


@extractor("deep", kinds=("text",), gives="array", version=1)
class Deep(Extractor):
    libraries = ("torch",)

    def extract_one(self, item):
        return np.array([[len(item.value), item.value.count("s")]], dtype=np.float32)
"""


@pytest.mark.parametrize(
    ("profile", "options", "message"),
    [
        (PROFILE, ["--set", "folds.n=3"], "--distil needs 4 folds or more, and the run has 3"),
        (PROFILE, ["--decide", "tags=3"], "tags=3 sets more tags than pictured has, which are 2."),
        (PROFILE, ["--max-mb", 5], ALONE),
        (PROFILE, ["--max-ms-per-ad", 5], ALONE),
        (PROFILE, ["--with-checkpoints"], ALONE),
        (PROFILE, ["--keep", "folds"], ALONE),
        (PROFILE, ["--keep", "refit"], ALONE),
        (NOT_CHEAP, [], "--distil finds nothing that is cheap to read"),
    ],
)
def test_what_cannot_be_distilled_is_refused_before_anything_is_trained(
    profile: str,
    options: list[object],
    message: str,
    tmp_path: Path,
    registries_restored: None,
) -> None:
    made_ads(tmp_path)
    (tmp_path / "own.toml").write_text(profile, "utf-8")
    (tmp_path / "deep.py").write_text(DEEP, "utf-8")
    done = called("save", tmp_path / "none", *given(tmp_path), "--distil", *options)
    assert done.status == 2
    assert message in " ".join(done.err.replace("│", " ").split())
    assert not (tmp_path / "none").exists()
    assert not list(tmp_path.glob("out/oof/pictured/*/*.parquet"))


def test_folds_that_are_too_few_to_distil_are_made_anew_as_is_said(tmp_path: Path) -> None:
    made_ads(tmp_path)
    call = ("save", tmp_path / "small", *given(tmp_path), "--distil", "--set")
    told = " ".join(called(*call, "folds.n=2").err.split())
    folds = tmp_path / "out" / "oof" / "pictured" / "folds.csv"
    assert f"Set folds.n, and remove {folds} or name another --out." in told
    assert called(*call, "folds.n=4").status == 2
    folds.unlink()
    assert called(*call, "folds.n=4").status == 0


def test_distil_goes_with_save(tmp_path: Path) -> None:
    made_ads(tmp_path)
    done = called("run", *given(tmp_path), "--distil")
    assert done.status == 2
    assert "--max-mb and --distil go with --save." in " ".join(done.err.replace("│", " ").split())
