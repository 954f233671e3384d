"""Layout `taac2021`: the folders of the Tencent 2021 video-ads competition.

Both rounds are read: the first release, with films in one of three places, and the semi-final,
which brings new test ads in folders of their own (`_2nd`). Arrays are named after the folders that
the competition gave them.
"""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd

from competition.datasets.base import RESERVED, AdDataset, Input, InputKind, SubmissionSpec, Tag
from competition.datasets.metadata import Reading, metadata_column
from competition.datasets.paths import KINDS, SENTENCES, DatasetFolder
from competition.datasets.problems import Problems
from competition.datasets.reading import is_utf8, read_table
from competition.datasets.table_rows import printable

GROUND_TRUTH = Path("tagging", "GroundTruth", "tagging_info.txt")
TAG_LIST = Path("label_id.txt")
TRAIN = Path("tagging", "tagging_dataset_train_5k")
TEST = Path("tagging", "tagging_dataset_test_5k")  # of the first round
SECOND = Path("tagging", "tagging_dataset_test_5k_2nd")  # of the semi-final
METADATA_FILE = "metadata.csv"

# input name, kind, folder below the split's folder, ending
MEDIA: tuple[tuple[str, InputKind, str, str], ...] = (
    ("youtube8m", "array", "video_npy/Youtube8M/tagging", ".npy"),
    ("vggish", "array", "audio_npy/Vggish/tagging", ".npy"),
    ("cover", "image", "image_jpg/tagging", ".jpg"),
)
TEXT_FOLDER = "text_txt/tagging"
TEXTS = {"ocr": "video_ocr", "asr": "video_asr"}
# Where the releases have the films of a folder of features; a film is read where it is found first.
VIDEO_FOLDERS = {
    TRAIN: ("videos/train_5k", "videos/train_5k_A", "videos/video_5k/train_5k"),
    TEST: ("videos/test_5k", "videos/test_5k_A", "videos/video_5k/test_5k"),
    SECOND: ("videos/test_5k_2nd",),
}


def official_tags() -> dict[str, Tag]:
    """Return the 82 tags of the competition by name, in the order of their ids."""
    with Path(__file__).with_name("taac2021_tags.csv").open(encoding="utf-8", newline="") as file:
        return {row["tag"]: Tag(row["tag"], row["dimension"]) for row in csv.DictReader(file)}


def has_test_ads(root: Path) -> bool:
    """Whether a folder has test ads of this layout, of either round."""
    return any((root / place).is_dir() for folder in (TEST, SECOND) for place in _places_of(folder))


def _places_of(folder: Path) -> list[Path]:
    return [folder, *map(Path, VIDEO_FOLDERS[folder])]


def read(
    root: Path, problems: Problems, readings: dict[str, Reading], *, labelled: bool = True
) -> AdDataset:
    """Read a folder of this layout; add its faults to `problems`.

    `readings` says how columns of metadata are read; those that it lacks are added. Listed training
    ads without a single input are left out, with a note. Where the semi-final's test ads are there,
    they alone are the test ads: a leaderboard takes one round. Not `labelled`, the tags are those
    of the competition, and there are no training ads.
    """
    tags = _tag_list(root, problems) if labelled else tuple(official_tags().values())
    known = {tag.name for tag in tags}
    listed = _ground_truth(root, known, problems) if labelled else dict[str, list[str]]()
    folders = {"train": TRAIN, "test": _test_folder(root, problems)}
    media = {split: _media(root, folder, problems) for split, folder in folders.items()}
    metadata = {split: _metadata(root, folder, problems) for split, folder in folders.items()}
    found = {
        split: set().union(*media[split].values(), *(values for values in metadata[split].values()))
        for split in folders
    }
    for ad in sorted(found["train"] & found["test"]):
        text = "the ad has files in both splits; keep those of one."
        problems.error("id in both splits", str(folders["test"]), text, ad)
    for ad in sorted(found["train"] - set(listed)):
        text = f"the ad is not listed in {GROUND_TRUTH}: it is left out."
        problems.warning("no labels", str(TRAIN), text, ad)
    train = [ad for ad in listed if ad in found["train"]]
    if len(train) < len(listed):
        problems.note(
            "no inputs",
            str(GROUND_TRUTH),
            f"{len(listed) - len(train):,} of {len(listed):,} listed ads have no file of any kind: "
            "they are left out.",
        )
    if labelled and not train:
        text = f"no ad of {GROUND_TRUTH} has a file here. Add the files."
        problems.error("no ads", str(TRAIN), text)
    test = sorted(found["test"] - found["train"])
    index = pd.Index(train + test, name="id", dtype="str")
    split = pd.Series(["train"] * len(train) + ["test"] * len(test), index=index, dtype="str")
    ads = pd.DataFrame({"split": split})
    columns, inputs = _inputs(root, index, split, media, metadata, problems, readings)
    column_of = {tag.name: column for column, tag in enumerate(tags)}
    labels = np.zeros((len(train), len(tags)), dtype=np.uint8)
    for row, ad in enumerate(train):
        labels[row, [column_of[name] for name in listed[ad]]] = 1
    return AdDataset(
        name="taac2021",
        root=root,
        ads=pd.concat([ads, pd.DataFrame(columns, index=index)], axis=1),
        tags=tags,
        labels=labels,
        inputs=inputs,
        submission=SubmissionSpec("taac2021", 20),
    )


