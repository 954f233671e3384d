"""Devices and threads of this machine."""

import os

import pytest
import torch

from competition.execution.devices import choose_device, n_cores, torch_threads
from competition.utils.errors import ModelError

ABSENT = "mps" if torch.cuda.is_available() else "cuda"


def test_every_machine_has_a_cpu() -> None:
    assert choose_device("cpu") == "cpu"


def test_auto_takes_a_gpu_where_there_is_one() -> None:
    has_gpu = torch.cuda.is_available() or torch.mps.is_available()
    assert (choose_device("auto") == "cpu") == (not has_gpu)


def test_unknown_device_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ModelError, match="Choose one of auto, cpu, cuda, mps"):
        choose_device("tpu")


@pytest.mark.parametrize("name", [ABSENT, f"{ABSENT}:0"])
def test_device_that_this_machine_lacks_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match=rf"has no device '{name}'; it has cpu.* --device auto"):
        choose_device(name)


def test_torch_gets_its_threads_for_a_while() -> None:
    before = torch.get_num_threads()
    with torch_threads(3):
        assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == before


def test_torch_gets_its_threads_back_after_an_error() -> None:
    before = torch.get_num_threads()
    with pytest.raises(KeyError), torch_threads(before + 2):
        raise KeyError
    assert torch.get_num_threads() == before


def test_cores_are_some_of_the_machine() -> None:
    assert 1 <= n_cores() <= (os.cpu_count() or 1)
