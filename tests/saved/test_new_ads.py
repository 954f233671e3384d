"""An ad is read as those of training were, whatever ads stand beside it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import competition
from competition.saved.manifest import read_manifest
from competition.saved.new_ads import open_new_ads
from tests.cli.calling import call

TOML = """\
name = "marks"
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
columns = ["german", "english", "shown", "aired", "code"]
types = {shown = "date", aired = "date"}
"""
ENGLISH = {
    "sea": "sun sand wave boat coast swim sail beach shore tide gull harbour island summer",
    "food": "soup bread spice salt bake cook butter cheese apple kitchen plate taste dinner sweet",
}
GERMAN = "Frische Brötchen und Suppe mit Käse jetzt günstig im Supermarkt um die Ecke kaufen"


def rows(n: int, seed: int, name: str = "n") -> pd.DataFrame:
    """Ads whose metadata are large numbers of the sea and small ones of food."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(n):
        tag = "sea" if rng.random() < 0.5 else "food"
        amount = rng.integers(10_000, 90_000) if tag == "sea" else rng.integers(1_000, 9_000)
        whole, rest = f"{amount:,}", rng.integers(10, 99)
        day = f"{rng.integers(13, 28)}", f"0{rng.integers(1, 9)}"
        year = 2021 if tag == "sea" else 1999
        made.append(
            {
                "id": f"{name}{number}",
                "title": " ".join(rng.choice(ENGLISH[tag].split(), 8)),
                "german": f"{whole.replace(',', '.')},{rest}",
                "english": f"{whole}.{rest}",
                "shown": f"{day[0]}.{day[1]}.{year}",
                "aired": f"{day[1]}/{day[0]}/{year}",
                "code": f"00{rng.integers(1, 4)}" if number % 9 else "x",
                "tags": tag,
            }
        )
    return pd.DataFrame(made)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved stack of such ads, beside them."""
    folder = tmp_path_factory.mktemp("marks")
    rows(60, 0).to_csv(folder / "train.csv", index=False)
    rows(12, 1, "t").drop(columns="tags").to_csv(folder / "test.csv", index=False)
    (folder / "competition.toml").write_text(TOML, encoding="utf-8")
    quick = ['models=["tfidf_logreg", "lightgbm"]', "level1.lightgbm.n_estimators=5"]
    quick += ["folds.n=3", "level2.model=mean"]
    words = [word for one in quick for word in ("--set", one)]
    given = ("--profile", "text", "--jobs", 1, *words, "--save", folder / "stack")
    call("run", "--data", folder, "--out", folder / "out", *given)
    return folder


def ad(**cells: object) -> pd.DataFrame:
    usual = {"title": "sun sand", "shown": "", "aired": "", "german": "", "english": "", "code": ""}
    return pd.DataFrame([{**usual, **cells}], index=["asked"])


BESIDE = pd.concat(
    [
        ad(german="1.5", english="1,5", shown="2020-01-30", aired="30/01/2020", code="7"),
        ad(german="2.25", english="2,25", shown="2020-01-29", aired="29/01/2020", code="8"),
        ad(german="1,234.5", english="1.234,5", shown="2020-01-28", aired="28.01.2020", code="9"),
    ]
).set_axis(["b1", "b2", "b3"])


def test_the_manifest_says_how_columns_were_read(folder: Path) -> None:
    facts = read_manifest(folder / "stack").inputs["facts"]
    assert facts.forms["german"] == ","
    assert facts.forms["english"] == "."
    assert (facts.forms["shown"], facts.forms["aired"]) == ("%d.%m.%Y", "%m/%d/%Y")
    assert facts.types["code"] == "category"
    nulls = json.loads((folder / "stack" / "manifest.json").read_text("utf-8"))["null_words"]
    assert "n/a" in nulls


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("german", "12.345", 12_345.0),
        ("german", "12,345", 12.345),
        ("german", "1.234.567,5", 1_234_567.5),
        ("german", 12.345, 12.345),
        ("german", np.float32(0.5), 0.5),
        ("german", 12_345, 12_345.0),
        ("english", "12.345", 12.345),
        ("english", "12,345", 12_345.0),
        ("english", 12.345, 12.345),
        ("shown", "03.02.2020", 18_295.0),
        ("aired", "02/03/2020", 18_295.0),
        ("code", "007", "007"),
    ],
)
def test_a_cell_means_the_same_alone_and_among_others(
    folder: Path, column: str, cell: object, value: object
) -> None:
    manifest = read_manifest(folder / "stack")
    stack = competition.load_stack(folder / "stack", n_jobs=1)
    alone, among = ad(**{column: cell}), pd.concat([BESIDE, ad(**{column: cell})])
    for frame in (alone, among):
        assert open_new_ads(frame, manifest).ads.at["asked", column] == value
    one, other = (stack.predict_proba(frame).loc["asked"] for frame in (alone, among))
    assert np.abs(one - other).max() < 1e-6


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "xlsx"])
@pytest.mark.parametrize("in_folder", [False, True])
def test_numbers_of_a_typed_file_are_what_they_are(
    folder: Path, tmp_path: Path, ending: str, in_folder: bool
) -> None:
    """In a column of decimal commas, too, where the text 12.345 would be twelve thousand."""
    new = pd.concat([ad(german=12.345, english=0.25), ad(german=1_500, english=12.345)])
    new = new.set_axis(["n1", "n2"]).rename_axis("id").reset_index()
    new = new.astype({"german": "float64", "english": "float64"})
    path = tmp_path / f"train.{ending}"
    if in_folder:
        new = new.assign(tags="sea")
        config = TOML.replace('test = "test.csv"\n', "").replace("train.csv", path.name)
        (tmp_path / "competition.toml").write_text(config, "utf-8")
    if ending == "parquet":
        new.to_parquet(path)
    elif ending == "jsonl":
        new.to_json(path, orient="records", lines=True)
    else:
        pytest.importorskip("openpyxl")
        new.to_excel(path, index=False)
    read = open_new_ads(tmp_path if in_folder else path, read_manifest(folder / "stack")).ads
    assert read["german"].to_list() == [12.345, 1_500.0]
    assert read["english"].to_list() == [0.25, 12.345]


def test_a_folder_of_new_ads_is_read_so_too(folder: Path, tmp_path: Path) -> None:
    """Its own cells would say that 12.345 is twelve, and that codes are numbers."""
    new = pd.concat([BESIDE[:2], ad(german="12.345", shown="03.02.2020", code="007")])
    new.rename_axis("id").assign(tags="sea").to_csv(tmp_path / "train.csv")
    (tmp_path / "competition.toml").write_text(TOML.replace('test = "test.csv"\n', ""), "utf-8")
    read = open_new_ads(tmp_path, read_manifest(folder / "stack")).ads.loc["asked"]
    assert (read["german"], read["shown"], read["code"]) == (12_345.0, 18_295.0, "007")
    stack = competition.load_stack(folder / "stack", n_jobs=1)
    by_frame = stack.predict_proba(new.rename_axis("id"))
    by_folder = stack.predict_proba(tmp_path).loc[by_frame.index]
    assert np.abs(by_frame - by_folder).to_numpy().max() < 1e-6


def test_ads_in_another_language_are_unsure(folder: Path, tmp_path: Path) -> None:
    known = rows(40, 5)
    texts = [
        *known["title"],
        GERMAN,
        "Le petit pain frais du boulanger est bon",
        "快乐的海滩和阳光",
    ]
    table = pd.DataFrame({"id": range(len(texts)), "title": texts})
    table = pd.concat([table, known.drop(columns=["id", "title", "tags"])], axis=1).fillna("")
    table.to_csv(tmp_path / "new.csv", index=False)
    to = tmp_path / "tags.csv"
    call("predict", folder / "stack", "--data", tmp_path / "new.csv", "--tags", "--to", to)
    read = pd.read_csv(to, keep_default_na=False)
    unknown = read["why"].str.contains("unknown words")
    assert unknown[-3:].all()
    assert unknown[:40].sum() <= 2
    assert (read["unsure"] == (read["why"] != "")).all()


@pytest.mark.parametrize(
    ("given", "due"),
    [
        ({"id": ["a"]}, "The new ads are a dict"),
        (["a"], "The new ads are a list"),
        (pd.Series(["a"]), "The new ads are a Series"),
        (None, "The new ads are a NoneType"),
        (3, "The new ads are a int"),
        ("nowhere.csv", "There is no folder and no table nowhere.csv"),
        (pd.concat([ad(), ad()]), r"^the frame, row 2: the ad has the id of another"),
        (ad().set_axis([""]), r"^the frame, row 1: the ad has no id"),
    ],
)
def test_what_are_no_ads_is_one_sentence(folder: Path, given: object, due: str) -> None:
    stack = competition.load_stack(folder / "stack", n_jobs=1)
    with pytest.raises(competition.CompetitionError, match=due):
        stack.predict_proba(given)  # type: ignore[arg-type]


def test_an_ad_twice_in_a_table_is_told_by_its_line(folder: Path, tmp_path: Path) -> None:
    twice = pd.concat([ad(title='"two\nlines"'), ad()]).rename_axis("id")
    twice.to_csv(tmp_path / "new.csv")
    with pytest.raises(competition.CompetitionError, match=r"^new\.csv:4: the ad has the"):
        open_new_ads(tmp_path / "new.csv", read_manifest(folder / "stack"))
