"""A person who was erased is in no table any more, and does not come back."""

from __future__ import annotations

from typing import Any

import pytest

from atlas_dagster.catalog import Stream
from atlas_dagster.errors import ConfigError
from atlas_dagster.subjects.erase import Mode
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
    build,
    catalogued,
    check_counts,
    erase,
    find,
    found,
    places,
)

ANN, NEW_ANN, BOB = "ann@example.com", "ann@new.example", "bob@example.com"
PEOPLE = {
    "id": {"type": "integer"},
    "email": {"type": "string"},
    "born": {"type": "string", "format": "date"},
    "city": {"type": "string"},
    "contact": {"type": "object"},
}


def person(raw_id: str, day: int, key: int, email: str, **more: Any) -> Version:
    return Version(raw_id, at(day), {"id": key, "email": email, **more})


VERSIONS = [
    person("a1", 1, 1, ANN, city="Ulm", contact={"phones": ["0123456"], "note": "x"}),
    person("a2", 2, 1, NEW_ANN, city="Ulm"),
    person("a3", 3, 1, NEW_ANN, city="Bonn"),
    person("b1", 1, 2, BOB, city="Ulm"),
    person("b2", 3, 2, BOB, city="Kiel"),
]


@pytest.fixture
def people(warehouse: PgConnection) -> Stream:
    """Ann, who has another address since the second day, and Bob."""
    (stream,) = catalogued(warehouse, {"people": PEOPLE})
    create_landing(warehouse, stream)
    land(warehouse, stream, VERSIONS)
    build(warehouse, stream)
    found(warehouse, stream, ("email",), ("contact", "phones", "[]"))
    return stream


def values(connection: PgConnection, stream: Stream, layer: str, column: str) -> list[Any]:
    if layer == "explore":
        return [row["data"].get(column) for row in rows(connection, stream, layer)]
    return [row[column] for row in rows(connection, stream, layer)]


def test_redacting_leaves_the_versions_of_the_key_without_their_personal_data(
    warehouse: PgConnection, people: Stream
) -> None:
    outcome = erase(warehouse, NEW_ANN)
    assert outcome.rows["crm/people"].by_layer == {
        "explore": 3,
        "chart": 3,
        "navigate": 3,
        "landing": 3,
    }
    for layer in ("explore", "chart"):
        emails = values(warehouse, people, layer, "email")
        assert emails == ["<erased>"] * 3 + [BOB] * 2
    assert values(warehouse, people, "chart", "city") == ["Ulm", "Ulm", "Bonn", "Ulm", "Kiel"]
    first = rows(warehouse, people, "explore")[0]["data"]
    assert first["contact"] == {"phones": ["<erased>"], "note": "x"}
    check_counts(warehouse)
    assert places(warehouse, ANN, NEW_ANN, "0123456") == []


def test_history_follows_from_what_is_left(warehouse: PgConnection, people: Stream) -> None:
    erase(warehouse, ANN)
    ann = [s for s in read_navigate(warehouse, people) if s.natural_key == "1"]
    # The first version told of phones, the second one did not; the third has another city.
    assert [(s.raw_id, s.valid_from, s.valid_to) for s in ann] == [
        ("a1", at(1), at(2)),
        ("a2", at(2), at(3)),
        ("a3", at(3), None),
    ]
    before = read_navigate(warehouse, people)
    warehouse.execute("drop table navigate.crm__people cascade; drop table chart.crm__people")
    build(warehouse, people)
    assert read_navigate(warehouse, people) == before


def test_removing_leaves_no_version_and_counts_stay_right(
    warehouse: PgConnection, people: Stream
) -> None:
    erase(warehouse, ANN, mode=Mode.REMOVE)
    for layer in ("explore", "chart", "navigate"):
        assert [row["_airbyte_raw_id"] for row in rows(warehouse, people, layer)] == ["b1", "b2"]
    check_counts(warehouse)
    assert places(warehouse, ANN, NEW_ANN, "0123456") == []


