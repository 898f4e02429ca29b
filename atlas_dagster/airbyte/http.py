"""Requests to an Airbyte server: credentials, what is tried again and when, and clear refusals."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import httpx

from atlas_dagster.errors import AirbyteError, AirbyteUnavailableError
from atlas_dagster.http_retries import DEFAULT_RETRIES, Retries, kind, retry_after
from atlas_dagster.settings import AirbyteServer

TOKEN_LIFE = 0.8  # the part of a token's life after which a new one is asked for
UNNAMED_TOKEN_SECONDS = 150.0  # tokens of Airbyte Cloud live 3 minutes
LONGEST_REASON = 300  # characters
MOST_AT_ONCE = 16

Json = dict[str, Any]


class AirbyteHttp:
    """One pooled client for both APIs of a server; it may be used by several threads."""

    def __init__(
        self,
        server: AirbyteServer,
        retries: Retries = DEFAULT_RETRIES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.server = server
        self._retries = retries
        self._sleep = sleep
        self._token: str | None = None
        self._renew_at = 0.0
        self._token_lock = threading.Lock()
        basic = server.name is not None and server.secret is not None and not server.uses_tokens
        self._client = httpx.Client(
            timeout=server.request_seconds,
            limits=httpx.Limits(max_connections=MOST_AT_ONCE, max_keepalive_connections=None),
            headers={"Accept": "application/json", "User-Agent": "atlas-dagster"},
            auth=(server.name or "", server.secret or "") if basic else None,
        )

    def close(self) -> None:
        """Close the pooled connections."""
        self._client.close()

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
        may_repeat: bool = True,
    ) -> Json:
        """Send a request; returns the JSON object that it is answered with.

        Network errors, 429 and 5xx are tried again, other refusals are not. With ``may_repeat``
        off, nothing is that the server may have carried out. Raises AirbyteUnavailableError where
        the last try failed as well, AirbyteError where the server refused.
        """
        response = self._exchange(method, url, params, body, may_repeat=may_repeat)
        return self._read(method, url, response)

    def content(self, method: str, url: str, body: Mapping[str, Any] | bytes) -> bytes:
        """As `request`, with JSON objects as they are sent: numbers keep all their digits."""
        response = self._exchange(method, url, None, body, may_repeat=True)
        self._read(method, url, response)
        return response.content

    def _exchange(
        self,
        method: str,
        url: str,
        params: Mapping[str, str | int] | None,
        body: Mapping[str, Any] | bytes | None,
        *,
        may_repeat: bool,
    ) -> httpx.Response:
        """The first answer that is none of those that may pass."""
        failed = 0
        renewed = False
        while True:
            try:
                response = self._send(method, url, params, body)
            except httpx.HTTPError as error:
                failed += 1
                unsent = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
                wait = self._retries.wait(failed, None) if may_repeat or unsent else None
                if wait is None:
                    raise AirbyteUnavailableError(_silence(url, error)) from None
            else:
                if response.status_code == 401 and not renewed and self._forget_token(response):
                    renewed = True
                    continue
                if not _is_passing(response):
                    return response
                failed += 1
                named = retry_after(response)
                again = may_repeat or response.status_code == 429
                wait = self._retries.wait(failed, named) if again else None
                if wait is None:
                    raise AirbyteUnavailableError(
                        _refusal(method, url, response), response.status_code
                    )
            self._sleep(wait)

    def _send(
        self,
        method: str,
        url: str,
        params: Mapping[str, str | int] | None,
        body: Mapping[str, Any] | bytes | None,
    ) -> httpx.Response:
        token = self._current_token()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/json"
            return self._client.request(method, url, params=params, content=body, headers=headers)
        return self._client.request(
            method, url, params=params, json=body if method == "POST" else None, headers=headers
        )

    def _current_token(self) -> str | None:
        """A token that is valid for a while yet; None where the server wants none."""
        if not (self.server.uses_tokens and self.server.name):
            return None
        with self._token_lock:
            if self._token is None or time.monotonic() >= self._renew_at:
                self._token, seconds = self._ask_for_token()
                self._renew_at = time.monotonic() + seconds * TOKEN_LIFE
            return self._token

    def _ask_for_token(self) -> tuple[str, float]:
        url = f"{self.server.rest_url}/applications/token"
        body = {"client_id": self.server.name, "client_secret": self.server.secret}
        failed = 0
        while True:
            response = self._client.post(url, json=body)
            if not _is_passing(response):
                break
            failed += 1
            wait = self._retries.wait(failed, retry_after(response))
            if wait is None:
                raise AirbyteUnavailableError(_refusal("POST", url, response), response.status_code)
            self._sleep(wait)
        if response.status_code in (400, 401, 403):
            raise AirbyteError(
                "Airbyte refuses AIRBYTE_CLIENT_ID and AIRBYTE_CLIENT_SECRET", response.status_code
            )
        answer = self._read("POST", url, response)
        token, seconds = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str):
            raise AirbyteError(f"{url} answered without an access_token")
        known = isinstance(seconds, (int, float)) and seconds > 0
        return token, float(cast("float", seconds)) if known else UNNAMED_TOKEN_SECONDS

    def _forget_token(self, refused: httpx.Response) -> bool:
        """Forget the token that was refused; returns whether another may be had."""
        used = refused.request.headers.get("Authorization", "").removeprefix("Bearer ")
        with self._token_lock:
            if self._token == used:
                self._token = None
        return self.server.uses_tokens and bool(used)

    def _read(self, method: str, url: str, response: httpx.Response) -> Json:
        """The answer, unless it is a refusal or no JSON object."""
        if response.status_code == 401:
            raise AirbyteError(self._unauthorized(), 401)
        if response.status_code >= 400:
            raise AirbyteError(_refusal(method, url, response), response.status_code)
        answer: object = None
        with contextlib.suppress(ValueError):  # what is no JSON is told of below
            answer = response.json()
        if not isinstance(answer, dict):
            raise AirbyteError(f"{url} answered with {kind(response)}: {self._is_url_right(url)}")
        return cast("Json", answer)

    def _unauthorized(self) -> str:
        if self.server.name is None:
            return (
                "Airbyte wants credentials: set AIRBYTE_CLIENT_ID and AIRBYTE_CLIENT_SECRET,"
                " or AIRBYTE_USERNAME and AIRBYTE_PASSWORD"
            )
        if self.server.uses_tokens:
            return "Airbyte refuses the token that AIRBYTE_CLIENT_ID has got from it"
        return "Airbyte refuses AIRBYTE_USERNAME and AIRBYTE_PASSWORD"

    def _is_url_right(self, url: str) -> str:
        is_rest = url.startswith(f"{self.server.rest_url}/")
        names = ("AIRBYTE_CONFIGURATION_API_BASE_URL", "AIRBYTE_REST_API_BASE_URL")
        return f"is {names[is_rest]} right?"


def _is_passing(response: httpx.Response) -> bool:
    return response.status_code == 429 or response.status_code >= 500


def _silence(url: str, error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return f"Airbyte at {urlsplit(url).netloc} did not answer in time"
    reason = str(error) or type(error).__name__
    return f"Airbyte at {urlsplit(url).netloc} is not reachable: {reason}"


def _refusal(method: str, url: str, response: httpx.Response) -> str:
    path = urlsplit(url).path
    return f"Airbyte answered {response.status_code} to {method} {path}{_reason(response)}"


def _reason(response: httpx.Response) -> str:
    """What Airbyte says itself: a problem+json of the public API, or a message of the other."""
    answer: object = None
    with contextlib.suppress(ValueError):
        answer = response.json()
    if not isinstance(answer, dict):
        return ""
    found = cast("Json", answer)
    data: object = found.get("data")
    said: object = cast("Json", data).get("message") if isinstance(data, dict) else None
    for text in (said, found.get("detail"), found.get("message"), found.get("title")):
        if isinstance(text, str) and text:
            return f": {' '.join(text.split())[:LONGEST_REASON]}"
    return ""