def _test_folder(root: Path, problems: Problems) -> Path:
    """Return the folder of the latest round's test ads."""

    def is_there(folder: Path) -> bool:
        return any((root / place).is_dir() for place in _places_of(folder))

    if not is_there(SECOND):
        return TEST
    if is_there(TEST):
        problems.warning(
            "two rounds",
            str(SECOND),
            f"the test ads of both rounds are there: those of the second are predicted, those of "
            f"{TEST.name} left out. To predict these, take {SECOND.name} out of the folder.",
        )
    return SECOND


def _lines(root: Path, relative: Path, problems: Problems) -> list[tuple[int, str]]:
    """Return the non-empty lines of a UTF-8 text file with their numbers."""
    path = root / relative
    fault = DatasetFolder(root).path_inside(str(relative))
    if fault is not None:
        problems.error(KINDS[fault], str(relative), f"the file {SENTENCES[fault]}. Add it.")
        return []
    lines = []
    text = path.read_bytes().decode("utf-8-sig", errors="surrogateescape")
    for number, line in enumerate(text.splitlines(), start=1):
        if not is_utf8(line):
            text = f"not UTF-8: {printable(line)[:60]!r}. Save the file as UTF-8."
            problems.error("not UTF-8", f"{relative}:{number}", text)
        elif line.strip():
            lines.append((number, line))
    return lines


def _tag_list(root: Path, problems: Problems) -> tuple[Tag, ...]:
    official = official_tags()
    by_id: dict[int, Tag] = {}
    for number, line in _lines(root, TAG_LIST, problems):
        name, separator, identifier = line.rpartition("\t")
        where = f"{TAG_LIST}:{number}"
        if not separator or not identifier.strip().isdigit():
            text = f"write tag<TAB>id in place of {line[:60]!r}."
            problems.error("malformed table", where, text)
        elif int(identifier) in by_id or name in {tag.name for tag in by_id.values()}:
            text = f"tag {name} or id {identifier} stands twice. Remove one of the lines."
            problems.error("malformed table", where, text)
        else:
            by_id[int(identifier)] = official.get(name, Tag(name, "other"))
    return tuple(by_id[identifier] for identifier in sorted(by_id))


def _ground_truth(root: Path, known: set[str], problems: Problems) -> dict[str, list[str]]:
    """Return the tags of each listed ad by id."""
    listed: dict[str, list[str]] = {}
    for number, line in _lines(root, GROUND_TRUTH, problems):
        where = f"{GROUND_TRUTH}:{number}"
        file, separator, names = line.partition("\t")
        ad = file.strip().removesuffix(".mp4")
        if not separator or not ad:
            text = f"expected <id>.mp4<TAB>tag,tag,..., found {line[:60]!r}."
            problems.error("malformed table", where, text)
            continue
        tags = [name.strip() for name in names.split(",") if name.strip()]
        for name in tags:
            if name not in known:
                text = f"the tag {name!r} is unknown: correct it, or add it to {TAG_LIST}."
                problems.error("unknown tag", where, text, ad)
        if ad in listed:
            text = f"id {ad} stands above already; keep one of the lines."
            problems.error("duplicate id", where, text, ad)
        elif not tags:
            problems.warning("no tag", where, "the ad has no tag.", ad)
        listed.setdefault(ad, [name for name in tags if name in known])
    return listed


def _media(root: Path, folder: Path, problems: Problems) -> dict[str, dict[str, str]]:
    """Return the relative paths of files by input and ad id; a file to refuse is an error."""
    below_it = folder.as_posix()
    places = [(name, f"{below_it}/{below}", ending) for name, _, below, ending in MEDIA]
    places += [("video", place, ".mp4") for place in VIDEO_FOLDERS[folder]]
    places.append(("text", f"{below_it}/{TEXT_FOLDER}", ".txt"))
    inside = DatasetFolder(root)
    found: dict[str, dict[str, str]] = {}
    for name, place, ending in places:
        of_ad = found.setdefault(name, {})
        for path in sorted((root / place).glob(f"*{ending}")):
            relative = f"{place}/{path.name}"
            fault = inside.path_inside(relative, media=name != "text")
            if fault is None:
                of_ad.setdefault(path.stem, relative)
            else:
                text = f"the file {SENTENCES[fault]}. Copy it into the folder, or remove it."
                problems.error(KINDS[fault], relative, text, path.stem)
    return found


