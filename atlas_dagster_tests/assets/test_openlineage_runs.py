"""What a lineage backend is told of real runs: real layers, over values that must not leave."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from atlas_dagster.assets import run_ends
from atlas_dagster.assets.partitions import RANGE_TAGS
from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster_tests.airbyte.scripted import error, record, table
from atlas_dagster_tests.assets.daemon import Daemon
from atlas_dagster_tests.assets.openlineage_support import Teller
from atlas_dagster_tests.assets.planted import COMPLAINT, PERSON, PIECES, SECRET
from atlas_dagster_tests.conftest import new_database
from atlas_dagster_tests.http_double import running
from atlas_dagster_tests.integration.project import Project, connection, day, noon
from atlas_dagster_tests.lineage.backend import Backend
from atlas_dagster_tests.lineage.environment import clear
from atlas_dagster_tests.lineage.spec import Json

pytestmark = pytest.mark.slow

TODAY, YESTERDAY = day(), day(1)
IDS = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9-]{10}t[0-9:.]+|test_[0-9a-f]{12}"
)
"""Ids of runs, times, and names of the tests' databases: four digits are in some by chance."""

PEOPLE = table(
    "people",
    {
        "id": {"type": "integer"},
        "email": {"type": "string"},
        "phone": {"type": "string"},
        "note": {"type": "string", "description": "what was said"},
        "age": {"type": "integer"},
    },
)
PEOPLE["json_schema"]["required"] = ["id", "email"]
POLICY = {"columns": {"email": "mask", "phone": "hash", "note": "redact"}}
STREAM = "crm.people"
TRANSFORMATION = ("type", "subtype", "masking")


@pytest.fixture(scope="module")
def told(
    postgres: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Teller]:
    """Runs, each told before the next: sync and layers, layers of a range, a sync that fails."""
    root = tmp_path_factory.mktemp("openlineage")
    with (
        new_database(postgres, template_database) as url,
        pytest.MonkeyPatch.context() as patch,
        dg.DagsterInstance.ephemeral() as instance,
        running(Backend()) as backend,
    ):
        project = _project(Project(root, url), patch, backend)
        teller = Teller(Daemon(instance, "openlineage"), backend)
        connector = project.install("crm", PEOPLE)
        connector.say()
        _run(teller, "crm_sync", {})  # finds the columns, which checks are derived from
        rows = [record("people", {"id": n, **PERSON}, at=noon(TODAY)) for n in (1, 2, 3)]
        connector.say(*rows, record("people", {"id": 4}, at=noon(TODAY)))
        _run(teller, "crm", {"dagster/partition": TODAY, "atlas/override_gate": "a test"})
        _run(teller, "crm_layers", dict(zip(RANGE_TAGS, (YESTERDAY, TODAY), strict=True)))
        connector.say(rows[0], error(COMPLAINT), {"exit": 1})
        _run(teller, "crm", {"dagster/partition": TODAY})
        yield teller


def _project(project: Project, patch: pytest.MonkeyPatch, backend: Backend) -> Project:
    clear(patch)
    named = {
        **project.variables,
        "HOME": str(project.root),
        "OPENLINEAGE_URL": backend.address,
        "ATLAS_OPENLINEAGE_WAREHOUSE": "postgres://dwh:5432",
        "ATLAS_PII_HASH_KEY": "a key of more than 16",
        "SOURCE_TOKEN": SECRET,
    }
    for name, value in named.items():
        patch.setenv(name, value)
    patch.setattr(run_ends, "SETTLE_SECONDS", 0.0)
    config = {"token": "${SOURCE_TOKEN}"}
    rules = {"crm": {"owners": ["team:crm"], "pii": POLICY}}
    project.connect({"crm": connection("crm", ["people"], config=config)}, **rules)
    return project


def _run(teller: Teller, job: str, tags: dict[str, str]) -> None:
    resolved = build_code_location().resolve_job_def(job)
    resolved.execute_in_process(instance=teller.instance, tags=tags, raise_on_error=False)
    assert "refused" not in (teller.tick() or "")


def first(told: Teller, job: str, state: str = "COMPLETE") -> Json:
    return next(event for event in told.events(job) if event["eventType"] == state)


def names(datasets: list[Json]) -> list[str]:
    return [f"{dataset['namespace']} {dataset['name'].partition('.')[2]}" for dataset in datasets]


def test_every_event_is_what_the_schemas_say(told: Teller) -> None:
    assert told.backend.sent == told.backend.events
    assert len(told.backend.events) == 4 + 16 + 10 + 4


