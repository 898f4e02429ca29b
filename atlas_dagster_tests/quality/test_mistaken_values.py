"""What is said about the values of a check that Soda would misunderstand or pass over."""

from __future__ import annotations

from pathlib import Path

import pytest

from atlas_dagster_tests.quality.mistakes import (
    CHECK,
    assert_refused,
    column,
    table,
)

VALUES = {
    "invalid without what is valid": (
        column("- invalid:"),
        f"4: {CHECK}.invalid: expected what is valid: one of valid_values, invalid_values,",
    ),
    "values as a text": (
        column("- invalid: {valid_values: a}"),
        f"4: {CHECK}.invalid.valid_values: expected a list; found 'a'",
    ),
    "no values": (
        column("- invalid: {valid_values: []}"),
        f"4: {CHECK}.invalid.valid_values: expected a list of at least one value; found a list",
    ),
    "null as a value": (
        column("- invalid: {valid_values: [a, null]}"),
        f"4: {CHECK}.invalid.valid_values[1]: null is not a value: a missing one is counted by"
        " missing",
    ),
    "a list as a value": (
        column("- invalid: {valid_values: [[a]]}"),
        f"4: {CHECK}.invalid.valid_values[0]: expected a text, a number, true or false; found a"
        " list",
    ),
    "a format by name": (
        column("- invalid: {valid_format: email}"),
        f"4: {CHECK}.invalid.valid_format: expected a mapping; found 'email'",
    ),
    "a format without a pattern": (
        column("- invalid: {valid_format: {name: email}}"),
        f"4: {CHECK}.invalid.valid_format.regex: expected a regular expression; found nothing",
    ),
    "a bound as a text": (
        column("- invalid: {valid_min: '3'}"),
        f"4: {CHECK}.invalid.valid_min: expected a number; found '3'",
    ),
    "a length of a half": (
        column("- invalid: {valid_max_length: 2.5}"),
        f"4: {CHECK}.invalid.valid_max_length: expected a whole number, 0 or more; found 2.5",
    ),
    "bounds that cross": (
        column("- invalid: {valid_min: 5, valid_max: 4}"),
        f"4: {CHECK}.invalid.valid_min: is more than valid_max: no value is valid",
    ),
    "a reference with more": (
        column(
            "- invalid:",
            "    valid_min: 3",
            "    valid_reference_data: {dataset: orders, column: id}",
        ),
        f"6: {CHECK}.invalid.valid_reference_data: stands alone in a check: Soda would not count"
        " what else is invalid",
    ),
    "a reference to no table": (
        column("- invalid: {valid_reference_data: {dataset: a/b/c, column: id}}"),
        f"4: {CHECK}.invalid.valid_reference_data.dataset: expected a stream of the connection, or"
        " <schema>/<table>; found 'a/b/c'",
    ),
    "no function": (
        column("- aggregate: {threshold: {must_be: 0}}"),
        f"4: {CHECK}.aggregate: expected a function, such as function: avg",
    ),
    "an unknown function": (
        column("- aggregate: {function: average, threshold: {must_be: 0}}"),
        f"4: {CHECK}.aggregate.function: unknown function; did you mean avg",
    ),
    "a duplicate without columns": (
        table("- duplicate:"),
        "2: checks[0].duplicate: expected columns, a list of those that are one key together",
    ),
    "columns of a column": (
        column("- duplicate: {columns: [id]}"),
        f"4: {CHECK}.duplicate.columns: unknown key; expected one of",
    ),
    "a column twice in a key": (
        table("- duplicate: {columns: [id, id]}"),
        "2: checks[0].duplicate.columns[1]: id stands twice",
    ),
    "freshness of nothing": (
        table("- freshness: {threshold: {must_be_less_than: 1}}"),
        "2: checks[0].freshness: expected a column, whose newest value is not to be old",
    ),
    "neither expression nor query": (
        table("- failed_rows:"),
        "2: checks[0].failed_rows: expected either an expression or a query",
    ),
    "both expression and query": (
        table("- metric: {expression: a, query: b, threshold: {must_be: 0}}"),
        "2: checks[0].metric: expected either an expression or a query",
    ),
    "percent of an unknown number": (
        table("- failed_rows: {query: select 1, threshold: {metric: percent, must_be: 0}}"),
        "2: checks[0].failed_rows: expected rows_tested_query: percent of a query needs to know of"
        " how many",
    ),
    "rows tested of an expression": (
        table("- failed_rows: {expression: a, rows_tested_query: select 1}"),
        "2: checks[0].failed_rows.rows_tested_query: has an effect beside query only",
    ),
    "a key of the column that no check uses": (
        "columns:\n  - name: age\n    valid_min: 1\n    checks: [missing: ]\n",
        "3: columns[0].valid_min: has no effect: no check of age uses it",
    ),
    "a key of the column that its check replaces": (
        "columns:\n  - name: age\n    valid_min: 1\n    checks: [invalid: {valid_max: 9}]\n",
        "3: columns[0].valid_min: has no effect: no check of age uses it",
    ),
}


@pytest.mark.parametrize(("text", "message"), VALUES.values(), ids=VALUES)
def test_a_mistaken_value_is_named_by_file_line_and_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(text, message)
