"""Asking a webserver to reload, where it does not: what an operator reads."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from atlas_dagster.assets.location_reload import Reloader


class Webserver(ThreadingHTTPServer):
    """Answers each question of GraphQL with what it was told to."""

    answer: dict[str, Any]
    status = 200
    path = ""


class Handler(BaseHTTPRequestHandler):
    server: Webserver

    def do_POST(self) -> None:
        self.server.path = self.path
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"data": {"reloadRepositoryLocation": self.server.answer}}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def webserver() -> Iterator[Webserver]:
    server = Webserver(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def reload(url: str) -> str | None:
    reloader = Reloader(url)
    reloader.ask("atlas").join()
    return reloader.failure


def test_a_webserver_that_reloads_is_nothing_to_speak_of(webserver: Webserver) -> None:
    webserver.answer = {
        "__typename": "WorkspaceLocationEntry",
        "locationOrLoadError": {"__typename": "RepositoryLocation"},
    }
    assert reload(f"http://127.0.0.1:{webserver.server_port}/dagster") is None
    assert webserver.path == "/dagster/graphql"


def test_a_code_location_that_does_not_load_is_told(webserver: Webserver) -> None:
    webserver.answer = {
        "__typename": "WorkspaceLocationEntry",
        "locationOrLoadError": {"__typename": "PythonError", "message": "ConfigError: no"},
    }
    url = f"http://127.0.0.1:{webserver.server_port}"
    assert reload(url) == f"{url} did not reload atlas: ConfigError: no"


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        ({"__typename": "RepositoryLocationNotFound", "message": "no atlas"}, 200, "no atlas"),
        ({"__typename": "UnauthorizedError"}, 200, "UnauthorizedError"),
        ({}, 403, "403 Forbidden"),
        ({}, 200, "missing required field `__typename`"),
    ],
)
def test_a_webserver_that_refuses_is_told_in_a_line(
    webserver: Webserver, answer: dict[str, Any], status: int, reason: str
) -> None:
    webserver.answer, webserver.status = answer, status
    failure = reload(f"http://127.0.0.1:{webserver.server_port}")
    assert failure
    assert reason in failure
    assert "\n" not in failure


def test_a_webserver_that_is_not_there_is_told_in_a_line() -> None:
    failure = reload("http://127.0.0.1:1")
    assert failure
    assert failure.startswith("http://127.0.0.1:1 did not reload atlas: ")
    assert "\n" not in failure
