"""Starting, finding and following a sync on an Airbyte server.

The problems that a test is named after are GitHub issues, of dagster-io/dagster unless named.
"""

from __future__ import annotations

import pytest

from atlas_dagster.airbyte.server import AirbyteApi
from atlas_dagster.airbyte.server_sync import Follower, follow, start_or_adopt
from atlas_dagster.errors import AirbyteError, AirbyteUnavailableError, BusyError
from atlas_dagster.http_retries import Retries
from atlas_dagster_tests.airbyte.api import open_api
from atlas_dagster_tests.airbyte_server import answers
from atlas_dagster_tests.airbyte_server.double import (
    BUSY,
    LOGIN_PAGE,
    AirbyteDouble,
    Answer,
    Hang,
    Lose,
)
from atlas_dagster_tests.airbyte_server.ledger import Connection, stream

POST = "POST .*/jobs$"


class Stopped(BaseException):
    """What a run worker is told to stop with."""


class Watcher:
    """A follower that notes what it is told and waits for nothing; it may be stopped."""

    def __init__(self, *, cancels: bool = False, stop_after: int | None = None) -> None:
        self.notes: list[str] = []
        self.waits = 0
        self._stop_after = stop_after
        self.follower = Follower(
            self.notes.append, lambda: cancels, 0, unreadable_seconds=60, sleep=self._sleep
        )

    def _sleep(self, seconds: float) -> None:
        self.waits += 1
        if self.waits == self._stop_after:
            raise Stopped


@pytest.fixture
def shop(airbyte_server: AirbyteDouble) -> Connection:
    return airbyte_server.ledger.add_connection("shop", stream("users"))


@pytest.fixture
def api(airbyte_server: AirbyteDouble) -> AirbyteApi:
    return open_api(airbyte_server, Retries(most=1))


def start(api: AirbyteApi, shop: Connection, watcher: Watcher | None = None) -> int:
    return start_or_adopt(api, shop.id, "shop", (watcher or Watcher()).follower)


def test_a_sync_is_started_and_followed_to_its_end(
    airbyte_server: AirbyteDouble, api: AirbyteApi, shop: Connection
) -> None:
    airbyte_server.ledger.plan(shop, "pending", "running", "running", "incomplete", "succeeded")
    watcher = Watcher()
    job_id = start(api, shop, watcher)
    assert follow(api, job_id, watcher.follower) == "succeeded"
    assert watcher.notes == [
        "job 1000 syncs shop",
        "job 1000 is pending",
        "job 1000 is running",
        "job 1000 is incomplete",
    ]


@pytest.mark.parametrize("status", ["queued", "rate_limited", "a_status_of_next_year"])
def test_3452_insight_a_queued_sync_is_alive_and_so_is_one_of_an_unknown_status(
    airbyte_server: AirbyteDouble, api: AirbyteApi, shop: Connection, status: str
) -> None:
    airbyte_server.ledger.plan(shop, status, status, "running", "succeeded")
    assert follow(api, start(api, shop), Watcher().follower) == "succeeded"
    assert airbyte_server.count("DELETE") == 0


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_sync_that_ended_badly_is_not_cancelled_on_top(
    airbyte_server: AirbyteDouble, api: AirbyteApi, shop: Connection, status: str
) -> None:
    airbyte_server.ledger.plan(shop, "running", status)
    assert follow(api, start(api, shop), Watcher(cancels=True).follower) == status
    assert airbyte_server.count("DELETE") == 0


@pytest.mark.parametrize("status", ["pending", "queued", "running", "incomplete"])
def test_32390_a_sync_that_runs_already_is_followed(
    airbyte_server: AirbyteDouble, api: AirbyteApi, shop: Connection, status: str
) -> None:
    running = airbyte_server.ledger.start_job(shop.id)
    running.status = status
    watcher = Watcher()
    assert start(api, shop, watcher) == running.id
    assert airbyte_server.count(POST) == 0
    assert watcher.notes == ["job 1000 syncs shop already: following it"]


def test_2607_mitodl_of_several_that_run_the_newest_is_followed(
    airbyte_server: AirbyteDouble, api: AirbyteApi, shop: Connection
) -> None:
    jobs = [airbyte_server.ledger.start_job(shop.id) for _ in range(3)]
    assert start(api, shop) == jobs[-1].id


def test_a_sync_that_runs_after_hundreds_of_others_is_found(
    airbyte_server: AirbyteDouble, api: AirbyteApi, shop: Connection
) -> None:
    for _ in range(300):
        airbyte_server.ledger.finished_job(shop, "sync")
    running = airbyte_server.ledger.start_job(shop.id)
    assert start(api, shop) == running.id == 1300


def test_34172_a_sync_that_began_between_look_and_start_is_followed(
    airbyte_server: AirbyteDouble, api: AirbyteApi, shop: Connection
) -> None:
    refusal = answers.problem(409, "try-again-later", "A sync is already running")
    ledger = airbyte_server.ledger
    airbyte_server.misbehave(POST, Answer(409, refusal, does=lambda: ledger.start_job(shop.id)))
    assert start(api, shop) == 1000
    assert len(ledger.jobs) == 1


def test_34172_a_start_that_is_not_answered_in_time_is_followed_where_it_worked(
    airbyte_server: AirbyteDouble, shop: Connection
) -> None:
    airbyte_server.misbehave(POST, Hang())
    watcher = Watcher()
    hasty = open_api(airbyte_server, Retries(most=1), request_seconds=0.05)
    job_id = start(hasty, shop, watcher)
    assert list(airbyte_server.ledger.jobs) == [job_id]
    assert "did not answer in time" in watcher.notes[0]


