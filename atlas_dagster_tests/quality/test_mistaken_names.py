"""What is said about columns, streams and derived checks that are not there or cannot change so."""

from __future__ import annotations

from pathlib import Path

import pytest

from atlas_dagster_tests.quality.mistakes import (
    CHECK,
    FILE,
    assert_refused,
    column,
    contract_of,
    table,
)

NAMES = {
    "a column that is not there": (
        column("- missing:", name="emial"),
        "2: columns[0].name: crm/users has no column 'emial'; did you mean email?",
    ),
    "a column of a key that is not there": (
        table("- duplicate: {columns: [id, mail]}"),
        "2: checks[0].duplicate.columns[1]: crm/users has no column 'mail'; did you mean email?",
    ),
    "the age of a column that is not there": (
        table("- freshness: {column: att, threshold: {must_be_less_than: 5}}"),
        "2: checks[0].freshness.column: crm/users has no column 'att'; did you mean at?",
    ),
    "a reference to an unknown stream": (
        column("- invalid: {valid_reference_data: {dataset: ordres, column: id}}"),
        f"4: {CHECK}.invalid.valid_reference_data.dataset: unknown stream; did you mean orders?",
    ),
    "a reference to an unknown column": (
        column("- invalid: {valid_reference_data: {dataset: orders, column: no}}"),
        f"4: {CHECK}.invalid.valid_reference_data.column: crm/orders has no column 'no'; expected"
        " one of id",
    ),
    "disable that matches nothing": (
        "disable:\n  - garbled__*\n",
        "2: disable[0]: garbled__* is no derived check; `atlas checks show` lists them",
    ),
    "disable that is misspelt": (
        "disable: [missing_email]\n",
        "1: disable[0]: missing_email is no derived check; did you mean missing__email?",
    ),
    "disable of the user's own": (
        "disable: [user__*]\nchecks: [row_count: ]\n",
        "1: disable[0]: user__* is no derived check; `atlas checks show` lists them",
    ),
    "disable twice": ("disable: [schema, schema]\n", "1: disable[1]: schema stands twice"),
    "disable of nothing": (
        "disable: []\n",
        "1: disable: expected a list of at least one item; leave the key out where there is none;"
        " found a list",
    ),
    "override of an unknown check": (
        "override:\n  missing__emial: {warn: 0}\n",
        "2: override.missing__emial: is no derived check; did you mean missing__email?",
    ),
    "override of what is disabled": (
        "disable:\n  - missing__*\noverride:\n  missing__email: {warn: 0}\n",
        "4: override.missing__email: is disabled on line 2: keep one of the two",
    ),
    "override of the user's own": (
        "override: {user__row_count: {warn: 3}}\nchecks:\n  - row_count:\n",
        f"1: override.user__row_count: is a check of your own, at {FILE}:3: change it there",
    ),
    "override with nothing": (
        "override: {schema: {}}\n",
        "1: override.schema: expected warn, fail or both",
    ),
    "override with an unknown level": (
        "override: {schema: {error: 1}}\n",
        "1: override.schema.error: unknown key; expected one of fail, warn",
    ),
    "override of rows by a text": (
        "override: {missing__email: {fail: 5 percent}}\n",
        "1: override.missing__email.fail: expected a number of rows, a percentage such as 5%, or"
        " never; found '5 percent'",
    ),
    "override of rows by a share": (
        "override: {missing__email: {fail: 0.05}}\n",
        "1: override.missing__email.fail: expected a number of rows, a percentage such as 5%, or"
        " never; found 0.05",
    ),
    "override by all rows": (
        "override: {missing__email: {fail: 100%}}\n",
        "1: override.missing__email.fail: no more than 100% of the rows can fail; write never",
    ),
    "override of an age by a number": (
        "override: {fresh_sync: {fail: 2}}\n",
        "1: override.fresh_sync.fail: expected an age, such as 90m, 36h or 2d, or never; found 2",
    ),
    "override of an age by an unknown unit": (
        "override: {fresh_sync: {fail: 2 years}}\n",
        "1: override.fresh_sync.fail: expected an age, such as 90m, 36h or 2d, or never; found"
        " '2 years'",
    ),
    "override of the number of rows by a percentage": (
        "override: {row_count: {fail: 5%}}\n",
        "1: override.row_count.fail: expected a number of rows, or never; found '5%'",
    ),
    "override by fewer rows than none": (
        "override: {row_count: {fail: 0}}\n",
        "1: override.row_count.fail: no table has fewer rows than 0; write never",
    ),
    "a warning that never shows": (
        "override: {invalid__email: {warn: 7%}}\n",
        "1: override.invalid__email: would never warn: it fails at 5 already; write warn: never, or"
        " another limit",
    ),
    "a warning of rows that never shows": (
        "override: {row_count: {warn: 5, fail: 10}}\n",
        "1: override.row_count: would never warn: it fails at 10 already; write warn: never, or"
        " another limit",
    ),
}


@pytest.mark.parametrize(("text", "message"), NAMES.values(), ids=NAMES)
def test_a_name_of_nothing_is_named_by_file_line_and_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(text, message)


def test_what_is_not_there_does_not_keep_the_other_checks_from_being_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    contract = contract_of("disable: [gone__*, schema]\n" + column("- missing:", name="gone"))
    assert [str(mistake).partition(" ")[0] for mistake in contract.mistakes] == [
        f"{FILE}:3:",
        f"{FILE}:1:",
    ]
    names = {check.name for check in contract.checks}
    assert {"missing__email", "user__missing__gone"} <= names
    assert "schema" not in names
