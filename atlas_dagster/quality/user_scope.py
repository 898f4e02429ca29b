"""What a user's checks may speak of: columns of the stream's chart, and other streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from atlas_dagster.catalog import Stream
from atlas_dagster.errors import ConfigError
from atlas_dagster.quality.spec import Json
from atlas_dagster.yaml_source import Node, suggestion

BOOKKEEPING = (
    "_airbyte_raw_id",
    "_airbyte_extracted_at",
    "_atlas_sync_id",
    "_atlas_natural_key",
    "_atlas_instant",
    "_atlas_deleted",
    "_atlas_valid",
    "_atlas_errors",
)
"""Columns of chart that are not the source's, and that a check may be about."""


@dataclass(frozen=True)
class UserScope:
    """A stream, the streams of its connection, and what of them is named and not there.

    A column may be gone since the file was written, so that is collected, not raised.
    """

    stream: Stream
    siblings: Sequence[Stream] = ()
    mistakes: list[ConfigError] = field(default_factory=list[ConfigError])

    def column(self, node: Node) -> str:
        """The name of a column of the stream's chart."""
        name = node.text("the name of a column")
        self._know(node, name, self.stream)
        return name

    def columns(self, node: Node) -> list[Json]:
        """Names of columns of the stream's chart, each once."""
        names: list[Json] = []
        for item in node.items():
            name = self.column(item)
            if name in names:
                raise item.error(f"{name} stands twice")
            names.append(name)
        if not names:
            raise node.expected("a list of at least one column")
        return names

    def reference(self, node: Node) -> Json:
        """A column of another stream, or of any table, as ``schema/table``."""
        keys = node.keys("dataset", "column")
        dataset, column = keys["dataset"], keys["column"]
        parts = dataset.text("a stream of the connection, or <schema>/<table>").split("/")
        name = column.text("the name of a column")
        if not all(parts) or len(parts) not in (1, 2, 4):
            raise dataset.expected("a stream of the connection, or <schema>/<table>")
        if len(parts) > 1:
            return {"dataset": "/".join(parts[-2:]), "column": name}
        stream = next((s for s in self.siblings if parts[0] in (s.slug, s.name)), None)
        if stream is None:
            known = [sibling.slug for sibling in self.siblings]
            self.mistakes.append(dataset.error(f"unknown stream; {suggestion(parts[0], known)}"))
            return {"dataset": f"chart/{parts[0]}", "column": name}
        self._know(column, name, stream)
        return {"dataset": f"chart/{stream.table_name}", "column": name}

    def _know(self, node: Node, name: str, stream: Stream) -> None:
        known = [column.layer for column in stream.columns]
        if name not in known and name not in BOOKKEEPING:
            told = suggestion(name, known) if known else "it has none"
            self.mistakes.append(node.error(f"{stream.label} has no column {name!r}; {told}"))
