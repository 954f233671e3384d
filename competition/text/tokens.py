"""Texts cut to what an encoder reads: the first tokens, or the first and the last."""

from collections.abc import Sequence
from typing import Any, Literal

Keep = Literal["first", "first_last"]

STEP = 16  # lengths of padded rows are multiples of it


def encode(tokenizer: Any, texts: Sequence[str], max_tokens: int, keep: Keep) -> list[list[int]]:
    """Turn texts into token ids, special tokens included.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerFast
    texts : sequence of str
    max_tokens : int
        Most tokens that are kept of a text; the special tokens around them are not counted.
    keep : {"first", "first_last"}
        Which tokens of a longer text are kept: the first `max_tokens`, or the first half of as many
        and the last half (of 256: the first and the last 128).

    Returns
    -------
    list of list of int
    """
    if not texts:
        return []
    tokenized = tokenizer(
        list(texts), truncation=False, return_special_tokens_mask=True, verbose=False
    )
    pairs = zip(tokenized["input_ids"], tokenized["special_tokens_mask"], strict=True)
    return [_cut(ids, special, max_tokens, keep) for ids, special in pairs]


def padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[Any, Any]:
    """Stack token ids of unequal length.

    Parameters
    ----------
    rows : sequence of sequences of int
    pad : int
        The id that shorter rows are filled up with, at their end.

    Returns
    -------
    ids, mask : torch.Tensor of shape (n_rows, length), dtype int64
        The mask is 1 where a token is, 0 where the row is filled up. The length is that of the
        longest row, rounded up to a multiple of 16: of every shape that a network meets, some
        memory stays taken.
    """
    import torch

    longest = -(-max(map(len, rows)) // STEP) * STEP
    ids = torch.full((len(rows), longest), pad, dtype=torch.int64)
    mask = torch.zeros((len(rows), longest), dtype=torch.int64)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens, dtype=torch.int64)
        mask[row, : len(tokens)] = 1
    return ids, mask


def _cut(ids: list[int], special: list[int], max_tokens: int, keep: Keep) -> list[int]:
    if len(ids) - sum(special) <= max_tokens:
        return ids
    start = special.index(0)  # special tokens come before and after the text's own, never between
    end = len(ids) - special[::-1].index(0)
    n_last = max_tokens // 2 if keep == "first_last" else 0
    kept = ids[start : start + max_tokens - n_last] + ids[end - n_last : end]
    return ids[:start] + kept + ids[end:]
