"""Sentences that leave the house: what may be a value of the data is taken out of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from atlas_dagster.plain_words import ACRONYMS, PLAIN_WORDS

LONGEST = 500
HIDDEN = "…"

_DETAIL = re.compile(r"\b(DETAIL|CONTEXT|HINT|QUERY|STATEMENT)\b.*", re.DOTALL)
_VALUES = (
    re.compile(r"\([^()]*\)=\([^()]*\)"),  # as PostgreSQL shows a key
    re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE),
    re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|“[^”]*”"),
    re.compile(r"(?<==)\s*[^\s,;)]+"),
)
_CLASS = re.compile(r"([A-Z][a-z]+)+(Error|Exception|Interrupt|Timeout)")
_NUMBER = re.compile(r"[0-9]{1,3}")
_JOINT = re.compile(r"[-–/&+*]")
_JOINTS = re.compile(r"[-/_]+")
_WORDS, _ACRONYMS = frozenset(PLAIN_WORDS.split()), frozenset(ACRONYMS.split())
_OWN = frozenset({"Airbyte", "Atlas", "Dagster", "Postgres", "PostgreSQL"})


def without_values(text: str) -> str:
    """A message's plain words; all else is gone, and what is quoted, assigned or an address.

    Messages of connectors and of PostgreSQL repeat what they stumbled over. Words are those of a
    list: a value comes through where it is one of these, or a number of up to three digits that
    stands alone. What stood between the words that are left is shown by one ``…``.
    """
    line = " ".join(_DETAIL.sub("", text).split())
    for pattern in _VALUES:
        line = pattern.sub(f" {HIDDEN} ", line)
    kept: list[str] = []
    words = line.split()
    for place, word in enumerate(words):
        begins = not kept or kept[-1].endswith(".")
        shown = word if _is_plain(words, place, begins=begins) else HIDDEN
        if shown != HIDDEN or not kept or kept[-1] != HIDDEN:
            kept.append(shown)
    plain = " ".join(kept)
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1]}{HIDDEN}"


def _is_plain(words: Sequence[str], place: int, *, begins: bool) -> bool:
    """Whether a word is none of the data: a capital is a name's, unless a sentence begins."""
    bare = words[place].strip("().,:;!?").removesuffix("'s")
    if bare in _OWN or bare in _ACRONYMS or _CLASS.fullmatch(bare) or _JOINT.fullmatch(bare):
        return True
    if _NUMBER.fullmatch(bare):
        return not (_is_number(reversed(words[:place])) or _is_number(words[place + 1 :]))
    spelled = bare[:1].lower() + bare[1:] if begins else bare
    return bool(bare) and all(part in _WORDS for part in _JOINTS.split(spelled))


def _is_number(words: Iterable[str]) -> bool:
    """Whether the next word has a digit: numbers beside numbers are one that is written apart."""
    word = next((word for word in words if not _JOINT.fullmatch(word)), "")
    return any(map(str.isdigit, word))
