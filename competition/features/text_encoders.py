"""Text encoders with their tokenizers; a checkpoint whose vectors would say nothing is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from competition.execution.memory import AtOnce
from competition.features.encoders import load_encoder, load_pretrained, network_class
from competition.features.hidden_layers import LAST, LayerOutput, layer_outputs
from competition.features.sentence_layers import Layer, read_sentence_layers
from competition.text.tokens import TokenPooling, pooled
from competition.utils.errors import CompetitionError, FeatureError

if TYPE_CHECKING:
    import torch

# Names that transformers gives to a network's table of positions.
_POSITIONS = frozenset({"position_embeddings", "position_embedding", "embed_positions", "wpe"})


@dataclass(frozen=True)
class TextEncoder:
    """A text encoder and its tokenizer.

    Attributes
    ----------
    network : transformers.PreTrainedModel
        Its output has ``last_hidden_state``.
    tokenizer : transformers.PreTrainedTokenizerBase
    longest : int
        Most tokens that the network reads at once, special ones included.
    pooling : {"mean", "cls", "last"}
        What stands for a text.
    layers : tuple of functions of a torch.Tensor of shape (n_texts, dims)
        What follows the pooling of the last hidden states.
    instruction : str
        Put before each text.
    """

    network: Any
    tokenizer: Any
    longest: int
    pooling: TokenPooling = "mean"
    layers: tuple[Layer, ...] = ()
    instruction: str = ""

    @property
    def padding(self) -> int:
        """The id that fills shorter rows; they are masked, so that any will do."""
        return int(self.tokenizer.pad_token_id or 0)

    def vectors(
        self, ids: torch.Tensor, mask: torch.Tensor, of: Sequence[int] = LAST
    ) -> torch.Tensor:
        """Encode padded texts, (n_texts, length), to (n_texts, dims), float32.

        `of` names layers of the network (`competition.features.hidden_layers`): their vectors stand
        side by side.
        """
        import torch

        there = self.network.device
        ids, mask = ids.to(there), mask.to(there)
        with torch.inference_mode():
            outputs = layer_outputs(self.network, of, input_ids=ids, attention_mask=mask)
            return torch.cat([self._vectors(output, mask) for output in outputs], dim=1)

    def _vectors(self, output: LayerOutput, mask: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = pooled(output.states.float(), mask, self.pooling)
        for layer in self.layers if output.is_last else ():
            found = layer(found)
        return found

    def try_out(self, checkpoint: str, n_tokens: int, of: Sequence[int] = LAST) -> None:
        """Encode a text of some tokens; what fails with it would fail with every such text.

        Raises
        ------
        FeatureError
            If the network fails, lacks one of the layers, or gives no vector for each token.
        """
        import torch

        ids = torch.full((1, n_tokens), _ordinary_ids(self.tokenizer)[-1])
        ids = ids.to(self.network.device)
        try:
            with torch.inference_mode():
                outputs = AtOnce(1, "text").again(
                    lambda _: layer_outputs(
                        self.network, of, input_ids=ids, attention_mask=torch.ones_like(ids)
                    )
                )
            fits = all(output.states.shape[:2] == ids.shape for output in outputs)
            reason = "it gives no vector for each token"
        except CompetitionError:
            raise
        except Exception as bad:  # whatever the network runs into
            fits, reason = False, f"{type(bad).__name__}: {str(bad).strip().splitlines()[0]}"
        if not fits:
            raise FeatureError(
                f"The checkpoint {checkpoint!r}, a {type(self.network).__name__}, cannot encode a "
                f"text of {n_tokens} tokens ({reason}). Choose another text encoder, or set "
                "max_tokens lower."
            )


def load_text_encoder(
    checkpoint: str,
    device: str,
    dtype: torch.dtype | None = None,
    *,
    pooling: TokenPooling | None = None,
    instruction: str | None = None,
) -> TextEncoder:
    """Load a text encoder, or the encoder alone of an encoder-decoder, for inference.

    A network that writes texts, such as Qwen3, is an encoder too: its last token knows of all.

    Parameters
    ----------
    checkpoint : str
        A hub name or a local folder.
    device : str
    dtype : torch.dtype, optional
        Of the weights; by default the device's.
    pooling : {"mean", "cls", "last"}, optional
        By default what the checkpoint says in ``1_Pooling``; where it says nothing, ``"mean"``,
        and ``"last"`` of a causal network.
    instruction : str, optional
        By default the checkpoint's own default prompt, if it has one.

    Raises
    ------
    FeatureError
        If the checkpoint cannot be read, lacks weights or a tokenizer's files, is no text encoder,
        has the tokenizer of another network, or modules after it that cannot be applied.
    """
    from transformers import MODEL_FOR_TEXT_ENCODING_MAPPING, AutoConfig, AutoTokenizer

    config = load_pretrained(AutoConfig.from_pretrained, checkpoint)
    _check_family(config, checkpoint)
    # The encoder alone of a T5 is loaded; that of a BART comes with its decoder.
    alone = config.is_encoder_decoder and type(config) in MODEL_FOR_TEXT_ENCODING_MAPPING
    auto = "AutoModelForTextEncoding" if alone else "AutoModel"
    network = load_encoder(checkpoint, device, ("pooler",), auto=auto, dtype=dtype)
    if config.is_encoder_decoder:
        network = network.get_encoder()
    if causal := _is_causal(config):
        network.config.use_cache = False  # of a text that is not written on
    tokenizer = load_pretrained(AutoTokenizer.from_pretrained, checkpoint)
    _check_tokenizer(tokenizer, network, checkpoint)
    said = read_sentence_layers(checkpoint, pooling, instruction, network.config.hidden_size)
    chosen = said.pooling or ("last" if causal else "mean")
    if causal and chosen == "cls":
        raise FeatureError(
            f"The checkpoint {checkpoint!r} is a {type(network).__name__}, whose first token knows "
            "nothing of those after it. Set pooling to last or mean."
        )
    longest = _longest(network, tokenizer)
    return TextEncoder(network, tokenizer, longest, chosen, said.layers, said.instruction)


def _check_family(config: Any, checkpoint: str) -> None:
    network = network_class(config)
    read = getattr(network, "input_modalities", "text")
    kinds = (read,) if isinstance(read, str) else tuple(read)
    if network is not None and kinds != ("text",):
        raise FeatureError(
            f"The checkpoint {checkpoint!r} is no text encoder but a {network.__name__}, which "
            f"reads {' and '.join(kinds)}. Choose one such as bert-base-chinese."
        )


def _is_causal(config: Any) -> bool:
    """Whether a token knows only of those before it."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING

    if getattr(config, "is_decoder", False):
        return True
    # EmbeddingGemma is of a causal family, and reads both ways.
    both_ways = (
        config.is_encoder_decoder
        or type(config) in MODEL_FOR_MASKED_LM_MAPPING
        or getattr(config, "use_bidirectional_attention", False)
    )
    return type(config) in MODEL_FOR_CAUSAL_LM_MAPPING and not both_ways


