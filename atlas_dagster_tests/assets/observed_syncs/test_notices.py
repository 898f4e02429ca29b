"""What a webhook claims: it is asked of Airbyte, told once, or refused with a reason."""

from __future__ import annotations

import dagster as dg
import pytest

from atlas_dagster.airbyte.refresh import refresh
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.airbyte_server.double import AirbyteDouble
from atlas_dagster_tests.airbyte_server.ledger import (
    Connection,
    Ledger,
    stream,
)
from atlas_dagster_tests.assets.daemon import Daemon
from atlas_dagster_tests.assets.observed_syncs.support import (
    day_of,
    hear,
    refusals,
    told,
)

pytestmark = pytest.mark.slow


def test_a_webhook_that_is_replayed_tells_nothing_twice(
    ledger: Ledger, crm: Connection, daemon: Daemon, warehouse: PgConnection
) -> None:
    job = ledger.finished_job(crm, "sync")
    for _ in range(3):
        for _ in range(100):
            hear(warehouse, crm.id, job.id)
        daemon.tick()
    assert told(daemon.instance) == [job.id]
    assert len(daemon.requested) == 1


def test_a_webhook_tells_of_the_one_before_that_was_lost_too_and_in_order(
    ledger: Ledger,
    crm: Connection,
    daemon: Daemon,
    warehouse: PgConnection,
    airbyte_server: AirbyteDouble,
) -> None:
    lost, heard = ledger.finished_job(crm, "sync"), ledger.finished_job(crm, "sync")
    hear(warehouse, crm.id, heard.id)
    daemon.tick_until_quiet()
    assert told(daemon.instance) == [lost.id, heard.id]


def test_a_connection_that_is_not_in_the_workspace_is_refused_and_stops_no_other(
    ledger: Ledger,
    crm: Connection,
    daemon: Daemon,
    warehouse: PgConnection,
    airbyte_server: AirbyteDouble,
) -> None:
    hear(warehouse, "3f0c7c0e-0000-4000-8000-000000000000", 12)
    job = ledger.finished_job(crm, "sync")
    reads = airbyte_server.count("connections/get$")
    daemon.tick_until_quiet()
    assert refusals(warehouse) == [
        "no connection 3f0c7c0e-0000-4000-8000-000000000000 in the workspace"
    ]
    assert told(daemon.instance) == [job.id]
    assert airbyte_server.count("connections/get$") == reads  # the list of them was enough


def test_a_connection_that_is_new_is_fetched_and_told_and_its_layers_wait_for_a_reload(
    ledger: Ledger, crm: Connection, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    from atlas_dagster.defs import code_location

    before = code_location.build_code_location()
    shop = ledger.add_connection("shop", stream("carts"))
    job = ledger.finished_job(shop, "sync")
    with monkeypatch.context() as patch:
        patch.setattr("atlas_dagster_tests.assets.daemon.build_code_location", lambda: before)
        daemon.tick()
        data = daemon.tick()
        assert data.skip_message == (
            "nothing new; shop is new, and its layers wait: reload the code location"
        )
    key = dg.AssetKey(["airbyte", "shop", "carts"])
    assert len(daemon.instance.fetch_materializations(key, limit=9).records) == 1
    daemon.tick_until_quiet()
    assert daemon.requested == [f"shop/sync-{job.id}/{day_of(job)}"]


@pytest.mark.parametrize(
    ("job_id", "reason"),
    [
        (77, "Airbyte has no job 77"),
        (1001, "job 1001 is none of crm"),
        (1002, "job 1002 has not ended: it is running"),
    ],
)
def test_a_job_that_a_webhook_only_claims_is_refused(
    ledger: Ledger,
    crm: Connection,
    daemon: Daemon,
    warehouse: PgConnection,
    job_id: int,
    reason: str,
) -> None:
    mine = ledger.finished_job(crm, "sync")
    other = ledger.add_connection("shop", stream("carts"))
    refresh(load_settings())
    ledger.finished_job(other, "sync")
    ledger.plan(crm, "running", "running", "running", "running", "succeeded")
    ledger.start_job(crm.id)
    hear(warehouse, crm.id, job_id)
    daemon.tick_until_quiet()
    assert refusals(warehouse) == [reason]
    assert told(daemon.instance) == [mine.id]


def test_a_job_that_a_webhook_told_of_too_early_is_told_when_it_has_ended(
    ledger: Ledger, crm: Connection, daemon: Daemon, warehouse: PgConnection
) -> None:
    ledger.plan(crm, *["running"] * 9)
    job = ledger.start_job(crm.id)
    hear(warehouse, crm.id, job.id)
    daemon.tick()
    job.script = ["succeeded"]
    job.look()
    daemon.tick_until_quiet()
    assert told(daemon.instance) == [job.id]
