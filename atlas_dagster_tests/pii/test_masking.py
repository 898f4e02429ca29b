"""What may be shown of a value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_dagster.pii.masking import mask_sample

ENTITIES = st.sampled_from(
    ["EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "PERSON", "NATIONAL_ID"]
)
EMAILS = st.builds(
    "{}@{}.{}".format,
    st.text("abcdef.*@é", min_size=1, max_size=40),
    st.text("abcdef-", min_size=1, max_size=40),
    st.sampled_from(["com", "de", "co.uk"]),
)
VALUES = st.one_of(st.text(), EMAILS, st.text("0123456789 -+*", max_size=40))


@pytest.mark.parametrize(
    ("value", "entity", "masked"),
    [
        ("jane.doe@example.com", "EMAIL_ADDRESS", "j***@e***"),
        ("4111 1111 1111 1111", "CREDIT_CARD", "4***"),
        ("  Jane Doe-Smith ", "PERSON", "J***"),
        ("+45 20 12 34 56", "PHONE_NUMBER", "***"),
        ("short", "PERSON", "***"),
        ("a@bc.de", "EMAIL_ADDRESS", "***"),
        ("a|b`c<d>e", "PERSON", "a***"),
        ("<script>alert(1)</script>", "PERSON", "***"),
        ("", "PERSON", "***"),
    ],
)
def test_a_first_letter_shows_and_stars(value: str, entity: str, masked: str) -> None:
    assert mask_sample(value, entity) == masked


@given(VALUES, ENTITIES)
def test_four_characters_in_a_row_never_show(value: str, entity: str) -> None:
    masked = mask_sample(value, entity)
    assert not any(masked[at : at + 4] in value for at in range(len(masked) - 3))


@given(VALUES, ENTITIES)
def test_at_most_a_quarter_of_the_characters_shows(value: str, entity: str) -> None:
    shown = mask_sample(value, entity).replace("***", "")
    assert 4 * len(shown) <= len(value.strip())


@given(st.text(min_size=1), st.integers(12, 60), st.integers(12, 60), ENTITIES)
def test_the_length_does_not_show(start: str, one: int, other: int, entity: str) -> None:
    assert mask_sample(start + "x" * one, entity) == mask_sample(start + "x" * other, entity)


@given(VALUES, ENTITIES)
def test_nothing_shows_that_a_page_could_take_amiss(value: str, entity: str) -> None:
    assert all(sign.isalnum() or sign in "*@" for sign in mask_sample(value, entity))
