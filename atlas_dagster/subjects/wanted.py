"""Whom is looked for: by values of personal data, and by natural keys of streams."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from atlas_dagster.errors import ConfigError
from atlas_dagster.pii_rules import field_name
from atlas_dagster.subjects.streams import SearchedStream

StreamName = tuple[str, str]


@dataclass(frozen=True)
class Wanted:
    """Values of fields with personal data, in any stream, and natural keys by stream."""

    values: tuple[str, ...] = field(default=(), repr=False)
    keys: Mapping[StreamName, tuple[str, ...]] = field(
        default_factory=dict[StreamName, "tuple[str, ...]"], repr=False
    )

    def keys_of(self, searched: SearchedStream) -> list[list[str]]:
        """The keys of a stream, by their parts.

        Raises ConfigError where one has not as many parts as the stream's.
        """
        named = self.keys.get((searched.stream.connection, searched.stream.slug), ())
        if len(searched.key) < 2:
            return [[key] for key in named]
        return [_parts(key, searched) for key in named]

    @property
    def texts(self) -> tuple[str, ...]:
        """What the audit keeps digests of."""
        keys = (
            f"{connection}/{stream}={key}"
            for (connection, stream), named in sorted(self.keys.items())
            for key in named
        )
        return (*self.values, *keys)


def read_wanted(values: Sequence[str], keys: Sequence[str]) -> Wanted:
    """What a person has typed: values, and ``connection/stream=natural key``.

    Raises ConfigError, which tells no value, where there is nothing to look for.
    """
    by_stream: dict[StreamName, tuple[str, ...]] = {}
    for named in keys:
        label, equals, key = named.partition("=")
        connection, slash, stream = label.partition("/")
        if not (equals and slash and connection and stream and key):
            raise ConfigError("--key: expected connection/stream=natural key")
        by_stream[connection, stream] = (*by_stream.get((connection, stream), ()), key)
    if not values and not by_stream:
        raise ConfigError("give --value or --key: whom to look for")
    if not all(values):
        raise ConfigError("--value: empty; it would be found in everyone's data")
    if not all(map(_is_storable, (*values, *keys))):
        raise ConfigError("--value, --key: not a text that PostgreSQL holds: no UTF-8, or with NUL")
    return Wanted(tuple(values), by_stream)


def _is_storable(text: str) -> bool:
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def _parts(key: str, searched: SearchedStream) -> list[str]:
    try:
        parsed: Any = json.loads(key, parse_int=str, parse_float=_number, parse_constant=str)
    except ValueError:
        parsed = None
    if not isinstance(parsed, list) or len(parsed) != len(searched.key):  # pyright: ignore[reportUnknownArgumentType]
        names = ", ".join(field_name(path) for path in searched.key)
        raise ConfigError(
            f"{searched.stream.label}: its natural key has {len(searched.key)} parts, {names}:"
            " give them as a JSON array"
        )
    return [_text(part) for part in parsed]  # pyright: ignore[reportUnknownVariableType]


def _number(text: str) -> str:
    return f"{Decimal(text).normalize():f}"


def _text(part: Any) -> str:
    return part if isinstance(part, str) else json.dumps(part, ensure_ascii=False)
