"""Reads the part of a pattern's syntax that can be reasoned about, as a tree; refuses the rest."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from atlas_dagster.pii.characters import Characters, Engine, characters_of


class NotUnderstoodError(Exception):
    """A pattern uses what this reader does not know for certain; no one needs to see this."""


class Place(Enum):
    """A condition on a position in the text."""

    WORD_BOUNDARY = "word boundary"
    LINE_START = "line start"
    LINE_END = "line end"


@dataclass(frozen=True)
class Sequence:
    """One after another; an empty one matches nothing but the empty text."""

    parts: tuple[Tree, ...] = ()


@dataclass(frozen=True)
class Choice:
    """One of several."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True)
class Repeat:
    """As often as ``least`` to ``most`` (None: without an end)."""

    part: Tree
    least: int
    most: int | None


@dataclass(frozen=True)
class Outside:
    """None of these characters stands there: before what follows, or after what precedes."""

    characters: Characters
    before: bool


@dataclass(frozen=True)
class Same:
    """What a group has matched before, whose tree is ``group``."""

    group: Tree


Tree: TypeAlias = Characters | Place | Outside | Sequence | Choice | Repeat | Same

NOTHING = Sequence()

_QUANTIFIER = re.compile(r"(?:[*+?]|\{(\d+)(?:(,)(\d*))?\}|\{,(\d+)\})[?+]?")
_SIMPLE = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_LEADING_FLAGS = re.compile(r"\(\?([ims]+)\)")
_GROUP_NAME = re.compile(r"\(\?P?<([A-Za-z_]\w*)>", re.ASCII)
_BACK_REFERENCE = re.compile(r"\\([1-9]\d?)(?!\d)|\(\?P=([A-Za-z_]\w*)\)", re.ASCII)
_CODE_POINT = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})")
_CLASS = re.compile(r"\[\^?(?:[^\]\[\\^]|\\.)(?:[^\]\[\\]|\\.)*\]", re.DOTALL)
_PLACES = {
    "^": Place.LINE_START,
    "$": Place.LINE_END,
    r"\A": Place.LINE_START,
    r"\Z": Place.LINE_END,
    r"\b": Place.WORD_BOUNDARY,
    r"\B": NOTHING,
}
_ESCAPES = {f"\\{letter}" for letter in "dDwWsSntrfva"}
_LOOKS = ("(?=", "(?!", "(?<=", "(?<!")
_DEEPEST = 50


