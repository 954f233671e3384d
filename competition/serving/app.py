"""The routes of a service."""

import asyncio
import shutil
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING, Any

from competition.serving.batches import Told
from competition.serving.form import FILES, AskedAds, read_json
from competition.serving.refusals import (
    BAD_REQUEST,
    BUSY,
    NOT_IN_TIME,
    TOO_SLOW,
    WRONG_AD,
    RefusedError,
)
from competition.serving.service import Service
from competition.serving.uploads import read_body
from competition.utils.errors import CompetitionError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request


def make_app(service: Service) -> "FastAPI":
    """Return the routes: POST /predict; GET /health, /version and /schema."""
    from fastapi import FastAPI, Request
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse
    from starlette.exceptions import HTTPException

    # Pages of FastAPI's own would load scripts from elsewhere.
    app = FastAPI(title="competition", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/health")
    async def health() -> JSONResponse:
        seconds = service.batches.at_work
        stuck = seconds > service.settings.timeout
        told = {
            "status": "stuck" if stuck else "ok",
            "waiting": service.batches.waiting,
            "seconds_at_work": round(seconds, 3),
        }
        return JSONResponse(told, BUSY if stuck else 200)

    @app.get("/version")
    async def version() -> JSONResponse:
        return JSONResponse(service.version())

    @app.get("/schema")
    async def schema() -> JSONResponse:
        return JSONResponse(service.schema())

    @app.post("/predict")
    async def predict(request: Request, explain: bool = False) -> JSONResponse:
        return JSONResponse(await _predict(service, request, explain))

    @app.exception_handler(RefusedError)
    async def refused(request: Request, bad: RefusedError) -> JSONResponse:
        return JSONResponse({"error": str(bad)}, bad.status)

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, bad: HTTPException) -> JSONResponse:
        known = "POST /predict; GET /health, /version, /schema."
        told = {"error": f"{request.method} {request.url.path}: {bad.detail}. There are {known}"}
        return JSONResponse(told, bad.status_code, headers=bad.headers)

    @app.exception_handler(RequestValidationError)
    async def wrong_query(request: Request, bad: RequestValidationError) -> JSONResponse:
        return JSONResponse({"error": "explain is true or false."}, WRONG_AD)

    @app.exception_handler(Exception)
    async def defect(request: Request, bad: Exception) -> JSONResponse:
        return JSONResponse({"error": "The service has failed: its log says where."}, 500)

    return app


async def _predict(service: Service, request: "Request", explain: bool) -> Any:
    """Read a request, wait for its turn, and return what is told of its ads."""
    from starlette.requests import ClientDisconnect

    settings = service.settings
    end = asyncio.get_running_loop().time() + settings.timeout
    folder = service.upload_folder()
    try:
        try:
            async with asyncio.timeout_at(end):
                content, uploads = await read_body(request, folder, settings.max_mb)
        except TimeoutError:
            raise RefusedError(
                TOO_SLOW, f"The request did not arrive within {settings.timeout:g} s."
            ) from None
        except ClientDisconnect:
            raise RefusedError(BAD_REQUEST, "The request was not sent to its end.") from None
        names = {path.relative_to(service.work).as_posix(): name for name, path in uploads.items()}
        several, asked = await asyncio.to_thread(_asked, service, content, names)
        future = service.batches.submit(asked.rows, explain)
    except BaseException:
        _remove(folder)
        raise
    future.add_done_callback(lambda _: _remove(folder))
    try:
        async with asyncio.timeout_at(end):
            told = await asyncio.wrap_future(future)
    except TimeoutError:
        raise RefusedError(
            NOT_IN_TIME, f"The ads were not predicted within {settings.timeout:g} s."
        ) from None
    except CancelledError:
        raise RefusedError(BUSY, "The service is being stopped.") from None
    except CompetitionError as bad:
        raise RefusedError(WRONG_AD, str(bad).replace(f"{service.work}/", "")) from None
    ads = [
        {"id": given, **_with_names(one, names)} for given, one in zip(asked.ids, told, strict=True)
    ]
    return ads if several else ads[0]


def _asked(service: Service, content: bytes, names: dict[str, str]) -> tuple[bool, AskedAds]:
    """Return whether a request is about several ads, and the ads."""
    read = read_json(content)
    uploads = {name: path for path, name in names.items()}
    return isinstance(read, list), service.form.ads_of(read, uploads)


def _with_names(told: Told, names: dict[str, str]) -> Told:
    """Name files as the request did."""
    faults = [
        {**one, "file": names.get(one["file"], one["file"].removeprefix(f"{FILES}/"))}
        for one in told["faults"]
    ]
    return {**told, "faults": faults}


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
