"""Serve a saved stack over HTTP."""

from pathlib import Path
from typing import Annotated

import typer

from competition.cli.options import Device
from competition.cli.saved import Folder


def serve(
    stack: Folder,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; 0.0.0.0 for all of this machine.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, help="0 takes a free one.")
    ] = 8000,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Processes, each with the whole stack.")
    ] = 1,
    files: Annotated[
        Path | None,
        typer.Option(
            "--files",
            metavar="DIR",
            help="Let requests name files below DIR; otherwise they bring all files themselves.",
        ),
    ] = None,
    max_mb: Annotated[
        float, typer.Option("--max-mb", min=0.001, help="Megabytes of a request.")
    ] = 100.0,
    max_ads: Annotated[int, typer.Option("--max-ads", min=1, help="Ads of a request.")] = 100,
    max_batch: Annotated[
        int, typer.Option("--max-batch", min=1, help="Ads that are predicted at once.")
    ] = 32,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, help="Seconds until a request is answered.")
    ] = 60.0,
    plugins: Annotated[
        list[Path] | None,
        typer.Option("--plugin", metavar="FILE", help="A plug-in whose models the stack holds."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Answer requests for the tags of ads over HTTP, with a saved stack."""
    from competition.serving.server import serve as serve_stack
    from competition.serving.settings import ServiceSettings

    settings = ServiceSettings(
        stack=stack,
        plugins=tuple(plugins or ()),
        device=device,
        files=files,
        max_mb=max_mb,
        max_ads=max_ads,
        max_batch=max_batch,
        timeout=timeout,
    )
    serve_stack(settings, host, port, workers, typer.echo)
