"""`competition new-model`: a working level-1 model to start from, and its test."""

import keyword
import re
from dataclasses import dataclass
from pathlib import Path

from competition.level1.registry import find_models
from competition.utils.errors import ModelError
from competition.utils.files import write_text

PACKAGE = Path(__file__).resolve().parents[1]

MODEL = '''\
"""{name}: ads are tagged like the ads that read most alike. Replace this by your own idea."""

import numpy as np
import pandas as pd

from competition.level1.base import Level1Model
from competition.level1.registry import level1_model
from competition.text.terms import TermsSpec


@level1_model("{name}", kinds=("text",))
class {class_name}(Level1Model):
    """Nearest neighbours in tf-idf space.

    Parameters
    ----------
    n_neighbors : int
        Ads that vote.
    """

    def __init__(self, n_neighbors: int = 20) -> None:
        self.n_neighbors = n_neighbors

    @property
    def text_terms(self) -> TermsSpec:
        """Texts come as counted terms; without this property they come as str."""
        return TermsSpec()

    def _fit(self, X: pd.DataFrame, Y: np.ndarray) -> None:
        from sklearn.neighbors import KNeighborsRegressor

        from competition.level1.components.text import TextVectorizer

        self.vectorizer_ = TextVectorizer(self.text_terms)
        terms = self.vectorizer_.fit_transform(X)
        self.has_terms_ = terms.shape[1] > 0
        if self.has_terms_:
            n_neighbors = min(self.n_neighbors, len(X))
            self.neighbors_ = KNeighborsRegressor(n_neighbors, metric="cosine")
            self.neighbors_.fit(terms, Y.astype(np.float32))

    def _predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        if not self.has_terms_:  # every training text was empty
            return np.tile(self.prior_[self.learnable_], (len(X), 1))
        return self.neighbors_.predict(self.vectorizer_.transform(X))
'''

TEST = '''\
"""{name} keeps the contract of level-1 models."""

{imports}


class Test{class_name}(Level1Contract):
    kinds = ("text",)

    def make(self):
        return {class_name}()
'''


@dataclass(frozen=True)
class NewModel:
    """What `write_template` has written.

    Attributes
    ----------
    model, test : Path
    usage : str
        How the model is run, in a sentence.
    """

    model: Path
    test: Path
    usage: str


def write_template(name: str, folder: Path, package: Path = PACKAGE) -> NewModel:
    """Write a model and its test.

    In a checkout of the project they become ``competition/level1/models/<name>.py`` and
    ``tests/level1/models/test_<name>.py`` of it. Where the package is installed, they become
    ``<name>.py``, a plug-in, and ``test_<name>.py`` in `folder`.

    Parameters
    ----------
    name : str
    folder : Path
    package : Path
        Folder of the package ``competition``.

    Raises
    ------
    ModelError
        If the name cannot be a module's, is taken, or a file of that name exists.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ModelError(
            f"{name!r} cannot name a model: use small letters, digits and underscores, a letter "
            "first, like my_model."
        )
    root = package.parent
    if (root / "pyproject.toml").is_file() and (root / "tests").is_dir():
        model = package / "level1" / "models" / f"{name}.py"
        test = root / "tests" / "level1" / "models" / f"test_{name}.py"
        module = f"competition.level1.models.{name}"
        usage = f'`models` lists it now, and any profile with models = ["*"] runs {name}.'
    else:
        model, test, module = folder / f"{name}.py", folder / f"test_{name}.py", name
        usage = (
            f'A profile in this folder runs it by plugins = ["{model.name}"] and '
            f'models = ["{name}"]; `pytest {test.name}` runs its test.'
        )
    if name in find_models() or model.exists() or test.exists():
        raise ModelError(f"{name} exists already: choose another name.")
    class_name = "".join(word.capitalize() for word in name.split("_"))
    write_text(model, MODEL.format(name=name, class_name=class_name))
    imports = sorted(
        [
            f"from {module} import {class_name}",
            "from competition.testing.level1 import Level1Contract",
        ]
    )
    write_text(test, TEST.format(name=name, class_name=class_name, imports="\n".join(imports)))
    return NewModel(model, test, usage)
