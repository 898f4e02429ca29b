"""The summary on navigate: what a run found of a stream, on one page."""

from __future__ import annotations

from datetime import date
from typing import Any

import dagster as dg
import pytest

from atlas_dagster.catalog import Table
from atlas_dagster.quality.queries import Scan
from atlas_dagster.quality.store import start_scan
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.airbyte.scripted import record, state, table
from atlas_dagster_tests.assets.test_layers import metadata, run, run_range
from atlas_dagster_tests.integration.project import Project, ScriptedConnector, day, noon

pytestmark = pytest.mark.slow

PROPERTIES = {
    "id": {"type": "integer"},
    "email": {"type": "string"},
    "city": {"type": ["string", "null"]},
}
PEOPLE = table("people", PROPERTIES)


def person(number: int, email: str, sync: int = 1, **more: Any) -> dict[str, Any]:
    at = noon(day()) + 1000 * sync
    return record("people", {"id": number, "email": email, **more}, at=at)


@pytest.fixture
def crm(project: Project) -> ScriptedConnector:
    crm = project.with_connection("crm", PEOPLE)
    crm.say(person(1, "anna@example.com"), person(2, "ben@example.com"), state("people", 2))
    return crm


def test_the_summary_tells_what_a_sync_came_to(
    instance: dg.DagsterInstance, crm: ScriptedConnector
) -> None:
    assert run(instance, "crm", day()).success
    crm.say(person(2, "ben@example.org", sync=2), person(3, "cem@example.com"), state("people", 3))
    found = metadata(run(instance, "crm", day()), "navigate", "crm", "people")
    numbers = [found[f"atlas/{kind}_keys"] for kind in ("new", "changed", "deleted")]
    assert numbers == [1, 1, 0]
    assert found["atlas/pii_fields"] == 1
    assert 0 < found["atlas/quality_score"] <= 100
    page = found["atlas/summary"]
    assert "**crm/people** has 3 current records, 4 segments." in page
    assert "- Since the build before: 1 new, 1 changed, 0 deleted" in page
    assert "- Last sync: job 2 brought 2 records, " in page
    assert f"- Quality of {day()}: " in page
    assert "- Schema: as before" in page
    assert "| `email` | EMAIL_ADDRESS | keep |" in page
    assert "example" not in page


def test_the_summary_tells_of_checks_that_broke_and_of_drift(
    instance: dg.DagsterInstance, crm: ScriptedConnector, project: Project
) -> None:
    file = project.root / "config" / "checks" / "crm" / "people.yml"
    file.parent.mkdir(parents=True)
    file.write_text("override:\n  missing__city: {warn: 0}\n")
    assert run(instance, "crm", day()).success
    crm.catalog(table("people", {**PROPERTIES, "age": {"type": "integer"}}))
    crm.say(person(4, "dora@example.com", age=7), state("people", 4))
    page = metadata(run(instance, "crm", day()), "navigate", "crm", "people")["atlas/summary"]
    assert "    - warn: `missing__city`: 3 of 3 rows (100 %)" in page
    assert "- Schema changed:\n    - `age` was added as bigint" in page


def test_what_was_never_scanned_is_not_said_to_hold_nothing_personal(
    instance: dg.DagsterInstance, crm: ScriptedConnector
) -> None:
    layers = ("airbyte", "explore", "chart", "navigate")
    assets = [dg.AssetKey([layer, "crm", "people"]) for layer in layers]
    found = metadata(run(instance, "crm", day(), assets), "navigate", "crm", "people")
    assert "- Personal data: never looked for" in found["atlas/summary"]
    assert "atlas/pii_fields" not in found


def test_a_scan_that_has_not_ended_is_not_taken_for_the_newest(
    instance: dg.DagsterInstance, crm: ScriptedConnector, warehouse: PgConnection
) -> None:
    assert run(instance, "crm", day()).success
    yesterday = date.fromisoformat(day(1))
    killed = Scan(Table("chart", "crm__people"), (yesterday, yesterday))
    start_scan(warehouse, killed, "a run that was killed")
    assets = [dg.AssetKey(["navigate", "crm", "people"])]
    page = metadata(run(instance, "crm", day(), assets), "navigate", "crm", "people")
    assert f"- Quality of {day()}: " in page["atlas/summary"]
    assert page["atlas/quality_score"] > 0


def test_a_build_of_many_days_keeps_the_page_once(
    instance: dg.DagsterInstance, crm: ScriptedConnector
) -> None:
    assert run(instance, "crm_sync").success
    built = run_range(instance, "crm_layers", day(2), day())
    events = built.asset_materializations_for_node("navigate__crm__people")
    assert ["atlas/summary" in event.metadata for event in events] == [False, False, True]