def _check_tokenizer(tokenizer: Any, network: Any, checkpoint: str) -> None:
    ids = _ordinary_ids(tokenizer)
    n_embeddings = network.get_input_embeddings().weight.shape[0]
    if not ids:
        files = dict(type(tokenizer).vocab_files_names)
        names = " or ".join(dict.fromkeys(files.values()))
        raise FeatureError(
            f"The checkpoint {checkpoint!r} lacks the files of a tokenizer ({names}), so that "
            "every word would be unknown. Put them beside its config.json."
        )
    largest = max(ids[-1], *tokenizer("")["input_ids"], tokenizer.pad_token_id or 0)
    # Tables of embeddings are filled up to round numbers, not to twice the words.
    if largest >= n_embeddings or len(ids) < n_embeddings // 2:
        raise FeatureError(
            f"The checkpoint {checkpoint!r} has the tokenizer of another network: it knows "
            f"{len(ids):,} words and pieces with ids up to {largest:,}, and the network has "
            f"{n_embeddings:,} embeddings. Put the right tokenizer's files into the folder."
        )


def _ordinary_ids(tokenizer: Any) -> list[int]:
    """Ids of what is no special token and no mere mark of a space, ascending."""
    special = {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}
    return sorted(
        number
        for token, number in tokenizer.get_vocab().items()
        if token not in special and token.strip("▁ĠĊ ")
    )


def _longest(network: Any, tokenizer: Any) -> int:
    from torch import nn

    limits = [tokenizer.model_max_length]
    if (stated := getattr(network.config, "max_position_embeddings", None)) is not None:
        limits.append(stated)
    for name, module in network.named_modules():
        if name.rpartition(".")[2] in _POSITIONS and isinstance(module, nn.Embedding):
            # RoBERTa and its kin count positions from the one after that of the padding.
            padding = getattr(module, "padding_idx", None)
            first = getattr(module, "offset", 0) if padding is None else padding + 1
            limits.append(module.num_embeddings - first)
    return int(min(limits))
