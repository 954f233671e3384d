import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    GenerationConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

from competition.features.base import Item
from competition.features.extractors.asr import ASR, WINDOW, windows
from competition.features.registry import get_extractor
from competition.utils.errors import FeatureError, MediaError
from tests.media.made_sound import load_sound, tone, write_silent_film, write_sound

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SPECIAL = [
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|en|>",
    "<|zh|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
]
IDS = {token: number for number, token in enumerate([*LETTERS, *SPECIAL])}


def make_whisper() -> WhisperForConditionalGeneration:
    """A random Whisper that writes letters."""
    torch.manual_seed(0)
    end, start = IDS["<|endoftext|>"], IDS["<|startoftranscript|>"]
    ends = {"pad_token_id": end, "bos_token_id": end, "eos_token_id": end}
    config = WhisperConfig(
        vocab_size=len(IDS),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_target_positions=64,
        init_std=1.0,
        decoder_start_token_id=start,
        **ends,
    )
    whisper = WhisperForConditionalGeneration(config)
    whisper.generation_config = GenerationConfig(
        decoder_start_token_id=start,
        is_multilingual=True,
        lang_to_id={token: IDS[token] for token in ("<|en|>", "<|zh|>")},
        task_to_id={task: IDS[f"<|{task}|>"] for task in ("translate", "transcribe")},
        no_timestamps_token_id=IDS["<|notimestamps|>"],
        suppress_tokens=[IDS[token] for token in SPECIAL[1:]],
        begin_suppress_tokens=[end],
        **ends,
    )
    return whisper


