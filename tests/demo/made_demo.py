"""Reading demo ads in tests."""

import json

N_ADS, SEED = 300, 3
TEXTS = "tagging/tagging_dataset_{}_5k/text_txt/tagging"
TRUTHS = {"train": "tagging/GroundTruth/tagging_info.txt", "test": "truth/tagging_info.txt"}


def read_truth(root, split):
    rows = [line.split("\t") for line in (root / TRUTHS[split]).read_text("utf-8").splitlines()]
    return {name: tags.split(",") for name, tags in rows}


def read_texts(root, split):
    return [
        json.loads(path.read_bytes()) for path in sorted((root / TEXTS.format(split)).iterdir())
    ]
