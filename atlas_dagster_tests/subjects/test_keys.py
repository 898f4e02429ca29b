"""Erasing where the key itself is personal, hashed or absent, and where history has odd corners."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from atlas_dagster.catalog import Stream
from atlas_dagster.layers.policy import FieldPolicy, StreamPolicy, stream_policy
from atlas_dagster.pii_rules import Action
from atlas_dagster.rules import StreamRules
from atlas_dagster.subjects.actions import Subjects, erase_subject, find_subject
from atlas_dagster.subjects.erase import Mode
from atlas_dagster.subjects.wanted import read_wanted
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import (
    at,
    create_landing,
    land,
    load,
    purge,
    read_navigate,
    rows,
)
from atlas_dagster_tests.properties.oracle import Version
from atlas_dagster_tests.subjects.support import (
    SECRET,
    build,
    catalogued,
    check_counts,
    erase,
    find,
    found,
    places,
    subjects,
)

ANN, BOB = "ann@example.com", "bob@example.com"
ACCOUNTS = {"email": {"type": "string"}, "plan": {"type": "string"}}
HASHED = stream_policy([FieldPolicy(("email",), Action.HASH)], SECRET)


def hashed(text: str) -> str:
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


def account(raw_id: str, day: int, email: str, **more: Any) -> Version:
    return Version(raw_id, at(day), {"email": email, **more})


VERSIONS = [
    account("a1", 1, ANN, plan="free"),
    account("a2", 2, ANN, plan="paid"),
    account("b1", 1, BOB, plan="free"),
    account("b2", 3, BOB, plan="paid"),
]


def start(
    connection: PgConnection, policy: StreamPolicy, key: list[list[str]] | None = None
) -> Stream:
    """Accounts by e-mail address, in all layers under a policy."""
    keys = {"accounts": [["email"]] if key is None else key}
    (stream,) = catalogued(connection, {"accounts": ACCOUNTS}, keys=keys)
    create_landing(connection, stream)
    land(connection, stream, VERSIONS)
    build(connection, stream, policy)
    found(connection, stream, ("email",))
    return stream


def histories(connection: PgConnection, stream: Stream) -> list[list[tuple[str, bool]]]:
    """The segments of each key: plan, and whether it is current."""
    keys: dict[str, list[tuple[str, bool]]] = {}
    for s in read_navigate(connection, stream):
        keys.setdefault(s.natural_key, []).append((s.data["plan"], s.is_current))
    return sorted(keys.values())


@pytest.mark.parametrize("policy", [stream_policy([], None), HASHED], ids=["kept", "hashed"])
def test_a_personal_key_becomes_a_pseudonym_and_keeps_its_history(
    warehouse: PgConnection, policy: StreamPolicy
) -> None:
    stream = start(warehouse, policy)
    assert find(warehouse, ANN).rows["crm/accounts"].keys != (ANN,)
    before = histories(warehouse, stream)
    erase(warehouse, ANN)
    erase(warehouse, BOB)
    assert histories(warehouse, stream) == before
    shown = {s.natural_key for s in read_navigate(warehouse, stream)}
    assert len(shown) == 2
    emails = {row["data"]["email"] for row in rows(warehouse, stream, "explore")}
    assert all(email.startswith("<erased ") for email in emails)
    assert places(warehouse, ANN, BOB, hashed(ANN), hashed(BOB)) == []
    check_counts(warehouse)
    build(warehouse, stream, policy)
    assert histories(warehouse, stream) == before


def test_a_hashed_key_is_found_by_what_it_was_and_by_what_chart_shows(
    warehouse: PgConnection,
) -> None:
    start(warehouse, HASHED)
    for key in (ANN, hashed(ANN)):
        outcome = find(warehouse, keys=[f"crm/accounts={key}"])
        assert outcome.rows["crm/accounts"].by_layer == {
            "explore": 2,
            "chart": 2,
            "navigate": 2,
            "landing": 2,
        }


def test_without_the_key_that_hashed_chart_the_stream_is_left_whole_and_named(
    warehouse: PgConnection,
) -> None:
    start(warehouse, HASHED)
    given = subjects(warehouse)
    without = Subjects(given.connection, given.streams, given.rules, None)
    outcome = erase_subject(without, read_wanted([ANN], []), Mode.REMOVE)
    assert outcome.failures == [
        "crm/accounts: ATLAS_PII_HASH_KEY: not the key that chart was hashed with"
    ]
    audit = warehouse.execute("select streams, ended_at from pipeline.subject_action").fetchall()
    assert audit == [({"crm/accounts": {"failure": outcome.failures[0]}}, None)]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("policy", [stream_policy([], None), HASHED], ids=["kept", "hashed"])
def test_what_only_chart_has_after_retention_is_erased_as_well(
    warehouse: PgConnection, policy: StreamPolicy, mode: Mode
) -> None:
    stream = start(warehouse, policy)
    before = histories(warehouse, stream)
    purge(warehouse, stream, at(2).date())
    assert len(rows(warehouse, stream, "explore")) == 2
    outcome = erase(warehouse, ANN, mode=mode)
    assert outcome.rows["crm/accounts"].explore == 1
    assert outcome.rows["crm/accounts"].chart == 2
    assert places(warehouse, ANN, hashed(ANN)) == []
    check_counts(warehouse)
    if mode is Mode.REDACT:
        assert histories(warehouse, stream) == before
        kept = [(row["email"], row["plan"]) for row in rows(warehouse, stream, "chart")[:2]]
        assert kept[0][0] == kept[1][0]
    load(warehouse, stream)
    warehouse.execute("truncate pipeline.explore_progress")
    build(warehouse, stream, policy)
    assert places(warehouse, ANN, hashed(ANN)) == []


def test_what_only_chart_has_is_found_by_its_hash(warehouse: PgConnection) -> None:
    stream = start(warehouse, HASHED)
    purge(warehouse, stream, at(9).date())
    assert rows(warehouse, stream, "explore") == []
    for outcome in (find(warehouse, ANN), find(warehouse, keys=[f"crm/accounts={ANN}"])):
        assert outcome.rows["crm/accounts"].chart == 2
    erase(warehouse, ANN)
    assert places(warehouse, ANN, hashed(ANN)) == []


def test_the_key_of_a_whole_record_is_made_anew(warehouse: PgConnection) -> None:
    stream = start(warehouse, stream_policy([], None), key=[])
    (key,) = {s.natural_key for s in read_navigate(warehouse, stream) if s.raw_id == "a1"}
    assert find(warehouse, keys=[f"crm/accounts={key}"]).rows["crm/accounts"].explore == 1
    erase(warehouse, ANN)
    assert [s.data["email"] for s in read_navigate(warehouse, stream)] == [
        "<erased>",
        "<erased>",
        BOB,
        BOB,
    ]
    assert places(warehouse, ANN, key) == []
    check_counts(warehouse)


def test_a_key_inside_an_object_stays_while_the_rest_of_it_goes(warehouse: PgConnection) -> None:
    (stream,) = catalogued(
        warehouse,
        {"carts": {"customer": {"type": "object"}, "sum": {"type": "number"}}},
        keys={"carts": [["customer", "id"]]},
    )
    create_landing(warehouse, stream)
    customer = {"id": 7, "name": "Ann", "address": {"street": "Main Street"}}
    land(warehouse, stream, [Version("a", at(1), {"customer": customer, "sum": 5})])
    build(warehouse, stream)
    erase(warehouse, keys=["crm/carts=7"])
    (row,) = rows(warehouse, stream, "chart")
    assert (row["customer"], row["sum"], row["_atlas_natural_key"]) == ({"id": 7}, None, "7")


def test_a_key_that_holds_the_value_without_being_known_as_personal_stays_a_key(
    warehouse: PgConnection,
) -> None:
    (stream,) = catalogued(
        warehouse,
        {"logins": {"user": {"type": "string"}, "mail": {"type": "string"}}},
        keys={"logins": [["user"]]},
    )
    create_landing(warehouse, stream)
    versions = [
        Version(name, at(1), {"user": f"mail:{mail}", "mail": mail})
        for name, mail in (("a", ANN), ("b", BOB))
    ]
    land(warehouse, stream, versions)
    build(warehouse, stream)
    found(warehouse, stream, ("mail",))
    assert find(warehouse, ANN).rows["crm/logins"].keys == ("m***",)
    erase(warehouse, ANN)
    erase(warehouse, BOB)
    assert len({s.natural_key for s in read_navigate(warehouse, stream)}) == 2
    assert places(warehouse, ANN, BOB) == []


def test_chart_that_is_behind_its_rules_is_built_anew_first(warehouse: PgConnection) -> None:
    stream = start(warehouse, stream_policy([], None))
    rules = StreamRules(ignore=frozenset(["plan"]))
    erase(warehouse, ANN, accounts=rules)
    assert places(warehouse, ANN) == []
    assert len(read_navigate(warehouse, stream)) == 2
    check_counts(warehouse)


def test_what_is_not_compared_is_erased_in_navigate_too(warehouse: PgConnection) -> None:
    stream = start(warehouse, stream_policy([], None), key=[["plan"]])
    rules = StreamRules(ignore=frozenset(["email"]))
    build(warehouse, stream, rules=rules)
    erase(warehouse, ANN, BOB, accounts=rules)
    assert places(warehouse, ANN, BOB) == []


def test_a_policy_that_changed_nothing_of_the_key_does_not_hide_the_rest(
    warehouse: PgConnection,
) -> None:
    masked = stream_policy([FieldPolicy(("plan",), Action.MASK)], None)
    stream = start(warehouse, masked)
    erase(warehouse, ANN)
    assert {row["plan"] for row in rows(warehouse, stream, "chart")} == {"***"}
    assert {row["data"]["plan"] for row in rows(warehouse, stream, "explore")} == {"free", "paid"}


def test_a_field_that_a_rule_names_is_personal_though_no_scan_found_it(
    warehouse: PgConnection,
) -> None:
    from atlas_dagster.pii_rules import PiiPolicy, PiiRules

    start(warehouse, stream_policy([], None))
    named = PiiPolicy((PiiRules(columns={"plan": Action.MASK, "email": Action.KEEP}),))
    assert find(warehouse, "paid").rows["crm/accounts"].explore == 0
    assert (
        find(warehouse, "paid", accounts=StreamRules(pii=named)).rows["crm/accounts"].explore == 4
    )


def test_a_stream_that_has_left_the_catalog_is_named(warehouse: PgConnection) -> None:
    start(warehouse, stream_policy([], None))
    catalogued(warehouse, {"other": ACCOUNTS})
    outcome = find_subject(subjects(warehouse), read_wanted([ANN], ["crm/nothing=1"]))
    assert outcome.failures == [
        "stream crm/accounts was not part of the connection's last sync",
        "--key: no stream crm/nothing",
    ]
