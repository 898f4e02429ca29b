"""Takes values out of the texts of a JSON document, wherever in it they stand."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence

from atlas_dagster.subjects.redact_sql import ERASED

# A document is taken apart by its texts alone: it may be nested deeper, and have numbers of more
# digits, than a reader of JSON takes.
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


def replace_in_texts(document: str, values: Sequence[str], secret: str | None = None) -> str:
    """The document without the values, where they stand as words; keys of objects are texts too.

    With a ``secret``, of which a pseudonym is made, other values stay other values.
    """
    longest_first = sorted(values, key=len, reverse=True)
    wanted = re.compile("|".join(rf"(?<!\w){re.escape(value)}(?!\w)" for value in longest_first))

    def erased(value: re.Match[str]) -> str:
        if secret is None:
            return ERASED
        return f"<erased {hashlib.sha256((secret + value[0]).encode()).hexdigest()[:16]}>"

    def replaced(match: re.Match[str]) -> str:
        text = json.loads(match[0])
        changed = wanted.sub(erased, text)
        return match[0] if changed == text else json.dumps(changed, ensure_ascii=False)

    return _TEXT.sub(replaced, document)
