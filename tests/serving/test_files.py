"""Files of requests: uploaded, or below one folder; none outside is ever opened."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import competition
from tests.serving.conftest import Served, serving
from tests.serving.test_serve import numbers


@pytest.fixture(scope="module")
def folder(pictured: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ads' folder, beside a secret picture that links inside it lead to."""
    ads = pictured[1]
    outside = tmp_path_factory.mktemp("outside")
    secret = outside / "secret.png"
    secret.write_bytes((ads / "posters" / "1.png").read_bytes())
    (ads / "link.png").symlink_to(secret)
    (ads / "linked").symlink_to(outside)
    (ads / "inner.png").symlink_to(ads / "posters" / "31.png")
    (ads / "loop").symlink_to(ads / "loop")
    os.mkfifo(ads / "pipe")
    return ads


@pytest.fixture(scope="module")
def served(pictured: tuple[Path, Path], folder: Path) -> Iterator[Served]:
    with serving(pictured[0], "--files", folder) as one:
        yield one


@pytest.fixture(scope="module")
def expected(pictured: tuple[Path, Path]) -> pd.DataFrame:
    stack, ads = pictured
    return competition.load_stack(stack, n_jobs=1).predict_proba(ads / "test.csv")


@pytest.fixture(scope="module")
def table(pictured: tuple[Path, Path]) -> pd.DataFrame:
    return pd.read_csv(pictured[1] / "test.csv", dtype=str).set_index("id")


def test_local_and_uploaded_files_give_the_numbers_of_predict(
    served: Served, folder: Path, table: pd.DataFrame, expected: pd.DataFrame
) -> None:
    local = [{"id": ad, **row.to_dict()} for ad, row in table.iterrows()]
    status, told = served.post(local)
    assert status == 200, told
    for one in told:
        assert np.allclose(numbers(one, expected), expected.loc[one["id"]], rtol=0, atol=1e-6)
        assert one["missing"] == []
    uploads = {}
    asked = []
    for number, (ad, row) in enumerate(table.iterrows()):
        uploads[f"p{number}"] = (folder / row["poster"]).read_bytes()
        uploads[f"v{number}"] = (folder / row["vectors"]).read_bytes()
        poster, vectors = {"upload": f"p{number}"}, [{"upload": f"v{number}"}]
        asked.append({"id": ad, "title": row["title"], "poster": poster, "vectors": vectors})
    status, told = served.post_form(asked, **uploads)
    assert status == 200, told
    for one in told:
        assert np.allclose(numbers(one, expected), expected.loc[one["id"]], rtol=0, atol=1e-6)
    inner = served.post({**local[1], "poster": "inner.png"})[1]
    assert np.allclose(numbers(inner, expected), expected.loc["a31"], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("../outside0/secret.png", 403),
        ("posters/../../outside0/secret.png", 403),
        ("posters\\..\\..\\secret.png", 403),
        ("/etc/passwd", 403),
        ("//etc/passwd", 403),
        ("link.png", 403),
        ("linked/secret.png", 403),
        ("posters/1.png\0.txt", 403),
        ("", 403),
        (" ", 403),
        ("loop", 422),
        ("pipe", 422),
        ("posters", 422),
        (".", 422),
        ("posters/absent.png", 422),
        ("file:///etc/passwd", 422),
        ("http://127.0.0.1/x.png", 422),
        ("['posters/1.png']", 422),
        ("posters/1.png|/etc/passwd", 422),
        ("~/x.png", 422),
        ("%2e%2e/secret.png", 422),
        ("a" * 5_000, 422),
    ],
)
def test_a_path_that_is_no_file_of_the_folder_is_refused(
    served: Served, path: str, status: int
) -> None:
    for given in (path, ["posters/1.png", path]):
        found, told = served.post({"title": "wave", "poster": given})
        assert found == status, told
        assert list(told) == ["error"]
        assert "secret" not in told["error"].replace(json.dumps(path), "")


def test_a_file_that_cannot_be_read_is_missing_and_named(
    served: Served, expected: pd.DataFrame
) -> None:
    status, told = served.post_form({"title": "wave", "poster": {"upload": "mine"}}, mine=b"x")
    assert status == 200, told
    assert [one["file"] for one in told["faults"]] == ["mine"]
    assert "/" not in told["faults"][0]["reason"]
    assert set(told["missing"]) == {"thumbs", "vectors"}


def test_what_names_no_file_is_refused(served: Served) -> None:
    for given in (3, {"upload": 3}, {"upload": "a", "more": 1}, {"path": "x"}, [["a"]], True):
        status, told = served.post({"poster": given})
        assert status == 422, told
        assert 'write the path of a file, {"upload": NAME}' in told["error"]
    status, told = served.post({"poster": {"upload": "absent"}})
    assert (status, "brings no upload" in told["error"]) == (422, True)


def test_ads_of_other_shapes_do_not_change_those_beside_them(
    served: Served, folder: Path, table: pd.DataFrame, expected: pd.DataFrame, tmp_path: Path
) -> None:
    """An array of another width, were it the usual one of a batch, would drop the right ones."""
    np.save(tmp_path / "wide.npy", np.ones((2, 7), dtype=np.float32))
    wide = (tmp_path / "wide.npy").read_bytes()
    right = {"id": "a30", **table.loc["a30"].to_dict()}
    odd = [{"id": str(n), "vectors": {"upload": f"w{n}"}} for n in range(3)]
    status, told = served.post_form([right, *odd], w0=wide, w1=wide, w2=wide)
    assert status == 200, told
    assert np.allclose(numbers(told[0], expected), expected.loc["a30"], rtol=0, atol=1e-6)
    assert all("vectors" in one["missing"] for one in told[1:])
    assert all("7 values a row" in one["faults"][0]["reason"] for one in told[1:])


def test_without_a_folder_no_file_of_the_server_is_read(pictured: tuple[Path, Path]) -> None:
    with serving(pictured[0]) as closed:
        status, told = closed.post({"poster": "posters/1.png"})
        assert status == 403
        assert "start the service with --files DIR" in told["error"]
        assert closed.stop() == 0
