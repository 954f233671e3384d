"""A folder of ads whose words are hostile or unusual: markup, quotes, scripts, long tags."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

SCRIPT = "<script>window.hit = 'a text'</script></textarea><img src=x onerror=window.hit=1>"
TAGS = (
    '"><img src=x onerror="window.hit=\'a tag\'">',
    "O'Neil's \"best\" {{ 7*7 }}",
    "x" * 200,
    "مفاجأة",
    "惊喜 🎉",
    "plain",
)
PICTURE = "<img src=x onerror=window.hit=2>.png"


def write_hostile_ads(folder: Path, n: int = 60, n_test: int = 6) -> Path:
    """Write ads whose words tell their tags, and test ads; the first has a picture."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (90, 60, 3), dtype=np.uint8)).save(folder / PICTURE)
    rows = []
    for number in range(n + n_test):
        places = sorted({number % len(TAGS), int(rng.integers(len(TAGS)))})
        words = " ".join(f"word{place}" for place in places)
        text = f"{words} {SCRIPT if number % 7 == 0 else 'سلام عليكم 你好'}"
        picture = PICTURE if number == 0 else ""
        ad = "ad</script><b>" if number == 0 else f"ad{number:02d}"
        metadata = [float(number % 5), 237_000_000 + number, f"2021-03-{1 + number % 28:02d}"]
        rows.append([ad, text, picture, *metadata, "|".join(TAGS[p] for p in places)])
    head = ["id", "text", "poster", "length", "budget", "released", "topics"]
    for name, its, columns in (("train", rows[:n], 7), ("test", rows[n:], 6)):
        if not its:
            continue
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(head[:columns])
            writer.writerows(row[:columns] for row in its)
    test = 'test = "test.csv"\n' if n_test else ""
    (folder / "competition.toml").write_text(
        f'name = "hostile"\ntrain = "train.csv"\n{test}id = "id"\n'
        '[[tags]]\ncolumn = "topics"\ndimension = "<i>topic</i>"\nseparator = "|"\n'
        '[inputs.text]\nkind = "text"\ncolumn = "text"\n'
        '[inputs.poster]\nkind = "image"\ncolumn = "poster"\n'
        '[inputs.facts]\nkind = "metadata"\ncolumns = ["length", "budget", "released"]\n'
        'types = { released = "date" }\n',
        encoding="utf-8",
    )
    return folder
