"""``config/checks/<connection>/<stream>.yml``: what a user says of a stream's checks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from atlas_dagster.catalog import Stream
from atlas_dagster.errors import ConfigError
from atlas_dagster.quality.overrides import Override, read_override
from atlas_dagster.quality.soda_language import COLUMN_KEYS
from atlas_dagster.quality.user_checks import WrittenCheck, known_keys, read_check
from atlas_dagster.quality.user_scope import UserScope
from atlas_dagster.quality.user_values import VALUES, refuse_crossed_bounds, refuse_variables
from atlas_dagster.settings import Settings
from atlas_dagster.yaml_source import Node, read_yaml, shown_path, suggestion

SUFFIX = ".yml"

_KEYS = ("columns", "checks", "disable", "override")


@dataclass(frozen=True)
class UserFile:
    """A user's checks of a stream, the derived ones that are not made, and other limits.

    ``path`` is as people read it, None where there is no file. ``disable`` are patterns of names,
    as of files. ``mistakes`` name what is not there, or not any longer: a column may have gone
    since.
    """

    path: str | None = None
    checks: tuple[WrittenCheck, ...] = ()
    disable: tuple[Node, ...] = ()
    override: Mapping[str, Override] = field(default_factory=dict[str, Override])
    mistakes: tuple[ConfigError, ...] = ()


def checks_file(settings: Settings, connection: str, stream: str) -> Path:
    """Where a user says something of a stream's checks."""
    return settings.checks_dir / connection / f"{stream}{SUFFIX}"


def read_user_file(path: Path, stream: Stream, siblings: Sequence[Stream]) -> UserFile:
    """Read what a user says of a stream's checks; nothing, where there is no file.

    ``siblings`` are the streams of the connection. Raises ConfigError naming the file, line and key
    of the first mistake that Soda would pass over.
    """
    root = read_yaml(path)
    keys = known_keys(root, _KEYS)
    refuse_variables(root)
    scope = UserScope(stream, siblings)
    checks = [
        *(check for node in _items(keys, "columns") for check in _column(node, scope)),
        *(read_check(item, scope) for item in _items(keys, "checks")),
    ]
    _refuse_same_columns(_items(keys, "columns"))
    _refuse_same_names(checks)
    return UserFile(
        path=shown_path(path) if path.is_file() else None,
        checks=tuple(checks),
        disable=tuple(_patterns(_items(keys, "disable"))),
        override=_overrides(keys),
        mistakes=tuple(scope.mistakes),
    )


def stray_files(
    settings: Settings, streams: Mapping[str, Collection[str] | None]
) -> list[ConfigError]:
    """The files under ``config/checks`` that are about no stream, given the slugs of all.

    ``streams`` are by connection; None of one whose streams come and go without our doing.
    """
    if not settings.checks_dir.is_dir():
        return []
    found = sorted(p for p in settings.checks_dir.rglob("*") if p.suffix in (SUFFIX, ".yaml"))
    return [error for path in found if (error := _stray(settings, path, streams))]


def _stray(
    settings: Settings, path: Path, streams: Mapping[str, Collection[str] | None]
) -> ConfigError | None:
    node = Node(shown_path(path), "", 1, None)
    parts = path.relative_to(settings.checks_dir).parts
    if len(parts) != 2:
        return node.error(f"expected it in checks/<connection>/<stream>{SUFFIX}")
    connection, name = parts
    if connection not in streams:
        return node.error(f"unknown connection {connection}; {suggestion(connection, streams)}")
    if path.suffix != SUFFIX:
        return node.error(f"would not be read: name it {path.stem}{SUFFIX}")
    known = streams[connection]
    if known is None or path.stem in known:
        return None
    told = suggestion(path.stem, known) if known else "the connection has none"
    return node.error(f"unknown stream {name.removesuffix(SUFFIX)} of {connection}; {told}")


def _items(keys: Mapping[str, Node], key: str) -> tuple[Node, ...]:
    """The items of a list that is there or not; one that is empty is a mistake."""
    node = keys.get(key)
    if node is None or key == "override":
        return ()
    if not node.items():
        raise node.expected("a list of at least one item; leave the key out where there is none")
    return node.items()


def _column(node: Node, scope: UserScope) -> Iterable[WrittenCheck]:
    """The checks of an item of ``columns``, and what holds for all of them."""
    keys = known_keys(node, COLUMN_KEYS)
    if "name" not in keys:
        raise node.error("expected the name of a column")
    name = scope.column(keys["name"])
    around = {key: entry for key, entry in keys.items() if key not in ("name", "checks")}
    for key, entry in around.items():
        if key in VALUES:
            VALUES[key](entry)
    refuse_crossed_bounds(around)
    items = keys["checks"].items() if "checks" in keys else ()
    if not items:
        raise node.error("expected checks, a list of at least one: a column alone is not checked")
    checks = [read_check(item, scope, name, around) for item in items]
    taken = {key for check in checks for key in check.taken}
    for key, entry in around.items():
        if key not in taken:
            raise entry.error(f"has no effect: no check of {name} uses it")
    return checks


def _patterns(nodes: Iterable[Node]) -> Iterable[Node]:
    seen: set[str] = set()
    for node in nodes:
        pattern = node.text("the name of a check, or a pattern such as text_damage__*")
        if pattern in seen:
            raise node.error(f"{pattern} stands twice")
        seen.add(pattern)
        yield node


def _overrides(keys: Mapping[str, Node]) -> dict[str, Override]:
    node = keys.get("override")
    if node is None:
        return {}
    if not node.mapping():
        raise node.expected("a mapping of names of checks; leave the key out where there is none")
    return {name: read_override(entry) for name, entry in node.mapping().items()}


def _refuse_same_columns(nodes: Iterable[Node]) -> None:
    lines: dict[object, int] = {}
    for node in nodes:
        name = node.mapping()["name"]
        if name.value in lines:
            raise name.error(f"{name.value} stands twice, first on line {lines[name.value]}")
        lines[name.value] = name.line


def _refuse_same_names(checks: Iterable[WrittenCheck]) -> None:
    lines: dict[str, int] = {}
    for written in checks:
        name, node = written.check.name, written.node
        if name in lines:
            raise node.error(
                f"has the name {name}, as the check on line {lines[name]}; give it another name"
            )
        lines[name] = node.line
