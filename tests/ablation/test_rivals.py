"""Tables 2 to 4 of ads with frames, sound and texts, by the command line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.calling import Called, call, called

SETTINGS = [
    *("--jobs", 1, "--device", "cpu"),
    *("--set", 'kinds=["text", "array", "metadata"]'),
    *("--set", 'models=["tfidf_logreg"]'),
    *("--set", 'level1.frames.inputs=["visual"]'),
    *("--set", 'level1.sound.inputs=["sound"]'),
    *("--set", 'level1.text_net.inputs=["story"]'),
    *("--set", "level1.frames.epochs=4"),
    *("--set", "level1.sound.epochs=4"),
    *("--set", "level1.text_net.epochs=2"),
    *("--set", "level1.text_net.hidden_size=16"),
    *("--set", "folds.n=2"),
    *("--set", "level2.model=pooled"),
]


@pytest.fixture(scope="module")
def ablated(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, Called, list[object]]:
    data = tmp_path_factory.mktemp("ads")
    rng = np.random.default_rng(0)
    lines = ["id,story,visual,sound,width,tags"]
    (data / "arrays").mkdir()
    for n in range(80):
        a, b, c = rng.integers(0, 2, 3)
        for name, tag in (("visual", a), ("sound", b)):
            array = (rng.normal(size=(3, 4)) + 2 * tag).astype(np.float32)
            np.save(data / "arrays" / f"{name}{n}.npy", array)
        tags = "|".join(t for t, on in (("a", a), ("b", b), ("c", c)) if on)
        word = "red" if c else "blue"
        lines.append(f"{n},a {word} car,arrays/visual{n}.npy,arrays/sound{n}.npy,{n % 7},{tags}")
    (data / "train.csv").write_text("\n".join(lines), encoding="utf-8")
    inputs = "".join(
        f'[inputs.{name}]\nkind = "{kind}"\ncolumn = "{name}"\n'
        for name, kind in (("story", "text"), ("visual", "array"), ("sound", "array"))
    )
    (data / "competition.toml").write_text(
        'name = "made"\ntrain = "train.csv"\nid = "id"\n[[tags]]\ncolumn = "tags"\n'
        f'dimension = "tag"\nseparator = "|"\n{inputs}'
        '[inputs.size]\nkind = "metadata"\ncolumns = ["width"]\n',
        encoding="utf-8",
    )
    settings = ["--data", data, "--out", data / "out", *SETTINGS]
    call("run", *settings)
    quick = ["--set", "level1.fused_networks.epochs=3", "--set", "level1.fused_networks.width=8"]
    done = call("ablate", *settings, *quick)
    table = pd.read_csv(data / "out" / "oof" / "made" / "ablation" / "ablation.csv")
    return table, done, [*settings, *quick]


def test_rows_are_those_of_the_paper(
    ablated: tuple[pd.DataFrame, Called, list[object]],
) -> None:
    rows = {name: list(group["row"]) for name, group in ablated[0].groupby("table", sort=False)}
    assert rows["modalities"] == ["visual", "sound", "story", "tf-idf"]
    assert rows["combinations"] == [
        "visual + sound",
        "visual + text",
        "visual + sound + text",
        "visual + sound + text + tf-idf",
        "visual + sound + text + tf-idf + metadata",
    ]
    best = rows["fusion"][3]
    assert rows["fusion"] == [
        *("our method", "mean", "logit_mean", best),
        *("rival-concat", "rival-sum", "rival-max", "rival-attention"),
        "stack-pooled",
    ]
    assert best in ("frames", "sound", "text_net")


def test_our_method_is_the_stack_of_the_same_networks_in_both_tables(
    ablated: tuple[pd.DataFrame, Called, list[object]],
) -> None:
    table = ablated[0].set_index(["table", "row"])
    ours = table.loc[("fusion", "our method")]
    assert ours["models"] == "frames|sound|text_net"
    assert ours["gap"] == table.loc[("combinations", "visual + sound + text"), "gap"]
    everything = table.loc[("fusion", "stack-pooled"), "gap"]
    assert everything == pytest.approx(
        table.loc[("combinations", "visual + sound + text + tf-idf + metadata"), "gap"]
    )
    assert "Each rival trains the networks of frames, sound, text_net as one." in ablated[1].out


def test_rivals_are_read_the_second_time(
    ablated: tuple[pd.DataFrame, Called, list[object]],
) -> None:
    folder = Path(str(ablated[2][3])) / "oof" / "made"
    before = {path: path.stat().st_mtime_ns for path in folder.glob("rival-*/*")}
    assert len(before) >= 4 * 5
    call("ablate", *ablated[2])
    assert {path: path.stat().st_mtime_ns for path in folder.glob("rival-*/*")} == before


def test_networks_whose_inputs_the_profile_does_not_read_are_left_out_and_named(
    ablated: tuple[pd.DataFrame, Called, list[object]],
) -> None:
    data, out = ablated[2][1], ablated[2][3]
    quick = [*("--set", "level2.model=pooled"), *("--set", "level1.fused_networks.epochs=1")]
    done = call("ablate", "--data", data, "--out", out, "--jobs", 1, "--device", "cpu", *quick)
    said = " ".join(done.out.split())
    assert "Each rival trains the networks of text_net as one. Without frames, sound: the" in said
    assert "Name the one that was run by --profile." in said
    table = pd.read_csv(Path(str(out)) / "oof" / "made" / "ablation" / "ablation.csv")
    assert table.set_index(["table", "row"]).loc[("fusion", "our method"), "models"] == "text_net"


def test_an_input_that_the_profile_does_not_read_is_named(
    ablated: tuple[pd.DataFrame, Called, list[object]], tmp_path: Path
) -> None:
    settings = ["--data", ablated[2][1], "--out", tmp_path]
    done = called("run", *settings, "--set", 'level1.frames.inputs=["visual"]')
    assert done.status == 2
    assert "the input visual is of kind array, which the profile does not read" in done.err
