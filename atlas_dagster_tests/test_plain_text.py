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
            "sync shop: the source failed: no access to … for …",
        ),
        (
            'duplicate key value violates unique constraint "a"\nDETAIL: Key (name)=(Jane) exists',
            "duplicate key value violates unique constraint …",
        ),
        ("Airbyte refused: user=Jane password=x1y2", "Airbyte refused: …"),
        ("cannot open https://u:p@host/x?token=abc, HTTP 503", "cannot open … HTTP 503"),
        ("no answer from Jane Roe on 5550142", "no answer from … on …"),
        ("PostgreSQL went away", "… went away"),
        ("", ""),
    ],
)
def test_words_are_left_and_values_are_not(message: str, left: str) -> None:
    assert without_values(message) == left


def test_it_is_cut() -> None:
    assert len(without_values("word " * 1000)) == LONGEST
