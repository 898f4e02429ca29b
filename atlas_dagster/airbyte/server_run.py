"""One sync of a server's connection: alone, to its end, and with its outcome in the warehouse."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from atlas_dagster.airbyte import jobs, server_ledger
from atlas_dagster.airbyte.http import AirbyteHttp
from atlas_dagster.airbyte.job_info import JobOutcome
from atlas_dagster.airbyte.server import AirbyteApi
from atlas_dagster.airbyte.server_record import keep_state_after, record_job, record_missed
from atlas_dagster.airbyte.server_sync import Follower, follow, start_or_adopt
from atlas_dagster.airbyte.snapshot import StoredConnection
from atlas_dagster.catalog import Connection
from atlas_dagster.settings import AirbyteServer, Settings
from atlas_dagster.warehouse import connect, migrate, resolve_session_url, resolve_url


def run_sync(
    settings: Settings,
    server: AirbyteServer,
    stored: StoredConnection,
    run_id: str,
    follower: Follower,
) -> tuple[JobOutcome, Connection]:
    """Sync a connection, or follow the sync that runs; returns what it did, and to what.

    Raises BusyError where another run or another kind of job is at it, AirbyteError where Airbyte
    cannot be asked. What the job itself failed with stands in its outcome.
    """
    url = resolve_url(settings)
    http = AirbyteHttp(server)
    api = AirbyteApi(http)
    try:
        with _alone(resolve_session_url(settings), stored):
            job_id = start_or_adopt(api, stored.id, stored.slug, follower)
            with connect(url, application="atlas sync") as warehouse:
                server_ledger.open_job(warehouse, stored.id, job_id, run_id)
            follow(api, job_id, follower)
            with connect(url, application="atlas sync") as warehouse:
                record_missed(api, warehouse, stored, job_id, follower.note)
                done = record_job(api, warehouse, stored, job_id, follower.note, keep_catalog=True)
                keep_state_after(api, warehouse, stored, job_id, follower.note)
                return done
    finally:
        http.close()


@contextmanager
def _alone(url: str, stored: StoredConnection) -> Generator[None]:
    """Let no other run sync the connection; the lock goes with this process."""
    with connect(url, application="atlas sync lock") as connection:
        migrate(connection)
        jobs.take_lock(connection, stored.id, stored.slug)
        yield
