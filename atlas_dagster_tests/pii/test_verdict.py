"""The verdict on a field, from what was found in it and what it is called."""

from __future__ import annotations

import pytest

from atlas_dagster.pii.findings import EntityFinding, FieldFindings, ValueShape
from atlas_dagster.pii.ner_result import NerResult
from atlas_dagster.pii.verdict import Verdict, family_of, judge

ROWS = 1000
TEXT = ValueShape(words=8.0)
WORD = ValueShape(words=1.0)
DIGITS = ValueShape(digits=1.0, integers_only=1.0, words=1.0)
WRITTEN = ValueShape(digits=1.0, words=3.0)


def found(entity: str, share: float, *, whole: bool = True, score: float = 0.5) -> EntityFinding:
    rows = round(ROWS * share)
    whole_rows = rows if whole else 0
    return EntityFinding(entity, rows, rows, score, score, whole_rows, whole_rows)


def field(
    name: str,
    *entities: EntityFinding,
    shape: ValueShape = WORD,
    length: float = 12.0,
    distinct: int = ROWS,
) -> FieldFindings:
    return FieldFindings(
        path=tuple(name.split(".")),
        rows=ROWS,
        distinct_values=distinct,
        entities=entities,
        mean_length=length,
        shape=shape,
    )


def told(findings: FieldFindings, stream: str = "", ner: NerResult | None = None) -> list[str]:
    return [verdict.entity for verdict in judge(findings, stream=stream, ner=ner)]


def only(findings: FieldFindings, stream: str = "") -> Verdict:
    (verdict,) = judge(findings, stream=stream)
    return verdict


def test_a_field_of_addresses_is_told_by_its_values_whatever_its_name() -> None:
    verdict = only(field("field_7", found("EMAIL_ADDRESS", 0.97, score=1.0)))
    assert (verdict.entity, verdict.kind, verdict.share) == ("EMAIL_ADDRESS", "values", 0.97)
    assert verdict.evidence == ("EMAIL_ADDRESS in 97.0% of the values, mean score 1.00",)


def test_a_name_that_agrees_makes_a_verdict_surer() -> None:
    unnamed = only(field("field_7", found("EMAIL_ADDRESS", 0.97, score=1.0)))
    named = only(field("email", found("EMAIL_ADDRESS", 0.97, score=1.0)))
    assert named.confidence > unnamed.confidence
    assert named.evidence[0] == "the name says 'email'"


def test_personal_data_in_text_is_reported_as_such() -> None:
    verdict = only(field("comment", found("EMAIL_ADDRESS", 0.3, whole=False), shape=TEXT))
    assert (verdict.kind, verdict.share) == ("embedded", 0.3)
    assert "inside longer text" in verdict.evidence[0]


def test_a_text_may_hold_several_kinds_the_surest_first() -> None:
    findings = field(
        "note",
        found("EMAIL_ADDRESS", 0.2, whole=False),
        found("PHONE_NUMBER", 0.3, whole=False),
        shape=TEXT,
    )
    assert told(findings) == ["EMAIL_ADDRESS", "PHONE_NUMBER"]


def test_nothing_is_told_of_a_field_without_values() -> None:
    assert judge(FieldFindings(path=("email",), rows=0, distinct_values=0)) == ()


@pytest.mark.parametrize(
    "entity",
    ["US_BANK_NUMBER", "US_DRIVER_LICENSE", "US_PASSPORT", "US_ITIN", "DATE_TIME", "URL", "UUID"],
)
def test_recognizers_that_any_number_or_date_satisfies_need_a_name(entity: str) -> None:
    assert told(field("field_7", found(entity, 1.0, score=0.8), shape=DIGITS)) == []


@pytest.mark.parametrize(
    ("name", "entity", "verdict"),
    [
        ("bank_account_number", "US_BANK_NUMBER", "BANK_ACCOUNT"),
        ("drivers_license", "US_DRIVER_LICENSE", "DRIVER_LICENSE"),
        ("passport_no", "US_PASSPORT", "PASSPORT"),
    ],
)
def test_with_a_name_they_count(name: str, entity: str, verdict: str) -> None:
    findings = field(name, found(entity, 1.0, score=0.4), shape=DIGITS)
    assert told(findings) == [verdict]
    assert family_of(entity) == verdict


def test_a_tenth_of_random_numbers_passes_luhn_and_that_is_no_card() -> None:
    assert told(field("field_7", found("CREDIT_CARD", 0.1, score=1.0), shape=DIGITS)) == []
    assert told(field("field_7", found("CREDIT_CARD", 0.9, score=1.0), shape=DIGITS)) == [
        "CREDIT_CARD"
    ]


def test_an_order_number_is_none_either_unless_nearly_all_pass() -> None:
    assert told(field("order_number", found("CREDIT_CARD", 0.6, score=1.0), shape=DIGITS)) == []
    verdict = only(field("order_number", found("CREDIT_CARD", 0.95, score=1.0), shape=DIGITS))
    assert verdict.confidence < 0.7
    assert verdict.evidence[-1] == "although the name says 'order'"


def test_bare_integers_are_telephone_numbers_only_by_name() -> None:
    seen = found("PHONE_NUMBER", 0.8, score=0.4)
    assert told(field("field_7", seen, shape=DIGITS)) == []
    assert told(field("field_7", seen, shape=WRITTEN)) == ["PHONE_NUMBER"]
    assert told(field("phone", seen, shape=DIGITS)) == ["PHONE_NUMBER"]


