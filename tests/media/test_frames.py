import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from competition.media import sizes
from competition.media.frames import first_frame, read_frames
from competition.utils.errors import MediaError
from tests.media.made_films import (
    cut_to,
    greys,
    write_animation,
    write_film,
    write_streams,
)
from tests.media.made_sound import tone, write_sound


def levels(path: Path, every_ms: int) -> list[int]:
    """The grey of each sampled frame, in steps of 10."""
    return [round(frame.mean() / 10) * 10 for frame in read_frames(path, every_ms)]


def on_show(times_ms: list[int], last_ms: int, every_ms: int) -> list[int]:
    """The number of the frame on show at each sampled moment, computed directly."""
    since_first = np.array(times_ms) - times_ms[0]
    moments = np.arange(0, since_first[-1] + last_ms, every_ms)
    return (np.searchsorted(since_first, moments, side="right") - 1).tolist()


GAPS = st.lists(st.integers(1, 900), min_size=1, max_size=22)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(gaps=GAPS, start_ms=st.integers(-900, 900), every_ms=st.integers(7, 700))
def test_frames_of_variable_rate_are_sampled_by_time(
    tmp_path: Path, gaps: list[int], start_ms: int, every_ms: int
):
    times = (start_ms + np.cumsum([0, *gaps])).tolist()
    shades = [10 * (i + 1) for i in range(len(times))]
    path = write_film(tmp_path / "film.mkv", greys(shades, 16, 16), times)

    expected = [shades[i] for i in on_show(times, 1000 // 25, every_ms)]

    assert levels(path, every_ms) == expected


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "ts", "avi", "gif", "h264"])
def test_frames_come_in_order_from_every_container(tmp_path: Path, ending: str):
    codec, pix_fmt = {"avi": ("mpeg4", "yuv420p"), "gif": ("gif", "rgb8")}.get(
        ending, ("libx264", "yuv420p")
    )
    path = write_film(
        tmp_path / f"film.{ending}",
        greys(range(20, 240, 20)),
        codec=codec,
        pix_fmt=pix_fmt,
    )

    assert levels(path, 40) == list(range(20, 240, 20))


def test_last_frame_is_sampled_for_as_long_as_the_file_shows_it(tmp_path: Path):
    still = write_film(tmp_path / "still.mp4", greys([100, 200, 200]), [0, 1_000, 1_500])

    assert levels(still, 500) == [100, 100, 200, 200]


