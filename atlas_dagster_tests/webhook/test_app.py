"""The answers of the receiver: who may come in, what is kept, and what is said of the rest."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from atlas_dagster.settings import WebhookSettings
from atlas_dagster.warehouse import PgConnection
from atlas_dagster.webhook import app as app_module
from atlas_dagster.webhook.app import build_app
from atlas_dagster.webhook.payload import Notice
from atlas_dagster.webhook.store import Store
from atlas_dagster_tests.webhook import bodies
from atlas_dagster_tests.webhook.bodies import CONNECTION, JOB

TOKEN = "a-token-of-the-tests"
PATH = "/airbyte/webhook"
SETTINGS = WebhookSettings(TOKEN, most_bytes=10_000)
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"

Ask = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]


def asked(url: str, *asks: Ask, settings: WebhookSettings = SETTINGS) -> list[httpx.Response]:
    """The answers to requests, one after the other, of a receiver that is closed afterwards."""

    async def run() -> list[httpx.Response]:
        app = build_app(settings, Store(url))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://atlas") as client,
        ):
            return [await ask(client) for ask in asks]

    return asyncio.run(run())


def post(body: Any, path: str = f"{PATH}/{TOKEN}", **more: Any) -> Ask:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda client: client.post(path, content=content, **more)


def rows(warehouse: PgConnection) -> list[tuple[Any, ...]]:
    return warehouse.execute(
        "select kind, connection_id, job_id, times from pipeline.notice order by notice_id"
    ).fetchall()


def refusals(warehouse: PgConnection) -> dict[str, int]:
    found = warehouse.execute(
        "select reason, sum(times)::int from pipeline.webhook_refusal group by reason"
    ).fetchall()
    return dict(found)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (f"{PATH}/{TOKEN}", {}),
        (PATH, {"Authorization": f"Bearer {TOKEN}"}),
        (PATH, {"authorization": f"bearer  {TOKEN}"}),
        (PATH, {"X-Atlas-Token": TOKEN}),
        (f"{PATH}/", {"X-Atlas-Token": TOKEN}),
        (PATH, {"X-Atlas-Token": TOKEN, "Authorization": "Basic cHJveHk6cHJveHk="}),
    ],
)
def test_the_token_may_stand_in_the_path_or_in_a_header(
    path: str, headers: dict[str, str], warehouse_url: str, warehouse: PgConnection
) -> None:
    [answer] = asked(warehouse_url, post(bodies.succeeded(), path, headers=headers))
    assert (answer.status_code, answer.json()) == (200, {"status": "accepted"})
    assert rows(warehouse) == [("sync", CONNECTION, JOB, 1)]


@pytest.mark.parametrize(
    ("path", "headers", "status", "error"),
    [
        (PATH, {}, 401, "no token"),
        (f"{PATH}/", {}, 401, "no token"),
        (PATH, {"Authorization": "Basic YTpi"}, 401, "no token"),
        (PATH, {"Authorization": "Bearer "}, 401, "no token"),
        (f"{PATH}?token={TOKEN}", {}, 401, "no token"),
        (f"{PATH}/{TOKEN}x", {}, 403, "wrong token"),
        (f"{PATH}/{TOKEN[:-1]}", {}, 403, "wrong token"),
        (f"{PATH}/{TOKEN}/", {}, 403, "wrong token"),
        (f"{PATH}/tökén-%ff-%00-表", {}, 403, "wrong token"),
        (PATH, {"Authorization": b"Bearer t\xf6k\xe9n\xff"}, 403, "wrong token"),
        (PATH, {"X-Atlas-Token": "tökén".encode()}, 403, "wrong token"),
    ],
)
def test_without_the_token_nothing_is_kept_but_a_count(
    path: str,
    headers: dict[str, Any],
    status: int,
    error: str,
    warehouse_url: str,
    warehouse: PgConnection,
) -> None:
    [answer] = asked(warehouse_url, post(bodies.succeeded(), path, headers=headers))
    assert (answer.status_code, answer.json()) == (status, {"error": error})
    assert answer.headers["connection"] == "close"
    assert (status == 401) == (answer.headers.get("www-authenticate") == "Bearer")
    assert (rows(warehouse), refusals(warehouse)) == ([], {error: 1})


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (bodies.failed(), "accepted", "sync"),
        (bodies.adapter(), "accepted", "payload"),
        (bodies.schema_changed(), "accepted", "schema"),
        (bodies.disabled(), "accepted", "connection"),
        (bodies.queued(), "ignored", "other"),
        (bodies.tested(bodies.succeeded()), "ignored", "other"),
    ],
)
def test_every_message_of_airbytes_is_kept_and_answered_with_200(
    body: Any, status: str, kind: str, warehouse_url: str, warehouse: PgConnection
) -> None:
    [answer] = asked(warehouse_url, post(body))
    assert (answer.status_code, answer.json()) == (200, {"status": status})
    assert [row[0] for row in rows(warehouse)] == [kind]


def test_the_kind_of_content_does_not_matter(warehouse_url: str, warehouse: PgConnection) -> None:
    headers = {"Content-Type": "text/plain"}
    [answer] = asked(warehouse_url, post(bodies.succeeded(), headers=headers))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"{", 400, "the body is not JSON"),
        (b"", 400, "the body is not JSON"),
        (b"[" * 9000, 400, "the body is nested too deeply"),
        ([], 422, "expected a JSON object"),
        ({"data": {"jobId": 1}}, 422, "data: object missing required field connection"),
        (bodies.adapter(job={"id": "x"}), 422, "job.id: expected int, got str"),
    ],
)
def test_a_body_that_is_wrong_is_answered_with_the_reason(
    body: Any, status: int, error: str, warehouse_url: str, warehouse: PgConnection
) -> None:
    [answer] = asked(warehouse_url, post(body))
    assert (answer.status_code, answer.json()) == (status, {"error": error})
    assert (rows(warehouse), refusals(warehouse)) == ([], {error: 1})


def test_reasons_are_counted_without_positions(warehouse_url: str, warehouse: PgConnection) -> None:
    def catalog(position: int) -> Any:
        streams = [{"name": "a"}] * position + [{"name": ""}]
        return bodies.adapter(catalog={"streams": streams})

    answers = asked(warehouse_url, *(post(catalog(position)) for position in range(3)))
    assert answers[2].json() == {"error": "catalog.streams[2].name: missing"}
    assert refusals(warehouse) == {"catalog.streams[...].name: missing": 3}


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_not_read_to_its_end(
    chunked: bool, warehouse_url: str, warehouse: PgConnection
) -> None:
    sent: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        for number in range(100):
            sent.append(number)
            yield b" " * 1000

    headers = {} if chunked else {"Content-Length": "100000"}
    [answer] = asked(
        warehouse_url,
        lambda client: client.post(f"{PATH}/{TOKEN}", content=body(), headers=headers),
    )
    assert answer.status_code == 413
    assert answer.json() == {"error": "the body is larger than 10000 bytes"}
    assert answer.headers["connection"] == "close"
    assert len(sent) == (11 if chunked else 0)
    assert refusals(warehouse) == {"the body is larger than 10000 bytes": 1}


def test_a_body_of_just_the_limit_is_read(warehouse_url: str) -> None:
    body = json.dumps(bodies.succeeded()).encode().ljust(10_000)
    answers = asked(warehouse_url, post(body), post(body + b" "))
    assert [answer.status_code for answer in answers] == [200, 413]


def test_a_body_that_does_not_come_in_time_is_given_up(
    warehouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "BODY_SECONDS", 0.05)

    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    [answer] = asked(warehouse_url, lambda client: client.post(f"{PATH}/{TOKEN}", content=body()))
    assert (answer.status_code, answer.json()["error"]) == (408, "the body did not come in time")


def test_bodies_that_would_fill_the_memory_are_refused_until_there_is_room(
    warehouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "MOST_BYTES_HELD", 8_000)
    body = json.dumps(bodies.succeeded()).encode().ljust(5_000)

    async def both(client: httpx.AsyncClient) -> httpx.Response:
        waiting = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield body[:-1]
            waiting.set()
            await held.wait()
            yield body[-1:]

        held = asyncio.Event()
        first = asyncio.create_task(client.post(f"{PATH}/{TOKEN}", content=slow()))
        await waiting.wait()
        second = await client.post(f"{PATH}/{TOKEN}", content=body)
        held.set()
        assert (await first).status_code == 200
        return second

    refused, later = asked(warehouse_url, both, post(body))
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert later.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", f"{PATH}/{TOKEN}", 405, "wrong method"),
        ("PUT", PATH, 405, "wrong method"),
        ("POST", "/healthz", 405, "wrong method"),
        ("POST", f"/webhook/{TOKEN}", 404, "unknown path"),
        ("GET", "/", 404, "unknown path"),
    ],
)
def test_other_paths_and_methods_are_none_of_ours(
    method: str, path: str, status: int, error: str, warehouse_url: str, warehouse: PgConnection
) -> None:
    [answer] = asked(warehouse_url, lambda client: client.request(method, path))
    assert (answer.status_code, answer.json()) == (status, {"error": error})
    assert (status == 405) == ("allow" in answer.headers)
    assert refusals(warehouse) == {error: 1}


def test_without_postgresql_the_answer_is_503_and_not_200(warehouse_url: str) -> None:
    notice, health = asked(NOWHERE, post(bodies.succeeded()), lambda client: client.get("/healthz"))
    assert (notice.status_code, notice.json()) == (503, {"error": "the notice could not be stored"})
    assert notice.headers["retry-after"] == "5"
    assert (health.status_code, health.json()) == (503, {"error": "PostgreSQL does not answer"})


def test_a_receiver_that_is_well_says_so(warehouse_url: str) -> None:
    [health] = asked(warehouse_url, lambda client: client.get("/healthz"))
    assert (health.status_code, health.json()) == (200, {"status": "ok"})


def test_a_fault_of_ours_is_told_without_its_cause(
    warehouse_url: str, warehouse: PgConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(body: bytes, today: object) -> Notice:
        raise RuntimeError(f"the secret {TOKEN}")

    monkeypatch.setattr(app_module, "parse", broken)
    [answer] = asked(warehouse_url, post(bodies.succeeded()))
    assert (answer.status_code, answer.json()) == (500, {"error": "internal error"})
    assert refusals(warehouse) == {"internal error": 1}


def test_nothing_of_what_was_refused_is_stored(warehouse_url: str, warehouse: PgConnection) -> None:
    secret = {"password": "hunter2-hunter2", "data": {"jobId": "hunter2-hunter2"}}
    asked(
        warehouse_url,
        post(secret),
        post(secret, f"{PATH}/wrong-hunter2-hunter2"),
        post(secret, "/hunter2-hunter2"),
    )
    stored = warehouse.execute(
        "select (select string_agg(n::text, '') from pipeline.notice n),"
        " (select string_agg(r::text, '') from pipeline.webhook_refusal r)"
    ).fetchone()
    assert stored is not None
    assert stored[0] is None
    assert "hunter2" not in stored[1]
