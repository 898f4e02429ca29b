"""Patterns for Rust's regex crate that match at least in every text in which a pattern matches.

A pattern of the `regex` module is read as a tree (`pattern_tree`), out of which everything that
only narrows it has been left, and is written down again with nothing but explicit sets of
characters, so that no class, no flag and no case folding of Rust's has a say. There are two
versions: for texts of ASCII alone, where word boundaries are kept, being the same in both engines,
and for all other texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from atlas_dagster.pii.characters import ASCII_END, BEYOND_ASCII, Characters, Engine, Range
from atlas_dagster.pii.pattern_tree import (
    NOTHING,
    Choice,
    NotUnderstoodError,
    Outside,
    Place,
    Reader,
    Repeat,
    Same,
    Sequence,
    Tree,
)

_KNOWN_FLAGS = int(re.IGNORECASE | re.MULTILINE | re.DOTALL | re.UNICODE)
_LONGEST = 32
"""More repetitions than these are written as any number of them: automata stay small."""
_ANYTHING = r"[\x{0}-\x{10FFFF}]*"
_NEVER = r"[a&&b]"
_WHITE_SPACE = r"[\x{9}-\x{D}\x{1C}-\x{20}]"
"""What `str.strip` takes away, of ASCII."""
_ASCII_PLACES = {
    Place.WORD_BOUNDARY: r"(?-u:\b)",
    Place.LINE_START: "(?m:^)",
    Place.LINE_END: "(?m:$)",
}
_WIDE_PLACES = {**_ASCII_PLACES, Place.WORD_BOUNDARY: ""}


@dataclass(frozen=True)
class Relaxed:
    """Patterns in Rust's syntax: for texts of ASCII, and for all others. ``""``: any text.

    A text in which one matches holds one of the characters that the class ``…_needs`` names, the
    rarest such class; ``""``: none is needed. ``exact``: in texts of ASCII there is a match where
    the original has one, and nowhere else; and the first match of ``ascii_first`` is the first one
    of the original: both engines prefer the same of several. ``ascii_whole`` matches at least those
    texts, of ASCII, that a match covers but for white space.
    """

    ascii: str
    wide: str
    ascii_needs: str = ""
    wide_needs: str = ""
    exact: bool = False
    ascii_whole: str = ""
    ascii_first: str = ""


ANY_TEXT = Relaxed("", "")


def relax(engine: Engine, pattern: str, flags: int) -> Relaxed:
    """What to ask of a text before ``engine.compile(pattern, flags)`` may be worth its time.

    A text in which the relaxed pattern has no match has no match of ``pattern`` that is not empty.
    Gives ANY_TEXT where that could not be proven of anything narrower.
    """
    if flags & ~_KNOWN_FLAGS:
        return ANY_TEXT
    reader = Reader(engine, pattern, flags)
    try:
        tree = reader.read()
    except NotUnderstoodError:
        return ANY_TEXT
    relaxed = relaxed_tree(tree)
    bare = _without_conditions(tree, boundaries=True)
    # Presidio takes no notice of matches that are empty.
    exact = not (reader.narrows or _may_be_empty(tree) or _is_cut(_edgeless(tree)))
    return replace(
        relaxed,
        exact=exact,
        ascii_first=_exactly(tree) if exact and not _repeats_nothing(tree) else "",
        ascii_whole=f"^{_WHITE_SPACE}*(?:{_ascii(bare)}){_WHITE_SPACE}*$",
    )


def relaxed_tree(tree: Tree) -> Relaxed:
    """What has a match in every text in which the tree has one."""
    ascii_tree = _edgeless(_without_conditions(_edged(tree), boundaries=True))
    wide_tree = _edgeless(_without_conditions(tree, boundaries=False))
    needed = _needed(tree)
    return Relaxed(
        _ascii(ascii_tree),
        _wide(wide_tree),
        _ascii(needed) if needed else "",
        _wide(needed) if needed else "",
    )


def any_of(patterns: Iterable[Relaxed]) -> Relaxed:
    """What matches wherever one of several does."""
    several = list(patterns)
    return Relaxed(
        union(one.ascii for one in several),
        union(one.wide for one in several),
        union(one.ascii_needs for one in several),
        union(one.wide_needs for one in several),
    )


def union(patterns: Iterable[str]) -> str:
    """One pattern for what any of several matches; ``""``, which is any text, if it is one."""
    several = list(dict.fromkeys(patterns))
    return "" if "" in several else "|".join(f"(?:{pattern})" for pattern in several)


def _edgeless(tree: Tree) -> Tree:
    return _trimmed(_trimmed(tree, -1), 0)


def _trimmed(tree: Tree, edge: int) -> Tree:
    """Without what need not be there at one edge (0: the first, -1: the last part).

    A text with a match of ``ab*`` has a match of ``a``. What stands beyond a condition on a place
    stays: ``a*`` in ``\\ba*c`` cannot go.
    """
    match tree:
        case Repeat(part, least, _):
            if least == 0:
                return NOTHING
            return _trimmed(part, edge) if least == 1 else Repeat(part, least, least)
        case Choice(parts):
            several = tuple(dict.fromkeys(_trimmed(part, edge) for part in parts))
            return NOTHING if NOTHING in several else Choice(several)
        case Sequence(parts):
            left = list(parts)
            while left:
                part = _trimmed(left[edge], edge)
                if part != NOTHING:
                    left[edge] = part
                    break
                del left[edge]
            return left[0] if len(left) == 1 else Sequence(tuple(left))
        case _:
            return tree


def _needed(tree: Tree) -> Characters | None:
    """Characters of which every match of the tree holds one."""
    match tree:
        case Characters():
            return tree
        case Repeat(part, least, _):
            return _needed(part) if least else None
        case Sequence(parts):
            found = [needed for needed in map(_needed, parts) if needed is not None]
            return min(found, key=_frequency, default=None)
        case Choice(parts):
            found = [needed for needed in map(_needed, parts) if needed is not None]
            if len(found) < len(parts):
                return None
            members = frozenset[int]().union(*(one.ascii for one in found))
            return Characters(members, tuple({pair for one in found for pair in one.beyond}))
        case _:
            return None


def _frequency(characters: Characters) -> int:
    """How common characters are in text: a letter as common as ten others, space as thirty."""
    letters = sum(10 for code in characters.ascii if chr(code).isalpha())
    return letters + len(characters.ascii) + 30 * (ord(" ") in characters.ascii)


def _edged(tree: Tree) -> Tree:
    """What must not stand before or after all of it, as what may stand there instead."""
    if not isinstance(tree, Sequence) or len(tree.parts) < 2:
        return tree
    first, *middle, last = tree.parts
    if isinstance(first, Outside) and first.before:
        first = Choice((Place.LINE_START, _others(first.characters)))
    if isinstance(last, Outside) and not last.before:
        last = Choice((_others(last.characters), Place.LINE_END))
    return Sequence((first, *middle, last))


def _others(characters: Characters) -> Characters:
    return Characters(frozenset(range(ASCII_END)) - characters.ascii, BEYOND_ASCII)


def _without_conditions(tree: Tree, boundaries: bool) -> Tree:
    """Without what must not stand somewhere, and without word boundaries unless they are kept."""
    match tree:
        case Outside():
            return NOTHING
        case Place.WORD_BOUNDARY:
            return tree if boundaries else NOTHING
        case Repeat(part, least, most):
            return Repeat(_without_conditions(part, boundaries), least, most)
        case Choice(parts):
            return Choice(tuple(_without_conditions(part, boundaries) for part in parts))
        case Sequence(parts):
            return Sequence(tuple(_without_conditions(part, boundaries) for part in parts))
        case Same(group):
            return Same(_without_conditions(group, boundaries))
        case _:
            return tree


def _ascii(tree: Tree) -> str:
    """In a text of ASCII, what a group matched is matched by the group's own pattern again."""
    if isinstance(tree, Same):
        return _ascii(tree.group)
    if isinstance(tree, Characters):
        return _set(_as_ranges(tree.ascii))
    return _ASCII_PLACES[tree] if isinstance(tree, Place) else _compound(tree, _ascii)


