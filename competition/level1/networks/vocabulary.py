"""A tokenizer for encoders that are trained from scratch, made from training texts alone."""

from collections import Counter
from collections.abc import Iterable

from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from competition.text.words import tokenize

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def spaced(text: str) -> str:
    """Words of a text with spaces between them, as `competition.text.words` cuts it."""
    return " ".join(tokenize(text, "word"))


def new_tokenizer(texts: Iterable[str], min_count: int = 2) -> PreTrainedTokenizerFast:
    """Make a tokenizer of the words of training texts, and of characters for rarer words.

    A word is one token where it is common. Where not, it is cut from the left into the longest
    pieces that are (Wu et al. 2016, greedy longest match, but pieces within a word carry no mark).
    A few hundred ads cannot teach a network what each character means in each word.

    Parameters
    ----------
    texts : iterable of str
        Of the training ads, as `spaced` returns them.
    min_count : int
        Words and characters met less often are unknown, as those met never.
    """
    words = Counter(word for text in texts for word in text.split())
    counts = Counter(words)
    for word, count in words.items():
        for character in word if len(word) > 1 else ():
            counts[character] += count
    common = [token for token, count in counts.items() if count >= min_count]
    ranked = sorted(set(common) - set(SPECIAL), key=lambda token: (-counts[token], token))
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *ranked])}
    tokenizer = Tokenizer(
        models.WordPiece(vocabulary, unk_token="[UNK]", continuing_subword_prefix="")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )
