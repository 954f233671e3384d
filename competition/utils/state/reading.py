"""Read what `write_state` wrote, and run none of it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from competition.utils.quiet import quiet
from competition.utils.state.names import (
    ARRAYS,
    FORMAT,
    OWN,
    STRUCTURE,
    TENSORS,
    StateError,
    check_attributes,
    found,
    pretrained_kinds,
    trusted_types,
)

T = TypeVar("T")


def read_state(folder: Path, kind: type[T], packages: Sequence[str] = ()) -> T:
    """Read an object from a folder that `write_state` has filled.

    Parameters
    ----------
    folder : Path
    kind : type
        What it must be.
    packages : sequence of str
        Further packages whose classes it may hold, beside `competition` and `torch.nn`.

    Raises
    ------
    StateError
        If a file is absent, damaged or of a later form, or names a class of another package.
    """
    path = folder / STRUCTURE
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        form, root = given["format"], given["root"]
    except (OSError, ValueError, KeyError, TypeError) as bad:
        raise StateError(f"{path} cannot be read: {bad}. Save the model again.") from bad
    if form != FORMAT:
        raise StateError(
            f"{path} has the format {form!r} and this version reads {FORMAT}: install the version "
            "that saved it."
        )
    try:
        made = _Reader(folder, (*OWN, *packages)).thing(root)
    except (OSError, ValueError, KeyError, TypeError, IndexError, RuntimeError) as bad:
        raise StateError(f"{folder} cannot be read: {bad}. Save the model again.") from bad
    if not isinstance(made, kind):
        raise StateError(f"{folder} holds a {type(made).__name__} where a {kind.__name__} belongs.")
    return made


class _Reader:
    """Turns nodes into objects.

    Parameters
    ----------
    folder : Path
    packages : sequence of str
        Where classes may lie.
    """

    def __init__(self, folder: Path, packages: Sequence[str]) -> None:
        self.folder = folder
        self.packages = packages
        self.made: dict[int, Any] = {}
        self.kinds: dict[str, Callable[[dict[str, Any]], Any]] = {
            "float": lambda node: float(node["float"]),
            "tuple": lambda node: tuple(map(self.thing, node["tuple"])),
            "named tuple": self._named_tuple,
            "dict": lambda node: self._dict(node["dict"]),
            "set": lambda node: set(map(self.thing, node["set"])),
            "frozenset": lambda node: frozenset(map(self.thing, node["frozenset"])),
            "path": lambda node: Path(node["path"]),
            "objects": self._objects,
            "csr": self._csr,
            "array": lambda node: self.arrays[node["array"]],
            "number": lambda node: self.arrays[node["number"]][()],
            "dtype": lambda node: np.dtype(node["dtype"]),
            "index": self._index,
            "series": self._series,
            "parameter": self._parameter,
            "tensor": lambda node: self.tensors[node["tensor"]],
            "torch": self._torch,
            "rnn": self._rnn,
            "module": self._module,
            "lightgbm": self._lightgbm,
            "xgboost": self._xgboost,
            "network": self._pretrained,
            "tokenizer": self._pretrained,
            "config": self._pretrained,
            "image processor": self._pretrained,
            "sound processor": self._pretrained,
            "skops": self._skops,
            "named": lambda node: found(node["named"], self.packages),
            "object": self._object,
        }

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays by key."""
        path = self.folder / ARRAYS
        try:
            # Of another file NumPy would say how to unpickle it.
            if path.exists() and not zipfile.is_zipfile(path):
                raise zipfile.BadZipFile("it is no archive of arrays")
            with np.load(path, allow_pickle=False) as archive:
                return dict(archive)
        except (zipfile.BadZipFile, EOFError) as bad:
            raise ValueError(f"{ARRAYS} is damaged ({bad})") from bad

    @cached_property
    def tensors(self) -> dict[str, Any]:
        """Tensors by key."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(self.folder / TENSORS)
        except SafetensorError as bad:
            raise ValueError(f"{TENSORS} is damaged ({bad})") from bad

    def thing(self, node: Any) -> Any:
        """Return the object of a node."""
        if isinstance(node, list):
            return [self.thing(one) for one in node]
        if not isinstance(node, dict):
            return node
        if "same" in node:
            return self.made[node["same"]]
        kind = next(iter(node))
        if kind not in self.kinds:
            raise ValueError(f"{STRUCTURE} has a node of the unknown kind {kind!r}")
        made = self.kinds[kind](node)
        if "id" in node:
            self.made[node["id"]] = made
        return made

    def _dict(self, pairs: list[list[Any]]) -> dict[Any, Any]:
        return {self.thing(key): self.thing(value) for key, value in pairs}

    def _named_tuple(self, node: dict[str, Any]) -> Any:
        kind = self._class(node["named tuple"], tuple)
        return kind(*map(self.thing, node["values"]))

    def _class(self, name: str, base: type) -> Any:
        """Return a class by name, if it derives from `base`."""
        kind = found(name, self.packages)
        if not (isinstance(kind, type) and issubclass(kind, base)):
            raise ValueError(f"{name} is no {base.__name__}")
        return kind

    def _objects(self, node: dict[str, Any]) -> np.ndarray:
        array = np.empty(len(node["objects"]), dtype=object)
        for place, one in enumerate(node["objects"]):
            array[place] = self.thing(one)
        return array.reshape(node["shape"])

    def _csr(self, node: dict[str, Any]) -> Any:
        from scipy import sparse

        kind = sparse.csr_array if node["array"] else sparse.csr_matrix
        return kind(tuple(self.arrays[key] for key in node["csr"]), shape=tuple(node["shape"]))

    def _index(self, node: dict[str, Any]) -> Any:
        import pandas as pd

        return pd.Index(
            self.thing(node["index"]), dtype=node["dtype"], name=self.thing(node["name"])
        )

    def _series(self, node: dict[str, Any]) -> Any:
        import pandas as pd

        index, values = map(self.thing, node["series"])
        return pd.Series(values, index, dtype=node["dtype"], name=self.thing(node["name"]))

    def _parameter(self, node: dict[str, Any]) -> Any:
        from torch import nn

        return nn.Parameter(self.tensors[node["parameter"]], requires_grad=node["learned"])

    def _torch(self, node: dict[str, Any]) -> Any:
        import torch

        if node["is"] == "device":
            return torch.device("cpu")
        dtype = getattr(torch, node["torch"])
        if not isinstance(dtype, torch.dtype):
            raise ValueError(f"{node['torch']} is no dtype of torch")
        return dtype

    def _rnn(self, node: dict[str, Any]) -> Any:
        from torch import nn

        module = self._class(node["rnn"], nn.RNNBase)(**node["arguments"])
        module.load_state_dict(self._dict(node["weights"]))
        return module.train(node["training"])

    def _module(self, node: dict[str, Any]) -> Any:
        from torch import nn

        kind = self._class(node["module"], nn.Module)
        module = kind.__new__(kind)
        nn.Module.__init__(module)
        if "id" in node:
            self.made[node["id"]] = module
        attributes = self._dict(node["attributes"])
        check_attributes(kind, attributes)
        if set(attributes) & set(vars(module)):
            raise ValueError(f"{node['module']} has attributes that torch keeps for itself")
        module.__dict__.update(attributes)
        for name, value in self._dict(node["parameters"]).items():
            module.register_parameter(name, value)
        for name, value in self._dict(node["buffers"]).items():
            module.register_buffer(name, value, persistent=name not in node["passing"])
        for name, value in self._dict(node["children"]).items():
            module.register_module(name, value)
        module.training = node["training"]
        return module

    def _object(self, node: dict[str, Any]) -> Any:
        kind = self._class(node["object"], object)
        made = kind.__new__(kind)
        if "id" in node:
            self.made[node["id"]] = made  # what it holds may refer to it
        state = self._dict(node["state"])
        check_attributes(kind, state)
        made.__dict__.update(state)
        return made

    def _lightgbm(self, node: dict[str, Any]) -> Any:
        import lightgbm

        text = self._file(node["lightgbm"]).read_text(encoding="utf-8")
        try:
            return lightgbm.Booster(model_str=text)
        except lightgbm.basic.LightGBMError as bad:
            raise ValueError(f"{node['lightgbm']} is damaged ({bad})") from bad

    def _xgboost(self, node: dict[str, Any]) -> Any:
        import xgboost

        content = self._file(node["xgboost"]).read_bytes()
        if not (content.startswith(b"{") and content.endswith(b"}")):  # it would end the process
            raise ValueError(f"{node['xgboost']} is damaged (it is no JSON object)")
        booster = xgboost.Booster()
        try:
            booster.load_model(bytearray(content))
        except xgboost.core.XGBoostError as bad:  # a page of addresses in its library
            raise ValueError(f"{node['xgboost']} is damaged (it is no model of XGBoost)") from bad
        return booster

    def _pretrained(self, node: dict[str, Any]) -> Any:
        form = next(iter(node))
        base = pretrained_kinds()[form]
        kind = found(node["class"], ["transformers"])
        if not (isinstance(kind, type) and issubclass(kind, base)):
            raise ValueError(f"{node['class']} is no {base.__name__}")
        given = {"use_safetensors": True} if form == "network" else {}
        if "pooler" in node:
            given["add_pooling_layer"] = False
        with quiet():
            return cast(Any, kind).from_pretrained(
                self._file(node[form]),
                local_files_only=True,
                trust_remote_code=False,
                **given,
            )

    def _skops(self, node: dict[str, Any]) -> Any:
        import skops.io

        data = self._file(node["skops"]).read_bytes()
        try:
            trusted, refused = trusted_types(data)
            if refused:
                raise ValueError(f"{node['skops']} names {', '.join(refused)}, which is not read")
            return skops.io.loads(data, trusted=trusted)
        except zipfile.BadZipFile as bad:
            raise ValueError(f"{node['skops']} is damaged ({bad})") from bad

    def _file(self, name: str) -> Path:
        """Return the path of a file of the folder, which no name may leave."""
        if Path(name).name != name:
            raise ValueError(f"{name!r} is no file's name")
        return self.folder / name
