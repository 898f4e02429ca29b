"""Sorts the values of JSON documents by their fields: columns, and paths in nested ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import msgspec

from atlas_dagster.pii.context import ANY_INDEX, ANY_KEY
from atlas_dagster.pii_rules import Path

MOST_COLUMNS = 1600
"""As many columns as a table can have: documents with more keys than these are maps."""
MOST_KEYS = 256
"""An object of which more keys than these are seen is a map: its values are those of one field."""
MOST_FIELDS = 5_000
"""So many fields are told apart in all; what comes later is in maps from the start."""
DEEPEST = 40
"""What is nested deeper than this belongs to the field at this depth."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]|[^\s\[\]{}:,"]+', re.DOTALL)


class Field(list[str]):
    """The values of a field, in the order in which they came, and the fields below it."""

    def __init__(self, path: Path, sorter: FieldSorter) -> None:
        super().__init__()
        self.path = path
        self.below = _Below(self, sorter)


class _Below(dict[str, Field]):
    """The fields of an object's keys; one for all that come after there were too many."""

    def __init__(self, owner: Field, sorter: FieldSorter) -> None:
        super().__init__()
        self._owner = owner
        self._sorter = sorter
        self._most = MOST_KEYS if owner.path else MOST_COLUMNS

    def __missing__(self, key: str) -> Field:
        if key != ANY_INDEX and (
            ANY_KEY in self or len(self) >= self._most or len(self._sorter.fields) >= MOST_FIELDS
        ):
            self._sorter.maps.add(self._owner.path)
            key = ANY_KEY
        if key not in self:
            self[key] = field = Field((*self._owner.path, key), self._sorter)
            self._sorter.fields.append(field)
        return self[key]


class FieldSorter:
    """Takes documents, and holds the values of their fields until they are taken.

    Texts are values, and numbers, as the text that PostgreSQL shows; null, true and false are not.
    """

    def __init__(self) -> None:
        self.fields: list[Field] = []
        self.maps: set[Path] = set()
        self._root = Field((), self)
        self._keys: tuple[str, ...] = ()
        self._columns: list[Field] = []
        # Fractions stay the text they are: a float would lose digits.
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(float_hook=str).decode

    def add(self, document: bytes) -> None:
        """Sort the values of a document, which is JSON and an object."""
        try:
            decoded: dict[str, Any] = self._decode(document)
        except (RecursionError, msgspec.MsgspecError):  # too deep, or a number too long
            self._sort_tokens(document.decode())
            return
        keys = tuple(decoded)
        if keys != self._keys:  # most records have the columns that the one before had
            self._keys = keys
            self._columns = [self._root.below[key] for key in keys]
        for column, value in zip(self._columns, decoded.values(), strict=True):
            if type(value) is str:
                column.append(value)
            else:
                _sort_value(value, column, DEEPEST - 1)

    def take(self) -> Iterator[tuple[Path, list[str]]]:
        """The path of each field that values have come for since the last time, and these."""
        for field in self.fields:
            if field:
                yield field.path, list(field)
                field.clear()

    def _sort_tokens(self, document: str) -> None:
        """Like `_sort_object`, without a call for each level."""
        open_objects: list[tuple[Field, bool]] = []
        field, key = self._root, None
        for token in _TOKEN.findall(document):
            inside, is_object = open_objects[-1] if open_objects else (self._root, False)
            if token in "]}":
                open_objects.pop()
                continue
            if is_object and key is None:
                key = _text(token)
                continue
            if open_objects:
                name = key if is_object and key is not None else ANY_INDEX
                field = inside.below[name] if len(inside.path) < DEEPEST else inside
            key = None
            if token in "[{":
                open_objects.append((field, token == "{"))
            elif token not in ("null", "true", "false"):
                field.append(_text(token))


def whole_paths(paths: Iterable[Path], maps: Iterable[Path]) -> dict[Path, Path]:
    """The path of the field that each path is in the end, once it is known what is a map.

    What came before an object had too many keys is under its keys, and belongs to the map.
    """
    known: set[Path] = set()
    for path in sorted(maps, key=len):
        known.add(_whole(path, known))
    return {path: _whole(path, known) for path in paths}


def _whole(path: Path, maps: set[Path]) -> Path:
    whole: Path = ()
    for name in path:
        whole = (*whole, ANY_KEY if whole in maps and name != ANY_INDEX else name)
    return whole


def _sort_value(value: Any, field: Field, depth: int) -> None:
    """Put a value into its field, or what is in it into those below; so deep they may be."""
    kind = cast("type[object]", type(value))
    if kind is str:
        field.append(value)
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int):
        field.append(_integer(value))
    elif depth == 0:
        field.extend(_all_values(value))
    elif isinstance(value, dict):
        below = field.below
        for key, item in cast("dict[str, Any]", value).items():
            _sort_value(item, below[key], depth - 1)
    else:
        each = field.below[ANY_INDEX]
        for item in value:
            _sort_value(item, each, depth - 1)


def _all_values(value: Any) -> Iterator[str]:
    """The values at any depth below one."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left.extend(cast("dict[str, Any]", one).values())
        elif isinstance(one, list):
            left.extend(cast("list[Any]", one))
        elif isinstance(one, str):
            yield one
        elif isinstance(one, int) and not isinstance(one, bool):
            yield _integer(one)


def _integer(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # Python writes no more than 4,300 digits unless told to
        from decimal import Decimal

        return f"{Decimal(value):f}"


def _text(token: str) -> str:
    return msgspec.json.decode(token.encode(), type=str) if token.startswith('"') else token
