"""``config/qalita.json``: which source and pack of QALITA a connection or a stream is published to.

The shape is that of QALITA's adapter for Airbyte: ``connection_map`` has entries by connection id,
and ``default`` is for all others. Here an entry may also stand by the connection's name, or by
``<connection>/<stream>``; what it leaves out of the pack, ``default`` says. ``content`` is
``packs``, the form that the platform shows, or ``adapter``: then the adapter's is sent as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from atlas_dagster.catalog import Connection
from atlas_dagster.errors import ConfigError
from atlas_dagster.yaml_source import Node, parse_yaml, read_text

FILE_NAME = "qalita.json"

_LARGEST_ID = 2**63 - 1
_FIELDS = ("source_id", "source_version_id", "pack_id", "pack_version_id")


@dataclass(frozen=True)
class Subject:
    """What is published: a stream of a connection, or the connection as a whole.

    ``connection`` and ``stream`` are slugs, the names are Airbyte's.
    """

    connection_id: str
    connection: str
    connection_name: str
    stream: str | None = None
    stream_name: str | None = None

    @property
    def label(self) -> str:
        """As logs and errors call it."""
        return f"{self.connection}/{self.stream}" if self.stream else self.connection

    def keys(self) -> list[str]:
        """The keys that it may stand by, the most telling first."""
        connections = [self.connection_id, self.connection, self.connection_name]
        streams = [name for name in (self.stream, self.stream_name) if name]
        return [f"{c}/{s}" for c in connections for s in streams] + connections


Subjects = Mapping[tuple[str, "str | None"], Subject]
"""By the slugs of connection and stream; without a stream it is the connection as a whole."""


def defined_subjects(connections: Iterable[Connection]) -> dict[tuple[str, str | None], Subject]:
    """The connections that are defined, and their streams."""
    subjects: dict[tuple[str, str | None], Subject] = {}
    for found in connections:
        subjects[found.slug, None] = Subject(found.id, found.slug, found.name)
        for stream in found.streams:
            subjects[found.slug, stream.slug] = Subject(
                found.id, found.slug, found.name, stream.slug, stream.name
            )
    return subjects


@dataclass(frozen=True)
class Route:
    """Where a subject is published to, as far as the file says it.

    ``where`` names file, line and key, for what turns out to be wrong. ``source_id`` is None where
    only the pack is known, ``pack_version_id`` where the newest is meant.
    """

    where: str
    source_id: int | None
    source_version_id: int | None
    pack_id: int
    pack_version_id: int | None


@dataclass(frozen=True)
class QalitaMapping:
    """The file: a route by key, and that of all others.

    ``sends_adapter_form``: schemas and metrics are sent as QALITA's adapter writes them, too.
    """

    file: str
    routes: Mapping[str, Route] = field(default_factory=dict[str, Route])
    default: Route | None = None
    sends_adapter_form: bool = False

    def route(self, subject: Subject) -> Route | None:
        """The route of a subject; None where the file says nothing of it."""
        key = self._key(subject)
        return self.default if key is None else self.routes[key]

    def is_own(self, subject: Subject) -> bool:
        """Whether the entry of a subject is of this stream alone."""
        key = self._key(subject)
        of_connection = replace(subject, stream=None, stream_name=None).keys()
        return subject.stream is not None and key is not None and key not in of_connection

    def _key(self, subject: Subject) -> str | None:
        keys = subject.keys()
        return next((key for key in keys if key in self.routes), None)

    def unused(self, subjects: Iterable[Subject]) -> list[str]:
        """The keys that are none of these subjects'."""
        known = {key for subject in subjects for key in subject.keys()}  # noqa: SIM118
        return [key for key in self.routes if key not in known]


def load_mapping(config_dir: Path) -> QalitaMapping:
    """Read the file; one that is missing maps nothing.

    Raises ConfigError naming file, line and key of the first mistake.
    """
    file, text = read_text(config_dir / FILE_NAME)
    if text is None or not text.strip():
        return QalitaMapping(file)
    root = _parse(file, text).keys("connection_map", "default", "content")
    default = None if _is_empty(root["default"]) else _default(root["default"])
    routes: dict[str, Route] = {}
    for written, node in root["connection_map"].mapping().items():
        key = _whole(written)
        if not key.strip():
            raise node.error("expected a connection's id or name, or <connection>/<stream>")
        routes[key] = _route(node, default)
    return QalitaMapping(file, routes, default, sends_adapter_form=_content(root["content"]))


def _parse(file: str, text: str) -> Node:
    """JSON, with the lines that keys stand on; YAML contains JSON, but for tabs."""
    try:
        json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{file}:{error.lineno}: not valid JSON: {error.msg}") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{file}: not valid JSON: NaN, Infinity, or nested too deep") from None
    return parse_yaml(file, text.replace("\t", " "))


def _refuse(constant: str) -> object:
    raise ValueError(constant)


def _whole(key: str) -> str:
    """A key whose characters beyond 16 bits were escaped in halves, as JSON has them."""
    return key.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _content(node: Node) -> bool:
    if node.absent or node.value == "packs":
        return False
    if node.value != "adapter":
        raise node.expected("packs or adapter")
    return True


def _is_empty(node: Node) -> bool:
    return node.absent or node.value == {}


def _default(node: Node) -> Route:
    ids = _ids(node)
    if ids["pack_id"] is None:
        raise node.error("expected a pack_id")
    if ids["source_id"] is None and ids["source_version_id"] is not None:
        raise node.error("expected a source_id beside source_version_id")
    return Route(
        _where(node),
        ids["source_id"],
        ids["source_version_id"],
        ids["pack_id"],
        ids["pack_version_id"],
    )


def _route(node: Node, default: Route | None) -> Route:
    ids = _ids(node)
    if ids["source_id"] is None:
        raise node.error("expected a source_id")
    pack_id, pack_version_id = ids["pack_id"], ids["pack_version_id"]
    if pack_id is None:
        if default is None:
            raise node.error("expected a pack_id, here or in default")
        pack_id = default.pack_id
        pack_version_id = pack_version_id or default.pack_version_id
    return Route(_where(node), ids["source_id"], ids["source_version_id"], pack_id, pack_version_id)


def _ids(node: Node) -> dict[str, int | None]:
    return {name: _id(child) for name, child in node.keys(*_FIELDS).items()}


def _id(node: Node) -> int | None:
    """An id, which may be written as a text."""
    value = node.value
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _LARGEST_ID:
        raise node.expected("an id, a whole number above 0")
    return value


def _where(node: Node) -> str:
    return f"{node.file}:{node.line}: {node.path}"
