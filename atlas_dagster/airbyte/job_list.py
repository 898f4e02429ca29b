"""The jobs that `GET /jobs` lists, typed.

Shape: airbytehq/airbyte-platform, api.yaml, `JobResponse`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from atlas_dagster.errors import AirbyteError

if TYPE_CHECKING:
    from atlas_dagster.airbyte.http import Json

ENDED = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class ListedJob:
    """A job; ``updated_at`` is when it ended, or when it was created where Airbyte does not say."""

    id: int
    connection_id: str
    status: str
    updated_at: datetime

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED


class _Job(msgspec.Struct, frozen=True, rename="camel"):
    job_id: int
    connection_id: str
    status: str
    start_time: str
    last_updated_at: str | None = None


def parse_jobs(items: Sequence[Json]) -> list[ListedJob]:
    """Read the items of `GET /jobs`; raises AirbyteError naming what is wrong."""
    try:
        found = msgspec.convert(items, list[_Job])
    except msgspec.ValidationError as error:
        raise AirbyteError(f"Airbyte lists jobs in a way that is not known: {error}") from None
    return [
        ListedJob(
            job.job_id,
            job.connection_id,
            job.status,
            parse_instant(job.last_updated_at or job.start_time),
        )
        for job in found
    ]


def parse_instant(text: str) -> datetime:
    """A time as Java prints it: with ``Z``, and maybe without seconds.

    Raises AirbyteError where it is none, or names no zone: then it could be any.
    """
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise AirbyteError(f"Airbyte tells a time in a way that is not known: {text[:40]}")
    return moment
