"""Requests to a QALITA platform: credentials, what is tried again and when, and clear refusals."""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

import httpx
import msgspec

from atlas_dagster.errors import ConfigError, QalitaError, QalitaUnavailableError
from atlas_dagster.http_retries import DEFAULT_RETRIES, Retries, kind, retry_after
from atlas_dagster.qalita.settings import QalitaServer

SIGN_IN = "/api/v1/auth/signin"
RENEW_SECONDS = 60.0  # a token that expires so soon is not used any more
LONGEST_REASON = 300  # characters
IDLE_SECONDS = 4.0  # servers close what is idle for 5: what they close as we send is in doubt
LEAST_SECONDS = 1.0  # what a request gets where the time is nearly up
MOST_AT_ONCE = 8

_BOUNDARY = "atlas-8d1f4c0a"  # JSON as it is sent has no line that could begin with it
_PASSING = (408, 425, 429)
_NOT_DONE = (425, 429)  # the server says that it did nothing


@dataclass(frozen=True)
class Call:
    """One request.

    ``params`` go into the query. At most one of ``json``, ``form``, and ``file`` (a name, and
    JSON) with ``form``, is the body. Without ``may_repeat`` nothing is sent again that the
    platform may have carried out.
    """

    method: str
    path: str
    params: Mapping[str, str | int] | None = None
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    file: tuple[str, bytes] | None = None
    may_repeat: bool = True

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class QalitaHttp:
    """One pooled client; it may be used by several threads."""

    def __init__(
        self,
        server: QalitaServer,
        retries: Retries = DEFAULT_RETRIES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.server = server
        self._retries = retries
        self._sleep = sleep
        self._token = server.token
        self._expires_at: float | None = None
        self._token_lock = threading.Lock()
        self._ends_at: float | None = None
        self._before_write: Callable[[], None] | None = None
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": "atlas-dagster",
        }
        self._client = httpx.Client(
            base_url=server.base_url,
            timeout=server.request_seconds,
            limits=httpx.Limits(max_connections=MOST_AT_ONCE, keepalive_expiry=IDLE_SECONDS),
            headers=self._headers,
            verify=_tls(server),
        )

    def close(self) -> None:
        """Close the pooled connections."""
        self._client.close()

    @contextmanager
    def within(self, seconds: float) -> Generator[None]:
        """Wait for no answer longer than until so many seconds from now, for a block."""
        before, self._ends_at = self._ends_at, time.monotonic() + seconds
        try:
            yield
        finally:
            self._ends_at = before

    @contextmanager
    def before_writes(self, do: Callable[[], None]) -> Generator[None]:
        """Do something before each request that may not be repeated, for a block."""
        self._before_write = do
        try:
            yield
        finally:
            self._before_write = None

    def send(self, call: Call) -> httpx.Response:
        """Send a request; returns the answer, whose status is 2xx.

        Network errors, 408, 425, 429 and 5xx are tried again, other refusals are not. Raises
        QalitaUnavailableError where the last try failed as well, QalitaError where QALITA refused.
        """
        failed = 0
        renewed = doubtful = False
        while True:
            token = self._current_token()
            if self._before_write is not None and not call.may_repeat:
                self._before_write()
            try:
                response = self._exchange(call, token)
            except httpx.HTTPError as error:
                unsent = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
                doubtful = doubtful or not unsent
                failed += 1
                wait = self._wait(failed, None) if call.may_repeat or unsent else None
                if wait is None:
                    raise QalitaUnavailableError(
                        self._silence(error),
                        in_doubt=doubtful and not call.may_repeat,
                        silent=True,
                    ) from None
            else:
                if response.status_code == 401 and not renewed and self._forget(token):
                    renewed = True
                    continue
                if not _is_passing(response):
                    return self._accepted(call, response)
                undone = response.status_code in _NOT_DONE
                doubtful = doubtful or not undone
                failed += 1
                named = retry_after(response)
                wait = self._wait(failed, named) if call.may_repeat or undone else None
                if wait is None:
                    raise QalitaUnavailableError(
                        self._refusal(call, response),
                        response.status_code,
                        request_id(response),
                        in_doubt=doubtful and not call.may_repeat,
                    )
            self._sleep(wait)

    def read(self, call: Call) -> Any:
        """The JSON that a request is answered with; None where there is nothing (204).

        Raises as `send`, and QalitaUnavailableError where the answer is no JSON: in doubt, since
        the request may be carried out.
        """
        response = self.send(call)
        if response.status_code == 204 or not response.content:
            return None
        try:
            return response.json()
        except ValueError:  # of bytes that are no UTF-8, too
            raise self.garbage(call, kind(response).replace("JSON object", "JSON")) from None

    def garbage(self, call: Call, what: str) -> QalitaUnavailableError:
        """The error of an answer that is not as it should be."""
        return QalitaUnavailableError(
            f"QALITA answered {call} with {what}: is {self.server.url_name} right?",
            in_doubt=not call.may_repeat,
        )

    def _exchange(self, call: Call, token: str) -> httpx.Response:
        longest = self.server.upload_seconds if call.file else self.server.request_seconds
        seconds = self._bounded(longest)
        kind, content = _encoded(call)
        return self._client.send(
            httpx.Request(
                call.method,
                self._url(call),
                headers={
                    **self._headers,
                    "Authorization": f"Bearer {token}",
                    **({"Content-Type": kind} if kind else {}),
                },
                content=content,
                extensions={"timeout": httpx.Timeout(seconds).as_dict()},
            )
        )

    def _url(self, call: Call) -> httpx.URL:
        base = self._client.base_url
        query = f"?{urlencode(call.params)}" if call.params else ""
        path = base.raw_path.rstrip(b"/") + f"{call.path}{query}".encode()
        return base.copy_with(raw_path=path)

    def _accepted(self, call: Call, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            if response.content.lstrip()[:1] == b"<":  # a proxy's page: it did not get through
                raise self.garbage(call, kind(response))
            return response
        status = response.status_code
        if 300 <= status < 400:
            raise self.garbage(call, kind(response))
        if status == 401:
            raise QalitaUnavailableError(
                f"QALITA refuses {self.server.credentials}", 401, request_id(response)
            )
        raise QalitaError(self._refusal(call, response), status, request_id(response))

    def _bounded(self, seconds: float) -> float:
        if self._ends_at is None:
            return seconds
        return min(seconds, max(LEAST_SECONDS, self._ends_at - time.monotonic()))

    def _wait(self, failed: int, named: float | None) -> float | None:
        """Seconds to wait before the next try; None: there is none, or no time for it."""
        wait = self._retries.wait(failed, named)
        if wait is None or self._ends_at is None:
            return wait
        return wait if time.monotonic() + wait < self._ends_at else None

    def _current_token(self) -> str:
        """The API token, or one of a sign-in that is valid for a while yet."""
        with self._token_lock:
            soon = self._expires_at is not None and time.time() >= self._expires_at - RENEW_SECONDS
            if self._token is None or soon:
                self._token = self._sign_in()
                self._expires_at = expiry(self._token)
            return self._token

    def _sign_in(self) -> str:
        call = Call("POST", SIGN_IN)
        form = {"username": self.server.user or "", "password": self.server.password or ""}
        failed = 0
        while True:
            try:
                response = self._client.post(
                    SIGN_IN, data=form, timeout=self._bounded(self.server.request_seconds)
                )
            except httpx.HTTPError as error:
                failed += 1
                wait = self._wait(failed, None)
                if wait is None:
                    raise QalitaUnavailableError(self._silence(error), silent=True) from None
            else:
                if not _is_passing(response):
                    return self._issued(call, response)
                failed += 1
                wait = self._wait(failed, retry_after(response))
                if wait is None:
                    raise QalitaUnavailableError(
                        self._refusal(call, response), response.status_code, request_id(response)
                    )
            self._sleep(wait)

    def _issued(self, call: Call, response: httpx.Response) -> str:
        """The token that a sign-in was answered with."""
        if response.status_code in (400, 401, 403, 422):
            raise QalitaUnavailableError(
                f"QALITA refuses {self.server.credentials}",
                response.status_code,
                request_id(response),
            )
        answer: object = None
        with contextlib.suppress(ValueError):
            answer = response.json()
        found = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
        token = found.get("access_token")
        if not response.is_success or not isinstance(token, str) or not token:
            what = kind(response) if response.is_success and not found else "no access_token"
            raise QalitaUnavailableError(
                f"QALITA answered {call} ({response.status_code}) with {what}:"
                f" is {self.server.url_name} right?",
                response.status_code,
            )
        return token

    def _forget(self, token: str) -> bool:
        """Forget a token that was refused; returns whether another may be had."""
        if self.server.token is not None:
            return False
        with self._token_lock:
            if self._token == token:
                self._token = None
        return True

    def _silence(self, error: httpx.HTTPError) -> str:
        place = self._client.base_url.netloc.decode("ascii", "replace")
        if isinstance(error, httpx.TimeoutException):
            return f"QALITA at {place} did not answer in time"
        reason = str(error) or type(error).__name__
        return f"QALITA at {place} is not reachable: {reason}"

    def _refusal(self, call: Call, response: httpx.Response) -> str:
        reason = said(response)
        for secret in (self.server.token, self.server.password, self._token):
            reason = reason.replace(secret, "****") if secret else reason
        short = reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON - 1]}…"
        return f"QALITA answered {response.status_code} to {call}" + (f": {short}" if short else "")


