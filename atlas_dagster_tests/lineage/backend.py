"""A lineage backend on 127.0.0.1: it takes what OpenLineage's schemas allow, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from atlas_dagster_tests.http_double import HttpDouble
from atlas_dagster_tests.lineage.spec import Json, mistakes


@dataclass(frozen=True)
class Answer:
    """What a request gets; ``hangs``: nothing, until the backend is closed."""

    status: int = 201
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False


class Backend(HttpDouble[Answer]):
    """``events`` are those that were taken, ``sent`` all that came, ``keys`` how they signed in."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Json] = []
        self.sent: list[Json] = []
        self.keys: list[str | None] = []

    def lines(self) -> list[str]:
        return [line(event) for event in self.sent]

    def handle(self, method: str, target: str, headers: Any, content: bytes) -> Answer | None:
        """Answer one request; None: not at all."""
        event = json.loads(content)
        self.sent.append(event)
        self.keys.append(headers.get("Authorization"))
        trouble = self._trouble(line(event))
        if trouble and trouble.hangs:
            self.released.wait(10)
            return None
        if trouble:
            return trouble
        if (method, target) != ("POST", "/api/v1/lineage"):
            return Answer(404)
        if wrong := mistakes(event):
            return Answer(422, "; ".join(wrong).encode())
        self.events.append(event)
        return Answer()

    def taken(self) -> list[str]:
        return [line(event) for event in self.events]


def line(event: Json) -> str:
    """An event as tests look for it: ``START shop.users.sync``."""
    return f"{event['eventType']} {event['job']['name']}"