def _metadata(
    root: Path, folder: Path, problems: Problems
) -> dict[str, dict[str, tuple[str, str]]]:
    """Return the cells of the optional metadata.csv and their places, by column and ad id."""
    relative = folder / METADATA_FILE
    metadata: dict[str, dict[str, tuple[str, str]]] = {}
    fault = DatasetFolder(root).path_inside(str(relative))
    if fault == "absent":
        return metadata
    if fault is not None:
        problems.error(KINDS[fault], str(relative), f"the file {SENTENCES[fault]}. Copy it.")
        return metadata
    table = read_table(root / relative, str(relative), ["id"], problems)
    taken = {*RESERVED, *TEXTS, "video", *(name for name, *_ in MEDIA)} - {"id"}
    for name in sorted(taken & set(table.cells.columns)):
        text = f"column {name} has the name of an input or of what every ad has: rename it."
        problems.error("reserved name", str(relative), text)
    names = [name for name in table.cells.columns if name not in taken]
    again = table.cells["id"].duplicated()
    for row, cells in enumerate(table.cells[names].to_dict("records")):
        ad, where = cells.pop("id"), table.place(row)
        if again.iloc[row]:
            text = "the id stands above already; keep one of the rows."
            problems.error("duplicate id", where, text, ad)
            continue
        for column, cell in cells.items():
            metadata.setdefault(str(column), {})[ad] = (cell, where)
    return metadata


def _inputs(
    root: Path,
    index: pd.Index,
    split: pd.Series,
    media: dict[str, dict[str, dict[str, str]]],
    metadata: dict[str, dict[str, dict[str, tuple[str, str]]]],
    problems: Problems,
    readings: dict[str, Reading],
) -> tuple[dict[str, pd.Series], dict[str, Input]]:
    """Return columns and inputs, without the inputs that no ad has."""
    columns: dict[str, pd.Series] = {}
    inputs: dict[str, Input] = {}
    texts = {ad: _texts(root, media[split[ad]]["text"].get(ad), ad, problems) for ad in index}
    for name in TEXTS:
        columns[name] = pd.Series({ad: texts[ad][name] for ad in index}, dtype="str")
        inputs[name] = Input(name, "text", (name,))
    for name, kind in (*((name, kind) for name, kind, _, _ in MEDIA), ("video", "video")):
        paths = {ad: media[split[ad]][name].get(ad) for ad in index}
        if any(path is not None for path in paths.values()):
            columns[name] = pd.Series(paths, dtype="object")
            inputs[name] = Input(name, kind, (name,))  # type: ignore[arg-type]
    names = list(dict.fromkeys([*metadata["train"], *metadata["test"]]))
    for name in names:
        cells = {ad: metadata[split[ad]].get(name, {}).get(ad, ("", "")) for ad in index}
        values = pd.Series({ad: cell for ad, (cell, _) in cells.items()}, index=index, dtype="str")
        places = [where for _, where in cells.values()]
        columns[name] = metadata_column(name, values, places.__getitem__, problems, readings)
    if names:
        inputs["metadata"] = Input("metadata", "metadata", tuple(names))
    return columns, inputs


def _texts(root: Path, relative: str | None, ad: str, problems: Problems) -> dict[str, str]:
    """Return the texts of one ad by input name; empty where missing."""
    empty = dict.fromkeys(TEXTS, "")
    if relative is None:
        problems.warning("absent file", TEXT_FOLDER, "the ad has no text file.", ad)
        return empty
    data = (root / relative).read_bytes()
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as bad:
        text = f"byte {bad.start} is not UTF-8: save the file as UTF-8, or remove it."
        problems.error("not UTF-8", relative, text, ad)
        return empty
    except (ValueError, RecursionError) as bad:  # of its syntax, or endless nesting
        text = f"malformed JSON: {bad}. Correct the file, or remove it."
        problems.error("malformed JSON", relative, text, ad)
        return empty
    if not isinstance(value, dict) or not all(
        isinstance(value.get(key, ""), str) for key in TEXTS.values()
    ):
        keys = " and ".join(TEXTS.values())
        problems.error("malformed JSON", relative, f"write an object of texts {keys}.", ad)
        return empty
    texts = {name: _without_surrogates(value.get(key, "").strip()) for name, key in TEXTS.items()}
    for name, text in texts.items():
        if not text:
            problems.warning("empty text", relative, f"{TEXTS[name]} is empty.", ad)
    return texts


def _without_surrogates(text: str) -> str:
    """Replace lone surrogates, which JSON can escape but UTF-8 cannot hold."""
    return text.encode("utf-8", errors="replace").decode("utf-8")
