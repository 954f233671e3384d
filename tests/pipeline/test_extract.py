"""Tests of the way from media to inputs: what is extracted, shared, resumed or missing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from competition.config.profile import load_profile
from competition.datasets.base import AdDataset
from competition.features.base import Extractor, Item
from competition.features.columns import read_columns
from competition.features.prepare import prepare_columns
from competition.features.registry import extractor
from competition.level1.registry import get_model
from competition.pipeline.extract import Extraction, extract
from competition.pipeline.plan import plan_models
from competition.utils.errors import FeatureError, MediaError, ModelError, ProfileError
from competition.utils.progress import Progress
from tests.conftest import write_csv
from tests.recorded import Recorded

TOML = """\
name = "clips"
train = "train.csv"

[[tags]]
column = "tags"
dimension = "tag"

[inputs.steps]
kind = "array"
column = "steps"

[inputs.story]
kind = "text"
column = "story"
"""


@extractor("spelling", kinds=("text",), gives="array", version=1)
class Letters(Extractor):
    """One row per letter; refuses the letter x."""

    calls: int = 0

    def __init__(self, scale: float = 1.0, model: str = "a", device: str = "cpu") -> None:
        self.scale = scale
        self.model = model
        self.device = device

    def lacks(self) -> str:
        return "" if self.model else "no model is set: set one."

    def extract_one(self, item: Item) -> np.ndarray:
        Letters.calls += 1
        if "x" in str(item.value):
            raise MediaError("it holds an x")
        return self.scale * np.array([[ord(letter), 1.0] for letter in str(item.value)])


@extractor("sizes", kinds=("text",), gives="metadata", version=1, metadata=("letters", "words"))
class Sizes(Extractor):
    """Two metadata, of which the second is missing for a text of one word."""

    def extract_one(self, item: Item) -> dict[str, float]:
        words = len(str(item.value).split())
        return {
            "letters": float(len(str(item.value))),
            "words": float(words) if words > 1 else np.nan,
        }


@extractor("shout", kinds=("text",), gives="text", version=1)
class Shout(Extractor):
    """A text of a text."""

    def extract_one(self, item: Item) -> str:
        return str(item.value).upper()


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Six ads: ads 1 and 2 share a story, ad 3 has an x in it, ad 4 none, ad 5 a bad array."""
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "competition.toml").write_text(TOML, encoding="utf-8")
    stories = ["ab", "cd", "cd", "fox", "", "hi you"]
    rows = [[f"ad{i}", f"{i}.npy", story, "ab"[i % 2]] for i, story in enumerate(stories)]
    write_csv(folder / "train.csv", ["id", "steps", "story", "tags"], rows)
    for i in range(6):
        np.save(folder / f"{i}.npy", np.full((i + 1, 3), i, dtype=np.float64))
    np.save(folder / "5.npy", np.array([[1.0, np.nan, 2.0]]))
    return folder


def opened(
    data: Path, overrides: list[str], n_jobs: int = 1, progress: Progress | None = None
) -> tuple[AdDataset, dict[str, Extraction]]:
    profile = load_profile("text", ['kinds=["text", "metadata", "array"]', *overrides])
    dataset, done = extract(data, profile, data.parent / "out", n_jobs=n_jobs, progress=progress)
    return dataset, {one.feature: one for one in done}


def arrays(dataset: AdDataset, name: str, folder: Path) -> dict[str, Any]:
    """Cells of an array input as a model sees them."""
    columns = prepare_columns(dataset, [name], None, folder / "cache", Progress())
    return dict(read_columns(columns)[name])


def test_arrays_of_the_dataset_reach_models_as_they_are(clips: Path, tmp_path: Path) -> None:
    dataset, done = opened(clips, [])
    cells = arrays(dataset, "steps", tmp_path)
    for i in range(5):
        np.testing.assert_array_equal(cells[f"ad{i}"], np.full((i + 1, 3), i))
        assert cells[f"ad{i}"].dtype == np.float32
    assert cells["ad5"] is None
    assert done["steps"].n_ads == 6
    (fault,) = done["steps"].faults
    assert fault[:2] == ("ad5", "5.npy")
    assert "NaN" in fault[2]


