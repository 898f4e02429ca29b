"""A workspace whose syncs Dagster observes, and the sensor that does."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest

from atlas_dagster.airbyte import observe
from atlas_dagster.airbyte.http import Retries
from atlas_dagster.airbyte.refresh import refresh
from atlas_dagster.settings import load_settings
from atlas_dagster_tests.airbyte.api import environment
from atlas_dagster_tests.airbyte_server.double import AirbyteDouble
from atlas_dagster_tests.airbyte_server.ledger import (
    Connection,
    Ledger,
    stream,
)
from atlas_dagster_tests.assets.daemon import Daemon
from atlas_dagster_tests.integration.project import Project


@pytest.fixture
def ledger(
    project: Project, airbyte_server: AirbyteDouble, monkeypatch: pytest.MonkeyPatch
) -> Ledger:
    """The workspace of a server that the environment names; its jobs begin twelve hours ago."""
    monkeypatch.setattr(observe, "IMPATIENT", Retries(most=1))
    for name, value in environment(airbyte_server).items():
        monkeypatch.setenv(name, value)
    hour = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
    airbyte_server.ledger.first_job_at = hour - timedelta(hours=12)
    return airbyte_server.ledger


@pytest.fixture
def crm(ledger: Ledger) -> Connection:
    """A connection of two streams, which the definitions have."""
    crm = ledger.add_connection("crm", stream("users"), stream("orders"))
    refresh(load_settings())
    return crm


@pytest.fixture
def daemon(instance: dg.DagsterInstance) -> Daemon:
    return Daemon(instance, "observed_syncs")
