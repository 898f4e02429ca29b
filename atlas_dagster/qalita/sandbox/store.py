"""The sandbox's rows in `pipeline.qalita_sandbox`: what was answered is committed."""

from __future__ import annotations

import json

import psycopg

from atlas_dagster.errors import WarehouseError
from atlas_dagster.qalita.sandbox.ledger import Ledger
from atlas_dagster.warehouse import PgConnection, connect

PACK_NAME = "atlas"


class SandboxStore:
    """Reads and writes the ledger of a warehouse's sandbox, on a connection that may break."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: PgConnection | None = None

    def load(self) -> Ledger:
        """All rows; what a platform has when it is new, where there are none."""
        ledger = Ledger()
        rows = self._open().execute(
            "select kind, id, fields, content from pipeline.qalita_sandbox order by kind, id"
        )
        for kind, number, fields, content in rows:
            ledger.table(kind)[number] = fields
            if content is not None:
                ledger.files[number] = content
        if not ledger.rows("packs"):
            ledger.add("registries", name="local", url="http://127.0.0.1/registry")
            ledger.add_pack(PACK_NAME)
            self.save(ledger)
        return ledger

    def save(self, ledger: Ledger) -> None:
        """Write what has changed, in one transaction; raises WarehouseError where that fails."""
        rows = [
            (
                kind,
                number,
                json.dumps(ledger.table(kind)[number]),
                ledger.files.get(number) if kind == "assets" else None,
            )
            for kind, number in sorted(ledger.changed)
        ]
        if not rows:
            return
        try:
            connection = self._open()
            with connection.transaction(), connection.cursor() as cursor:
                cursor.executemany(_SAVE, rows)
        except psycopg.Error as error:
            self.close()
            raise WarehouseError(f"the sandbox's rows are not stored: {error}") from error
        ledger.changed.clear()

    def clear(self) -> None:
        """Forget all that arrived."""
        self._open().execute("delete from pipeline.qalita_sandbox")

    def close(self) -> None:
        """Close the connection; what comes later opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open(self) -> PgConnection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._url, application="atlas qalita sandbox")
        return self._connection


_SAVE = """
insert into pipeline.qalita_sandbox (kind, id, fields, content)
values (%s, %s, %s, %s)
on conflict (kind, id) do update set fields = excluded.fields, content = excluded.content
"""
