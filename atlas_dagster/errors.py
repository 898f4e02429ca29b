"""The errors that an operator reads: one sentence each, without a stack trace."""

from __future__ import annotations


class AtlasError(Exception):
    """Something an operator can act on; its text names the file, key or record."""


class ConfigError(AtlasError):
    """A configuration file or an environment variable is wrong."""


class ConnectorError(AtlasError):
    """A connector could not be installed, failed, or broke the Airbyte protocol."""


class WarehouseError(AtlasError):
    """PostgreSQL is not reachable, or does not hold what it should."""


class HeldBackError(AtlasError):
    """The gate of a stream's quality checks holds days back that a run is for."""


class PayloadError(AtlasError):
    """What a webhook was sent is not of the shape that it should be; its text names the key."""


class BusyError(AtlasError):
    """Another run already works on the same connection or table."""


class AirbyteError(AtlasError):
    """Airbyte refused a request, or answered what it should not; ``status`` is that of HTTP."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class AirbyteUnavailableError(AirbyteError):
    """Airbyte did not answer, or not in time: the same request may work later."""


class QalitaError(AtlasError):
    """QALITA refused a request; ``status`` is that of HTTP, ``request_id`` what QALITA calls it."""

    def __init__(self, text: str, status: int | None = None, request_id: str | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.request_id = request_id


class QalitaUnavailableError(QalitaError):
    """QALITA did not answer as it should: the same request may work later.

    ``in_doubt``: it may have carried it out. ``silent``: it gave no answer at all.
    """

    def __init__(
        self,
        text: str,
        status: int | None = None,
        request_id: str | None = None,
        *,
        in_doubt: bool = False,
        silent: bool = False,
    ) -> None:
        super().__init__(text, status, request_id)
        self.in_doubt = in_doubt
        self.silent = silent
