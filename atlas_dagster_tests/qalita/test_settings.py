"""The environment variables that name a QALITA platform."""

from __future__ import annotations

from pathlib import Path

import pytest

from atlas_dagster.errors import ConfigError
from atlas_dagster.qalita.settings import QalitaServer, load_qalita_server

URL = {"QALITA_BASE_URL": "https://qalita.example.com"}
TOKEN = {"QALITA_API_TOKEN": "s3cret-token"}
USER = {"QALITA_USERNAME": "me", "QALITA_PASSWORD": "s3cret"}


def load(environ: dict[str, str]) -> QalitaServer:
    server = load_qalita_server(environ)
    assert server
    return server


@pytest.mark.parametrize("environ", [{}, TOKEN, USER, {"QALITA_BASE_URL": ""}])
def test_without_a_url_there_is_no_platform(environ: dict[str, str]) -> None:
    assert load_qalita_server(environ) is None


def test_a_url_and_a_token_are_enough() -> None:
    assert load({**URL, **TOKEN}) == QalitaServer("https://qalita.example.com", "s3cret-token")


@pytest.mark.parametrize(
    "name",
    [
        *("QALITA_BASE_URL", "QALITA_WORKER_ENDPOINT", "QALITA_AGENT_ENDPOINT", "AGENT_ENDPOINT"),
        *("QALITA_URL", "QALITA_API_URL", "URL"),
    ],
)
def test_the_url_may_have_the_name_that_another_client_of_qalita_reads(name: str) -> None:
    server = load({name: "http://qalita:3080", **TOKEN})
    assert (server.base_url, server.url_name) == ("http://qalita:3080", name)


@pytest.mark.parametrize(
    "name",
    [
        *("QALITA_API_TOKEN", "QALITA_WORKER_TOKEN", "QALITA_AGENT_TOKEN", "QALITA_TOKEN"),
        "TOKEN",
    ],
)
def test_the_token_may_have_the_name_that_another_client_of_qalita_reads(name: str) -> None:
    server = load({**URL, name: " s3cret-token\n"})
    assert (server.token, server.credentials) == ("s3cret-token", name)


def test_url_and_token_alone_may_be_those_of_anything() -> None:
    assert load_qalita_server({"URL": "https://elsewhere.example.com", "TOKEN": "theirs"}) is None


def test_the_first_name_that_is_set_counts_and_a_token_before_a_user() -> None:
    server = load({**URL, "QALITA_URL": "http://other", "QALITA_TOKEN": "b", **TOKEN, **USER})
    assert (server.base_url, server.token) == ("https://qalita.example.com", "s3cret-token")
    assert server.user is None


def test_a_user_signs_in_even_where_something_else_has_a_token() -> None:
    server = load({**URL, **USER, "TOKEN": "theirs"})
    assert (server.token, server.user, server.password) == (None, "me", "s3cret")
    assert server.credentials == "QALITA_USERNAME and QALITA_PASSWORD"


def test_secrets_stay_out_of_sight() -> None:
    assert "s3cret" not in repr(load({**URL, **TOKEN})) + repr(load({**URL, **USER}))


@pytest.mark.parametrize("tail", ["", "/", "//", "/api", "/api/v1", "/api/v2/", "/api/v1//"])
@pytest.mark.parametrize("root", ["http://qalita:3080", "https://example.com/qalita"])
def test_the_path_of_the_api_is_no_part_of_the_url(root: str, tail: str) -> None:
    assert load({"QALITA_URL": root + tail, **TOKEN}).base_url == root


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("true", False), ("1", False), ("YES", False), ("on", False), ("false", True), ("0", True)],
)
def test_verification_is_skipped_where_that_is_said(value: str, wanted: bool) -> None:
    assert load({**URL, **TOKEN, "SKIP_SSL_VERIFY": value}).verifies is wanted


def test_certificates_are_a_file_or_a_directory(tmp_path: Path) -> None:
    assert load({**URL, **TOKEN, "QALITA_CA_BUNDLE": str(tmp_path)}).ca_bundle == tmp_path


def test_how_long_is_waited_and_whether_sources_are_published_may_be_said() -> None:
    server = load(
        {
            **URL,
            **TOKEN,
            "ATLAS_QALITA_REQUEST_SECONDS": "5",
            "ATLAS_QALITA_UPLOAD_SECONDS": "60",
            "ATLAS_QALITA_SETTLE_SECONDS": "90",
            "ATLAS_QALITA_PROVISION": "true",
        }
    )
    seconds = (server.request_seconds, server.upload_seconds, server.settle_seconds)
    assert (seconds, server.provisions) == ((5, 60, 90), True)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            URL,
            "QALITA_API_TOKEN: not set, nor are QALITA_USERNAME and QALITA_PASSWORD, and"
            " QALITA_BASE_URL is",
        ),
        ({**URL, "QALITA_PASSWORD": "s3cret"}, "QALITA_USERNAME: not set, and QALITA_PASSWORD is"),
        (
            {"QALITA_URL": "qalita.example.com", **TOKEN},
            "QALITA_URL: expected a URL that starts with http:// or https://",
        ),
        (
            {"QALITA_URL": "http://[::1", **TOKEN},
            "QALITA_URL: expected a URL that starts with http:// or https://",
        ),
        (
            {"QALITA_URL": "http://me:s3cret@qalita", **TOKEN},
            "QALITA_URL: expected a URL without user, password, ? and #",
        ),
        (
            {**URL, "QALITA_TOKEN": "s3cret tökén"},
            "QALITA_TOKEN: expected a token of plain characters, without blanks",
        ),
        (
            {**URL, **TOKEN, "SKIP_SSL_VERIFY": "perhaps"},
            "SKIP_SSL_VERIFY: expected true or false, found 'perhaps'",
        ),
        (
            {**URL, **TOKEN, "QALITA_CA_BUNDLE": "/no/such/file"},
            "QALITA_CA_BUNDLE: there is no file or directory /no/such/file",
        ),
        (
            {**URL, **TOKEN, "ATLAS_QALITA_UPLOAD_SECONDS": "soon"},
            "ATLAS_QALITA_UPLOAD_SECONDS: expected a number above 0, found 'soon'",
        ),
    ],
)
def test_a_mistake_is_named_by_its_variable_and_shows_no_secret(
    environ: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_qalita_server(environ)
    assert str(caught.value) == said
