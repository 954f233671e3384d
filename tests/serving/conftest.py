"""A service in a process of its own, and a client."""

import http.client
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import competition

TINY = Path(__file__).parents[1] / "saved" / "stack_1"
PATIENCE = 240.0  # seconds that a busy machine may take to start

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("python_multipart")


@dataclass(frozen=True)
class Served:
    """A service that runs."""

    process: "subprocess.Popen[str]"
    port: int
    said: list[str]

    def send(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Return the status and the JSON that a request gets."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def get(self, path: str) -> tuple[int, Any]:
        return self.send("GET", path)

    def post(self, ads: Any, path: str = "/predict") -> tuple[int, Any]:
        """Ask about ads; bytes are sent as they stand."""
        body = ads if isinstance(ads, bytes) else json.dumps(ads).encode()
        return self.send("POST", path, body, Content_Type="application/json")

    def post_form(self, ads: Any, **uploads: bytes) -> tuple[int, Any]:
        """Ask about ads with files beside them."""
        mark = uuid.uuid4().hex
        parts = [('name="ads"', json.dumps(ads).encode())]
        parts += [
            (f'name="{name}"; filename="../../{name}.png"', one) for name, one in uploads.items()
        ]
        body = b"".join(
            f"--{mark}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + one + b"\r\n"
            for head, one in parts
        )
        form = f"multipart/form-data; boundary={mark}"
        return self.send("POST", "/predict", body + f"--{mark}--\r\n".encode(), Content_Type=form)

    def until(self, words: str) -> None:
        """Wait until the service has said some words."""
        assert self.process.stdout is not None
        end = time.monotonic() + PATIENCE
        while not any(words in line for line in self.said):
            assert time.monotonic() < end, self.said
            if select.select([self.process.stdout], [], [], 1)[0]:
                line = self.process.stdout.readline()
                assert line, self.said
                self.said.append(line)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and return the exit status."""
        self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=PATIENCE)
        self.said.extend(out.splitlines())
        return self.process.returncode


@contextmanager
def serving(stack: Path, *options: object, **environment: str) -> Iterator[Served]:
    """Serve a saved stack at a free port."""
    words = ["serve", str(stack), "--port", "0", *map(str, options)]
    process = subprocess.Popen(
        [sys.executable, "-m", "competition", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )
    served = Served(process, 0, [])
    try:
        served.until("Serving ")
        port = re.search(r"http://127\.0\.0\.1:(\d+)", served.said[-1])
        assert port is not None
        yield Served(process, int(port[1]), served.said)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def tiny() -> Iterator[Served]:
    """The stack of texts and metadata that is committed, with narrow limits."""
    with serving(TINY / "stack", "--max-mb", 1, "--max-ads", 60) as served:
        yield served


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    """The ads that come with it, as texts."""
    return pd.read_csv(TINY / "ads.csv", dtype=str, keep_default_na=False).set_index("id")


@pytest.fixture(scope="session")
def expected(frame: pd.DataFrame) -> pd.DataFrame:
    """What `predict_proba` says of them."""
    return competition.load_stack(TINY / "stack", n_jobs=1).predict_proba(frame)


@pytest.fixture(scope="session")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A saved stack of titles, posters and arrays, and the folder of its ads."""
    folder = tmp_path_factory.mktemp("pictured")
    rng = np.random.default_rng(4)
    rows = []
    (folder / "ads" / "posters").mkdir(parents=True)
    for number in range(40):
        tags = ["sea"] if number % 2 else ["city"]
        colours = rng.integers(0, 90, (8, 8, 3)) + 120 * np.array([tags == ["sea"], 0, 1])
        picture = f"posters/{number}.png"
        Image.fromarray(colours.astype(np.uint8)).save(folder / "ads" / picture)
        array = rng.normal(number % 2, 0.4, (2, 3)).astype(np.float32)
        np.save(folder / "ads" / f"{number}.npy", array)
        word = "wave" if number % 2 else "tram"
        ad = {"id": f"a{number}", "title": f"{word} {number % 5}", "poster": picture}
        rows.append({**ad, "vectors": f"{number}.npy", "tags": "|".join(tags)})
    table = pd.DataFrame(rows)
    table[:30].to_csv(folder / "ads" / "train.csv", index=False)
    table[30:].drop(columns="tags").to_csv(folder / "ads" / "test.csv", index=False)
    (folder / "ads" / "competition.toml").write_text(
        'name = "pictured"\ntrain = "train.csv"\ntest = "test.csv"\n'
        '[[tags]]\ncolumn = "tags"\ndimension = "topic"\n'
        '[inputs.title]\nkind = "text"\ncolumn = "title"\n'
        '[inputs.poster]\nkind = "image"\ncolumn = "poster"\n'
        '[inputs.vectors]\nkind = "array"\ncolumn = "vectors"\n',
        encoding="utf-8",
    )
    (folder / "own.toml").write_text(
        'models = ["tfidf_logreg"]\nfolds.n = 2\nlevel2.model = "mean"\n'
        '[features.thumbs]\nextractor = "thumbnails"\nside = 2\n'
        '[level1.looks]\nmodel = "probe"\ninputs = ["thumbs"]\n'
        '[level1.probe]\ninputs = ["vectors"]\n',
        encoding="utf-8",
    )
    profile = competition.load_profile(str(folder / "own.toml"))
    result = competition.run(folder / "ads", profile, folder / "out", n_jobs=1, keep="folds")
    competition.save_stack(result, folder / "stack")
    return folder / "stack", folder / "ads"
