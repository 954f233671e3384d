"""Which processes live."""

import os
import pwd
import signal
import socket
import subprocess
import sys

import pytest

from competition.utils.processes import another_lives, this_process

HOST = socket.gethostname()


@pytest.fixture
def sleeper() -> subprocess.Popen[bytes]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def test_running_process_lives_until_it_is_killed(sleeper: subprocess.Popen[bytes]) -> None:
    name = f"{HOST}:{sleeper.pid}"
    assert another_lives(name)
    assert sleeper.poll() is None  # asking does not end it
    sleeper.send_signal(signal.SIGKILL)
    sleeper.wait()
    assert not another_lives(name)


def test_this_process_is_not_another() -> None:
    assert this_process() == f"{HOST}:{os.getpid()}"
    assert not another_lives(this_process())


def test_process_of_another_machine_counts_as_living() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert not another_lives(f"{HOST}:{ended.pid}")
    assert another_lives(f"not-{HOST}:{ended.pid}")


@pytest.mark.parametrize("name", ["", f"{HOST}:", f"{HOST}:seven", f"{HOST}:-1", "7"])
def test_name_that_cannot_be_read_counts_as_living(name: str) -> None:
    assert another_lives(name)


def test_number_that_no_process_can_have_is_of_none() -> None:
    assert not another_lives(f"{HOST}:{2**62}")


def test_process_of_another_user_lives() -> None:
    if os.getuid() != 0:
        assert another_lives(f"{HOST}:1")  # of root, which refuses the signal
        return
    code = (
        "import os, sys\n"
        "from competition.utils.processes import another_lives\n"
        "os.setuid(int(sys.argv[2]))\n"
        "try:\n"
        "    os.kill(int(sys.argv[1].rpartition(':')[2]), 0)\n"
        "except PermissionError:\n"
        "    print(another_lives(sys.argv[1]))\n"
    )
    user = str(pwd.getpwnam("nobody").pw_uid)
    command = [sys.executable, "-c", code, this_process(), user]
    asked = subprocess.run(command, capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "True"


def test_on_windows_no_process_is_asked(
    monkeypatch: pytest.MonkeyPatch, sleeper: subprocess.Popen[bytes]
) -> None:
    def kill(process: int, number: int) -> None:
        raise AssertionError("on Windows, os.kill(process, 0) ends the process")

    monkeypatch.setattr("competition.utils.processes.os.kill", kill)
    monkeypatch.setattr("competition.utils.processes.os.name", "nt")
    living, ours = another_lives(f"{HOST}:{sleeper.pid}"), another_lives(this_process())
    monkeypatch.undo()
    assert living
    assert not ours


def test_process_whose_parent_has_ended_before_it_watches_ends() -> None:
    code = (
        "import os, time\n"
        "from competition.utils.processes import end_with_parent\n"
        "parent = os.getpid()\n"
        "if os.fork():\n"
        "    os._exit(0)\n"
        "while os.getppid() == parent:\n"
        "    time.sleep(0.01)\n"
        "end_with_parent(parent)\n"
        "time.sleep(60)\n"
    )
    # The pipe is open until the last process has ended.
    subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=20, check=True)