def test_versions_and_agents_are_no_addresses() -> None:
    assert told(field("build", found("IP_ADDRESS", 0.9, score=0.6))) == []
    findings = field("user_agent", found("IP_ADDRESS", 1.0, whole=False, score=0.6), shape=TEXT)
    assert told(findings) == []


def test_addresses_of_servers_are_nobodys() -> None:
    assert told(field("server_ip", found("IP_ADDRESS", 1.0, score=0.6))) == []
    assert told(field("client_ip", found("IP_ADDRESS", 1.0, score=0.95))) == ["IP_ADDRESS"]


def test_a_name_alone_tells_where_no_recognizer_can() -> None:
    verdict = only(field("first_name", length=6.0))
    assert (verdict.entity, verdict.kind, verdict.share) == ("PERSON", "name", 0.0)


def test_the_stream_says_whose_name_it_is() -> None:
    assert told(field("name"), stream="users") == ["PERSON"]
    assert told(field("name"), stream="products") == []


def test_a_name_is_not_believed_where_a_recognizer_would_know() -> None:
    assert told(field("email", shape=WORD)) == []
    assert told(field("iban")) == []


@pytest.mark.parametrize(
    ("name", "shape", "distinct", "length"),
    [
        ("first_name", ValueShape(uuid=1.0, words=1.0), ROWS, 36.0),
        ("first_name", ValueShape(hex=1.0, words=1.0), ROWS, 32.0),
        ("phone", WORD, ROWS, 12.0),
        ("date_of_birth", ValueShape(uuid=1.0, words=1.0), ROWS, 36.0),
        ("passport_number", ValueShape(iso_timestamp=1.0, words=1.0), ROWS, 10.0),
        ("address", WORD, 2, 4.5),
        ("gender", WORD, ROWS, 80.0),
    ],
)
def test_a_name_is_not_believed_where_the_values_are_something_else(
    name: str, shape: ValueShape, distinct: int, length: float
) -> None:
    assert told(field(name, shape=shape, distinct=distinct, length=length)) == []


def test_what_is_found_in_every_value_explains_what_else_is_found_there() -> None:
    findings = field(
        "field_7",
        found("CREDIT_CARD", 1.0, score=1.0),
        found("PHONE_NUMBER", 0.6, score=0.4),
        shape=WRITTEN,
    )
    assert told(findings) == ["CREDIT_CARD"]


def test_parts_of_network_addresses_are_no_telephone_numbers() -> None:
    findings = field(
        "line",
        found("IP_ADDRESS", 1.0, whole=False, score=0.6),
        found("PHONE_NUMBER", 0.35, whole=False, score=0.4),
        shape=TEXT,
    )
    assert told(findings) == ["IP_ADDRESS"]


def test_a_national_recognizer_gives_its_name_to_what_a_name_calls_a_national_number() -> None:
    assert told(field("dni", found("ES_NIF", 1.0, score=1.0))) == ["ES_NIF"]
    assert told(field("dni")) == ["NATIONAL_ID"]
    assert family_of("ES_NIF") == "NATIONAL_ID"


def test_weak_matches_of_one_country_do_not_name_the_number_of_another() -> None:
    nine_digits = found("US_SSN", 1.0, score=0.05)
    assert told(field("num_seguridad_social", nine_digits, shape=DIGITS)) == ["NATIONAL_ID"]
    assert told(field("field_7", found("US_SSN", 1.0, score=0.05), shape=TEXT)) == []
    assert told(field("field_7", found("US_SSN", 1.0, score=0.5), shape=WORD)) == ["US_SSN"]


def test_numbers_with_a_fraction_and_timestamps_hold_no_telephone_numbers() -> None:
    whole = found("PHONE_NUMBER", 0.8, score=0.4)
    part = found("PHONE_NUMBER", 0.8, whole=False, score=0.4)
    fractions = ValueShape(digits=1.0, decimal=1.0, words=1.0)
    moments = ValueShape(words=2.0)
    assert told(field("field_7", whole, shape=fractions)) == []
    assert told(field("field_7", found("DATE_TIME", 1.0, whole=False), part, shape=moments)) == []
    assert told(field("field_7", found("DATE_TIME", 1.0, whole=False), part, shape=TEXT)) == [
        "PHONE_NUMBER"
    ]


def test_an_operators_own_recognizer_counts_by_its_score() -> None:
    assert told(field("field_7", found("EMPLOYEE_CODE", 0.9, score=0.8))) == ["EMPLOYEE_CODE"]
    assert told(field("field_7", found("EMPLOYEE_CODE", 0.9, score=0.3))) == []


def test_names_that_a_model_found_are_shares_of_what_it_read() -> None:
    ner = NerResult(
        model="names",
        entities=(EntityFinding("PERSON", 40, 40, 0.85, 0.85, 0, 0),),
        analyzed_values=100,
        analyzed_rows=100,
        total_values=ROWS,
        total_rows=ROWS,
    )
    (verdict,) = judge(field("comment", shape=TEXT), ner=ner)
    assert (verdict.entity, verdict.kind, verdict.share) == ("PERSON", "embedded", 0.4)


def test_places_alone_are_not_personal() -> None:
    ner = NerResult(
        model="names",
        entities=(EntityFinding("LOCATION", 90, 90, 0.85, 0.85, 90, 90),),
        analyzed_values=100,
        analyzed_rows=100,
        total_values=100,
        total_rows=100,
    )
    assert told(field("comment", shape=TEXT), ner=ner) == []
    assert told(field("city"), ner=ner) == ["LOCATION"]
