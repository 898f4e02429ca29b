"""`GET /metrics`, and the process that answers it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncGenerator

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from atlas_dagster import http_server
from atlas_dagster.logs import configure_logging
from atlas_dagster.metrics.definitions import DefinitionsReader
from atlas_dagster.metrics.scrape import Scraper

PATH = "/metrics"
MOST_CONNECTIONS = 32


def build_app(scraper: Scraper) -> Starlette:
    """The app; its connection is closed at its end."""

    async def metrics(_: Request) -> Response:
        content = await run_in_threadpool(scraper.scrape)
        return Response(content, headers={"Content-Type": CONTENT_TYPE_LATEST})

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        yield
        scraper.close()

    return Starlette(routes=[Route(PATH, metrics, methods=["GET"])], lifespan=lifespan)


def serve(url: str, definitions: DefinitionsReader, listener: socket.socket) -> None:
    """Answer scrapes until SIGTERM or SIGINT."""
    configure_logging()
    http_server.serve(build_app(Scraper(url, definitions)), listener, MOST_CONNECTIONS)
