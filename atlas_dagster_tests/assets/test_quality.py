"""The quality checks of a stream as asset checks: results, scores, and the rows they are of."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster_tests.airbyte.scripted import record, state, table
from atlas_dagster_tests.assets.quality_support import (
    CHART,
    NAVIGATE,
    PEOPLE,
    checks,
    person,
    run,
    run_checks,
    steps,
    told,
    verdicts,
    with_streams,
    write_checks,
)
from atlas_dagster_tests.integration.project import (
    Project,
    ScriptedConnector,
    connection,
    day,
    noon,
)

pytestmark = pytest.mark.slow

ORDERS = table("orders", {"id": {"type": "integer"}, "people_id": {"type": ["null", "integer"]}})


@pytest.fixture
def shop(project: Project) -> ScriptedConnector:
    return with_streams(project, PEOPLE)


def test_each_check_that_can_warn_or_fail_is_an_asset_check(
    instance: dg.DagsterInstance, shop: ScriptedConnector
) -> None:
    shop.say(*(person(n) for n in range(4)), state("people", 1))
    result = run(instance)
    assert result.success
    found = checks(result)
    assert verdicts(found) == {
        "schema_drift": "pass",
        "row_count": "pass",
        "schema": "pass",
        "duplicate_key": "pass",
        "cast_loss": "pass",
        "record_count": "pass",
        "missing__id": "pass",
        "invalid__email": "pass",
        "invalid__age": "pass",
        "text_damage__city": "pass",
        "quality_gate": "pass",
    }
    assert verdicts(checks(result, NAVIGATE)) == {
        "snapshots": "pass",
        "history_one_current": "pass",
        "history_no_overlap": "pass",
        "history_from_before_to": "pass",
    }


def test_a_check_tells_numbers_that_dagster_plots_and_a_sentence(
    instance: dg.DagsterInstance, shop: ScriptedConnector
) -> None:
    shop.say(*(person(n) for n in range(39)), person(39, email="nobody"), state("people", 1))
    found = checks(run(instance))["invalid__email"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert found.description == "1 of 40 rows (2.5 %); more than 0 warns"
    assert told(found) == {
        "atlas/status": "warn",
        "atlas/rule": "invalid",
        "atlas/column": "email",
        "atlas/value": 1.0,
        "atlas/rows_tested": 40,
        "atlas/rows_failed": 1,
        "atlas/ratio": 0.975,
    }


def test_the_gate_carries_the_score_and_what_has_none(
    instance: dg.DagsterInstance, shop: ScriptedConnector
) -> None:
    shop.say(person(1, city=None), person(2), state("people", 1))
    gate = checks(run(instance))["quality_gate"]
    metadata = told(gate)
    assert gate.description == "score 95.8 of 100, coverage 0.75"
    assert metadata["atlas/completeness"] == pytest.approx(87.5)
    assert (metadata["atlas/validity"], metadata["atlas/accuracy"]) == (100, 100)
    assert "atlas/timeliness" not in metadata, "there is no schedule"
    assert "atlas/consistency" not in metadata
    assert (metadata["atlas/is_graded"], metadata["atlas/not_checked"]) == (True, [])
    assert "| `missing__city` | 1 of 2 rows (50 %) |" in metadata["atlas/measured"]


def test_scores_are_shown_with_two_digits_and_kept_exactly(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(*(person(n) for n in range(2999)), person(2999, email="x"), state("people", 1))
    metadata = told(checks(run(instance))["quality_gate"])
    kept = project.rows("select overall from pipeline.quality_score where layer = 'chart'")[0][0]
    assert 99.99 < kept < 100
    assert (metadata["atlas/score"], metadata["atlas/validity"]) == (99.99, 99.98)


def test_the_gate_tells_how_many_checks_the_loaded_code_location_does_not_know(
    instance: dg.DagsterInstance, project: Project
) -> None:
    project.with_connection("shop", PEOPLE).say(person(1), state("people", 1))
    loaded = build_code_location().resolve_job_def("shop")
    told_later = "; 7 checks are shown once the code location is reloaded"
    assert str(checks(run(instance))["quality_gate"].description).endswith(told_later)
    again = run_as_loaded(instance, loaded)
    assert again["quality_gate"].endswith(told_later)
    assert "reloaded" not in str(checks(run(instance))["quality_gate"].description)
    alone = checks(run_checks(instance, "quality_gate"))["quality_gate"]
    assert "reloaded" not in str(alone.description)


def run_as_loaded(instance: dg.DagsterInstance, loaded: dg.JobDefinition) -> dict[str, str]:
    """A run that a loaded code location planned, in a process that has loaded it anew."""
    planned = instance.create_run_for_job(loaded, tags={"dagster/partition": day()})
    execute_run(InMemoryJob(build_code_location().resolve_job_def("shop")), planned, instance)
    records = instance.get_records_for_run(
        planned.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ).records
    events = [record.event_log_entry.dagster_event for record in records]
    evaluations = [event.asset_check_evaluation_data for event in events if event]
    return {each.check_name: str(each.description) for each in evaluations}


def test_scores_and_results_are_kept_and_the_rows_carry_the_score(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(person(1, on=day(1)), person(2), person(3, email="nobody"), state("people", 1))
    for partition in (day(1), day()):
        run(instance, "shop" if partition == day(1) else "shop_layers", partition)
    kept = project.rows(
        "select first_day::text, last_day::text, layer, status, overall::real"
        " from pipeline.quality_score order by scan_id"
    )
    assert [row[:4] for row in kept] == [
        (day(1), day(1), "chart", "pass"),
        (day(1), day(1), "navigate", "pass"),
        (day(), day(), "chart", "fail"),
    ]
    assert project.rows(
        "select id, _atlas_quality_score, _atlas_validated_at is not null from chart.shop__people"
        " order by id"
    ) == [(1, kept[0][4], True), (2, kept[2][4], True), (3, kept[2][4], True)]
    assert kept[2][4] < kept[0][4]
    assert project.rows(
        "select check_name, result.status, tested, failed from pipeline.quality_result as result"
        " join pipeline.quality_score using (scan_id)"
        " where check_name = 'invalid__email' and first_day::text = %s",
        day(),
    ) == [("invalid__email", "fail", 2, 1)]


def test_a_chart_that_is_built_anew_keeps_no_score_of_days_that_are_not_checked_again(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(person(1, on=day(1)), person(2), state("people", 1))
    run(instance, "shop", day(1))
    run(instance, "shop_layers", day())
    keys = {"shop": {"streams": {"people": {"natural_key": ["email"]}}}}
    project.connect({"shop": connection("shop", ["people"])}, **keys)
    assert run(instance, "shop_layers", day()).success
    assert project.rows(
        "select id, _atlas_validated_at is not null from chart.shop__people order by id"
    ) == [(1, False), (2, True)]


def test_a_score_does_not_change_the_history(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(person(1), person(2), state("people", 1))
    run(instance)
    before = project.rows("select * from navigate.shop__people order by id")
    project.rows("update chart.shop__people set _atlas_quality_score = 1 returning 1")
    result = run(instance, "shop_layers")
    assert result.success
    assert project.rows("select * from navigate.shop__people order by id") == before


def test_failed_rows_are_kept_masked_and_never_in_metadata(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    bad = [person(n, email=f"secret.person.{n}@@example.com") for n in range(30)]
    shop.say(*bad, *(person(n) for n in range(100, 140)), state("people", 1))
    result = run(instance)
    rows = project.rows(
        "select natural_key, shown->>'email' from pipeline.quality_failed_row"
        " where check_name = 'invalid__email'"
    )
    assert len(rows) == 20
    assert all("secret.person" not in str(row) for row in rows)
    metadata = [told(e) for e in result.get_asset_check_evaluations()]
    assert "secret.person" not in str(metadata)
    assert told(checks(result)["quality_gate"])["atlas/failed_rows_kept"] == 20


def test_one_check_can_be_run_alone(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(person(1), state("people", 1))
    run(instance)
    kept = project.rows("select count(*) from pipeline.quality_score")
    result = run_checks(instance, "invalid__email")
    assert result.success
    assert (steps(result), verdicts(checks(result))) == (
        ["checks__shop__people"],
        {"invalid__email": "pass"},
    )
    history = run_checks(instance, "history_no_overlap", asset=NAVIGATE)
    assert verdicts(checks(history, NAVIGATE)) == {"history_no_overlap": "pass"}
    assert project.rows("select count(*) from pipeline.quality_score") == kept


def test_a_run_of_a_partition_checks_its_rows_and_one_of_none_the_whole_table(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(person(1, on=day(1), email="x"), person(2), person(3), state("people", 1))
    run(instance, "shop", day(1))
    assert told(checks(run(instance, "shop_layers"))["invalid__email"])["atlas/rows_tested"] == 2
    tested = {
        name: told(checks(run_checks(instance, "invalid__email", **tags))["invalid__email"])
        for name, tags in {
            "whole": {},
            "day": {"dagster__partition": day(1)},
            "range": {
                "dagster__asset_partition_range_start": day(1),
                "dagster__asset_partition_range_end": day(),
            },
        }.items()
    }
    assert {name: one["atlas/rows_tested"] for name, one in tested.items()} == {
        "whole": 3,
        "day": 1,
        "range": 3,
    }
    assert not run_checks(instance, "quality_gate").success
    assert project.rows(
        "select first_day, status from pipeline.quality_score order by scan_id desc limit 1"
    ) == [(None, "fail")]


def test_checks_come_between_chart_and_navigate_after_all_charts(
    instance: dg.DagsterInstance, project: Project
) -> None:
    shop = with_streams(project, ORDERS, PEOPLE)
    order = record("orders", {"id": 7, "people_id": 1}, at=noon(day()))
    shop.say(order, person(1), state("people", 1), state("orders", 1))
    result = run(instance)
    done = steps(result)
    charted = max(done.index(f"chart__shop__{stream}") for stream in ("orders", "people"))
    for stream in ("orders", "people"):
        chain = ["explore", "pii", "chart", "checks", "navigate", "history"]
        places = [done.index(f"{step}__shop__{stream}") for step in chain]
        assert places == sorted(places)
        assert charted < done.index(f"checks__shop__{stream}")
    orders = checks(result, dg.AssetKey(["chart", "shop", "orders"]))
    assert told(orders["reference__people_id"])["atlas/rows_tested"] == 1


def test_a_users_checks_and_limits_hold(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    write_checks(
        project,
        """
        disable: [text_damage__*]
        override: {missing__city: {fail: 40%}}
        columns:
          - name: city
            checks:
              - invalid: {valid_values: ["Côte d'Ivoire", Oslo]}
        """,
    )
    shop.say(person(1, city="Côte d'Ivoire"), person(2, city=None), state("people", 1))
    found = checks(run(instance))
    assert "text_damage__city" not in found
    assert verdicts(found)["user__invalid__city"] == "pass"
    assert verdicts(found)["missing__city"] == "ERROR"
    assert verdicts(found)["user_file"] == "pass"


def test_what_tests_nothing_has_not_passed(
    instance: dg.DagsterInstance, shop: ScriptedConnector
) -> None:
    shop.say(person(1, on=day(1)), state("people", 1))
    run(instance, "shop", day(1))
    result = run(instance, "shop_layers", day())
    found = checks(result)
    assert verdicts(found)["invalid__email"] == "WARN"
    assert found["invalid__email"].description == "no rows to test"
    gate = told(found["quality_gate"])
    assert gate["atlas/coverage"] < 0.5
    assert not gate["atlas/is_graded"]
    assert "invalid__email" in gate["atlas/not_checked"]


def test_what_the_policy_hides_is_not_checked_and_says_why(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    rules = {"shop": {"streams": {"people": {"pii": {"columns": {"email": "redact"}}}}}}
    project.connect({"shop": connection("shop", ["people"])}, **rules)
    shop.say(person(1), state("people", 1))
    found = checks(run(instance))
    assert verdicts(found)["invalid__email"] == "WARN"
    assert found["invalid__email"].description == "email is redacted on its way to chart"
    assert found["invalid__email"].asset_key == CHART