def save(whisper: WhisperForConditionalGeneration, folder: Path) -> str:
    tokenizer = WhisperTokenizer(vocab=dict(IDS), merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL[1:]})
    whisper.save_pretrained(folder)
    WhisperProcessor(WhisperFeatureExtractor(), tokenizer).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save(make_whisper(), tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module")
def asr(folder: str) -> ASR:
    """An extractor that has its network, in float32: roundings to bfloat16 may tip a letter."""
    extractor = ASR(folder, language="zh", max_new_tokens=12, device="cpu", batch_size=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "competition.features.extractors.asr.network_dtype", lambda device: torch.float32
        )
        extractor.network_ = extractor.load()
    return extractor


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two seconds, 65 seconds (three windows) and five seconds of different tones in noise."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    paths = []
    for hertz, seconds in ((300, 2), (1_200, 65), (2_500, 5)):
        sound = tone(hertz, seconds, 16_000) + rng.normal(0, hertz / 5e4, 16_000 * seconds)
        paths.append(write_sound(folder / f"{hertz}.wav", sound.clip(-1, 1)[None], rate=16_000))
    return paths


def test_each_window_gives_one_segment(asr: ASR, sounds: list[Path]):
    texts = [asr.extract_one(Item("audio", path)) for path in sounds]

    assert [text.count("|") + 1 for text in texts] == [1, 3, 1]
    for text in texts:
        assert re.fullmatch(r"[a-z]{1,12}(\|[a-z]{1,12})*", text)
    assert len(set(texts)) == 3


def test_the_text_is_the_likeliest_token_step_by_step(asr: ASR, folder: str, sounds: list[Path]):
    whisper = WhisperForConditionalGeneration.from_pretrained(folder).eval()
    data = np.zeros(WINDOW, dtype=np.float32)
    sound = load_sound(sounds[0])
    data[: len(sound)] = sound
    features = WhisperFeatureExtractor()(data, sampling_rate=16_000, return_tensors="pt")
    prompt = ["<|startoftranscript|>", "<|zh|>", "<|transcribe|>", "<|notimestamps|>"]
    tokens = [IDS[token] for token in prompt]
    for step in range(12):
        with torch.inference_mode():
            logits = whisper(
                input_features=features.input_features, decoder_input_ids=torch.tensor([tokens])
            ).logits[0, -1]
        allowed = len(LETTERS) + (step > 0)  # the end, too, but not at once
        tokens.append(int(logits[:allowed].argmax()))
        if tokens[-1] == IDS["<|endoftext|>"]:
            break

    expected = "".join(LETTERS[token] for token in tokens[4:] if token < len(LETTERS))
    assert asr.extract_one(Item("audio", sounds[0])) == expected


def test_ads_keep_their_own_texts_whatever_the_batches(
    asr: ASR, sounds: list[Path], tmp_path: Path
):
    film = write_silent_film(tmp_path / "silent.mp4")
    silence = write_sound(tmp_path / "silence.wav", np.zeros((1, 48_000)))
    items = [Item("video", path) for path in (sounds[0], film, sounds[1], silence, sounds[2])]

    results = list(asr.extract(items))

    alone = [asr.extract_one(Item("audio", path)) for path in sounds]
    assert isinstance(results[1], MediaError)
    assert "no sound stream" in str(results[1])
    assert [results[0], results[2], results[3], results[4]] == [*alone[:2], "", alone[2]]
    in_processes = list(asr.extract(items, n_workers=2))
    assert [str(result) for result in in_processes] == [str(result) for result in results]


def test_the_language_is_found_out_where_it_is_not_given(folder: str, sounds: list[Path]):
    item = Item("audio", sounds[0])
    asked, english, chinese = (
        ASR(folder, language=language, max_new_tokens=12, device="cpu").extract_one(item)
        for language in (None, "English", "zh")
    )

    assert english != chinese
    assert asked in (english, chinese)


def test_sound_without_speech_gives_no_text(folder: str, sounds: list[Path], tmp_path: Path):
    whisper = make_whisper()
    decoder = whisper.model.decoder
    with torch.no_grad():  # sure that there is no speech, and unsure of every letter
        decoder.embed_tokens.weight[: len(LETTERS) + 1] *= 0.01
        decoder.layer_norm.weight.zero_()
        decoder.layer_norm.bias.copy_(decoder.embed_tokens.weight[IDS["<|nospeech|>"]])
    deaf = ASR(save(whisper, tmp_path / "deaf"), device="cpu", max_new_tokens=12)

    assert list(deaf.extract([Item("audio", path) for path in sounds])) == ["", "", ""]


def test_windows_without_speech_cost_the_others_of_their_batch_nothing(
    asr: ASR, folder: str, sounds: list[Path], monkeypatch: pytest.MonkeyPatch
):
    whisper = WhisperForConditionalGeneration.from_pretrained(folder).eval()
    batch = np.concatenate([next(asr.read(Item("audio", path))) for path in sounds])
    features = WhisperFeatureExtractor()(batch, sampling_rate=16_000, return_tensors="pt")
    start = torch.full((3, 1), IDS["<|startoftranscript|>"])
    with torch.inference_mode():
        logits = whisper(input_features=features.input_features, decoder_input_ids=start).logits
    no_speech = logits[:, 0].softmax(-1)[:, IDS["<|nospeech|>"]].tolist()
    whole = list(asr.network_(batch))

    monkeypatch.setattr(
        "competition.features.extractors.asr.NO_SPEECH", sorted(no_speech)[1] * 1.001
    )
    monkeypatch.setattr("competition.features.extractors.asr.LOG_PROBABILITY", 0.0)
    some = list(asr.network_(batch))

    dropped = int(np.argmax(no_speech))
    assert all(whole)
    assert some == [text if row != dropped else "" for row, text in enumerate(whole)]


def test_windows_join_to_the_sound_and_are_cut_in_pauses():
    rng = np.random.default_rng(0)
    sound = rng.uniform(-0.5, 0.5, 75 * 16_000).astype(np.float32)
    pauses = [27 * 16_000, 54 * 16_000]
    for pause in pauses:
        sound[pause - 2_000 : pause + 2_000] *= 0.01
    chunks = [sound[start : start + 7_777] for start in range(0, len(sound), 7_777)]

    cut = list(windows(chunks))

    np.testing.assert_array_equal(np.concatenate(cut), sound)
    assert max(map(len, cut)) <= WINDOW
    ends = np.cumsum([len(window) for window in cut])
    assert len(ends) == 3
    assert np.abs(ends[:2] - pauses).max() <= 1_600


@pytest.mark.parametrize(("seconds", "n_windows"), [(0.01, 1), (30, 1), (30.1, 2)])
def test_only_sound_of_more_than_30_seconds_is_cut(seconds: float, n_windows: int):
    sound = np.ones(round(16_000 * seconds), dtype=np.float32)

    assert len(list(windows([sound]))) == n_windows


def test_it_says_what_it_lacks(folder: str):
    assert "openai/whisper-small" in ASR().lacks()
    assert ASR(folder).lacks() == ""
    assert "model.safetensors" in [path.name for path in ASR(folder).files()]


def other_network(folder: Path) -> None:
    BertModel(
        BertConfig(
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
            intermediate_size=8,
            vocab_size=9,
        )
    ).save_pretrained(folder)


def without_weights(folder: Path) -> None:
    save(make_whisper(), folder)
    (folder / "model.safetensors").unlink()


def without_tokens(folder: Path) -> None:
    save(make_whisper(), folder)
    path = folder / "generation_config.json"
    settings = json.loads(path.read_text())
    del settings["no_timestamps_token_id"]
    path.write_text(json.dumps(settings))


def without_tokenizer(folder: Path) -> None:
    save(make_whisper(), folder)
    for name in ("tokenizer.json", "vocab.json", "merges.txt", "added_tokens.json"):
        (folder / name).unlink(missing_ok=True)


def with_other_mel_bands(folder: Path) -> None:
    save(make_whisper(), folder)
    tokenizer = WhisperTokenizer.from_pretrained(folder)
    WhisperProcessor(WhisperFeatureExtractor(feature_size=128), tokenizer).save_pretrained(folder)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (without_tokenizer, "tokenizer"),
        (with_other_mel_bands, "reads 80 mel bands, and its .* gives 128"),
        (other_network, "is no Whisper but a bert"),
        (without_weights, "cannot be loaded"),
        (without_tokens, "generation_config.json"),
        (lambda folder: None, "cannot be loaded|no folder"),
    ],
)
def test_a_wrong_checkpoint_is_refused(tmp_path: Path, make, message: str):
    make(tmp_path / "checkpoint")

    with pytest.raises(FeatureError, match=message):
        ASR(str(tmp_path / "checkpoint"), device="cpu").load()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"language": "tlh"}, "knows no language 'tlh'; it knows en, zh"),
        ({"max_new_tokens": 0}, "takes 1 to 60"),
        ({"max_new_tokens": 224}, "takes 1 to 60"),
    ],
)
def test_wrong_settings_are_refused(folder: str, settings: dict, message: str):
    with pytest.raises(FeatureError, match=message):
        ASR(folder, **{"max_new_tokens": 12, "device": "cpu", **settings}).load()


def test_it_is_registered():
    entry = get_extractor("asr")

    assert entry.make is ASR
    assert (entry.kinds, entry.gives) == (("video", "audio"), "text")
