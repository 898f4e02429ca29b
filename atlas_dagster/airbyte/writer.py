"""The writing end of a sync: each batch is one transaction of rows, states and counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg

from atlas_dagster.airbyte import jobs, landing, state
from atlas_dagster.airbyte.batches import Batch, Tally, repaired
from atlas_dagster.airbyte.jobs import StreamKey, StreamProgress
from atlas_dagster.airbyte.landing import Landing
from atlas_dagster.warehouse import PgConnection


class Writer:
    """Writes the batches of one job over one database connection.

    Rows that no state covers yet wait in the session's temporary tables: where the job dies they
    are gone, and the next sync reads them again. So no row is lost, and none doubled.
    """

    def __init__(
        self,
        connection: PgConnection,
        connection_id: str,
        job_id: int,
        landings: Mapping[StreamKey, Landing],
    ) -> None:
        self._connection = connection
        self._connection_id = connection_id
        self._job_id = job_id
        self.landings = landings
        self._staged = {key: Tally() for key in landings}
        self._committed = {key: Tally() for key in landings}
        self._cursors: dict[StreamKey, str | None] = dict.fromkeys(landings)

    def write(self, batch: Batch, streams: Sequence[StreamProgress]) -> bool:
        """Write a batch; returns whether someone asked to cancel the job.

        ``streams`` carries what was emitted so far; what is committed is added here.
        """
        try:
            return self._write(batch, streams)
        except psycopg.DataError:  # a value that JSON allows and jsonb does not
            return self._write(repaired(batch), streams)

    def is_cancel_requested(self) -> bool:
        """Whether someone asked to cancel the job."""
        return jobs.is_cancel_requested(self._connection, self._connection_id, self._job_id)

    def close(
        self,
        batch: Batch,
        streams: Sequence[StreamProgress],
        *,
        status: str,
        failure: str | None,
    ) -> None:
        """Write the last batch and close the job, in one transaction.

        A job that succeeded swaps its overwritten tables in; otherwise they stay as they were.
        """
        try:
            self._close(batch, streams, status=status, failure=failure)
        except psycopg.DataError:
            self._close(repaired(batch), streams, status=status, failure=failure)

    def _close(
        self,
        batch: Batch,
        streams: Sequence[StreamProgress],
        *,
        status: str,
        failure: str | None,
    ) -> None:
        before = self._staged, self._committed, self._cursors
        try:
            with self._connection.transaction():
                self._write(batch, streams, is_last=status == "succeeded")
                for target in self.landings.values():
                    if target.swaps:
                        finish = landing.swap if status == "succeeded" else landing.discard
                        finish(self._connection, target)
                jobs.finish(self._connection, self._connection_id, self._job_id, status, failure)
        except BaseException:
            self._staged, self._committed, self._cursors = before
            raise

    def _write(
        self, batch: Batch, streams: Sequence[StreamProgress], *, is_last: bool = False
    ) -> bool:
        staged, committed, cursors = dict(self._staged), dict(self._committed), dict(self._cursors)
        with self._connection.transaction():
            for part in batch.parts:
                key, target = part.key, self.landings[part.key]
                if part.rows:
                    landing.stage_rows(self._connection, target, part.rows)
                staged[key] = staged[key].plus(part.tally)
                if part.applies and staged[key].records:
                    cursors[key] = landing.apply_stage(self._connection, target, cursors[key])
                    committed[key] = committed[key].plus(staged[key])
                    staged[key] = Tally()
            if batch.states:
                state.save(self._connection, self._connection_id, batch.states, self._job_id)
            cancel = jobs.save_progress(
                self._connection,
                self._connection_id,
                self._job_id,
                [self._progress(s, committed, cursors, is_last=is_last) for s in streams],
            )
        self._staged, self._committed, self._cursors = staged, committed, cursors
        return cancel

    def _progress(
        self,
        emitted: StreamProgress,
        committed: Mapping[StreamKey, Tally],
        cursors: Mapping[StreamKey, str | None],
        *,
        is_last: bool,
    ) -> StreamProgress:
        """The progress with what is committed; rows that wait for their swap count at the end."""
        waits = self.landings[emitted.key].swaps and not is_last
        tally = Tally() if waits else committed[emitted.key]
        missing = self.landings[emitted.key].truncates or tally.records != emitted.records_emitted
        unfinished = emitted.status == "complete" and missing and not is_last
        return StreamProgress(
            key=emitted.key,
            status="running" if unfinished else emitted.status,
            records_emitted=emitted.records_emitted,
            bytes_emitted=emitted.bytes_emitted,
            records_committed=tally.records,
            bytes_committed=tally.bytes,
            first_emitted_at=tally.first,
            last_emitted_at=tally.last,
            days=frozenset(tally.days),
            cursor_value=None if waits else cursors[emitted.key],
        )
