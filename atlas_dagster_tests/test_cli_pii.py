"""`atlas pii report`, as an operator types it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from atlas_dagster.cli_pii import pii
from atlas_dagster.errors import AtlasError
from atlas_dagster.layers.policy import FieldPolicy, stream_policy
from atlas_dagster.pii.findings import FieldFindings, RecognizerFailure
from atlas_dagster.pii.store import FieldScan, UnscannedDay, save_scan
from atlas_dagster.pii.verdict import Verdict
from atlas_dagster.pii_rules import Action
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import at, chart, create_landing, land, load, make_stream
from atlas_dagster_tests.properties.oracle import Version
from atlas_dagster_tests.subjects.support import found

USERS = make_stream({"id": {"type": "integer"}, "contact": {"type": "object"}})
ORDERS = make_stream({"id": {"type": "integer"}}, name="orders", slug="orders")
MAIL = ("contact", "mail")


@pytest.fixture
def crm(
    warehouse: PgConnection, warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> PgConnection:
    """Users of three days, two of them scanned; orders that nobody has scanned."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATLAS_WAREHOUSE_URL", warehouse_url)
    monkeypatch.delenv("ATLAS_PROJECT_DIR", raising=False)
    for stream, days in ((USERS, (1, 2, 3)), (ORDERS, (4, 5))):
        create_landing(warehouse, stream)
        land(warehouse, stream, [Version(f"{n}", at(n), {"id": n}) for n in days])
        load(warehouse, stream)
    for day, rows in ((1, 3), (2, 4)):
        found(warehouse, USERS, MAIL, day=date(2024, 1, day), rows=rows, field_rows=10)
    return warehouse


def run(*arguments: str) -> str:
    result = CliRunner().invoke(pii, ["report", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def name_mail(action: str) -> None:
    file = Path("config/atlas.yaml")
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"pii: {{columns: {{contact.mail: {action}}}}}")


def test_what_was_found_is_shown_with_its_share_and_days_and_what_was_never_scanned(
    crm: PgConnection,
) -> None:
    assert run() == (
        "stream     field         entity         kind    share  confidence"
        "  first day   last day    policy  named\n"
        "crm/users  contact.mail  EMAIL_ADDRESS  values  35.0%        0.90"
        "  2024-01-01  2024-01-02  -       no\n"
        "crm/orders: never scanned: 2 days, 2024-01-04 to 2024-01-05, 2 record versions\n"
        "crm/users: never scanned: 1 day, 2024-01-03, 1 record version\n"
    )


def test_a_field_that_its_name_alone_tells_has_no_share(crm: PgConnection) -> None:
    told = Verdict(MAIL, "USERNAME", "name", 0.0, 0.0, 0.85, ("a test says so",))
    named = FieldScan(FieldFindings(MAIL, 1, 1), (told,))
    save_scan(
        crm,
        ORDERS.table_name,
        UnscannedDay(date(2024, 1, 4), 1),
        [named],
        recognizers="of a test",
        result={},
        run_id="run",
    )
    assert run("crm/orders").splitlines()[1].split()[3:6] == ["name", "-", "0.85"]
    (orders,) = json.loads(run("crm/orders", "--json"))
    assert orders["fields"][0]["share"] == 0.0


def test_the_policy_is_that_which_chart_was_built_with_and_a_rule_that_names_it_is_told(
    crm: PgConnection,
) -> None:
    masked = stream_policy([FieldPolicy(("contact",), Action.REDACT)], None)
    chart(crm, USERS, policy=masked)
    name_mail("hash")
    assert run().splitlines()[1].split()[-2:] == ["redact", "yes"]


def test_values_that_a_recognizer_failed_on_are_told(crm: PgConnection) -> None:
    failure = RecognizerFailure("NhsRecognizer", "ValueError", values=1, rows=1)
    failed = FieldScan(FieldFindings(MAIL, 1, 1, failures=(failure,)), ())
    day = date(2024, 1, 3)
    save_scan(
        crm,
        USERS.table_name,
        UnscannedDay(day, 1),
        [failed],
        recognizers="of a test",
        result={},
        run_id="run",
    )
    told = "contact.mail: NhsRecognizer raised ValueError in 1 row"
    assert run("crm/users").splitlines()[2:] == [
        f"crm/users: not all could be looked for: {told}, 2024-01-03"
    ]
    (users,) = json.loads(run("crm/users", "--json"))
    assert users["failures"] == [
        {
            "name": "contact.mail",
            "recognizer": "NhsRecognizer",
            "error": "ValueError",
            "rows": 1,
            "first_day": "2024-01-03",
            "last_day": "2024-01-03",
        }
    ]


def test_one_connection_or_stream_can_be_chosen(crm: PgConnection) -> None:
    assert run("crm") == run()
    assert run("crm/orders").splitlines() == [
        "no personal data was found",
        "crm/orders: never scanned: 2 days, 2024-01-04 to 2024-01-05, 2 record versions",
    ]


@pytest.mark.parametrize("name", ["crm/user", "cr", "", "/users"])
def test_an_unknown_stream_is_one_sentence(crm: PgConnection, name: str) -> None:
    with pytest.raises(AtlasError) as error:
        run(name)
    assert str(error.value) == f"no stream {name!r}; there are: crm/orders, crm/users"


def test_the_same_can_be_had_as_json(crm: PgConnection) -> None:
    orders, users = json.loads(run("--json"))
    (mail,) = users["fields"]
    expected: dict[str, Any] = {
        "name": "contact.mail",
        "entity": "EMAIL_ADDRESS",
        "share": 0.35,
        "first_day": "2024-01-01",
        "policy": None,
        "is_named": False,
    }
    assert expected.items() <= mail.items()
    assert users["never_scanned"]["rows"] == 1
    assert orders == {
        "stream": "crm/orders",
        "fields": [],
        "failures": [],
        "never_scanned": {"days": 2, "first": "2024-01-04", "last": "2024-01-05", "rows": 2},
    }


def test_without_any_stream_nothing_is_found(crm: PgConnection) -> None:
    crm.execute("truncate pipeline.stream cascade")
    assert run() == "no personal data was found\n"
    assert json.loads(run("--json")) == []
