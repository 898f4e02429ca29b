"""A body becomes a notice, or a sentence that says why not."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_dagster.webhook.payload import Notice, Refused, parse
from atlas_dagster_tests.webhook import bodies
from atlas_dagster_tests.webhook.bodies import CONNECTION, JOB

TODAY = date(2026, 11, 24)
SUCCEEDED = Notice("sync", f"sync/{CONNECTION}/{JOB}/succeeded", CONNECTION, JOB)
FAILED = Notice("sync", f"sync/{CONNECTION}/{JOB}/failed", CONNECTION, JOB)


def read(body: Any, today: date = TODAY) -> Notice | Refused:
    return parse(json.dumps(body).encode(), today)


def kept(body: Any, today: date = TODAY) -> Notice:
    notice = read(body, today)
    assert isinstance(notice, Notice)
    return notice


@pytest.mark.parametrize(
    ("body", "notice"),
    [
        pytest.param(bodies.succeeded(), SUCCEEDED, id="success"),
        pytest.param(bodies.failed(), FAILED, id="failure"),
        pytest.param({"data": bodies.succeeded()["data"]}, SUCCEEDED, id="data-alone"),
        pytest.param({"text": bodies.succeeded()["text"]}, SUCCEEDED, id="success-as-text-alone"),
        pytest.param({"text": bodies.failed()["text"]}, FAILED, id="failure-as-text-alone"),
        pytest.param(
            {**bodies.succeeded(), "data": {**bodies.summary(success=True), "errorType": "x"}},
            SUCCEEDED,
            id="success-with-an-error-of-an-earlier-attempt",
        ),
        pytest.param(
            bodies.queued(),
            Notice("other", f"other/{CONNECTION}/{JOB}/queued", CONNECTION, JOB),
            id="queued",
        ),
        pytest.param(
            {**bodies.queued(), "text": "Translated"},
            Notice("other", f"other/{CONNECTION}/{JOB}/queued", CONNECTION, JOB),
            id="queued-by-its-title",
        ),
    ],
)
def test_a_message_about_a_job_names_it_and_its_outcome(body: Any, notice: Notice) -> None:
    assert read(body) == notice


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(bodies.disabled(), "connection", id="disabled"),
        pytest.param(bodies.disabled_warning(), "connection", id="disabled-warning"),
        pytest.param(bodies.schema_changed(), "schema", id="schema-propagated"),
        pytest.param(bodies.schema_to_approve(), "schema", id="schema-to-approve"),
        pytest.param(bodies.schema_of_old_versions(), "schema", id="schema-of-old-versions"),
    ],
)
def test_a_message_without_data_names_its_connection_where_it_links_to_it(
    body: Any, kind: str
) -> None:
    notice = kept(body)
    assert (notice.kind, notice.connection_id, notice.job_id) == (kind, CONNECTION, None)
    assert notice.fingerprint.startswith(f"{kind}/{CONNECTION}/-/2026-11-24/")


def test_a_link_in_the_blocks_is_as_good_as_one_in_the_text() -> None:
    body = {**bodies.schema_changed(), "text": "The schema of 'Sheets' has changed."}
    assert kept(body).connection_id == CONNECTION


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(bodies.tested(bodies.succeeded()), id="success"),
        pytest.param(bodies.tested(bodies.failed()), id="failure"),
        pytest.param(bodies.tested(bodies.disabled()), id="disabled"),
        pytest.param(bodies.tested(bodies.schema_changed()), id="schema"),
        pytest.param({"text": f"{bodies.HELLO} sync failures."}, id="text-alone"),
        pytest.param({"text": "Lunch is ready"}, id="no-message-of-airbyte"),
        pytest.param({"text": ""}, id="empty-text"),
    ],
)
def test_a_test_names_nothing_that_could_be_looked_for(body: Any) -> None:
    notice = kept(body)
    assert (notice.kind, notice.connection_id, notice.job_id) == ("other", None, None)


def test_two_tests_of_one_button_are_the_same() -> None:
    first = bodies.tested(bodies.succeeded(job=10))
    assert kept(first) == kept(bodies.tested(bodies.succeeded(job=10, connection="other")))


def test_a_connection_that_is_called_like_a_test_is_none() -> None:
    body = bodies.succeeded()
    body["data"]["connection"]["name"] = bodies.TEST_TAG
    assert read(body) == SUCCEEDED


def test_the_same_change_is_news_on_another_day_and_another_change_at_once() -> None:
    first = kept(bodies.schema_changed("＋ users"))
    assert first == kept(bodies.schema_changed("＋ users"))
    assert first != kept(bodies.schema_changed("－ users"))
    assert first != kept(bodies.schema_changed("＋ users"), date(2026, 11, 25))


def test_a_job_is_the_same_on_any_day() -> None:
    assert kept(bodies.succeeded()) == kept(bodies.succeeded(), date(2027, 1, 1))


def test_the_payload_of_the_adapter_is_kept_whole() -> None:
    notice = kept(bodies.adapter(more={"later": 1}))
    assert (notice.kind, notice.connection_id, notice.job_id) == ("payload", CONNECTION, JOB)
    assert notice.fingerprint == f"payload/{CONNECTION}/{JOB}/succeeded"
    assert json.loads(notice.payload or "") == bodies.adapter(more={"later": 1})


def test_what_airbytes_messages_say_is_not_kept_for_airbyte_knows_it_better() -> None:
    assert kept(bodies.succeeded()).payload is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ([], "expected a JSON object"),
        ("text", "expected a JSON object"),
        (None, "expected a JSON object"),
        ({}, "expected one of the keys data, job, text"),
        ({"blocks": []}, "expected one of the keys data, job, text"),
        ({"text": 1}, "text: expected str"),
        ({"data": []}, "data: expected object, got array"),
        ({"data": {}}, "data: object missing required field connection"),
        (
            {"data": {"connection": {"id": 1}, "jobId": 1, "success": True}},
            "data.connection.id: expected str, got int",
        ),
        (
            {"data": {"connection": {"id": "c" * 201}, "jobId": 1, "success": True}},
            "data.connection.id: expected str of length <= 200",
        ),
        (
            {"data": {"connection": {"id": "c"}, "jobId": 2**63, "success": True}},
            "data.jobId: expected int <= 9223372036854775807",
        ),
        (
            {"data": {"connection": {"id": "c"}, "jobId": "one", "success": True}},
            "data.jobId: expected int, got str",
        ),
        (
            {"data": {"connection": {"id": "c"}, "jobId": 1, "success": "perhaps"}},
            "data.success: expected bool, got str",
        ),
        ({"connection": {"connectionId": "c"}}, "object missing required field job"),
    ],
)
def test_another_shape_is_refused_in_a_sentence_that_names_the_key(body: Any, reason: str) -> None:
    assert read(body) == Refused(422, reason)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"payload=%7B%7D",
        b"\xff\xfe{\x00}\x00",
        b'{"text": "\xed\xa0\x80"}',
        b'{"text": "\x00"}',
        b'{"data": NaN}',
        b'{"data": 1e999}',
        b'{"data": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    assert parse(body, TODAY) == Refused(400, "the body is not JSON")


@pytest.mark.parametrize("opening", [b"[", b'{"data":'])
def test_a_body_without_bottom_is_refused(opening: bytes) -> None:
    assert parse(opening * 100_000, TODAY) == Refused(400, "the body is nested too deeply")


def test_a_byte_order_mark_is_no_reason_to_lose_a_notice() -> None:
    assert parse(b"\xef\xbb\xbf" + json.dumps(bodies.succeeded()).encode(), TODAY) == SUCCEEDED


def test_characters_that_postgresql_cannot_hold_are_no_reason_to_lose_a_notice() -> None:
    body = bodies.adapter(note="a\x00b\ud800c\U0001f600", **{"k\x00ey\udc00": 1})
    stored = json.loads(kept(body).payload or "")
    assert (stored["note"], stored["key\ufffd"]) == ("ab\ufffdc\U0001f600", 1)


def test_an_escaped_backslash_before_such_a_spelling_stays_text() -> None:
    stored = json.loads(kept(bodies.adapter(note="\\u0000")).payload or "")
    assert stored["note"] == "\\u0000"


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.sampled_from(["succeeded", "incomplete", bodies.succeeded()["text"], "[THIS IS A TEST"])
)
NAMES = ["data", "text", "blocks", "job", "attempt", "connection", "connectionId", "connection_id"]
NAMES += ["catalog", "syncedCatalog", "streams", "stream", "name", "namespace", "jsonSchema", "id"]
NAMES += ["jobId", "success", "status", "startedAt", "endedAt", "totalStats", "recordsEmitted"]
KEYS = st.text(max_size=3) | st.sampled_from(NAMES)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6)
)
MUTATIONS = st.dictionaries(KEYS, VALUES, max_size=3)


@given(VALUES | MUTATIONS.map(lambda m: {**bodies.adapter(), **m}))
def test_no_json_value_whatsoever_does_more_than_to_be_refused(value: Any) -> None:
    assert isinstance(parse(json.dumps(value).encode(), TODAY), (Notice, Refused))


@given(st.binary())
def test_no_bytes_whatsoever_do_more_than_to_be_refused(body: bytes) -> None:
    assert isinstance(parse(body, TODAY), (Notice, Refused))


@given(VALUES | MUTATIONS.map(lambda m: {**bodies.adapter(), **m}))
def test_what_is_kept_is_text_that_postgresql_can_hold(value: Any) -> None:
    notice = parse(json.dumps(value).encode(), TODAY)
    texts = (notice.fingerprint, notice.payload or "") if isinstance(notice, Notice) else ()
    for text in texts:
        assert "\x00" not in text
        assert "\\u0000" not in text.replace("\\\\", "")
        assert text.encode()