def test_a_start_that_worked_and_whose_sync_has_ended_already_is_found(
    airbyte_server: AirbyteDouble, api: AirbyteApi, shop: Connection
) -> None:
    ledger = airbyte_server.ledger
    ledger.finished_job(shop, "sync")
    airbyte_server.misbehave(POST, Answer(502, does=lambda: ledger.finished_job(shop, "sync")))
    assert start(api, shop) == 1001
    assert len(ledger.jobs) == 2


def test_a_start_that_did_not_work_is_tried_again(
    airbyte_server: AirbyteDouble, api: AirbyteApi, shop: Connection
) -> None:
    airbyte_server.ledger.finished_job(shop, "sync")
    for trouble in (BUSY, Lose()):
        airbyte_server.misbehave(POST, trouble)
    assert start(api, shop) == 1001
    assert len(airbyte_server.ledger.jobs) == 2


def test_a_start_that_never_works_is_given_up(
    airbyte_server: AirbyteDouble, api: AirbyteApi, shop: Connection
) -> None:
    airbyte_server.misbehave(POST, BUSY, times=99)
    with pytest.raises(AirbyteUnavailableError, match=r"503 to POST .*/jobs: try again"):
        start(api, shop)
    assert airbyte_server.count(POST) == 4


def test_a_start_that_is_refused_is_not_tried_again(
    airbyte_server: AirbyteDouble, api: AirbyteApi, shop: Connection
) -> None:
    airbyte_server.misbehave(POST, Answer(422, answers.problem(422, "t", "it is disabled")))
    with pytest.raises(AirbyteError, match=r"422 .*: it is disabled"):
        start(api, shop)
    assert airbyte_server.count(POST) == 1


@pytest.mark.parametrize("kind", ["refresh", "clear", "reset"])
def test_a_connection_that_is_busy_with_another_kind_of_job_is_left_to_it(
    airbyte_server: AirbyteDouble, api: AirbyteApi, shop: Connection, kind: str
) -> None:
    airbyte_server.ledger.start_job(shop.id, kind)
    with pytest.raises(BusyError) as caught:
        start(api, shop)
    assert str(caught.value) == (
        f"Airbyte is at a {kind} of shop (job 1000); sync it when that has ended"
    )


@pytest.mark.parametrize("trouble", [BUSY, LOGIN_PAGE, Lose(), Answer(401)])
def test_32800_a_status_that_cannot_be_read_for_a_while_ends_nothing(
    airbyte_server: AirbyteDouble, api: AirbyteApi, shop: Connection, trouble: Answer | Lose
) -> None:
    airbyte_server.ledger.plan(shop, "running", "running", "succeeded")
    job_id = start(api, shop)
    airbyte_server.misbehave("GET .*/jobs/", trouble, times=5)
    assert follow(api, job_id, Watcher().follower) == "succeeded"


def test_a_status_that_cannot_be_read_for_too_long_fails_the_run_and_not_the_sync(
    airbyte_server: AirbyteDouble, api: AirbyteApi, shop: Connection
) -> None:
    job_id = start(api, shop)
    airbyte_server.misbehave("GET .*/jobs/", BUSY, times=99)
    hasty = Follower(print, lambda: True, 0, unreadable_seconds=0, sleep=lambda _: None)
    with pytest.raises(AirbyteUnavailableError, match=r"job 1000 cannot be watched any longer"):
        follow(api, job_id, hasty)
    assert airbyte_server.count("DELETE") == 0


def test_a_job_that_is_gone_is_not_waited_for(api: AirbyteApi) -> None:
    with pytest.raises(AirbyteUnavailableError, match=r"job 7 cannot be watched any longer.*404"):
        follow(api, 7, Watcher().follower)


def test_a_run_that_is_terminated_cancels_its_sync(
    airbyte_server: AirbyteDouble, api: AirbyteApi, shop: Connection
) -> None:
    airbyte_server.ledger.plan(shop, *["running"] * 9)
    job_id = start(api, shop)
    watcher = Watcher(cancels=True, stop_after=3)
    with pytest.raises(Stopped):
        follow(api, job_id, watcher.follower)
    assert airbyte_server.ledger.jobs[job_id].status == "cancelled"
    assert watcher.notes[-1] == "job 1000 is cancelled in Airbyte"


def test_10680_a_run_that_dies_leaves_its_sync_and_the_next_run_follows_it(
    airbyte_server: AirbyteDouble, api: AirbyteApi, shop: Connection
) -> None:
    airbyte_server.ledger.plan(shop, *["running"] * 4, "succeeded")
    job_id = start(api, shop)
    watcher = Watcher(stop_after=2)
    with pytest.raises(Stopped):
        follow(api, job_id, watcher.follower)
    assert airbyte_server.count("DELETE") == 0
    assert "goes on in Airbyte" in watcher.notes[-1]
    assert start(api, shop) == job_id
    assert follow(api, job_id, Watcher().follower) == "succeeded"


def test_a_sync_that_cannot_be_cancelled_is_said_to_be(
    airbyte_server: AirbyteDouble, api: AirbyteApi, shop: Connection
) -> None:
    airbyte_server.ledger.plan(shop, *["running"] * 9)
    job_id = start(api, shop)
    airbyte_server.misbehave("DELETE", BUSY, times=9)
    watcher = Watcher(cancels=True, stop_after=1)
    with pytest.raises(Stopped):
        follow(api, job_id, watcher.follower)
    assert watcher.notes[-1].startswith("job 1000 could not be cancelled: Airbyte answered 503")
