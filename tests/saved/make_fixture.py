"""Make `tests/saved/stack_1`, which later versions must read: `python -m tests.saved.make_fixture`.

Made once for each format of saved stacks, by the version that first writes it.
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import competition
from competition.saved.manifest import FORMAT

HERE = Path(__file__).parent
TOML = """\
name = "tiny"
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
"""
SETTINGS = [
    'models=["tfidf_*", "lightgbm", "xgboost", "text_net"]',
    *("folds.n=3", "level1.lightgbm.n_estimators=2", "level1.xgboost.n_estimators=2"),
    *("level1.text_net.hidden_size=8", "level1.text_net.epochs=2"),
    'level2.model="pooled"',
]
WORDS = {"sea": "sun sand wave 海滩", "food": "soup bread spice 面包", "city": "tram tower night"}


def ads(n: int, seed: int, name: str) -> pd.DataFrame:
    """Ads whose title and place tell something of their tags."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(n):
        tags = [tag for tag in WORDS if rng.random() < 0.5] or ["sea"]
        words = rng.choice(" ".join(WORDS[tag] for tag in tags).split(), 4)
        made.append(
            {
                "id": f"{name}{number}",
                "title": " ".join(words) if rng.random() < 0.9 else "",
                "budget": str(rng.integers(1, 100)) if rng.random() < 0.9 else "",
                "place": str(rng.choice(["north", "south"])) if "sea" in tags else "",
                "tags": "|".join(tags),
            }
        )
    return pd.DataFrame(made)


def main() -> None:
    """Write the stack, its ads and what it predicts."""
    folder = HERE / f"stack_{FORMAT}"
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary, "ads")
        data.mkdir()
        ads(30, 0, "a").to_csv(data / "train.csv", index=False)
        new = ads(21, 1, "t").drop(columns="tags")
        new.to_csv(data / "test.csv", index=False)
        (data / "competition.toml").write_text(TOML, encoding="utf-8")
        profile = competition.load_profile("text", SETTINGS)
        result = competition.run(data, profile, temporary, n_jobs=1, keep="refit")
        competition.save_stack(result, folder / "stack", keep="refit")
    new.to_csv(folder / "ads.csv", index=False)
    stack = competition.load_stack(folder / "stack", n_jobs=1)
    stack.predict_proba(folder / "ads.csv").to_csv(folder / "expected.csv")


if __name__ == "__main__":
    main()
