"""The sandbox over its own HTTP: it answers as recorded, keeps what it took, refuses the rest."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from atlas_dagster.errors import BusyError, ConfigError
from atlas_dagster.http_retries import Retries
from atlas_dagster.qalita.client import QalitaApi
from atlas_dagster.qalita.http import QalitaHttp
from atlas_dagster.qalita.sandbox.app import API_TOKEN, LOGIN, base_url, clear, listen, serving
from atlas_dagster.qalita.sandbox.store import SandboxStore
from atlas_dagster.qalita.sender import send_due
from atlas_dagster.qalita.settings import QalitaServer
from atlas_dagster.qalita.targets import Targets
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.qalita.publishing import mapping, states, write
from atlas_dagster_tests.qalita_server.test_double import RECORDED, names, replay
from atlas_dagster_tests.webhook.receiver import ATLAS, environment, until


@pytest.fixture(autouse=True)
def _empty(warehouse: PgConnection) -> None:
    warehouse.execute("truncate pipeline.qalita_sandbox")


@pytest.fixture
def sandbox(warehouse_url: str) -> Iterator[httpx.Client]:
    with serving(warehouse_url) as url, client(url) as opened:
        yield opened


def client(url: str, token: str = API_TOKEN) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"})


NEEDS_MORE = {  # phases whose requests need what the record leaves out, or a platform that fails
    "worker-run-job",
    "cli-3.2.1-on-old",
    "err-metrics-500",
    "err-metrics-409",
    "err-figures-404",
    "err-jobcreate-422",
    "err-401-login",
}


def test_recorded_requests_of_the_real_client_are_answered_as_they_were(
    warehouse_url: str, warehouse: PgConnection
) -> None:
    """All that need no failing platform; the double, which is this one, replays the others."""
    store = SandboxStore(warehouse_url)
    ledger = store.load()
    ledger.table("packs").clear()
    ledger.table("pack_versions").clear()
    warehouse.execute("delete from pipeline.qalita_sandbox")
    ledger.changed.clear()
    ledger.add("registries", name="local", url="http://127.0.0.1:9/bucket")
    ledger.add("assets", name="seed", version="1.0.0", bucket="packs", type="pack")
    ledger.add_source("seed-source", description="seed")
    ledger.add_pack("seed")
    store.save(ledger)
    store.close()
    replayed = 0
    with serving(warehouse_url) as url, client(url) as opened:
        for sent in RECORDED:
            if sent["phase"] in NEEDS_MORE:
                continue
            answer = replay(opened, sent)
            where = f"{sent['phase']}: {sent['method']} {sent['path']}"
            assert answer.status_code == sent["status"], where
            if sent["response"] is not None:
                assert names(sent["response"]) <= names(answer.json()), where
            replayed += 1
    assert replayed > 20


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/api/v2/jobs", 405),
        ("POST", "/api/v1/metrics/upload", 422),
        ("POST", "/api/v2/jobs/create", 422),
        ("GET", "/api/v2/sources/9", 204),
        ("GET", "/api/v2/sources/nine", 422),
        ("GET", "/api/v2/nothing", 404),
        ("PUT", "/api/v2/jobs/9", 204),
    ],
)
def test_what_the_platform_refuses_is_refused(
    sandbox: httpx.Client, method: str, path: str, status: int
) -> None:
    assert sandbox.request(method, path, json={}).status_code == status


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"null", b'"x"', b"\xff"])
def test_garbage_is_refused_and_leaves_the_sandbox_up(sandbox: httpx.Client, body: bytes) -> None:
    ids = {"source_id": 1, "pack_id": 1, "pack_version_id": 1}
    for path in ("/api/v2/jobs/create", "/api/v1/sources/publish"):
        assert sandbox.post(path, content=body).status_code == 422
    answer = sandbox.post("/api/v1/metrics/upload", params=ids, files={"file": ("m.json", body)})
    assert answer.status_code == 422
    assert sandbox.get("/api/v2/metrics").json() == []


def test_a_token_is_needed_and_a_sign_in_gives_one(sandbox: httpx.Client) -> None:
    url = str(sandbox.base_url)
    assert httpx.get(f"{url}/api/v2/sources").status_code == 401
    user, password = LOGIN
    wrong = sandbox.post("/api/v1/auth/signin", data={"username": user, "password": "x"})
    assert wrong.status_code == 401
    answer = sandbox.post("/api/v1/auth/signin", data={"username": user, "password": password})
    with client(url, answer.json()["access_token"]) as signed_in:
        assert signed_in.get("/api/v2/sources").json() == []


def test_deliveries_arrive_and_outlive_the_process(
    warehouse: PgConnection, warehouse_url: str
) -> None:
    write(warehouse, "event-1")
    with serving(warehouse_url) as url:
        api = QalitaApi(QalitaHttp(QalitaServer(url, API_TOKEN), Retries(most=1)))
        api.publish_source("orders", "airbyte", "")
        assert send_due(warehouse, api, Targets(api, mapping())).sent == 1
        api.http.close()
    assert states(warehouse) == {"event-1": "done"}
    with serving(warehouse_url) as url, client(url) as opened:
        (job,) = opened.get("/api/v2/jobs").json()
        assert (job["name"], job["status"]) == ("event-1", "succeeded")
        assert [row["key"] for row in opened.get("/api/v2/metrics").json()] == [
            "dagster_event",
            "m2",
            "m1",
            "m0",
        ]
        page = opened.get("/").text
        assert "event-1" in page
        assert "look at event-1" in page


def test_the_command_serves_until_it_is_stopped(tmp_path: Path, warehouse_url: str) -> None:
    log = tmp_path / "sandbox.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            (*ATLAS, "qalita", "sandbox", "--port", "0"),
            cwd=tmp_path,
            env=environment(tmp_path, warehouse_url),
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        token = f"QALITA_API_TOKEN={API_TOKEN}\n"
        told = until(lambda: log.read_text() if token in log.read_text() else "")
        url = told.partition("QALITA_BASE_URL=")[2].split()[0]
        body = {"name": "a", "type": "b", "visibility": "internal"}
        with client(url) as opened:
            assert opened.post("/api/v1/sources/publish", json=body).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    assert log.read_text().endswith("stopped; what arrived is stored\n")
    with serving(warehouse_url) as url, client(url) as opened:
        assert [source["name"] for source in opened.get("/api/v2/sources").json()] == ["a"]


def test_the_page_shows_what_was_sent_as_text(sandbox: httpx.Client) -> None:
    body = {"name": "<script>", "type": "x\u0000\ud800y", "visibility": "internal"}

    assert sandbox.post("/api/v1/sources/publish", content=json.dumps(body)).status_code == 200
    page = sandbox.get("/")
    assert page.status_code == 200
    assert "&lt;script&gt;" in page.text


def test_one_sandbox_runs_on_a_warehouse(sandbox: httpx.Client, warehouse_url: str) -> None:
    with pytest.raises(BusyError), serving(warehouse_url):
        pass
    with pytest.raises(BusyError):
        clear(warehouse_url)


def test_a_port_that_is_taken_is_named() -> None:
    with listen(0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--port: cannot listen on 127.0.0.1, port {port}"):
            listen(port)


def test_it_is_asked_where_it_was_told_to_listen() -> None:
    with listen(0, "localhost") as listener:
        port = listener.getsockname()[1]
        assert base_url(listener, "localhost") == f"http://localhost:{port}"
    with pytest.raises(ConfigError, match="--port: cannot listen on no"):
        listen(0, "no.such.host.invalid")


def test_where_the_warehouse_goes_away_nothing_is_taken_that_is_not_stored(
    sandbox: httpx.Client, warehouse: PgConnection
) -> None:
    body = {"name": "a", "type": "b", "visibility": "internal"}
    warehouse.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where application_name = 'atlas qalita sandbox' and pid <> pg_backend_pid()"
    )
    assert sandbox.post("/api/v1/sources/publish", json=body).status_code == 503
    assert sandbox.get("/api/v2/sources").json() == []
    assert sandbox.post("/api/v1/sources/publish", json=body).status_code == 200
    assert len(sandbox.get("/api/v2/sources").json()) == 1
