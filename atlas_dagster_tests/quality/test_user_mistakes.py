"""How a mistake in config/checks/<connection>/<stream>.yml reads: file, line, key, reason.

Soda itself takes most of these, and passes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from atlas_dagster.errors import ConfigError
from atlas_dagster.quality.contract import Contract, load_contracts, refuse_mistakes
from atlas_dagster.settings import Settings, load_settings
from atlas_dagster_tests.quality.catalogs import (
    INSTANT,
    INTEGER,
    MAYBE,
    connection,
    rules,
    stream,
)

USERS = stream(
    {"id": INTEGER, "email": {**MAYBE, "format": "email"}, "age": INTEGER, "at": INSTANT},
    cursor=["at"],
)
ORDERS = stream({"id": INTEGER}, name="orders")
FILE = "config/checks/crm/users.yml"

Write = Callable[[str], Contract]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config/checks/crm").mkdir(parents=True)
    return load_settings({})


@pytest.fixture
def write(settings: Settings) -> Write:
    """Write the file of the stream, and make its contract."""

    def contract(text: str) -> Contract:
        Path(FILE).write_text(text, "utf-8")
        told = connection(USERS, ORDERS)
        return load_contracts(settings, told, rules("0 * * * *"))["users"]

    return contract


def column(*lines: str, name: str = "email") -> str:
    """A column whose checks are these lines, from line 4 on."""
    body = "".join(f"      {line}\n" for line in lines)
    return f"columns:\n  - name: {name}\n    checks:\n{body}"


def table(*lines: str) -> str:
    """Checks of the table, from line 2 on."""
    return "checks:\n" + "".join(f"  {line}\n" for line in lines)


def threshold(*lines: str, kind: str = "row_count") -> str:
    """A check whose threshold (line 3) is these lines, from line 4 on."""
    return table(f"- {kind}:", "    threshold:", *(f"      {line}" for line in lines))


CHECK = "columns[0].checks[0]"
THRESHOLD = "checks[0].row_count.threshold"
ONE_OF = (
    "must_be, must_not_be, must_be_greater_than, must_be_greater_than_or_equal, must_be_less_than,"
    " must_be_less_than_or_equal, must_be_between, must_be_not_between"
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

THRESHOLDS = {
    "a misspelt comparison": (
        threshold("must_be_bigger_than: 3"),
        f"4: {THRESHOLD}.must_be_bigger_than: unknown key; did you mean must_be_greater_than?",
    ),
    "nothing": (
        table("- row_count:", "    threshold:"),
        f"3: {THRESHOLD}: expected a mapping; found nothing",
    ),
    "two comparisons": (
        threshold("must_be: 3", "must_be_less_than: 5"),
        f"3: {THRESHOLD}: expected exactly one of {ONE_OF}; found must_be and must_be_less_than",
    ),
    "no comparison where there is no default": (
        table("- metric:", "    expression: a", "    threshold: {level: warn}"),
        f"4: checks[0].metric.threshold: expected exactly one of {ONE_OF}; found none",
    ),
    "no threshold where there is no default": (
        table("- metric: {expression: a}"),
        f"2: checks[0].metric.threshold: expected exactly one of {ONE_OF}; found none",
    ),
    "a number as a text": (
        threshold("must_be: '3'"),
        f"4: {THRESHOLD}.must_be: expected a number; found '3'",
    ),
    "a truth as a number": (
        threshold("must_be: true"),
        f"4: {THRESHOLD}.must_be: expected a number; found true",
    ),
    "an unknown level": (
        threshold("level: warning"),
        f"4: {THRESHOLD}.level: expected one of fail, warn; found 'warning'",
    ),
    "a metric where there is none": (
        threshold("metric: percent"),
        f"4: {THRESHOLD}.metric: unknown key; expected one of",
    ),
    "an unknown metric": (
        column("- missing: {threshold: {metric: ratio}}"),
        f"4: {CHECK}.missing.threshold.metric: expected one of count, percent; found 'ratio'",
    ),
    "more than all": (
        column("- missing: {threshold: {metric: percent, must_be_less_than: 150}}"),
        f"4: {CHECK}.missing.threshold.must_be_less_than: expected a percentage from 0 to 100;"
        " found 150",
    ),
    "a bad unit": (
        table("- freshness: {column: at, threshold: {unit: second, must_be_less_than: 5}}"),
        "2: checks[0].freshness.threshold.unit: expected one of hour, minute, day; found 'second'",
    ),
    "a unit where there is none": (
        threshold("unit: hour"),
        f"4: {THRESHOLD}.unit: unknown key; expected one of",
    ),
    "a range without an end": (
        threshold("must_be_between: {greater_than: 3}"),
        f"4: {THRESHOLD}.must_be_between: expected exactly one of less_than, less_than_or_equal",
    ),
    "a range with two ends on one side": (
        threshold("must_be_between: {greater_than: 3, greater_than_or_equal: 4, less_than: 5}"),
        f"4: {THRESHOLD}.must_be_between: expected exactly one of greater_than,"
        " greater_than_or_equal",
    ),
    "a range that is empty": (
        threshold("must_be_between: {greater_than: 5, less_than: 3}"),
        f"4: {THRESHOLD}.must_be_between: expected the number that it is greater than to be less",
    ),
    "a range that is everything": (
        threshold("must_be_not_between: {greater_than: 3, less_than: 5}"),
        f"4: {THRESHOLD}.must_be_not_between: expected the number that it is greater than to be"
        " more",
    ),
    "two of one level": (
        threshold("must_be_greater_than: 3", "additional: {must_be_greater_than: 5}"),
        f"5: {THRESHOLD}.additional: has the level fail, as the threshold itself has",
    ),
    "an additional one alone": (
        threshold("additional: {level: warn, must_be_greater_than: 5}"),
        f"3: {THRESHOLD}: expected one of {ONE_OF} beside additional",
    ),
    "an additional one of nothing": (
        threshold("must_be_greater_than: 3", "additional: {level: warn}"),
        f"5: {THRESHOLD}.additional: expected exactly one of {ONE_OF}; found none",
    ),
    "an additional one with a metric": (
        column(
            "- missing:",
            "    threshold:",
            "      must_be: 0",
            "      additional: {level: warn, must_be: 1, metric: percent}",
        ),
        f"7: {CHECK}.missing.threshold.additional.metric: unknown key; expected one of",
    ),
}

OTHERS = {
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

MISTAKES = {**SHAPES, **TYPES, **VALUES, **THRESHOLDS, **OTHERS}


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_by_file_line_and_key(write: Write, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        refuse_mistakes(write(text))
    assert str(raised.value).startswith(f"{FILE}:{message}")


def test_what_is_not_there_does_not_keep_the_other_checks_from_being_made(write: Write) -> None:
    contract = write("disable: [gone__*, schema]\n" + column("- missing:", name="gone"))
    assert [str(mistake).partition(" ")[0] for mistake in contract.mistakes] == [
        f"{FILE}:3:",
        f"{FILE}:1:",
    ]
    names = {check.name for check in contract.checks}
    assert {"missing__email", "user__missing__gone"} <= names
    assert "schema" not in names
