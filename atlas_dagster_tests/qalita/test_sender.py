"""Rounds of sending: what is due goes out in order, and what does not go out waits or is parked."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from atlas_dagster.errors import BusyError
from atlas_dagster.qalita import sender
from atlas_dagster.qalita.content import Content
from atlas_dagster.qalita.deliveries import parked, replay, write_deliveries
from atlas_dagster.qalita.mapping import QalitaMapping, Route, Subject
from atlas_dagster.qalita.objects import JobStatus
from atlas_dagster.qalita.provision import Provisioner
from atlas_dagster.qalita.sandbox.wire import detail
from atlas_dagster.qalita.sender import send_due
from atlas_dagster.qalita.targets import Targets
from atlas_dagster.warehouse import PgConnection, connect, session_lock
from atlas_dagster_tests.qalita.publishing import (
    OTHER,
    START,
    SUBJECT,
    check_once,
    delivery,
    due,
    mapping,
    published,
    send,
    send_all,
    settle,
    states,
    write,
)
from atlas_dagster_tests.qalita.support import SIGN_IN, add_target, open_api
from atlas_dagster_tests.qalita_server.double import QalitaDouble
from atlas_dagster_tests.qalita_server.routes import Generation
from atlas_dagster_tests.qalita_server.wire import BUSY, Hang, Lose, Trouble

SENT = [
    "GET /api/v2/sources/1",
    "GET /api/v2/packs/1",
    "POST /api/v2/jobs/create",
    "POST /api/v1/schemas/upload",
    "POST /api/v1/recommendations/upload",
    "POST /api/v1/metrics/upload",
    "PUT /api/v2/jobs/1",
]


@pytest.fixture(autouse=True)
def _targets(qalita_server: QalitaDouble) -> None:
    add_target(qalita_server)
    qalita_server.ledger.add_source("users")


def test_a_delivery_is_a_job_with_all_it_says(
    warehouse: PgConnection, qalita_server: QalitaDouble
) -> None:
    write(warehouse, "event-1")
    found = send(warehouse, qalita_server)
    assert (found.sent, found.parked, found.stopped, found.out_of_time) == (1, 0, None, False)
    assert qalita_server.lines() == SENT
    check_once(qalita_server, "event-1")
    (job,) = qalita_server.ledger.rows("jobs")
    assert (job["start_date"], job["end_date"]) == ("2026-11-23 12:00:00", "2026-11-23 12:00:05")
    assert states(warehouse) == {"event-1": "done"}


def test_the_marker_is_the_last_metric_and_scopes_name_the_source_as_the_platform_does(
    warehouse: PgConnection, qalita_server: QalitaDouble
) -> None:
    write(warehouse, "event-1")
    send(warehouse, qalita_server)
    dataset = {"perimeter": "dataset", "value": "orders"}
    last = qalita_server.ledger.rows("metrics")[-1]
    assert (last["key"], last["value"], last["scope"]) == ("dagster_event", "event-1", dataset)
    schemas = qalita_server.ledger.rows("schemas")
    assert [(row["key"], row["value"]) for row in schemas] == [
        ("dataset", "orders"),
        ("column", "a"),
        ("column", "b"),
    ]
    assert schemas[1]["scope"] == {"perimeter": "column", "value": "a", "parent_scope": dataset}


@pytest.mark.parametrize("generation", list(Generation))
def test_any_generation_of_the_platform_gets_the_same(
    warehouse: PgConnection, qalita_server: QalitaDouble, generation: Generation
) -> None:
    qalita_server.become(generation)
    write(warehouse, "event-1", "event-2")
    assert send(warehouse, qalita_server).sent == 2
    check_once(qalita_server, "event-1", "event-2")


def test_a_failure_has_its_message_and_no_more(
    warehouse: PgConnection, qalita_server: QalitaDouble
) -> None:
    failed = delivery(
        "event-1", status=JobStatus.FAILED, error_message="no\0 space\ud800", content=Content()
    )
    write_deliveries(warehouse, [failed])
    assert send(warehouse, qalita_server).sent == 1
    (job,) = qalita_server.ledger.rows("jobs")
    assert (job["status"], job["error_message"]) == ("failed", "no� space?")
    assert qalita_server.count("upload") == 0


def test_a_backlog_costs_no_look_ups_and_is_sent_in_order(
    warehouse: PgConnection, qalita_server: QalitaDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "PAGE", 3)
    keys = [f"event-{number:02}" for number in range(10)]
    write(warehouse, *keys)
    assert send(warehouse, qalita_server).sent == 10
    assert published(qalita_server) == keys
    assert qalita_server.count("GET") == 2
    check_once(qalita_server, *keys)


def test_schemas_are_sent_where_they_have_changed(
    warehouse: PgConnection, qalita_server: QalitaDouble
) -> None:
    for key, columns in (("1", "ab"), ("2", "ab"), ("3", "abc"), ("4", "cba"), ("5", "ab")):
        write_deliveries(warehouse, [delivery(key, columns=columns)])
    write_deliveries(warehouse, [delivery("6", Subject("id-1", "shop", "Shop", "b", "b"))])
    send(warehouse, qalita_server)
    sent = [len(row.files["file"]) > 0 for row in qalita_server.requests if "schemas" in row.path]
    assert len(sent) == 4  # 1, 3, 5, and that of another stream


def test_another_platform_gets_the_schemas_again(
    warehouse: PgConnection, qalita_server: QalitaDouble
) -> None:
    write(warehouse, "event-1")
    warehouse.execute(
        "insert into pipeline.qalita_schema (platform, source_id, pack_id, subject, digest)"
        " select 'http://sandbox', 1, 1, 'id-1/orders', 'same'"
    )
    send(warehouse, qalita_server)
    assert qalita_server.count("schemas") == 1


def test_what_is_written_twice_is_sent_once(
    warehouse: PgConnection, qalita_server: QalitaDouble
) -> None:
    twice = [delivery("event-1"), delivery("event-2"), delivery("event-1")]
    assert [write_deliveries(warehouse, twice) for _ in range(2)] == [2, 0]
    send(warehouse, qalita_server)
    assert write_deliveries(warehouse, twice) == 0
    send(warehouse, qalita_server)
    check_once(qalita_server, "event-1", "event-2")


@pytest.mark.parametrize("key", ["", "x" * 101])
def test_a_key_that_is_no_name_of_a_job_is_refused(warehouse: PgConnection, key: str) -> None:
    with pytest.raises(ValueError, match="1 to 100 characters"):
        write(warehouse, key)


def test_one_sender_is_at_it_at_a_time(
    warehouse: PgConnection, warehouse_url: str, qalita_server: QalitaDouble
) -> None:
    write(warehouse, "event-1")
    with connect(warehouse_url) as other, session_lock(other, sender.LOCK, "x"):
        with pytest.raises(BusyError, match=r"^another sender is publishing to QALITA$"):
            send(warehouse, qalita_server)
        assert qalita_server.lines() == []
    assert send(warehouse, qalita_server).sent == 1


def test_a_connection_that_does_not_commit_is_refused(
    warehouse_url: str, qalita_server: QalitaDouble
) -> None:
    api = open_api(qalita_server)
    with (
        connect(warehouse_url, autocommit=False) as open_transaction,
        pytest.raises(ValueError, match="must be committed"),
    ):
        send_due(open_transaction, api, Targets(api, mapping()))


class TestWaiting:
    """What cannot be sent yet is kept, in its order."""

    def test_without_a_mapping_it_waits_and_nobody_is_asked(
        self, warehouse: PgConnection, qalita_server: QalitaDouble
    ) -> None:
        write(warehouse, "event-1", "event-2")
        write(warehouse, "event-3", subject=OTHER)
        found = send(warehouse, qalita_server, mapping(None, crm=2))
        assert (found.sent, published(qalita_server)) == (1, ["event-3"])
        assert found.unmapped == {
            "shop/orders": "config/qalita.json: shop/orders (id-1) has no entry in connection_map,"
            " and there is no default"
        }
        assert send(warehouse, qalita_server, mapping(1)).sent == 2
        check_once(qalita_server, "event-1", "event-2", "event-3")

    def test_ids_that_do_not_resolve_are_refused_before_a_job_is_made(
        self, warehouse: PgConnection, qalita_server: QalitaDouble
    ) -> None:
        write(warehouse, "event-1", "event-2")
        write(warehouse, "event-3", subject=OTHER)
        found = send(warehouse, qalita_server, mapping(2, shop=77))
        assert found.unmapped == {
            "shop/orders": "config/qalita.json:2: connection_map.shop.source_id: QALITA has no"
            " source 77, or does not show it to us"
        }
        assert [row["name"] for row in qalita_server.ledger.rows("jobs")] == ["event-3"]
        assert send(warehouse, qalita_server).sent == 2
        check_once(qalita_server, "event-1", "event-2", "event-3")

    def test_a_source_is_published_where_that_is_switched_on(
        self, warehouse: PgConnection, qalita_server: QalitaDouble
    ) -> None:
        write(warehouse, "event-1", "event-2")
        api = open_api(qalita_server)
        route = Route("config/qalita.json:9: default", None, None, 1, None)
        pack_only = QalitaMapping("config/qalita.json", default=route)
        targets = Targets(api, pack_only, Provisioner(warehouse, api, 60))
        assert send_due(warehouse, api, targets).sent == 2
        assert [row["name"] for row in qalita_server.ledger.rows("sources")][2:] == ["shop"]
        check_once(qalita_server, "event-1", "event-2")

    @pytest.mark.parametrize("trouble", [BUSY, detail(429, "no"), Lose(), Lose(after=False)])
    def test_what_comes_later_for_the_same_source_waits_too(
        self, warehouse: PgConnection, qalita_server: QalitaDouble, trouble: Trouble
    ) -> None:
        write(warehouse, "event-1")
        write(warehouse, "event-2", subject=OTHER)
        write(warehouse, "event-3")
        qalita_server.misbehave("metrics/upload", trouble)
        for _ in range(2):
            send(warehouse, qalita_server, mapping(1, crm=2))
        assert set(published(qalita_server)) <= {"event-1", "event-2"}
        send_all(warehouse, qalita_server, routes=mapping(1, crm=2))
        order = [key for key in published(qalita_server) if key != "event-2"]
        assert order == ["event-1", "event-3"]
        check_once(qalita_server, "event-1", "event-2", "event-3")

    def test_two_connections_of_one_source_keep_their_order_too(
        self, warehouse: PgConnection, qalita_server: QalitaDouble
    ) -> None:
        write(warehouse, "event-1")
        write(warehouse, "event-2", subject=OTHER)
        qalita_server.misbehave("create", detail(429, "no"))
        found = send(warehouse, qalita_server)
        assert found.sent == 0
        assert found.troubles.keys() == {"event-1"}

    def test_a_platform_that_is_down_is_left_alone_after_the_first_try(
        self, warehouse: PgConnection, qalita_server: QalitaDouble
    ) -> None:
        write(warehouse, "event-1")
        write(warehouse, "event-2", subject=OTHER)
        found = send(warehouse, qalita_server, mapping(1, crm=2), base_url="http://127.0.0.1:1")
        assert found.stopped
        assert found.stopped.startswith("QALITA at 127.0.0.1:1 is not reachable")
        assert found.troubles.keys() == {"event-1"}
        assert states(warehouse) == {"event-1": "open", "event-2": "open"}
        assert 0 < due(warehouse)["event-1"] <= 5

    def test_a_platform_that_always_fails_is_left_alone_after_some_tries(
        self, warehouse: PgConnection, qalita_server: QalitaDouble
    ) -> None:
        routes = {}
        for number in range(5):
            qalita_server.ledger.add_source(f"s{number}")
            subject = Subject(f"id-{number}", f"c{number}", f"c{number}")
            write(warehouse, f"event-{number}", subject=subject)
            routes[f"c{number}"] = number + 1
        qalita_server.misbehave("create", BUSY, times=99)
        found = send(warehouse, qalita_server, mapping(**routes))
        assert found.stopped == "QALITA answered 503 to POST /api/v2/jobs/create: try again"
        assert qalita_server.count("create") == 3

    def test_wrong_credentials_stop_the_round_and_park_nothing(
        self, warehouse: PgConnection, qalita_server: QalitaDouble
    ) -> None:
        write(warehouse, "event-1")
        found = send(warehouse, qalita_server, token="wrong")
        assert found.stopped == "QALITA refuses QALITA_TOKEN"
        assert states(warehouse) == {"event-1": "open"}

    def test_a_session_that_ends_in_the_middle_is_renewed(
        self, warehouse: PgConnection, qalita_server: QalitaDouble
    ) -> None:
        for number, place in enumerate(("create", "schemas", "recommendations", "metrics", "PUT")):
            qalita_server.misbehave(place, detail(401, "expired"))
            key = f"event-{number}"
            write_deliveries(warehouse, [delivery(key, columns="ab"[: number % 2 + 1])])
            assert send(warehouse, qalita_server, **SIGN_IN).sent == 1
        assert len(published(qalita_server)) == 5
        assert len(qalita_server.ledger.rows("jobs")) == 5

    def test_waits_grow_with_tries_up_to_ten_minutes(
        self, warehouse: PgConnection, qalita_server: QalitaDouble
    ) -> None:
        write(warehouse, "event-1")
        qalita_server.misbehave("create", detail(429, "no"), times=99)
        longest = [5, 10, 20, 40, 80, 160, 320, 600, 600]
        for most in longest:
            settle(warehouse)
            send(warehouse, qalita_server)
            assert most / 2 - 1 <= due(warehouse)["event-1"] <= most
        assert states(warehouse) == {"event-1": "open"}

    def test_a_round_ends_with_its_time_and_the_next_goes_on(
        self, warehouse: PgConnection, qalita_server: QalitaDouble
    ) -> None:
        write(warehouse, *(f"event-{number}" for number in range(5)))
        times = iter(range(100))
        api = open_api(qalita_server)
        found = send_due(
            warehouse, api, Targets(api, mapping()), budget_seconds=12, clock=lambda: next(times)
        )
        assert found.out_of_time
        assert 0 < found.sent < 5
        send_all(warehouse, qalita_server)
        check_once(qalita_server, *states(warehouse))

    def test_a_hang_does_not_outlast_the_round(
        self, warehouse: PgConnection, qalita_server: QalitaDouble
    ) -> None:
        write(warehouse, "event-1")
        qalita_server.misbehave("metrics/upload", Hang())
        api = open_api(qalita_server, settle_seconds=3600)
        found = send_due(warehouse, api, Targets(api, mapping()), budget_seconds=0.5)
        assert found.stopped
        assert found.stopped.endswith("did not answer in time")
        send_all(warehouse, qalita_server)
        check_once(qalita_server, "event-1")


class TestParked:
    """What QALITA refuses for good."""

    @pytest.mark.parametrize("status", [400, 403, 413, 422])
    @pytest.mark.parametrize("place", ["create", "schemas", "recommendations", "metrics", "PUT"])
    def test_a_refusal_is_parked_with_its_reason_and_does_not_hold_up_the_next(
        self, warehouse: PgConnection, qalita_server: QalitaDouble, place: str, status: int
    ) -> None:
        write(warehouse, "event-1", "event-2")
        qalita_server.misbehave(place, detail(status, "too much", X_Request_ID="r-7"))
        found = send(warehouse, qalita_server)
        assert (found.sent, found.parked, found.stopped) == (1, 1, None)
        (refused,) = parked(warehouse)
        assert (refused.key, refused.label, refused.request_id) == ("event-1", "shop/orders", "r-7")
        assert refused.reason.startswith(f"QALITA answered {status} to ")
        assert refused.reason.endswith(": too much")
        jobs = {row["name"]: row["status"] for row in qalita_server.ledger.rows("jobs")}
        if place == "PUT":
            assert jobs["event-1"] == "running"  # that is what was refused
        else:
            assert jobs.get("event-1", "failed") == "failed"
        assert jobs["event-2"] == "succeeded"

    @pytest.mark.parametrize("place", ["create", "schemas", "recommendations", "metrics", "PUT"])
    def test_a_replay_sends_what_is_missing(
        self, warehouse: PgConnection, qalita_server: QalitaDouble, place: str
    ) -> None:
        write(warehouse, "event-1", "event-2")
        qalita_server.misbehave(place, detail(422, "no"))
        send(warehouse, qalita_server)
        (refused,) = parked(warehouse)
        assert replay(warehouse, [refused.id + 1]) == 0
        assert replay(warehouse, [refused.id]) == 1
        assert send(warehouse, qalita_server).sent == 1
        check_once(qalita_server, "event-1", "event-2")

    def test_a_replay_may_go_to_another_source(
        self, warehouse: PgConnection, qalita_server: QalitaDouble
    ) -> None:
        write(warehouse, "event-1")
        qalita_server.misbehave("metrics", detail(403, "not yours"))
        send(warehouse, qalita_server)
        replay(warehouse)
        assert send(warehouse, qalita_server, mapping(2)).sent == 1
        jobs = qalita_server.ledger.rows("jobs")
        assert [(j["source_id"], j["status"]) for j in jobs] == [(1, "failed"), (2, "succeeded")]
        assert published(qalita_server) == ["event-1"]

    def test_the_job_says_why_it_has_failed(
        self, warehouse: PgConnection, qalita_server: QalitaDouble
    ) -> None:
        write(warehouse, "event-1")
        qalita_server.misbehave("metrics", detail(413, "too large"))
        send(warehouse, qalita_server)
        (job,) = qalita_server.ledger.rows("jobs")
        assert job["error_message"] == (
            "not published by Atlas: QALITA answered 413 to POST /api/v1/metrics/upload: too large"
        )
        assert job["end_date"] == "2026-11-23 12:00:05"

    def test_a_refusal_whose_job_cannot_be_closed_is_told_with_both(
        self, warehouse: PgConnection, qalita_server: QalitaDouble
    ) -> None:
        write(warehouse, "event-1")
        qalita_server.misbehave("metrics", detail(413, "too large"))
        qalita_server.misbehave("PUT", detail(400, "no end"))
        send(warehouse, qalita_server)
        (refused,) = parked(warehouse)
        assert "too large; its job 1 is left running: " in refused.reason
        assert refused.reason.endswith("no end")

    def test_a_replay_while_the_platform_is_down_forgets_nothing(
        self, warehouse: PgConnection, qalita_server: QalitaDouble
    ) -> None:
        write(warehouse, "event-1")
        qalita_server.misbehave("metrics", detail(422, "no"))
        send(warehouse, qalita_server)
        replay(warehouse)
        assert send(warehouse, qalita_server, base_url="http://127.0.0.1:1").stopped
        send_all(warehouse, qalita_server)
        check_once(qalita_server, "event-1")


def test_times_go_out_in_utc(warehouse: PgConnection, qalita_server: QalitaDouble) -> None:
    east = START.astimezone(timezone(timedelta(hours=9)))
    write_deliveries(warehouse, [delivery("e", started_at=east, ended_at=east, subject=SUBJECT)])
    send(warehouse, qalita_server)
    (job,) = qalita_server.ledger.rows("jobs")
    assert job["start_date"] == job["end_date"] == "2026-11-23 12:00:00"
