"""The calls to QALITA, and how the answers of both generations of the platform are read."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from atlas_dagster.errors import QalitaError, QalitaUnavailableError
from atlas_dagster.qalita.content import Kind, Level, Perimeter, metric, recommendation, scope
from atlas_dagster.qalita.objects import (
    Job,
    JobStatus,
    Pack,
    Source,
    Target,
    Version,
    as_date,
    as_time,
    newest,
)
from atlas_dagster.qalita.sandbox.wire import NOT_ALLOWED, NOT_FOUND, Answer, Json
from atlas_dagster_tests.qalita.support import add_target, open_api
from atlas_dagster_tests.qalita_server.double import QalitaDouble
from atlas_dagster_tests.qalita_server.routes import Generation
from atlas_dagster_tests.qalita_server.wire import LOGIN_PAGE

START = datetime(2026, 11, 23, 23, 59, 59, 999_999, tzinfo=timezone.utc)
DATASET = scope(Perimeter.DATASET, "orders")
GENERATIONS = pytest.mark.parametrize("generation", list(Generation))


def metrics(count: int = 1) -> list[Json]:
    return [{"key": f"m{number}", "value": number, "scope": DATASET} for number in range(count)]


def test_the_version_is_read(qalita_server: QalitaDouble) -> None:
    assert open_api(qalita_server).version() == "3.2.1"
    qalita_server.misbehave("version", LOGIN_PAGE)
    qalita_server.misbehave("version", Answer(200, {"version": 3}))
    qalita_server.misbehave("version", Answer(200, []))
    for said in ("HTML", "no version", "what is no JSON object"):
        with pytest.raises(QalitaUnavailableError, match=said):
            open_api(qalita_server).version()


@pytest.mark.parametrize("wraps", [False, True])
def test_sources_are_read_as_either_generation_has_them(
    qalita_server: QalitaDouble, *, wraps: bool
) -> None:
    qalita_server.routes.wraps_lists = wraps
    qalita_server.ledger.add_source("orders", "airbyte")
    api = open_api(qalita_server)
    assert api.sources() == [Source(1, "orders", "airbyte")]
    assert (api.source(1), api.source(2)) == (Source(1, "orders", "airbyte"), None)
    qalita_server.become(Generation.VERSIONED)
    assert api.source(1) == Source(1, "orders", "airbyte", (Version(1, "1.0.0"),))


def test_no_sources_at_all_may_be_no_content(qalita_server: QalitaDouble) -> None:
    qalita_server.routes.empty_is_204 = True
    assert open_api(qalita_server).sources() == []


def test_a_source_is_found_by_name_and_type(qalita_server: QalitaDouble) -> None:
    for kind in ("file", "airbyte", "airbyte"):
        qalita_server.ledger.add_source("orders", kind)
    found = open_api(qalita_server).find_source("orders", "airbyte")
    assert found == Source(2, "orders", "airbyte")
    assert open_api(qalita_server).find_source("Orders", "airbyte") is None


@GENERATIONS
def test_a_source_is_published_to_no_partner(
    qalita_server: QalitaDouble, generation: Generation
) -> None:
    qalita_server.become(generation)
    api = open_api(qalita_server)
    assert api.publish_source("orders", "airbyte", "by Atlas") == 1
    assert qalita_server.ledger.rows("sources")[0]["visibility"] == "internal"
    source = api.source(1)
    assert source
    assert source.versions == (None if generation is Generation.CURRENT else (Version(1, "1.0.0"),))


def test_packs_are_read_with_their_versions(qalita_server: QalitaDouble) -> None:
    qalita_server.ledger.add_pack("atlas")
    qalita_server.ledger.add_pack_version(1, "1.10.0", 1)
    qalita_server.ledger.add_pack_version(1, "1.9.2", 1)
    qalita_server.ledger.add_pack("empty", version=None)
    atlas, empty = open_api(qalita_server).packs()[::-1]
    assert newest(atlas.versions) == Version(2, "1.10.0")
    assert open_api(qalita_server).pack(2) == empty == Pack(2, "empty")
    assert newest(empty.versions) is None


@pytest.mark.parametrize(
    "row",
    [
        {"name": "no id"},
        {"id": "1", "name": "text"},
        {"id": None, "name": "null"},
        {"id": True, "name": "true"},
        {"id": 1, "name": "x", "versions": [{"sem_ver_id": "1"}]},
        {"id": 1, "name": "x", "versions": ["1.0.0"]},
        {"id": 1, "name": "x", "versions": 5},
        "row",
        None,
    ],
)
def test_a_list_of_something_else_is_garbage(qalita_server: QalitaDouble, row: object) -> None:
    qalita_server.misbehave("sources", Answer(200, [row]))
    with pytest.raises(QalitaUnavailableError, match="GET /api/v2/sources with what is no"):
        open_api(qalita_server).sources()


@GENERATIONS
def test_a_job_is_made_where_the_platform_makes_them_and_ends(
    qalita_server: QalitaDouble, generation: Generation
) -> None:
    qalita_server.become(generation)
    target = add_target(qalita_server)
    api = open_api(qalita_server)
    for name in ("first", "second"):
        job = api.create_job(target, name, START)
        api.update_job(job.id, JobStatus.FAILED, START + timedelta(seconds=1), "out of disk")
    row = qalita_server.ledger.rows("jobs")[0]
    known = {name: row[name] for name in ("name", "status", "start_date", "end_date")}
    assert known == {
        "name": "first",
        "status": "failed",
        "start_date": "2026-11-23 23:59:59",
        "end_date": "2026-11-24 00:00:00",
    }
    assert row["error_message"] == "out of disk"
    assert {name: row.get(name) for name in target.ids()} == target.ids()
    wrong = 1 if generation is Generation.FORM else 0  # it is tried once
    assert qalita_server.count("POST .*/jobs") == 2 + wrong


def test_a_job_that_is_refused_by_the_known_path_is_not_tried_at_the_other(
    qalita_server: QalitaDouble,
) -> None:
    target, api = add_target(qalita_server), open_api(qalita_server)
    api.create_job(target, "first", START)
    qalita_server.misbehave("create", NOT_FOUND)
    with pytest.raises(QalitaError, match="404"):
        api.create_job(target, "second", START)
    assert qalita_server.count("POST .*/jobs$") == 0


def test_a_platform_that_makes_jobs_nowhere_says_so(qalita_server: QalitaDouble) -> None:
    qalita_server.misbehave("POST .*/jobs", NOT_ALLOWED, times=9)
    with pytest.raises(QalitaError, match=r"405 to POST /api/v2/jobs: Method Not Allowed"):
        open_api(qalita_server).create_job(Target(1, 1, 1), "job", START)


@pytest.mark.parametrize("body", [{}, {"id": None}, {"id": "7"}, [], b"<html>"])
def test_a_job_without_an_id_is_in_doubt(qalita_server: QalitaDouble, body: object) -> None:
    qalita_server.misbehave("create", Answer(201, body))
    with pytest.raises(QalitaUnavailableError) as caught:
        open_api(qalita_server).create_job(Target(1, 1, 1), "job", START)
    assert caught.value.in_doubt


LISTS = pytest.mark.parametrize(
    "switches",
    [
        {},
        {"filters": False},
        {"filters": False, "pages": False},
        {"filters": False, "most_rows": 3},
        {"newest_first": False, "most_rows": 2},
        {"wraps_lists": True},
        {"empty_is_204": True},
    ],
    ids=str,
)


@LISTS
def test_a_job_is_found_by_its_name_however_lists_are_answered(
    qalita_server: QalitaDouble, switches: dict[str, object]
) -> None:
    vars(qalita_server.routes).update(switches)
    target, other = add_target(qalita_server), add_target(qalita_server, "others")
    api = open_api(qalita_server)
    assert api.find_job(target, "key") is None
    api.create_job(other, "key", START)
    for name in ("before", "key", *"abcdefgh", "key"):
        api.create_job(target, name, START)
    found = api.find_job(target, "key")
    assert found
    assert (found.id, found.status) == (3, "running")
    assert found.created_at == as_time(qalita_server.ledger.rows("jobs")[2]["created_at"])


@GENERATIONS
@pytest.mark.parametrize("kind", list(Kind))
def test_items_are_uploaded_with_ids_where_any_generation_looks(
    qalita_server: QalitaDouble, generation: Generation, kind: Kind
) -> None:
    qalita_server.become(generation)
    target = add_target(qalita_server)
    api = open_api(qalita_server)
    api.upload(kind, target, [{"key": "käy", "value": 1, "content": "c", "scope": DATASET}])
    (row,) = qalita_server.ledger.rows(kind.value)
    assert {name: row.get(name) for name in target.ids()} == target.ids()
    assert (row["key"], row["value"], row["scope"]) == ("käy", "1", DATASET)
    sent = qalita_server.requests[-1]
    assert sent.form == sent.query == {name: str(value) for name, value in target.ids().items()}


@LISTS
def test_what_is_there_since_an_instant_is_read_however_lists_are_answered(
    qalita_server: QalitaDouble, switches: dict[str, object]
) -> None:
    vars(qalita_server.routes).update(switches)
    target, other = add_target(qalita_server), add_target(qalita_server, "others")
    api = open_api(qalita_server)
    api.upload(Kind.METRICS, target, metrics(5))
    job = api.create_job(target, "key", START)
    api.upload(Kind.METRICS, other, metrics(4))
    api.upload(Kind.METRICS, target, metrics(7))
    found = api.uploaded(Kind.METRICS, target, job.created_at)
    assert sorted(row["key"] for row in found) == [f"m{number}" for number in range(7)]
    assert len(api.uploaded(Kind.METRICS, target)) == 12
    assert api.uploaded(Kind.METRICS, Target(77, 1, 1)) == []


def test_reading_ends_where_rows_are_from_before(qalita_server: QalitaDouble) -> None:
    qalita_server.routes.most_rows = 10
    target, api = add_target(qalita_server), open_api(qalita_server)
    api.upload(Kind.METRICS, target, metrics(1000))
    job = api.create_job(target, "key", START)
    api.upload(Kind.METRICS, target, metrics(15))
    assert len(api.uploaded(Kind.METRICS, target, job.created_at)) == 15
    assert qalita_server.count("GET .*/metrics") == 2


def test_a_list_without_end_is_said_to_have_none(qalita_server: QalitaDouble) -> None:
    qalita_server.routes.most_rows = 1
    target, api = add_target(qalita_server), open_api(qalita_server)
    api.upload(Kind.METRICS, target, metrics(101))
    with pytest.raises(QalitaUnavailableError, match=r"no end: 100 rows in 100 pages"):
        api.uploaded(Kind.METRICS, target)


def test_dates_are_utc_to_the_second_without_saying_so() -> None:
    east = timezone(timedelta(hours=9))
    assert as_date(datetime(2026, 1, 1, 8, 30, 5, 999, east)) == "2025-12-31 23:30:05"


@pytest.mark.parametrize(
    "text",
    ["2026-11-22T02:05:51.092176", "2026-11-22 02:05:51.092176", "2026-11-22T02:05:51.092176Z"],
)
def test_times_of_the_platform_are_utc(text: str) -> None:
    assert as_time(text) == datetime(2026, 11, 22, 2, 5, 51, 92176, timezone.utc)
    assert as_time("soon") is as_time(None) is as_time(5) is None


def test_metrics_have_the_values_that_the_platform_stores() -> None:
    values = [1, "text", True, False, 0.98765, 1.0, {"b": 1, "a": [2]}, None]
    stored = [found["value"] for v in values if (found := metric("k", v, DATASET))]
    assert stored == [1, "text", "1", "0", "0.99", "1.0", '{"a":[2],"b":1}', None]
    assert [metric("k", float(v), DATASET) for v in ("nan", "inf", "-inf")] == [None] * 3


def test_a_recommendation_has_a_level_of_the_platform() -> None:
    assert recommendation("look", "PII", DATASET, Level.HIGH) == {
        "content": "look",
        "type": "PII",
        "scope": {"perimeter": "dataset", "value": "orders"},
        "level": "high",
    }


def test_a_job_that_the_platform_dates_no_way_is_found_all_the_same(
    qalita_server: QalitaDouble,
) -> None:
    target, api = add_target(qalita_server), open_api(qalita_server)
    api.create_job(target, "key", START)
    qalita_server.ledger.rows("jobs")[0].pop("created_at")
    assert api.find_job(target, "key") == Job(1, "key", "running", None)
