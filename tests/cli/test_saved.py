"""A stack that was saved tags new ads, on its own."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import competition
from competition.saved.manifest import read_manifest
from tests.cli.calling import call, called
from tests.saved.make_fixture import WORDS

PLUGIN = """\
import numpy as np
from competition import Level1Model, level1_model

class Lengths:
    def __init__(self, mean):
        self.mean = mean

@level1_model("lengths", kinds=("text",))
class LengthModel(Level1Model):
    def _fit(self, X, Y):
        lengths = X.map(len).sum(axis=1).to_numpy()
        self.lengths_ = Lengths(float(lengths.mean()))
        long = lengths > self.lengths_.mean
        halves = [Y[long == one] for one in (0, 1)]
        self.shares_ = [(half.sum(axis=0) + 1) / (len(half) + 2) for half in halves]
    def _predict_proba(self, X):
        long = X.map(len).sum(axis=1).to_numpy() > self.lengths_.mean
        return np.stack(self.shares_)[long.astype(int)]
"""
PROFILE = """\
plugins = ["lengths.py"]
models = ["tfidf_logreg", "lightgbm", "xgboost"]
folds.n = 3
level2.model = ["mean", "pooled", "xgboost"]

[features.thumbs]
extractor = "thumbnails"
side = 4

[level1.lightgbm]
n_estimators = 5

[level1.xgboost]
n_estimators = 5

[level1.probe]
inputs = ["vectors"]

[level1.looks]
model = "probe"
inputs = ["thumbs"]

[level1.lengths]
"""


TOML = """\
name = "demo"
train = "train.csv"
test = "test.csv"

[[tags]]
column = "tags"
dimension = "topic"

[inputs.title]
kind = "text"
column = "title"

[inputs.facts]
kind = "metadata"
columns = ["budget", "place"]

[inputs.vectors]
kind = "array"
column = "vectors"

[inputs.poster]
kind = "image"
column = "poster"

