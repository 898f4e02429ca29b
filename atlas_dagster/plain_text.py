"""Sentences that leave the house: what may be a value of the data is taken out of them."""

from __future__ import annotations

import re

LONGEST = 500
HIDDEN = "…"

_DETAIL = re.compile(r"\b(DETAIL|CONTEXT|HINT|QUERY|STATEMENT)\b.*", re.DOTALL)
_VALUES = (
    re.compile(r"\([^()]*\)=\([^()]*\)"),  # as PostgreSQL shows a key
    re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE),
    re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|“[^”]*”"),
    re.compile(r"(?<==)\s*[^\s,;)]+"),
)
_PLAIN = re.compile(r"\(?([A-Za-z][a-z_/-]*|[a-z0-9_]*_[a-z0-9_]*|[0-9]{1,3})\)?[.,:;!?]*|[-–/&+*]")
_NAME = re.compile(r"\(?[A-Z][a-z]")
_OWN = frozenset({"Airbyte", "Atlas", "Dagster", "Postgres"})


def without_values(text: str) -> str:
    """A message's words; what is quoted, assigned, an address, a long number or a name is gone.

    Messages of connectors and of PostgreSQL repeat what they stumbled over. What stood between the
    words that are left is shown by one ``…``.
    """
    line = " ".join(_DETAIL.sub("", text).split())
    for pattern in _VALUES:
        line = pattern.sub(f" {HIDDEN} ", line)
    kept: list[str] = []
    for word in line.split():
        begins = not kept or kept[-1].endswith(".")
        shown = word if _is_plain(word, begins=begins) else HIDDEN
        if shown != HIDDEN or not kept or kept[-1] != HIDDEN:
            kept.append(shown)
    plain = " ".join(kept)
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1]}{HIDDEN}"


def _is_plain(word: str, *, begins: bool) -> bool:
    """Whether a word is none of the data: names have a capital, unless a sentence begins."""
    bare = word.strip("().,:;!?")
    if bare in _OWN or (bare.isupper() and bare.isalpha() and len(bare) <= 4):
        return True
    return bool(_PLAIN.fullmatch(word)) and (begins or not _NAME.match(word))
