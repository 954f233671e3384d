"""Tiny checkpoints of encoders of sound, with random weights, in the form of real ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

_SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
_WAVES = {**_SMALL, "conv_dim": (16,) * 7, "num_conv_pos_embeddings": 8, "vocab_size": 5}
_WAVES |= {"num_conv_pos_embedding_groups": 2}


def _saved(folder: Path, make: Callable[[], Any], processor: Any) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        make().save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def made_ast(folder: Path) -> Path:
    """Save an AST with a head that hears 1.295 s."""
    config = transformers.ASTConfig(**_SMALL, num_mel_bins=32, max_length=128)
    processor = transformers.ASTFeatureExtractor(num_mel_bins=32, max_length=128)
    return _saved(folder, lambda: transformers.ASTForAudioClassification(config), processor)


def made_clap(folder: Path, *, fusion: bool = True) -> Path:
    """Save both towers of a CLAP that hears 2 s at 48,000 samples a second."""
    audio = {"depths": [1, 1], "num_attention_heads": [2, 2], "num_mel_bins": 16, "spec_size": 64}
    audio |= {"window_size": 4, "patch_embeds_hidden_size": 8, "hidden_size": 16}
    audio |= {"enable_fusion": fusion, "fusion_type": None, "aff_block_r": 2}
    text = {**_SMALL, "vocab_size": 20, "max_position_embeddings": 40}
    config = transformers.ClapConfig(text_config=text, audio_config=audio, projection_dim=12)
    processor = transformers.ClapFeatureExtractor(
        feature_size=16, max_length_s=2, truncation="fusion" if fusion else "rand_trunc"
    )
    return _saved(folder, lambda: transformers.ClapModel(config), processor)


def made_waves(folder: Path, family: str, norm: str = "group") -> Path:
    """Save a Wav2Vec2, Hubert or WavLM with a head for letters."""
    stable = norm == "layer"
    more = {"feat_extract_norm": norm, "do_stable_layer_norm": stable, "conv_bias": stable}
    config = getattr(transformers, f"{family}Config")(**_WAVES, **more)
    processor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=stable)
    return _saved(folder, lambda: getattr(transformers, f"{family}ForCTC")(config), processor)


def made_whisper(folder: Path, seconds: int = 3) -> Path:
    """Save encoder and decoder of a Whisper that hears some seconds."""
    config = transformers.WhisperConfig(
        d_model=16,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_mel_bins=16,
        max_source_positions=50 * seconds,
        vocab_size=20,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=3,
    )
    processor = transformers.WhisperFeatureExtractor(feature_size=16, chunk_length=seconds)
    return _saved(folder, lambda: transformers.WhisperForConditionalGeneration(config), processor)


MADE: dict[str, Callable[[Path], Path]] = {
    "AST": made_ast,
    "CLAP": made_clap,
    "CLAP without fusion": lambda folder: made_clap(folder, fusion=False),
    "Wav2Vec2": lambda folder: made_waves(folder, "Wav2Vec2"),
    "Wav2Vec2 with layer norms": lambda folder: made_waves(folder, "Wav2Vec2", "layer"),
    "HuBERT": lambda folder: made_waves(folder, "Hubert"),
    "WavLM": lambda folder: made_waves(folder, "WavLM"),
    "Whisper": made_whisper,
}