def test_gap_of_hours_in_the_timestamps_is_a_broken_clock(tmp_path: Path):
    times = [0, 40, 7_200_000, 7_200_040]
    path = write_film(tmp_path / "film.mkv", greys([50, 100, 150, 200]), times)

    assert levels(path, 40) == [50, 100, 150, 200]


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_film_is_turned_and_mirrored_as_a_player_would(tmp_path: Path, degrees: int, mirror: bool):
    picture = np.zeros((32, 64, 3), dtype=np.uint8)
    picture[:16, :32], picture[:16, 32:], picture[16:, :32] = 60, 120, 180
    path = write_film(tmp_path / "film.mp4", [picture] * 2, turned=(degrees, mirror))

    expected = np.rot90(picture, degrees // 90)
    if mirror:
        expected = expected[:, ::-1]

    frame = first_frame(path)
    assert frame.shape == expected.shape
    assert np.abs(frame.astype(int) - expected).max() <= 3
    assert frame.flags.c_contiguous


def test_frames_of_odd_size_keep_it(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (17, 33, 3), dtype=np.uint8)
    path = write_film(tmp_path / "film.mp4", [noise], codec="png", pix_fmt="rgb24")

    np.testing.assert_array_equal(first_frame(path), noise)


def test_shorter_side_is_scaled_down_to_the_given_side(tmp_path: Path):
    x = np.linspace(0, 255, 120, dtype=np.uint8)
    slope = np.broadcast_to(x[None, :, None], (60, 120, 3))
    path = write_film(tmp_path / "film.mp4", [np.ascontiguousarray(slope)] * 2, turned=(90, False))

    small = next(read_frames(path, side=20))

    assert small.shape == (40, 20, 3)
    blocks = np.rot90(slope)[:, :, 0].reshape(40, 3, 20, 3).mean(axis=(1, 3))
    assert np.abs(small[2:-2, :, 0] - blocks[2:-2]).max() <= 4


def test_frames_are_never_enlarged(tmp_path: Path):
    path = write_film(tmp_path / "film.mp4", greys([100, 100]))

    assert next(read_frames(path, side=1_000)).shape == (32, 48, 3)


def test_cover_picture_of_a_sound_file_is_no_film(tmp_path: Path):
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(greys([100], 32, 32)[0], format="rgb24")
        container.mux(cover.encode(frame))
        container.mux(cover.encode(None))

    with pytest.raises(MediaError, match="it has no video stream"):
        first_frame(path)


@pytest.mark.parametrize("default", [0, 1])
@pytest.mark.parametrize("ending", ["mkv", "mp4", "avi"])
def test_film_is_read_and_not_the_thumbnail_before_it(tmp_path: Path, ending: str, default: int):
    streams = [greys([10], 16, 16), greys([50, 100, 150], 48, 64)]
    path = write_streams(tmp_path / f"film.{ending}", streams, default)

    assert first_frame(path).shape == (48, 64, 3)
    assert levels(path, 40) == [50, 100, 150]


@pytest.mark.parametrize("default", [0, 1])
def test_of_two_films_the_one_that_players_choose_is_read(tmp_path: Path, default: int):
    streams = [greys([50] * 9, 32, 32), greys([150] * 9, 32, 32)]
    path = write_streams(tmp_path / "film.mkv", streams, default)

    assert set(levels(path, 40)) == {[50, 150][default]}


@pytest.mark.parametrize("ending", ["gif", "png", "avif", "webp"])
def test_animation_is_a_film_whose_pictures_last_as_long_as_it_says(tmp_path: Path, ending: str):
    path = write_animation(
        tmp_path / f"animation.{ending}", greys([50, 100, 200]), [500, 1_000, 200]
    )

    assert levels(path, 250) == [50, 50, 100, 100, 100, 100, 200]


def test_frames_of_an_animation_are_scaled_and_white_where_transparent(tmp_path: Path):
    path = tmp_path / "animation.webp"
    pictures = [Image.new("RGBA", (48, 32), (0, 0, shade, 0)) for shade in (0, 100)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=500, lossless=True)

    (first, second) = read_frames(path, 500, side=8)

    assert first.shape == second.shape == (8, 12, 3)
    assert (first == 255).all()


def test_picture_alone_in_webp_is_a_film_of_one_frame(tmp_path: Path):
    Image.new("RGB", (48, 32), (100, 100, 100)).save(tmp_path / "still.webp")

    assert levels(tmp_path / "still.webp", 500) == [100]


def test_animation_cut_short_is_damaged(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (4, 32, 48, 3), dtype=np.uint8)
    path = cut_to(write_animation(tmp_path / "animation.webp", noise, [500] * 4), 0.6)

    with pytest.raises(MediaError, match="it is"):
        list(read_frames(path))


def test_broken_tail_ends_the_frames_after_those_that_are_there(tmp_path: Path):
    shades = list(range(20, 240, 20))
    path = write_film(tmp_path / "film.mp4", greys(shades), movflags="faststart")
    whole = levels(path, 40)

    part = levels(cut_to(path, 0.75), 40)

    assert 2 < len(part) < len(whole)
    assert part == whole[: len(part)]


def test_damage_in_the_middle_costs_no_later_frame(tmp_path: Path):
    shades = list(range(20, 240, 20))
    noise = np.random.default_rng(0).integers(-9, 10, (11, 32, 48, 3))
    pictures = [(shade + n).astype(np.uint8) for shade, n in zip(shades, noise, strict=True)]
    path = write_film(tmp_path / "film.mkv", pictures, codec="mjpeg", pix_fmt="yuvj420p")
    content = bytearray(path.read_bytes())
    fifth = [i for i in range(len(content)) if content[i : i + 2] == b"\xff\xd8"][4]
    content[fifth : fifth + 100] = bytes(100)
    path.write_bytes(content)

    seen = levels(path, 40)

    assert seen[:4] == shades[:4]
    assert seen[-6:] == shades[-6:]


def write_nothing(path: Path) -> None:
    path.write_bytes(b"")


def write_words(path: Path) -> None:
    path.write_text("No film, only words.\n" * 50, encoding="utf-8")


def write_song(path: Path) -> None:
    write_sound(path, tone(440, 1.0)[None], codec="aac")


def write_film_without_its_index(path: Path) -> None:
    cut_to(write_film(path, greys([50, 100, 150])), 0.5)


def write_film_cut_to_its_index(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    cut_to(write_film(path, noise, movflags="faststart"), 0.1)


def write_one_pixel(path: Path) -> None:
    write_film(path, greys([100], 1, 1), codec="png", pix_fmt="rgb24")


def write_unknown_codec(path: Path) -> None:
    write_film(path, greys([50, 100]))
    path.write_bytes(path.read_bytes().replace(b"avc1\x00", b"zzzz\x00"))


def write_playlist(path: Path) -> None:
    film = write_film(path.with_name("secret.mp4"), greys([100, 100]))
    path.write_text(f"#EXTM3U\n#EXTINF:1,\n{film}\n#EXT-X-ENDLIST\n", encoding="utf-8")


BAD_FILMS = {
    "empty": (write_nothing, r"it is empty \(0 bytes\)"),
    "text": (write_words, "it cannot be opened as a film or a sound"),
    "sound alone": (write_song, "it has no video stream"),
    "cut before its index": (write_film_without_its_index, "it cannot be opened as a film"),
    "cut after its index": (write_film_cut_to_its_index, "is empty or cannot be decoded"),
    "one pixel": (write_one_pixel, "a placeholder of 1 x 1 pixels"),
    "unknown codec": (write_unknown_codec, "the codec of its video stream is unknown"),
    "playlist": (write_playlist, "cannot be"),
    "missing": (lambda path: None, "there is no such file"),
}


@pytest.mark.parametrize("case", BAD_FILMS)
def test_file_without_a_frame_is_a_media_error_that_says_why(tmp_path: Path, case: str):
    write, reason = BAD_FILMS[case]
    path = tmp_path / "film.mp4"
    write(path)

    with pytest.raises(MediaError, match=reason):
        first_frame(path)


def test_film_of_too_many_pixels_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write_film(tmp_path / "film.mp4", greys([100, 100], 64, 64))
    monkeypatch.setattr(sizes, "MAX_PIXELS", 64 * 64 - 1)

    with pytest.raises(MediaError, match="64 x 64 pixels exceed the limit of 4,095"):
        first_frame(path)


MEASURE = """\
import resource, sys
from pathlib import Path
from competition.media.frames import read_frames
from competition.media.sound import read_sound

every_ms, *paths = sys.argv[1:]
for path in map(Path, paths):
    n_frames = sum(1 for _ in read_frames(path, int(every_ms), 32))
    n_samples = sum(map(len, read_sound(path))) if path.suffix == ".mkv" else 0
    print(n_frames, n_samples, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def measured(every_ms: int, *paths: Path) -> list[tuple[int, int, int]]:
    """Number of frames and of samples, and the kilobytes that a process has used until then."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(every_ms), *paths],
        capture_output=True,
        text=True,
        check=True,
    )
    return [(int(a), int(b), int(c)) for a, b, c in map(str.split, done.stdout.splitlines())]


def test_film_of_many_large_frames_needs_no_more_memory_than_one_of_few(tmp_path: Path):
    few = write_film(tmp_path / "few.mp4", greys([100] * 10, 720, 1_280))
    many = write_film(tmp_path / "many.mp4", greys([100], 720, 1_280) * 300)

    (n_few, _, peak_few), (n_many, _, peak_many) = measured(40, few, many)

    assert (n_few, n_many) == (10, 300)
    assert peak_many < 1.05 * peak_few  # all its frames have 415 megabytes


def test_film_of_an_hour_needs_no_more_memory_than_one_of_a_minute(tmp_path: Path):
    paths = []
    for minutes in (1, 60):
        path = tmp_path / f"{minutes}.mkv"
        grey = av.VideoFrame.from_ndarray(greys([100], 48, 64)[0], format="rgb24")
        silence = np.zeros((1, 60 * 8_000), dtype=np.float32)
        with av.open(str(path), "w") as container:
            film = container.add_stream("mpeg4", rate=1)
            film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
            sound = container.add_stream("aac", rate=8_000, layout="mono")
            for _ in range(minutes):
                for _ in range(60):
                    container.mux(film.encode(grey))
                heard = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
                heard.sample_rate = 8_000
                container.mux(sound.encode(heard))
            container.mux(film.encode(None))
            container.mux(sound.encode(None))
        paths.append(path)
    assert paths[1].stat().st_size < 1_000_000

    (n_short, heard_short, peak_short), (n_long, heard_long, peak_long) = measured(1_000, *paths)

    assert (n_short, n_long) == (60, 3_600)
    assert heard_long == pytest.approx(60 * heard_short, rel=0.01)
    assert peak_long < 1.1 * peak_short


def test_real_clips_are_sampled_over_their_whole_length(real_data: Path):
    for path in sorted((real_data / "street_clips" / "clips").glob("*.mp4"))[:2]:
        with av.open(str(path)) as container:
            times = [frame.time for frame in container.decode(video=0)]
        sampled = sum(1 for _ in read_frames(path, 250, side=64))
        assert abs(sampled - (times[-1] - times[0]) / 0.25) < 1.5