@pytest.mark.parametrize("mode", Mode)
def test_a_reload_of_explore_does_not_bring_it_back(
    warehouse: PgConnection, people: Stream, mode: Mode
) -> None:
    erase(warehouse, ANN, mode=mode)
    warehouse.execute("truncate pipeline.explore_progress")
    build(warehouse, people)
    assert places(warehouse, ANN, NEW_ANN) == []
    warehouse.execute("drop table explore.crm__people, chart.crm__people")
    warehouse.execute("drop table navigate.crm__people cascade")
    build(warehouse, people)
    assert [row["_airbyte_raw_id"] for row in rows(warehouse, people, "explore")] == ["b1", "b2"]
    assert places(warehouse, ANN, NEW_ANN) == []


@pytest.mark.parametrize(
    "late",
    [
        person("late", 4, 9, ANN),
        person("late", 4, 1, "ann@unknown.example"),
        person("late", 4, 9, "", contact={"phones": [ANN]}),
    ],
    ids=["the value", "the key", "the value in a list"],
)
def test_what_was_extracted_before_and_lands_later_is_not_taken(
    warehouse: PgConnection, people: Stream, late: Version
) -> None:
    erase(warehouse, ANN)
    land(warehouse, people, [late, person("b3", 4, 2, BOB, city="Rom")])
    assert load(warehouse, people).rows == 1
    warehouse.execute("update pipeline.erased_key set erased_at = '2024-01-03'")
    warehouse.execute("update pipeline.erased_value set erased_at = '2024-01-03'")
    warehouse.execute("truncate pipeline.explore_progress")
    assert load(warehouse, people).rows == 1  # extracted after the erasure: new data


def test_what_was_extracted_after_the_erasure_is_new(
    warehouse: PgConnection, people: Stream
) -> None:
    erase(warehouse, ANN, mode=Mode.REMOVE)
    warehouse.execute(
        "insert into landing.people values ('new', now() + interval '1 second', '{}', 1, 1, %s)",
        (ANN,),
    )
    build(warehouse, people)
    assert [s.raw_id for s in read_navigate(warehouse, people) if s.natural_key == "1"] == ["new"]


def test_an_overwrite_that_lands_the_same_record_anew_is_new_data_and_the_old_stays_away(
    warehouse: PgConnection, people: Stream
) -> None:
    erase(warehouse, ANN, mode=Mode.REMOVE)
    warehouse.execute("create table landing.swap (like landing.people)")
    warehouse.execute("insert into landing.swap select * from landing.people")
    warehouse.execute("drop table landing.people; alter table landing.swap rename to people")
    build(warehouse, people)
    assert places(warehouse, ANN, NEW_ANN) == []


def test_the_value_goes_from_other_fields_of_the_record_too(
    warehouse: PgConnection, people: Stream
) -> None:
    note = {"note": f'"wrote to {ANN}"', ANN: {"deep": [f"{ANN}."]}, "as part": f"x{ANN}"}
    more = person("a4", 4, 1, NEW_ANN, city=ANN, contact=note)
    other = person("b3", 4, 2, BOB, city=ANN)
    land(warehouse, people, [more, other])
    build(warehouse, people)
    outcome = erase(warehouse, ANN)
    kept = {row["_airbyte_raw_id"]: row["data"] for row in rows(warehouse, people, "explore")}
    a4, b3 = kept["a4"], kept["b3"]
    assert a4["city"] == "<erased>"
    assert a4["contact"] == {
        "note": '"wrote to <erased>"',
        "<erased>": {"deep": ["<erased>."]},
        "as part": f"x{ANN}",
    }
    assert b3["city"] == ANN
    assert outcome.rows["crm/people"].elsewhere == 1


def test_a_typed_column_becomes_null_and_the_row_stays_valid(
    warehouse: PgConnection, people: Stream
) -> None:
    found(warehouse, people, ("born",), ("email",))
    land(warehouse, people, [person("a4", 4, 1, ANN, born=at(1).date())])
    build(warehouse, people)
    erase(warehouse, ANN)
    last = rows(warehouse, people, "chart")[3]
    assert (last["_airbyte_raw_id"], last["born"], last["_atlas_valid"]) == ("a4", None, True)


