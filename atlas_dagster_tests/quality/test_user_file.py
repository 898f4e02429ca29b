"""What a user says of a stream's checks: read as written, and as Soda itself would read it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from atlas_dagster.quality import soda_language
from atlas_dagster.quality.contract import Contract, load_contract, load_contracts
from atlas_dagster.quality.spec import (
    Check,
    Dimension,
    Limit,
    Operator,
    Threshold,
    Unit,
    UserParameters,
)
from atlas_dagster.quality.user_file import stray_files
from atlas_dagster.settings import Settings, load_settings
from atlas_dagster_tests.quality.catalogs import (
    INSTANT,
    INTEGER,
    MAYBE,
    connection,
    rules,
    stream,
)

USERS = stream(
    {
        "id": INTEGER,
        "email": {**MAYBE, "format": "email"},
        "name": MAYBE,
        "country": MAYBE,
        "amount": {"type": ["null", "number"]},
        "created_at": INSTANT,
        "updated_at": INSTANT,
    }
)
SIBLINGS = [stream({"code": MAYBE}, name="countries"), stream({"id": INTEGER}, name="Big Orders")]
GUIDE = Path(__file__).parents[2] / "docs" / "checks.md"
DOCUMENTED = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return load_settings({})


def contract(settings: Settings, text: str) -> Contract:
    file = settings.checks_dir / "crm" / "users.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    built = load_contracts(settings, connection(USERS, *SIBLINGS), rules("0 * * * *"))["users"]
    assert built.mistakes == ()
    return built


def own(settings: Settings, text: str) -> list[Check]:
    return [c for c in contract(settings, text).checks if isinstance(c.parameters, UserParameters)]


def one(settings: Settings, text: str) -> tuple[Check, UserParameters]:
    (check,) = own(settings, text)
    assert isinstance(check.parameters, UserParameters)
    return check, check.parameters


def of_email(check: str) -> str:
    return f"columns:\n  - name: email\n    checks:\n      - {check}\n"


def fresh(column: str, threshold: str) -> str:
    return f"checks:\n  - freshness: {{column: {column}, threshold: {{{threshold}}}}}\n"


class TestReading:
    def test_no_file_changes_nothing(self, settings: Settings) -> None:
        told = connection(USERS, *SIBLINGS)
        without = load_contracts(settings, told, rules("0 * * * *"))["users"]
        assert without.checks == contract(settings, "# nothing\n").checks
        assert own(settings, "") == []

    def test_a_check_says_where_it_stands(self, settings: Settings) -> None:
        check, written = one(settings, of_email("missing:"))
        assert check.origin == "config/checks/crm/users.yml:4"
        assert (check.name, check.columns) == ("user__missing__email", ("email",))
        assert check.description == "missing of email"
        assert check.dimension is Dimension.COMPLETENESS
        assert written == UserParameters("missing", {}, "email")

    def test_a_check_has_the_name_and_the_dimension_that_it_is_given(
        self, settings: Settings
    ) -> None:
        check, _ = one(
            settings,
            "checks:\n  - row_count:\n      name: Enough rows!\n      qualifier: 7\n"
            "      attributes: {dimension: accuracy}\n",
        )
        assert check.name == "user__Enough_rows__7"
        assert check.dimension is Dimension.ACCURACY
        assert check.description == "Enough rows!"

    def test_a_name_without_a_letter_of_ours_is_one_still(self, settings: Settings) -> None:
        check, _ = one(settings, "checks:\n  - row_count: {name: 表}\n")
        assert re.fullmatch(r"user__x_[0-9a-f]{8}", check.name)

    def test_texts_stay_texts(self, settings: Settings) -> None:
        _, written = one(
            settings, of_email("invalid: {valid_values: [NO, off, 2024-01-01, 1_0, 12, true]}")
        )
        assert written.body["valid_values"] == ["NO", "off", "2024-01-01", "1_0", 12, True]

    def test_keys_of_a_column_hold_for_the_checks_that_have_none_of_their_group(
        self, settings: Settings
    ) -> None:
        checks = own(
            settings,
            "columns:\n"
            "  - name: amount\n"
            "    valid_min: 1\n"
            "    missing_values: [0]\n"
            "    column_expression: abs(amount)\n"
            "    checks:\n"
            "      - invalid:\n"
            "      - invalid: {qualifier: own, valid_max: 9, missing_values: [-1]}\n"
            "      - missing:\n"
            "      - metric: {expression: max(amount), threshold: {must_be: 1}}\n",
        )
        bodies = [
            dict(c.parameters.body) for c in checks if isinstance(c.parameters, UserParameters)
        ]
        common: dict[str, Any] = {"column_expression": "abs(amount)"}
        assert bodies == [
            {**common, "valid_min": 1, "missing_values": [0]},
            {**common, "qualifier": "own", "valid_max": 9, "missing_values": [-1]},
            {**common, "missing_values": [0]},
            {"expression": "max(amount)", "threshold": {"must_be": 1}},
        ]

    @pytest.mark.parametrize(
        ("dataset", "table"),
        [
            ("countries", "chart/crm__countries"),
            ("public/iso_countries", "public/iso_countries"),
            ("warehouse/atlas/public/iso_countries", "public/iso_countries"),
        ],
    )
    def test_a_reference_is_to_a_stream_or_to_any_table(
        self, settings: Settings, dataset: str, table: str
    ) -> None:
        _, written = one(
            settings,
            of_email(f"invalid: {{valid_reference_data: {{dataset: {dataset}, column: code}}}}"),
        )
        assert written.body["valid_reference_data"] == {"dataset": table, "column": "code"}

    def test_a_stream_is_called_by_its_name_too(self, settings: Settings) -> None:
        _, written = one(
            settings,
            of_email("invalid: {valid_reference_data: {dataset: Big Orders, column: id}}"),
        )
        assert written.body["valid_reference_data"] == {
            "dataset": f"chart/{SIBLINGS[1].table_name}",
            "column": "id",
        }

    def test_a_column_that_atlas_adds_can_be_checked(self, settings: Settings) -> None:
        text = fresh("_airbyte_extracted_at", "must_be_less_than: 1")
        check, _ = one(settings, text)
        assert check.columns == ("_airbyte_extracted_at",)

    def test_a_column_that_the_source_has_dropped_can_be_checked_as_chart_has_it(
        self, settings: Settings
    ) -> None:
        contract(settings, of_email("missing:"))
        without = stream({"id": INTEGER})
        built = load_contract(settings, connection(without), rules(), charted=USERS)
        assert built.mistakes == ()
        assert "missing__email" not in {check.name for check in built.checks}
        assert "user__missing__email" in {check.name for check in built.checks}


class TestThresholds:
    @pytest.mark.parametrize(
        ("written", "expected"),
        [
            ("{}", Threshold(fail=Limit(Operator.LTE, 0))),
            ("{level: warn}", Threshold(warn=Limit(Operator.LTE, 0))),
            ("{must_be: 5}", Threshold(fail=Limit(Operator.NE, 5))),
            ("{must_not_be: 5}", Threshold(fail=Limit(Operator.EQ, 5))),
            ("{must_be_greater_than: 5}", Threshold(fail=Limit(Operator.LTE, 5))),
            ("{must_be_greater_than_or_equal: 5}", Threshold(fail=Limit(Operator.LT, 5))),
            ("{must_be_less_than: 5}", Threshold(fail=Limit(Operator.GTE, 5))),
            ("{must_be_less_than_or_equal: 5.5}", Threshold(fail=Limit(Operator.GT, 5.5))),
            (
                "{must_be_between: {greater_than: 1, less_than_or_equal: 9}}",
                Threshold(fail=Limit(Operator.OUTSIDE, 1, upper=9)),
            ),
            (
                "{must_be_not_between: {greater_than: 9, less_than: 1}}",
                Threshold(fail=Limit(Operator.INSIDE, 1, upper=9)),
            ),
            (
                "{must_be: 5, additional: {level: warn, must_be_less_than: 9}}",
                Threshold(warn=Limit(Operator.GTE, 9), fail=Limit(Operator.NE, 5)),
            ),
            (
                "{must_be: 5, level: warn, additional: {must_be_less_than: 9}}",
                Threshold(warn=Limit(Operator.NE, 5), fail=Limit(Operator.GTE, 9)),
            ),
        ],
    )
    def test_what_must_be_becomes_what_breaks_it(
        self, settings: Settings, written: str, expected: Threshold
    ) -> None:
        check, parameters = one(settings, f"checks:\n  - row_count: {{threshold: {written}}}\n")
        assert check.threshold == expected
        assert ("threshold" in parameters.body) is (written != "{}")

    def test_a_threshold_may_be_of_percent(self, settings: Settings) -> None:
        text = of_email("missing: {threshold: {metric: percent, must_be_less_than: 2.5}}")
        check, _ = one(settings, text)
        assert check.threshold == Threshold(fail=Limit(Operator.GTE, 2.5, Unit.PERCENT))

    @pytest.mark.parametrize(
        ("unit", "seconds"), [("", 7200), ("unit: minute, ", 120), ("unit: day, ", 172_800)]
    )
    def test_an_age_is_in_its_unit_and_else_in_hours(
        self, settings: Settings, unit: str, seconds: int
    ) -> None:
        check, _ = one(settings, fresh("updated_at", f"{unit}must_be_less_than: 2"))
        assert check.threshold == Threshold(fail=Limit(Operator.GTE, seconds, Unit.SECONDS))


class TestChanges:
    def test_disabled_checks_are_not_made_and_not_forgotten(self, settings: Settings) -> None:
        built = contract(settings, "disable: [text_damage__*, 'fresh_????']\n")
        names = {check.name for check in built.checks}
        assert not [name for name in names if name.startswith(("text_damage", "fresh"))]
        assert [check.name for check in built.disabled] == [
            "fresh_sync",
            "text_damage__name",
            "text_damage__country",
        ]

    @pytest.mark.parametrize(
        ("name", "written", "expected"),
        [
            ("missing__email", "{warn: 0}", Threshold(warn=Limit(Operator.GT, 0))),
            (
                "invalid__email",
                "{fail: 12.5 %}",
                Threshold(Limit(Operator.GT, 0), Limit(Operator.GT, 12.5, Unit.PERCENT)),
            ),
            ("invalid__email", "{warn: 3, fail: never}", Threshold(Limit(Operator.GT, 3))),
            ("row_count", "{fail: 1000}", Threshold(fail=Limit(Operator.LT, 1000))),
            (
                "fresh_sync",
                "{warn: 1.5d, fail: 1w}",
                Threshold(
                    Limit(Operator.GT, 129_600, Unit.SECONDS),
                    Limit(Operator.GT, 604_800, Unit.SECONDS),
                ),
            ),
            ("schema", "{warn: 0, fail: never}", Threshold(warn=Limit(Operator.GT, 0))),
        ],
    )
    def test_other_thresholds_take_the_place_of_those_that_are_written(
        self, settings: Settings, name: str, written: str, expected: Threshold
    ) -> None:
        built = contract(settings, f"override:\n  {name}: {written}\n")
        (check,) = [check for check in built.checks if check.name == name]
        assert check.threshold == expected
        assert check.origin.endswith("; thresholds: config/checks/crm/users.yml:2")

    def test_derived_checks_keep_their_order_and_the_users_come_after_them(
        self, settings: Settings
    ) -> None:
        before = [check.name for check in contract(settings, "").checks]
        after = contract(
            settings, "override: {schema: {warn: 0, fail: 3}}\n" + of_email("missing:")
        )
        assert [check.name for check in after.checks] == [*before, "user__missing__email"]


class TestFilesOfNothing:
    STREAMS = {"crm": {"users", "orders"}}  # noqa: RUF012

    @pytest.mark.parametrize(
        ("file", "message"),
        [
            ("crm/usres.yml", "unknown stream usres of crm; did you mean users?"),
            ("cmr/users.yml", "unknown connection cmr; did you mean crm?"),
            ("crm/users.yaml", "would not be read: name it users.yml"),
            ("users.yml", "expected it in checks/<connection>/<stream>.yml"),
            ("crm/eu/users.yml", "expected it in checks/<connection>/<stream>.yml"),
        ],
    )
    def test_a_file_about_no_stream_is_refused(
        self, settings: Settings, file: str, message: str
    ) -> None:
        path = settings.checks_dir / file
        path.parent.mkdir(parents=True)
        path.write_text("")
        (error,) = stray_files(settings, self.STREAMS)
        assert str(error) == f"config/checks/{file}:1: {message}"

    def test_streams_of_a_server_come_and_go(self, settings: Settings) -> None:
        path = settings.checks_dir / "crm" / "gone.yml"
        path.parent.mkdir(parents=True)
        path.write_text("")
        assert stray_files(settings, {"crm": None}) == []

    def test_files_of_streams_and_other_files_are_let_be(self, settings: Settings) -> None:
        assert stray_files(settings, self.STREAMS) == []
        for name in ("crm/users.yml", "README.md", "crm/notes.txt"):
            path = settings.checks_dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
        assert stray_files(settings, self.STREAMS) == []


@pytest.fixture
def _soda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SODA_CORE_TELEMETRY_ENABLED", "false")
    from soda_core.plugins import load_plugins

    load_plugins()
    # A scan keeps Soda's records to itself; here they go where Soda collects them.
    monkeypatch.setattr(logging.getLogger("soda"), "propagate", True)


class _Complaints(logging.Handler):
    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def soda_complaints(checks: Sequence[Check]) -> list[str]:
    """What Soda itself says of the checks when it reads them in a contract."""
    from soda_core.common.logging_constants import soda_logger
    from soda_core.common.yaml import ContractYamlSource
    from soda_core.contracts.impl.contract_yaml import ContractYaml

    columns: dict[str, list[Any]] = {}
    of_table: list[Any] = []
    for number, check in enumerate(checks):
        written = check.parameters
        assert isinstance(written, UserParameters)
        body = {written.type: {**written.body, "qualifier": str(number)}}
        if written.column is None:
            of_table.append(body)
        else:
            columns.setdefault(written.column, []).append(body)
    text = json.dumps(
        {
            "dataset": "a/b/c",
            "columns": [{"name": name, "checks": found} for name, found in columns.items()],
            **({"checks": of_table} if of_table else {}),
        }
    )
    told = _Complaints(logging.WARNING)
    soda_logger.addHandler(told)  # not the root's: where the engine has run, it does not hear Soda
    try:
        source = ContractYamlSource.from_str(text)
        assert isinstance(source, ContractYamlSource)
        ContractYaml(source)
    finally:
        soda_logger.removeHandler(told)
    return told.messages


@pytest.mark.parametrize("text", DOCUMENTED)
def test_every_documented_example_is_read(settings: Settings, text: str) -> None:
    assert contract(settings, text).checks


@pytest.mark.usefixtures("_soda")
def test_soda_has_no_complaint_about_what_is_taken(settings: Settings) -> None:
    checks = own(settings, DOCUMENTED[1])
    assert len(checks) == 10
    assert soda_complaints(checks) == []


@pytest.mark.usefixtures("_soda")
def test_soda_complains_about_what_is_refused(settings: Settings) -> None:
    (good,) = own(settings, of_email("missing: {threshold: {must_be: 0}}"))
    assert soda_complaints([good]) == []
    bad = UserParameters("missing", {"threshold": {"metric": "ratio"}}, "email")
    assert soda_complaints([Check(**{**vars(good), "parameters": bad})]) != []


@pytest.mark.usefixtures("_soda")
def test_every_check_type_of_soda_is_known_or_refused_with_a_reason() -> None:
    from soda_core.contracts.impl.contract_yaml import CheckYaml

    known = {*soda_language.CHECK_TYPES, *soda_language.NO_TYPES}
    assert known == set(CheckYaml.get_check_type_names())


@pytest.mark.usefixtures("_soda")
def test_every_comparison_of_soda_is_known() -> None:
    from soda_core.contracts.impl import contract_yaml

    known = {*soda_language.COMPARISONS, *soda_language.RANGES}
    assert known == contract_yaml.THRESHOLD_COMPARISON_KEYS
