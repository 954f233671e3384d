"""Words that are spoken, by a Whisper checkpoint."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from competition.execution.devices import choose_device
from competition.features.base import Item
from competition.features.chunked import ChunkedExtractor, Network
from competition.features.encoders import (
    LOADING,
    check_weights,
    checkpoint_files,
    load_pretrained,
    network_dtype,
    unnamed,
)
from competition.features.registry import extractor
from competition.media.sound import read_sound
from competition.utils.errors import FeatureError
from competition.utils.parameters import Count
from competition.utils.quiet import quiet

RATE = 16_000  # samples a second
WINDOW = 30 * RATE  # samples that Whisper hears at once
LATEST = 5 * RATE  # a longer sound is cut somewhere in the last samples of a window, ...
PAUSE = RATE // 10  # ... in the middle of its quietest stretch of this length
SILENCE = 1e-3  # no sample of a silent window is louder: -60 dB of full scale

# Where no word is likely and the words that are found are unlikely, there are none: section 4.5
# of A. Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022.
NO_SPEECH, LOG_PROBABILITY = 0.6, -1.0


@extractor("asr", kinds=("video", "audio"), gives="text", version=1)
class ASR(ChunkedExtractor):
    """The transcript of the sound, by any Whisper of Hugging Face's.

    Sound of more than 30 seconds is cut in pauses, near the end of each window of 30 seconds. The
    texts of the windows are joined by ``|``. Silence and sound without speech give no text.
    Windows of many ads fill one batch. The likeliest token is taken at each step, so the same
    sound gives the same text.

    Parameters
    ----------
    checkpoint : str
        A hub name or a local folder; "" leaves the feature out.
    language : str or None
        What is spoken, as a name or a code, such as ``"zh"``; None lets the network find out,
        for each window.
    max_new_tokens : int
        Longest text of a window. 224 is half of what Whisper's decoder can hold, as in its own
        transcription.
    device : str
    batch_size : int
        Windows per pass of the network; only on a GPU are they of several ads.
    """

    libraries = ("av", "torch", "transformers")
    hears = True

    def __init__(
        self,
        checkpoint: str = "",
        language: str | None = None,
        max_new_tokens: Count = 224,
        device: str = "auto",
        batch_size: Count = 8,
    ) -> None:
        self.checkpoint = checkpoint
        self.language = language
        self.max_new_tokens = max_new_tokens
        self.device = device
        self.batch_size = batch_size

    def lacks(self) -> str:
        """Say that no checkpoint is named, if so."""
        return unnamed(self.checkpoint, "Whisper", " such as openai/whisper-small")

    def files(self) -> Sequence[Path]:
        """Files of a checkpoint in a local folder."""
        return checkpoint_files(self.checkpoint)

    def read(self, item: Item) -> Iterator[np.ndarray]:
        """Yield the windows that are not silent, shape (1, WINDOW), dtype float32."""
        for window in windows(read_sound(item.path, RATE)):
            if np.abs(window).max() > SILENCE:
                yield np.pad(window, (0, WINDOW - len(window)))[None]

    def load(self) -> Network:
        """Return the network with its processor.

        Raises
        ------
        FeatureError
            If the checkpoint cannot be loaded or is no Whisper, or it knows no such language.
        """
        import torch

        there = choose_device(self.device)
        dtype = network_dtype(there)
        network, processor = _load_whisper(self.checkpoint, dtype)
        network.to(there)
        options: dict[str, Any] = {"max_new_tokens": self._checked_length(network)}
        if getattr(network.generation_config, "lang_to_id", None):
            options |= {"task": "transcribe", "language": self._checked_language(network)}
        elif self.language is not None:
            raise FeatureError(
                f"asr: the checkpoint {self.checkpoint!r} knows one language only. Leave language "
                "out."
            )

        def run(sounds: np.ndarray) -> list[str]:
            inputs = processor.feature_extractor(
                sounds, sampling_rate=RATE, return_attention_mask=True, return_tensors="pt"
            )
            with torch.inference_mode(), quiet():
                tokens = network.generate(
                    inputs.input_features.to(there, dtype),
                    attention_mask=inputs.attention_mask.to(there),
                    return_timestamps=False,
                    do_sample=False,
                    num_beams=1,
                    temperature=0.0,
                    no_speech_threshold=NO_SPEECH,
                    logprob_threshold=LOG_PROBABILITY,
                    **options,
                )
            # Where a window gives no token, transformers returns them as floating-point numbers.
            texts: list[str] = processor.batch_decode(tokens.long(), skip_special_tokens=True)
            return texts

        return run

    def join(self, results: list[Any]) -> str:
        """Join the texts of the windows by ``|``."""
        return "|".join(text.strip() for text in results if text.strip())

    def _checked_language(self, network: Any) -> str | None:
        if self.language is None:
            return None
        from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

        known = network.generation_config.lang_to_id
        code = TO_LANGUAGE_CODE.get(self.language.lower(), self.language.lower())
        if f"<|{code}|>" not in known:
            codes = ", ".join(sorted(token.strip("<|>") for token in known))
            raise FeatureError(
                f"asr: the checkpoint {self.checkpoint!r} knows no language {self.language!r}; it "
                f"knows {codes}."
            )
        return code

    def _checked_length(self, network: Any) -> int:
        longest = network.config.max_target_positions - 4  # start, language, task, no timestamps
        if not 1 <= self.max_new_tokens <= longest:
            raise FeatureError(
                f"asr: max_new_tokens is {self.max_new_tokens}; the checkpoint {self.checkpoint!r} "
                f"takes 1 to {longest}."
            )
        return self.max_new_tokens


def windows(sound: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Cut a sound that comes in chunks into windows of at most WINDOW samples, in pauses.

    Yields
    ------
    ndarray of shape (n_samples,), dtype float32
        Joined, they are the sound.
    """
    waiting = np.empty(0, dtype=np.float32)
    for chunk in sound:
        waiting = np.concatenate([waiting, chunk])
        while len(waiting) > WINDOW:
            cut = WINDOW - LATEST + _quietest(waiting[WINDOW - LATEST : WINDOW])
            yield waiting[:cut]
            waiting = waiting[cut:]
    if len(waiting):
        yield waiting