def test_pickled_objects_are_refused_as_missing(clips: Path) -> None:
    np.save(clips / "0.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    _, done = opened(clips, [])
    assert "pickled objects" in dict((ad, why) for ad, _, why in done["steps"].faults)["ad0"]


def test_array_of_other_width_counts_as_missing(clips: Path, tmp_path: Path) -> None:
    np.save(clips / "1.npy", np.ones((4, 7)))
    dataset, done = opened(clips, [])
    assert arrays(dataset, "steps", tmp_path)["ad1"] is None
    reasons = {ad: why for ad, _, why in done["steps"].faults}
    assert reasons["ad1"] == "it has 7 values a row where most have 3"


def test_feature_becomes_an_input_and_one_bad_ad_a_missing_cell(
    clips: Path, tmp_path: Path
) -> None:
    dataset, done = opened(clips, ["features.spelt.extractor=spelling", "features.spelt.scale=2"])
    assert dataset.inputs["spelt"].kind == "array"
    cells = arrays(dataset, "spelt", tmp_path)
    np.testing.assert_array_equal(cells["ad0"], 2 * np.array([[97, 1], [98, 1]]))
    np.testing.assert_array_equal(cells["ad1"], cells["ad2"])
    assert cells["ad3"] is None
    assert cells["ad4"] is None
    assert done["spelt"].n_ads == 5, "an empty text is no text"
    assert done["spelt"].n_new == 4, "equal texts are extracted once"
    assert done["spelt"].faults == (("ad3", "", "it holds an x"),)


def test_second_run_extracts_nothing_and_a_new_ad_extracts_one(clips: Path) -> None:
    overrides = ["features.spelt.extractor=spelling"]
    opened(clips, overrides)
    before = Letters.calls
    _, done = opened(clips, overrides)
    assert (done["spelt"].n_new, Letters.calls) == (0, before)
    with (clips / "train.csv").open("a", encoding="utf-8") as file:
        file.write("ad6,,new,a\n")
    _, done = opened(clips, overrides)
    assert (done["spelt"].n_new, Letters.calls) == (1, before + 1)


def test_parameters_extract_anew_and_the_device_does_not(clips: Path) -> None:
    overrides = ["features.spelt.extractor=spelling"]
    opened(clips, overrides)
    assert opened(clips, [*overrides, "features.spelt.scale=3"])[1]["spelt"].n_new == 4
    assert opened(clips, [*overrides, "features.spelt.device=meta"])[1]["spelt"].n_new == 0


def test_changed_file_is_extracted_anew(clips: Path, tmp_path: Path) -> None:
    opened(clips, [])
    np.save(clips / "0.npy", np.full((9, 3), 5.0))
    dataset, done = opened(clips, [])
    assert done["steps"].n_new == 1
    assert len(arrays(dataset, "steps", tmp_path)["ad0"]) == 9


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_any_number_of_processes_gives_the_same_arrays(
    clips: Path, tmp_path: Path, n_jobs: int
) -> None:
    cells = arrays(opened(clips, [], n_jobs)[0], "steps", tmp_path)
    assert [len(cells[f"ad{i}"]) for i in range(5)] == [1, 2, 3, 4, 5]


def test_column_bears_one_fingerprint_however_its_shards_lie(clips: Path, tmp_path: Path) -> None:
    def fingerprint() -> str:
        dataset, _ = opened(clips, [])
        return prepare_columns(dataset, ["steps"], None, tmp_path / "cache", Progress())[
            0
        ].fingerprint

    before = fingerprint()
    for file in (clips.parent / "out" / "cache" / "features").rglob("*.parquet"):
        file.unlink()
    rows = (clips / "train.csv").read_text(encoding="utf-8").splitlines()
    (clips / "train.csv").write_text("\n".join(rows[:3]) + "\n", encoding="utf-8")
    assert fingerprint() != before, "fewer ads"
    (clips / "train.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert fingerprint() == before


def test_texts_and_facts_become_inputs(clips: Path) -> None:
    dataset, done = opened(
        clips, ["features.loud.extractor=shout", "features.size.extractor=sizes"]
    )
    assert list(dataset.ads["loud"]) == ["AB", "CD", "CD", "FOX", "", "HI YOU"]
    assert dataset.inputs["size"].columns == ("letters", "words")
    np.testing.assert_array_equal(dataset.ads["letters"], [2, 2, 2, 3, np.nan, 6])
    np.testing.assert_array_equal(dataset.ads["words"], [np.nan] * 5 + [2])
    assert done["size"].shape == "2 metadata"


def test_feature_may_read_a_feature(clips: Path, tmp_path: Path) -> None:
    overrides = ["features.loud.extractor=shout", "features.spelt.extractor=spelling"]
    dataset, _ = opened(clips, [*overrides, "features.spelt.input=loud"])
    assert arrays(dataset, "spelt", tmp_path)["ad0"][0, 0] == ord("A")


def test_feature_of_an_inputs_name_is_refused_unless_its_use_is_said(clips: Path) -> None:
    with pytest.raises(
        ProfileError,
        match=r"features.story: clips comes with an input story of its own. Set features.story.use",
    ):
        opened(clips, ["features.story.extractor=shout"])


def test_use_of_the_dataset_extracts_for_the_ads_that_lack_it(clips: Path) -> None:
    table = (clips / "train.csv").read_text(encoding="utf-8")
    (clips / "train.csv").write_text(table.replace("tags", "tags,title"), encoding="utf-8")
    lines = (clips / "train.csv").read_text(encoding="utf-8").splitlines()
    lines[1:] = [f"{line},{'kept' if i < 2 else ''}" for i, line in enumerate(lines[1:])]
    (clips / "train.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with (clips / "competition.toml").open("a", encoding="utf-8") as file:
        file.write('\n[inputs.title]\nkind = "text"\ncolumn = "title"\n')
    settings = ["features.title.extractor=shout", "features.title.input=story"]
    dataset, done = opened(clips, [*settings, "features.title.use=dataset"])
    assert list(dataset.ads["title"]) == ["kept", "kept", "CD", "FOX", "", "HI YOU"]
    assert done["title"].n_ads == 3
    dataset, done = opened(clips, [*settings, "features.title.use=extract"])
    assert list(dataset.ads["title"]) == ["AB", "CD", "CD", "FOX", "", "HI YOU"]


def test_arrays_of_another_width_cannot_fill_those_of_the_dataset(clips: Path) -> None:
    (clips / "train.csv").write_text(
        (clips / "train.csv").read_text(encoding="utf-8").replace("0.npy", ""), encoding="utf-8"
    )
    settings = ["features.steps.extractor=spelling", "features.steps.use=dataset"]
    with pytest.raises(FeatureError, match="spelling gives 2 values a row, and the arrays of"):
        opened(clips, [*settings, "features.steps.input=story"])


def test_extraction_that_cannot_be_had_leaves_no_stand_in(clips: Path) -> None:
    ear = Recorded()
    settings = ["features.story.extractor=shout", "features.story.use=extract"]
    dataset, _ = opened(clips, [*settings, "features.story.input=film"], progress=ear)
    assert ear.remarks == ["features.story is left out: clips has no input film."]
    assert "story" not in dataset.inputs


def test_input_that_no_ad_has_counts_as_absent(clips: Path) -> None:
    rows = [[f"ad{i}", f"{i}.npy", "", "ab"[i % 2]] for i in range(6)]
    write_csv(clips / "train.csv", ["id", "steps", "story", "tags"], rows)
    ear = Recorded()
    dataset, _ = opened(clips, ["features.spelt.extractor=spelling"], progress=ear)
    assert ear.remarks == ["features.spelt is left out: clips has no input text."]
    profile = load_profile("text", ['kinds=["text", "array"]', 'models=["*"]'])
    kinds = {get_model(one.model).kinds for one in plan_models(profile, dataset)}
    assert ("text",) not in kinds


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("features.spelt.input=film", "features.spelt is left out: clips has no input film."),
        ("features.spelt.model=''", "features.spelt is left out: no model is set: set one."),
    ],
)
def test_feature_that_cannot_be_had_is_left_out_with_its_models(
    clips: Path, override: str, said: str
) -> None:
    ear = Recorded()
    overrides = ["features.spelt.extractor=spelling", override]
    dataset, _ = opened(clips, overrides, progress=ear)
    assert ear.remarks == [said]
    profile = load_profile("text", [*overrides, 'level1.tfidf_logreg.inputs=["spelt"]'])
    planned = [model.name for model in plan_models(profile, dataset)]
    assert "tfidf_logreg" not in planned
    assert "tfidf_linearsvc" in planned


def test_unknown_extractor_is_named(clips: Path) -> None:
    with pytest.raises(ModelError, match=r"no extractor 'spellin'. Did you mean 'spelling'"):
        opened(clips, ["features.a.extractor=spellin"])


def test_unknown_parameter_is_named(clips: Path) -> None:
    with pytest.raises(ProfileError, match=r"features.a: unknown key skale. Did you mean 'scale'"):
        opened(clips, ["features.a.extractor=spelling", "features.a.skale=2"])


def test_former_name_of_a_checkpoint_is_refused_with_the_new_one(clips: Path) -> None:
    with pytest.raises(ProfileError, match=r"features.a.model: that key is now checkpoint"):
        opened(clips, ["features.a.extractor=bert", "features.a.model=some/encoder"])


def test_folder_of_a_checkpoint_matters_only_where_it_is_read(clips: Path) -> None:
    """Not where all ads came with the arrays, nor where they lack what would be read."""
    np.save(clips / "5.npy", np.ones((1, 3)))
    for name, settings in (
        ("steps", ["features.steps.extractor=bert", "features.steps.use=dataset"]),
        ("looks", ["features.looks.extractor=vit"]),
    ):
        _, done = opened(clips, [*settings, f"features.{name}.checkpoint={clips / 'nowhere'}"])
        assert set(done) == {"steps"}
    with pytest.raises(ProfileError, match=r"features.a.checkpoint: There is no folder .*nowhere"):
        opened(clips, ["features.a.extractor=bert", f"features.a.checkpoint={clips / 'nowhere'}"])


def test_source_of_another_kind_is_refused(clips: Path) -> None:
    with pytest.raises(ProfileError, match="steps is of kind array, but the extractor spelling"):
        opened(clips, ["features.a.extractor=spelling", "features.a.input=steps"])


def test_extractor_at_fault_ends_the_run_with_one_message(clips: Path) -> None:
    with pytest.raises(FeatureError, match=r"features.a: the checkpoint is torn"):
        opened(clips, ["features.a.extractor=torn"])


@extractor("torn", kinds=("text",), gives="text", version=1)
class Torn(Extractor):
    """Cannot load what it needs."""

    def extract_one(self, item: Item) -> str:
        raise FeatureError("the checkpoint is torn")
