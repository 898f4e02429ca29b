"""Numbers of things in sentences."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """A number of things: ``1 day``, ``2,000 days``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
