"""No file of a user's runs as code: the source is walked for what could, and for what it loads."""

import re
from pathlib import Path

import pytest

from tests.security.walk import dangers, loaders, modules

ROOT = Path(__file__).resolve().parents[2]

# What may stand where it stands, each for a reason; all of it in SECURITY.md.
KNOWN = {
    # Names of this package's own, from a table in the source.
    ("competition/__init__.py", "importlib.import_module"),
    # A metric of a user's own, by its import path.
    ("competition/evaluation/chosen_metric.py", "importlib.import_module"),
    # Plug-ins, which are code and run; and the modules of this package's own folders.
    ("competition/utils/registry.py", "exec"),
    ("competition/utils/registry.py", "importlib.import_module"),
    # Classes of saved models, from a list of packages; and what transformers itself has saved.
    ("competition/utils/state/names.py", "importlib.import_module"),
    ("competition/utils/state/reading.py", "from_pretrained"),
    # What a job calls, from a folder that its user alone can open, as submitit's own files.
    ("competition/execution/slurm.py", "pickle.load"),
    ("competition/execution/slurm.py", "cloudpickle.dump"),
    # Contract tests that read back at once what they have just written.
    ("competition/testing/extractors.py", "pickle.loads"),
    ("competition/testing/extractors.py", "pickle.dumps"),
}


def dangers_below(package: Path) -> set[tuple[str, str]]:
    return {(path, one.what) for path, source in modules(package) for one in dangers(source)}


def loaders_below(package: Path) -> set[tuple[str, str]]:
    return {(name, path) for path, source in modules(package) for name in loaders(source)}


def listed(text: str) -> list[tuple[set[str], set[str]]]:
    """Loaders and files of each row | what | loaders | files | why | of SECURITY.md."""
    cells = [row.split("|") for row in re.findall(r"^\|(.+)\|$", text, re.MULTILINE)]
    return [
        (
            set(re.findall(r"`([^`]+)`", row[1])),
            {f"competition/{file}" for file in re.findall(r"`([^`]+\.py)`", row[2])},
        )
        for row in cells
        if "`" in row[1]
    ]


def test_nothing_in_the_source_runs_code_of_a_file() -> None:
    assert dangers_below(ROOT / "competition") == KNOWN


def test_every_loader_is_listed_with_its_files() -> None:
    rows = listed((ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    found = loaders_below(ROOT / "competition")
    known = {(name, file) for names, files in rows for name in names for file in files}
    assert not found - known
    for names, files in rows:
        there = {(name, file) for name in names for file in files} & found
        assert ({name for name, _ in there}, {file for _, file in there}) == (names, files)


PLANTED = {
    "import pickle\npickle.load(file)": "pickle.load",
    "from pickle import loads as read\nread(data)": "pickle.loads",
    "import cloudpickle as cp\ncp.loads(data)": "cloudpickle.loads",
    "import dill\ndill.load(file)": "dill.load",
    "import shelve\nshelve.open(name)": "shelve.open",
    "import marshal\nmarshal.loads(data)": "marshal.loads",
    "import torch\ntorch.load(path)": "torch.load without weights_only=True",
    "import torch\ntorch.load(path, weights_only=False)": "torch.load without weights_only=True",
    "def f():\n    from torch import load\n    load(path)": "torch.load without weights_only=True",
    "import torch\ntorch.hub.load(path, name)": "torch.hub.load",
    "import torch\ntorch.jit.load(path)": "torch.jit.load",
    "import numpy as np\nnp.load(path)": "numpy.load without allow_pickle=False",
    "import numpy as np\nnp.load(path, allow_pickle=True)": "numpy.load without allow_pickle=False",
    "import joblib\njoblib.load(path)": "joblib.load",
    "import pandas as pd\npd.read_pickle(path)": "pandas.read_pickle",
    "import yaml\nyaml.load(text, yaml.Loader)": "yaml.load",
    "eval(text)": "eval",
    "exec(text)": "exec",
    "import builtins\nbuiltins.exec(text)": "exec",
    "compile(text, name, 'exec')": "compile",
    "__import__(name)": "__import__",
    "import importlib\nimportlib.import_module(name)": "importlib.import_module",
    "import runpy\nrunpy.run_path(path)": "runpy.run_path",
    "import subprocess\nsubprocess.run(text, shell=True)": "shell=True",
    "from subprocess import Popen\nPopen(text, shell=given)": "shell=True",
    "import os\nos.system(text)": "os.system",
    "load(path, trust_remote_code=True)": "trust_remote_code",
    "load(path, trust_remote_code=given)": "trust_remote_code",
    "load(path, **{'trust_remote_code': True})": "trust_remote_code",
    "options['trust_remote_code'] = True": "trust_remote_code",
    "from transformers import AutoModel\nAutoModel.from_pretrained(path)": "from_pretrained",
    "load = AutoModel.from_pretrained\nload(path)": "from_pretrained",
    "getattr(transformers, name).from_pretrained(path)": "from_pretrained",
    "from PIL import Image\nImage.open(path)": "Image.open without formats",
    "import av\nav.open(path)": "av.open without a protocol whitelist",
    "import av\nav.open(path, 'r', options={})": "av.open without a protocol whitelist",
}


@pytest.mark.parametrize("source", PLANTED)
def test_what_could_run_code_is_found(tmp_path: Path, source: str) -> None:
    (tmp_path / "package" / "inner").mkdir(parents=True)
    (tmp_path / "package" / "inner" / "planted.py").write_text(source, encoding="utf-8")
    assert ("package/inner/planted.py", PLANTED[source]) in dangers_below(tmp_path / "package")


HARMLESS = (
    "import re\nre.compile(text)",
    "import pickle\ntry:\n    work()\nexcept pickle.UnpicklingError:\n    pass",
    "import torch\ntorch.load(path, weights_only=True)",
    "import numpy as np\nnp.load(path, mmap_mode='r', allow_pickle=False)",
    "network.eval()",
    "import subprocess\nsubprocess.run([program, text])",
    "load_pretrained(AutoModel.from_pretrained, path)",
    "load(path, **{**options, 'trust_remote_code': False})",
    "from PIL import Image\nImage.open(path, formats=('PNG',))",
    "import av\nav.open(path, 'w', options={})",
    "import av\nav.open(file, 'r', options={'protocol_whitelist': 'none'})",
)


@pytest.mark.parametrize("source", HARMLESS)
def test_what_cannot_run_code_is_left_alone(source: str) -> None:
    assert dangers(source) == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import pandas as pd\npd.read_xml(path)", "pandas.read_xml"),
        (
            "from tokenizers import Tokenizer\nTokenizer.from_file(p)",
            "tokenizers.Tokenizer.from_file",
        ),
        ("import xml.etree.ElementTree as tree\ntree.open(p)", "xml.etree.ElementTree.open"),
        ("import safetensors\nsafetensors.safe_open(p)", "safetensors.safe_open"),
    ],
)
def test_new_loader_is_found(tmp_path: Path, source: str, name: str) -> None:
    (tmp_path / "planted.py").write_text(source, encoding="utf-8")
    rows = listed((ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    assert {one for one, _ in loaders_below(tmp_path)} == {name}
    assert not any(name in names for names, _ in rows)
