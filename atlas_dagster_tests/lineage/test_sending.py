"""What a backend answers, and whether events wait, are refused, or go on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import RunState
from openlineage.client.transport.file import FileConfig, FileTransport
from openlineage.client.transport.transport import Config, Transport

from atlas_dagster.lineage import transport
from atlas_dagster.lineage.model import Dataset, DatasetName, Event, State
from atlas_dagster.lineage.sending import PATIENCE, Sender, UnavailableError, emit
from atlas_dagster.lineage.transport import open_client
from atlas_dagster_tests.lineage.backend import Answer, Backend
from atlas_dagster_tests.lineage.support import event

EVENTS = [event(State.START, "a"), event(State.COMPLETE, "a"), event(State.START, "b")]
OUTPUTS = (Dataset(DatasetName("postgres://db:5432", "dwh.chart.shop__users")),)
TOO_LARGE = f"ValueError: message of … bytes is larger than …, {PATIENCE} times, and others pass"


class SmallTransport(Transport):
    """Takes starts, and of ends those with nothing in them."""

    kind = "small"
    config_class = Config

    def emit(self, event: Any) -> None:
        if event.eventType is not RunState.START and (
            event.outputs or "errorMessage" in event.run.facets
        ):
            raise ValueError("message of 1200000 bytes is larger than 1048576")


@pytest.fixture
def client(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenLineageClient]:
    monkeypatch.setattr(transport, "TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(transport, "RETRIES", {**transport.RETRIES, "backoff_factor": 0.0})
    monkeypatch.setenv("OPENLINEAGE_URL", backend.address)
    client = open_client()
    yield client
    client.close()


def sender(client: OpenLineageClient, **more: Any) -> Sender:
    return Sender(client, time.monotonic() + 60, **more)


def test_events_arrive_in_their_order(backend: Backend, client: OpenLineageClient) -> None:
    sending = sender(client)
    assert sending.send(EVENTS) == 3
    assert backend.taken() == ["START a", "COMPLETE a", "START b"]
    assert (sending.taken, sending.refused, sending.is_stopped) == (3, [], False)


def test_a_server_error_is_tried_again_at_once(backend: Backend, client: OpenLineageClient) -> None:
    backend.misbehave("COMPLETE a", Answer(503, headers={"Retry-After": "3600"}), times=1)
    assert sender(client).send(EVENTS) == 3
    assert backend.count("COMPLETE a") == 2


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(500), "it answered 500"),
        (Answer(503, headers={"Retry-After": "3600"}), "it answered 503"),
        (Answer(429), "it answered 429"),
        (Answer(401), "it answered 401"),
        (Answer(404), "it answered 404"),
        (Answer(hangs=True), "it did not answer in time"),
    ],
)
def test_what_may_pass_stops_all_and_nothing_is_skipped(
    answer: Answer, told: str, backend: Backend, client: OpenLineageClient
) -> None:
    backend.misbehave("COMPLETE a|START b", answer, times=100)
    sending = sender(client)
    assert sending.send(EVENTS) == 1
    assert sending.stopped is not None
    assert told in sending.stopped
    assert sending.refused == []
    backend.behave()
    assert sender(client).send(EVENTS[1:]) == 2


def test_nobody_there(client: OpenLineageClient, backend: Backend) -> None:
    backend.close()
    with pytest.raises(UnavailableError, match="it cannot be reached"):
        emit(client, EVENTS[0])


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_what_is_refused_is_skipped_with_its_reason(
    status: int, backend: Backend, client: OpenLineageClient
) -> None:
    backend.misbehave("COMPLETE a", Answer(status, b"no\n such   job"))
    sending = sender(client)
    assert sending.send(EVENTS) == 3
    (refused,) = sending.refused
    assert refused.event.label == "COMPLETE of a"
    assert refused.why == f"it answered {status}: no such job"
    assert backend.taken() == ["START a", "START b"]


def test_a_long_answer_is_cut(backend: Backend, client: OpenLineageClient) -> None:
    backend.misbehave("START a", Answer(400, b"x" * 1000))
    why = emit(client, EVENTS[0])
    assert why is not None
    assert len(why) < 250


def test_an_event_that_breaks_the_backend_while_others_pass_is_refused_in_the_end(
    backend: Backend, client: OpenLineageClient
) -> None:
    backend.misbehave("COMPLETE a", Answer(500), times=1000)
    stuck = ("", 0)
    for tick in range(1, PATIENCE):
        sending = sender(client, stuck=stuck)
        assert sending.send(EVENTS[1:]) == 0
        assert sending.stopped == "it answered 500"
        stuck = sending.stuck
        assert stuck[1] == tick
    sending = sender(client, stuck=stuck)
    assert sending.send(EVENTS[1:]) == 2
    assert sending.refused[0].why == f"it answered 500, {PATIENCE} times, and others pass"
    assert sending.stuck == ("", 0)


@pytest.mark.parametrize(
    "events",
    [
        [event(State.COMPLETE, "a", outputs=OUTPUTS), event(State.START, "b")],
        [event(State.COMPLETE, "a", outputs=OUTPUTS), event(State.COMPLETE, "b", outputs=OUTPUTS)],
        [event(State.FAIL, "a", error="it broke")],
    ],
)
def test_what_the_client_cannot_send_does_not_stand_in_the_way_for_ever(
    events: list[Event],
) -> None:
    client = OpenLineageClient(transport=SmallTransport())
    stuck, ticks, refused = ("", 0), 0, 0
    while events:
        sending = sender(client, stuck=stuck)
        events = events[sending.send(events) :]
        stuck, ticks = sending.stuck, ticks + 1
        refused += len(sending.refused)
        assert all(each.why == TOO_LARGE for each in sending.refused)
        assert ticks <= 2 * PATIENCE
    assert refused > 0


def test_nothing_is_skipped_while_a_disk_is_full() -> None:
    client = OpenLineageClient(transport=FileTransport(FileConfig("/dev/full", append=True)))
    for _ in range(PATIENCE + 1):
        sending = sender(client, stuck=("", PATIENCE))
        assert sending.send(EVENTS) == 0
        assert (sending.refused, sending.stuck) == ([], ("", PATIENCE))


def test_nothing_is_refused_while_the_backend_takes_nothing_at_all(
    backend: Backend, client: OpenLineageClient
) -> None:
    backend.misbehave(".", Answer(500), times=1000)
    sending = sender(client, stuck=("", 0))
    assert sending.send(EVENTS) == 0
    assert sending.stuck == ("", 0)


def test_an_event_that_cannot_be_built_is_skipped(
    backend: Backend, client: OpenLineageClient
) -> None:
    broken = event(State.COMPLETE, "a", days=("us", "us"))
    sending = sender(client)
    assert sending.send([EVENTS[0], broken, EVENTS[2]]) == 3
    (refused,) = sending.refused
    assert refused.event is broken
    assert refused.why.startswith("it cannot be built: ValueError")
    assert backend.taken() == ["START a", "START b"]


def test_at_the_deadline_the_rest_is_left(client: OpenLineageClient) -> None:
    sending = Sender(client, time.monotonic() - 1)
    assert sending.send(EVENTS) == 0
    assert sending.out_of_time
    assert sending.stopped is None
