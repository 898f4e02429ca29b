"""The receiver of webhooks as an ASGI app: 200 says that the notice is kept, durably.

A sender names the token as the last part of the path, in `Authorization: Bearer`, or in
`X-Atlas-Token`. Without one the answer is 401, with another 403, and nothing of the body is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import re
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from atlas_dagster.errors import BusyError, PayloadError, WarehouseError
from atlas_dagster.settings import WebhookSettings
from atlas_dagster.webhook.intake import Intake
from atlas_dagster.webhook.payload import UNPROCESSABLE, Notice, Refused, parse
from atlas_dagster.webhook.refusals import RefusalCount
from atlas_dagster.webhook.store import Store

PATH = "/airbyte/webhook"
BODY_SECONDS = 30.0
MOST_BYTES_HELD = 64_000_000  # of all bodies that are read or wait for their commit

NO_TOKEN, WRONG_TOKEN, TOO_SLOW, TOO_LARGE, UNAVAILABLE = 401, 403, 408, 413, 503
_UNREAD = (NO_TOKEN, WRONG_TOKEN, TOO_SLOW, TOO_LARGE, UNAVAILABLE)

_POSITION = re.compile(r"\[\d+\]")  # what is counted must be of few kinds
_log = logging.getLogger(__name__)


def build_app(settings: WebhookSettings, store: Store) -> Starlette:
    """The app; its lifespan opens what it writes with, and closes it after the last commit."""
    receiver = Receiver(settings, store)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        receiver.intake.open()
        yield
        await receiver.close()

    app = Starlette(
        routes=[
            Route(PATH, receiver.receive, methods=["POST"]),
            Route(PATH + "/{token:path}", receiver.receive, methods=["POST"]),
            Route("/healthz", receiver.health, methods=["GET"]),
        ],
        exception_handlers={HTTPException: receiver.no_such_request, Exception: receiver.failed},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


@dataclass
class _Held:
    size: int = 0


class Receiver:
    """Answers requests; what is turned away is counted, and logged with its count."""

    def __init__(self, settings: WebhookSettings, store: Store) -> None:
        self.intake = Intake(store)
        self._refusals = RefusalCount(store)
        self._store = store
        self._token = settings.token.encode()
        self._most_bytes = settings.most_bytes
        self._bytes_held = 0

    async def receive(self, request: Request) -> Response:
        """`POST /airbyte/webhook` and `POST /airbyte/webhook/{token}`."""
        tokens = list(_tokens(request))
        if not tokens:
            return self._turn_away(Refused(NO_TOKEN, "no token"))
        if not any(hmac.compare_digest(token, self._token) for token in tokens):
            return self._turn_away(Refused(WRONG_TOKEN, "wrong token"))
        held = _Held()
        try:
            body = await self._body(request, held)
            if isinstance(body, bytes):
                body = parse(body, datetime.now(timezone.utc).date())
            return self._turn_away(body) if isinstance(body, Refused) else await self._keep(body)
        finally:
            self._bytes_held -= held.size

    async def health(self, _: Request) -> Response:
        """`GET /healthz`: whether a notice would be kept now."""
        if self.intake.is_open and await self._store.is_alive():
            return JSONResponse({"status": "ok"})
        return _error(Refused(UNAVAILABLE, "PostgreSQL does not answer"))

    async def no_such_request(self, _: Request, error: Exception) -> Response:
        """The answer where the path or the method is none of ours."""
        known = cast("HTTPException", error)
        reason = "wrong method" if known.status_code == 405 else "unknown path"
        answer = self._turn_away(Refused(known.status_code, reason))
        answer.headers.update(known.headers or {})
        return answer

    async def failed(self, _: Request, __: Exception) -> Response:
        """The answer where the fault is ours."""
        return self._turn_away(Refused(500, "internal error"))

    async def close(self) -> None:
        """Commit what was taken, write what was counted, and stop."""
        await self.intake.close()
        await self._refusals.close()
        await self._store.close()

    async def _body(self, request: Request, held: _Held) -> bytes | Refused:
        try:
            return await asyncio.wait_for(self._read(request, held), BODY_SECONDS)
        except asyncio.TimeoutError:
            return Refused(TOO_SLOW, "the body did not come in time")
        except ClientDisconnect:
            return Refused(400, "the body did not come to its end")

    async def _read(self, request: Request, held: _Held) -> bytes | Refused:
        """The body, which is not read any further where it turns out to be too large."""
        too_large = Refused(TOO_LARGE, f"the body is larger than {self._most_bytes} bytes")
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._most_bytes:
            return too_large
        chunks: list[bytes] = []
        async for chunk in request.stream():
            chunks.append(chunk)
            held.size += len(chunk)
            self._bytes_held += len(chunk)
            if held.size > self._most_bytes:
                return too_large
            if self._bytes_held > MOST_BYTES_HELD:
                return Refused(UNAVAILABLE, "too many bodies at once")
        return b"".join(chunks)

    async def _keep(self, notice: Notice) -> Response:
        try:
            await self.intake.keep(notice)
        except PayloadError as error:
            return self._turn_away(Refused(UNPROCESSABLE, str(error)))
        except BusyError as error:
            return self._turn_away(Refused(UNAVAILABLE, str(error)))
        except WarehouseError as error:
            _log.error("a notice is not stored: %s", error)
            return self._turn_away(Refused(UNAVAILABLE, "the notice could not be stored"))
        outcome = "ignored" if notice.kind == "other" else "accepted"
        _log.info("%s %r", outcome, notice.fingerprint)
        return JSONResponse({"status": outcome})

    def _turn_away(self, refused: Refused) -> Response:
        self._refusals.add(_POSITION.sub("[...]", refused.reason))
        return _error(refused)


def _error(refused: Refused) -> Response:
    """An answer that says why; the connection is closed where a body may be left unread."""
    headers: dict[str, str] = {}
    if refused.status in _UNREAD:
        headers["Connection"] = "close"
    if refused.status == NO_TOKEN:
        headers["WWW-Authenticate"] = "Bearer"
    if refused.status == UNAVAILABLE:
        headers["Retry-After"] = "5"
    return JSONResponse({"error": refused.reason}, refused.status, headers)


def _tokens(request: Request) -> Iterator[bytes]:
    """What a request offers as token, as the bytes that it sent."""
    if in_path := request.path_params.get("token"):
        yield in_path.encode("utf-8", "surrogatepass")
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer.strip():
        yield bearer.strip().encode("latin-1")
    if header := request.headers.get("x-atlas-token"):
        yield header.encode("latin-1")
