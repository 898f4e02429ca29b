"""One round of sending: what is due, in order for each source, by one sender at a time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from atlas_dagster.errors import ConfigError, QalitaError, QalitaUnavailableError
from atlas_dagster.qalita import deliveries as ledger
from atlas_dagster.qalita.client import QalitaApi
from atlas_dagster.qalita.content import Kind, digest
from atlas_dagster.qalita.deliveries import Progress, Stored
from atlas_dagster.qalita.mapping import Subject
from atlas_dagster.qalita.protocol import Sending
from atlas_dagster.qalita.targets import Destination, Targets
from atlas_dagster.warehouse import PgConnection, session_lock

LOCK = "qalita/sender"
BUDGET_SECONDS = 40.0
PAGE = 100
MOST_FAILURES = 3  # in a row: then the platform is left alone until the next round
TOUCH_SECONDS = 5.0  # how old a note may be of what is about to be sent
FIRST_BACKOFF, LONGEST_BACKOFF = 5.0, 600.0

_UNAUTHORIZED = 401


@dataclass
class Round:
    """What a round came to.

    ``unmapped`` is why subjects wait, by subject; ``troubles`` why deliveries do, by key;
    ``stopped`` why the round ended before its time.
    """

    sent: int = 0
    parked: int = 0
    unmapped: dict[str, str] = field(default_factory=dict[str, str])
    troubles: dict[str, str] = field(default_factory=dict[str, str])
    stopped: str | None = None
    out_of_time: bool = False


def send_due(
    connection: PgConnection,
    api: QalitaApi,
    targets: Targets,
    budget_seconds: float = BUDGET_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Round:
    """Send the deliveries that are due, until none is left or the time is up.

    The connection must commit by itself. Raises BusyError where another sender is at it.
    """
    if not connection.autocommit:
        raise ValueError("what is noted before it is sent must be committed")
    with session_lock(connection, LOCK, "another sender is publishing to QALITA"):
        return _Sender(connection, api, targets, budget_seconds, clock).run()


class _Sender:
    def __init__(
        self,
        connection: PgConnection,
        api: QalitaApi,
        targets: Targets,
        budget_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._connection = connection
        self._api = api
        self._targets = targets
        self._clock = clock
        self._ends_at = clock() + budget_seconds
        self._settle_seconds = api.http.server.settle_seconds
        self._lanes: dict[Subject, int | str] = {}  # of each subject that is sent: its source
        self._published: dict[tuple[str, int, int], dict[str, str]] = {}
        self._failures = 0
        self._touched_at = 0.0
        self._round = Round()

    def run(self) -> Round:
        self._open_lanes()
        for stored in self._stored():
            if self._clock() >= self._ends_at:
                self._round.out_of_time = True
                break
            if not self._deliver(stored):
                self._close_lane(stored)
            if self._round.stopped:
                break
        return self._round

    def _open_lanes(self) -> None:
        """One lane a source, whichever subjects are published to it."""
        for found in ledger.waiting(self._connection):
            lane = self._lane(found.subject)
            if lane is not None:
                self._lanes[found.subject] = lane

    def _lane(self, subject: Subject) -> int | str | None:
        try:
            return self._targets.route(subject).source_id or subject.connection
        except ConfigError as error:
            self._round.unmapped[subject.label] = str(error)
            return None

    def _stored(self) -> Iterator[Stored]:
        """The deliveries of open lanes, in their order."""
        after = 0
        while self._lanes:
            page = ledger.next_deliveries(self._connection, list(self._lanes), after, PAGE)
            if not page:
                return
            for stored in page:
                after = stored.id
                if stored.delivery.subject in self._lanes:
                    yield stored

    def _close_lane(self, stored: Stored) -> None:
        """Nothing more goes to the source: what comes later must not arrive before."""
        closed = self._lanes[stored.delivery.subject]
        self._lanes = {key: lane for key, lane in self._lanes.items() if lane != closed}

    def _deliver(self, stored: Stored) -> bool:
        """Send one; returns whether those after it may go."""
        if not stored.is_due:
            return False
        try:
            with self._api.http.within(self._left()):
                destination = self._targets.destination(stored.delivery.subject)
        except ConfigError as error:
            self._round.unmapped[stored.delivery.subject.label] = str(error)
            return False
        except QalitaError as error:
            ledger.delay(self._connection, stored.id, error, self._pause(stored, error))
            self._note(stored, error)
            return False
        return self._send(stored, destination)

    def _send(self, stored: Stored, found: Destination) -> bool:
        destination, progress, looks_up = _plan(stored, found)
        schemas = self._schemas(stored, destination)
        known = (Kind.SCHEMAS,) if schemas is None else ()
        ledger.claim(
            self._connection, stored.id, destination, progress, self._settle_seconds + TOUCH_SECONDS
        )
        self._touched_at = self._clock()
        sending = Sending(
            self._api,
            stored.delivery.key,
            destination,
            progress.job_id,
            {*progress.arrived, *known},
            looks_up=looks_up,
        )
        error = self._try(stored, sending)
        # In a pipeline: one wait for PostgreSQL, not four.
        with self._connection.pipeline(), self._connection.transaction():
            if schemas is not None and Kind.SCHEMAS in sending.arrived:
                ledger.note_schema(self._connection, destination, stored.delivery, schemas)
                self._published_at(destination)[ledger.schema_label(stored.delivery)] = schemas
            return self._settle(stored, sending, error, looks_up=looks_up)

    def _schemas(self, stored: Stored, destination: Destination) -> str | None:
        """The digest of schemas that are to be sent; None where the platform has them."""
        entries = stored.delivery.report.content.schemas
        if not entries:
            return None
        mark = digest(entries)
        known = self._published_at(destination).get(ledger.schema_label(stored.delivery))
        return None if mark == known else mark

    def _published_at(self, destination: Destination) -> dict[str, str]:
        """The digests of what is published there, read once: nobody else publishes meanwhile."""
        target = destination.target
        place = (destination.platform, target.source_id, target.pack_id)
        if place not in self._published:
            self._published[place] = ledger.published_schemas(self._connection, destination)
        return self._published[place]

    def _try(self, stored: Stored, sending: Sending) -> QalitaError | None:
        """Send; returns what went wrong."""
        try:
            with (
                self._api.http.within(self._left()),
                self._api.http.before_writes(lambda: self._touch(stored)),
            ):
                sending.send(stored.delivery.report)
        except QalitaError as error:
            return error
        return None

    def _settle(
        self, stored: Stored, sending: Sending, error: QalitaError | None, *, looks_up: bool
    ) -> bool:
        """Note how a try ended; returns whether deliveries after it may go."""
        progress = Progress(sending.job_id, tuple(sending.arrived))
        if error is None:
            ledger.finish(self._connection, stored.id, progress)
            self._round.sent += 1
            self._failures = 0
            return True
        if not isinstance(error, QalitaUnavailableError):
            ledger.park(self._connection, stored.id, error, progress)
            self._round.parked += 1
            self._round.troubles[stored.delivery.key] = str(error)
            return True
        ledger.postpone(
            self._connection,
            stored.id,
            error,
            progress,
            in_doubt=error.in_doubt or looks_up or sending.job_id is not None,
            seconds=self._pause(stored, error),
        )
        self._note(stored, error)
        return False

    def _left(self) -> float:
        return max(0.0, self._ends_at - self._clock())

    def _touch(self, stored: Stored) -> None:
        """Note that something is about to be sent, unless that was noted just now.

        This fails, and so nothing is sent, where the lock went with the connection.
        """
        if self._clock() >= self._touched_at + TOUCH_SECONDS:
            ledger.touch(self._connection, stored.id, self._settle_seconds + TOUCH_SECONDS)
            self._touched_at = self._clock()

    def _pause(self, stored: Stored, error: QalitaError) -> float:
        """How long a delivery waits: longer where the platform may do more of it yet."""
        pause = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(stored.tries, 10))
        unsettled = isinstance(error, QalitaUnavailableError) and error.in_doubt
        return max(pause * random.uniform(0.5, 1.0), self._settle_seconds if unsettled else 0.0)

    def _note(self, stored: Stored, error: QalitaError) -> None:
        """Tell of a failure; the round ends where the platform is no good to anyone."""
        self._round.troubles[stored.delivery.key] = str(error)
        self._failures += 1
        silent = isinstance(error, QalitaUnavailableError) and error.silent
        if silent or error.status == _UNAUTHORIZED or self._failures >= MOST_FAILURES:
            self._round.stopped = str(error)


def _plan(stored: Stored, found: Destination) -> tuple[Destination, Progress, bool]:
    """Where to send a delivery, what is there of it, and whether there may be more.

    What is in doubt is looked up where it was sent, whatever the mapping says by now, unless that
    was another platform. What is not goes where the mapping says.
    """
    sent_to = stored.sent_to
    if sent_to is not None and sent_to.is_same_pair(found):
        return found, stored.progress, stored.in_doubt
    if sent_to is not None and stored.in_doubt and sent_to.platform == found.platform:
        return sent_to, stored.progress, True
    return found, Progress(), False
