"""Texts as token ids, cut to the first tokens, or to the first and the last."""

from collections.abc import Sequence
from typing import Any, Literal

Keep = Literal["first", "first_last"]
TokenPooling = Literal["mean", "cls", "last"]

STEP = 16  # lengths of padded rows are multiples of it


def encode(tokenizer: Any, texts: Sequence[str], max_tokens: int, keep: Keep) -> list[list[int]]:
    """Turn texts into token ids, special tokens included.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerFast
    texts : sequence of str
    max_tokens : int
        Largest number of tokens of a text, without the special tokens around them.
    keep : {"first", "first_last"}
        Which tokens of a longer text are kept: the first `max_tokens`, or half as many from its
        beginning and half from its end (of 256: the first and the last 128).

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


def padded(rows: Sequence[Sequence[int]], pad: int, most: int) -> tuple[Any, Any]:
    """Stack token ids of unequal length.

    Parameters
    ----------
    rows : sequence of sequences of int
    pad : int
        The id that fills shorter rows at their end.
    most : int
        Longest row that the network reads; no row of ids is longer.

    Returns
    -------
    ids, mask : torch.Tensor of shape (n_rows, length), dtype int64
        The mask is 1 for a token and 0 for padding. The length is that of the longest row, rounded
        up to a multiple of 16 as far as `most` allows: PyTorch keeps memory for every shape that a
        network has seen.
    """
    import torch

    longest = min(-(-max(map(len, rows)) // STEP) * STEP, most)
    ids = torch.full((len(rows), longest), pad, dtype=torch.int64)
    mask = torch.zeros((len(rows), longest), dtype=torch.int64)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens, dtype=torch.int64)
        mask[row, : len(tokens)] = 1
    return ids, mask


def pooled(hidden: Any, mask: Any, pooling: TokenPooling) -> Any:
    """Return one vector of each text, made from those of its tokens.

    Parameters
    ----------
    hidden : torch.Tensor of shape (n_texts, length, dims)
    mask : torch.Tensor of shape (n_texts, length), dtype int64
        1 for a token and 0 for padding, whichever side that is on.
    pooling : {"mean", "cls", "last"}
        The mean of the tokens, special ones included, the first one, or the last one.

    Returns
    -------
    torch.Tensor of shape (n_texts, dims)
    """
    import torch

    if pooling == "mean":
        real = mask.unsqueeze(2).to(hidden.dtype)
        return (hidden * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)
    places = torch.arange(1, mask.shape[1] + 1, device=mask.device)
    chosen = (mask if pooling == "cls" else mask * places).argmax(dim=1)
    return hidden[torch.arange(len(hidden), device=hidden.device), chosen]


def _cut(ids: list[int], special: list[int], max_tokens: int, keep: Keep) -> list[int]:
    if len(ids) - sum(special) <= max_tokens:
        return ids
    start = special.index(
        0
    )  # special tokens stand before and after those of the text, never between them
    end = len(ids) - special[::-1].index(0)
    n_last = max_tokens // 2 if keep == "first_last" else 0
    kept = ids[start : start + max_tokens - n_last] + ids[end - n_last : end]
    return ids[:start] + kept + ids[end:]
