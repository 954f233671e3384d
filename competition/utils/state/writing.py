"""Write a fitted object as plain files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from competition.utils.quiet import quiet
from competition.utils.state.names import (
    ARRAYS,
    FORMAT,
    OWN,
    STRUCTURE,
    TENSORS,
    StateError,
    may_be_named,
    name_of,
    pretrained_kinds,
    trusted_types,
)


def write_state(thing: Any, folder: Path, packages: Sequence[str] = ()) -> None:
    """Write an object to a folder that is empty or absent.

    Parameters
    ----------
    thing : object
        Of plain values, arrays, scikit-learn estimators, boosters, networks, and instances of
        classes of `competition` and `packages` that hold such.
    folder : Path
    packages : sequence of str
        Further packages whose classes it may hold.

    Raises
    ------
    StateError
        If it holds something that has no plain form; the message says what and where.
    """
    folder.mkdir(parents=True, exist_ok=True)
    writer = _Writer(folder, (*OWN, *packages))
    root = writer.node(thing, type(thing).__name__)
    if writer.arrays:
        np.savez(folder / ARRAYS, allow_pickle=False, **writer.arrays)
    if writer.tensors:
        from safetensors.torch import save_file

        save_file(writer.tensors, folder / TENSORS)
    text = json.dumps({"format": FORMAT, "root": root}, ensure_ascii=False, allow_nan=False)
    (folder / STRUCTURE).write_text(text, encoding="utf-8")


class _Writer:
    """Turns objects into nodes; collects arrays and tensors, and writes what has a file of its own.

    Parameters
    ----------
    folder : Path
    packages : sequence of str
        Where classes may lie.
    """

    def __init__(self, folder: Path, packages: Sequence[str]) -> None:
        self.folder = folder
        self.packages = packages
        self.arrays: dict[str, np.ndarray] = {}
        self.tensors: dict[str, Any] = {}
        self.n_files = 0
        # Numbers of the objects that were met; they are kept alive, for ids are used again.
        self.met: dict[int, tuple[int, Any]] = {}
        self.forms: tuple[Callable[[Any, str], dict[str, Any] | None], ...] = (
            self._numbers,
            self._collection,
            self._torch,
            self._booster,
            self._transformers,
            self._scikit_learn,
            self._instance,
        )

    def node(self, thing: Any, at: str) -> Any:
        """Return the node of an object; `at` says where it stands, for messages."""
        if thing is None or type(thing) in _PLAIN:
            return thing
        if type(thing) is float:
            return thing if math.isfinite(thing) else {"float": str(thing)}
        if type(thing) is list:
            return [self.node(one, f"{at}[{place}]") for place, one in enumerate(thing)]
        if id(thing) in self.met:
            return {"same": self.met[id(thing)][0]}
        number = len(self.met)
        self.met[id(thing)] = (number, thing)
        for form in self.forms:
            node = form(thing, at)
            if node is not None:
                return {**node, "id": number}
        raise StateError(
            f"{at} is of the type {name_of(type(thing))}, which has no plain form. Keep what the "
            "model learns in numbers, arrays, scikit-learn estimators or torch modules, or write "
            "`save` and `load` for it."
        )

    def _collection(self, thing: Any, at: str) -> dict[str, Any] | None:
        if type(thing) is tuple:
            return {"tuple": [self.node(one, f"{at}[{i}]") for i, one in enumerate(thing)]}
        if isinstance(thing, tuple) and hasattr(thing, "_fields"):
            values = [
                self.node(one, f"{at}.{field}")
                for field, one in zip(thing._fields, thing, strict=True)
            ]
            return {"named tuple": self._named(type(thing), at), "values": values}
        if type(thing) is dict:
            return {"dict": self._pairs(thing, at)}
        if type(thing) in (set, frozenset):
            kind = "set" if type(thing) is set else "frozenset"
            return {kind: [self.node(one, at) for one in sorted(thing)]}
        if isinstance(thing, Path):
            return {"path": str(thing)}
        return None

    def _pairs(self, pairs: dict[Any, Any], at: str) -> list[list[Any]]:
        return [
            [self.node(key, f"a key of {at}"), self.node(value, f"{at}[{key!r}]")]
            for key, value in pairs.items()
        ]

    def _numbers(self, thing: Any, at: str) -> dict[str, Any] | None:
        if isinstance(thing, np.ndarray):
            if thing.dtype.hasobject:
                items = [self.node(one, f"{at}[{i}]") for i, one in enumerate(thing.flat)]
                return {"objects": items, "shape": list(thing.shape)}
            # A view of a file, or of a larger array, is written as what it shows.
            return {"array": self._array(np.array(thing))}
        if isinstance(thing, np.generic):
            return {"number": self._array(np.asarray(thing))}
        if isinstance(thing, np.dtype):
            return {"dtype": thing.str}
        module = type(thing).__module__
        if may_be_named(module, ["scipy.sparse"]):
            matrix = thing.tocsr()
            parts = [self._array(part) for part in (matrix.data, matrix.indices, matrix.indptr)]
            return {
                "csr": parts,
                "shape": list(matrix.shape),
                "array": "array" in name_of(type(thing)),
            }
        if may_be_named(module, ["pandas"]):
            return self._pandas(thing, at)
        return None

    def _pandas(self, thing: Any, at: str) -> dict[str, Any] | None:
        import pandas as pd

        if isinstance(thing, pd.Index):
            values = self.node(thing.to_numpy(), at)
            return {"index": values, "dtype": str(thing.dtype), "name": self.node(thing.name, at)}
        if isinstance(thing, pd.Series):
            parts = [self.node(thing.index, at), self.node(thing.to_numpy(), at)]
            return {"series": parts, "dtype": str(thing.dtype), "name": self.node(thing.name, at)}
        return None

    def _array(self, array: np.ndarray) -> str:
        key = str(len(self.arrays))
        self.arrays[key] = array
        return key

    def _torch(self, thing: Any, at: str) -> dict[str, Any] | None:
        if not _has_base(thing, "torch"):
            return None
        import torch
        from torch import nn

        if isinstance(thing, torch.Tensor):
            key = str(len(self.tensors))
            self.tensors[key] = thing.detach().cpu().contiguous().clone()
            if isinstance(thing, nn.Parameter):
                return {"parameter": key, "learned": thing.requires_grad}
            return {"tensor": key}
        if isinstance(thing, torch.dtype | torch.device):
            return {"torch": str(thing).removeprefix("torch."), "is": type(thing).__name__}
        if isinstance(thing, nn.Module) and not _has_base(thing, "transformers"):
            return self._module(thing, at)
        return None

    def _module(self, module: Any, at: str) -> dict[str, Any]:
        """Parameters, buffers, children and further attributes of a network."""
        from torch import nn

        inner = set(vars(nn.Module()))  # what every module keeps for itself
        if isinstance(module, nn.RNNBase):
            # Its further attributes are other views of its parameters: it is made anew.
            arguments = {name: getattr(module, name) for name in _RNN}
            weights = dict(module.named_parameters())
            return {
                "rnn": self._named(type(module), at),
                "arguments": arguments,
                "weights": self._pairs(weights, at),
                "training": module.training,
            }
        return {
            "module": self._named(type(module), at),
            "parameters": self._pairs(dict(module._parameters), at),
            "buffers": self._pairs(dict(module._buffers), at),
            "children": self._pairs(dict(module._modules), at),
            "passing": sorted(module._non_persistent_buffers_set),
            "training": module.training,
            "attributes": self._pairs(
                {key: value for key, value in vars(module).items() if key not in inner}, at
            ),
        }

    def _booster(self, thing: Any, at: str) -> dict[str, Any] | None:
        name = name_of(type(thing))
        if name == "lightgbm.basic:Booster":
            path = self._file("lightgbm.txt")
            path.write_text(thing.model_to_string(num_iteration=-1), encoding="utf-8")
            return {"lightgbm": path.name}
        if name == "xgboost.core:Booster":
            path = self._file("xgboost.json")
            path.write_bytes(bytes(thing.save_raw("json")))
            return {"xgboost": path.name}
        return None

    def _transformers(self, thing: Any, at: str) -> dict[str, Any] | None:
        if not _has_base(thing, "transformers"):
            return None
        import transformers

        for kind, base in pretrained_kinds().items():
            if isinstance(thing, base):
                path = self._file("")
                with quiet():
                    thing.save_pretrained(path)
                name = type(thing).__name__
                known = getattr(transformers, name, None) is type(thing)
                node = {
                    kind: path.name,
                    "class": f"transformers:{name}" if known else name_of(type(thing)),
                }
                # Made without the layer that pools, as no model here uses it.
                return {**node, "pooler": False} if getattr(thing, "pooler", 0) is None else node
        return None

    def _scikit_learn(self, thing: Any, at: str) -> dict[str, Any] | None:
        if not may_be_named(type(thing).__module__, ["sklearn"]):
            return None
        import skops.io

        data = skops.io.dumps(thing)
        refused = trusted_types(data)[1]
        if refused:
            raise StateError(
                f"{at}, a {type(thing).__name__}, holds {', '.join(refused)}, which is not "
                "scikit-learn's own and has no plain form there. Make a `Level1Model` that holds "
                "it as it is, or write `save` and `load` for it."
            )
        path = self._file("skops")
        path.write_bytes(data)
        return {"skops": path.name}

    def _instance(self, thing: Any, at: str) -> dict[str, Any] | None:
        if isinstance(thing, type) or (callable(thing) and hasattr(thing, "__qualname__")):
            return {"named": self._named(thing, at)}
        if not may_be_named(type(thing).__module__, self.packages) or not hasattr(
            thing, "__dict__"
        ):
            return None
        return {"object": self._named(type(thing), at), "state": self._pairs(vars(thing), at)}

    def _named(self, thing: Any, at: str) -> str:
        name = name_of(thing)
        if not may_be_named(thing.__module__, self.packages) or "<" in name:
            raise StateError(
                f"{at} is or holds {name}, which lies outside {', '.join(self.packages)} and so "
                "cannot be named in a file."
            )
        return name

    def _file(self, ending: str) -> Path:
        self.n_files += 1
        return self.folder / (f"{self.n_files}.{ending}" if ending else f"{self.n_files}")


_PLAIN = (bool, int, str)
_RNN = (
    "input_size",
    "hidden_size",
    "num_layers",
    "bias",
    "batch_first",
    "dropout",
    "bidirectional",
)


def _has_base(thing: Any, package: str) -> bool:
    """Whether a class that an object derives from lies in a package; imports nothing."""
    return any(may_be_named(one.__module__, [package]) for one in type(thing).__mro__)