def _encoded(call: Call) -> tuple[str | None, bytes]:
    """The body and its type, in one piece; httpx's own encoders take a tenth of all the CPU."""
    if call.json is not None:
        return "application/json", msgspec.json.encode(call.json)
    if call.file is None:
        return None, b""
    name, content = call.file
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in (call.form or {}).items()
    ]
    parts.append(
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/json\r\n\r\n"
    )
    end = f"\r\n--{_BOUNDARY}--\r\n"
    kind = f"multipart/form-data; boundary={_BOUNDARY}"
    return kind, "".join(parts).encode() + content + end.encode()


def request_id(response: httpx.Response) -> str | None:
    """What the platform, or a proxy before it, calls the request."""
    for name in ("X-Request-ID", "X-Correlation-ID"):
        if response.headers.get(name):
            return response.headers[name][:100]
    return None


def said(response: httpx.Response) -> str:
    """What FastAPI gives as the reason: a text, or fields and what is wrong with each."""
    answer: object = None
    with contextlib.suppress(ValueError):
        answer = response.json()
    detail: object = cast("Any", answer).get("detail") if isinstance(answer, dict) else None
    if isinstance(detail, str):
        return " ".join(detail.split())
    if not isinstance(detail, list):
        return ""
    return "; ".join(_problem(found) for found in cast("list[Any]", detail))


