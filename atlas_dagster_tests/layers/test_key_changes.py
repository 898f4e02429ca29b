"""What a build of navigate says of keys: how many are new, changed and deleted."""

from __future__ import annotations

from typing import Any

import pytest

from atlas_dagster.layers.navigate import KeyChanges
from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import (
    at,
    chart,
    insert_explore,
    make_stream,
    navigate,
    start_layers,
)
from atlas_dagster_tests.properties.oracle import Version

PROPERTIES = {
    "id": {"type": "integer"},
    "name": {"type": "string"},
    "_ab_cdc_deleted_at": {"type": "string"},
}
STREAM = make_stream(PROPERTIES)


def version(raw_id: str, day: int, key: int, name: str, **more: Any) -> Version:
    return Version(raw_id, at(day), {**dict.fromkeys(PROPERTIES), "id": key, "name": name, **more})


def bring(connection: PgConnection, *versions: Version) -> KeyChanges | None:
    insert_explore(connection, STREAM, versions)
    chart(connection, STREAM)
    return navigate(connection, STREAM).keys


@pytest.fixture
def built(warehouse: PgConnection) -> PgConnection:
    """A history of Ann and Ben, as of the 10th."""
    start_layers(warehouse, STREAM)
    changes = bring(warehouse, version("a", 10, 1, "Ann"), version("b", 10, 2, "Ben"))
    assert changes == KeyChanges(new=2)
    return warehouse


def test_what_a_day_brings_is_new_changed_or_deleted(built: PgConnection) -> None:
    changes = bring(
        built,
        version("a2", 11, 1, "Anna"),
        version("b2", 11, 2, "Ben", _ab_cdc_deleted_at="2024-01-11"),
        version("c", 11, 3, "Cem"),
        version("d", 11, 4, "Dora"),
        version("e", 11, 5, "Eve"),
    )
    assert changes == KeyChanges(new=3, changed=1, deleted=1)


def test_what_comes_again_unchanged_is_nothing(built: PgConnection) -> None:
    assert bring(built, version("a2", 11, 1, "Ann")) == KeyChanges()


def test_what_comes_and_goes_within_a_day_is_nothing(built: PgConnection) -> None:
    gone = version("c2", 12, 3, "Cem", _ab_cdc_deleted_at="2024-01-12")
    assert bring(built, version("c", 11, 3, "Cem"), gone) == KeyChanges()


def test_a_late_version_that_only_corrects_the_past_is_nothing(built: PgConnection) -> None:
    assert bring(built, version("a0", 5, 1, "A.")) == KeyChanges()


def test_a_key_that_was_deleted_and_is_back_is_new(built: PgConnection) -> None:
    bring(built, version("b2", 11, 2, "Ben", _ab_cdc_deleted_at="2024-01-11"))
    assert bring(built, version("b3", 12, 2, "Ben")) == KeyChanges(new=1)


def test_a_history_that_is_built_anew_is_compared_with_nothing(built: PgConnection) -> None:
    rules = StreamRules(ignore=frozenset({"name"}))
    chart(built, STREAM, rules)
    assert navigate(built, STREAM, rules).keys is None
