"""Fitted objects as plain files: JSON for the structure, npz and safetensors for the numbers.

``state.json`` is a tree of nodes. What JSON has (null, booleans, finite numbers, texts, lists)
stands for itself; everything else is an object with one key that names its kind, such as
``{"tuple": [...]}`` or ``{"array": "3"}``. What several places share is written once: a node with
an ``id`` is met again as ``{"same": id}``. Beside it lie, where there are any,

- ``arrays.npz``: arrays of numbers and of texts, none of objects;
- ``tensors.safetensors``: the parameters and buffers of networks;
- ``<n>.lightgbm.txt`` and ``<n>.xgboost.json``: boosters in their libraries' own forms;
- ``<n>.skops``: estimators of scikit-learn;
- ``<n>/``: a network or tokenizer of transformers, as `save_pretrained` writes it.

Objects are made again without a call of their constructor and without pickle: an instance of a
class is its attributes. Classes come from `competition`, `torch.nn`, and the packages of plug-ins
that the reader is told of; a file that names another is refused.
"""

from competition.utils.state.names import StateError, package_of
from competition.utils.state.reading import read_state
from competition.utils.state.saving import Saved
from competition.utils.state.writing import write_state

__all__ = ["Saved", "StateError", "package_of", "read_state", "write_state"]
