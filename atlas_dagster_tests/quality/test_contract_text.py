"""A contract's text is YAML that means what went into it, whatever that is."""

from __future__ import annotations

import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from atlas_dagster.quality.contract_text import ContractWriter, yaml_text
from atlas_dagster.quality.spec import (
    FreshnessParameters,
    MissingParameters,
    PairParameters,
    Rule,
)
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.quality.support import CHART, check, days, user_check

KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)  # YAML bounds them
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def read(text: str) -> Any:
    return YAML().load(io.StringIO(text))


@given(st.dictionaries(KEYS, VALUES, max_size=3))
def test_any_value_comes_back_as_it_was(value: Any) -> None:
    assert read(yaml_text(value)) == value


def test_words_and_odd_characters_stay_texts() -> None:
    value = {
        "words": ["NO", "off", "1e3", "2024-01-01", "~"],
        "odd": "\x7f\x85\u2028\ud7ff🎉\\ud83d",
    }
    assert read(yaml_text(value)) == value


def test_checks_of_rows_are_counted_by_conditions_and_checks_of_users_stand_at_their_column(
    warehouse: PgConnection,
) -> None:
    types = {"email": "character varying", "starts": "timestamp with time zone"}
    writer = ContractWriter(warehouse, CHART, days(1, 2), types)
    text = writer.text(
        [
            ("0", check(Rule.MISSING, "email", given=MissingParameters(empty_is_missing=True))),
            ("1", check(Rule.PAIR, given=PairParameters("starts", "ends"))),
            ("2", check(Rule.FRESHNESS, "starts", given=FreshnessParameters())),
            ("3", user_check("missing", {"threshold": {"must_be": 0}}, "email")),
            ("4", user_check("row_count", {"threshold": {"must_be": 7}})),
        ]
    )
    any_count = {"must_be_greater_than_or_equal": 0}
    assert read(text) == {
        "dataset": f"atlas/{warehouse.info.dbname}/chart/crm__users",
        "filter": "not _atlas_deleted and _atlas_partition between '2024-01-01'::date and"
        " '2024-01-02'::date",
        "columns": [
            {
                "name": "email",
                "checks": [{"missing": {"threshold": {"must_be": 0}, "qualifier": "3"}}],
            }
        ],
        "checks": [
            {
                "failed_rows": {
                    "qualifier": "0",
                    "expression": '"email" is null or "email" = \'\'',
                    "threshold": any_count,
                }
            },
            {
                "failed_rows": {
                    "qualifier": "1",
                    "expression": '"starts" > "ends"',
                    "filter": '"starts" is not null and "ends" is not null',
                    "threshold": any_count,
                }
            },
            {
                "metric": {
                    "qualifier": "2",
                    "expression": 'extract(epoch from now() - max("starts")::timestamptz)::float8',
                    "threshold": {"must_be_greater_than_or_equal": -1e300},
                }
            },
            {"row_count": {"threshold": {"must_be": 7}, "qualifier": "4"}},
        ],
    }
