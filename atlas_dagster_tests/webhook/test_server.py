"""`atlas webhook` as a process: crowds, outages, its end, and what its log may show."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from atlas_dagster import embedded_postgres
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.conftest import server_directory
from atlas_dagster_tests.webhook import bodies
from atlas_dagster_tests.webhook.receiver import (
    COMMAND,
    TOKEN,
    Receiver,
    allow_connections,
    environment,
    read_answer,
    running,
    until,
)

ACCEPTED = (200, {"status": "accepted"})


@pytest.fixture
def receiver(tmp_path: Path, warehouse_url: str) -> Iterator[Receiver]:
    with running(tmp_path, warehouse_url) as process:
        yield process


def rows(warehouse: PgConnection) -> list[tuple[Any, ...]]:
    return warehouse.execute("select job_id, times from pipeline.notice order by 1").fetchall()


def refusals(warehouse: PgConnection) -> dict[str, int]:
    found = warehouse.execute(
        "select reason, sum(times)::int from pipeline.webhook_refusal group by reason"
    )
    return dict(found.fetchall())


def test_the_url_for_airbyte_is_printed_without_the_token(receiver: Receiver) -> None:
    assert f"{receiver.base}/airbyte/webhook/<ATLAS_WEBHOOK_TOKEN>" in receiver.log
    assert httpx.get(f"{receiver.base}/healthz").status_code == 200


def test_ten_megabytes_are_refused_however_they_are_announced(
    receiver: Receiver, warehouse: PgConnection
) -> None:
    body = b" " * 10_000_000
    chunks = (body[start : start + 65536] for start in range(0, len(body), 65536))
    answers = [
        httpx.post(receiver.url, content=body),
        httpx.post(receiver.url, content=chunks),
        httpx.post(f"{receiver.base}/airbyte/webhook/wrong", content=body),
    ]
    assert [answer.status_code for answer in answers] == [413, 413, 403]
    assert httpx.post(receiver.url, json=bodies.succeeded()).status_code == 200
    assert receiver.stop() == 0
    assert refusals(warehouse) == {
        "the body is larger than 1000000 bytes": 2,
        "wrong token": 1,
    }


def test_a_sender_that_offers_http_2_is_understood_as_airbyte_must_be(
    receiver: Receiver, warehouse: PgConnection
) -> None:
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAA")
    assert asyncio.run(receiver.send(receiver.post(bodies.succeeded(), *offer))) == ACCEPTED
    assert rows(warehouse) == [(bodies.JOB, 1)]
    assert "upgrade" not in receiver.log.lower()


def test_a_notice_in_pieces_is_one(receiver: Receiver, warehouse: PgConnection) -> None:
    request = receiver.post(bodies.succeeded())

    async def send() -> tuple[int, Any]:
        reader, writer = await asyncio.open_connection(*receiver.address)
        for start in range(0, len(request), 100):
            writer.write(request[start : start + 100])
            await writer.drain()
        answer = await read_answer(reader)
        writer.close()
        return answer

    assert asyncio.run(send()) == ACCEPTED


def test_a_thousand_replays_are_one_row(receiver: Receiver, warehouse: PgConnection) -> None:
    request = receiver.post(bodies.succeeded())

    async def replay() -> list[tuple[int, Any]]:
        answers: list[tuple[int, Any]] = []

        async def client(times: int) -> None:
            reader, writer = await asyncio.open_connection(*receiver.address)
            for _ in range(times):
                writer.write(request)
                answers.append(await read_answer(reader))
            writer.close()

        await asyncio.gather(*(client(50) for _ in range(20)))
        return answers

    assert asyncio.run(replay()) == [ACCEPTED] * 1000
    assert rows(warehouse) == [(bodies.JOB, 1000)]


def test_a_thousand_at_once_are_all_kept(
    receiver: Receiver, warehouse: PgConnection, warehouse_url: str
) -> None:
    allow_connections(1000)

    async def send() -> list[tuple[int, Any]]:
        with psycopg.connect(warehouse_url) as blocker:
            blocker.execute("lock table pipeline.notice")
            requests = (receiver.post(bodies.succeeded(job)) for job in range(1000))
            sent = [asyncio.create_task(receiver.send(request)) for request in requests]
            await asyncio.to_thread(until, lambda: waiting(warehouse) == 1)
            assert not any(task.done() for task in sent)
        return await asyncio.gather(*sent)

    assert Counter(status for status, _ in asyncio.run(send())) == {200: 1000}
    assert rows(warehouse) == [(job, 1) for job in range(1000)]


def test_a_sender_that_goes_away_disturbs_nobody(
    receiver: Receiver, warehouse: PgConnection
) -> None:
    with socket.create_connection(receiver.address) as half:
        half.sendall(receiver.post(bodies.succeeded(1))[:-10])
    assert httpx.post(receiver.url, json=bodies.succeeded(2)).status_code == 200
    assert receiver.stop() == 0
    assert rows(warehouse) == [(2, 1)]
    assert refusals(warehouse) == {"the body did not come to its end": 1}


def test_while_postgresql_is_down_notices_are_refused_and_afterwards_kept(tmp_path: Path) -> None:
    data_dir = server_directory()
    try:
        url = embedded_postgres.start(data_dir)
        with running(tmp_path, url) as receiver:
            assert httpx.post(receiver.url, json=bodies.succeeded(1)).status_code == 200
            embedded_postgres.stop(data_dir)
            down = httpx.post(receiver.url, json=bodies.succeeded(2))
            assert (down.status_code, down.headers["retry-after"]) == (503, "5")
            assert until(lambda: httpx.get(f"{receiver.base}/healthz").status_code == 503)
            assert embedded_postgres.start(data_dir) == url
            assert httpx.post(receiver.url, json=bodies.succeeded(3)).status_code == 200
            assert until(lambda: httpx.get(f"{receiver.base}/healthz").status_code == 200)
            assert receiver.stop() == 0
            assert "Traceback" not in receiver.log
        with psycopg.connect(url) as warehouse:
            assert rows(warehouse) == [(1, 1), (3, 1)]
            assert refusals(warehouse) == {"the notice could not be stored": 1}
    finally:
        embedded_postgres.stop(data_dir)
        shutil.rmtree(data_dir)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_what_is_in_flight_when_the_end_comes_is_kept_and_answered(
    how: signal.Signals, receiver: Receiver, warehouse: PgConnection, warehouse_url: str
) -> None:
    async def send() -> list[tuple[int, Any]]:
        with psycopg.connect(warehouse_url) as blocker:
            blocker.execute("lock table pipeline.notice")
            begun = [await receiver.begin(bodies.succeeded(job)) for job in range(50)]
            answers = [asyncio.create_task(read_answer(reader)) for reader, _ in begun]
            await asyncio.to_thread(until, lambda: waiting(warehouse) == 1)
            receiver.process.send_signal(how)
            await asyncio.to_thread(until, lambda: not listens(receiver))
            assert not any(answer.done() for answer in answers)
        return await asyncio.gather(*answers)

    answers = asyncio.run(send())
    assert receiver.process.wait() == 0
    assert answers == [ACCEPTED] * 50
    assert rows(warehouse) == [(job, 1) for job in range(50)]
    assert receiver.log.endswith("stopped; what was accepted is stored\n")


def test_neither_log_nor_answer_shows_the_token_a_body_or_a_trace(receiver: Receiver) -> None:
    secret = "hunter2-hunter2"
    wrong = {"data": {"jobId": secret, "password": secret}}
    answers = [
        httpx.post(receiver.url, json=bodies.succeeded()),
        httpx.post(receiver.url, json=wrong),
        httpx.post(receiver.url, content=secret),
        httpx.get(receiver.url),
        httpx.post(receiver.url + "/more", json=wrong),
        httpx.post(f"{receiver.base}/elsewhere/{TOKEN}", json=wrong),
        httpx.post(f"{receiver.base}/airbyte/webhook/{secret}", json=wrong),
        httpx.post(f"{receiver.base}/airbyte/webhook", headers={"X-Atlas-Token": secret}),
    ]
    with socket.create_connection(receiver.address) as garbage:
        garbage.sendall(f"{TOKEN} {secret}\r\n\r\n".encode())
        assert garbage.recv(100).startswith(b"HTTP/1.1 400")
    assert receiver.stop() == 0
    shown = receiver.log + "".join(f"{a.headers} {a.text}" for a in answers)
    assert [a.status_code for a in answers] == [200, 422, 400, 405, 403, 404, 403, 403]
    for hidden in (TOKEN, secret, "Traceback"):
        assert hidden not in shown
    assert f"accepted 'sync/{bodies.CONNECTION}/{bodies.JOB}/succeeded'" in receiver.log
    assert ": wrong token\n" in receiver.log


def test_an_address_that_is_taken_is_named(tmp_path: Path, warehouse_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run(tmp_path, warehouse_url, ATLAS_WEBHOOK_PORT=port)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "atlas: --host, --port (ATLAS_WEBHOOK_HOST, ATLAS_WEBHOOK_PORT): cannot listen on"
        f" 127.0.0.1, port {port}: Address already in use\n"
    )


def test_options_say_where_it_listens_before_the_environment_does(
    tmp_path: Path, warehouse_url: str
) -> None:
    elsewhere = {"ATLAS_WEBHOOK_HOST": "192.0.2.1", "ATLAS_WEBHOOK_PORT": "1"}
    given = ("--host", "localhost", "--port", "0")
    with running(tmp_path, warehouse_url, *given, **elsewhere) as receiver:
        assert receiver.base.startswith("http://localhost:")
        assert httpx.get(f"{receiver.base}/healthz").status_code == 200


def test_without_a_token_one_is_proposed_and_nothing_is_started(
    tmp_path: Path, warehouse_url: str
) -> None:
    proposals = [run(tmp_path, warehouse_url, ATLAS_WEBHOOK_TOKEN="").stderr for _ in range(2)]
    assert all("ATLAS_WEBHOOK_TOKEN: not set; a new one for your .env:" in p for p in proposals)
    first, second = (p.split("ATLAS_WEBHOOK_TOKEN=")[1].strip() for p in proposals)
    assert first != second
    with running(tmp_path, warehouse_url, ATLAS_WEBHOOK_TOKEN=first) as receiver:
        url = f"{receiver.base}/airbyte/webhook/{first}"
        assert httpx.post(url, json=bodies.succeeded()).status_code == 200


def test_a_database_without_our_tables_gets_them(tmp_path: Path, empty_database_url: str) -> None:
    with running(tmp_path, empty_database_url) as receiver:
        assert httpx.post(receiver.url, content=json.dumps(bodies.adapter())).status_code == 200


def run(directory: Path, warehouse_url: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        COMMAND,
        cwd=directory,
        env=environment(directory, warehouse_url, **more),
        capture_output=True,
        text=True,
        check=False,
    )


def waiting(warehouse: PgConnection) -> int:
    """How many of the receiver's statements wait for a lock."""
    row = warehouse.execute(
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and application_name = 'atlas webhook' and wait_event_type = 'Lock'"
    ).fetchone()
    return row[0] if row else 0


def listens(receiver: Receiver) -> bool:
    try:
        socket.create_connection(receiver.address).close()
    except ConnectionRefusedError:
        return False
    return True
