"""Requests to an Airbyte server: credentials, what is tried again, and what is said in the end.

The problems of dagster-airbyte and its kin that a test is named after are GitHub issues: those of
dagster-io/dagster unless named.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from atlas_dagster.errors import AirbyteError, AirbyteUnavailableError
from atlas_dagster.http_retries import Retries
from atlas_dagster_tests.airbyte.api import open_api, open_http
from atlas_dagster_tests.airbyte_server import answers
from atlas_dagster_tests.airbyte_server.double import (
    BUSY,
    LOGIN_PAGE,
    AirbyteDouble,
    Answer,
    Hang,
    Lose,
)

WORKSPACE = "GET .*/workspaces/"


def refused(status: int, message: str = "no", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, answers.problem(status, "title", message), named)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
def test_34172_a_refusal_is_not_tried_again(airbyte_server: AirbyteDouble, status: int) -> None:
    airbyte_server.misbehave("GET .*/jobs/", refused(status, "because"), times=9)
    with pytest.raises(
        AirbyteError, match=rf"^Airbyte answered {status} to GET .*/jobs/1: because$"
    ):
        open_api(airbyte_server).job(1)
    assert airbyte_server.count("jobs") == 1


@pytest.mark.parametrize("trouble", [BUSY, refused(500), refused(502), refused(429), Lose()])
def test_32800_what_may_pass_is_tried_again(
    airbyte_server: AirbyteDouble, trouble: Answer | Lose
) -> None:
    airbyte_server.misbehave(WORKSPACE, trouble, times=3)
    open_api(airbyte_server).check_workspace()
    assert airbyte_server.count(WORKSPACE) == 4


def test_waits_grow_and_are_random_and_bounded(airbyte_server: AirbyteDouble) -> None:
    airbyte_server.misbehave("GET .*/jobs/", BUSY, times=99)
    waits: list[float] = []
    retries = Retries(most=6, first_seconds=1, most_seconds=6)
    with pytest.raises(AirbyteUnavailableError, match=r"answered 503 .*: try again"):
        open_http(airbyte_server, retries, waits).request(
            "GET", f"{airbyte_server.rest_url}/jobs/1"
        )
    longest = [1, 2, 4, 6, 6]
    assert len(waits) == len(longest)
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, longest, strict=True))
    assert waits[3] != waits[4]
    assert airbyte_server.count("jobs") == 6


@pytest.mark.parametrize("status", [429, 503])
def test_the_server_may_name_the_wait(airbyte_server: AirbyteDouble, status: int) -> None:
    airbyte_server.misbehave("GET .*/jobs", refused(status, Retry_After="7"))
    waits: list[float] = []
    open_http(airbyte_server, waits=waits).request("GET", f"{airbyte_server.rest_url}/jobs")
    assert waits == [7]


def test_the_server_may_name_the_wait_by_a_date(airbyte_server: AirbyteDouble) -> None:
    date = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=60), usegmt=True)
    airbyte_server.misbehave("GET .*/jobs", refused(429, Retry_After=date))
    waits: list[float] = []
    open_http(airbyte_server, waits=waits).request("GET", f"{airbyte_server.rest_url}/jobs")
    assert 50 < waits[0] <= 60


def test_a_wait_beyond_patience_is_a_failure(airbyte_server: AirbyteDouble) -> None:
    airbyte_server.misbehave("GET .*/jobs", refused(429, "slow down", Retry_After="3600"))
    with pytest.raises(AirbyteUnavailableError, match=r"429.*slow down"):
        open_api(airbyte_server).jobs("c")
    assert airbyte_server.count("jobs") == 1


def test_a_server_that_is_not_there_is_named(airbyte_server: AirbyteDouble) -> None:
    api = open_api(airbyte_server, Retries(most=2), rest_url="http://127.0.0.1:1/api/public/v1")
    with pytest.raises(
        AirbyteUnavailableError, match=r"^Airbyte at 127\.0\.0\.1:1 is not reachable"
    ):
        api.job(1)


def test_a_server_that_is_silent_is_named(airbyte_server: AirbyteDouble) -> None:
    airbyte_server.misbehave("GET .*/jobs/", Hang(), times=2)
    api = open_api(airbyte_server, Retries(most=2), request_seconds=0.05)
    with pytest.raises(AirbyteUnavailableError, match=r"did not answer in time$"):
        api.job(1)


def test_html_instead_of_json_names_the_variable_to_look_at(airbyte_server: AirbyteDouble) -> None:
    airbyte_server.misbehave("GET .*/jobs/1|POST .*/connections/get", LOGIN_PAGE, times=2)
    api = open_api(airbyte_server)
    with pytest.raises(AirbyteError, match=r"HTML, not JSON: is AIRBYTE_REST_API_BASE_URL right\?"):
        api.job(1)
    with pytest.raises(AirbyteError, match=r"is AIRBYTE_CONFIGURATION_API_BASE_URL right"):
        api.connection("c")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "what is no JSON object"),
        (b"[]", "what is no JSON object"),
        (b'{"data": [1', "what is no JSON object"),
        (b"\xff\xfe", "what is no JSON object"),
    ],
)
def test_garbage_is_called_so(airbyte_server: AirbyteDouble, body: bytes, said: str) -> None:
    airbyte_server.misbehave("GET .*/jobs/1", Answer(200, body))
    with pytest.raises(AirbyteError, match=said):
        open_api(airbyte_server).job(1)


@pytest.mark.parametrize("found", [{"a": 1}, "text", [1], [None]])
def test_a_list_of_what_are_no_objects_is_garbage(
    airbyte_server: AirbyteDouble, found: object
) -> None:
    airbyte_server.misbehave("GET .*/jobs$", Answer(200, {"data": found}))
    with pytest.raises(AirbyteError, match=r"jobs with what is no list of objects"):
        open_api(airbyte_server).jobs("c")


def test_a_redirect_to_a_login_page_is_not_followed(airbyte_server: AirbyteDouble) -> None:
    airbyte_server.misbehave("GET .*/jobs/1", Answer(302, b"", {"Location": "http://127.0.0.1:1/"}))
    with pytest.raises(AirbyteError, match=r"a redirect \(302\): is AIRBYTE_REST_API_BASE_URL"):
        open_api(airbyte_server).job(1)


def test_23650_a_token_is_had_by_client_id_and_secret_and_used_while_it_lives(
    airbyte_server: AirbyteDouble,
) -> None:
    airbyte_server.credentials = ("client", "secret")
    api = open_api(airbyte_server)
    for _ in range(3):
        api.check_workspace()
    assert airbyte_server.count("token") == 1


def test_a_token_is_renewed_before_it_expires(airbyte_server: AirbyteDouble) -> None:
    airbyte_server.credentials = ("client", "secret")
    airbyte_server.token_seconds = 1e-9
    api = open_api(airbyte_server)
    for _ in range(3):
        api.check_workspace()
    assert airbyte_server.count("token") == 3


def test_a_token_that_expired_early_is_renewed_once(airbyte_server: AirbyteDouble) -> None:
    airbyte_server.credentials = ("client", "secret")
    api = open_api(airbyte_server)
    api.check_workspace()
    airbyte_server.expire_tokens()
    api.check_workspace()
    assert (airbyte_server.count("token"), airbyte_server.count(WORKSPACE)) == (2, 3)


def test_a_token_that_is_always_refused_is_said_to_be(airbyte_server: AirbyteDouble) -> None:
    airbyte_server.credentials = ("client", "secret")
    airbyte_server.misbehave(WORKSPACE, refused(401), times=9)
    with pytest.raises(AirbyteError, match=r"^Airbyte refuses the token"):
        open_api(airbyte_server).check_workspace()
    assert airbyte_server.count(WORKSPACE) == 2


def test_wrong_credentials_are_named_and_never_shown(airbyte_server: AirbyteDouble) -> None:
    airbyte_server.credentials = ("client", "secret")
    http = open_http(airbyte_server, secret="hunter2")
    with pytest.raises(AirbyteError) as caught:
        http.request("GET", f"{airbyte_server.rest_url}/jobs/1")
    assert str(caught.value) == "Airbyte refuses AIRBYTE_CLIENT_ID and AIRBYTE_CLIENT_SECRET"
    assert "hunter2" not in repr(http.server)


def test_30866_user_and_password_are_sent_where_they_are_set(airbyte_server: AirbyteDouble) -> None:
    airbyte_server.credentials, airbyte_server.basic = ("user", "pässword"), True
    open_api(airbyte_server).check_workspace()
    with pytest.raises(
        AirbyteError, match=r"^Airbyte refuses AIRBYTE_USERNAME and AIRBYTE_PASSWORD$"
    ):
        open_api(airbyte_server, secret="wrong").check_workspace()


def test_a_server_that_wants_credentials_says_which(airbyte_server: AirbyteDouble) -> None:
    airbyte_server.credentials = ("client", "secret")
    with pytest.raises(AirbyteError, match=r"^Airbyte wants credentials: set AIRBYTE_CLIENT_ID"):
        open_api(airbyte_server, name=None, secret=None).check_workspace()


def test_trouble_with_the_token_is_tried_again_as_well(airbyte_server: AirbyteDouble) -> None:
    airbyte_server.credentials = ("client", "secret")
    airbyte_server.misbehave("token", BUSY)
    airbyte_server.misbehave("token", Lose())
    open_api(airbyte_server).check_workspace()
    assert airbyte_server.count("token") == 3


def test_nothing_that_may_have_been_done_is_repeated_where_that_matters(
    airbyte_server: AirbyteDouble,
) -> None:
    for trouble in (BUSY, Lose()):
        airbyte_server.misbehave("POST .*/jobs", trouble)
        with pytest.raises(AirbyteUnavailableError):
            open_api(airbyte_server).start_sync("c")
    assert airbyte_server.count("POST .*/jobs") == 2
    airbyte_server.misbehave("POST .*/jobs", refused(429))
    with pytest.raises(AirbyteError, match=r"404"):
        open_api(airbyte_server).start_sync("c")
    assert airbyte_server.count("POST .*/jobs") == 4
