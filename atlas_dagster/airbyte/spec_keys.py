"""The keys of a connector's configuration, by its spec, as an operator reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from atlas_dagster.airbyte.config_schema import Schema

LONGEST = 80
_TAG = re.compile(r"<[^<>]+>")  # descriptions are written for Airbyte's UI, as HTML


@dataclass(frozen=True)
class SpecKey:
    """One key; ``path`` is written as in ``credentials.token`` and ``tables[].name``."""

    path: str
    kind: str
    required: bool
    description: str


def spec_keys(schema: Schema, above: str = "", title: str = "") -> Iterator[SpecKey]:
    """All keys, each with those within it; ``title`` is that of their ``oneOf`` option."""
    required = cast("list[str]", schema.get("required") or [])
    for name, found in _schemas(schema.get("properties")).items():
        path = f"{above}{name}"
        text = _line(str(found.get("description") or found.get("title") or ""))
        said = ": ".join(filter(None, (title, text)))
        kind = _kind(found)
        shown = said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"
        yield SpecKey(path, kind, name in required, shown)
        yield from _within(found, path)


def _within(schema: Schema, path: str) -> Iterator[SpecKey]:
    yield from spec_keys(schema, f"{path}.")
    for keyword in ("oneOf", "anyOf"):
        for option in cast("list[Schema]", schema.get(keyword) or []):
            yield from spec_keys(option, f"{path}.", str(option.get("title") or ""))
    items = schema.get("items")
    if isinstance(items, Mapping):
        yield from _within(cast("Schema", items), f"{path}[]")


def _kind(schema: Schema) -> str:
    """The type, or the values that there are to choose from."""
    if "const" in schema:
        return str(schema["const"])
    declared = schema.get("type") or ("object" if "oneOf" in schema else "any")
    kinds = [declared] if isinstance(declared, str) else cast("list[str]", declared)
    kind = " or ".join(kind for kind in kinds if kind != "null")
    return f"{kind}, secret" if schema.get("airbyte_secret") else kind


def _schemas(value: Any) -> Mapping[str, Schema]:
    return cast("Mapping[str, Schema]", value) if isinstance(value, Mapping) else {}


def _line(text: str) -> str:
    return " ".join(_TAG.sub("", text).split())
