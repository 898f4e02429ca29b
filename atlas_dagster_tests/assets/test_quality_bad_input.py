"""Checks that cannot be made: each an error with a sentence, never a pass, and the others run."""

from __future__ import annotations

import dagster as dg
import psycopg
import pytest

from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster.errors import ConfigError
from atlas_dagster_tests.airbyte.scripted import state, table
from atlas_dagster_tests.assets.quality_support import (
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
from atlas_dagster_tests.integration.project import Project, ScriptedConnector, day

pytestmark = pytest.mark.slow

KILL = "pg_terminate_backend(pg_backend_pid())::int"


@pytest.fixture
def shop(project: Project) -> ScriptedConnector:
    shop = with_streams(project, PEOPLE)
    shop.say(person(1), person(2), state("people", 1))
    return shop


METRIC = "checks: [{{metric: {{name: own, expression: {}, threshold: {{must_be: 0}}}}}}]"
CITY = "columns: [{{name: city, checks: [{{invalid: {}}}]}}]"


@pytest.mark.parametrize(
    ("text", "name", "sentence"),
    [
        (
            METRIC.format('"no_such_function(age)"'),
            "user__own",
            "function no_such_function(bigint) does not exist",
        ),
        (METRIC.format('"sum(age / 0)"'), "user__own", "division by zero"),
        (
            CITY.format("{valid_format: {regex: '^(abc', name: abc}}"),
            "user__invalid__city",
            "invalid regular expression: parentheses () not balanced",
        ),
        (
            CITY.format("{valid_reference_data: {dataset: other/gone, column: id}}"),
            "user__invalid__city",
            'relation "other.gone" does not exist',
        ),
    ],
)
def test_a_check_that_postgres_refuses_is_an_error_and_blocks_and_the_others_run(
    instance: dg.DagsterInstance,
    shop: ScriptedConnector,
    project: Project,
    text: str,
    name: str,
    sentence: str,
) -> None:
    write_checks(project, text)
    result = run(instance)
    found = checks(result)
    assert (found[name].passed, found[name].severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert found[name].description == sentence
    assert verdicts(found)["invalid__email"] == "pass"
    assert verdicts(found)["quality_gate"] == "ERROR"
    assert told(found["quality_gate"])["atlas/not_checked"] == [name]
    assert "navigate__shop__people" not in steps(result)


def test_postgres_stopped_in_the_middle_is_an_error_of_every_check_and_closes_the_gate(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    write_checks(project, METRIC.format(f'"{KILL}"'))
    result = run(instance)
    found = checks(result)
    assert verdicts(found)["user__own"] == "ERROR"
    assert found["user__own"].description == (
        "PostgreSQL ended the connection: terminating connection due to administrator command"
    )
    gate = found["quality_gate"]
    assert verdicts(found)["quality_gate"] == "ERROR"
    assert "the results could not be kept" in str(gate.description)
    assert not run(instance, "shop_layers", day(), NAVIGATE).success


def test_a_value_with_quotes_and_a_check_of_no_rows_are_no_errors(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(person(1, city="Côte d'Ivoire"), state("people", 1))
    write_checks(
        project,
        """
        columns:
          - name: city
            checks:
              - invalid: {valid_values: ["Côte d'Ivoire", Oslo]}
              - missing:
                  name: of_nobody
                  filter: age > 1000
                  threshold: {metric: percent, must_be: 0}
        """,
    )
    found = checks(run(instance))
    assert verdicts(found)["user__invalid__city"] == "pass"
    assert verdicts(found)["user__of_nobody"] == "WARN"
    assert verdicts(found)["quality_gate"] == "pass"


def test_checks_of_a_chart_that_is_not_there_say_what_to_do(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    unsynced = checks(run_checks(instance, "row_count", "quality_gate"))
    assert {e.description for e in unsynced.values()} == {
        "connection shop has not been synced yet; materialize airbyte/shop"
    }
    run(instance, "shop_sync", None)
    missing = checks(run_checks(instance, "row_count", "quality_gate"))
    assert verdicts(missing) == {"row_count": "ERROR", "quality_gate": "ERROR"}
    assert {e.description for e in missing.values()} == {
        "shop/people: chart is empty; materialize it first"
    }


def test_a_server_that_is_down_is_an_error_of_every_check(
    instance: dg.DagsterInstance,
    shop: ScriptedConnector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(instance)
    monkeypatch.setenv("ATLAS_WAREHOUSE_URL", "postgresql://postgres@127.0.0.1:9/none")
    found = checks(run_checks(instance, "row_count", "quality_gate"))
    assert verdicts(found) == {"row_count": "ERROR", "quality_gate": "ERROR"}
    assert all(str(e.description).startswith("PostgreSQL is not") for e in found.values())


def test_a_column_that_is_gone_is_an_error_that_names_the_file_and_the_line(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    write_checks(
        project,
        "columns:\n  - name: town\n    checks: [missing: {}]\ndisable: [missing__town]\n",
    )
    found = checks(run(instance))
    assert verdicts(found)["user__missing__town"] == "ERROR"
    assert found["user__missing__town"].description == "chart.shop__people has no column town"
    assert verdicts(found)["user_file"] == "ERROR"
    told_of = str(found["user_file"].description)
    assert "config/checks/shop/people.yml:2: columns[0].name: " in told_of
    assert "config/checks/shop/people.yml:4: disable[0]: missing__town is no derived" in told_of
    assert verdicts(found)["quality_gate"] == "ERROR"


def test_a_check_that_the_source_took_away_says_so_and_blocks_nothing(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    stale = build_code_location().resolve_job_def("shop")
    shop.catalog(table("people", {"id": {"type": "integer"}}))
    shop.say(person(1), state("people", 1))
    result = stale.execute_in_process(instance=instance, partition_key=day(), raise_on_error=False)
    found = checks(result)
    assert verdicts(found)["invalid__email"] == "ERROR"
    assert found["invalid__email"].description == (
        "invalid__email is not among the checks of the stream any longer: reload the code location"
    )
    assert verdicts(found)["quality_gate"] == "pass"
    assert result.asset_materializations_for_node("navigate__shop__people")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("chekcs: []", "people.yml:1: chekcs: unknown key; did you mean checks?"),
        (
            "checks:\n  - freshness: {column: age, threshold: {unit: week, must_be_less_than: 2}}",
            "people.yml:2: ",
        ),
        ("checks:\n  - mising: {}", "people.yml:2: "),
    ],
)
def test_a_mistake_that_soda_would_pass_over_is_refused_as_the_code_location_loads(
    shop: ScriptedConnector, project: Project, text: str, sentence: str
) -> None:
    write_checks(project, text)
    with pytest.raises(ConfigError) as refused:
        build_code_location()
    assert sentence in str(refused.value)


def test_a_file_of_no_stream_is_refused_as_the_code_location_loads(
    shop: ScriptedConnector, project: Project
) -> None:
    write_checks(project, "disable: [row_count]", stream="peple")
    with pytest.raises(ConfigError, match=r"unknown stream peple of shop; did you mean people"):
        build_code_location()


def test_a_file_that_breaks_while_the_location_is_loaded_closes_the_gate(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    loaded = build_code_location().resolve_job_def("shop")
    write_checks(project, "checks: 7")
    result = loaded.execute_in_process(instance=instance, partition_key=day(), raise_on_error=False)
    found = checks(result)
    assert all(
        "config/checks/shop/people.yml:1" in str(e.description)
        for n, e in found.items()
        if n != "schema_drift"
    )
    assert "navigate__shop__people" not in steps(result)
    with psycopg.connect(project.warehouse_url) as connection:
        rows = connection.execute("select status from pipeline.quality_score").fetchall()
    assert rows == [("error",)]
