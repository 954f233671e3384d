"""The sockets, processes and signals of a service."""

import math
import multiprocessing
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from competition.serving.settings import ServiceSettings
from competition.utils.errors import CompetitionError, ProcessError
from competition.utils.extras import lacking
from competition.utils.processes import end_with_parent, orderly_end

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

LIBRARIES = ("fastapi", "uvicorn", "python_multipart")
BACKLOG = 2_048  # connections that wait until they are taken
LOOK_EVERY = 0.2  # seconds between two looks at the workers


def serve(
    settings: ServiceSettings,
    host: str,
    port: int,
    workers: int,
    announce: Callable[[str], None],
) -> None:
    """Serve a saved stack until SIGINT or SIGTERM; what is being answered then is answered.

    Parameters
    ----------
    settings : ServiceSettings
    host : str
    port : int
        0 takes one that is free.
    workers : int
        Processes, each with the whole stack and a queue of its own.
    announce : callable
        Receives what is to be printed: where the service is, once it answers.

    Raises
    ------
    CompetitionError
        If a library is not installed, the stack cannot be loaded, the port cannot be had, or there
        is no such folder of files.
    """
    if missing := lacking(LIBRARIES):
        raise CompetitionError(missing)
    if settings.files is not None and not settings.files.is_dir():
        raise CompetitionError(f"--files {settings.files}: there is no such folder.")
    with _listening(host, port) as listener:
        at = f"http://{_shown(host)}:{listener.getsockname()[1]}"
        ready = f"Serving {settings.stack} at {at}; Ctrl-C stops it."
        if workers == 1:
            _work(settings, listener, lambda: announce(ready))
        else:
            _supervise(settings, listener, workers, ready, announce)
    announce("Stopped.")


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Take a port, at once, so that no second service finds it free."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
    except (OSError, UnicodeError):
        raise CompetitionError(f"--host {host}: this machine has no such address.") from None
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError as bad:
            raise CompetitionError(
                f"The port {port} of {host} cannot be had ({bad.strerror}). Name another one: "
                "--port."
            ) from None
        yield listener


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _work(settings: ServiceSettings, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Load the stack, and answer requests until a signal comes."""
    import uvicorn

    from competition.serving.app import make_app
    from competition.serving.service import Service

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Stop in order, and leave it at that: uvicorn would raise the signal once more."""
            with _signals(self.handle_exit):
                yield

    with tempfile.TemporaryDirectory(prefix="competition-serve-") as work:
        service = Service(settings, Path(work).resolve())
        config = uvicorn.Config(
            make_app(service),
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=math.ceil(settings.timeout),
        )
        ready()
        Server(config).run([listener])
        service.batches.stop()


@contextmanager
def _signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {one: signal.signal(one, handler) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, earlier in before.items():
            signal.signal(one, earlier)


@dataclass(frozen=True, eq=False)
class _Worker:
    process: "SpawnProcess"
    told: Connection

    @classmethod
    def start(cls, settings: ServiceSettings, listener: socket.socket) -> "_Worker":
        context = multiprocessing.get_context("spawn")
        told, tells = context.Pipe(duplex=False)
        process = context.Process(target=_worker, args=(settings, listener, tells, os.getpid()))
        process.start()
        tells.close()
        return cls(process, told)

    def is_ready(self) -> bool:
        """Whether it answers requests.

        Raises
        ------
        CompetitionError
            If it has ended before.
        """
        if not self.told.poll():
            return False
        try:
            why = self.told.recv()
        except EOFError:
            raise ProcessError(
                "A process of the service was ended from outside before it could answer, as the "
                "system does when memory runs out. Start fewer: --workers."
            ) from None
        if why:
            raise CompetitionError(why)
        return True


def _worker(
    settings: ServiceSettings, listener: socket.socket, tells: Connection, parent: int
) -> None:
    end_with_parent(parent)
    with orderly_end():
        try:
            _work(settings, listener, lambda: tells.send(""))
        except CompetitionError as bad:
            tells.send(str(bad))


def _supervise(
    settings: ServiceSettings,
    listener: socket.socket,
    n_workers: int,
    ready: str,
    announce: Callable[[str], None],
) -> None:
    """Keep some processes at work until a signal comes."""
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    workers: list[_Worker] = []
    starting: list[_Worker] = []
    with _signals(stop):
        try:
            workers = [_Worker.start(settings, listener) for _ in range(n_workers)]
            starting = list(workers)
            announced = False
            while not stopped:
                starting = [one for one in starting if not one.is_ready()]
                if not starting and not announced:
                    announce(ready)
                    announced = True
                for place, one in enumerate(workers):
                    if one not in starting and not one.process.is_alive():
                        announce(
                            f"A process of the service has ended ({one.process.exitcode}); another "
                            "one takes its place."
                        )
                        workers[place] = _Worker.start(settings, listener)
                        starting.append(workers[place])
                time.sleep(LOOK_EVERY)
        finally:
            listener.close()
            _end(workers, settings.timeout)


def _end(workers: list[_Worker], timeout: float) -> None:
    """Let processes answer what they are at, and end them."""
    for one in workers:
        one.process.terminate()
    deadline = time.monotonic() + timeout + 1
    for one in workers:
        one.process.join(max(0.0, deadline - time.monotonic()))
        if one.process.is_alive():
            one.process.kill()
            one.process.join()
