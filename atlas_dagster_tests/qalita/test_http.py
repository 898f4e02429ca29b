"""Requests to QALITA: credentials, what is tried again, and what is said in the end."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest

from atlas_dagster.errors import ConfigError, QalitaError, QalitaUnavailableError
from atlas_dagster.http_retries import Retries
from atlas_dagster.qalita.http import Call, QalitaHttp, expiry
from atlas_dagster.qalita.sandbox.wire import Answer, detail, missing
from atlas_dagster.qalita.settings import QalitaServer
from atlas_dagster_tests.qalita.support import SIGN_IN, open_http
from atlas_dagster_tests.qalita_server.double import API_TOKEN, PASSWORD, QalitaDouble
from atlas_dagster_tests.qalita_server.wire import BUSY, LOGIN_PAGE, After, Hang, Lose

READ = Call("GET", "/api/v2/sources")
WRITE = Call("POST", "/api/v2/jobs/create", json={"source_id": 1, "pack_id": 1}, may_repeat=False)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 413, 422])
def test_a_refusal_is_not_tried_again(qalita_server: QalitaDouble, status: int) -> None:
    qalita_server.misbehave("sources", detail(status, "be cause", X_Request_ID="r-1"), times=9)
    with pytest.raises(QalitaError) as caught:
        open_http(qalita_server).read(READ)
    assert str(caught.value) == f"QALITA answered {status} to GET /api/v2/sources: be cause"
    assert (caught.value.status, caught.value.request_id) == (status, "r-1")
    assert not isinstance(caught.value, QalitaUnavailableError)
    assert qalita_server.count("sources") == 1


def test_fields_that_are_wrong_are_named_without_what_was_sent(qalita_server: QalitaDouble) -> None:
    problem = missing("query", "source_version_id", "pack_id").body
    problem["detail"][0]["input"] = {"name": "a customer's"}
    qalita_server.misbehave("sources", Answer(422, problem))
    with pytest.raises(QalitaError) as caught:
        open_http(qalita_server).read(READ)
    assert str(caught.value) == (
        "QALITA answered 422 to GET /api/v2/sources: query.source_version_id: Field required;"
        " query.pack_id: Field required"
    )


TROUBLES = [detail(status, "no") for status in (408, 425, 429, 500, 502, 503, 504)]


@pytest.mark.parametrize("trouble", [*TROUBLES, Lose(), Lose(after=False)])
def test_what_may_pass_is_tried_again(qalita_server: QalitaDouble, trouble: Answer | Lose) -> None:
    qalita_server.misbehave("sources", trouble, times=3)
    assert open_http(qalita_server).read(READ) == []
    assert qalita_server.count("sources") == 4


@pytest.mark.parametrize(
    "trouble", [detail(408, "no"), BUSY, After(BUSY), Lose(), Lose(after=False)]
)
def test_nothing_that_may_have_been_done_is_repeated_where_that_matters(
    qalita_server: QalitaDouble, trouble: Answer | After | Lose
) -> None:
    qalita_server.misbehave("create", trouble, times=9)
    with pytest.raises(QalitaUnavailableError) as caught:
        open_http(qalita_server).read(WRITE)
    assert caught.value.in_doubt
    assert caught.value.silent is isinstance(trouble, Lose)
    assert qalita_server.count("create") == 1


@pytest.mark.parametrize("status", [425, 429])
def test_what_the_platform_says_that_it_did_not_do_is_repeated_all_the_same(
    qalita_server: QalitaDouble, status: int
) -> None:
    qalita_server.misbehave("create", detail(status, "later"), times=2)
    open_http(qalita_server).read(WRITE)
    assert len(qalita_server.ledger.rows("jobs")) == 1
    qalita_server.misbehave("create", detail(status, "later"), times=9)
    with pytest.raises(QalitaUnavailableError) as caught:
        open_http(qalita_server).read(WRITE)
    assert not caught.value.in_doubt


def test_waits_grow_and_are_random_and_bounded(qalita_server: QalitaDouble) -> None:
    qalita_server.misbehave("sources", BUSY, times=99)
    waits: list[float] = []
    retries = Retries(most=6, first_seconds=1, most_seconds=6)
    with pytest.raises(QalitaUnavailableError, match=r"answered 503 .*: try again"):
        open_http(qalita_server, retries, waits).read(READ)
    longest = [1, 2, 4, 6, 6]
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, longest, strict=True))
    assert waits[3] != waits[4]


@pytest.mark.parametrize("status", [429, 503])
def test_the_platform_may_name_the_wait(qalita_server: QalitaDouble, status: int) -> None:
    date = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=60), usegmt=True)
    qalita_server.misbehave("sources", detail(status, "later", Retry_After="7"))
    qalita_server.misbehave("sources", detail(status, "later", Retry_After=date))
    waits: list[float] = []
    open_http(qalita_server, waits=waits).read(READ)
    assert waits[0] == 7
    assert 50 < waits[1] <= 60


def test_a_wait_beyond_patience_or_the_time_that_is_left_is_a_failure(
    qalita_server: QalitaDouble,
) -> None:
    qalita_server.misbehave("sources", detail(429, "slow down", Retry_After="3600"))
    with pytest.raises(QalitaUnavailableError, match=r"429.*slow down"):
        open_http(qalita_server).read(READ)
    qalita_server.misbehave("sources", detail(429, "slow down", Retry_After="50"))
    http = open_http(qalita_server)
    with http.within(40), pytest.raises(QalitaUnavailableError, match=r"429.*slow down"):
        http.read(READ)
    assert qalita_server.count("sources") == 2


def test_a_request_ends_with_the_time_that_is_left(qalita_server: QalitaDouble) -> None:
    qalita_server.misbehave("sources", Hang())
    http = open_http(qalita_server, request_seconds=3600)
    with http.within(0.1), pytest.raises(QalitaUnavailableError, match="in time"):
        http.read(READ)
    assert http.read(READ) == []


def test_a_platform_that_is_not_there_is_named(qalita_server: QalitaDouble) -> None:
    http = open_http(qalita_server, Retries(most=2), base_url="http://127.0.0.1:1")
    for call in (READ, WRITE):
        with pytest.raises(
            QalitaUnavailableError, match=r"^QALITA at 127\.0\.0\.1:1 is not reachable"
        ) as caught:
            http.read(call)
        assert (caught.value.silent, caught.value.in_doubt) == (True, False)


def test_a_platform_that_is_silent_is_named(qalita_server: QalitaDouble) -> None:
    qalita_server.misbehave("create", Hang())
    with pytest.raises(QalitaUnavailableError, match=r"did not answer in time$") as caught:
        open_http(qalita_server, request_seconds=0.05).read(WRITE)
    assert (caught.value.silent, caught.value.in_doubt) == (True, True)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (LOGIN_PAGE, "HTML, not JSON"),
        (Answer(200, b'{"id": '), "what is no JSON"),
        (Answer(200, b"\xff\xfe"), "what is no JSON"),
        (Answer(302, b"", {"Location": "http://127.0.0.1:1/"}), r"a redirect \(302\)"),
    ],
)
def test_garbage_is_called_so_and_leaves_in_doubt_what_was_done(
    qalita_server: QalitaDouble, answer: Answer, said: str
) -> None:
    qalita_server.misbehave("create", answer)
    with pytest.raises(
        QalitaUnavailableError, match=rf"create with {said}: is QALITA_URL right\?$"
    ) as caught:
        open_http(qalita_server).read(WRITE)
    assert caught.value.in_doubt


def test_a_missing_row_is_nothing(qalita_server: QalitaDouble) -> None:
    assert open_http(qalita_server).read(Call("GET", "/api/v2/sources/99")) is None


def test_an_api_token_is_used_as_it_is(qalita_server: QalitaDouble) -> None:
    open_http(qalita_server).read(READ)
    assert qalita_server.lines() == ["GET /api/v2/sources"]
    assert qalita_server.requests[0].headers["Authorization"] == f"Bearer {API_TOKEN}"


def test_a_user_signs_in_once(qalita_server: QalitaDouble) -> None:
    http = open_http(qalita_server, **SIGN_IN)
    for _ in range(3):
        http.read(READ)
    assert qalita_server.count("signin") == 1


def test_a_token_is_renewed_a_minute_before_it_expires(qalita_server: QalitaDouble) -> None:
    qalita_server.platform.token_seconds = 59
    http = open_http(qalita_server, **SIGN_IN)
    http.read(READ)
    qalita_server.platform.token_seconds = 3600
    for _ in range(3):
        http.read(READ)
    assert qalita_server.count("signin") == 2
    assert qalita_server.count("sources") == 4


@pytest.mark.parametrize("call", [READ, WRITE])
def test_a_token_that_expired_early_is_renewed_once(
    qalita_server: QalitaDouble, call: Call
) -> None:
    http = open_http(qalita_server, **SIGN_IN)
    http.read(READ)
    qalita_server.expire_tokens()
    http.read(call)
    assert qalita_server.count("signin") == 2
    qalita_server.misbehave(call.path, detail(401, "no"), times=9)
    with pytest.raises(QalitaUnavailableError, match=r"^QALITA refuses QALITA_USERNAME") as caught:
        http.read(call)
    assert (caught.value.status, caught.value.in_doubt) == (401, False)
    assert qalita_server.count("signin") == 3


def test_a_token_that_is_no_jwt_is_used_until_it_is_refused(qalita_server: QalitaDouble) -> None:
    qalita_server.misbehave("signin", Answer(200, {"access_token": API_TOKEN}))
    http = open_http(qalita_server, **SIGN_IN)
    for _ in range(3):
        http.read(READ)
    assert qalita_server.count("signin") == 1


def test_an_api_token_that_is_refused_is_named_by_its_variable(
    qalita_server: QalitaDouble,
) -> None:
    qalita_server.tokens.clear()
    with pytest.raises(QalitaUnavailableError) as caught:
        open_http(qalita_server).read(READ)
    assert str(caught.value) == "QALITA refuses QALITA_TOKEN"
    assert qalita_server.count("") == 1


def test_wrong_credentials_are_named_and_never_shown(qalita_server: QalitaDouble) -> None:
    http = open_http(qalita_server, **{**SIGN_IN, "password": "hunter2"})
    with pytest.raises(QalitaUnavailableError) as caught:
        http.read(READ)
    assert str(caught.value) == "QALITA refuses QALITA_USERNAME"


def test_an_answer_that_repeats_a_secret_is_told_without_it(qalita_server: QalitaDouble) -> None:
    for changes, secret in (({}, API_TOKEN), (SIGN_IN, PASSWORD)):
        qalita_server.misbehave("sources", detail(400, f"who is {secret}?"))
        with pytest.raises(QalitaError, match=r": who is \*\*\*\*\?$"):
            open_http(qalita_server, **changes).read(READ)


@pytest.mark.parametrize(
    "answer", [LOGIN_PAGE, Answer(200, {"token": "x"}), Answer(200, []), detail(404, "Not Found")]
)
def test_a_sign_in_without_a_token_points_at_the_url(
    qalita_server: QalitaDouble, answer: Answer
) -> None:
    qalita_server.misbehave("signin", answer)
    with pytest.raises(QalitaUnavailableError, match=r"signin .* is QALITA_URL right\?$"):
        open_http(qalita_server, **SIGN_IN).read(READ)


def test_trouble_with_the_sign_in_is_tried_again_as_well(qalita_server: QalitaDouble) -> None:
    for trouble in (BUSY, Lose(), detail(429, "no")):
        qalita_server.misbehave("signin", trouble)
    open_http(qalita_server, **SIGN_IN).read(READ)
    assert qalita_server.count("signin") == 4
    qalita_server.misbehave("signin", BUSY, times=9)
    with pytest.raises(QalitaUnavailableError, match=r"503 to POST /api/v1/auth/signin"):
        open_http(qalita_server, **SIGN_IN).read(READ)


@pytest.mark.parametrize("claims", [{"exp": "soon"}, {}, [], None])
def test_a_token_need_not_say_when_it_expires(claims: object) -> None:
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    assert expiry(f"a.{middle}.c") is None
    assert expiry("opaque") is None
    assert expiry("a.!.c") is None


def test_certificates_that_are_none_are_named(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("none")
    with pytest.raises(ConfigError, match=r"^QALITA_CA_BUNDLE: .*ca\.pem holds no certificates"):
        QalitaHttp(QalitaServer("https://qalita", "t", ca_bundle=bundle))
