"""What may be shown of a value: a first letter or two, never its length, never four in a row."""

from __future__ import annotations

STARS = "***"

# Of fewer characters nothing is shown; of one that is shown, at least three others are not.
SHORTEST = 8
SHORTEST_EMAIL = 12


def mask_sample(value: str, entity: str) -> str:
    """A value as people may see it: `j***@e***` of an e-mail address, `4***` of a card's number.

    At most a quarter of the characters show, with the same stars for any length.
    """
    text = value.strip()
    if len(text) < SHORTEST or "*" in text:
        return STARS
    local, at, domain = text.partition("@")
    if entity == "EMAIL_ADDRESS" and at and "@" not in domain and len(text) >= SHORTEST_EMAIL:
        return f"{_initial(local)}{STARS}@{_initial(domain)}{STARS}"
    return f"{_initial(text)}{STARS}"


def _initial(text: str) -> str:
    """The first character where it is a letter or a digit: no sign that a page could take amiss."""
    return text[0] if text[:1].isalnum() else ""
