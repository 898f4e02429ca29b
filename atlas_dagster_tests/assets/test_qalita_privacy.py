"""No value of the data leaves for QALITA: real layers over planted values, all that was sent."""

from __future__ import annotations

import json

import dagster as dg
import pytest

from atlas_dagster.assets import run_ends
from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster_tests.airbyte.scripted import error, record, table
from atlas_dagster_tests.assets.daemon import Daemon
from atlas_dagster_tests.assets.planted import COMPLAINT, PERSON, PIECES, SECRET
from atlas_dagster_tests.integration.project import Project, connection, day, noon
from atlas_dagster_tests.qalita.support import add_target
from atlas_dagster_tests.qalita_server.double import API_TOKEN, QalitaDouble

pytestmark = pytest.mark.slow

TODAY = day()
CARD = "4111111111111111"
PLANTED = {**PERSON, "card": CARD}
PEOPLE = table(
    "people",
    {
        "id": {"type": "integer"},
        "email": {"type": "string"},
        "phone": {"type": "string"},
        "card": {"type": "string"},
        "note": {"type": "string"},
        "age": {"type": "integer"},
    },
)


def test_no_value_secret_or_original_of_a_masked_sample_is_in_any_request(
    project: Project,
    instance: dg.DagsterInstance,
    qalita_server: QalitaDouble,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_ends, "SETTLE_SECONDS", 0.0)
    monkeypatch.setenv("QALITA_BASE_URL", qalita_server.url)
    monkeypatch.setenv("QALITA_API_TOKEN", API_TOKEN)
    monkeypatch.setenv("SOURCE_TOKEN", SECRET)
    add_target(qalita_server, "warehouse")
    config = {"token": "${SOURCE_TOKEN}"}
    project.connect({"crm": connection("crm", ["people"], config=config)})
    connector = project.install("crm", PEOPLE)
    mapping = {"default": {"source_id": 1, "pack_id": 1}, "content": "adapter"}
    (project.root / "config" / "qalita.json").write_text(json.dumps(mapping))
    rows = [record("people", {"id": number, **PLANTED}, at=noon(TODAY)) for number in (1, 2, 2, 3)]
    daemon = Daemon(instance, "qalita")
    for steps in (rows, [rows[0], error(COMPLAINT), {"exit": 1}]):
        connector.say(*steps)
        job = build_code_location().resolve_job_def("crm")
        job.execute_in_process(instance=instance, partition_key=TODAY, raise_on_error=False)
        daemon.tick()

    statuses = [row["status"] for row in qalita_server.ledger.rows("jobs")]
    assert statuses == ["succeeded", "succeeded", "failed"]
    keys = {row["key"] for row in qalita_server.ledger.rows("metrics")}
    assert {"pii_email_address", "invalid_rows"} <= keys, "what was planted was found"
    assert qalita_server.ledger.rows("recommendations")
    sent = "\n".join(
        f"{request.line} {request.params} {dict(request.headers)} {request.content.decode()}"
        for request in qalita_server.requests
    )
    assert [piece for piece in [*PIECES, CARD] if piece.lower() in sent.lower()] == []
    told = "\n".join(
        str(event.event_log_entry.to_json())
        for run in instance.get_runs()
        for event in instance.get_records_for_run(run.run_id).records
        if event.event_log_entry.dagster_event
    )
    assert "Quentin" in told, "the log of Dagster has what the connector said, so it was at risk"
