"""What the sandbox stores, and the rows that it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from atlas_dagster.qalita.sandbox.wire import Json


@dataclass
class Ledger:
    """All rows by kind; ``changed`` names those that are to be saved.

    ``skew`` is how far the platform's clock is ahead of ours, ``files`` holds what assets are, by
    their ids. Only older platforms have versions of a source.
    """

    tables: dict[str, dict[int, Json]] = field(default_factory=dict[str, "dict[int, Json]"])
    files: dict[int, bytes] = field(default_factory=dict[int, bytes])
    changed: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    skew: timedelta = timedelta()
    has_source_versions: bool = False

    def now(self) -> str:
        """The time as the platform writes it: UTC without saying so."""
        moment = datetime.now(timezone.utc) + self.skew
        return moment.replace(tzinfo=None).isoformat(timespec="microseconds")

    def table(self, name: str) -> dict[int, Json]:
        return self.tables.setdefault(name, {})

    def rows(self, name: str) -> list[Json]:
        return list(self.table(name).values())

    def add(self, kind: str, /, **fields: Any) -> Json:
        """Store a row; returns it."""
        table = self.table(kind)
        now = self.now()
        number = len(table) + 1
        row: Json = {"id": number, "partner_id": 1, "created_at": now, "updated_at": now}
        table[number] = {**row, **fields}
        self.changed.add((kind, number))
        return table[number]

    def change(self, kind: str, row: Json, /, **fields: Any) -> Json:
        """Change a row of a kind; returns it."""
        row.update(fields, updated_at=self.now())
        self.changed.add((kind, row["id"]))
        return row

    def add_source(self, name: str, kind: str = "postgresql", **more: Any) -> Json:
        """A source, with its first version where the platform has such."""
        fields: Json = {
            "name": name,
            "type": kind,
            "description": "",
            "reference": False,
            "sensitive": False,
            "visibility": "internal",
        }
        row = self.add("sources", **{**fields, **more})
        if self.has_source_versions:
            self.add("source_versions", source_id=row["id"], sem_ver_id="1.0.0")
        return row

    def add_pack(self, name: str, kind: str = "schema", version: str | None = "1.0.0") -> Json:
        row = self.add(
            "packs", name=name, type=kind, description=f"{name} pack", visibility="public"
        )
        if version:
            self.add_pack_version(row["id"], version, asset_id=1)
        return row

    def add_pack_version(self, pack_id: int, version: str, asset_id: int) -> Json:
        return self.add("pack_versions", pack_id=pack_id, sem_ver_id=version, asset_id=asset_id)

    def source(self, row: Json) -> Json:
        """A source as it is answered."""
        if not self.has_source_versions:
            return row
        return {**row, "versions": self._of("source_versions", "source_id", row["id"])}

    def pack(self, row: Json) -> Json:
        return {**row, "versions": self._of("pack_versions", "pack_id", row["id"])}

    def worker(self, row: Json) -> Json:
        return {**row, "jobs": [self.job(job) for job in self._of("jobs", "worker_id", row["id"])]}

    def job(self, row: Json) -> Json:
        """A job with what it is of; null where that does not exist."""
        source = self.table("sources").get(row.get("source_id") or 0)
        pack = self.table("packs").get(row.get("pack_id") or 0)
        return {
            **row,
            "source": source and self.source(source),
            "target": None,
            "pack": pack and self.pack(pack),
            "pack_version": self.table("pack_versions").get(row.get("pack_version_id") or 0),
        }

    def shown(self, name: str) -> Iterator[Json]:
        """The rows of a list as they are answered."""
        show: dict[str, Callable[[Json], Json]] = {
            "sources": self.source,
            "packs": self.pack,
            "jobs": self.job,
        }
        yield from map(show.get(name, lambda row: row), self.rows(name))

    def _of(self, name: str, key: str, value: int) -> list[Json]:
        return [row for row in self.rows(name) if row.get(key) == value]
