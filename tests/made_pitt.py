"""A small folder in the layout of the Pitt image ads, in the encodings of the release."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

TOPICS = {"1": ("Restaurants, cafe, fast food", "restaurant"), "9": ("Cars", "cars")}
SENTIMENTS = {"1": ("Active (energetic)", "active"), "8": ("Calm", "calm"), "28": ("Sad", "sad")}


def write_pitt(folder: Path, n_ads: int = 60) -> Path:
    """Write red restaurants and blue cars; active ads are bright, calm ones dark, a few sad too."""
    topics, sentiments = {}, {}
    rng = np.random.default_rng(0)
    for i in range(n_ads):
        ad = f"{i % 11}/{1000 + i}.jpg"
        car, calm = i % 2, i // 2 % 2
        topics[ad] = ["9" if car else "1"] * 2 + ["a cinema"] * (i % 7 == 0)
        sentiments[ad] = [
            ["8" if calm else "1"],
            ["8" if calm else "1", "28"],
            ["28"] * (i % 5 == 0),
        ]
        image = rng.integers(0, 60, (24, 24, 3), dtype=np.uint8)
        image[..., 2 if car else 0] += np.uint8(60 if calm else 190)
        path = folder / ad
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    write_lists(folder)
    write_votes(folder, topics, sentiments)
    return folder


def write_lists(folder: Path) -> None:
    lines = [f'{i}\t"{what}" (ABBREVIATION: "{name}")\n' for i, (what, name) in TOPICS.items()]
    (folder / "Topics_List.txt").write_bytes(b"\xff\xfe" + "".join(lines).encode("utf-16-le"))
    lines = [
        f'{i}. "{what}"\xa0(ABBREVIATION: "{name}")\r\n' for i, (what, name) in SENTIMENTS.items()
    ]
    (folder / "Sentiments_List.txt").write_bytes("".join(lines).encode("latin-1"))


def write_votes(folder: Path, topics: object, sentiments: object) -> None:
    (folder / "Topics.json").write_text(json.dumps(topics), encoding="utf-8")
    (folder / "Sentiments.json").write_text(json.dumps(sentiments), encoding="utf-8")