def test_a_run_starts_once_and_ends_once_and_its_parent_is_dagsters(told: Teller) -> None:
    runs: dict[str, list[Json]] = {}
    for event in told.backend.events:
        runs.setdefault(event["run"]["runId"], []).append(event)
    assert all(len(events) == 2 for events in runs.values())
    for start, end in runs.values():
        assert start["eventType"] == "START"
        assert end["eventType"] in ("COMPLETE", "FAIL")
        assert start["eventTime"] <= end["eventTime"]
    of_dagster = {run.run_id for run in told.instance.get_runs()}
    assert of_dagster <= set(runs)
    for run_id in set(runs) - of_dagster:
        parents = {event["run"]["facets"]["parent"]["run"]["runId"] for event in runs[run_id]}
        assert parents < of_dagster


def test_a_job_is_an_asset_with_what_it_reads_and_writes(told: Teller) -> None:
    at = "postgres://dwh:5432"
    expected = {
        "sync": (["airbyte://source-crm people"], [f"{at} landing.crm__people"]),
        "explore": ([f"{at} landing.crm__people"], [f"{at} explore.crm__people"]),
        "pii": ([f"{at} explore.crm__people"], []),
        "chart": ([f"{at} explore.crm__people"], [f"{at} chart.crm__people"]),
        "checks": ([f"{at} chart.crm__people"], []),
        "navigate": ([f"{at} chart.crm__people"], [f"{at} navigate.crm__people"]),
        "history": ([f"{at} navigate.crm__people"], []),
    }
    for work, edges in expected.items():
        for state in ("START", "COMPLETE"):
            event = first(told, f"{STREAM}.{work}", state)
            assert (names(event["inputs"]), names(event["outputs"])) == edges, work
    assert first(told, f"{STREAM}.sync")["inputs"][0]["name"] == "crm.people"


def test_columns_come_from_columns_and_the_policy_masks(told: Teller) -> None:
    def origins(work: str, column: str) -> list[tuple[str, str, str, bool]]:
        (dataset,) = first(told, f"{STREAM}.{work}")["outputs"]
        fields = dataset["facets"]["columnLineage"]["fields"][column]["inputFields"]
        return [
            (field["field"], *(field["transformations"][0][key] for key in TRANSFORMATION))
            for field in fields
        ]

    identity, changed = ("DIRECT", "IDENTITY"), ("DIRECT", "TRANSFORMATION")
    assert origins("sync", "email") == [("email", *identity, False)]
    assert origins("explore", "data.email") == [("email", *identity, False)]
    assert origins("chart", "age") == [("data.age", *changed, False)]
    for column in ("email", "phone", "note"):
        assert origins("chart", column) == [(f"data.{column}", *changed, True)]
    assert origins("chart", "_atlas_natural_key") == [("data.id", *changed, False)]
    assert {masks for *_, masks in origins("chart", "_atlas_row_hash")} == {True}
    assert origins("navigate", "email") == [("email", *identity, False)]
    surrogate = origins("navigate", "_atlas_surrogate_key")
    assert ("_atlas_natural_key", *changed, True) in surrogate
    assert origins("navigate", "_atlas_is_current") == [
        ("_atlas_instant", "INDIRECT", "CONDITIONAL", False)
    ]


def test_every_column_of_the_lineage_is_one_of_the_schemas(told: Teller) -> None:
    fields: dict[str, set[str]] = {}
    for event in told.backend.events:
        for dataset in (*event["inputs"], *event["outputs"]):
            schema = dataset["facets"].get("schema")
            if schema:
                known = fields.setdefault(dataset["name"], set())
                known.update(field["name"] for field in schema["fields"])
    for event in told.backend.events:
        for dataset in event["outputs"]:
            lineage = dataset["facets"].get("columnLineage", {"fields": {}})["fields"]
            assert set(lineage) <= fields.get(dataset["name"], set())
            for column in lineage.values():
                for origin in column["inputFields"]:
                    assert origin["field"] in fields[origin["name"]]


def test_personal_data_is_tagged_and_descriptions_are_the_sources(told: Teller) -> None:
    (chart,) = first(told, f"{STREAM}.chart")["outputs"]
    tags = {(t["field"], t["key"]): t["value"] for t in chart["facets"]["tags"]["tags"]}
    assert tags["email", "pii"] == "EMAIL_ADDRESS"
    policies = [tags[column, "pii_policy"] for column in ("email", "phone", "note")]
    assert policies == ["mask", "hash", "redact"]
    described = {f["name"]: f.get("description") for f in chart["facets"]["schema"]["fields"]}
    assert described["note"] == "what was said"
    assert described["age"] is None


