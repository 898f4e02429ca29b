"""Which columns are key, content and time: the operator's rules against a stream's columns."""

from __future__ import annotations

import pytest

from atlas_dagster.errors import ConfigError
from atlas_dagster.layers.history_rules import history_rules
from atlas_dagster.rules import StreamRules
from atlas_dagster_tests.layers.support import make_stream

PROPERTIES = {
    "id": {"type": "integer"},
    "org": {"type": "object"},
    "seen_at": {"type": "string", "format": "date-time"},
    "born": {"type": "string", "format": "date"},
}
CDC = {"_ab_cdc_deleted_at": {"type": "string"}, "_ab_cdc_updated_at": {"type": "string"}}
STREAM = make_stream(PROPERTIES)


def test_the_primary_key_is_the_key_unless_the_operator_names_another() -> None:
    assert history_rules(STREAM, StreamRules()).key == (("id",),)
    named = StreamRules(natural_key=(("org", "id"), ("id",)))
    assert history_rules(STREAM, named).key == (("org", "id"), ("id",))


def test_a_stream_without_a_primary_key_has_none() -> None:
    assert history_rules(make_stream(PROPERTIES, key=()), StreamRules()).key == ()


@pytest.mark.parametrize("column", ["seen_at", "born"])
def test_a_date_or_timestamp_can_be_the_time(column: str) -> None:
    time = history_rules(STREAM, StreamRules(time_column=column)).time
    assert time == STREAM.column(column)


def test_the_sources_bookkeeping_and_ignored_columns_are_not_compared() -> None:
    stream = make_stream({**PROPERTIES, **CDC})
    rules = history_rules(stream, StreamRules(ignore=frozenset({"seen_at"})))
    compared = {column.name for column in stream.columns if rules.compares(column)}
    assert compared == {"id", "org", "born"}


def test_a_cdc_source_is_known_by_its_columns() -> None:
    assert history_rules(STREAM, StreamRules()).deleted is None
    assert history_rules(STREAM, StreamRules()).sequence is None
    for sequence in ("_ab_cdc_lsn", "_ab_cdc_cursor"):
        stream = make_stream({**PROPERTIES, **CDC, sequence: {"type": "number"}})
        rules = history_rules(stream, StreamRules())
        assert rules.deleted == stream.column("_ab_cdc_deleted_at")
        assert rules.sequence == stream.column(sequence)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (
            StreamRules(natural_key=(("uid",),)),
            "crm/users: natural_key 'uid' is not a column; its columns: id, org, seen_at, born",
        ),
        (
            StreamRules(time_column="when"),
            "crm/users: time_column 'when' is not a column; its columns: id, org, seen_at, born",
        ),
        (
            StreamRules(time_column="id"),
            "crm/users: time_column 'id': expected a date or a timestamp, found bigint",
        ),
    ],
)
def test_a_rule_that_does_not_fit_the_stream_is_one_sentence(
    rules: StreamRules, message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        history_rules(STREAM, rules)
    assert str(error.value) == message


def test_the_definition_changes_with_what_decides_a_history_and_with_nothing_else() -> None:
    stream = make_stream({**PROPERTIES, **CDC})
    variants = [
        StreamRules(),
        StreamRules(natural_key=(("org", "id"),)),
        StreamRules(natural_key=(("org",), ("id",))),
        StreamRules(ignore=frozenset({"org"})),
        StreamRules(ignore=frozenset({"org", "born"})),
        StreamRules(time_column="seen_at"),
    ]
    definitions = [history_rules(stream, rules).definition for rules in variants]
    assert len(set(definitions)) == len(variants)
    wider = make_stream({**PROPERTIES, **CDC, "more": {"type": "string"}})
    assert [history_rules(wider, rules).definition for rules in variants] == definitions
