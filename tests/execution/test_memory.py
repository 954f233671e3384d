"""Where memory runs out, fewer go together, what is done is kept, and the sums stay the same."""

import numpy as np
import pytest
import torch

from competition.execution.memory import AtOnce, pieces
from competition.utils.errors import ModelError


def refusing(limit: int, calls: list[int]):
    def work(rows):
        calls.append(len(rows))
        if len(rows) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB")
        return [2 * row for row in rows]

    return work


def test_items_come_in_order_and_what_is_done_is_kept():
    calls: list[int] = []
    at_once = AtOnce(8)
    found = list(at_once.each(refusing(3, calls), list(range(11))))
    assert [row for rows, _ in found for row in rows] == list(range(11))
    assert [two for _, twos in found for two in twos] == [2 * row for row in range(11)]
    assert calls == [8, 4, 2, 2, 2, 2, 2, 1]
    assert at_once.most == 2


def test_with_enough_memory_batches_are_those_asked_for():
    calls: list[int] = []
    list(AtOnce(4).each(refusing(100, calls), np.arange(10)))
    assert calls == [4, 4, 2]


def test_nothing_is_no_batch():
    assert list(AtOnce(4).each(refusing(1, []), [])) == []


def test_a_single_one_that_does_not_fit_is_named_in_one_line():
    with pytest.raises(ModelError) as told:
        AtOnce(4, "picture").again(lambda most: refusing(0, [])([1] * most))
    assert str(told.value) == (
        "A single picture does not fit into memory (CUDA out of memory.). Choose a smaller "
        "network, let it read less at once, or use --device cpu."
    )


def test_memory_of_the_processor_runs_out_too():
    """A real allocation of 2**45 bytes a row, which no machine grants."""

    def work(most: int) -> int:
        if most > 2:
            torch.empty(most * 2**45, dtype=torch.uint8)
        return most

    assert AtOnce(16).again(work) == 2


def test_another_fault_is_no_lack_of_memory():
    def work(most: int) -> None:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        AtOnce(16).again(work)


def test_gradients_of_pieces_add_up_to_those_of_the_mean():
    torch.manual_seed(0)
    x, y = torch.randn(13, 4), torch.randn(13)

    def of_weights(limit: int) -> torch.Tensor:
        weights = torch.ones(4, requires_grad=True)
        optimizer = torch.optim.SGD([weights])
        weights.grad = torch.full((4,), 7.0)  # of an earlier step

        def loss(some: np.ndarray) -> torch.Tensor:
            if len(some) > limit:
                raise torch.OutOfMemoryError
            return ((x[some] @ weights - y[some]) ** 2).mean()

        AtOnce(16).gradients(optimizer.zero_grad, loss, 13)
        return weights.grad

    torch.testing.assert_close(of_weights(5), of_weights(16))


def test_pieces_hold_all_rows_in_order():
    assert [piece.tolist() for piece in pieces(np.arange(5), 2)] == [[0, 1], [2, 3], [4]]
