"""`atlas subject`, as an operator types it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from atlas_dagster.cli_subject import subject
from atlas_dagster.errors import AtlasError, ConfigError
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import at, create_landing, land
from atlas_dagster_tests.properties.oracle import Version
from atlas_dagster_tests.subjects.support import build, catalogued, found, places

ANN, BOB = "ann@example.com", "bob@example.com"


@pytest.fixture
def crm(
    warehouse: PgConnection, warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> PgConnection:
    """Users by number and accounts by e-mail address."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATLAS_WAREHOUSE_URL", warehouse_url)
    monkeypatch.delenv("ATLAS_PROJECT_DIR", raising=False)
    fields = {"id": {"type": "integer"}, "email": {"type": "string"}}
    streams = catalogued(
        warehouse, {"accounts": fields, "users": fields}, keys={"accounts": [["email"]]}
    )
    for stream in streams:
        create_landing(warehouse, stream)
        versions = [
            Version("a1", at(1), {"id": 1, "email": ANN}),
            Version("a2", at(2), {"id": 1, "email": "ann@new.example"}),
            Version("b1", at(1), {"id": 2, "email": BOB}),
        ]
        land(warehouse, stream, versions)
        build(warehouse, stream)
        found(warehouse, stream, ("email",))
    return warehouse


def run(*arguments: str, stdin: str = "", code: int = 0) -> str:
    result = invoke(*arguments, stdin=stdin)
    assert result.exit_code == code, result.output
    return result.stdout


def invoke(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(subject, arguments, input=stdin, catch_exceptions=False)


FOUND = (
    "stream        explore  chart  navigate  landing  keys\n"
    "crm/accounts        1      1         1        1  a***@e***\n"
    "crm/users           2      2         2        2  1\n"
)


def test_a_person_is_found_by_a_value_and_personal_keys_are_masked(crm: PgConnection) -> None:
    told = run("find", "--value", ANN).replace("a***  ", "a***")
    assert told == FOUND.replace("a***@e***", "a***")
    assert run("find", "--value", "eve@example.com") == "nothing was found\n"


def test_the_value_may_come_from_stdin(crm: PgConnection) -> None:
    assert run("find", "--value", "-", stdin=f"{ANN}\n") == run("find", "--value", ANN)


def test_a_natural_key_is_of_the_stream_that_is_named(crm: PgConnection) -> None:
    assert run("find", "--key", "crm/users=2").splitlines()[1:] == [
        "crm/users        1      1         1        1  2"
    ]


def test_an_export_has_all_versions_and_segments_and_only_its_owner_can_read_it(
    crm: PgConnection,
) -> None:
    assert run("export", "--value", ANN, "--file", "ann.jsonl").endswith(
        "6 lines written to ann.jsonl\n"
    )
    file = Path("ann.jsonl")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["stream"], line["layer"], line["data"]["email"]) for line in lines] == [
        ("crm/accounts", "explore", ANN),
        ("crm/accounts", "navigate", ANN),
        ("crm/users", "explore", ANN),
        ("crm/users", "explore", "ann@new.example"),
        ("crm/users", "navigate", ANN),
        ("crm/users", "navigate", "ann@new.example"),
    ]
    assert lines[4]["valid_to"] == "2024-01-02T00:00:00+00:00"
    with pytest.raises(ConfigError, match=r"ann\.jsonl is there already"):
        run("export", "--value", ANN, "--file", "ann.jsonl")


def test_an_export_that_fails_leaves_no_file(crm: PgConnection, tmp_path: Path) -> None:
    crm.execute("drop table chart.crm__users cascade")
    crm.execute("create view chart.crm__users as select 1 as wrong")
    with pytest.raises(AtlasError, match=r"crm/users: PostgreSQL: UndefinedColumn \(42703\)"):
        run("export", "--value", ANN, "--file", "ann.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_says_what_there_is_and_erases_nothing(crm: PgConnection) -> None:
    assert run("erase", "--value", ANN, "--dry-run") == run("find", "--value", ANN)
    assert places(crm, ANN) != []


def test_erasing_asks_first_and_does_nothing_without_a_yes(crm: PgConnection) -> None:
    run("erase", "--value", ANN, stdin="n\n", code=1)
    run("erase", "--value", ANN, code=1)
    assert places(crm, ANN) != []
    told = run("erase", "--value", ANN, stdin="y\n")
    assert told.splitlines()[-3:] == [
        "erased (redact) in 2 streams",
        "crm/accounts: landing still holds 1 row: it is not taken again, and has to go at the"
        " source, from which Airbyte rewrites landing",
        "crm/users: landing still holds 2 rows: they are not taken again, and have to go at the"
        " source, from which Airbyte rewrites landing",
    ]
    assert places(crm, ANN) == []


def test_rows_can_be_removed_without_a_question(crm: PgConnection) -> None:
    run("erase", "--value", ANN, "--remove", "--yes")
    assert crm.execute("select count(*) from explore.crm__users").fetchone() == (1,)
    assert run("find", "--value", ANN).splitlines()[1:] == [
        "crm/accounts        0      0         0        1",
        "crm/users           0      0         0        1",
    ]


def test_an_erasure_shows_the_value_nowhere(crm: PgConnection) -> None:
    result = invoke("erase", "--value", ANN, "--yes")
    assert ANN not in result.output
    assert ANN not in result.stderr


def test_what_could_not_be_searched_is_an_error(crm: PgConnection) -> None:
    catalogued(crm, {"users": {"id": {"type": "integer"}}})
    with pytest.raises(AtlasError, match="crm/accounts was not part of the connection's last sync"):
        run("find", "--value", ANN)


@pytest.mark.parametrize("command", ["find", "erase"])
def test_nothing_to_look_for_is_one_sentence(crm: PgConnection, command: str) -> None:
    with pytest.raises(ConfigError, match=r"^give --value or --key: whom to look for$"):
        run(command)