def _quietest(sound: np.ndarray) -> int:
    """Middle of the stretch of PAUSE samples that has the least energy."""
    energy = np.cumsum(sound.astype(np.float64) ** 2)
    return int(np.argmin(energy[PAUSE:] - energy[:-PAUSE])) + PAUSE // 2


def _load_whisper(model: str, dtype: Any) -> tuple[Any, Any]:
    from transformers import AutoConfig, WhisperForConditionalGeneration, WhisperProcessor

    config = load_pretrained(AutoConfig.from_pretrained, model)
    if config.model_type != "whisper":
        raise FeatureError(
            f"The checkpoint {model!r} is no Whisper but a {config.model_type}. asr needs one, "
            "such as openai/whisper-small."
        )
    network, info = load_pretrained(
        WhisperForConditionalGeneration.from_pretrained,
        model,
        dtype=dtype,
        **LOADING,
    )
    check_weights(network, info, model)
    if not hasattr(network.generation_config, "no_timestamps_token_id"):
        raise FeatureError(
            f"The checkpoint {model!r} does not say which tokens stand for what: it needs the "
            "generation_config.json of the Whisper that it was made from."
        )
    processor = load_pretrained(WhisperProcessor.from_pretrained, model)
    _check_processor(processor, network, model)
    return network.eval().requires_grad_(False), processor


def _check_processor(processor: Any, network: Any, model: str) -> None:
    tokenizer, heard = processor.tokenizer, processor.feature_extractor.feature_size
    if len(tokenizer) <= len({*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}):
        names = " or ".join(dict.fromkeys(type(tokenizer).vocab_files_names.values()))
        raise FeatureError(
            f"The checkpoint {model!r} lacks the files of a tokenizer ({names}), so that nothing "
            "that is heard could be written. Put them beside its config.json."
        )
    if heard != network.config.num_mel_bins:
        raise FeatureError(
            f"The checkpoint {model!r} reads {network.config.num_mel_bins} mel bands, and its "
            f"preprocessor_config.json gives {heard}. Put the right one into the folder."
        )
