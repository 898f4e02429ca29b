"""Markdown as Dagster's UI shows it: what stands in a cell breaks no table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: str) -> str:
    """A name or a value, shown as it is."""
    return f"`{escaped(text).replace('`', ' ')}`"


def escaped(text: str) -> str:
    """Text in one line, without what would end a cell."""
    return " ".join(text.replace("|", "\\|").split())