def test_without_known_personal_data_all_fields_but_the_key_are_redacted(
    warehouse: PgConnection, people: Stream
) -> None:
    warehouse.execute("truncate pipeline.pii_scan cascade")
    erase(warehouse, keys=["crm/people=1"])
    first, second, *_ = rows(warehouse, people, "chart")
    told = {name: first[name] for name in PEOPLE}
    assert told == {
        "id": 1,
        "email": "<erased>",
        "born": None,
        "city": "<erased>",
        "contact": "<erased>",
    }
    assert second["contact"] is None
    assert places(warehouse, ANN, "Bonn") == []
    assert len([s for s in read_navigate(warehouse, people) if s.natural_key == "1"]) == 2


def test_a_value_that_nobody_has_changes_nothing(warehouse: PgConnection, people: Stream) -> None:
    before = [rows(warehouse, people, layer) for layer in ("explore", "chart", "navigate")]
    assert not erase(warehouse, "eve@example.com").found
    assert [rows(warehouse, people, x) for x in ("explore", "chart", "navigate")] == before


def test_the_audit_says_who_did_what_to_how_many_rows_and_never_to_whom(
    warehouse: PgConnection, people: Stream
) -> None:
    find(warehouse, ANN)
    erase(warehouse, ANN, keys=["crm/people=1"], mode=Mode.REMOVE)
    find(warehouse, ANN)
    audit = warehouse.execute(
        "select action, operator <> '', cardinality(digests), streams, ended_at >= started_at"
        " from pipeline.subject_action order by 1"
    ).fetchall()
    counted = {"crm/people": {"explore": 3, "chart": 3, "navigate": 3, "landing": 3}}
    assert audit[0] == ("find", True, 1, counted, True)
    assert audit[1][3] == {"crm/people": {"explore": 0, "chart": 0, "navigate": 0, "landing": 1}}
    assert audit[2] == ("remove", True, 2, counted, True)
    assert places(warehouse, ANN) == []


def test_a_number_in_the_key_that_is_personal_cannot_be_redacted(
    warehouse: PgConnection, people: Stream
) -> None:
    found(warehouse, people, ("id",), ("email",))
    with pytest.raises(
        AssertionError, match=r"id is in the natural key, is personal, and takes no"
    ):
        erase(warehouse, ANN)
    assert ANN in values(warehouse, people, "explore", "email")
    erase(warehouse, ANN, mode=Mode.REMOVE)
    assert places(warehouse, ANN) == []


def test_streams_without_chart_or_navigate_are_erased_as_well(
    warehouse: PgConnection, people: Stream
) -> None:
    warehouse.execute("drop table navigate.crm__people cascade")
    warehouse.execute("delete from pipeline.layer_table where layer = 'navigate'")
    erase(warehouse, ANN)
    warehouse.execute("drop table chart.crm__people")
    warehouse.execute("delete from pipeline.layer_table where layer = 'chart'")
    erase(warehouse, BOB)
    assert places(warehouse, ANN, NEW_ANN, BOB) == []
    build(warehouse, people)
    assert {s.natural_key for s in read_navigate(warehouse, people)} == {"1", "2"}


def test_a_version_that_is_not_in_chart_yet_is_erased_and_charted_by_its_own_build(
    warehouse: PgConnection, people: Stream
) -> None:
    land(warehouse, people, [person("a4", 4, 1, ANN, city="Rom")])
    load(warehouse, people)
    erase(warehouse, ANN)
    assert len(rows(warehouse, people, "chart")) == len(VERSIONS)
    build(warehouse, people)
    assert rows(warehouse, people, "chart")[3]["city"] == "Rom"
    assert places(warehouse, ANN, NEW_ANN) == []


def test_a_key_of_several_parts_has_to_be_given_in_all_of_them(
    warehouse: PgConnection,
) -> None:
    (stream,) = catalogued(
        warehouse,
        {
            "visits": {
                "country": {"type": "string"},
                "no": {"type": "number"},
                "who": {"type": "string"},
            }
        },
        keys={"visits": [["country"], ["no"]]},
    )
    create_landing(warehouse, stream)
    land(
        warehouse,
        stream,
        [
            Version("a", at(1), {"country": "DE", "no": 1, "who": "Ann"}),
            Version("b", at(1), {"country": "DE", "no": 2, "who": "Bob"}),
        ],
    )
    build(warehouse, stream)
    assert find(warehouse, keys=['crm/visits=["DE", 1.0]']).rows["crm/visits"].explore == 1
    assert find(warehouse, keys=['crm/visits=["DE", 1]']).rows["crm/visits"].keys == (
        '["DE", "1"]',
    )
    erase(warehouse, keys=['crm/visits=["DE", 1]'])
    assert values(warehouse, stream, "chart", "who") == ["<erased>", "Bob"]
    for wrong in ("DE", '["DE"]', "[", '{"a": 1}'):
        with pytest.raises(AssertionError, match=r"its natural key has 2 parts, country, no: give"):
            find(warehouse, keys=[f"crm/visits={wrong}"])