class Reader:
    """Reads one pattern. ``engine`` says which characters a class stands for, under ``flags``.

    What a pattern demands of its surroundings is left out of the tree, but for word boundaries, and
    for characters that must not stand there; a line's start and end stand for a text's too. So the
    tree matches wherever the pattern does, and in more places if the pattern ``narrows``.
    ``pieces`` are all sets of characters that it tells apart, with those of its look-around.
    """

    def __init__(
        self,
        engine: Engine,
        pattern: str,
        flags: int,
        ask: Callable[[Engine, str, int], Characters] = characters_of,
    ) -> None:
        self._engine = engine
        self._ask = ask
        self._pattern = pattern
        self._flags = flags
        self._at = 0
        self._depth = 0
        self._groups: list[Tree | None] = []
        self._names: dict[str, int] = {}
        self.pieces: list[Characters] = []
        self.has_boundaries = False
        self.has_references = False
        self.narrows = False

    def read(self) -> Tree:
        """The tree of the whole pattern; raises NotUnderstoodError."""
        while flags := _LEADING_FLAGS.match(self._pattern, self._at):
            for letter in flags[1]:
                self._flags |= getattr(re, letter.upper())
            self._at = flags.end()
        tree = self._choice()
        if self._at != len(self._pattern):
            raise NotUnderstoodError
        return tree

    def _choice(self) -> Tree:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise NotUnderstoodError
        parts = [self._sequence()]
        while self._next("|"):
            parts.append(self._sequence())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def _sequence(self) -> Tree:
        parts: list[Tree] = []
        while self._at < len(self._pattern) and self._pattern[self._at] not in "|)":
            parts.append(self._quantified(self._atom()))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _quantified(self, atom: Tree) -> Tree:
        found = _QUANTIFIER.match(self._pattern, self._at)
        if found is None:
            return atom
        self._at = found.end()
        # Possessive ones give nothing back; lazy ones prefer another of several matches.
        self.narrows |= len(found[0]) > 1 and found[0][-1] in "+?"
        if found[0][0] in _SIMPLE:
            least, most = _SIMPLE[found[0][0]]
        elif found[4] is not None:
            least, most = 0, int(found[4])
        else:
            least = int(found[1])
            most = least if found[2] is None else int(found[3]) if found[3] else None
        if isinstance(atom, Place):
            raise NotUnderstoodError
        return Repeat(atom, least, most)

    def _atom(self) -> Tree:
        at, pattern = self._at, self._pattern
        character = pattern[at]
        if character == "(":
            return self._group()
        if character == "[":
            found = _CLASS.match(pattern, at)
            if found is None:
                raise NotUnderstoodError
            return self._characters(found[0])
        if character == "\\":
            return self._escape()
        if character in "*+?{":
            raise NotUnderstoodError
        if character in "^$":
            self._at += 1
            self.narrows |= not self._flags & re.MULTILINE
            return _PLACES[character]
        if character == ".":
            return self._characters(".")
        return self._characters(character, re.escape(character))

    def _escape(self) -> Tree:
        if reference := _BACK_REFERENCE.match(self._pattern, self._at):
            return self._reference(reference)
        if code := _CODE_POINT.match(self._pattern, self._at):
            return self._characters(code[0])
        escape = self._pattern[self._at : self._at + 2]
        if escape in _PLACES:
            self._at += 2
            self.has_boundaries |= escape in (r"\b", r"\B")
            self.narrows |= escape != r"\b"
            return _PLACES[escape]
        if len(escape) < 2 or (escape[1].isalnum() and escape not in _ESCAPES):
            raise NotUnderstoodError
        return self._characters(escape)

    def _group(self) -> Tree:
        pattern, at = self._pattern, self._at
        if reference := _BACK_REFERENCE.match(pattern, at):
            return self._reference(reference)
        for look in _LOOKS:
            if pattern.startswith(look, at):
                inside = self._inside(len(look))
                self.narrows = True
                if look in ("(?<!", "(?!") and isinstance(inside, Characters):
                    return Outside(inside, before=look == "(?<!")
                return NOTHING
        for opening in ("(?:", "(?>"):
            if pattern.startswith(opening, at):
                self.narrows |= opening == "(?>"
                return self._inside(len(opening))
        name = _GROUP_NAME.match(pattern, at)
        if name is None and pattern.startswith("(?", at):
            raise NotUnderstoodError
        number = len(self._groups)
        self._groups.append(None)
        if name is not None and name[1] in self._names:
            raise NotUnderstoodError
        if name is not None:
            self._names[name[1]] = number
        self._groups[number] = tree = self._inside(len(name[0]) if name else 1)
        return tree

    def _inside(self, opening: int) -> Tree:
        self._at += opening
        tree = self._choice()
        if not self._next(")"):
            raise NotUnderstoodError
        return tree

    def _reference(self, found: re.Match[str]) -> Tree:
        self._at = found.end()
        number = int(found[1]) - 1 if found[1] else self._names.get(found[2], len(self._groups))
        if number >= len(self._groups) or (group := self._groups[number]) is None:
            raise NotUnderstoodError
        self.narrows = self.has_references = True
        return Same(group)

    def _characters(self, source: str, piece: str | None = None) -> Characters:
        self._at += len(source)
        characters = self._ask(self._engine, piece or source, self._flags)
        self.pieces.append(characters)
        return characters

    def _next(self, character: str) -> bool:
        found = self._pattern.startswith(character, self._at)
        self._at += found
        return found
