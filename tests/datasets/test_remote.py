"""Ads under a URL, on a server that speaks S3."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from competition import load_dataset
from competition.datasets.remote import is_url, local_folder
from competition.utils.errors import DatasetError, WriteError
from tests.cli.calling import call, called
from tests.recorded import Recorded

boto3 = pytest.importorskip("boto3", reason="the extra s3 is not installed")
moto_server = pytest.importorskip("moto.server", reason="moto's server is not installed")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server: str, shared_table: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket that holds the ads in ads/films; it is empty before each test."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    made = boto3.resource("s3").Bucket("bucket")
    made.create()
    for path in shared_table.iterdir():
        made.upload_file(str(path), f"ads/films/{path.name}")
    yield made
    made.objects.all().delete()
    made.delete()


URL = "s3://bucket/ads/films"
RUN = ["--set", 'models=["tfidf_logreg"]', "--set", "folds.n=3", "--set", "level2.model=mean"]


def copies(folder: Path) -> dict[str, int]:
    """When each file of the copy was written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("cache/remote/*/films/*")}


@pytest.mark.usefixtures("bucket")
def test_a_run_of_ads_in_a_bucket_is_the_run_of_the_folder(
    shared_table: Path, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    call("run", "--data", shared_table, "--out", here, "--jobs", 1, *RUN)
    done = call("run", "--data", URL, "--out", there, "--jobs", 1, *RUN)
    assert "3 files, 3 of them copied now" in done.out + done.err
    (first,), (second,) = here.glob("submissions/films*.csv"), there.glob("submissions/films*.csv")
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()


def test_only_what_has_changed_is_copied_again(bucket: Any, tmp_path: Path) -> None:
    load_dataset(URL, cache=tmp_path / "cache")
    before = copies(tmp_path)
    assert set(before) == {"competition.toml", "train.csv", "test.csv"}
    bucket.put_object(Key="ads/films/notes.txt", Body=b"one")
    load_dataset(URL, cache=tmp_path / "cache")
    assert copies(tmp_path).items() >= before.items()
    bucket.put_object(Key="ads/films/notes.txt", Body=b"two")  # of the same size
    (train,) = tmp_path.glob("cache/remote/*/films/train.csv")
    train.write_bytes(train.read_bytes()[:-9])  # as a full disk may leave it
    assert len(load_dataset(URL, cache=tmp_path / "cache").train_ids) == 40
    assert next(tmp_path.glob("cache/remote/*/films/notes.txt")).read_bytes() == b"two"
    after = copies(tmp_path)
    assert {name for name in before if after[name] != before[name]} == {"train.csv"}
    bucket.Object("ads/films/notes.txt").delete()
    load_dataset(URL, cache=tmp_path / "cache")
    assert set(copies(tmp_path)) == set(before)


def test_a_file_that_was_changed_here_is_copied_anew(bucket: Any, tmp_path: Path) -> None:
    labels = load_dataset(URL, cache=tmp_path).labels
    (train,) = tmp_path.glob("remote/*/films/train.csv")
    before, other = train.read_bytes(), train.with_name("test.csv").stat().st_mtime_ns
    train.write_bytes(before.replace(b"Love", b"Long"))  # of the same size
    assert (load_dataset(URL, cache=tmp_path).labels == labels).all()
    assert train.read_bytes() == before
    assert train.with_name("test.csv").stat().st_mtime_ns == other
    bucket.put_object(Key="ads/films/notes.txt", Body=b"x")
    load_dataset(URL, cache=tmp_path)


READS = """
import sys
from competition import load_dataset
load_dataset(sys.argv[1], cache=sys.argv[2])
print("reads", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_a_copy_that_another_process_reads_stays_and_the_new_one_lies_beside(
    bucket: Any, tmp_path: Path, how: str
) -> None:
    reader = subprocess.Popen(
        [sys.executable, "-c", READS, URL, tmp_path / "cache"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdin is not None
    assert reader.stdout is not None
    assert reader.stdout.readline() == "reads\n"
    before = copies(tmp_path)
    another = [sys.executable, "-c", READS, URL, tmp_path / "cache"]
    subprocess.run(another, input=b"", check=True, capture_output=True)  # nothing has changed
    (its,) = tmp_path.glob("cache/remote/*/films")
    bucket.put_object(Key="ads/films/notes.txt", Body=b"new")
    bucket.Object("ads/films/test.csv").delete()
    remarks, written = Recorded(), set(before.items())
    mine = local_folder(URL, tmp_path / "cache", remarks)
    assert {(path.name, path.stat().st_mtime_ns) for path in its.iterdir()} == written
    assert {path.name for path in mine.iterdir()} == {"competition.toml", "train.csv", "notes.txt"}
    assert mine != its
    assert (mine / "train.csv").samefile(its / "train.csv")
    assert f":{reader.pid} uses the copy in {its.parent}" in remarks.remarks[0]
    assert "3 files, 1 of them copied now" in remarks.remarks[1]
    assert local_folder(URL, tmp_path / "cache") == mine
    if how == "is killed":
        reader.kill()
    reader.communicate()
    assert bool([*tmp_path.rglob(f"*-{reader.pid}.reader")]) == (how == "is killed")
    assert local_folder(URL, tmp_path / "cache") == mine
    assert mine.is_dir()
    assert [*tmp_path.glob("cache/remote/*/films")] == [mine]
    assert not [*tmp_path.rglob(f"*-{reader.pid}.reader")]


@pytest.mark.usefixtures("bucket")
def test_a_changed_copy_that_another_process_reads_is_not_shared(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", READS, URL, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"reads\n"
        (its,) = tmp_path.glob("remote/*/films")
        whole = (its / "train.csv").read_bytes()
        changed = whole.replace(b"Love", b"Long")
        (its / "train.csv").write_bytes(changed)
        mine = local_folder(URL, tmp_path)
        assert (mine / "train.csv").read_bytes() == whole
        assert (its / "train.csv").read_bytes() == changed
        assert (mine / "test.csv").samefile(its / "test.csv")
        assert local_folder(URL, tmp_path) == mine
        reader.kill()


def test_a_key_with_slashes_too_many_stays(bucket: Any, tmp_path: Path) -> None:
    for key in ("pics//a.jpg", "./b.jpg", "/c.jpg"):
        bucket.put_object(Key=f"ads/films/{key}", Body=key.encode())
    for _ in range(3):
        folder = local_folder(URL, tmp_path)
        assert (folder / "pics" / "a.jpg").read_bytes() == b"pics//a.jpg"
        assert (folder / "b.jpg").read_bytes() == b"./b.jpg"
        assert (folder / "c.jpg").read_bytes() == b"/c.jpg"
    remarks = Recorded()
    local_folder(URL, tmp_path, remarks)
    assert "6 files, 0 of them copied now" in remarks.remarks[0]


@pytest.mark.parametrize(
    ("one", "other"), [("pics//a", "pics/a"), ("./a", "a"), ("a/b", "a"), ("/a", "a")]
)
def test_two_keys_of_one_path_are_refused(
    bucket: Any, tmp_path: Path, one: str, other: str
) -> None:
    for key in (one, other):
        bucket.put_object(Key=f"ads/films/{key}", Body=key.encode())
    with pytest.raises(DatasetError, match=r"cannot both be files of a disk") as raised:
        load_dataset(URL, cache=tmp_path)
    assert repr(f"bucket/ads/films/{one}") in str(raised.value)
    assert repr(f"bucket/ads/films/{other}") in str(raised.value)
    assert not list(tmp_path.rglob("films"))


def test_no_file_is_written_outside_of_the_copy(bucket: Any, tmp_path: Path) -> None:
    bucket.put_object(Key="ads/films/../../../evil.csv", Body=b"x")
    with pytest.raises(DatasetError, match=r"evil\.csv', which would lie outside"):
        load_dataset(URL, cache=tmp_path / "a" / "b" / "cache")
    assert not list(tmp_path.rglob("evil.csv"))


def test_folders_of_a_console_and_files_that_become_folders(bucket: Any, tmp_path: Path) -> None:
    bucket.put_object(Key="ads/films/", Body=b"")
    bucket.put_object(Key="ads/films/posters/", Body=b"")
    bucket.put_object(Key="ads/films/posters/a", Body=b"a file")
    assert len(load_dataset(URL, cache=tmp_path).train_ids) == 40
    bucket.Object("ads/films/posters/a").delete()
    bucket.put_object(Key="ads/films/posters/a/b.png", Body=b"in a folder")
    load_dataset(URL, cache=tmp_path)
    (found,) = tmp_path.glob("remote/*/films/posters/a/b.png")
    assert found.read_bytes() == b"in a folder"
    found.with_name(".c.png.copying").write_bytes(b"of a copy that was killed")
    bucket.Object("ads/films/posters/a/b.png").delete()
    bucket.put_object(Key="ads/films/posters/a", Body=b"a file again")
    load_dataset(URL, cache=tmp_path)
    assert found.parent.read_bytes() == b"a file again"


def test_url_of_a_file_is_refused(bucket: Any, tmp_path: Path) -> None:
    bucket.put_object(Key="ads/films/notes.txt", Body=b"one")
    with pytest.raises(DatasetError, match=r"train\.csv is a file\. Pass the folder"):
        load_dataset(f"{URL}/train.csv", cache=tmp_path)


def test_a_damaged_index_copies_anew(bucket: Any, tmp_path: Path) -> None:
    load_dataset(URL, cache=tmp_path / "cache")
    (index,) = tmp_path.glob("cache/remote/*/copied.json")
    index.write_text("[")
    assert len(load_dataset(URL, cache=tmp_path / "cache").train_ids) == 40
    assert set(json.loads(index.read_text())) == {"competition.toml", "train.csv", "test.csv"}
    bucket.Object("ads/films/test.csv").delete()


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://example.com/ads", "Ads cannot be read from https://example.com/ads"),
        ("s3://", "Ads cannot be read from s3://: give a folder of this machine or s3://BUCKET/"),
        ("gs://bucket/ads", "Ads cannot be read from gs://bucket/ads"),
        ("s3://bucket/nothing", "s3://bucket/nothing holds no file"),
        ("s3://no-such-bucket/ads", "The specified bucket does not exist. The credentials"),
    ],
)
def test_other_urls_are_refused_in_one_sentence(url: str, reason: str, tmp_path: Path) -> None:
    done = called("run", "--data", url, "--out", tmp_path)
    assert (done.status, done.out) == (2, "")
    assert reason in done.err.replace("\n", " ")
    assert not list(tmp_path.glob("oof"))


def test_server_that_does_not_answer_is_told(tmp_path: Path, bucket: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(DatasetError, match=r"Could not connect to the endpoint"):
        load_dataset(URL, cache=tmp_path)


class Silent:
    """Passes on what a server says until it has sent so many bytes, then nothing more."""

    def __init__(self, server: str, most: int) -> None:
        self.left = most
        self.open: list[socket.socket] = []
        host, _, port = server.removeprefix("http://").rpartition(":")
        self.server = host, int(port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, there = self.listener.accept()[0], socket.create_connection(self.server)
                self.open += [client, there]
                for way in ((client, there, False), (there, client, True)):
                    threading.Thread(target=self._pass, args=way, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        with suppress(OSError):
            while data := source.recv(4096):
                if counts:
                    data, self.left = data[: max(0, self.left)], self.left - len(data)
                target.sendall(data)

    def close(self) -> None:
        for one in (self.listener, *self.open):
            one.close()


def test_server_that_falls_silent_in_the_midst_is_told(
    server: str, bucket: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("competition.datasets.bucket.ANSWERS_IN", 0.5)
    bucket.put_object(Key="ads/films/film.bin", Body=bytes(1_000_000))
    silent = Silent(server, 500_000)
    monkeypatch.setenv("AWS_ENDPOINT_URL", silent.url)
    begun = time.monotonic()
    with closing(silent), pytest.raises(DatasetError, match=rf"cannot be read: .*{silent.url}"):
        load_dataset(URL, cache=tmp_path)
    assert time.monotonic() - begun < 12


@pytest.mark.usefixtures("bucket")
def test_disk_that_takes_no_more_is_told_as_such(tmp_path: Path) -> None:
    tmp_path.joinpath("remote").write_text("a file where a folder would be")
    with pytest.raises(WriteError):
        load_dataset(URL, cache=tmp_path)


@pytest.mark.parametrize("url", [URL, "s3://"])
def test_a_description_is_written_into_a_folder_of_this_machine(url: str) -> None:
    done = called("init", url)
    assert (done.status, done.out) == (2, "")
    assert f"and {url} is none of this machine: pass a copy of it that is" in done.err


def test_results_go_to_no_url(shared_table: Path) -> None:
    done = called("run", "--data", shared_table, "--out", "s3://bucket/out")
    assert done.status == 2
    assert "Results go to a folder, not to s3://bucket/out" in done.err


@pytest.mark.usefixtures("bucket")
def test_check_reads_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "40 training ads" in call("check", URL).out


def test_what_is_a_url(tmp_path: Path) -> None:
    assert is_url("s3:/bucket/ads")
    assert not is_url(tmp_path)
    assert not is_url("ads: all of them/films")


def test_a_copy_that_this_process_has_read_is_not_removed(bucket: Any, tmp_path: Path) -> None:
    first = local_folder(URL, tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", READS, URL, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"reads\n"
        bucket.put_object(Key="ads/films/notes.txt", Body=b"new")
        second = local_folder(URL, tmp_path)
        reader.kill()
    assert local_folder(URL, tmp_path) == second != first
    assert len(load_dataset(first).train_ids) == 40


@pytest.mark.usefixtures("bucket")
def test_plan_says_that_it_has_copied_the_ads(tmp_path: Path) -> None:
    done = call("run", "--plan", "--data", URL, "--out", tmp_path, "--jobs", 1, *RUN)
    assert "Nothing was run or written, but for the copy of the ads." in done.out
    assert copies(tmp_path)
