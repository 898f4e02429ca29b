"""Runs, with the warehouse and Dagster's own tables behind PgBouncer in transaction mode."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from atlas_dagster_tests.airbyte.scripted import USERS, state
from atlas_dagster_tests.integration.processes import statuses
from atlas_dagster_tests.integration.project import Project, day, user
from atlas_dagster_tests.pooler import pgbouncer

pytestmark = pytest.mark.slow


@pytest.fixture
def pooled(project: Project) -> Iterator[Project]:
    """The project, whose processes share two connections to the server."""
    with pgbouncer(project.warehouse_url, "transaction", size=2) as url:
        yield replace(project, extra={"ATLAS_WAREHOUSE_URL": url, "ATLAS_DAGSTER_URL": url})


def test_a_connection_runs_through_a_pooler(pooled: Project) -> None:
    shop = pooled.with_connection("shop", USERS)
    shop.say(user(1, "Anna", day()), state("users", 1))
    refused = pooled.dagster(*pooled.execute("shop", day()))
    assert "name the server itself" in refused.stdout
    assert "Traceback" not in refused.stdout.partition("name the server itself")[0]
    both = replace(
        pooled, extra={**pooled.extra, "ATLAS_WAREHOUSE_SESSION_URL": pooled.warehouse_url}
    )
    done = both.dagster(*both.execute("shop", day()))
    assert done.returncode == 0, done.stdout
    assert statuses(both) == [("shop", "FAILURE"), ("shop", "SUCCESS")]
    assert both.rows("select id, name from navigate.shop__users_current") == [(1, "Anna")]
    assert both.rows("select count(*) from pipeline.quality_score") != [(0,)]
