"""The gate between chart and navigate: what it blocks, for how long, and how it is overridden."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from atlas_dagster.assets.quality_gate import OVERRIDE_TAG
from atlas_dagster_tests.airbyte.scripted import USERS, state
from atlas_dagster_tests.assets.quality_support import (
    NAVIGATE,
    PEOPLE,
    checks,
    person,
    run,
    run_checks,
    run_without_checks,
    steps,
    told,
    verdicts,
    with_streams,
    write_checks,
)
from atlas_dagster_tests.integration.project import Project, ScriptedConnector, day, user

pytestmark = pytest.mark.slow

BAD: dict[str, Any] = {"email": "nobody"}
TO_CHART = ("airbyte", "explore", "pii", "chart")
OVERRIDE = {OVERRIDE_TAG.replace("/", "__"): "the test of the shop"}


@pytest.fixture
def shop(project: Project) -> ScriptedConnector:
    return with_streams(project, PEOPLE)


def failure(result: dg.ExecuteInProcessResult) -> str:
    (event,) = result.get_step_failure_events()
    assert event.step_failure_data.user_failure_data
    return str(event.step_failure_data.user_failure_data.description)


def segments(project: Project) -> list[int]:
    rows = project.rows("select to_regclass('navigate.shop__people') is not null")
    if not rows[0][0]:
        return []
    return [row[0] for row in project.rows("select id from navigate.shop__people order by id")]


def test_a_check_that_fails_keeps_the_rows_from_navigate_in_the_same_run(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(person(1), person(2, **BAD), state("people", 1))
    result = run(instance)
    assert not result.success
    found = checks(result)
    assert verdicts(found)["invalid__email"] == "ERROR"
    gate = found["quality_gate"]
    assert (gate.passed, gate.severity, gate.blocking) == (
        False,
        dg.AssetCheckSeverity.ERROR,
        True,
    )
    assert gate.description == "invalid__email: 1 of 2 rows (50 %); more than 5 % fails"
    assert failure(result) == (
        f"shop/people: quality_gate: {gate.description}. Navigate is not built. Correct the data or"
        " the limits (docs/checks.md) and run chart's checks again, or give the run the tag"
        " atlas/override_gate with the reason"
    )
    assert told(gate)["atlas/checks_failed"] == 1
    assert "navigate__shop__people" not in steps(result)
    assert segments(project) == []


def test_a_warning_blocks_nothing(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(*(person(n) for n in range(39)), person(39, **BAD), state("people", 1))
    result = run(instance)
    assert result.success
    assert verdicts(checks(result))["invalid__email"] == "WARN"
    assert len(segments(project)) == 40


def test_a_gate_stops_its_stream_and_not_its_siblings(
    instance: dg.DagsterInstance, project: Project
) -> None:
    shop = with_streams(project, PEOPLE, USERS)
    shop.say(person(2, **BAD), user(1, "Anna", day()), state("people", 1), state("users", 1))
    result = run(instance)
    assert [event.step_key for event in result.get_step_failure_events()] == [
        "checks__shop__people"
    ]
    assert project.rows("select id from navigate.shop__users") == [(1,)]
    assert segments(project) == []


def test_a_run_of_navigate_alone_is_held_back_too_and_says_what_to_do(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(person(2, **BAD), state("people", 1))
    run(instance)
    result = run(instance, "shop_layers", day(), NAVIGATE)
    assert failure(result) == (
        f"shop/people: quality_gate holds back {day()} (invalid__email). Correct the data or the"
        " limits (docs/checks.md) and run chart's checks again, or give the run the tag"
        " atlas/override_gate with the reason"
    )
    assert segments(project) == []


def test_a_range_is_held_back_by_the_days_in_it_that_failed(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(person(1, on=day(1)), person(2, **BAD), state("people", 1))
    assert run(instance, "shop", day(1)).success
    run(instance, "shop_layers", day())
    bounds = {
        "dagster__asset_partition_range_start": day(1),
        "dagster__asset_partition_range_end": day(),
    }
    assert f"holds back {day()} (" in failure(
        run(instance, "shop_layers", None, NAVIGATE, **bounds)
    )
    assert run(instance, "shop_layers", day(1), NAVIGATE).success
    assert segments(project) == [1]


def test_a_first_navigate_takes_all_days_so_all_of_them_count(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(person(1, on=day(1), **BAD), person(2), state("people", 1))
    run(instance, "shop", day(1))
    assert f"holds back {day(1)} (" in failure(run(instance, "shop_layers", day()))
    assert segments(project) == []


def test_a_day_without_rows_holds_no_first_navigate_back(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(person(1, on=day(1)), state("people", 1))
    write_checks(project, "override: {row_count: {fail: 1000}}")
    assert not run(instance, "shop", day()).success
    write_checks(project, "")
    assert run(instance, "shop_layers", day(1)).success
    assert segments(project) == [1]


def test_a_person_may_override_the_gate_and_says_why(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(person(2, **BAD), state("people", 1))
    result = run(instance, "shop", day(), **OVERRIDE)
    assert result.success
    gate = checks(result)["quality_gate"]
    assert (gate.passed, gate.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert gate.description is not None
    assert gate.description.startswith("overridden: the test of the shop; invalid__email: 1 of 1")
    (navigated,) = result.asset_materializations_for_node("navigate__shop__people")
    assert navigated.metadata["atlas/gate_overridden"].value == "the test of the shop"
    assert segments(project) == [2]
    assert not run(instance, "shop_layers", day(), NAVIGATE).success, "it was for that run"


def test_other_limits_and_another_run_of_the_checks_open_the_gate(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(person(2, **BAD), state("people", 1))
    run(instance)
    write_checks(project, "override: {invalid__email: {fail: never}}")
    assert run_checks(instance, "quality_gate").success
    assert run(instance, "shop_layers", day(), NAVIGATE).success
    assert segments(project) == [2]


def test_what_was_never_checked_is_not_held_back(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(person(2, **BAD), state("people", 1))
    run(instance)
    project.rows("delete from pipeline.quality_score returning 1")
    assert run(instance, "shop_layers", day(), NAVIGATE).success
    assert segments(project) == [2]


def test_rows_that_came_in_and_were_not_checked_are_held_back_until_they_are(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(person(1), state("people", 1))
    assert run(instance).success
    shop.say(person(2), state("people", 2))
    assert run_without_checks(instance, *TO_CHART).success
    result = run(instance, "shop_layers", day(), NAVIGATE)
    assert failure(result).startswith(
        f"shop/people: quality_gate holds back {day()} (not checked to the end). "
    )
    assert segments(project) == [1]
    assert run(instance, "shop_layers", day()).success
    assert run(instance, "shop_layers", day(), NAVIGATE).success
    assert segments(project) == [1, 2]


def test_a_chart_that_nothing_came_into_needs_no_other_checks(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(person(1), state("people", 1))
    assert run(instance).success
    assert run_without_checks(instance, "chart", "navigate").success


def test_layers_that_are_built_without_any_checks_ever_have_no_gate(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    for number in (1, 2):
        shop.say(person(number, **BAD), state("people", number))
        assert run_without_checks(instance, *TO_CHART, "navigate").success
    assert segments(project) == [1, 2]
