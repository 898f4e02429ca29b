"""How often the receiver turned something away: counted here, written once a second at most."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import datetime, timezone

from atlas_dagster.errors import WarehouseError
from atlas_dagster.webhook.inbox import AsyncPgConnection, Refusals, count_refusals
from atlas_dagster.webhook.store import Store

WRITE_SECONDS = 1.0

_log = logging.getLogger(__name__)


class RefusalCount:
    """Counts by reason and hour; reasons are few, and say nothing of what was sent."""

    def __init__(self, store: Store, write_seconds: float = WRITE_SECONDS) -> None:
        self._store = store
        self._seconds = write_seconds
        self._counts: dict[tuple[str, datetime], Refusals] = {}
        self._writer: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def add(self, reason: str) -> None:
        """Count one; it is written soon."""
        now = datetime.now(timezone.utc)
        self._add((reason, now.replace(minute=0, second=0, microsecond=0)), Refusals(1, now))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_until_done())

    async def close(self) -> None:
        """Write what was counted, and stop."""
        self._closing.set()
        if self._writer is not None:
            await self._writer
        await self._write()

    async def _write_until_done(self) -> None:
        while self._counts and not self._closing.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._closing.wait(), self._seconds)
            await self._write()

    async def _write(self) -> None:
        """Write and log the counts; those that PostgreSQL does not take stay."""
        counts, self._counts = self._counts, {}
        if not counts:
            return

        async def work(connection: AsyncPgConnection) -> None:
            await count_refusals(connection, counts)

        try:
            await self._store.run(work)
        except WarehouseError as error:
            for key, refusals in counts.items():
                self._add(key, refusals)
            _log.warning("refusals are not written yet: %s", error)
        else:
            for (reason, _), refusals in counts.items():
                _log.warning("refused %d: %s", refusals.times, reason)

    def _add(self, key: tuple[str, datetime], more: Refusals) -> None:
        had = self._counts.get(key)
        self._counts[key] = (
            Refusals(had.times + more.times, max(had.last_at, more.last_at)) if had else more
        )
