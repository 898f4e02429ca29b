"""Sending events one after another, each at least once: what was taken, refused, or has to wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from atlas_dagster.lineage.model import Event
from atlas_dagster.plain_text import without_values

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient

PATIENCE = 5
"""So many ticks in a row is one event not taken and others are, until it counts as refused: some
backends answer 5xx to what they cannot read, and clients have limits of their own."""

_LONGEST_ANSWER = 200
_WAITING = (401, 403, 404, 405, 407, 408, 425, 429)
"""Answers 4xx that are not about the event: a key, an address or a limit can be put right."""


@dataclass(frozen=True)
class Refused:
    """An event that the backend will not take, and why; it is not sent again."""

    event: Event
    why: str


class UnavailableError(Exception):
    """The backend does not take events now; ``by_event``: it may be about this one alone."""

    def __init__(self, why: str, *, by_event: bool = False) -> None:
        super().__init__(why)
        self.by_event = by_event


@dataclass
class Sender:
    """Sends until something stops it: the deadline (of the monotonic clock), or the backend.

    ``stuck`` names an event by its run and state, and says how many ticks it has been in the way.
    """

    client: OpenLineageClient
    deadline: float
    stuck: tuple[str, int] = ("", 0)
    taken: int = 0
    refused: list[Refused] = field(default_factory=list[Refused])
    stopped: str | None = None
    out_of_time: bool = False

    @property
    def is_stopped(self) -> bool:
        return self.stopped is not None or self.out_of_time

    def send(self, events: Sequence[Event]) -> int:
        """Send events in their order; how many of them need not be sent again."""
        for place, event in enumerate(events):
            if monotonic() >= self.deadline:
                self.out_of_time = True
            if self.is_stopped or not self._send(event, _other(events, place)):
                return place
        return len(events)

    def _send(self, event: Event, other: Event | None) -> bool:
        try:
            why = emit(self.client, event)
        except UnavailableError as error:
            if not (error.by_event and self._is_in_the_way(event, other)):
                self.stopped = str(error)
                return False
            why = f"{error}, {PATIENCE} times, and others pass"
        if why is None:
            self.taken += 1
        else:
            self.refused.append(Refused(event, why))
        if self.stuck[0] == _key(event):
            self.stuck = ("", 0)
        return True

    def _is_in_the_way(self, event: Event, other: Event | None) -> bool:
        """Whether the backend takes another event, and has done so for some ticks."""
        if other is None:
            return False
        try:
            emit(self.client, other)
        except UnavailableError:
            return False
        key = _key(event)
        self.stuck = (key, self.stuck[1] + 1 if self.stuck[0] == key else 1)
        return self.stuck[1] >= PATIENCE


def emit(client: OpenLineageClient, event: Event) -> str | None:
    """Send one event; returns why it is refused for good, None where it is taken.

    Raises UnavailableError where it may be taken later.
    """
    from requests import HTTPError, RequestException

    from atlas_dagster.lineage.events import build_event

    try:
        built = build_event(event)
    except Exception as error:  # noqa: BLE001  # it would be the same again, and the rest is well
        return f"it cannot be built: {_named(error)}"
    try:
        client.emit(built)
    except HTTPError as error:
        if error.response is None:
            raise UnavailableError("no answer") from None
        return _refusal(error.response)
    except RequestException as error:
        raise UnavailableError(_trouble(error)) from None
    except Exception as error:  # noqa: BLE001  # each transport raises its own, and so do people's
        root = _root(error)
        if isinstance(root, HTTPError) and root.response is not None:
            return _refusal(root.response)
        told = root if isinstance(root, RequestException) else error
        raise UnavailableError(_trouble(told), by_event=not isinstance(root, OSError)) from None
    return None


def _root(error: BaseException) -> BaseException:
    """What is behind an error: transports wrap those of others, a network's or a disk's too."""
    while error.__cause__ is not None and not isinstance(error, OSError):
        error = error.__cause__
    return error


def _refusal(response: Any) -> str:
    """Why an event is refused; raises UnavailableError where the answer is not about the event."""
    status = int(response.status_code)
    if status >= 500 or status in _WAITING:
        raise UnavailableError(f"it answered {status}", by_event=status >= 500)
    text = " ".join(str(response.text).split())
    shown = text if len(text) <= _LONGEST_ANSWER else f"{text[:_LONGEST_ANSWER]}…"
    return f"it answered {status}: {shown}" if shown else f"it answered {status}"


def _trouble(error: Exception) -> str:
    """What is in the way, without an address: there may be a password in it."""
    from requests import ConnectionError as NotConnected
    from requests import Timeout
    from urllib3.exceptions import ReadTimeoutError

    # What requests says after the last try has the reason within.
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, Timeout) or isinstance(reason, ReadTimeoutError):
        return "it did not answer in time"
    if isinstance(error, NotConnected):
        return "it cannot be reached"
    return _named(error)


def _named(error: Exception) -> str:
    told = without_values(str(error))
    return f"{type(error).__name__}: {told}" if told else type(error).__name__


def _other(events: Sequence[Event], place: int) -> Event | None:
    """Another event, of another job where there is one, with little in it; None: there is none."""
    event = events[place]
    near = [*events[place + 1 :], *reversed(events[:place])]
    other = next((each for each in near if each.job.name != event.job.name), event)
    little = replace(other, inputs=(), outputs=(), days=None, error=None)
    return None if little == event else little


def _key(event: Event) -> str:
    return f"{event.run_id} {event.state.value}"
