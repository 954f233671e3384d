"""A service in a process of its own answers what `predict` says, and refuses the rest."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import competition
from tests.serving.conftest import PATIENCE, TINY, Served, serving

BROKEN: dict[str, tuple[bytes, int, str]] = {
    "bad json": (b'{"title": "sun', 400, "holds no JSON"),
    "empty": (b"", 400, "The request is empty"),
    "deep": (b"[" * 100_000, 400, "nested too deeply"),
    "no number": (b'{"budget": NaN}', 400, "NaN is no number"),
    "thousands of digits": (b'{"budget": ' + b"1" * 9_000 + b"}", 400, "holds no JSON"),
    "no utf-8": (b'{"title": "\xff"}', 400, "holds no JSON"),
    "a key twice": (b'{"title": "a", "title": "b"}', 400, 'the key "title" twice'),
    "unknown input": (b'{"titel": "sun"}', 422, "Did you mean 'title'?"),
    "wrong type": (b'{"title": 3}', 422, "Ad 1: title is a number, and not a text."),
    "a list in a number": (b'[{}, {"budget": [1]}]', 422, "Ad 2: budget is a list"),
    "no ad": (b"[]", 422, "list of ads is empty"),
    "no object": (b'["sun"]', 422, "Ad 1 is a text"),
    "an id twice": (b'[{"id": 1}, {"id": "1"}]', 422, 'The id "1" stands twice.'),
    "odd id": (b'{"id": [1]}', 422, "id is a list"),
    "half a character": (b'{"title": "\\ud83d"}', 422, "half a character"),
    "half a character of an id": (b'{"id": "\\ud83d"}', 422, "id holds half a character"),
    "too many": (json.dumps([{}] * 61).encode(), 413, "61 ads, and at most 60"),
    "too large": (b'{"title": "' + b"a" * 1_200_000 + b'"}', 413, "larger than 1 MB"),
}


def ad_of(frame: pd.DataFrame, name: str) -> dict[str, Any]:
    return {"id": name, **frame.loc[name].to_dict()}


def numbers(told: dict[str, Any], tags: Any) -> np.ndarray:
    assert list(told["probabilities"]) == list(tags)
    return np.array(list(told["probabilities"].values()))


def test_fifty_at_once_get_the_numbers_of_predict_and_broken_ones_a_sentence(
    tiny: Served, frame: pd.DataFrame, expected: pd.DataFrame
) -> None:
    ads = [ad_of(frame, str(name)) for name in frame.index]
    requests: list[Any] = [*ads, ads[:5], ads[::-1], ads[3:9]]
    requests += [body for body, _, _ in BROKEN.values()]
    requests = [requests[place] for place in np.random.default_rng(0).permutation(len(requests))]
    requests += [ads[n % len(ads)] for n in range(50 - len(requests))]
    assert len(requests) == 50
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(tiny.post, requests))
    due = {body: (status, words) for body, status, words in BROKEN.values()}
    for request, (status, told) in zip(requests, answers, strict=True):
        if isinstance(request, bytes):
            assert status == due[request][0], told
            assert due[request][1] in told["error"]
            assert list(told) == ["error"]
            continue
        assert status == 200, told
        asked, found = (request, told) if isinstance(request, list) else ([request], [told])
        assert [one["id"] for one in found] == [one["id"] for one in asked]
        for one in found:
            assert np.allclose(numbers(one, expected), expected.loc[one["id"]], rtol=0, atol=1e-6)


def test_tags_and_doubts_are_those_of_predict(tiny: Served, frame: pd.DataFrame) -> None:
    stack = competition.load_stack(TINY / "stack", n_jobs=1)
    decided = stack.predict(frame)
    ads = [ad_of(frame, str(name)) for name in frame.index]
    _, told = tiny.post(ads)
    assert [tuple(one["tags"]) for one in told] == list(decided["tags"])
    assert [one["unsure"] for one in told] == list(decided["unsure"])
    status, nothing = tiny.post({})
    assert status == 200
    assert nothing["id"] is None
    assert nothing["unsure"]
    assert nothing["missing"] == ["title", "facts"]


def test_explanations_are_told_on_demand(tiny: Served, frame: pd.DataFrame) -> None:
    stack = competition.load_stack(TINY / "stack", n_jobs=1)
    due = stack.explain(frame.iloc[:2]).set_index(["id", "model", "tag"])
    ads = [ad_of(frame, str(name)) for name in frame.index[:2]]
    assert "explanation" not in tiny.post(ads)[1][0]
    _, told = tiny.post(ads, "/predict?explain=true")
    for one in told:
        for (ad, model, tag), row in due.iterrows():
            if ad == one["id"]:
                found = one["explanation"][model][tag]
                assert abs(found["probability"] - row["probability"]) < 1e-6
                assert abs(found["effect"] - row["effect"]) < 1e-4
    assert tiny.post(ads, "/predict?explain=perhaps")[0] == 422


def test_health_version_and_schema(tiny: Served) -> None:
    assert tiny.get("/health")[1]["status"] == "ok"
    version = tiny.get("/version")[1]
    assert version["competition"] == competition.__version__
    assert version["stack"]["dataset"] == "tiny"
    schema = tiny.get("/schema")[1]
    assert schema["inputs"] == [
        {"name": "title", "kind": "text", "keys": {"title": "text"}},
        {
            "name": "facts",
            "kind": "metadata",
            "keys": {"budget": "number", "place": "category"},
        },
    ]
    assert [tag["name"] for tag in schema["tags"]] == ["city", "food", "sea"]
    assert schema["limits"] == {"mb": 1.0, "ads": 60, "seconds": 60.0}


def test_other_routes_and_forms_are_refused(tiny: Served) -> None:
    assert tiny.get("/docs")[0] == 404
    assert tiny.get("/predict")[0] == 405
    status, told = tiny.send("POST", "/predict", b"{}", Content_Type="text/plain")
    assert (status, "application/json" in told["error"]) == (415, True)
    packed = {"Content_Type": "application/json", "Content_Encoding": "gzip"}
    assert tiny.send("POST", "/predict", b"{}", **packed)[0] == 415
    odd = "multipart/form-data"
    assert tiny.send("POST", "/predict", b"{}", Content_Type=odd)[0] == 400
    assert tiny.post_form([{"title": "sun"}], stray=b"x")[1]["error"].startswith("No ad names")


def test_a_request_that_does_not_arrive_is_given_up(tmp_path: Path, frame: pd.DataFrame) -> None:
    """So is one that is not answered in time; the next ones are answered."""
    options = ("--timeout", 2, "--max-ads", 100_000)
    with serving(TINY / "stack", *options, TMPDIR=str(tmp_path)) as served:
        with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) as slow:
            slow.sendall(
                b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 100\r\n\r\n{"
            )
            answer = slow.makefile("rb").read().decode()  # to the end of the connection
        assert answer.startswith("HTTP/1.1 408")
        assert "did not arrive within 2 s" in answer
        many = [{"title": f"sun sand {n}"} for n in range(60_000)]
        status, told = served.post(many)
        assert status == 504, told
        assert told["error"] == "The ads were not predicted within 2 s."
        end = time.monotonic() + PATIENCE
        while served.post({"title": "sun"})[0] != 200:
            assert time.monotonic() < end
        assert served.stop(signal.SIGINT) == 0
    assert served.said[-1] == "Stopped."
    assert list(tmp_path.iterdir()) == []


def test_workers_answer_are_replaced_and_end(frame: pd.DataFrame, expected: pd.DataFrame) -> None:
    with serving(TINY / "stack", "--workers", 2) as served:
        ads = [ad_of(frame, str(name)) for name in frame.index]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(served.post, ads))
        for (status, told), name in zip(answers, frame.index, strict=True):
            assert status == 200
            assert np.allclose(numbers(told, expected), expected.loc[name], rtol=0, atol=1e-6)
        children = _children(served.process.pid)
        assert len(children) == 2
        os.kill(children[0], signal.SIGKILL)
        served.until("another one takes its place")
        assert served.post(ads[0])[0] == 200
        assert served.stop() == 0
        left = _children(served.process.pid) + [
            one for one in children if Path(f"/proc/{one}").exists()
        ]
        assert left == []


def _children(parent: int) -> list[int]:
    """Return the workers of a service, without multiprocessing's own helper."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            command = (path / "cmdline").read_text()
        except OSError:
            continue
        if int(fields[1]) == parent and "spawn_main" in command:
            found.append(int(path.name))
    return found


