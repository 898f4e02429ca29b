"""The test's QALITA against what the real command line was recorded to send, and to be answered.

``recorded.jsonl`` holds requests of the CLI 3.2.1 and 2.11.3 with the answers that they worked
with, files and long texts left out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from atlas_dagster.qalita.sandbox.wire import Answer, detail
from atlas_dagster_tests.qalita_server.double import API_TOKEN, PASSWORD, USER, QalitaDouble
from atlas_dagster_tests.qalita_server.routes import Generation

RECORDED = [
    json.loads(line)
    for line in Path(__file__).with_name("recorded.jsonl").read_text("utf-8").splitlines()
]
FAILURES = {"err-metrics-500", "err-metrics-409", "err-figures-404", "err-jobcreate-422"}


def replay(client: httpx.Client, sent: dict[str, Any]) -> httpx.Response:
    """Send a request as it was recorded."""
    body = sent["body"] or {}
    files = None
    if "file" in body:
        content = json.dumps(body["json"]).encode() if "json" in body else b"x" * body["size"]
        files = {"file": (body["file"], content)}
    return client.request(
        sent["method"],
        sent["path"],
        params=sent["query"],
        json=body.get("json") if files is None else None,
        files=files,
    )


def prepare(double: QalitaDouble, sent: dict[str, Any]) -> None:
    """What had happened to the real one between the requests that the record keeps."""
    phase, ledger = sent["phase"], double.ledger
    if not ledger.table("sources"):
        ledger.add("registries", name="local", url="http://127.0.0.1:9/bucket")
        ledger.add("assets", name="seed", version="1.0.0", bucket="packs", type="pack")
        ledger.add_source("seed-source", description="seed")
        ledger.add_pack("seed")
    if phase == "worker-run-job" and len(ledger.table("assets")) == 2:  # 1.0.1 was pushed
        asset = ledger.add("assets", name="probe", version="1.0.1", bucket="packs", type="pack")
        ledger.change("assets", asset, description="pack binary asset", url="http://s3", size=4)
        ledger.files[asset["id"]] = b"pack"
        ledger.add_pack_version(2, "1.0.1", asset["id"])
    if phase == "cli-3.2.1-on-old" and double.routes.generation is Generation.CURRENT:
        double.become(Generation.VERSIONED)
        double.misbehave("figures", Answer(422, sent["response"]))  # there it knew figures
    if phase in FAILURES:
        double.misbehave(f"{sent['method']} {sent['path']}", detail(sent["status"], "failure"))
    if phase == "err-401-login":
        double.misbehave("users", detail(401, "Could not validate credentials"))


def test_every_recorded_request_is_answered_as_it_was(qalita_server: QalitaDouble) -> None:
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    with httpx.Client(base_url=qalita_server.url, headers=headers) as client:
        for sent in RECORDED:
            prepare(qalita_server, sent)
            answer = replay(client, sent)
            where = f"{sent['phase']}: {sent['method']} {sent['path']}"
            assert answer.status_code == sent["status"], where
            if sent["response"] is not None:
                assert names(sent["response"]) <= names(answer.json()), where
    assert len(RECORDED) == 45


def names(body: Any) -> set[str]:
    """The names in an answer, or in the first item of a list."""
    if isinstance(body, list):
        return names(body[0]) if body else set()
    assert isinstance(body, dict)
    return set(body)


def test_what_the_command_line_uploaded_is_stored(qalita_server: QalitaDouble) -> None:
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    with httpx.Client(base_url=qalita_server.url, headers=headers) as client:
        for sent in RECORDED:
            prepare(qalita_server, sent)
            replay(client, sent)
    ledger = qalita_server.ledger
    assert [row["key"] for row in ledger.rows("schemas")] == ["dataset", "column"] * 2
    assert [row["value"] for row in ledger.rows("metrics")] == ["0.97", "102934", "1.0"] * 2
    assert [row["level"] for row in ledger.rows("recommendations")] == ["warning"] * 2
    (job,) = ledger.rows("jobs")
    assert (job["status"], job["end_date"], job["logs_id"]) == (
        "succeeded",
        "2026-11-22 02:05:58",
        4,
    )


UPLOAD = {"file": ("metrics.json", b'[{"key": "a", "value": 1, "scope": {}}]')}
IDS = {"source_id": 1, "pack_id": 1, "pack_version_id": 1}
VERSIONED_IDS = {**IDS, "source_version_id": 1}


@pytest.mark.parametrize(
    ("generation", "params", "form", "status"),
    [
        (Generation.CURRENT, IDS, {}, 200),
        (Generation.CURRENT, {}, IDS, 422),
        (Generation.CURRENT, VERSIONED_IDS, VERSIONED_IDS, 200),
        (Generation.VERSIONED, IDS, IDS, 422),
        (Generation.VERSIONED, VERSIONED_IDS, {}, 200),
        (Generation.VERSIONED, VERSIONED_IDS, VERSIONED_IDS, 200),
        (Generation.FORM, VERSIONED_IDS, {}, 422),
        (Generation.FORM, {}, VERSIONED_IDS, 200),
        (Generation.FORM, VERSIONED_IDS, VERSIONED_IDS, 200),
    ],
)
def test_ids_are_looked_for_where_a_generation_has_them(
    qalita_server: QalitaDouble,
    generation: Generation,
    params: dict[str, int],
    form: dict[str, int],
    status: int,
) -> None:
    qalita_server.become(generation)
    answer = httpx.post(
        f"{qalita_server.url}/api/v1/metrics/upload",
        params=params,
        data={name: str(value) for name, value in form.items()},
        files=UPLOAD,
        headers={"Authorization": f"Bearer {API_TOKEN}"},
    )
    assert answer.status_code == status
    assert len(qalita_server.ledger.rows("metrics")) == (status == 200)


def test_jobs_are_created_where_a_generation_has_that_and_nowhere_else(
    qalita_server: QalitaDouble,
) -> None:
    source = qalita_server.ledger.add_source("orders")
    pack = qalita_server.ledger.add_pack("atlas")
    body = {"source_id": str(source["id"]), "pack_id": pack["id"], "source_version_id": 1}
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    paths = [f"{qalita_server.url}/api/v2/jobs{tail}" for tail in ("/create", "")]
    answers = [httpx.post(path, json=body, headers=headers) for path in paths]
    assert [answer.status_code for answer in answers] == [201, 405]
    assert answers[0].json()["status"] == "pending"
    assert answers[0].json()["source"]["name"] == "orders"
    qalita_server.become(Generation.FORM)
    assert [httpx.post(p, json=body, headers=headers).status_code for p in paths] == [405, 201]


def test_a_sign_in_gives_a_token_that_is_taken_until_it_expires(
    qalita_server: QalitaDouble,
) -> None:
    url = f"{qalita_server.url}/api/v1/auth/signin"
    wrong = httpx.post(url, data={"username": USER, "password": "x"})
    assert (wrong.status_code, wrong.json()) == (401, {"detail": "Incorrect username or password"})
    token = httpx.post(url, data={"username": USER, "password": PASSWORD}).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    sources = f"{qalita_server.url}/api/v2/sources"
    assert httpx.get(sources, headers=headers).status_code == 200
    qalita_server.expire_tokens()
    assert httpx.get(sources, headers=headers).status_code == 401
