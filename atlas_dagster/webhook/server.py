"""The process that listens: uvicorn, its log lines ours, since its own name paths and the token."""

from __future__ import annotations

import logging
import resource
import signal
import socket
import sys
from types import TracebackType

import uvicorn

from atlas_dagster.errors import ConfigError
from atlas_dagster.settings import WebhookSettings
from atlas_dagster.webhook.app import build_app
from atlas_dagster.webhook.store import Store

GRACE_SECONDS = 8  # Docker kills after 10
MOST_CONNECTIONS = 2_000
SPARE_FILES = 64

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def listen(settings: WebhookSettings) -> socket.socket:
    """Listen where the settings say; raises ConfigError naming them where that is not possible."""
    where = f"{settings.host}, port {settings.port}"
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=MOST_CONNECTIONS)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (")[0]
        raise ConfigError(
            f"ATLAS_WEBHOOK_HOST, ATLAS_WEBHOOK_PORT: cannot listen on {where}: {reason}"
        ) from None


def serve(settings: WebhookSettings, url: str, listener: socket.socket) -> None:
    """Answer requests until SIGTERM or SIGINT; what was accepted is committed then."""
    _configure_logging()
    config = uvicorn.Config(
        build_app(settings, Store(url)),
        http="h11",  # httptools loses the body of what offers HTTP/2, as Airbyte does (#2722)
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=_most_connections(),
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    for stop in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises the one that ended it once more
        signal.signal(stop, server.handle_exit)
    server.run(sockets=[listener])


class OneLine(logging.Formatter):
    """A line for each record: of an exception its type and place, not its text nor its trace."""

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802 - logging's name
        """Name an exception."""
        kind, _, trace = ei
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
        return f"{kind.__name__ if kind else 'nothing'}{place}"


def _configure_logging() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(message)s"))
    logging.root.handlers = [handler]
    logging.getLogger("atlas_dagster.webhook").setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Airbyte offers to go on in HTTP/2 with each request, which uvicorn warns of, twice."""
    return not record.getMessage().startswith(("Unsupported upgrade", "No supported WebSocket"))


def _most_connections() -> int:
    """How many connections the limit of open files leaves, which is raised as far as needed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + SPARE_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(MOST_CONNECTIONS, soft - SPARE_FILES)
