"""Names of checks: stable, apart from each other, and such as Dagster takes."""

from __future__ import annotations

import hashlib
import re

from atlas_dagster.quality.spec import Rule

_PLAIN = re.compile(r"[A-Za-z0-9_]+")
_LOOKS_TAILED = re.compile(r"_[0-9a-f]{8}\Z|__|\A_|_\Z")


def column_check(rule: Rule, *columns: str) -> str:
    """The name of a rule's check of columns: ``missing__email``.

    A column's part does not depend on the other columns: one that is no plain word gets a tail
    made of its name, and so does one that looks as if it had such a tail.
    """
    return "__".join([rule.value, *map(name_part, columns)])


def name_part(text: str) -> str:
    """A text as a part of a name; two texts have two parts."""
    if _PLAIN.fullmatch(text) and not _LOOKS_TAILED.search(text):
        return text
    reduced = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_") or "x"
    return f"{reduced}_{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
