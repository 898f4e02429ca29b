"""Which characters one piece of a pattern matches: asked of the regular expression engine itself.

Nothing here knows Unicode. Tables of classes and case folding differ between `regex`, Python's `re`
and Rust, and between their versions, so the engine that Presidio uses is asked about every
character there is, once for each different piece.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Protocol

ASCII_END = 0x80
_SURROGATES = range(0xD800, 0xE000)
_LAST = 0x10FFFF
_MOST_RANGES = 128
"""A class with more ranges beyond ASCII than this is taken for all of what is beyond ASCII."""
_PROBES = "é字あ"
"""What most classes have all of or none of: classes with all are not asked about the rest."""

Range = tuple[int, int]
BEYOND_ASCII: tuple[Range, ...] = ((ASCII_END, _LAST),)


class Engine(Protocol):
    """A module like `re`: what compiles a pattern with flags."""

    def compile(self, pattern: str, flags: int = 0) -> Any:
        """A compiled pattern, with `fullmatch` and `findall`."""


@dataclass(frozen=True)
class Characters:
    """A set of characters: those of ASCII exactly, those beyond it at least."""

    ascii: frozenset[int]
    beyond: tuple[Range, ...]


@functools.lru_cache(maxsize=4096)
def ascii_characters_of(engine: Engine, piece: str, flags: int) -> Characters:
    """What a piece of a pattern matches in ASCII; what beyond it, is left open."""
    pattern = engine.compile(piece, flags)
    members = frozenset(code for code in range(ASCII_END) if pattern.fullmatch(chr(code)))
    return Characters(members, BEYOND_ASCII)


@functools.lru_cache(maxsize=4096)
def characters_of(engine: Engine, piece: str, flags: int) -> Characters:
    """What a piece that stands for one character (``[a-z]``, ``\\d``, ``.``) matches."""
    pattern = engine.compile(piece, flags)
    ascii_members = ascii_characters_of(engine, piece, flags).ascii
    if all(pattern.fullmatch(probe) for probe in _PROBES):
        return Characters(ascii_members, BEYOND_ASCII)
    ranges = _ranges(pattern.findall(_beyond_ascii()))
    return Characters(ascii_members, ranges if len(ranges) <= _MOST_RANGES else BEYOND_ASCII)


def _ranges(members: list[str]) -> tuple[Range, ...]:
    """Ascending characters as ranges, ends included."""
    ranges: list[Range] = []
    for member in members:
        code = ord(member)
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1] = (ranges[-1][0], code)
        else:
            ranges.append((code, code))
    return tuple(ranges)


@functools.lru_cache(maxsize=1)
def _beyond_ascii() -> str:
    return "".join(chr(code) for code in range(ASCII_END, _LAST + 1) if code not in _SURROGATES)
