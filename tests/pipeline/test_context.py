"""What every command works with is checked before anything is read or trained."""

from pathlib import Path

import pytest

from competition import load_profile, run
from competition.utils.errors import ModelError, ProfileError


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
