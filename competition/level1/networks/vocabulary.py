"""A tokenizer for encoders that are trained from scratch, made from training texts alone."""

from collections import Counter
from collections.abc import Iterable

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def character_tokenizer(texts: Iterable[str], min_count: int = 2) -> PreTrainedTokenizerFast:
    """Make a tokenizer of Chinese characters, and of words of scripts with spaces.

    Texts are split as BERT splits them before it looks for word pieces (Devlin et al. 2019): small
    letters, no accents, each Chinese character and punctuation mark by itself.

    Parameters
    ----------
    texts : iterable of str
        Of the training ads.
    min_count : int
        Characters and words met less often are unknown, as those met never.
    """
    normalizer = normalizers.BertNormalizer()
    splitter = pre_tokenizers.BertPreTokenizer()
    counts = Counter(
        token
        for text in texts
        for token, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))
    )
    common = [token for token, count in counts.items() if count >= min_count]
    ranked = sorted(set(common) - set(SPECIAL), key=lambda token: (-counts[token], token))
    tokenizer = Tokenizer(
        models.WordLevel({t: i for i, t in enumerate([*SPECIAL, *ranked])}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter
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