def test_nothing_to_look_for_is_refused() -> None:
    from atlas_dagster.subjects.wanted import read_wanted

    for given in (((), ()), (("",), ()), ((), ("crm/people",)), (("a\0",), ()), (("\udcff",), ())):
        with pytest.raises(ConfigError) as error:
            read_wanted(*given)
        assert "\udcff" not in str(error.value)


def test_old_addresses_that_only_chart_has_stay_away_from_explore(
    warehouse: PgConnection, people: Stream
) -> None:
    purge(warehouse, people, at(9).date())
    erase(warehouse, NEW_ANN, mode=Mode.REMOVE)
    warehouse.execute("truncate pipeline.explore_progress")
    build(warehouse, people)
    assert places(warehouse, ANN, NEW_ANN) == []


def test_a_version_that_claims_to_be_of_the_future_stays_away_too(
    warehouse: PgConnection, people: Stream
) -> None:
    future = at(1).replace(year=2093)
    land(warehouse, people, [Version("future", future, {"id": 3, "email": ANN})])
    build(warehouse, people)
    erase(warehouse, ANN, mode=Mode.REMOVE)
    warehouse.execute("truncate pipeline.explore_progress")
    build(warehouse, people)
    assert places(warehouse, ANN) == []


def test_segments_of_versions_that_nobody_has_any_more_go_with_their_key(
    warehouse: PgConnection, people: Stream
) -> None:
    purge(warehouse, people, at(2).date())
    warehouse.execute("drop table chart.crm__people")
    warehouse.execute("delete from pipeline.layer_table where layer = 'chart'")
    erase(warehouse, NEW_ANN)
    assert places(warehouse, ANN, NEW_ANN) == []
    check_counts(warehouse)


def test_a_key_that_navigate_has_not_followed_yet_is_forgotten(
    warehouse: PgConnection, people: Stream
) -> None:
    warehouse.execute("drop table navigate.crm__people cascade")
    warehouse.execute("delete from pipeline.layer_table where layer = 'navigate'")
    warehouse.execute("insert into pipeline.dirty_key values ('crm__people', '1', now())")
    erase(warehouse, ANN)
    assert warehouse.execute("select from pipeline.dirty_key").fetchall() == []


def test_what_quality_checks_keep_of_the_rows_goes_with_them(
    warehouse: PgConnection, people: Stream
) -> None:
    (scan,) = warehouse.execute(
        "insert into pipeline.quality_score"
        " (table_name, run_id, status, coverage, is_graded, not_checked)"
        " values (%s, 'run', 'fail', 1, true, '{}') returning scan_id",
        (people.table_name,),
    ).fetchone() or (0,)
    warehouse.execute(
        "insert into pipeline.quality_result (scan_id, check_name, rule, dimension, columns,"
        " origin, status, message) values (%s, 'city', '', '', '{}', '', 'fail', '')",
        (scan,),
    )
    for position, (raw_id, key, city) in enumerate(
        (("a1", None, f"near {ANN}"), ("gone", "1", "Bonn"), ("b1", "2", "Ulm"))
    ):
        warehouse.execute(
            "insert into pipeline.quality_failed_row"
            " (scan_id, check_name, position, raw_id, natural_key, shown)"
            " values (%s, 'city', %s, %s, %s, jsonb_build_object('city', %s::text))",
            (scan, position, raw_id, key, city),
        )
    erase(warehouse, ANN)
    kept = warehouse.execute("select raw_id from pipeline.quality_failed_row").fetchall()
    assert kept == [("b1",)]
