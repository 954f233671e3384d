"""A film or a sound opens its own file alone, and what cannot be opened says why."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from competition.media.frames import read_frames
from competition.media.opening import check_decoder, check_file, decoded, opened, packets
from competition.media.sound import read_sound
from competition.utils.errors import MediaError
from tests.media.made_films import cut_to, greys, write_film
from tests.media.made_sound import tone, write_sound


def test_film_is_open_within_the_block_and_closed_after_it(tmp_path: Path):
    path = write_film(tmp_path / "film.mp4", greys([50, 100, 150]), sound=tone(440, 0.1))

    with opened(path) as container:
        kinds = [stream.type for stream in container.streams]
        frames = list(decoded(container, container.streams.video[0]))

    assert kinds == ["video", "audio"]
    assert [round(frame.to_ndarray(format="gray").mean(), -1) for frame in frames] == [50, 100, 150]
    with pytest.raises(AssertionError):
        container.seek(0)


def test_packets_are_those_of_the_given_streams(tmp_path: Path):
    path = write_film(tmp_path / "film.mp4", greys([50, 100]), sound=tone(440, 0.5))

    with opened(path) as container:
        of_film = [p.stream.type for p in packets(container, container.streams.video[0])]
    with opened(path) as container:
        of_all = {packet.stream.type for packet in packets(container)}

    assert set(of_film) == {"video"}
    assert of_all == {"video", "audio"}


def test_broken_end_ends_the_packets_without_an_error(tmp_path: Path):
    path = write_film(tmp_path / "film.mp4", greys([50] * 60), movflags="faststart")
    with opened(path) as container:
        n_whole = sum(1 for _ in packets(container))
    cut_to(path, 0.7)

    with opened(path) as container:
        assert 0 < sum(1 for _ in packets(container)) < n_whole


def test_stream_of_an_unknown_codec_is_refused(tmp_path: Path):
    path = write_film(tmp_path / "film.mp4", greys([50, 100]))
    path.write_bytes(path.read_bytes().replace(b"avc1\x00", b"zzzz\x00"))

    with opened(path) as container, pytest.raises(MediaError, match="codec of its video stream"):
        check_decoder(container.streams.video[0])


def test_folder_is_no_file(tmp_path: Path):
    with pytest.raises(MediaError, match="there is no such file"):
        check_file(tmp_path)


def test_words_are_neither_film_nor_sound(tmp_path: Path):
    (tmp_path / "film.mp4").write_text("No film, only words.\n" * 50, encoding="utf-8")

    with (
        pytest.raises(MediaError, match="cannot be opened as a film or a sound"),
        opened(tmp_path / "film.mp4"),
    ):
        pass


class Site:
    """A site of one film and one sound; it keeps the addresses that are asked for."""

    def __init__(self, folder: Path) -> None:
        site = self
        self.asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                content = (folder / self.path.strip("/")).read_bytes()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    write_film(folder / "film.ts", greys([50] * 9), sound=tone(440, 0.4))
    write_sound(folder / "sound.mp3", tone(440, 0.4)[None], codec="libmp3lame")
    site = Site(folder)
    thread = threading.Thread(target=site.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield site
    site.server.shutdown()
    site.server.server_close()
    thread.join()


PLAYLISTS = {  # {film} stands for a file, then for an address
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{film}\n#EXT-X-ENDLIST\n",
    "m3u8 of m3u8": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{film}\n",
    "m3u": "{film}\n",
    "pls": "[playlist]\nFile1={film}\nNumberOfEntries=1\n",
    "concat": "ffconcat version 1.0\nfile '{film}'\nduration 1\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\na=control:{film}\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">'
    '<Period><AdaptationSet mimeType="video/mp2t"><Representation id="0" bandwidth="1">'
    "<BaseURL>{film}</BaseURL><SegmentList><SegmentURL media='{film}'/></SegmentList>"
    "</Representation></AdaptationSet></Period></MPD>",
    "asx": '<asx version="3.0"><entry><ref href="{film}"/></entry></asx>',
    "rtsp text": "RTSPtext\n{film}\n",
    "address": "{film}",
    "PDF": "%PDF-1.7\n1 0 obj<</Type/Catalog/URI({film})>>endobj\ntrailer<</Root 1 0 R>>",
}
ENDINGS = ("m3u8", "mp4", "ffconcat", "sdp", "mpd", "pdf")


@pytest.mark.parametrize("case", PLAYLISTS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_playlist_opens_no_file_and_no_address(tmp_path: Path, site: Site, case: str, ending: str):
    path = tmp_path / f"film.{ending}"
    for film in ("site/film.ts", str(tmp_path / "site" / "film.ts"), f"{site.address}/film.ts"):
        path.write_text(PLAYLISTS[case].format(film=film), encoding="utf-8")

        with pytest.raises(MediaError):
            next(read_frames(path))
        with pytest.raises(MediaError):
            next(read_sound(path))

    assert site.asked == []


def test_the_site_would_serve_a_player(site: Site):
    import av

    with av.open(f"{site.address}/film.ts") as container:
        assert container.streams.video

    assert "/film.ts" in site.asked


@pytest.mark.parametrize("protocol", ["http", "file", "concat", "tcp", "data", "subfile,,start,0"])
def test_address_in_place_of_a_path_is_no_file(
    tmp_path: Path, site: Site, protocol: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    rest = site.address.removeprefix("http:") if protocol in ("http", "tcp") else "site/film.ts"

    with pytest.raises(MediaError, match="there is no such file"):
        next(read_frames(Path(f"{protocol}:{rest}")))

    assert site.asked == []
