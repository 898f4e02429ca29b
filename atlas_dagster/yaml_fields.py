"""Fields of records as an operator names them in YAML: by name, or by the path to a nested one."""

from __future__ import annotations

from atlas_dagster.yaml_source import Node


def field_path(node: Node) -> tuple[str, ...]:
    """One field: a name, or a list of names that leads to a nested one."""
    if isinstance(node.value, tuple):
        return tuple(item.text("the name of a field") for item in _filled(node))
    return () if node.absent else (node.text("the name of a field, or a list of names"),)


def field_paths(node: Node) -> tuple[tuple[str, ...], ...]:
    """Several fields: one name, or a list of names and of paths (see ``field_path``)."""
    if not isinstance(node.value, tuple):
        return () if node.absent else (field_path(node),)
    paths: list[tuple[str, ...]] = []
    for item in _filled(node):
        path = field_path(item)
        if not path:
            raise item.expected("the name of a field, or a list of names")
        if path in paths:
            raise item.error(f"{'.'.join(path)} stands twice")
        paths.append(path)
    return tuple(paths)


def field_names(node: Node) -> tuple[str, ...]:
    """Fields of a record itself, each once."""
    names: list[str] = []
    for item in () if node.absent else _filled(node):
        name = item.text("the name of a field")
        if name in names:
            raise item.error(f"{name} stands twice")
        names.append(name)
    return tuple(names)


def _filled(node: Node) -> tuple[Node, ...]:
    if not node.items():
        raise node.error("expected at least one name; found an empty list")
    return node.items()
