"""The page of the sandbox: what arrived, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import islice
from typing import Any, cast

from atlas_dagster.qalita.sandbox.ledger import Ledger
from atlas_dagster.qalita.sandbox.wire import Json

MOST_ROWS = 200

_STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:2em;max-width:80em}"
    "table{border-collapse:collapse;margin-bottom:2em}"
    "th,td{text-align:left;padding:.2em 1em .2em 0;border-bottom:1px solid #ddd;vertical-align:top}"
)
_TABLES: Sequence[tuple[str, str, Sequence[str]]] = (
    ("Sources", "sources", ("id", "name", "type", "visibility")),
    ("Packs", "packs", ("id", "name", "type")),
    (
        "Jobs",
        "jobs",
        ("id", "name", "source_id", "status", "start_date", "end_date", "error_message"),
    ),
    ("Recommendations", "recommendations", ("source_id", "level", "scope", "content")),
    ("Metrics", "metrics", ("source_id", "scope", "key", "value", "created_at")),
    ("Schemas", "schemas", ("source_id", "key", "value", "created_at")),
)


def render(ledger: Ledger) -> str:
    """The page as HTML."""
    parts = ["<!doctype html><meta charset=utf-8><title>QALITA sandbox</title>"]
    parts += [f"<style>{_STYLE}</style><h1>QALITA sandbox</h1>"]
    parts += ["<p>What Atlas, or QALITA's own command line, has sent here. Newest first.</p>"]
    for title, kind, columns in _TABLES:
        rows = ledger.rows(kind)
        parts.append(f"<h2>{title}: {len(rows):,}</h2>")
        if rows:
            parts.append(_table(columns, list(islice(reversed(rows), MOST_ROWS))))
    return "\n".join(parts)


def _table(columns: Sequence[str], rows: Sequence[Json]) -> str:
    head = "".join(f"<th>{escape(column)}" for column in columns)
    lines = [
        "<tr>" + "".join(f"<td>{escape(_shown(row.get(column)))}" for column in columns)
        for row in rows
    ]
    return f"<table><tr>{head}\n" + "\n".join(lines) + "</table>"


def _shown(value: Any) -> str:
    """A cell; a scope by what it is the scope of."""
    if isinstance(value, dict):
        value = cast("Json", value).get("value", value)
    return "" if value is None else str(value)
