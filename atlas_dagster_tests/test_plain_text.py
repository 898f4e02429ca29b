"""What is left of a message when it leaves the house."""

from __future__ import annotations

import pytest

from atlas_dagster.plain_text import LONGEST, without_values


@pytest.mark.parametrize(
    ("message", "left"),
    [
        ("the connector exited with code 1", "the connector exited with code 1"),
        (
            "sync shop: the source failed: no access to 'orders' for jane@example.org.",
            "sync … the source failed: no access to … for …",
        ),
        (
            'duplicate key value violates unique constraint "a"\nDETAIL: Key (name)=(Jane) exists',
            "duplicate key value violates unique constraint …",
        ),
        ("Airbyte refused: user=Jane password=x1y2", "Airbyte refused: …"),
        ("cannot open https://u:p@host/x?token=abc, HTTP 503", "cannot open … HTTP 503"),
        ("no answer from Jane Roe on 5550142", "no answer from … on …"),
        ("PostgreSQL went away from Jane", "PostgreSQL went away from …"),
        ("cannot send to 555 123 456", "cannot send to …"),
        ("card 411 111 111 111 111 1 is refused", "… is refused"),
        ("phone (030) 123 45 - 67 rejected", "… - … rejected"),
        ("key 41_11_11 is closed", "key … is closed"),
        ("no access for quentin featherstone", "no access for …"),
        ("Failed for password hunter and host db", "Failed for password … and host …"),
        ("Quentin failed. Hunter failed. ANNA failed", "… failed. … failed. … failed"),
        ("user jane_roe not found by quality_gate", "user … not found by quality_gate"),
        ("HTTP 503 after 5 attempts of 3.", "HTTP 503 after 5 attempts of 3."),
        ("ValueError in Airbyte's source", "ValueError in Airbyte's source"),
        ("permission denied for table salaries", "permission denied for table …"),
        ("", ""),
    ],
)
def test_words_are_left_and_values_are_not(message: str, left: str) -> None:
    assert without_values(message) == left


def test_it_is_cut() -> None:
    assert len(without_values("word " * 1000)) == LONGEST
