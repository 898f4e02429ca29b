"""How one delivery is sent so that it arrives once: look up what is in doubt, the marker last.

QALITA keeps nothing from arriving twice. The delivery's key is the job's name and the value of the
last metric; what a lost answer leaves open is looked up by them before anything is sent again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from atlas_dagster.errors import QalitaError, QalitaUnavailableError
from atlas_dagster.qalita.content import MARKER, Content, Json, Kind, identity
from atlas_dagster.qalita.objects import Job, JobStatus, Target, as_time, is_id
from atlas_dagster.qalita.targets import Destination

if TYPE_CHECKING:
    from atlas_dagster.qalita.client import QalitaApi

_CONFLICT = 409
_NO_SUCH_LIST = (404, 405)


@dataclass(frozen=True)
class Report:
    """What a delivery says: a job that has ended, and what is published with it.

    ``part`` is what of its subject the schemas are of: those of another part are not compared.
    """

    status: JobStatus
    started_at: datetime
    ended_at: datetime
    error_message: str | None = None
    content: Content = field(default_factory=Content)
    part: str = ""


class Sending:
    """One try to send a report.

    ``job_id`` and ``arrived`` are what is known to be on the platform, and grow. With ``looks_up``
    an earlier try may have sent any more of it, and nothing of the source was sent since.
    """

    def __init__(
        self,
        api: QalitaApi,
        key: str,
        destination: Destination,
        job_id: int | None = None,
        arrived: Iterable[Kind] = (),
        *,
        looks_up: bool = False,
    ) -> None:
        self._api = api
        self._key = key
        self._target: Target = destination.target
        self._source_name = destination.source_name
        self._looks_up = looks_up
        self._made_at: datetime | None = None
        self.job_id = job_id
        self.arrived = list(arrived)

    def send(self, report: Report) -> None:
        """Send what has not arrived.

        Raises QalitaUnavailableError where it may arrive later, QalitaError where it is refused:
        then its job, if there is one, has failed.
        """
        if self.job_id is None or self._looks_up:
            self._find_or_make_job(report)
        assert self.job_id is not None  # it is found, or made
        try:
            for kind in Kind:
                if kind not in self.arrived:
                    self._upload(kind, report.content)
                    self.arrived.append(kind)
        except QalitaUnavailableError:
            raise
        except QalitaError as error:
            self._close(self.job_id, report, error)
            raise
        self._api.update_job(self.job_id, report.status, report.ended_at, report.error_message)

    def _find_or_make_job(self, report: Report) -> None:
        job = self._api.find_job(self._target, self._key) if self._looks_up else None
        if job is None:
            self._looks_up = False  # nothing else is sent before the job
            job = self._make_job(report)
        self.job_id, self._made_at = job.id, job.created_at

    def _make_job(self, report: Report) -> Job:
        try:
            return self._api.create_job(self._target, self._key, report.started_at)
        except QalitaError as error:
            job = None
            if error.status == _CONFLICT:
                job = self._api.find_job(self._target, self._key)
            if job is None:
                raise
            self._looks_up = True
            return job

    def _upload(self, kind: Kind, content: Content) -> None:
        items = content.items(kind, self._source_name, self._key)
        if items and self._looks_up:
            items = self._missing(kind, items)
        if not items:
            return
        try:
            self._api.upload(kind, self._target, items)
        except QalitaError as error:
            if error.status != _CONFLICT or not self._is_there(kind, items):
                raise

    def _is_there(self, kind: Kind, items: list[Json]) -> bool:
        """Whether a conflict means that the items are there, though they may be older."""
        if kind is Kind.SCHEMAS:
            return True
        if kind is Kind.METRICS:
            return not self._missing(kind, items)
        there = {identity(kind, row) for row in self._listed(kind)}
        return all(identity(kind, item) in there for item in items)

    def _missing(self, kind: Kind, items: list[Json]) -> list[Json]:
        """The items that the platform does not have of this delivery.

        Of metrics and recommendations those are ours that came after the job, and after the last
        marker of another delivery; of schemas it is the same whose they are.
        """
        if kind is Kind.SCHEMAS:
            there = {identity(kind, row) for row in self._listed(kind)}
            return [item for item in items if identity(kind, item) not in there]
        metrics = self._api.uploaded(Kind.METRICS, self._target, self._made_at)
        marks = [row for row in metrics if row.get("key") == MARKER]
        if any(row.get("value") == self._key for row in marks):
            return []
        newest = max(map(_place, marks), default=_FIRST)
        if kind is Kind.METRICS:
            there = {identity(kind, row) for row in metrics if _place(row) > newest}
            return [item for item in items if identity(kind, item) not in there]
        rows = self._listed(kind, self._made_at)
        there = {identity(kind, row) for row in rows if _place(row)[0] > newest[0]}
        return [item for item in items if identity(kind, item) not in there]

    def _listed(self, kind: Kind, since: datetime | None = None) -> list[Json]:
        """What is there of a kind; nothing where the platform does not list it."""
        try:
            return self._api.uploaded(kind, self._target, since)
        except QalitaError as error:
            if error.status in _NO_SUCH_LIST:
                return []
            raise

    def _close(self, job_id: int, report: Report, error: QalitaError) -> None:
        """Leave no job running behind what was refused: it would block the source's routines."""
        message = f"not published by Atlas: {error}"
        try:
            self._api.update_job(job_id, JobStatus.FAILED, report.ended_at, message)
        except QalitaUnavailableError:
            raise
        except QalitaError as second:
            text = f"{error}; its job {job_id} is left running: {second}"
            raise QalitaError(text, error.status, error.request_id) from None


_FIRST = (datetime.min.replace(tzinfo=timezone.utc), -1)


def _place(row: Json) -> tuple[datetime, int]:
    """Where a row stands among others, by the platform's clock and its ids."""
    number = row.get("id")
    return as_time(row.get("created_at")) or _FIRST[0], number if is_id(number) else -1
