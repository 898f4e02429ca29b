"""Texts that a pattern cannot tell apart."""

from __future__ import annotations

from atlas_dagster.pii.characters import ASCII_END, Engine
from atlas_dagster.pii.pattern_tree import NotUnderstoodError, Reader

_WORD = frozenset(code for code in range(ASCII_END) if chr(code).isalnum()) | {ord("_")}
_WHITE_SPACE = frozenset(code for code in range(ASCII_END) if chr(code).isspace())


def stand_ins(engine: Engine, pattern: str, flags: int) -> str | None:
    """For each character of ASCII, one that stands for all which the pattern cannot tell from it.

    The pattern has its matches in a text of ASCII where it has them in
    ``text.translate(stand_ins)``, in which white space is still where it was. None where a pattern
    compares parts of the text with each other, or is not understood.
    """
    reader = Reader(engine, pattern, flags)
    try:
        reader.read()
    except NotUnderstoodError:
        return None
    if reader.has_references:
        return None
    told_apart = {piece.ascii for piece in reader.pieces} | {_WHITE_SPACE, frozenset({ord("\n")})}
    if reader.has_boundaries:
        told_apart.add(_WORD)
    first: dict[tuple[bool, ...], str] = {}
    return "".join(
        first.setdefault(tuple(code in some for some in told_apart), chr(code))
        for code in range(ASCII_END)
    )
