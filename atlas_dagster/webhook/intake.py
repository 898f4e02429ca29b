"""A queue before the table of notices: what comes while one commit runs shares the next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from atlas_dagster.errors import BusyError, PayloadError, WarehouseError
from atlas_dagster.webhook.inbox import AsyncPgConnection, keep
from atlas_dagster.webhook.payload import Notice
from atlas_dagster.webhook.store import Store

MOST_WAITING = 5_000
MOST_AT_ONCE = 500


@dataclass(frozen=True)
class _Waiting:
    notice: Notice
    kept: asyncio.Future[None]

    def settle(self, failure: Exception | None = None) -> None:
        """Let the request go on; it may have gone away already."""
        if self.kept.done():
            return
        if failure is None:
            self.kept.set_result(None)
        else:
            self.kept.set_exception(failure)


class Intake:
    """Keeps notices for as long as it is open; one task writes."""

    def __init__(self, store: Store, most_waiting: int = MOST_WAITING) -> None:
        self._store = store
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(most_waiting)
        self._writer: asyncio.Task[None] | None = None
        self._closing = False

    @property
    def is_open(self) -> bool:
        """Whether a notice would be taken now, if there is room."""
        return self._writer is not None and not self._writer.done() and not self._closing

    def open(self) -> None:
        """Begin to take notices, on the running event loop."""
        self._writer = asyncio.create_task(self._write())

    async def close(self) -> None:
        """Take no more, commit what was taken, and stop."""
        self._closing = True
        await self._queue.join()
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait([self._writer])

    async def keep(self, notice: Notice) -> None:
        """Keep a notice; returns after the commit.

        Raises BusyError where too many wait, WarehouseError where PostgreSQL did not take it, and
        PayloadError where it takes others but not this one.
        """
        if not self.is_open:
            raise WarehouseError("the receiver is stopping")
        waiting = _Waiting(notice, asyncio.get_running_loop().create_future())
        try:
            self._queue.put_nowait(waiting)
        except asyncio.QueueFull:
            raise BusyError("too many notices are waiting") from None
        await waiting.kept

    async def _write(self) -> None:
        try:
            while True:
                batch = [await self._queue.get()]
                while len(batch) < MOST_AT_ONCE and not self._queue.empty():
                    batch.append(self._queue.get_nowait())
                await self._commit(batch)
        finally:
            while not self._queue.empty():
                self._release([self._queue.get_nowait()])

    async def _commit(self, batch: Sequence[_Waiting]) -> None:
        """Commit some notices together, and each alone where one of them cannot be stored."""
        try:
            await self._store_all([waiting.notice for waiting in batch])
            for waiting in batch:
                waiting.settle()
        except WarehouseError as error:
            for waiting in batch:
                waiting.settle(error)
        except psycopg.DataError:
            for waiting in batch:
                await self._commit_alone(waiting)
        finally:
            self._release(batch)

    async def _commit_alone(self, waiting: _Waiting) -> None:
        try:
            await self._store_all([waiting.notice])
            waiting.settle()
        except WarehouseError as error:
            waiting.settle(error)
        except psycopg.DataError:
            waiting.settle(PayloadError("PostgreSQL cannot hold what the body says"))

    async def _store_all(self, notices: Sequence[Notice]) -> None:
        async def work(connection: AsyncPgConnection) -> None:
            await keep(connection, notices)

        await self._store.run(work)

    def _release(self, batch: Sequence[_Waiting]) -> None:
        """Count notices as done with; nobody waits for what will not be written any more."""
        for waiting in batch:
            waiting.settle(WarehouseError("the receiver stopped"))
            self._queue.task_done()