def test_a_request_that_is_being_answered_at_the_end_is_answered(frame: pd.DataFrame) -> None:
    with serving(TINY / "stack", "--max-ads", 10_000) as served, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(served.post, [{"title": f"sun {n}"} for n in range(9_000)])
        while served.get("/health")[1]["seconds_at_work"] == 0:
            assert not asked.done()
        assert served.stop() == 0
        status, told = asked.result()
    assert status == 200
    assert len(told) == 9_000


def refused_start(*words: object, before: str = "pass") -> str:
    """Return what a service that cannot start says."""
    code = f"import sys; {before}; from competition.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "serve", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("Error: ")
    assert done.stdout == ""
    return done.stderr


def test_what_cannot_start_says_why(tiny: Served, tmp_path: Path) -> None:
    stack = TINY / "stack"
    assert "cannot be had (Address already in use)" in refused_start(stack, "--port", tiny.port)
    assert "no such address" in refused_start(stack, "--host", "no.such.host.invalid")
    assert "there is no such folder" in refused_start(stack, "--port", 0, "--files", "/no/such")
    assert "holds no saved stack" in refused_start(tmp_path, "--port", 0)
    assert "holds no saved stack" in refused_start(tmp_path, "--port", 0, "--workers", 2)
    without = refused_start(stack, before="sys.modules['fastapi'] = None")
    assert without == "Error: fastapi is not installed: pip install 'competition[serve]'.\n"
