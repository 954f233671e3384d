"""The bench of HMAM's parts runs on made features and says what it found."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.hmam_posters import CELLS, PICTURE, WORDS, Case, Posters, note, scored
from competition import load_dataset, make_demo
from competition.level1.components.word_vectors import write_vectors


@pytest.fixture(scope="module")
def posters(tmp_path_factory: pytest.TempPathFactory) -> Posters:
    """Demo ads whose picture tells the first tag, and whose words tell nothing."""
    folder = tmp_path_factory.mktemp("posters")
    make_demo(folder / "ads", 80, films=False)
    dataset = load_dataset(folder / "ads")
    rng = np.random.default_rng(0)
    pictures = rng.normal(size=(len(dataset.train_ids), 1, 6)).astype(np.float32)
    pictures[:, 0, : dataset.labels.shape[1]] += 4 * dataset.labels[:, :6]
    frame = pd.DataFrame(
        {
            PICTURE: list(pictures),
            CELLS: list(rng.normal(size=(len(pictures), 4, 6)).astype(np.float32)),
            WORDS: ["new car", "old shoe"] * (len(pictures) // 2),
        },
        index=dataset.train_ids,
    )
    frame["mean word"] = list(rng.normal(size=(len(pictures), 1, 3)).astype(np.float32))
    vectors = folder / "vectors.bin"
    write_vectors(vectors, [text.split() for text in frame[WORDS]], 0)
    dimensions = np.array([tag.dimension for tag in dataset.tags])
    return Posters(dataset, frame, str(vectors), dimensions)


def test_case_is_scored_alike_every_time_and_words_can_be_blanked(posters: Posters) -> None:
    params = {"dim": 8, "epochs": 2, "hidden": 8}
    case = Case("HMAM: picture, words, cells", params=params, blanked=True)
    one, two = scored(case, posters, 0), scored(case, posters, 0)
    assert one["map"] == two["map"]
    assert set(one["map"]) == set(one["blanked"]) == set(posters.dimensions)
    assert one["blanked"] != one["map"]  # the words reach the network


def test_probe_reads_the_picture_and_the_table_has_its_mean(posters: Posters) -> None:
    lines = [scored(Case("probe: picture", (PICTURE,)), posters, number) for number in (0, 1)]
    words = [scored(Case("probe: words", (WORDS,)), posters, number) for number in (0, 1)]
    task = str(posters.dimensions[0])
    seen, read = (np.mean([line["map"][task] for line in some]) for some in (lines, words))
    assert seen > read + 0.1
    text = note([*lines, *words], posters)
    assert f"| probe: picture | {seen:.3f} ± " in text
    assert f"| probe: words | {read:.3f} ± " in text
    assert "HMAM: picture |" not in text  # it did not run