[submission]
format = "taac2021"
"""


def rows(ids: list[str], folder: Path, seed: int) -> pd.DataFrame:
    """Ads whose title, place and vectors each tell something of their tags; some lack some."""
    rng = np.random.default_rng(seed)
    (folder / "vectors").mkdir(parents=True, exist_ok=True)
    made = []
    for ad in ids:
        tags = [tag for tag in WORDS if rng.random() < 0.5] or ["sea"]
        words = rng.choice(" ".join(WORDS[tag] for tag in tags).split(), 5)
        vector = np.array([[tag in tags for tag in WORDS]] * 2) + rng.normal(0, 0.5, (2, 3))
        np.save(folder / "vectors" / f"{ad}.npy", vector.astype(np.float32))
        colours = rng.integers(0, 80, (8, 8, 3)) + 150 * np.array([tag in tags for tag in WORDS])
        Image.fromarray(colours.astype(np.uint8)).save(folder / "vectors" / f"{ad}.png")
        made.append(
            {
                "id": ad,
                "title": " ".join(words) if rng.random() < 0.9 else "",
                "budget": str(rng.integers(1, 100)) if rng.random() < 0.9 else "",
                "place": rng.choice(["north", "south"]) if "sea" in tags else "",
                "vectors": f"vectors/{ad}.npy" if rng.random() < 0.9 else "",
                "poster": f"vectors/{ad}.png" if rng.random() < 0.9 else "",
                "tags": "|".join(tags),
            }
        )
    return pd.DataFrame(made)


pytestmark = pytest.mark.usefixtures("registries_restored_at_last")


@pytest.fixture(scope="module")
def ads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts, metadata and arrays of 60 training and 12 test ads."""
    folder = tmp_path_factory.mktemp("ads")
    rows([f"a{i}" for i in range(60)], folder, 0).to_csv(folder / "train.csv", index=False)
    test = rows([f"t{i}" for i in range(12)], folder, 1).drop(columns="tags")
    test.to_csv(folder / "test.csv", index=False)
    (folder / "competition.toml").write_text(TOML, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def saved(
    registries_restored_at_last: None, ads: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """The folder of a saved stack, and that of the run."""
    out = tmp_path_factory.mktemp("out")
    (out / "lengths.py").write_text(PLUGIN, encoding="utf-8")
    (out / "own.toml").write_text(PROFILE, encoding="utf-8")
    run(ads, out, "--save", out / "stack")
    return out / "stack", out


def run(ads: Path, out: Path, *further: object) -> None:
    call("run", "--data", ads, "--out", out, "--profile", out / "own.toml", "--jobs", 1, *further)


def stored_test(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out / "oof" / "demo" / "stack-selection" / "test.parquet").set_index(
        "id"
    )


def test_a_new_process_without_the_training_data_gives_the_bytes_of_the_run(
    saved: tuple[Path, Path], ads: Path, tmp_path: Path
) -> None:
    stack, out = saved
    moved = shutil.copytree(stack, tmp_path / "moved")
    new = tmp_path / "new"
    shutil.copytree(ads / "vectors", new / "vectors")
    shutil.copy(ads / "test.csv", new / "ads.csv")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "competition", "predict", str(moved)),
            *("--data", str(new / "ads.csv"), "--to", str(tmp_path / "p.parquet")),
            *("--plugin", str(out / "lengths.py")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = pd.read_parquet(tmp_path / "p.parquet").set_index("id")
    expected = stored_test(out).loc[found.index]
    assert list(found.columns) == list(expected.columns)
    assert found.to_numpy().tobytes() == expected.to_numpy().tobytes()
    assert len(found) == 12


def load(saved: tuple[Path, Path], **given: Any) -> Any:
    stack, out = saved
    return competition.load_stack(stack, plugins=[out / "lengths.py"], n_jobs=1, **given)


def test_a_folder_of_ads_is_tagged_as_its_table(saved: tuple[Path, Path], ads: Path) -> None:
    found = load(saved).predict_proba(ads)  # the test ads of the folder
    assert found.to_numpy().tobytes() == stored_test(saved[1]).loc[found.index].to_numpy().tobytes()


def test_an_ad_is_tagged_alike_alone_and_among_others_in_any_order(
    saved: tuple[Path, Path], ads: Path
) -> None:
    frame = pd.read_csv(ads / "test.csv", dtype=str, keep_default_na=False).set_index("id")
    stack = load(saved)
    whole = stack.predict_proba(frame, root=ads)
    assert list(whole.index) == list(frame.index)
    alone = pd.concat([stack.predict_proba(frame.iloc[[i]], root=ads) for i in (0, 5, 11)])
    assert np.abs(alone - whole.iloc[[0, 5, 11]]).to_numpy().max() < 1e-6
    turned = stack.predict_proba(frame.iloc[::-1], root=ads)
    assert np.abs(turned.iloc[::-1] - whole).to_numpy().max() < 1e-6


def test_inputs_that_no_new_ad_has_are_missing_as_in_training(
    saved: tuple[Path, Path], ads: Path
) -> None:
    frame = pd.read_csv(ads / "test.csv", dtype=str, keep_default_na=False).set_index("id")
    stack = load(saved)
    emptied = frame.assign(budget="", place="", vectors="", poster="")
    expected = stack.predict_proba(emptied, root=ads)
    found = stack.predict_proba(frame[["title"]])
    assert np.array_equal(found, expected)
    unseen = frame.assign(place="nowhere", title="слово 词 emoji🙂")
    assert np.isfinite(stack.predict_proba(unseen, root=ads).to_numpy()).all()


def test_explain_says_what_each_model_does_to_the_answer(
    saved: tuple[Path, Path], ads: Path
) -> None:
    stack = load(saved)
    told = stack.explain(ads)
    whole = stack.predict_proba(ads)
    assert set(told["model"]) == {
        *("tfidf_logreg", "lightgbm", "xgboost"),
        *("probe", "looks", "lengths"),
    }
    one = told[(told["id"] == "t3") & (told["tag"] == "food")]
    assert (one["stack"] == whole.loc["t3", "food"]).all()
    assert np.isfinite(told["effect"]).all()
    assert told["effect"].abs().max() > 0
    stored = pd.read_parquet(saved[1] / "oof" / "demo" / "probe" / "test.parquet").set_index("id")
    assert one.set_index("model").at["probe", "probability"] == stored.at["t3", "food"]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_files_of_probabilities(
    saved: tuple[Path, Path], ads: Path, tmp_path: Path, ending: str
) -> None:
    stack, out = saved
    to = tmp_path / f"p.{ending}"
    done = call(
        "predict", stack, "--data", ads, "--jobs", 1, "--to", to, "--plugin", out / "lengths.py"
    )
    assert done.out.strip().endswith("12 ads, 3 tags")
    read = pd.read_csv(to) if ending == "csv" else pd.read_json(to, lines=True)
    expected = stored_test(out)
    assert np.allclose(read.set_index("id").loc[expected.index], expected, atol=1e-6)


def test_leaderboard_file_is_that_of_the_run(
    saved: tuple[Path, Path], ads: Path, tmp_path: Path
) -> None:
    stack, out = saved
    to = tmp_path / "submission.json"
    given = ("--to", to, "--jobs", 1, "--format", "taac2021", "--plugin", out / "lengths.py")
    call("predict", stack, "--data", ads, *given)
    (submitted,) = (out / "submissions").glob("demo-selection-*[0-9].json")
    assert json.loads(to.read_bytes()) == json.loads(submitted.read_bytes())


def test_describe_tells_models_scores_and_sizes(saved: tuple[Path, Path]) -> None:
    shown = call("describe", saved[0])
    card = json.loads((saved[1] / "oof" / "demo" / "probe" / "card.json").read_text("utf-8"))
    assert shown.row("probe")[1:4] == ["probe", "vectors", f"{card['scores']['gap']:.4f}"]
    assert "3 tags, learned from 60 ads" in shown.out
    told = " ".join(shown.out.split())
    assert (
        f"; an ad by itself takes {read_manifest(saved[0]).ms_per_ad:g} ms on a processor" in told
    )


def test_refitted_models_are_fewer_and_say_much_the_same(
    saved: tuple[Path, Path], ads: Path, tmp_path: Path
) -> None:
    out = saved[1]
    run(ads, out, "--save", tmp_path / "one", "--keep", "refit")
    one = competition.load_stack(tmp_path / "one", plugins=[out / "lengths.py"], n_jobs=1)
    assert sorted(p.name for p in (tmp_path / "one" / "level1" / "probe").iterdir()) == ["all"]
    truth = rows([f"t{i}" for i in range(12)], tmp_path, 1)["tags"].str.get_dummies("|")
    found, of_folds = one.predict_proba(ads), stored_test(out)
    truth = truth.set_axis(found.index)[found.columns]
    scores = [competition.gap(truth, p.loc[found.index]) for p in (found, of_folds)]
    assert abs(scores[0] - scores[1]) < 0.05
    assert np.corrcoef(found.to_numpy().ravel(), of_folds.to_numpy().ravel())[0, 1] > 0.95


def test_a_second_save_fits_nothing_again(saved: tuple[Path, Path], ads: Path) -> None:
    stack, out = saved
    before = read_manifest(stack)
    run(ads, out, "--save", stack)
    again = read_manifest(stack)
    assert again == before.model_copy(update={"ms_per_ad": again.ms_per_ad, "seal": again.seal})
    assert all((stack / name).is_file() for name in before.files)


def test_nothing_in_a_saved_stack_is_a_pickle(saved: tuple[Path, Path]) -> None:
    import pickletools
    import zipfile

    for path in saved[0].rglob("*"):
        if not path.is_file():
            continue
        members = [path.read_bytes()]
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                members = [archive.read(name) for name in archive.namelist()]
        for content in members:
            with pytest.raises(ValueError):  # noqa: PT011
                list(pickletools.genops(content))


def _damaged(folder: Path, what: str) -> str:
    """Damage a copy of a saved stack; return a part of the message that is due."""
    (weights,) = (folder / "level1" / "probe" / "fold_1").glob("arrays.npz")
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    if what == "no stack":
        (folder / "manifest.json").unlink()
        return "holds no saved stack"
    if what == "missing":
        weights.unlink()
        return "lacks level1/probe/fold_1/arrays.npz"
    if what == "changed":
        content = bytearray(weights.read_bytes())
        content[40] ^= 1
        weights.write_bytes(content)
        return "arrays.npz is not what was saved"
    if what == "foreign":
        (folder / "level1" / "more.py").write_text("print(1)", "utf-8")
        return "holds level1/more.py, which manifest.json does not list"
    if what == "newer":
        (folder / "manifest.json").write_text(json.dumps({**manifest, "format": 99}), "utf-8")
        return "has the format 99"
    if what == "changed manifest":
        (folder / "manifest.json").write_text(json.dumps({**manifest, "top_k": 3}), "utf-8")
        return "manifest.json is not what was saved"
    (folder / "manifest.json").write_text("{", "utf-8")
    return "is damaged"


@pytest.mark.parametrize(
    "what",
    ["no stack", "missing", "changed", "changed manifest", "foreign", "newer", "no json"],
)
def test_a_damaged_stack_is_one_sentence(
    saved: tuple[Path, Path], ads: Path, tmp_path: Path, what: str
) -> None:
    folder = shutil.copytree(saved[0], tmp_path / "stack")
    due = _damaged(folder, what)
    done = called("predict", folder, "--data", ads, "--to", tmp_path / "p.csv")
    assert done.status == 2
    assert due in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "p.csv").exists()


def test_weights_that_name_foreign_code_are_refused(
    saved: tuple[Path, Path], tmp_path: Path
) -> None:
    """Whoever changes a stack and its digests still makes nothing run."""
    from competition.level1.base import Level1Model
    from competition.utils.state import StateError, read_state

    folder = shutil.copytree(saved[0] / "level1" / "probe" / "fold_0", tmp_path / "model")
    state = json.loads((folder / "state.json").read_text("utf-8"))
    for evil in (
        {"named": "os:system"},
        {"object": "subprocess:Popen", "state": []},
        {"named": "competition.saved.save:shutil.os.system"},
        {"named": "competition.saved.save:shutil.rmtree"},
    ):
        (folder / "state.json").write_text(json.dumps({**state, "root": evil}), "utf-8")
        with pytest.raises(StateError, match=r"[Nn]othing of it was run"):
            read_state(folder, Level1Model)  # type: ignore[type-abstract]


def test_what_a_model_learned_cannot_replace_what_it_does(
    saved: tuple[Path, Path], tmp_path: Path
) -> None:
    from competition.level1.base import Level1Model
    from competition.utils.state import StateError, read_state

    folder = shutil.copytree(saved[0] / "level1" / "probe" / "fold_0", tmp_path / "model")
    state = json.loads((folder / "state.json").read_text("utf-8"))
    state["root"]["state"].append(["_predict_proba", {"named": "competition.utils.files:remove"}])
    (folder / "state.json").write_text(json.dumps(state), "utf-8")
    with pytest.raises(StateError, match="_predict_proba is a method of Probe"):
        read_state(folder, Level1Model)  # type: ignore[type-abstract]


def test_bad_ads_are_one_sentence(saved: tuple[Path, Path], ads: Path, tmp_path: Path) -> None:
    stack = load(saved)
    frame = pd.DataFrame({"title": ["sun", "soup"]}, index=["x", "x"])
    with pytest.raises(competition.CompetitionError, match="row 2: the ad has the id of another"):
        stack.predict_proba(frame)
    with pytest.raises(competition.CompetitionError, match="none of the inputs 'title'"):
        stack.predict_proba(pd.DataFrame({"headline": ["sun"]}, index=["x"]))
    other = tmp_path / "other"
    other.mkdir()
    (other / "competition.toml").write_text(
        'name = "other"\ntrain = "train.csv"\n[[tags]]\ncolumn = "tags"\ndimension = "t"\n'
        '[inputs.title]\nkind = "metadata"\ncolumn = "title"\n',
        "utf-8",
    )
    (other / "train.csv").write_text("id,title,tags\na,3,x\nb,4,y\n", "utf-8")
    with pytest.raises(competition.CompetitionError, match="is of kind metadata; the stack"):
        stack.predict_proba(other)


def test_the_plug_in_must_be_named(saved: tuple[Path, Path], ads: Path, tmp_path: Path) -> None:
    done = called("predict", saved[0], "--data", ads, "--to", tmp_path / "p.csv")
    assert done.status == 2
    assert "lengths.py, whose code is not in it. Name the file: --plugin PATH" in done.err


def test_a_model_that_cannot_be_saved_says_so_before_training(ads: Path, tmp_path: Path) -> None:
    own = tmp_path / "odd.py"
    own.write_text(
        "import threading\n"
        + PLUGIN.replace("lengths", "odd").replace(
            "    def _fit",
            "    def __init__(self):\n        self.lock = threading.Lock()\n    def _fit",
        ),
        "utf-8",
    )
    done = called(
        *("run", "--data", ads, "--out", tmp_path / "out", "--profile", "text", "--jobs", 1),
        *("--set", f'plugins=["{own}"]', "--set", "level1.odd.model=odd"),
        *("--save", tmp_path / "stack"),
    )
    assert done.status == 2
    assert "The model odd cannot be kept, so nothing was trained" in done.err
    assert not list((tmp_path / "out" / "oof").rglob("fold_*.parquet"))
    assert not (tmp_path / "stack").exists()


def test_a_folder_of_something_else_is_not_replaced(ads: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("all of it", "utf-8")
    done = called(
        *("run", "--data", ads, "--out", tmp_path / "out", "--profile", "text"),
        *("--set", 'models=["tfidf_logreg"]', "--set", "level2.model=mean", "--jobs", "1"),
        *("--save", tmp_path / "precious"),
    )
    assert done.status == 2
    assert "holds something else than a saved stack" in done.err
    assert not (tmp_path / "out").exists()  # before anything was trained
    assert (tmp_path / "precious" / "thesis.txt").read_text("utf-8") == "all of it"


def test_tags_are_set_by_the_thresholds_of_the_stack(
    saved: tuple[Path, Path], ads: Path, tmp_path: Path
) -> None:
    stack, out = saved
    to = tmp_path / "tags.csv"
    call(
        "predict",
        stack,
        "--data",
        ads,
        "--jobs",
        1,
        "--tags",
        "--to",
        to,
        "--plugin",
        out / "lengths.py",
    )
    read = pd.read_csv(to, dtype=str, keep_default_na=False).set_index("id")
    manifest = json.loads((stack / "manifest.json").read_text("utf-8"))
    thresholds = np.array(manifest["decision"]["thresholds"])
    expected = stored_test(out).loc[read.index]
    for ad, cell in read["tags"].items():
        due = expected.loc[ad][expected.loc[ad].to_numpy() > thresholds]
        assert cell.split("|") == list(due.sort_values(ascending=False, kind="stable").index)
    frame = pd.DataFrame({"title": ["", "sun soup"]}, index=["nothing", "x"])
    decided = load(saved).predict(frame)
    assert decided.at["nothing", "unsure"]
    assert decided["tags"].map(len).gt(0).all()


def test_calibrated_probabilities_are_asked_for_and_judged_out_of_fold(
    saved: tuple[Path, Path], ads: Path, tmp_path: Path
) -> None:
    stack, out = saved
    told = json.loads((stack / "manifest.json").read_text("utf-8"))["calibration"]
    slope, shift = told["scale"]
    store = out / "oof" / "demo"
    oof = pd.read_parquet(store / "stack-selection" / "oof.parquet").set_index("id")
    truth = rows([f"a{i}" for i in range(60)], tmp_path, 0).set_index("id")["tags"]
    true = truth.str.get_dummies("|").loc[oof.index]
    p, y = oof[list(true)].to_numpy(np.float64).ravel(), true.to_numpy().ravel()
    tenth = np.minimum((10 * p).astype(int), 9)
    errors = [abs(p[tenth == one].sum() - y[tenth == one].sum()) for one in range(10)]
    assert np.isclose(told["before"], sum(errors) / len(p))
    assert (slope == 1 and shift == 0) == (told["after"] >= told["before"])
    to = tmp_path / "p.parquet"
    given = ("--to", to, "--jobs", 1, "--plugin", out / "lengths.py")
    call("predict", stack, "--data", ads, "--calibrated", *given)
    found = pd.read_parquet(to).set_index("id")
    raw = stored_test(out).loc[found.index]
    odds = (raw / (1 - raw)) ** slope * np.exp(shift)
    assert np.allclose(found, odds / (1 + odds), atol=1e-5)
    assert f"Reliability error {told['before']:.4f}" in " ".join(
        call("describe", stack).out.split()
    )
    refused = called("predict", stack, "--data", ads, "--calibrated", "--tags", *given)
    assert refused.status == 2


def test_number_of_tags_is_decided_when_the_stack_is_saved(
    saved: tuple[Path, Path], ads: Path, tmp_path: Path
) -> None:
    out = saved[1]
    run(ads, out, "--save", tmp_path / "two", "--decide", "tags=2")
    to = tmp_path / "tags.jsonl"
    given = ("--to", to, "--jobs", 1, "--plugin", out / "lengths.py")
    call("predict", tmp_path / "two", "--data", ads, "--tags", *given)
    read = pd.read_json(to, lines=True)
    assert read["tags"].map(len).eq(2).all()
    assert "Tags are set by tags=2" in call("describe", tmp_path / "two").out
    given = ("--data", ads, "--out", out, "--profile", out / "own.toml", "--jobs", 1)
    done = called("save", tmp_path / "four", *given, "--decide", "tags=4")
    assert done.status == 2
    assert "tags=4 sets more tags than demo has, which are 3." in " ".join(done.err.split())
    assert not (tmp_path / "four").exists()


def test_two_stacks_are_compared(saved: tuple[Path, Path], ads: Path, tmp_path: Path) -> None:
    stack, out = saved
    less = PROFILE.replace(', "xgboost"]\nfolds', "]\nfolds").replace(
        "[level1.xgboost]\nn_estimators = 5\n", ""
    )
    (out / "less.toml").write_text(less, encoding="utf-8")
    call(
        *("save", tmp_path / "other", "--data", ads, "--out", out, "--profile", out / "less.toml"),
        *("--jobs", 1, "--decide", "tags=2"),
    )
    told = call("describe", stack, tmp_path / "other")
    assert told.row("model xgboost")[2] == "-"
    assert told.row("tags are set by")[1:] == ["f1", "tags=2"]
    assert told.row("precision")[1] == "{:.3f} ± {:.3f}".format(
        *read_manifest(stack).decision.precision
    )
    assert "model lightgbm" not in told.out  # as in both
    assert "The two stacks are alike." in call("describe", stack, stack).out


def test_files_that_are_not_there_are_told_once(
    saved: tuple[Path, Path], ads: Path, tmp_path: Path
) -> None:
    stack, out = saved
    table = pd.read_csv(ads / "test.csv", dtype=str, keep_default_na=False)
    table["vectors"], table["poster"] = "", [f"none_{row}.png" for row in range(len(table))]
    table.to_csv(tmp_path / "new.csv", index=False)
    given = ("--to", tmp_path / "p.csv", "--jobs", 1, "--plugin", out / "lengths.py")
    told = " ".join(call("predict", stack, "--data", tmp_path / "new.csv", *given).out.split())
    assert f"Warning: {len(table)} files are not there" in told
    assert told.count("not there") == 1
    assert "new.csv:2 (ad " in told
    assert len(pd.read_csv(tmp_path / "p.csv")) == len(table)


def test_a_grown_folder_gives_the_next_version_beside_the_old_one(
    ads: Path, tmp_path: Path
) -> None:
    data, out = shutil.copytree(ads, tmp_path / "ads"), tmp_path / "out"
    profile = tmp_path / "texts.toml"
    profile.write_text(
        'models = ["tfidf_logreg", "tfidf_nblogreg"]\nfolds.n = 3\nlevel2.model = "mean"\n', "utf-8"
    )
    given = ("--data", data, "--out", out, "--profile", profile, "--jobs", 1)
    call("save", tmp_path / "spring", *given)
    call("save", tmp_path / "spring", *given, "--decide", "tags=2")  # the same stack
    assert sorted(one.name for one in tmp_path.glob("spring*")) == ["spring"]
    before = files(tmp_path / "spring")
    table = pd.read_csv(data / "train.csv")
    more = rows([f"later{i}" for i in range(9)], data, 2)
    pd.concat([table, more]).to_csv(data / "train.csv", index=False)
    (data / "dataset.json").write_text('{"license": "CC BY 4.0, <b>shown</b>"}', "utf-8")
    told = call("save", tmp_path / "spring", *given).out
    assert f"{tmp_path / 'spring-2'} holds the stack" in told.replace("\n", "")
    assert files(tmp_path / "spring") == before
    changed = call("describe", tmp_path / "spring", tmp_path / "spring-2")
    assert changed.row("training ads")[1:] == ["60", "69"]
    assert changed.row("license")[1] == "-"
    assert "CC BY 4.0, <b>shown</b>" in call("describe", tmp_path / "spring-2").out
    call("save", tmp_path / "spring", *given)  # nothing new: the second version again
    assert sorted(one.name for one in tmp_path.glob("spring*")) == ["spring", "spring-2"]


def files(folder: Path) -> dict[str, bytes]:
    return {str(one): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


READ = """\
name = "read"
train = "train.csv"
test = "test.csv"

[[tags]]
column = "tags"
dimension = "topic"

[inputs.synopsis]
kind = "text"
columns = ["title", "plot"]

[inputs.facts]
kind = "metadata"
columns = ["released", "studio"]
types = {released = "date", studio = "category"}

[inputs.pictures]
kind = "image"
column = "pics"
separator = ";"
"""


def test_a_table_is_read_as_the_training_ads_were(tmp_path: Path) -> None:
    """Texts of two columns, dates, categories that look like numbers, several files in a cell."""
    rng = np.random.default_rng(3)
    data = tmp_path / "data"
    data.mkdir()
    made = []
    for number in range(60):
        tags = [tag for tag in WORDS if rng.random() < 0.5] or ["sea"]
        for which in (0, 1):
            colours = np.full((8, 8, 3), 40) + 90 * np.array([tag in tags for tag in WORDS])
            picture = Image.fromarray((colours + rng.integers(0, 90)).astype(np.uint8))
            picture.save(data / f"{number}_{which}.png")
        year = 1990 if "food" in tags else 2020
        made.append(
            {
                "id": f"ad {number}",
                "title": rng.choice(WORDS[tags[0]].split()),
                "plot": " ".join(rng.choice(WORDS[tags[-1]].split(), 3)),
                "released": f"{year + rng.integers(0, 9)}-0{rng.integers(1, 9)}-11",
                "studio": f"00{rng.integers(1, 4)}" if "sea" in tags else f"{rng.integers(4, 9)}",
                "pics": f"{number}_0.png;{number}_1.png",
                "tags": "|".join(tags),
            }
        )
    table = pd.DataFrame(made)
    table[:45].to_csv(data / "train.csv", index=False)
    table[45:].drop(columns="tags").to_csv(data / "test.csv", index=False)
    (data / "competition.toml").write_text(READ, encoding="utf-8")
    own = '[features.thumbs]\nextractor = "thumbnails"\nside = 2\n[level1.probe]\n'
    (tmp_path / "own.toml").write_text(
        f'models = ["tfidf_logreg", "lightgbm"]\nlevel2.model = "mean"\nfolds.n = 3\n{own}',
        encoding="utf-8",
    )
    out = tmp_path / "out"
    call(
        *("run", "--data", data, "--out", out, "--profile", tmp_path / "own.toml", "--jobs", 1),
        *("--save", tmp_path / "stack"),
    )
    stack = competition.load_stack(tmp_path / "stack", n_jobs=1)
    expected = pd.read_parquet(out / "oof" / "read" / "stack-mean" / "test.parquet").set_index("id")
    found = stack.predict_proba(data / "test.csv")
    assert np.array_equal(found.loc[expected.index], expected)
    frame = table[45:].drop(columns="tags").set_index("id")
    by_frame = stack.predict_proba(frame, root=data)
    assert np.array_equal(by_frame.loc[expected.index], expected)
    for column in ("plot", "released", "studio", "pics"):
        without = stack.predict_proba(frame.drop(columns=column), root=data)
        assert not np.array_equal(without, by_frame), column


def test_more_tags_than_there_are_is_refused_before_anything_is_trained(
    ads: Path, tmp_path: Path
) -> None:
    where = ("--data", ads, "--out", tmp_path / "out", "--jobs", 1)
    done = called("save", tmp_path / "stack", *where, "--decide", "tags=999")
    assert done.status == 2
    assert "tags=999 sets more tags than" in done.err
    assert not list(tmp_path.glob("out/oof/*/*/*.parquet"))


@pytest.mark.parametrize("given", [(), ("--keep", "refit"), ("--max-mb", 50)])
def test_ads_may_have_arrays_that_the_profile_does_not_read(
    given: tuple[object, ...], ads: Path, tmp_path: Path
) -> None:
    quick = ('models=["tfidf_logreg"]', "folds.n=3", "level2.model=mean")
    sets = [part for one in quick for part in ("--set", one)]
    where = ("--data", ads, "--out", tmp_path, "--profile", "text", "--jobs", 1)
    call("save", tmp_path / "stack", *where, *sets, *given)
    to = tmp_path / "p.parquet"
    call("predict", tmp_path / "stack", "--data", ads, "--to", to)
    found = pd.read_parquet(to).set_index("id")
    stored = pd.read_parquet(tmp_path / "oof" / "demo" / "stack-mean" / "test.parquet")
    stored = stored.set_index("id")
    atol = 0.2 if "refit" in given else 0
    np.testing.assert_allclose(found.loc[stored.index], stored, rtol=0, atol=atol)
