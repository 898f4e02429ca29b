"""The words that a field's name gives Presidio as context."""

from __future__ import annotations

import re
from collections.abc import Sequence

ANY_INDEX = "[]"
ANY_KEY = "*"
"""What stands in a path for all indexes of an array, and for all keys of a map."""

_WORDS = re.compile(r"[^\W\d_]+|\d+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def context_of(path: Sequence[str]) -> list[str]:
    """The words of each name of a path, in lower case, and each name of several as a whole.

    Presidio takes a context word of a recognizer for found where it stands in one of these:
    ``homePhone`` gives ``home``, ``phone`` and ``home phone``.
    """
    context: dict[str, None] = {}
    for name in path:
        if name in (ANY_INDEX, ANY_KEY):
            continue
        words = [word.lower() for word in _WORDS.findall(_HUMP.sub(" ", name))]
        context.update(dict.fromkeys(words))
        if len(words) > 1:
            context[" ".join(words)] = None
    return list(context)
