"""The environment variables that decide how Atlas runs."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from atlas_dagster.errors import ConfigError
from atlas_dagster.settings import (
    WebhookSettings,
    load_first_day,
    load_settings,
    load_webhook_settings,
)


def test_an_empty_environment_means_embedded_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings({})
    assert settings.connections_file == tmp_path / "config" / "connections.yaml"
    assert settings.atlas_file == tmp_path / "config" / "atlas.yaml"
    assert settings.data_dir == tmp_path / ".atlas"
    assert settings.warehouse_url is None
    assert settings.dagster_url is None
    assert settings.heartbeat_seconds == 3600


def test_the_process_environment_is_read_unless_one_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ATLAS_CONNECTOR_HEARTBEAT_SECONDS", "90")
    assert load_settings().heartbeat_seconds == 90


def test_an_empty_variable_is_as_good_as_none() -> None:
    names = [
        "ATLAS_PROJECT_DIR",
        "ATLAS_CONFIG_DIR",
        "ATLAS_DATA_DIR",
        "ATLAS_WAREHOUSE_URL",
        "ATLAS_DAGSTER_URL",
        "ATLAS_CONNECTOR_HEARTBEAT_SECONDS",
    ]
    assert load_settings(dict.fromkeys(names, "")) == load_settings({})


def test_directories_start_at_the_project(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    settings = load_settings(
        {"ATLAS_PROJECT_DIR": str(tmp_path), "ATLAS_CONFIG_DIR": "conf", "ATLAS_DATA_DIR": "data"}
    )
    assert settings.config_dir == tmp_path / "conf"
    assert settings.data_dir == tmp_path / "data"


def test_directories_may_lie_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = load_settings({"ATLAS_CONFIG_DIR": "/etc", "ATLAS_DATA_DIR": "~/data"})
    assert settings.config_dir == Path("/etc").resolve()
    assert settings.data_dir == tmp_path / "data"


def test_a_directory_of_files_that_is_named_is_there(tmp_path: Path) -> None:
    missing = str(tmp_path / "conf")
    with pytest.raises(ConfigError) as error:
        load_settings({"ATLAS_CONFIG_DIR": missing})
    assert str(error.value) == f"ATLAS_CONFIG_DIR: there is no directory {missing}"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_servers_are_named_by_url(scheme: str) -> None:
    warehouse, dagster = f"{scheme}://u:p@db/atlas", f"{scheme}://u:p@db/dagster"
    settings = load_settings({"ATLAS_WAREHOUSE_URL": warehouse, "ATLAS_DAGSTER_URL": dagster})
    assert (settings.warehouse_url, settings.dagster_url) == (warehouse, dagster)


def test_the_passwords_in_urls_stay_out_of_sight() -> None:
    names = ("ATLAS_WAREHOUSE_URL", "ATLAS_WAREHOUSE_SESSION_URL", "ATLAS_DAGSTER_URL")
    settings = load_settings(dict.fromkeys(names, "postgresql://u:s3cret@db/atlas"))
    assert settings.warehouse_session_url == "postgresql://u:s3cret@db/atlas"
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    "name",
    [
        "AIRBYTE_REST_API_BASE_URL",
        "AIRBYTE_CONFIGURATION_API_BASE_URL",
        "ATLAS_DAGSTER_WEBSERVER_URL",
    ],
)
def test_urls_that_are_shown_have_no_password(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({**SERVER, name: "https://me:s3cret@host/api"})
    assert str(caught.value) == f"{name}: expected a URL without user and password: it is shown"
    at_the_end = load_settings({**SERVER, name: "https://host/teams/@data"})
    assert "https://host/teams/@data" in repr(at_the_end)


@pytest.mark.parametrize("name", ["ATLAS_WAREHOUSE_URL", "ATLAS_DAGSTER_URL"])
@pytest.mark.parametrize("value", ["mysql://u:secret@db/atlas", "db.example.com", " "])
def test_another_url_is_refused_without_showing_it(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({name: value})
    assert str(caught.value) == f"{name}: expected a URL that starts with postgresql://"


@pytest.mark.parametrize("value", ["0", "-1", "soon", "nan", "inf"])
def test_a_heartbeat_is_a_number_above_0(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({"ATLAS_CONNECTOR_HEARTBEAT_SECONDS": value})
    assert str(caught.value) == (
        f"ATLAS_CONNECTOR_HEARTBEAT_SECONDS: expected a number above 0, found {value!r}"
    )


SERVER = {
    "AIRBYTE_REST_API_BASE_URL": "https://airbyte.example.com/api/public/v1/",
    "AIRBYTE_CONFIGURATION_API_BASE_URL": "https://airbyte.example.com/api/v1",
    "AIRBYTE_WORKSPACE_ID": "w-1",
}
CLIENT = {"AIRBYTE_CLIENT_ID": "id", "AIRBYTE_CLIENT_SECRET": "s3cret"}
USER = {"AIRBYTE_USERNAME": "me", "AIRBYTE_PASSWORD": "s3cret"}


def test_the_first_day_is_2020_unless_set() -> None:
    assert load_first_day({}) == date(2020, 1, 1)
    assert load_first_day({"ATLAS_FIRST_DAY": "2026-01-31"}) == date(2026, 1, 31)


@pytest.mark.parametrize(
    ("value", "mistake"),
    [
        ("2026-02-30", "expected a day, as 2020-01-01, found '2026-02-30'"),
        ("yesterday", "expected a day, as 2020-01-01, found 'yesterday'"),
        ("2999-01-01", "2999-01-01 is yet to come"),
    ],
)
def test_a_first_day_that_is_none_is_refused(value: str, mistake: str) -> None:
    with pytest.raises(ConfigError, match=f"ATLAS_FIRST_DAY: {mistake}"):
        load_settings({"ATLAS_FIRST_DAY": value})


def test_an_airbyte_server_is_named_as_dagster_airbyte_documents_it() -> None:
    server = load_settings(SERVER).airbyte
    assert server
    assert server.rest_url == "https://airbyte.example.com/api/public/v1"
    assert server.configuration_url == "https://airbyte.example.com/api/v1"
    assert (server.workspace_id, server.name, server.secret) == ("w-1", None, None)
    assert (server.reattaches, server.poll_seconds, server.request_seconds) == (True, 10, 30)
    assert load_settings({}).airbyte is None


@pytest.mark.parametrize(
    ("credentials", "name", "uses_tokens"), [(CLIENT, "id", True), (USER, "me", False)]
)
def test_its_credentials_are_a_clients_or_a_users_and_stay_out_of_sight(
    credentials: dict[str, str], name: str, uses_tokens: bool
) -> None:
    settings = load_settings({**SERVER, **credentials})
    assert settings.airbyte
    assert (settings.airbyte.name, settings.airbyte.secret) == (name, "s3cret")
    assert settings.airbyte.uses_tokens is uses_tokens
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, None),
        ({"DAGSTER_IS_DEV_CLI": "1"}, "http://127.0.0.1:3000"),
        ({"ATLAS_DAGSTER_WEBSERVER_URL": "https://dagster/prefix/"}, "https://dagster/prefix"),
        (
            {"DAGSTER_IS_DEV_CLI": "1", "ATLAS_DAGSTER_WEBSERVER_URL": "http://127.0.0.1:3001"},
            "http://127.0.0.1:3001",
        ),
    ],
)
def test_the_webserver_is_where_it_is_said_to_be_or_where_dagster_dev_starts_it(
    environment: dict[str, str], url: str | None
) -> None:
    assert load_settings(environment).webserver_url == url


def test_a_workspace_alone_is_one_of_airbyte_cloud() -> None:
    server = load_settings({"AIRBYTE_WORKSPACE_ID": "w-1", **CLIENT}).airbyte
    assert server
    assert server.rest_url == "https://api.airbyte.com/v1"
    assert server.configuration_url == "https://cloud.airbyte.com/api/v1"


def test_credentials_alone_are_no_server() -> None:
    assert load_settings({**CLIENT, **USER}).airbyte is None


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (
            {**SERVER, "AIRBYTE_WORKSPACE_ID": ""},
            "AIRBYTE_WORKSPACE_ID: not set, and a URL of Airbyte is",
        ),
        (
            {**SERVER, "AIRBYTE_REST_API_BASE_URL": ""},
            "AIRBYTE_REST_API_BASE_URL: not set, and the URL of Airbyte's other API is",
        ),
        (
            {**SERVER, "AIRBYTE_CONFIGURATION_API_BASE_URL": "airbyte.example.com"},
            "AIRBYTE_CONFIGURATION_API_BASE_URL: expected a URL that starts with http:// or"
            " https://",
        ),
        (
            {"AIRBYTE_WORKSPACE_ID": "w-1"},
            "AIRBYTE_REST_API_BASE_URL: not set; without it the workspace is one of Airbyte Cloud,"
            " which needs AIRBYTE_CLIENT_ID and AIRBYTE_CLIENT_SECRET",
        ),
        (
            {**SERVER, "AIRBYTE_CLIENT_ID": "id"},
            "AIRBYTE_CLIENT_SECRET: not set, and AIRBYTE_CLIENT_ID is",
        ),
        (
            {**SERVER, "AIRBYTE_PASSWORD": "s3cret"},
            "AIRBYTE_USERNAME: not set, and AIRBYTE_PASSWORD is",
        ),
        (
            {**SERVER, **CLIENT, **USER},
            "AIRBYTE_CLIENT_ID and AIRBYTE_USERNAME are both set; keep one of them",
        ),
        (
            {**SERVER, "ATLAS_AIRBYTE_REATTACH": "maybe"},
            "ATLAS_AIRBYTE_REATTACH: expected true or false, found 'maybe'",
        ),
        (
            {**SERVER, "ATLAS_AIRBYTE_POLL_SECONDS": "0"},
            "ATLAS_AIRBYTE_POLL_SECONDS: expected a number above 0, found '0'",
        ),
    ],
)
def test_half_a_server_is_refused_by_the_variable_that_is_wrong(
    environment: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(environment)
    assert str(caught.value) == said


def test_a_spacy_model_is_an_installed_package_or_a_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "packages" / "xx_atlas_test_model"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "meta.json").write_text("{}")
    monkeypatch.syspath_prepend(tmp_path / "packages")
    name = "ATLAS_PII_SPACY_MODEL"
    assert load_settings({}).pii_spacy_model is None
    assert load_settings({name: "xx_atlas_test_model"}).pii_spacy_model == "xx_atlas_test_model"
    here = {name: "packages/xx_atlas_test_model", "ATLAS_PROJECT_DIR": str(tmp_path)}
    assert load_settings(here).pii_spacy_model == str(package)


@pytest.mark.parametrize(
    ("value", "mistake"),
    [
        ("no_such_model_at_all", "no spaCy model is installed as 'no_such_model_at_all'"),
        ("json", "no spaCy model is installed as 'json'"),
        ("en-core-web-sm", "expected a package such as en_core_web_sm"),
        ("/no/such/model", "no spaCy model in /no/such/model: it has no meta.json"),
    ],
)
def test_a_spacy_model_that_is_not_here_is_refused(value: str, mistake: str) -> None:
    with pytest.raises(ConfigError, match=f"ATLAS_PII_SPACY_MODEL: {mistake}"):
        load_settings({"ATLAS_PII_SPACY_MODEL": value})


TOKEN = "0123456789.Az_~-"


def test_a_token_is_all_that_the_receiver_needs_to_be_told() -> None:
    settings = load_webhook_settings({"ATLAS_WEBHOOK_TOKEN": TOKEN})
    assert settings == WebhookSettings(TOKEN, "127.0.0.1", 8010, 1_000_000)
    assert TOKEN not in repr(settings)


def test_the_receiver_listens_where_it_is_told() -> None:
    settings = load_webhook_settings(
        {
            "ATLAS_WEBHOOK_TOKEN": TOKEN,
            "ATLAS_WEBHOOK_HOST": "::",
            "ATLAS_WEBHOOK_PORT": "0",
            "ATLAS_WEBHOOK_MAX_BYTES": "5000",
        }
    )
    assert settings == WebhookSettings(TOKEN, "::", 0, 5000)


@pytest.mark.parametrize("environment", [{}, {"ATLAS_WEBHOOK_TOKEN": ""}])
def test_without_a_token_a_new_one_is_proposed_that_would_do(environment: dict[str, str]) -> None:
    proposals: list[str] = []
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"^ATLAS_WEBHOOK_TOKEN: not set; ") as caught:
            load_webhook_settings(environment)
        proposals.append(str(caught.value).rpartition("ATLAS_WEBHOOK_TOKEN=")[2])
    assert proposals[0] != proposals[1]
    assert load_webhook_settings({"ATLAS_WEBHOOK_TOKEN": proposals[0]}).token == proposals[0]


@pytest.mark.parametrize(
    "token",
    ["0123456789abcde", "0123456789abcdef/", "0123456789abcdef ", "0123456789abcdef\n", "ö" * 20],
)
def test_a_token_that_is_short_or_needs_an_escape_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_webhook_settings({"ATLAS_WEBHOOK_TOKEN": token})
    assert str(caught.value) == (
        "ATLAS_WEBHOOK_TOKEN: expected at least 16 characters, of letters, digits and . _ ~ -,"
        " since it stands in a URL"
    )


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("ATLAS_WEBHOOK_PORT", "65536", "0 to 65535"),
        ("ATLAS_WEBHOOK_PORT", "-1", "0 to 65535"),
        ("ATLAS_WEBHOOK_PORT", "http", "0 to 65535"),
        ("ATLAS_WEBHOOK_PORT", "²", "0 to 65535"),
        ("ATLAS_WEBHOOK_MAX_BYTES", "999", "1000 to 32000000"),
        ("ATLAS_WEBHOOK_MAX_BYTES", "1e6", "1000 to 32000000"),
    ],
)
def test_a_number_out_of_range_is_named(name: str, value: str, allowed: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_webhook_settings({"ATLAS_WEBHOOK_TOKEN": TOKEN, name: value})
    assert str(caught.value) == f"{name}: expected a whole number from {allowed}, found {value!r}"
