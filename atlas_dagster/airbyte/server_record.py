"""What a server's job has done, read from Airbyte and written into the warehouse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from atlas_dagster import catalog_store
from atlas_dagster.airbyte import server_ledger
from atlas_dagster.airbyte.http import Json
from atlas_dagster.airbyte.job_info import (
    JobOutcome,
    StreamKey,
    StreamOutcome,
    parse_job_info,
    parse_statuses,
    read_outcome,
)
from atlas_dagster.airbyte.job_list import ENDED, parse_instant
from atlas_dagster.airbyte.server import AirbyteApi
from atlas_dagster.airbyte.server_state import keep_state
from atlas_dagster.airbyte.snapshot import StoredConnection, slim_destination, slim_details
from atlas_dagster.catalog import Connection
from atlas_dagster.catalog_answers import parse_connection
from atlas_dagster.errors import AirbyteError, AtlasError
from atlas_dagster.warehouse import PgConnection

Note = Callable[[str], None]


def record_missed(
    api: AirbyteApi, warehouse: PgConnection, stored: StoredConnection, job_id: int, note: Note
) -> None:
    """Record what others have had done to a connection before a job: syncs, refreshes, clears."""
    try:
        ended = [int(job["jobId"]) for job in api.jobs(stored.id) if job.get("status") in ENDED]
    except AirbyteError as error:
        note(f"the jobs before job {job_id} are not recorded: {error}")
        return
    for missed in server_ledger.unrecorded(warehouse, stored.id, ended):
        if missed < job_id:
            try:
                record_job(api, warehouse, stored, missed, note, keep_catalog=False)
            except AirbyteError as error:
                note(f"job {missed} of before is not recorded: {error}")


def record_job(
    api: AirbyteApi,
    warehouse: PgConnection,
    stored: StoredConnection,
    job_id: int,
    note: Note,
    *,
    keep_catalog: bool,
) -> tuple[JobOutcome, Connection]:
    """Write what a job has done into the ledger, and for the layers the catalog as it was then."""
    details, destination = _connection_of_job(api, stored, job_id, note)
    connection = parse_connection(details, destination, stored.slug)
    outcome = _read(api, connection, _generations(details), job_id, note)
    if connection.has_layers:
        _tell_other_database(warehouse, connection, note)
        outcome = server_ledger.find_reach(warehouse, outcome)
    with warehouse.transaction():
        server_ledger.save_outcome(warehouse, stored.id, outcome)
        if keep_catalog:
            catalog_store.save_catalog(warehouse, stored.slug, details, destination)
    return outcome, connection


def keep_state_after(
    api: AirbyteApi, warehouse: PgConnection, stored: StoredConnection, job_id: int, note: Note
) -> None:
    """Keep the state that Airbyte has of a connection after a job, where it can be read."""
    try:
        keep_state(warehouse, stored.id, api.state(stored.id), job_id)
    except AirbyteError as error:
        note(f"the state after job {job_id} is not kept: {error}")


def _tell_other_database(warehouse: PgConnection, connection: Connection, note: Note) -> None:
    if connection.database not in (None, warehouse.info.dbname):
        note(
            f"{connection.slug} lands in the database {connection.database}, and the warehouse is"
            f" {warehouse.info.dbname}: layers are built where landing lies"
        )


def _connection_of_job(
    api: AirbyteApi, stored: StoredConnection, job_id: int, note: Note
) -> tuple[Json, Json]:
    """The connection as it was for a job, or is now; where that cannot be read, as last fetched."""
    try:
        details = slim_details(_first_answer(api, stored.id, job_id))
        destination = slim_destination(api.destination(str(details.get("destinationId"))))
        parse_connection(details, destination, stored.slug)
    except AtlasError as error:
        note(f"{stored.slug} is taken to be as it was last fetched: {error}")
        return stored.details, stored.destination
    return details, destination


def _first_answer(api: AirbyteApi, connection_id: str, job_id: int) -> Json:
    """`connections/getForJob`, which older servers do not have, or `connections/get`."""
    try:
        return api.connection_for_job(connection_id, job_id)
    except AirbyteError as error:
        if error.status is None or error.status >= 500:
            raise
        return api.connection(connection_id)


def _read(
    api: AirbyteApi,
    connection: Connection,
    generations: Mapping[StreamKey, tuple[int, int]],
    job_id: int,
    note: Note,
) -> JobOutcome:
    try:
        info = parse_job_info(api.job_info(job_id))
    except AirbyteError as error:
        note(f"job {job_id} is recorded without counts: {error}")
        return _without_info(api.job(job_id), connection, error)
    statuses: list[Json] = []
    if info.job.status != "succeeded":
        try:
            statuses = api.stream_statuses(job_id)
        except AirbyteError as error:
            note(f"which streams of job {job_id} are complete cannot be read: {error}")
    return read_outcome(info, parse_statuses(statuses), connection, generations)


def _without_info(job: Json, connection: Connection, error: AirbyteError) -> JobOutcome:
    """What the public API alone says of a job: nothing of its streams but that it succeeded."""
    status = str(job["status"])
    created = parse_instant(str(job["startTime"]))
    succeeded = status == "succeeded"
    return JobOutcome(
        job_id=int(job["jobId"]),
        kind=str(job.get("jobType") or "sync"),
        status=status,
        created_at=created,
        ended_at=parse_instant(str(job["lastUpdatedAt"])) if "lastUpdatedAt" in job else created,
        attempts=0,
        failure=None if succeeded else f"Airbyte's job {job['jobId']} {status}; why: {error}",
        streams=tuple(
            StreamOutcome(stream, 0, 0, full_refresh=False, complete=succeeded, counts=None)
            for stream in connection.streams
        ),
    )


def _generations(details: Mapping[str, Any]) -> dict[StreamKey, tuple[int, int]]:
    """Generation and least generation of each stream, where Airbyte tells them."""
    found: dict[StreamKey, tuple[int, int]] = {}
    for entry in cast("list[Json]", details["syncCatalog"]["streams"]):
        stream, config = entry["stream"], entry["config"]
        numbers = config.get("generationId") or 0, config.get("minimumGenerationId") or 0
        found[(stream["name"], stream.get("namespace") or None)] = numbers
    return found
