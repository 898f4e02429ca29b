"""The words that a field's name gives as context."""

from __future__ import annotations

import pytest

from atlas_dagster.pii.context import context_of


@pytest.mark.parametrize(
    ("path", "context"),
    [
        (["email"], ["email"]),
        (["homePhone"], ["home", "phone", "home phone"]),
        (["customer_IBANCode2"], ["customer", "iban", "code", "2", "customer iban code 2"]),
        (["Straßen-Name"], ["straßen", "name", "straßen name"]),
        (["contact", "emails", "[]", "*", "value"], ["contact", "emails", "value"]),
        (["__"], []),
    ],
)
def test_names_are_taken_apart(path: list[str], context: list[str]) -> None:
    assert context_of(path) == context
