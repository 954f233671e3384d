"""Frames and log-mel spectrograms from films, against ffmpeg; `python -m benchmarks.decode`.

Ours reads films into what an extractor gets: a frame every 500 ms, its shorter side scaled to 224
pixels, and the log-mel spectrogram of the sound. The rival is the `ffmpeg` program (on Debian:
`apt-get install -y ffmpeg`), called once a film: it does the same decoding and sampling alone,
makes no spectrogram, and throws the result away. For both frames and sound ours reads a film
twice, ffmpeg once. The films are those of 60 demo ads, where ffmpeg's start counts, and one of a
minute at 25 frames a second, where it does not. Both are held to one core, and what they use of it
is counted, so that other work on the machine does not matter. The table goes to
benchmarks/decode.md.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from competition.demo.make import make_demo
from competition.features.extractors.logmel import log_mel
from competition.media.frames import read_frames
from competition.media.sound import read_sound
from competition.utils.errors import MediaError
from competition.utils.files import write_text

N_ADS = 50  # and ten test ads
REPEATS = 3
EVERY_MS = 500
SIDE = 224
RATE = 16_000
QUIET = ["ffmpeg", "-v", "error", "-nostdin", "-y"]
# The shorter side has 224 pixels; the other one is even, as ffmpeg likes it.
SCALE = f"fps={1000 / EVERY_MS},scale='if(gt(iw,ih),-2,{SIDE})':'if(gt(iw,ih),{SIDE},-2)'"
PICTURES = ["-map", "0:v", "-vf", SCALE, "-pix_fmt", "rgb24", "-f", "rawvideo", os.devnull]
SOUND = ["-map", "0:a", "-ac", "1", "-ar", str(RATE), "-f", "f32le", os.devnull]


def our_frames(films: list[Path]) -> None:
    for film in films:
        for _ in read_frames(film, EVERY_MS, SIDE):
            pass


def our_log_mel(films: list[Path]) -> None:
    for film in films:
        for _ in log_mel(read_sound(film, RATE)):
            pass


def our_both(films: list[Path]) -> None:
    our_frames(films)
    our_log_mel(films)


def by_ffmpeg(films: list[Path], what: list[str]) -> None:
    for film in films:
        subprocess.run([*QUIET, "-i", str(film), *what], check=True)


def processor_seconds() -> float:
    """What this process and the programs it has called have used so far."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def cheapest(rivals: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Fewest processor seconds of each; they take turns."""
    seconds = dict.fromkeys(rivals, float("inf"))
    for _ in range(REPEATS):
        for name, run in rivals.items():
            start = processor_seconds()
            run()
            seconds[name] = min(seconds[name], processor_seconds() - start)
    return seconds


def has_sound(film: Path) -> bool:
    try:
        next(read_sound(film))
    except MediaError:
        return False
    return True


def waves(n_frames: int) -> Iterator[np.ndarray]:
    """Moving waves of colour with some grain, 640 x 360."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:360, :640].astype(np.float32)
    for k in range(n_frames):
        wave = [
            np.sin(x / a + k / 7) + np.cos(y / b - k / 9) for a, b in ((40, 31), (57, 23), (29, 61))
        ]
        grain = rng.integers(0, 9, (360, 640, 1))
        yield (60 * np.stack(wave, axis=-1) + 120 + grain).clip(0, 255).astype(np.uint8)


def write_long_film(path: Path, seconds: int = 60, rate: int = 25) -> None:
    """Write H.264 and AAC."""
    import av

    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=rate, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
        audio = container.add_stream("aac", rate=44_100, layout="mono")
        for picture in waves(seconds * rate):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode(None))
        noise = np.random.default_rng(0).normal(0, 0.1, (1, seconds * 44_100)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="mono")
        frame.sample_rate = 44_100
        container.mux(audio.encode(frame))
        container.mux(audio.encode(None))


def main() -> None:
    """Measure, print the table and write it."""
    if shutil.which("ffmpeg") is None:
        raise SystemExit("ffmpeg is not installed; on Debian: apt-get install -y ffmpeg")
    with tempfile.TemporaryDirectory() as folder:
        make_demo(Path(folder) / "demo", N_ADS)
        films = sorted((Path(folder) / "demo").rglob("*.mp4"))
        long = Path(folder) / "long.mp4"
        write_long_film(long)
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        rows = [
            "| films | what | ours (s) | ffmpeg (s) | ours : ffmpeg, throughput |",
            "|---|---|---|---|---|",
        ]
        for name, chosen in {"demo films": films, "a minute of film": [long]}.items():
            heard = [film for film in chosen if has_sound(film)]
            for what, ours, wanted in (
                ("frames", our_frames, PICTURES),
                ("log-mel", our_log_mel, SOUND),
                ("both", our_both, [*PICTURES, *SOUND]),
            ):
                rivals = {
                    "ours": lambda run=ours, films=heard: run(films),
                    "ffmpeg": lambda films=heard, wanted=wanted: by_ffmpeg(films, wanted),
                }
                took = cheapest(rivals)
                label = f"{len(heard)} {name}" if chosen is films else name
                ratio = took["ffmpeg"] / took["ours"]
                seconds = " | ".join(f"{took[rival]:.2f}" for rival in rivals)
                rows.append(f"| {label} | {what} | {seconds} | {ratio:.2f} |")
    table = "\n".join(
        [
            "# Decoding",
            "",
            *rows,
            "",
            f"A frame every {EVERY_MS} ms, its shorter side {SIDE} pixels; sound at {RATE:,} Hz. "
            "ffmpeg decodes and samples alone, ours goes on to arrays and spectrograms. Processor "
            f"seconds on one core, the least of {REPEATS} turns. `python -m benchmarks.decode` "
            "writes this page.",
        ]
    )
    print(table)
    write_text(Path(__file__).with_suffix(".md"), table + "\n")


if __name__ == "__main__":
    main()