def _exactly(tree: Tree) -> str:
    """Like `_ascii`, with every number of repetitions as it is."""
    if isinstance(tree, Repeat):
        most = "" if tree.most is None else tree.most
        return f"(?:{_exactly(tree.part)}){{{tree.least},{most}}}"
    return _compound(tree, _exactly) if isinstance(tree, Sequence | Choice) else _ascii(tree)


def _wide(tree: Tree) -> str:
    """Beyond ASCII, case folding need not be symmetric: what a group matched may be anything."""
    if isinstance(tree, Same):
        return _ANYTHING
    if isinstance(tree, Characters):
        return _set([*_as_ranges(tree.ascii), *tree.beyond])
    return _WIDE_PLACES[tree] if isinstance(tree, Place) else _compound(tree, _wide)


def _compound(tree: Tree, write: Callable[[Tree], str]) -> str:
    match tree:
        case Sequence(parts):
            return "".join(write(part) for part in parts)
        case Choice(parts):
            return f"(?:{'|'.join(dict.fromkeys(map(write, parts)))})"
        case Repeat(part, least, most):
            return f"(?:{write(part)}){_times(least, most)}"
        case _:
            raise AssertionError(tree)


def _is_cut(tree: Tree) -> bool:
    """Whether some number of repetitions is not written as it is."""
    match tree:
        case Repeat(part, least, most):
            return least > _LONGEST or (most or 0) > _LONGEST or _is_cut(part)
        case Choice(parts) | Sequence(parts):
            return any(map(_is_cut, parts))
        case _:
            return False


def _repeats_nothing(tree: Tree) -> bool:
    """Whether something is repeated that may be empty: there engines differ."""
    match tree:
        case Repeat(part, _, _):
            return _may_be_empty(part) or _repeats_nothing(part)
        case Choice(parts) | Sequence(parts):
            return any(map(_repeats_nothing, parts))
        case _:
            return False


def _may_be_empty(tree: Tree) -> bool:
    match tree:
        case Repeat(part, least, _):
            return least == 0 or _may_be_empty(part)
        case Choice(parts):
            return any(map(_may_be_empty, parts))
        case Sequence(parts):
            return all(map(_may_be_empty, parts))
        case Characters():
            return False
        case _:
            return True


def _times(least: int, most: int | None) -> str:
    if least > _LONGEST:
        return f"{{{_LONGEST},}}"
    if most is None or most > _LONGEST:
        return f"{{{least},}}"
    return f"{{{least},{most}}}"


def _as_ranges(codes: frozenset[int]) -> list[Range]:
    ranges: list[Range] = []
    for code in sorted(codes):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1] = (ranges[-1][0], code)
        else:
            ranges.append((code, code))
    return ranges


def _set(ranges: list[Range]) -> str:
    if not ranges:
        return _NEVER
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return _code(ranges[0][0])
    return f"[{''.join(_range(*pair) for pair in ranges)}]"


def _range(first: int, last: int) -> str:
    return _code(first) if first == last else f"{_code(first)}-{_code(last)}"


def _code(code: int) -> str:
    plain = code < ASCII_END and chr(code).isalnum()
    return chr(code) if plain else f"\\x{{{code:X}}}"
