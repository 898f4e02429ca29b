"""How a mistake in config/checks/<connection>/<stream>.yml reads: file, line, key, reason.

The shape of the file, and the types and keys of its checks. Soda itself takes most mistakes, and
passes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from atlas_dagster_tests.quality.mistakes import (
    CHECK,
    assert_refused,
    column,
    table,
)

SHAPES = {
    "no mapping": ("- row_count:\n", "1: expected a mapping; found a list"),
    "check instead of checks": (
        "check:\n  - row_count:\n",
        "1: check: unknown key; did you mean checks?",
    ),
    "a key of a whole contract": (
        "dataset: a/b/c\n",
        "1: dataset: the name of the file says which stream it is about",
    ),
    "a filter of everything": (
        "filter: id > 1\n",
        "1: filter: a filter is a key of a check: here it would be one of all derived checks too",
    ),
    "scopes": (
        "scopes: {}\n",
        "1: scopes: scopes belong to Soda Cloud, and checks in them are not made without it",
    ),
    "checks as a mapping": (
        "checks:\n  row_count:\n",
        "1: checks: expected a list; found a mapping",
    ),
    "no checks": (
        "checks: []\n",
        "1: checks: expected a list of at least one item; leave the key out where there is none;"
        " found a list",
    ),
    "checks with nothing": (
        "checks:\n",
        "1: checks: expected a list of at least one item; leave the key out where there is none;"
        " found nothing",
    ),
    "a column without a name": (
        "columns:\n  - checks: [missing:]\n",
        "2: columns[0]: expected the name of a column",
    ),
    "a column without checks": (
        "columns:\n  - name: email\n    valid_min_length: 3\n",
        "2: columns[0]: expected checks, a list of at least one: a column alone is not checked",
    ),
    "a column twice": (
        "columns:\n" + 2 * "  - {name: email, checks: [missing: ]}\n",
        "3: columns[1].name: email stands twice, first on line 2",
    ),
    "a type of a column": (
        "columns:\n  - name: email\n    data_type: varchar\n",
        "3: columns[0].data_type: types are those of the source's schema, which the check schema"
        " compares",
    ),
    "no colon": (
        table("- row_count"),
        "2: checks[0]: expected a mapping: write row_count: (with a colon)",
    ),
    "two types in one": (
        table("- row_count:", "  freshness:"),
        "2: checks[0]: expected one key, the type of the check; found row_count, freshness",
    ),
    "a key of YAML 1.1": ("checks: [{no: }]\n", "1: checks[0].no: unknown check type; expected"),
}

TYPES = {
    "a misspelt type": (
        table("- row_cout:"),
        "2: checks[0].row_cout: unknown check type; did you mean row_count?",
    ),
    "a type of the old language": (
        table("- anomaly_detection:"),
        "2: checks[0].anomaly_detection: unknown check type; expected one of aggregate, duplicate,"
        " failed_rows, freshness, invalid, metric, missing, row_count",
    ),
    "the schema": (
        table("- schema:"),
        "2: checks[0].schema: the check schema is derived from the source's schema",
    ),
    "a column's check of the table": (
        table("- missing:"),
        "2: checks[0].missing: is a check of a column: it stands under columns, in checks of one",
    ),
    "a table's check of a column": (
        column("- row_count:"),
        f"4: {CHECK}.row_count: is no check of a column: it stands under checks, at the top of the"
        " file",
    ),
    "a check that is no mapping": (
        table("- row_count: 5"),
        "2: checks[0].row_count: expected a mapping; found 5",
    ),
    "a misspelt key": (
        column("- missing:", "    treshold: {must_be: 0}"),
        f"5: {CHECK}.missing.treshold: unknown key; did you mean threshold?",
    ),
    "a key without an effect": (
        column("- missing:", "    valid_min: 3"),
        f"5: {CHECK}.missing.valid_min: unknown key; expected one of attributes, column_expression,"
        " filter, missing_format, missing_values, name, qualifier, threshold",
    ),
    "validity of an aggregate, which Soda gets wrong": (
        column("- aggregate:", "    function: avg", "    valid_min: 3"),
        f"6: {CHECK}.aggregate.valid_min: unknown key; expected one of",
    ),
    "samples of Soda's": (
        column("- missing:", "    store_failed_rows: true"),
        f"5: {CHECK}.missing.store_failed_rows: a sample of failed rows is kept of every check",
    ),
    "a scope": (
        table("- row_count:", "    scope: eu"),
        "3: checks[0].row_count.scope: scopes belong to Soda Cloud, and checks in them are not made"
        " without it",
    ),
    "a variable": (
        table("- row_count:", "    filter: country = '${var.country}'"),
        "3: checks[0].row_count.filter: there are no variables; write the value instead of"
        " ${var.country}",
    ),
    "the environment": (
        table("- metric:", "    expression: length('${env.PGPASSWORD}')"),
        "3: checks[0].metric.expression: there are no variables; write the value instead of"
        " ${env.PGPASSWORD}",
    ),
    "two checks of one name": (
        table("- row_count:", "- row_count:"),
        "3: checks[1].row_count: has the name user__row_count, as the check on line 2; give it"
        " another name",
    ),
    "two names that read alike": (
        table("- row_count: {name: a b}", "- row_count: {name: a-b}"),
        "3: checks[1].row_count: has the name user__a_b, as the check on line 2; give it another"
        " name",
    ),
    "a dimension of its own": (
        table("- row_count:", "    attributes: {dimension: beauty}"),
        "3: checks[0].row_count.attributes.dimension: expected one of completeness, uniqueness,"
        " timeliness, validity, accuracy, consistency; found 'beauty'",
    ),
    "an attribute of its own": (
        table("- row_count:", "    attributes: {dimention: accuracy}"),
        "3: checks[0].row_count.attributes.dimention: unknown key; did you mean dimension?",
    ),
}

MISTAKES = {**SHAPES, **TYPES}


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_by_file_line_and_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(text, message)
