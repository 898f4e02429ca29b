"""Markdown as Dagster's UI shows it: what names and messages hold is text in it, never markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_MARKUP = re.compile(r"[\\`*_\[\]<>!|~&#]")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def items(lines: Iterable[str]) -> str:
    """A list of texts."""
    return "\n".join(f"- {escaped(line)}" for line in lines)


def code(text: str) -> str:
    """A name or a value, shown as it is, in a cell and elsewhere."""
    line = _one_line(text) or '""'
    if "|" in line:  # it ends a cell, within a code span too, where no escape is good for all
        return escaped(line)
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    room = " " if longest else ""
    return f"{fence}{room}{line}{room}{fence}"


def escaped(text: str) -> str:
    """Text in one line, none of which is markup or ends a cell."""
    return _MARKUP.sub(r"\\\g<0>", _one_line(text))


def _one_line(text: str) -> str:
    return " ".join(text.split())
