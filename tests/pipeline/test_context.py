"""What every command works with is checked before anything is read or trained."""

from pathlib import Path

import pytest

from competition import load_profile, run
from competition.utils.errors import DatasetError, ModelError, ProfileError


def test_a_name_in_place_of_a_profile_is_refused(shared_table: Path, tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"not 'text': pass what load_profile\('text'\) returns"):
        run(shared_table, "text", tmp_path)  # type: ignore[arg-type]
    assert not any(tmp_path.iterdir())


def test_a_device_that_no_machine_has_is_refused_at_once(
    shared_table: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="There is no device 'foo'"):
        run(shared_table, load_profile("text"), tmp_path, device="foo")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("below", ["", "a/b"])
def test_a_file_in_place_of_the_results_folder_is_refused(
    shared_table: Path, tmp_path: Path, below: str
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine", encoding="utf-8")
    with pytest.raises(ProfileError, match="taken is a file: results need a folder"):
        run(shared_table, load_profile("text"), taken / below)
    assert taken.read_text(encoding="utf-8") == "mine"


def test_a_name_that_no_folder_can_have_is_refused(shared_table: Path) -> None:
    for name in ("x" * 5000, "a\0b"):
        with pytest.raises(ProfileError, match="`out` cannot be a folder's name"):
            run(shared_table, load_profile("text"), name)


def test_a_file_in_place_of_the_ads_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ads.csv").write_text("id\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"ads\.csv is a file. Pass the folder of the ads."):
        run(tmp_path / "ads.csv", load_profile("text"), tmp_path / "out")


BAD_PROFILES = {
    "is a folder": None,
    "is not UTF-8 at byte 128": bytes(range(256)),
    "is not valid TOML": b"seed = 1\0",
    "is nested too deeply": b"seed = " + b"[" * 100_000,
    "not valid TOML: Exceeds the limit": b"seed = " + b"9" * 5000,
}


@pytest.mark.parametrize("message", BAD_PROFILES)
def test_profile_that_cannot_be_read_is_one_sentence(tmp_path: Path, message: str) -> None:
    path, content = tmp_path / "own.toml", BAD_PROFILES[message]
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(ProfileError, match=message) as raised:
        load_profile(str(path))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("n_jobs", [0, -1])
def test_no_tasks_at_a_time_are_refused(shared_table: Path, tmp_path: Path, n_jobs: int) -> None:
    with pytest.raises(ProfileError, match=f"n_jobs = {n_jobs}: a whole number of at least 1"):
        run(shared_table, load_profile("text"), tmp_path, n_jobs=n_jobs)
