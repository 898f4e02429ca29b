"""The receiver's one connection to the warehouse, opened again after PostgreSQL went away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import psycopg

from atlas_dagster.errors import WarehouseError
from atlas_dagster.webhook.inbox import AsyncPgConnection, open_inbox

PATIENCE_SECONDS = 10.0
PULSE_SECONDS = 1.0

Work = Callable[[AsyncPgConnection], Awaitable[None]]


class Store:
    """Runs one piece of work at a time.

    What PostgreSQL has not done in ``patience_seconds`` has failed, the connecting included.
    """

    def __init__(self, url: str, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._url = url
        self._patience = patience_seconds
        self._connection: AsyncPgConnection | None = None
        self._lock = asyncio.Lock()
        self._pulse_lock = asyncio.Lock()
        self._pulse: tuple[float, bool] | None = None

    async def run(self, work: Work) -> None:
        """Do a piece of work; raises WarehouseError where PostgreSQL does not, not in time.

        It is done once more on a new connection where the one that was there had gone: it must
        do no harm twice. psycopg.DataError, which is the work's own fault, goes to the caller.
        """
        async with self._lock:
            try:
                await asyncio.wait_for(self._run(work), self._patience)
            except psycopg.DataError:
                raise
            except asyncio.TimeoutError:
                await self._discard()
                raise WarehouseError("PostgreSQL did not answer in time") from None
            except (psycopg.Error, OSError) as error:
                await self._discard()
                raise WarehouseError(_told(error)) from None

    async def is_alive(self) -> bool:
        """Whether PostgreSQL answers; it is asked once a second at most, whoever wants to know."""
        async with self._pulse_lock:
            if self._pulse is None or self._pulse[0] < time.monotonic() - PULSE_SECONDS:
                self._pulse = (time.monotonic(), await self._answers())
            return self._pulse[1]

    async def close(self) -> None:
        """Close the connection; what comes later opens another."""
        async with self._lock:
            await self._discard()

    async def _run(self, work: Work) -> None:
        if self._connection is not None:
            try:
                return await work(self._connection)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                await self._discard()
        self._connection = await open_inbox(self._url)
        return await work(self._connection)

    async def _answers(self) -> bool:
        try:
            await self.run(_ask)
        except WarehouseError:
            return False
        return True

    async def _discard(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


async def _ask(connection: AsyncPgConnection) -> None:
    await connection.execute("select 1")


def _told(error: Exception) -> str:
    """One line that says what PostgreSQL said."""
    lines = str(error).strip().splitlines()
    return f"PostgreSQL: {lines[0] if lines else type(error).__name__}"
