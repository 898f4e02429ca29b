"""Whatever goes wrong at whichever step, in the end there is one job and one set of metrics."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from atlas_dagster.qalita.deliveries import parked, replay
from atlas_dagster.qalita.http import QalitaHttp
from atlas_dagster.qalita.sandbox.wire import UNAUTHORIZED, Answer, detail
from atlas_dagster.warehouse import PgConnection, connect
from atlas_dagster_tests.qalita.publishing import (
    check_once,
    due,
    published,
    send,
    send_all,
    settle,
    states,
    write,
)
from atlas_dagster_tests.qalita.support import add_target
from atlas_dagster_tests.qalita_server.double import QalitaDouble
from atlas_dagster_tests.qalita_server.routes import Generation
from atlas_dagster_tests.qalita_server.wire import After, Cut, Do, Late, Lose, Trouble

STEPS = ["POST .*/jobs", "schemas/upload", "recommendations/upload", "metrics/upload", "PUT"]
UPLOADS = STEPS[1:4]
GARBAGE = Answer(200, b"<html>a proxy's page</html>", {"Content-Type": "text/html"})
TROUBLES: dict[str, Trouble] = {
    "500 before": detail(500, "Internal Server Error"),
    "500 after": After(detail(500, "Internal Server Error")),
    "502 after": After(detail(502, "Bad Gateway")),
    "408": detail(408, "Request Timeout"),
    "429": detail(429, "Too Many Requests", Retry_After="1"),
    "401 always": UNAUTHORIZED,
    "lost before": Lose(after=False),
    "lost after": Lose(),
    "garbage before": GARBAGE,
    "garbage after": After(GARBAGE),
    "cut JSON after": After(Answer(201, b'{"id": ')),
    "redirect": Answer(302, b"", {"Location": "/login"}),
    "409 after": After(detail(409, "already exist")),
}


@pytest.fixture(autouse=True)
def _target(qalita_server: QalitaDouble) -> None:
    add_target(qalita_server)


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("times", [1, 3])
def test_trouble_at_a_step_loses_and_doubles_nothing(
    warehouse: PgConnection, qalita_server: QalitaDouble, step: str, trouble: str, times: int
) -> None:
    write(warehouse, "event-1", "event-2")
    qalita_server.misbehave(step, TROUBLES[trouble], times)
    for _ in range(times):
        send(warehouse, qalita_server)
        settle(warehouse)
    qalita_server.behave()
    if parked(warehouse):
        assert (trouble, step) == ("409 after", "PUT")
        replay(warehouse)
    send_all(warehouse, qalita_server)
    assert set(states(warehouse).values()) == {"done"}
    assert published(qalita_server) == ["event-1", "event-2"]
    check_once(qalita_server, "event-1", "event-2")


@pytest.mark.parametrize("step", STEPS[:4])
def test_what_the_platform_does_after_we_gave_up_is_waited_for(
    warehouse: PgConnection, qalita_server: QalitaDouble, step: str
) -> None:
    write(warehouse, "event-1", "event-2")
    late = Late()
    qalita_server.misbehave(step, late)
    hasty: dict[str, Any] = {"request_seconds": 0.2, "upload_seconds": 0.2}
    send(warehouse, qalita_server, **hasty)
    assert states(warehouse) == {"event-1": "in_doubt", "event-2": "open"}
    assert due(warehouse)["event-1"] > 3000
    sent = len(qalita_server.requests)
    send(warehouse, qalita_server)  # nothing is due: nothing is asked or sent
    assert len(qalita_server.requests) == sent
    late.now.set()
    assert late.done.wait(timeout=30)
    send_all(warehouse, qalita_server)
    check_once(qalita_server, "event-1", "event-2")


@pytest.mark.parametrize("items", [0, 1, 2, 3])
@pytest.mark.parametrize("step", UPLOADS)
def test_an_upload_that_is_taken_in_part_is_completed(
    warehouse: PgConnection, qalita_server: QalitaDouble, step: str, items: int
) -> None:
    write(warehouse, "event-0")
    send(warehouse, qalita_server)
    write(warehouse, "event-1", "event-2")
    if step == "schemas/upload":  # one that has changed
        warehouse.execute("delete from pipeline.qalita_schema")
        qalita_server.ledger.table("schemas").clear()
    qalita_server.misbehave(step, Cut(items))
    send(warehouse, qalita_server)
    send_all(warehouse, qalita_server)
    check_once(qalita_server, "event-0", "event-1", "event-2")


SWITCHES: list[dict[str, Any]] = [
    {"filters": False},
    {"filters": False, "pages": False},
    {"newest_first": False, "most_rows": 2},
    {"empty_is_204": True},
    {"wraps_lists": True},
]


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
@pytest.mark.parametrize("generation", list(Generation))
def test_look_ups_do_not_rely_on_how_the_platform_lists(
    warehouse: PgConnection,
    qalita_server: QalitaDouble,
    generation: Generation,
    switches: dict[str, Any],
) -> None:
    qalita_server.become(generation)
    vars(qalita_server.routes).update(switches)
    keys = [f"event-{number}" for number in range(6)]
    write(warehouse, *keys)
    for step in (*STEPS, *STEPS):
        qalita_server.misbehave(step, Lose())
    send_all(warehouse, qalita_server)
    check_once(qalita_server, *keys)


def test_metrics_are_sent_once_where_nothing_else_can_be_listed(
    warehouse: PgConnection, qalita_server: QalitaDouble
) -> None:
    qalita_server.routes.lists_content = False
    write(warehouse, "event-1", "event-2")
    for step in ("POST .*/jobs", "metrics/upload", "PUT"):
        qalita_server.misbehave(step, Lose())
    send_all(warehouse, qalita_server)
    check_once(qalita_server, "event-1", "event-2")


def test_equal_recommendations_of_different_deliveries_are_each_there(
    warehouse: PgConnection, qalita_server: QalitaDouble
) -> None:
    write(warehouse, "event-1", "event-2", "event-3")
    warehouse.execute(
        "update pipeline.qalita_delivery"
        " set content = jsonb_set(content, '{content,recommendations,0,content}', '\"same\"')"
    )
    qalita_server.misbehave("recommendations", detail(422, "no"))
    send(warehouse, qalita_server)
    replay(warehouse)
    qalita_server.misbehave("recommendations", Lose(after=False))
    send_all(warehouse, qalita_server)
    assert [row["content"] for row in qalita_server.ledger.rows("recommendations")] == ["same"] * 3


@pytest.mark.parametrize("after", [True, False])
def test_a_replay_whose_answer_is_lost_doubles_nothing(
    warehouse: PgConnection, qalita_server: QalitaDouble, *, after: bool
) -> None:
    write(warehouse, "event-1", "event-2", "event-3")
    qalita_server.misbehave("metrics", detail(422, "no"))
    send(warehouse, qalita_server)
    assert published(qalita_server) == ["event-2", "event-3"]
    replay(warehouse)
    qalita_server.misbehave("metrics/upload", Lose(after=after))
    send_all(warehouse, qalita_server)
    check_once(qalita_server, "event-1", "event-2", "event-3")


def test_clocks_that_differ_make_no_difference(
    warehouse: PgConnection, qalita_server: QalitaDouble
) -> None:
    for number, hours in enumerate((0, -30, 7)):
        qalita_server.ledger.skew += timedelta(hours=abs(hours))
        write(warehouse, f"event-{number}")
        qalita_server.misbehave(STEPS[number + 1], Lose())
        send_all(warehouse, qalita_server)
    check_once(qalita_server, "event-0", "event-1", "event-2")


@pytest.mark.parametrize("seed", range(12))
def test_any_troubles_in_any_order_lose_and_double_nothing(
    warehouse: PgConnection, qalita_server: QalitaDouble, seed: int
) -> None:
    chance = random.Random(seed)
    keys = [f"event-{number}" for number in range(12)]
    write(warehouse, *keys)
    choices = [*TROUBLES.values(), Cut(1), Cut(2)]
    for _ in range(14):
        step, trouble = chance.choice(STEPS), chance.choice(choices)
        if isinstance(trouble, Cut) and step not in UPLOADS:
            continue
        qalita_server.misbehave(step, trouble, chance.randrange(1, 3))
    for _ in range(60):
        settle(warehouse)
        if chance.random() < 0.5:
            replay(warehouse)
        send(warehouse, qalita_server)
    replay(warehouse)
    send_all(warehouse, qalita_server)
    check_once(qalita_server, *keys)


class KilledError(BaseException):
    """The end of the process, as far as anything in it can tell."""


class Death:
    """Kills at the nth of the places that a sender passes: before and after whatever it does."""

    def __init__(self, place: int) -> None:
        self.place = place
        self.passed = 0

    def around(self, do: Callable[..., Any]) -> Callable[..., Any]:
        def done(*arguments: Any, **more: Any) -> Any:
            self.here()
            answer = do(*arguments, **more)
            self.here()
            return answer

        return done

    def here(self) -> None:
        self.passed += 1
        if self.passed == self.place:
            raise KilledError


def dying(url: str, death: Death, monkeypatch: pytest.MonkeyPatch) -> PgConnection:
    """A connection whose every statement may be the last; requests are so too."""
    connection = connect(url)
    monkeypatch.setattr(connection, "execute", death.around(connection.execute))
    monkeypatch.setattr(QalitaHttp, "_exchange", death.around(QalitaHttp._exchange))
    return connection


def test_a_kill_between_any_two_steps_loses_and_doubles_nothing(
    warehouse: PgConnection,
    warehouse_url: str,
    qalita_server: QalitaDouble,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys: list[str] = []
    for place in itertools.count(1):
        keys.append(f"event-{place}")
        write(warehouse, keys[-1])
        if place % 3 == 0:
            warehouse.execute("update pipeline.qalita_schema set digest = 'another'")
            qalita_server.ledger.table("schemas").clear()
        death = Death(place)
        with monkeypatch.context() as patch:
            connection = dying(warehouse_url, death, patch)
            try:
                send(connection, qalita_server)
            except KilledError:
                pass
            else:
                break
            finally:
                connection.close()
        send_all(warehouse, qalita_server)
        check_once(qalita_server, *keys)
    assert place > 25  # requests and statements, before and after each


@pytest.mark.parametrize("at", STEPS)
def test_a_sender_that_lost_its_lock_sends_nothing_more(
    warehouse: PgConnection, warehouse_url: str, qalita_server: QalitaDouble, at: str
) -> None:
    write(warehouse, "event-1", "event-2")
    connection = connect(warehouse_url)
    pid = connection.info.backend_pid
    qalita_server.misbehave(
        at, Do(lambda: warehouse.execute("select pg_terminate_backend(%s)", (pid,)))
    )
    with pytest.raises(psycopg.OperationalError):
        send(connection, qalita_server)
    assert [row["name"] for row in qalita_server.ledger.rows("jobs")] == ["event-1"]
    send(warehouse, qalita_server)  # not before the platform has settled
    assert len(qalita_server.ledger.rows("jobs")) == 1
    send_all(warehouse, qalita_server)
    check_once(qalita_server, "event-1", "event-2")