def _problem(found: Any) -> str:
    """One of the problems of a 422, without the input that it repeats."""
    if not isinstance(found, dict):
        return "what is no problem"
    fields = cast("dict[str, Any]", found)
    place = fields.get("loc")
    names = ".".join(map(str, cast("list[object]", place))) if isinstance(place, list) else "?"
    return f"{names}: {fields.get('msg')}"


def expiry(token: str) -> float | None:
    """When a JWT expires, in seconds since 1970; None where it does not say, or is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims: object = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    when: object = cast("Any", claims).get("exp") if isinstance(claims, dict) else None
    return float(when) if isinstance(when, (int, float)) else None


def _is_passing(response: httpx.Response) -> bool:
    return response.status_code in _PASSING or response.status_code >= 500


def _tls(server: QalitaServer) -> ssl.SSLContext | bool:
    """Built once for a client, and only where there is TLS: it costs 25 ms of CPU."""
    if not server.verifies or server.base_url.startswith("http://"):
        return False
    if server.ca_bundle is None:
        return True
    is_directory = server.ca_bundle.is_dir()
    try:
        if is_directory:
            return ssl.create_default_context(capath=str(server.ca_bundle))
        return ssl.create_default_context(cafile=str(server.ca_bundle))
    except (ssl.SSLError, OSError):
        raise ConfigError(
            f"QALITA_CA_BUNDLE: {server.ca_bundle} holds no certificates that can be read"
        ) from None
