"""The pii asset, materialized through Dagster: what it finds, tells, and what chart makes of it."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import dagster as dg
import pytest

from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster_tests.airbyte.scripted import Json, record, state, table
from atlas_dagster_tests.integration.project import Project, ScriptedConnector, day, noon
from atlas_dagster_tests.pii.values import NEW_DIGIT

pytestmark = pytest.mark.slow

KEY = "a key of sixteen characters"
PEOPLE = table(
    "people",
    {
        "id": {"type": "integer"},
        "email": {"type": "string"},
        "order_no": {"type": "string"},
        "profile": {"type": "object"},
    },
)


@pytest.fixture
def crm(project: Project) -> ScriptedConnector:
    return project.with_connection("crm", PEOPLE)


def person(number: int, **more: Any) -> Json:
    data = {
        "id": number,
        "email": f"person.{number}@example.com",
        "order_no": f"A-{number % 3}",
        "profile": {"phones": [f"+49 30 9018{number:04}"]},
        **more,
    }
    return record("people", data, at=noon(day()))


def rules(project: Project, pii: str) -> None:
    path = project.root / "config" / "atlas.yaml"
    path.write_text(f"connections: {{crm: {{streams: {{people: {{pii: {pii}}}}}}}}}")


def run(instance: dg.DagsterInstance, *assets: str) -> dg.ExecuteInProcessResult:
    return (
        build_code_location()
        .resolve_job_def("crm")
        .execute_in_process(
            instance=instance,
            partition_key=day(),
            asset_selection=[dg.AssetKey([a, "crm", "people"]) for a in assets] or None,
            raise_on_error=False,
        )
    )


def metadata(result: dg.ExecuteInProcessResult, layer: str) -> dict[str, Any]:
    node = f"{layer}__crm__people"
    return {
        name: value.value
        for name, value in result.asset_materializations_for_node(node)[-1].metadata.items()
    }


def check(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (found,) = [
        e for e in result.get_asset_check_evaluations() if e.check_name == "no_unexpected_pii"
    ]
    return found


def failure(result: dg.ExecuteInProcessResult) -> str:
    (event,) = result.get_step_failure_events()
    assert event.step_failure_data.user_failure_data
    return str(event.step_failure_data.user_failure_data.description)


def test_what_is_personal_is_told_with_masked_samples_and_kept_by_day(
    instance: dg.DagsterInstance, crm: ScriptedConnector, project: Project
) -> None:
    crm.say(*(person(n) for n in range(40)), state("people", 1))
    result = run(instance)
    assert result.success
    told = metadata(result, "pii")
    assert "| `email` | EMAIL_ADDRESS | 100.0% |" in told["atlas/pii"]
    assert "`profile.phones[]` | PHONE_NUMBER" in told["atlas/pii"]
    assert "person." not in told["atlas/pii"]
    assert (told["atlas/records_scanned"], told["atlas/ner"]) == (40, "NER: not active")
    kept = project.rows(
        "select day::text, path, entity, rows, verdict from pipeline.pii_finding"
        " where verdict is not null order by path"
    )
    assert kept == [
        (day(), ["email"], "EMAIL_ADDRESS", 40, "values"),
        (day(), ["profile", "phones", "[]"], "PHONE_NUMBER", 40, "values"),
    ]
    assert check(result).severity is dg.AssetCheckSeverity.WARN
    assert not check(result).passed
    assert "email (EMAIL_ADDRESS)" in (check(result).description or "")


def test_chart_and_navigate_have_tags_and_say_that_they_were_checked(
    instance: dg.DagsterInstance, crm: ScriptedConnector, project: Project
) -> None:
    crm.say(*(person(n) for n in range(40)), state("people", 1))
    result = run(instance)
    for layer in ("chart", "navigate"):
        columns = {c.name: c.tags for c in metadata(result, layer)["dagster/column_schema"].columns}
        assert columns["email"] == {"pii": "EMAIL_ADDRESS", "pii_policy": "keep"}
        assert columns["order_no"] == {}
    assert project.rows("select distinct _atlas_pii_checked from chart.crm__people") == [(True,)]


def test_the_policy_of_the_rules_is_what_the_layers_show(
    instance: dg.DagsterInstance,
    crm: ScriptedConnector,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ATLAS_PII_HASH_KEY", KEY)
    rules(project, "{default: redact, entities: {EMAIL_ADDRESS: hash}}")
    crm.say(*(person(n) for n in range(40)), state("people", 1))
    result = run(instance)
    assert result.success
    hashed = hmac.new(KEY.encode(), b"person.7@example.com", hashlib.sha256).hexdigest()
    for layer in ("chart", "navigate"):
        assert project.rows(f"select email, profile from {layer}.crm__people where id = 7") == [
            (hashed, {"phones": ["<redacted>"]})
        ]
    assert project.rows("select data->>'email' from explore.crm__people where data->>'id' = '7'")
    description = check(result).description
    assert description is not None
    assert description.startswith("profile.phones[] (PHONE_NUMBER)")


def test_a_column_that_turns_out_personal_later_is_changed_in_all_of_history(
    instance: dg.DagsterInstance, crm: ScriptedConnector, project: Project
) -> None:
    rules(project, "{default: mask}")
    crm.say(*(person(n, email="none yet") for n in range(40)), state("people", 1))
    run(instance)
    assert project.rows("select distinct email from chart.crm__people") == [("none yet",)]
    crm.say(*(person(n) for n in range(40, 90)), state("people", 2))
    result = run(instance)
    assert result.success
    assert metadata(result, "chart")["atlas/rebuilt"] == "its policy for personal data changed"
    shown = {row[0] for row in project.rows("select distinct email from navigate.crm__people")}
    assert shown == {"n***", "p***@e***"}


def test_a_day_that_was_scanned_is_not_scanned_again(
    instance: dg.DagsterInstance, crm: ScriptedConnector
) -> None:
    crm.say(*(person(n) for n in range(40)), state("people", 1))
    run(instance)
    again = metadata(run(instance, "pii"), "pii")
    assert (again["atlas/days_scanned"], again["atlas/pii_fields"]) == (0, 2)


def test_values_that_a_recognizer_fails_on_are_told_by_later_runs_too(
    instance: dg.DagsterInstance, crm: ScriptedConnector, project: Project
) -> None:
    rules(project, "{columns: {email: keep, 'profile.phones[]': keep}}")
    card = f"4111 1111 1111 111{NEW_DIGIT}"
    crm.say(*(person(n, order_no=card) for n in range(3)), state("people", 1))
    failed = "order_no: CreditCardRecognizer raised ValueError in 3 rows"
    for result in (run(instance), run(instance, "pii")):  # the second scans nothing
        assert result.success
        assert metadata(result, "pii")["atlas/recognizer_failures"] == [failed]
        assert check(result).severity is dg.AssetCheckSeverity.WARN
        assert not check(result).passed
        assert check(result).description == f"not all could be looked for: {failed}"
    assert card not in str(project.rows("select result from pipeline.pii_scan"))


def test_a_policy_to_fail_stops_chart_and_says_why(
    instance: dg.DagsterInstance, crm: ScriptedConnector, project: Project
) -> None:
    rules(project, "{entities: {PHONE_NUMBER: fail, EMAIL_ADDRESS: keep}}")
    crm.say(*(person(n) for n in range(40)), state("people", 1))
    result = run(instance)
    assert not result.success
    assert "profile.phones[] (PHONE_NUMBER), and the policy is to fail" in failure(result)
    assert check(result).severity is dg.AssetCheckSeverity.ERROR
    assert not project.rows("select to_regclass('chart.crm__people')")[0][0]


def test_a_hash_without_a_key_is_refused_with_the_variable_to_set(
    instance: dg.DagsterInstance,
    crm: ScriptedConnector,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ATLAS_PII_HASH_KEY", raising=False)
    rules(project, "{entities: {EMAIL_ADDRESS: hash}}")
    crm.say(*(person(n) for n in range(40)), state("people", 1))
    result = run(instance)
    assert "ATLAS_PII_HASH_KEY: not set, and the policy hashes email" in failure(result)


def test_a_rule_for_a_field_that_is_not_there_stops_chart(
    instance: dg.DagsterInstance, crm: ScriptedConnector, project: Project
) -> None:
    rules(project, "{columns: {emial: mask}}")
    crm.say(person(1), state("people", 1))
    result = run(instance)
    assert not result.success
    assert "crm/people: pii.columns 'emial' is not a column; its columns: id, email" in failure(
        result
    )
    assert project.rows("select to_regclass('chart.crm__people')") == [(None,)]
