"""Pre-trained encoders of sound with their feature extractors, each family by its own rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from competition.execution.devices import choose_device
from competition.execution.memory import AtOnce
from competition.features.encoders import (
    LOADING,
    check_weights,
    load_encoder,
    load_pretrained,
    network_class,
)
from competition.utils.errors import CompetitionError, FeatureError

if TYPE_CHECKING:
    import torch

Family = Literal["AST", "CLAP", "Wav2Vec2", "Whisper"]

# By the model_type of config.json. HuBERT and WavLM read samples, as Wav2Vec2 does.
FAMILIES: dict[str, Family] = {
    "audio-spectrogram-transformer": "AST",
    "clap": "CLAP",
    "clap_audio_model": "CLAP",
    "hubert": "Wav2Vec2",
    "wav2vec2": "Wav2Vec2",
    "wavlm": "Wav2Vec2",
    "whisper": "Whisper",
}
_EXTRACTORS: dict[Family, str] = {
    "AST": "ASTFeatureExtractor",
    "CLAP": "ClapFeatureExtractor",
    "Wav2Vec2": "Wav2Vec2FeatureExtractor",
    "Whisper": "WhisperFeatureExtractor",
}
SECONDS = 10  # of a window where the network hears any length
# Samples of a frame of AST's spectrogram, and between two: fixed in its feature extractor.
_AST_FRAME, _AST_HOP = 400, 160
_WHISPER_STRIDE = 2  # spectrogram frames that become one frame of the encoder


@dataclass(frozen=True)
class Preparation:
    """How the sound of a checkpoint is prepared.

    Attributes
    ----------
    family : {"AST", "CLAP", "Wav2Vec2", "Whisper"}
    processor : transformers.SequenceFeatureExtractor
    """

    family: Family
    processor: Any

    @property
    def rate(self) -> int:
        """Samples a second."""
        return int(self.processor.sampling_rate)

    @property
    def at_once(self) -> int | None:
        """Most samples that the network hears at once; None where there is no limit."""
        if self.family == "AST":
            return int((self.processor.max_length - 1) * _AST_HOP + _AST_FRAME)
        if self.family == "CLAP":
            return int(self.processor.nb_max_samples)
        return int(self.processor.n_samples) if self.family == "Whisper" else None


@lru_cache(maxsize=4)  # asked for again with each ad
def load_preparation(checkpoint: str) -> Preparation:
    """Load the feature extractor of a checkpoint.

    Parameters
    ----------
    checkpoint : str
        A hub name or a local folder.

    Raises
    ------
    FeatureError
        If the checkpoint cannot be read, is no encoder of sound of a known family, or comes with
        the feature extractor of another one.
    """
    from transformers import AutoConfig, AutoFeatureExtractor

    config = load_pretrained(AutoConfig.from_pretrained, checkpoint)
    family = FAMILIES.get(config.model_type)
    if family is None:
        what = getattr(network_class(config), "__name__", config.model_type)
        raise FeatureError(
            f"The checkpoint {checkpoint!r} is no encoder of sound that can be used but a {what}. "
            "Choose an AST, CLAP, HuBERT, Wav2Vec2, WavLM or Whisper, such as "
            "MIT/ast-finetuned-audioset-10-10-0.4593."
        )
    processor = load_pretrained(AutoFeatureExtractor.from_pretrained, checkpoint)
    if type(processor).__name__ != _EXTRACTORS[family]:
        raise FeatureError(
            f"The checkpoint {checkpoint!r}, of the family {family}, comes with a "
            f"{type(processor).__name__} in place of a {_EXTRACTORS[family]}. Put the right "
            "preprocessor_config.json into the folder."
        )
    return Preparation(family, processor)


@dataclass(frozen=True)
class SoundEncoder:
    """An encoder of sound; of a network with several towers, that of sound alone.

    Attributes
    ----------
    network : transformers.PreTrainedModel
    preparation : Preparation
    """

    network: Any
    preparation: Preparation

    def vectors(self, sounds: Sequence[np.ndarray]) -> np.ndarray:
        """Encode sounds of any length up to `Preparation.at_once`.

        A vector depends on no other sound: those of different lengths are not padded to one, but
        where a network hears one length only.

        Parameters
        ----------
        sounds : sequence of ndarray of shape (n_samples,), dtype float32

        Returns
        -------
        ndarray of shape (n_sounds, dims), dtype float32
        """
        import torch

        by_length: dict[int, list[int]] = defaultdict(list)
        for row, sound in enumerate(sounds):
            free = self.preparation.at_once is None
            by_length[len(sound) if free else 0].append(row)
        found: list[np.ndarray] = [np.empty(0)] * len(sounds)
        with torch.inference_mode():
            for rows in by_length.values():
                encoded = self._encode([sounds[row] for row in rows]).float().cpu().numpy()
                for row, vector in zip(rows, encoded, strict=True):
                    found[row] = vector
        return np.stack(found)

    def _encode(self, sounds: list[np.ndarray]) -> torch.Tensor:
        import torch

        there = self.network.device
        inputs = self.preparation.processor(
            sounds, sampling_rate=self.preparation.rate, return_tensors="pt"
        )
        match self.preparation.family:
            case "AST":  # the mean of its two tokens of the whole
                found = self.network(inputs["input_values"].float().to(there)).pooler_output
            case "CLAP":
                # A sound alone always counts as longer; in a batch the feature extractor draws
                # one by chance.
                longer = torch.ones((len(sounds), 1), dtype=torch.bool, device=there)
                heard = self.network(inputs["input_features"].float().to(there), is_longer=longer)
                found = torch.nn.functional.normalize(heard.audio_embeds, dim=-1)
            case "Whisper":
                hidden = self.network(inputs["input_features"].float().to(there)).last_hidden_state
                found = torch.stack(
                    [
                        frames[: self._n_frames(len(sound))].mean(0)
                        for frames, sound in zip(hidden, sounds, strict=True)
                    ]
                )
            case _:
                hidden = self.network(inputs["input_values"].float().to(there)).last_hidden_state
                found = hidden.mean(1)
        return found

    def _n_frames(self, n_samples: int) -> int:
        """Number of Whisper's frames that hold sound; the rest of 30 seconds is padding."""
        return -(-n_samples // (_WHISPER_STRIDE * int(self.preparation.processor.hop_length)))


def load_sound_encoder(checkpoint: str, device: str) -> SoundEncoder:
    """Load an encoder of sound for inference, in float32.

    Parameters
    ----------
    checkpoint : str
        A hub name or a local folder.
    device : str

    Raises
    ------
    FeatureError
        If the checkpoint cannot be read, is no encoder of sound, lacks weights, or its network
        cannot hear what its feature extractor prepares.
    """
    import torch

    preparation = load_preparation(checkpoint)
    if preparation.family == "Whisper":
        network = _whisper(checkpoint, device)
    else:
        auto = "ClapAudioModelWithProjection" if preparation.family == "CLAP" else "AutoModel"
        # The mask of hidden states is of use in training alone.
        spared = ("masked_spec_embed",)
        network = load_encoder(checkpoint, device, spared, auto=auto, dtype=torch.float32)
    encoder = SoundEncoder(network, preparation)
    n_samples = min(preparation.rate, preparation.at_once or preparation.rate)
    try:
        silence = np.zeros(n_samples, dtype=np.float32)
        AtOnce(1, "sound").again(lambda _: encoder.vectors([silence]))
    except CompetitionError:
        raise
    except Exception as bad:  # whatever the network runs into
        reason = f"{type(bad).__name__}: {str(bad).strip().splitlines()[0]}"
        raise FeatureError(
            f"The checkpoint {checkpoint!r}, a {type(network).__name__}, cannot hear what its "
            f"feature extractor prepares ({reason}). Put the right config.json and "
            "preprocessor_config.json into the folder."
        ) from bad
    return encoder


def _whisper(checkpoint: str, device: str) -> Any:
    """Load the encoder of a Whisper, which transformers loads with its decoder only."""
    import torch
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    network, info = load_pretrained(
        WhisperEncoder.from_pretrained,
        checkpoint,
        dtype=torch.float32,
        key_mapping={r"^(model\.)?encoder\.": ""},
        **LOADING,
    )
    check_weights(network, info, checkpoint)
    return network.eval().requires_grad_(False).to(choose_device(device))