def test_checks_are_assertions_with_their_columns_and_counts(told: Teller) -> None:
    (read,) = first(told, f"{STREAM}.checks")["inputs"]
    found = {a["name"]: a for a in read["inputFacets"]["dataQualityAssertions"]["assertions"]}
    missing = found["missing__email"]
    assert (missing["assertion"], missing["column"]) == ("not_null", "email")
    assert missing["success"] is False
    assert missing["params"] == {"rows_tested": 4, "rows_failed": 1}
    assert {"schema_drift", "quality_gate", "row_count"} <= set(found)
    metrics = read["inputFacets"]["dataQualityMetrics"]
    assert metrics["rowCount"] == 4
    assert metrics["columnMetrics"]["email"] == {"count": 4, "nullCount": 1}
    (scanned,) = first(told, f"{STREAM}.pii")["inputs"]
    (assertion,) = scanned["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert assertion["name"] == "no_unexpected_pii"


def test_a_gate_that_is_closed_fails_the_checks_and_navigate_never_starts(told: Teller) -> None:
    (failed,) = [e for e in told.events(f"{STREAM}.checks") if e["eventType"] == "FAIL"]
    assertions = failed["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    (gate,) = [a for a in assertions if a["name"] == "quality_gate"]
    assert (gate["success"], gate["severity"]) == (False, "error")
    assert len(told.events(f"{STREAM}.navigate")) == 2, "of the run before, which overrode it"


def test_rows_and_bytes_are_told(told: Teller) -> None:
    def outputs(work: str) -> Json:
        return first(told, f"{STREAM}.{work}")["outputs"][0]

    landed = told.events(f"{STREAM}.sync")[3]["outputs"][0]["outputFacets"]["outputStatistics"]
    assert landed["rowCount"] == 4
    assert landed["size"] > 0
    for work in ("explore", "chart", "navigate"):
        assert outputs(work)["outputFacets"]["outputStatistics"]["rowCount"] == 4
        assert outputs(work)["facets"]["dataQualityMetrics"]["rowCount"] == 4


def test_owners_descriptions_kinds_and_versions_are_told(told: Teller) -> None:
    event = first(told, f"{STREAM}.navigate")
    facets = event["job"]["facets"]
    assert facets["ownership"]["owners"] == [{"name": "team:crm", "type": "OWNER"}]
    assert facets["documentation"]["description"].startswith(
        "The history of crm/people, SCD Type 2"
    )
    kind = facets["jobType"]
    assert (kind["processingType"], kind["integration"], kind["jobType"]) == (
        *("BATCH", "DAGSTER", "ASSET"),
    )
    assert first(told, f"{STREAM}.sync")["job"]["facets"]["jobType"]["integration"] == "AIRBYTE"
    engine = event["run"]["facets"]["processing_engine"]
    assert (engine["name"], engine["version"]) == ("dagster", dg.__version__)


def test_the_days_of_a_run_are_its_nominal_time(told: Teller) -> None:
    def days(event: Json) -> list[str]:
        nominal = event["run"]["facets"]["nominalTime"]
        return [nominal[key][:10] for key in ("nominalStartTime", "nominalEndTime")]

    alone, several = (e for e in told.events(f"{STREAM}.chart") if e["eventType"] == "COMPLETE")
    assert days(alone) == [TODAY, day(-1)]
    assert days(several) == [YESTERDAY, day(-1)]
    assert "nominalTime" not in first(told, f"{STREAM}.sync")["run"]["facets"]


def test_a_sync_that_fails_says_why_and_its_layers_never_started(told: Teller) -> None:
    *_, start, failed, end = told.backend.events
    assert [e["eventType"] for e in (start, failed, end)] == ["START", "FAIL", "FAIL"]
    assert failed["job"]["name"] == f"{STREAM}.sync"
    assert failed["run"]["facets"]["errorMessage"]["message"].startswith("…")
    assert "outputStatistics" not in failed["outputs"][0]["outputFacets"]
    assert [names(failed[part]) for part in ("inputs", "outputs")] == [
        ["airbyte://source-crm people"],
        ["postgres://dwh:5432 landing.crm__people"],
    ]


def test_no_value_of_the_data_and_no_secret_is_in_any_event(told: Teller) -> None:
    sent = json.dumps(told.backend.sent, ensure_ascii=False).lower()
    anonymous = IDS.sub("#", sent)
    texts = {piece: anonymous if piece.isdigit() else sent for piece in PIECES}
    assert [piece for piece, text in texts.items() if piece.lower() in text] == []
    logged = "\n".join(
        str(record.event_log_entry.to_json())
        for run in told.instance.get_runs()
        for record in told.instance.get_records_for_run(run.run_id).records
    )
    assert "Quentin" in logged, "the log of Dagster has what the connector said, so it was at risk"


def test_what_is_told_again_is_the_same(told: Teller) -> None:
    events: list[Any] = list(told.backend.events)
    told.daemon.cursor = None  # as after `Reset sensor status`
    told.tick()
    again = told.backend.events[len(events) :]
    assert sorted(map(json.dumps, again)) == sorted(map(json.dumps, events))
