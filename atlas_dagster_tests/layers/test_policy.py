"""What a policy leaves of personal data in chart and navigate: values, keys, hashes, errors."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_dagster.catalog import Stream, Table
from atlas_dagster.errors import ConfigError
from atlas_dagster.layers.history_rules import history_rules
from atlas_dagster.layers.policy import (
    FieldPolicy,
    StreamPolicy,
    charted_policy,
    parse_policy,
    policed_stream,
    policy_json,
    stream_policy,
)
from atlas_dagster.pii_rules import Action, field_path
from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import (
    at,
    chart,
    create_landing,
    insert_explore,
    land,
    load,
    make_stream,
    navigate,
    purge,
    read_navigate,
    rows,
    start_layers,
)
from atlas_dagster_tests.properties.oracle import Version

KEY = "a key of this test"
STREAM = make_stream(
    {
        "id": {"type": "integer"},
        "email": {"type": "string"},
        "born": {"type": "string", "format": "date"},
        "contact": {"type": "object"},
    }
)


def policy(**actions: str) -> StreamPolicy:
    """What is done to fields, named with __ for the dot and _s for the brackets."""
    named = {name.replace("_s", "[]").replace("__", "."): a for name, a in actions.items()}
    fields = [FieldPolicy(field_path(name), Action(action)) for name, action in named.items()]
    return stream_policy(fields, KEY)


def hashed(text: str, key: str = KEY) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def version(raw_id: str, day: int = 1, **data: Any) -> Version:
    return Version(raw_id, at(day), {"id": 1, **data})


def charted(
    warehouse: PgConnection, policy: StreamPolicy, *versions: Version, stream: Stream = STREAM
) -> list[dict[str, Any]]:
    start_layers(warehouse, stream)
    insert_explore(warehouse, stream, versions)
    chart(warehouse, stream, policy=policy)
    return rows(warehouse, stream, "chart")


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("ann@example.com", "a***@e***"),
        ("Ann Smith", "A***"),
        ("a***@e***", "***"),
        ("Ann", "***"),
        ("", "***"),
        (None, None),
        (12345678901, "1***"),
    ],
)
def test_a_masked_value_shows_a_first_letter_or_two(
    warehouse: PgConnection, value: Any, masked: Any
) -> None:
    (row,) = charted(warehouse, policy(email="mask"), version("a", email=value))
    assert row["email"] == masked
    assert row["_atlas_errors"] is None


def test_a_hash_is_the_hmac_of_the_value(warehouse: PgConnection) -> None:
    (row,) = charted(warehouse, policy(email="hash"), version("a", email="änn@example.com"))
    assert row["email"] == hashed("änn@example.com")


def test_a_key_longer_than_a_block_is_hashed_as_rfc_2104_says(warehouse: PgConnection) -> None:
    long = "k" * 100
    hashes = stream_policy([FieldPolicy(("email",), Action.HASH)], long)
    (row,) = charted(warehouse, hashes, version("a", email="ann"))
    assert row["email"] == hashed("ann", long)


def test_a_column_of_another_type_becomes_text_so_that_what_is_left_fits(
    warehouse: PgConnection,
) -> None:
    versions = version("a", born="1990-01-01"), version("b", born="never")
    first, second = charted(warehouse, policy(born="hash"), *versions)
    assert (first["born"], second["born"]) == (hashed("1990-01-01"), hashed("never"))
    assert first["_atlas_errors"] is second["_atlas_errors"] is None


def test_a_redacted_value_says_that_there_was_one(warehouse: PgConnection) -> None:
    versions = version("a", born="1990-01-01"), version("b", born=None), version("c")
    found = charted(warehouse, policy(born="redact"), *versions)
    assert [row["born"] for row in found] == ["<redacted>", None, None]


def test_a_dropped_column_is_in_no_layer(warehouse: PgConnection) -> None:
    (row,) = charted(warehouse, policy(email="drop"), version("a", email="ann"))
    assert "email" not in row
    navigate(warehouse, STREAM, policy=policy(email="drop"))
    assert "email" not in rows(warehouse, STREAM, "navigate")[0]


def test_nested_fields_and_items_of_lists_are_reached(warehouse: PgConnection) -> None:
    contact: dict[str, Any] = {
        "mail": "ann@example.com",
        "phones": [{"number": "0123456789", "kind": "home"}, {"kind": "none"}, "loose", None],
        "tags": ["vip-customer", None],
        "age": 40,
    }
    acted = policy(contact__mail="mask", contact__phones_s__number="hash", contact__tags_s="redact")
    (row,) = charted(warehouse, acted, version("a", contact=contact))
    assert row["contact"] == {
        "mail": "a***@e***",
        "phones": [
            {"number": hashed("0123456789"), "kind": "home"},
            {"kind": "none"},
            "loose",
            None,
        ],
        "tags": ["<redacted>", None],
        "age": 40,
    }


@pytest.mark.parametrize("contact", [None, "text", 5, [], [1], {}, {"phones": {}}, {"phones": "x"}])
def test_data_of_another_shape_is_left_as_it_is(warehouse: PgConnection, contact: Any) -> None:
    acted = policy(contact__phones_s__number="hash", contact__mail="drop")
    (row,) = charted(warehouse, acted, version("a", contact=contact))
    assert row["contact"] == contact


def test_a_dropped_item_drops_its_list_and_any_key_of_a_map_can_be_meant(
    warehouse: PgConnection,
) -> None:
    acted = stream_policy(
        [
            FieldPolicy(("contact", "tags", "[]"), Action.DROP),
            FieldPolicy(("contact", "by_id", "*", "mail"), Action.MASK),
        ],
        None,
    )
    by_id = {"7": {"mail": "ann@example.com"}, "8": {}}
    data = version("a", contact={"tags": ["x"], "by_id": by_id})
    (row,) = charted(warehouse, acted, data)
    assert row["contact"] == {"by_id": {"7": {"mail": "a***@e***"}, "8": {}}}


def test_what_is_done_to_a_whole_field_is_done_to_its_parts() -> None:
    both = policy(contact="redact", contact__mail="hash")
    assert both.fields == (FieldPolicy(("contact",), Action.REDACT),)
    assert both.key_digest is None


def test_a_hashed_key_stays_a_key_and_never_shows_its_value(warehouse: PgConnection) -> None:
    stream = make_stream({"email": {"type": "string"}, "n": {"type": "integer"}}, key=(("email",),))
    versions = [
        Version("a", at(1), {"email": "ann@x.org", "n": 1}),
        Version("b", at(2), {"email": "ann@x.org", "n": 2}),
        Version("c", at(2), {"email": "bob@x.org", "n": 1}),
    ]
    found = charted(warehouse, policy(email="hash"), *versions, stream=stream)
    ann, bob = hashed("ann@x.org"), hashed("bob@x.org")
    assert [row["_atlas_natural_key"] for row in found] == [ann, ann, bob]
    navigate(warehouse, stream, policy=policy(email="hash"))
    assert [(s.natural_key, s.is_current) for s in read_navigate(warehouse, stream)] == [
        (ann, False),
        (ann, True),
        (bob, True),
    ]


def test_a_number_is_hashed_alike_however_it_is_spelled(warehouse: PgConnection) -> None:
    versions = [version("a", contact={"n": 5}), version("b", contact={"n": 5.0})]
    first, second = charted(warehouse, policy(contact__n="hash"), *versions)
    assert first["contact"] == second["contact"] == {"n": hashed("5")}


@pytest.mark.parametrize("action", ["mask", "redact", "drop"])
def test_a_policy_that_makes_keys_one_is_refused(action: str) -> None:
    with pytest.raises(ConfigError, match=rf"^crm/users: id is in the natural key, .* {action} it"):
        history_rules(STREAM, StreamRules(), policy(id=action))


def test_a_policy_on_the_time_column_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^crm/users: born is the time_column"):
        history_rules(STREAM, StreamRules(time_column="born"), policy(born="mask"))


def test_hashing_without_a_key_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^ATLAS_PII_HASH_KEY: not set, .* hashes contact.mail"):
        stream_policy([FieldPolicy(("contact", "mail"), Action.HASH)], None)


def test_another_policy_rebuilds_chart_and_navigate_of_all_days(warehouse: PgConnection) -> None:
    charted(warehouse, policy(), version("a", day=1, email="ann@x.org"))
    navigate(warehouse, STREAM)
    insert_explore(warehouse, STREAM, [version("b", day=2, email="bob@x.org")])
    day_2 = at(2).date(), at(2).date()
    result = chart(warehouse, STREAM, days=day_2, policy=policy(email="mask"))
    assert result.rebuilt == "its policy for personal data changed"
    assert [r["email"] for r in rows(warehouse, STREAM, "chart")] == ["a***", "b***"]
    rebuilt = navigate(warehouse, STREAM, days=day_2, policy=policy(email="mask"))
    assert rebuilt.rebuilt == "its policy for personal data changed"
    again = chart(warehouse, STREAM, days=day_2, policy=policy(email="mask"))
    assert again.rebuilt is None


def test_another_key_rebuilds_chart(warehouse: PgConnection) -> None:
    charted(warehouse, policy(email="hash"), version("a", email="ann"))
    renewed = stream_policy([FieldPolicy(("email",), Action.HASH)], "another key of this test")
    assert chart(warehouse, STREAM, policy=renewed).rebuilt
    (row,) = rows(warehouse, STREAM, "chart")
    assert row["email"] == hashed("ann", "another key of this test")


def test_what_explore_dropped_is_not_hashed_twice(warehouse: PgConnection) -> None:
    create_landing(warehouse, STREAM)
    born = at(1).date()
    land(warehouse, STREAM, [version("a", email="ann@x.org", born=born), version("b", day=3)])
    load(warehouse, STREAM)
    chart(warehouse, STREAM, policy=policy(email="hash"))
    purge(warehouse, STREAM, at(2).date())
    chart(warehouse, STREAM, policy=policy(email="hash", born="redact"))
    old, _ = rows(warehouse, STREAM, "chart")
    assert (old["email"], old["born"]) == (hashed("ann@x.org"), "<redacted>")


def test_the_key_is_neither_stored_nor_shown(warehouse: PgConnection) -> None:
    charted(warehouse, policy(email="hash"), version("a", email="ann"))
    kept = charted_policy(warehouse, Table("chart", STREAM.table_name))
    assert kept == policy(email="hash")
    assert KEY not in repr(policy(email="hash"))
    assert kept.key is None


paths = st.lists(st.text(min_size=1), min_size=1, max_size=3).map(tuple)


@given(st.lists(st.tuples(paths, st.sampled_from(Action))))
def test_a_policy_is_stored_and_read_alike(fields: list[tuple[tuple[str, ...], Action]]) -> None:
    one = stream_policy([FieldPolicy(path, action) for path, action in fields], KEY)
    assert parse_policy(policy_json(one).obj) == one


def test_a_stream_without_policy_stays_itself() -> None:
    assert policed_stream(STREAM, policy()) == STREAM
