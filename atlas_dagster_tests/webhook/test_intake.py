"""What is taken is committed before anyone is told so, many together, and none is lost silently."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import psycopg
import pytest

from atlas_dagster.errors import BusyError, PayloadError, WarehouseError
from atlas_dagster.warehouse import PgConnection
from atlas_dagster.webhook import store as store_module
from atlas_dagster.webhook.intake import Intake
from atlas_dagster.webhook.payload import Notice
from atlas_dagster.webhook.refusals import RefusalCount
from atlas_dagster.webhook.store import Store

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


def notice(job: int) -> Notice:
    return Notice("sync", f"sync/c/{job}/succeeded", "c", job)


def jobs(warehouse: PgConnection) -> list[int]:
    return [row[0] for row in warehouse.execute("select job_id from pipeline.notice order by 1")]


async def opened(store: Store, most_waiting: int = 100) -> Intake:
    intake = Intake(store, most_waiting)
    intake.open()
    return intake


async def outcomes(*works: Coroutine[Any, Any, None]) -> list[BaseException | None]:
    return await asyncio.gather(*works, return_exceptions=True)


def kinds(results: list[BaseException | None]) -> list[type]:
    return [type(result) for result in results]


def test_a_notice_is_committed_when_the_wait_for_it_ends(
    warehouse_url: str, warehouse: PgConnection
) -> None:
    async def run() -> list[int]:
        intake = await opened(Store(warehouse_url))
        await intake.keep(notice(1))
        committed = jobs(warehouse)
        await intake.close()
        return committed

    assert asyncio.run(run()) == [1]


def test_what_comes_together_is_committed_together(
    warehouse_url: str, warehouse: PgConnection
) -> None:
    async def run() -> None:
        intake = await opened(Store(warehouse_url))
        await outcomes(*(intake.keep(notice(job)) for job in range(100)))
        await intake.close()

    asyncio.run(run())
    rows = warehouse.execute("select count(*), count(distinct xmin::text) from pipeline.notice")
    assert rows.fetchall() == [(100, 1)]


def test_closing_commits_what_was_taken_and_takes_no_more(
    warehouse_url: str, warehouse: PgConnection
) -> None:
    async def run() -> list[BaseException | None]:
        intake = await opened(Store(warehouse_url))
        taken = [asyncio.create_task(intake.keep(notice(job))) for job in range(3)]
        await asyncio.sleep(0)
        await intake.close()
        return await outcomes(
            *(asyncio.wait_for(task, None) for task in taken), intake.keep(notice(9))
        )

    assert kinds(asyncio.run(run())) == [type(None)] * 3 + [WarehouseError]
    assert jobs(warehouse) == [0, 1, 2]


def test_more_than_may_wait_is_refused_at_once(warehouse_url: str, warehouse: PgConnection) -> None:
    async def run() -> list[BaseException | None]:
        intake = await opened(Store(warehouse_url), most_waiting=2)
        results = await outcomes(*(intake.keep(notice(job)) for job in range(3)))
        await intake.close()
        return results

    assert kinds(asyncio.run(run())) == [type(None), type(None), BusyError]
    assert jobs(warehouse) == [0, 1]


def test_one_that_cannot_be_stored_does_not_take_the_others_with_it(
    warehouse_url: str, warehouse: PgConnection
) -> None:
    bad = Notice("payload", "payload/c/2/failed", "c", 2, '{"text": "\\u0000"}')

    async def run() -> list[BaseException | None]:
        intake = await opened(Store(warehouse_url))
        results = await outcomes(intake.keep(notice(1)), intake.keep(bad), intake.keep(notice(3)))
        await intake.close()
        return results

    assert kinds(asyncio.run(run())) == [type(None), PayloadError, type(None)]
    assert jobs(warehouse) == [1, 3]


def test_without_postgresql_everyone_who_waits_is_told(warehouse_url: str) -> None:
    async def run() -> list[BaseException | None]:
        intake = await opened(Store(NOWHERE))
        results = await outcomes(*(intake.keep(notice(job)) for job in range(3)))
        await intake.close()
        return results

    assert kinds(asyncio.run(run())) == [WarehouseError] * 3


def test_a_connection_that_was_lost_is_opened_again_for_the_same_notice(
    warehouse_url: str, warehouse: PgConnection
) -> None:
    async def run() -> None:
        intake = await opened(Store(warehouse_url))
        await intake.keep(notice(1))
        warehouse.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and application_name = 'atlas webhook'"
        )
        await intake.keep(notice(2))
        await intake.close()

    asyncio.run(run())
    assert jobs(warehouse) == [1, 2]


def test_a_postgresql_that_does_not_answer_in_time_has_failed_and_may_recover(
    warehouse_url: str, warehouse: PgConnection
) -> None:
    async def run() -> list[BaseException | None]:
        intake = await opened(Store(warehouse_url, patience_seconds=0.2))
        with psycopg.connect(warehouse_url) as blocker:
            blocker.execute("lock table pipeline.notice")
            results = await outcomes(intake.keep(notice(1)))
        results += await outcomes(intake.keep(notice(2)))
        await intake.close()
        return results

    failed, recovered = asyncio.run(run())
    assert str(failed) == "PostgreSQL did not answer in time"
    assert recovered is None
    assert jobs(warehouse) == [2]


def test_a_request_that_went_away_leaves_its_notice_and_its_neighbours(
    warehouse_url: str, warehouse: PgConnection
) -> None:
    async def run() -> None:
        intake = await opened(Store(warehouse_url))
        gone = asyncio.create_task(intake.keep(notice(1)))
        await asyncio.sleep(0)
        gone.cancel()
        await intake.keep(notice(2))
        await intake.close()

    asyncio.run(run())
    assert jobs(warehouse) == [1, 2]


def test_refusals_are_written_together(warehouse_url: str, warehouse: PgConnection) -> None:
    async def run() -> None:
        refusals = RefusalCount(Store(warehouse_url), write_seconds=3600)
        for _ in range(1000):
            refusals.add("wrong token")
        refusals.add("no token")
        await refusals.close()

    asyncio.run(run())
    rows = warehouse.execute("select reason, sum(times) from pipeline.webhook_refusal group by 1")
    assert sorted(rows.fetchall()) == [("no token", 1), ("wrong token", 1000)]


def test_refusals_that_postgresql_did_not_take_are_written_later(
    warehouse_url: str, warehouse: PgConnection
) -> None:
    async def run() -> None:
        store = Store(warehouse_url, patience_seconds=0.2)
        refusals = RefusalCount(store, write_seconds=0)
        with psycopg.connect(warehouse_url) as blocker:
            blocker.execute("lock table pipeline.webhook_refusal")
            refusals.add("wrong token")
            await refusals._write()
            refusals.add("wrong token")
        await refusals.close()
        await store.close()

    asyncio.run(run())
    rows = warehouse.execute("select reason, sum(times) from pipeline.webhook_refusal group by 1")
    assert rows.fetchall() == [("wrong token", 2)]


def test_health_is_asked_at_intervals_whoever_wants_to_know(
    warehouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "PULSE_SECONDS", 3600)

    async def run() -> list[bool]:
        store, lost = Store(warehouse_url), Store(NOWHERE)
        answers = [await store.is_alive(), await lost.is_alive()]
        store._url = NOWHERE
        await store.close()
        return [*answers, await store.is_alive()]

    assert asyncio.run(run()) == [True, False, True]


@pytest.mark.parametrize("closed_first", [False, True])
def test_a_receiver_that_never_opened_takes_nothing(warehouse_url: str, closed_first: bool) -> None:
    async def run() -> list[BaseException | None]:
        intake = Intake(Store(warehouse_url))
        if closed_first:
            await intake.close()
        return await outcomes(intake.keep(notice(1)))

    assert kinds(asyncio.run(run())) == [WarehouseError]
