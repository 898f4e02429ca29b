"""The file that `atlas checks init` writes: comments that say what may stand there."""

from __future__ import annotations

import json
from collections.abc import Sequence

from atlas_dagster.catalog import Stream
from atlas_dagster.quality.check_text import limit_text
from atlas_dagster.quality.spec import Check

_HEAD = """\
## Quality checks of {label}: what is to differ from the checks that are derived from its schema.
## `atlas checks show {label}` lists all that are made. Take the "# " away from what you need;
## lines that begin with ## are comments.

## disable: derived checks that are not made, by name or by pattern.
# disable:
#   - {disabled}

## override: other thresholds. Rows (more than so many), 5% of the tested rows, an age such as 36h
## or 2d, never; of row_count: fewer rows than these.
# override:
#   {overridden}: {{warn: 0, fail: 5%}}
#   fresh_sync: {{warn: 1d, fail: 2d}}

## columns: checks of columns, in Soda's contract language: missing, invalid, duplicate, aggregate,
## metric.
# columns:
#   - name: {column}
#     checks:
#       - missing:
#           threshold: {{metric: percent, must_be_less_than: 1}}

## checks: checks of the table: duplicate, failed_rows, freshness, metric, row_count.
# checks:
#   - row_count:
#       threshold: {{must_be_greater_than: 0}}

## The derived checks, when they warn, and when they fail:
"""


def user_template(stream: Stream, derived: Sequence[Check]) -> str:
    """A file that changes nothing yet, with the names of a stream's derived checks."""
    columns = [column.layer for column in stream.columns] or ["id"]
    names = [check.name for check in derived]
    of_column = [name for name in names if name.startswith(("missing__", "invalid__"))]
    disabled = next((name for name in names if name.startswith("text_damage__")), "schema")
    head = _HEAD.format(
        label=stream.label,
        disabled=disabled,
        overridden=(of_column or ["schema"])[-1],
        column=_quoted(columns[-1]),
    )
    return head + "".join(f"##   {_listed(check)}\n" for check in derived)


def _listed(check: Check) -> str:
    warn, fail = limit_text(check.threshold.warn), limit_text(check.threshold.fail)
    return f"{check.name}  warns {warn}, fails {fail}"


def _quoted(text: str) -> str:
    """A text as YAML, on one line."""
    return text if text.isidentifier() and text.isascii() else json.dumps(text)
