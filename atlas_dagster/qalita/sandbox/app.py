"""The sandbox as an ASGI app, and the process that serves it on this machine."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import AsyncGenerator, Generator

import psycopg
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from atlas_dagster import http_server
from atlas_dagster.errors import WarehouseError
from atlas_dagster.qalita.sandbox.page import render
from atlas_dagster.qalita.sandbox.platform import Platform, make_token
from atlas_dagster.qalita.sandbox.routes import Routes
from atlas_dagster.qalita.sandbox.store import SandboxStore
from atlas_dagster.qalita.sandbox.wire import Answer, detail, parse_request
from atlas_dagster.warehouse import connect, session_lock

PORT = 3080  # of QALITA's own backend
API_TOKEN = make_token(4_102_444_800, 0)
"""Good for any sandbox, till 2100: it keeps nobody out, and shows that a token is sent."""

LOGIN = ("sandbox", "sandbox")
MOST_BYTES = 64_000_000

_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]
_LOCK = "qalita/sandbox"


class Sandbox:
    """Answers one request at a time; what it changes is committed before the answer."""

    def __init__(self, store: SandboxStore, url: str) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._routes = Routes(store.load())
        self._platform = Platform(self._routes, url, {API_TOKEN}, LOGIN)

    async def page(self, _: Request) -> Response:
        """`GET /`: what arrived."""
        page = await run_in_threadpool(self._render)
        return HTMLResponse(page.encode(errors="replace"))

    async def api(self, request: Request) -> Response:
        """Anything else, as the platform answers it."""
        size = request.headers.get("content-length", "0")
        if not size.isdecimal() or int(size) > MOST_BYTES:
            return _response(detail(413, "Content Too Large"))
        content = await request.body()
        return _response(await run_in_threadpool(self._answer, request, content))

    def _render(self) -> str:
        with self._lock:
            return render(self._routes.ledger)

    def _answer(self, request: Request, content: bytes) -> Answer:
        path = request.url.path
        target = f"{path}?{request.url.query}" if request.url.query else path
        sent = parse_request(request.method, target, request.headers, content)
        with self._lock:
            answer = self._platform.answer(sent)
            try:
                self._store.save(self._routes.ledger)
            except WarehouseError as error:
                with contextlib.suppress(WarehouseError):
                    self._routes.ledger = self._store.load()  # as if it had not been asked
                return detail(503, str(error))
        return answer


def build_app(store: SandboxStore, url: str) -> Starlette:
    """The app; its rows are read when it is built."""
    sandbox = Sandbox(store, url)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        yield
        store.close()

    app = Starlette(
        routes=[
            Route("/", sandbox.page, methods=["GET"]),
            Route("/{path:path}", sandbox.api, methods=_METHODS),
        ],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def listen(port: int, host: str = http_server.LOOPBACK) -> socket.socket:
    """Listen, on this machine only unless told otherwise; raises ConfigError where it cannot."""
    return http_server.listen(host, port, "--port")


def base_url(listener: socket.socket, host: str = http_server.LOOPBACK) -> str:
    """Where a sandbox that listens is asked."""
    return http_server.base_url(host, listener)


def serve(database_url: str, listener: socket.socket, host: str = http_server.LOOPBACK) -> None:
    """Answer requests until SIGTERM or SIGINT; raises BusyError where another sandbox does."""
    with _alone(database_url):
        app = build_app(SandboxStore(database_url), base_url(listener, host))
        http_server.serve(app, listener, http_server.BACKLOG)


@contextlib.contextmanager
def serving(database_url: str) -> Generator[str]:
    """A sandbox in a thread, for the length of a block, by its URL; raises as `serve`."""
    with _alone(database_url), listen(0) as listener:
        url = base_url(listener)
        with http_server.serving(build_app(SandboxStore(database_url), url), listener):
            yield url


def clear(database_url: str) -> None:
    """Forget all that arrived; raises as `serve`."""
    with _alone(database_url):
        SandboxStore(database_url).clear()


@contextlib.contextmanager
def _alone(database_url: str) -> Generator[None]:
    with (
        connect(database_url, application="atlas qalita sandbox") as connection,
        contextlib.suppress(psycopg.OperationalError),  # the lock went with its connection
        session_lock(connection, _LOCK, "another sandbox runs on this warehouse"),
    ):
        yield


def _response(answer: Answer) -> Response:
    headers = {"Content-Type": "application/json", **answer.headers}
    return Response(answer.content, answer.status, headers)
