"""A small Pitt folder, and a profile that is quick on it."""

from pathlib import Path

import numpy as np
import pytest

from competition.config.profile import Profile, load_profile
from tests.made_pitt import write_pitt

PROFILE = """\
[features.look]
extractor = "thumbnails"
side = 2

[features.resnet50]
extractor = "vit"
pooling = "pooler"

[level1.hmam]
inputs = ["look", "regions"]
dim = 8
hidden = 8
epochs = 2

[level1.c2ae_features]
inputs = ["look"]
hidden = 16
epochs = 2

[level1.mlgcn_features]
inputs = ["look"]
hidden = 8
epochs = 2

[level1.encoder]
model = "probe"
inputs = ["look"]

[level1.resnet50]
model = "probe"
inputs = ["resnet50"]
"""


@pytest.fixture(scope="session")
def pitt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 ads with regions; the test ads are known."""
    folder = write_pitt(tmp_path_factory.mktemp("pitt"), 120)
    rng = np.random.default_rng(0)
    for image in sorted(folder.glob("[0-9]*/*.jpg"))[::2]:
        path = folder / "regions" / image.relative_to(folder).with_suffix(".npy")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, rng.normal(size=(3, 4)).astype(np.float32))
    return folder


@pytest.fixture(scope="session")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    path = tmp_path_factory.mktemp("profile") / "quick.toml"
    path.write_text(PROFILE, encoding="utf-8")
    return load_profile(str(path))
