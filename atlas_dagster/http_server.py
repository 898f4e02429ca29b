"""What our own HTTP servers share: where they listen, how they stop, what they log."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import uvicorn

from atlas_dagster.errors import ConfigError

LOOPBACK = "127.0.0.1"
"""Where they listen unless told otherwise: this machine alone."""

BACKLOG = 2_000
GRACE_SECONDS = 8  # Docker kills after 10


def listen(host: str, port: int, told: str) -> socket.socket:
    """Listen on a host and a port, 0 of any that is free.

    Raises ConfigError where that is not possible, naming what said where (``told``).
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (")[0]
        raise ConfigError(f"{told}: cannot listen on {host}, port {port}: {reason}") from None


def base_url(host: str, listener: socket.socket) -> str:
    """Where a server that listens is asked."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def serve(app: Any, listener: socket.socket, most_connections: int) -> None:
    """Answer requests by an ASGI app until SIGTERM or SIGINT; those that have begun are ended."""
    server = _build_server(app, most_connections)
    for stop in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises the one that ended it once more
        signal.signal(stop, server.handle_exit)
    server.run(sockets=[listener])


@contextmanager
def serving(app: Any, listener: socket.socket) -> Generator[None]:
    """Answer requests by an ASGI app in a thread, for the length of a block."""
    server = _build_server(app, BACKLOG)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def _build_server(app: Any, most_connections: int) -> uvicorn.Server:
    """A server of an ASGI app that logs nothing of a request: its path may be secret."""
    config = uvicorn.Config(
        app,
        http="h11",  # httptools loses the body of what offers HTTP/2, as Airbyte does (#2722)
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=most_connections,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    return uvicorn.Server(config)


def _is_news(record: logging.LogRecord) -> bool:
    """Airbyte offers to go on in HTTP/2 with each request, which uvicorn warns of, twice."""
    return not record.getMessage().startswith(("Unsupported upgrade", "No supported WebSocket"))
