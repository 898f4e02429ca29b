"""A sync on an Airbyte server: started or found running, and followed to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from atlas_dagster.airbyte.http import Json
from atlas_dagster.airbyte.job_list import ENDED
from atlas_dagster.airbyte.server import AirbyteApi
from atlas_dagster.errors import AirbyteError, AirbyteUnavailableError, AtlasError, BusyError

MOST_STARTS = 4  # requests, of which each has either started a sync or been refused
UNREADABLE_SECONDS = 1800.0


@dataclass(frozen=True)
class Follower:
    """How a sync is followed: what it tells, and when it gives up.

    ``cancels`` is asked when this process is told to stop: whether Airbyte is told as well.
    ``unreadable_seconds`` bounds how long the status may be unknown, not how long a sync may take.
    """

    note: Callable[[str], None]
    cancels: Callable[[], bool]
    poll_seconds: float = 10.0
    unreadable_seconds: float = UNREADABLE_SECONDS
    sleep: Callable[[float], None] = time.sleep


def start_or_adopt(api: AirbyteApi, connection_id: str, label: str, follower: Follower) -> int:
    """The id of the sync to follow: the newest that runs already, else a new one.

    A start that is refused because one runs, or that is not answered, may have worked: the sync
    that is newer than all before is it. Raises BusyError where Airbyte does something else to the
    connection.
    """
    before = api.jobs(connection_id)
    if (running := _running_sync(before, label)) is not None:
        follower.note(f"job {running} syncs {label} already: following it")
        return running
    newest = max((int(job["jobId"]) for job in before), default=0)
    tries = 0
    while True:
        try:
            job_id = int(api.start_sync(connection_id)["jobId"])
            follower.note(f"job {job_id} syncs {label}")
            return job_id
        except AirbyteError as error:
            if error.status != 409 and not isinstance(error, AirbyteUnavailableError):
                raise
            tries += 1
            started = _started_since(api.jobs(connection_id), newest, label)
            if started is not None:
                follower.note(f"job {started} syncs {label}, though: {error}")
                return started
            if tries >= MOST_STARTS:
                raise
        follower.sleep(follower.poll_seconds)


def follow(api: AirbyteApi, job_id: int, follower: Follower) -> str:
    """Wait until a job ends; returns how: succeeded, failed or cancelled.

    A status that nobody knows yet is one of a job that is alive. Where the status cannot be read
    for too long AirbyteUnavailableError is raised, and the sync goes on.
    """
    told = ""
    read_at = time.monotonic()
    try:
        while True:
            try:
                status = str(api.job(job_id).get("status"))
                read_at = time.monotonic()
            except AirbyteError as error:
                if error.status == 404 or _is_over(read_at, follower):
                    raise AirbyteUnavailableError(
                        f"job {job_id} cannot be watched any longer, and may go on: {error}"
                    ) from None
                follower.note(f"job {job_id}: {error}")
                status = told
            if status in ENDED:
                return status
            if status != told:
                follower.note(f"job {job_id} is {status}")
                told = status
            follower.sleep(follower.poll_seconds)
    except BaseException as stop:
        if not isinstance(stop, AtlasError):
            _leave(api, job_id, follower)
        raise


def _leave(api: AirbyteApi, job_id: int, follower: Follower) -> None:
    """Cancel a job, or let it go on, when this process has to stop."""
    if not follower.cancels():
        follower.note(f"job {job_id} goes on in Airbyte; the next run of the connection follows it")
        return
    try:
        api.cancel(job_id)
        follower.note(f"job {job_id} is cancelled in Airbyte")
    except AirbyteError as error:
        follower.note(f"job {job_id} could not be cancelled: {error}")


def _is_over(read_at: float, follower: Follower) -> bool:
    return time.monotonic() - read_at >= follower.unreadable_seconds


def _running_sync(jobs: Sequence[Json], label: str) -> int | None:
    """The newest sync that has not ended; raises BusyError where another kind of job has not."""
    alive = [job for job in jobs if job.get("status") not in ENDED]
    syncs = [int(job["jobId"]) for job in alive if job.get("jobType") == "sync"]
    if alive and not syncs:
        other = alive[0]
        raise BusyError(
            f"Airbyte is at a {other.get('jobType')} of {label} (job {other['jobId']});"
            " sync it when that has ended"
        )
    return max(syncs, default=None)


def _started_since(jobs: Sequence[Json], newest: int, label: str) -> int | None:
    """The sync that a start has led to, ended or not."""
    running = _running_sync(jobs, label)
    if running is not None:
        return running
    later = [int(job["jobId"]) for job in jobs if job.get("jobType") == "sync"]
    return max((job_id for job_id in later if job_id > newest), default=None)
