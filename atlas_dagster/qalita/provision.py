"""Sources that Atlas publishes itself, one a connection, each once and to no partner."""

from __future__ import annotations

from atlas_dagster.errors import QalitaUnavailableError
from atlas_dagster.qalita.client import QalitaApi
from atlas_dagster.qalita.mapping import Subject
from atlas_dagster.warehouse import PgConnection

SOURCE_TYPE = "airbyte"


class Provisioner:
    """Looks a source up by the connection's name, and publishes it where it is not there.

    The publishing is written down before it is sent: where its answer is lost, the next is not
    sent before the platform has had ``settle_seconds`` for the first.
    """

    def __init__(self, connection: PgConnection, api: QalitaApi, settle_seconds: float) -> None:
        self._connection = connection
        self._api = api
        self._settle_seconds = settle_seconds

    def __call__(self, subject: Subject) -> int:
        """The id of a connection's source; raises QalitaError where there is none yet."""
        name = subject.connection
        place = (self._api.http.server.base_url, name)
        row = self._connection.execute(
            "select source_id, asked_at > now() - make_interval(secs => %s)"
            " from pipeline.qalita_source where (platform, name) = (%s, %s)",
            (self._settle_seconds, *place),
        ).fetchone()
        if row and row[0] is not None:
            return int(row[0])
        found = self._api.find_source(name, SOURCE_TYPE)
        if found is None and row and row[1]:
            raise QalitaUnavailableError(f"QALITA may be about to have the source {name}")
        self._connection.execute(
            "insert into pipeline.qalita_source (platform, name) values (%s, %s)"
            " on conflict (platform, name) do update set asked_at = now()",
            place,
        )
        source_id = found.id if found else self._publish(subject)
        self._connection.execute(
            "update pipeline.qalita_source set source_id = %s where (platform, name) = (%s, %s)",
            (source_id, *place),
        )
        return source_id

    def _publish(self, subject: Subject) -> int:
        return self._api.publish_source(
            subject.connection,
            SOURCE_TYPE,
            f"Airbyte connection {subject.connection_name}, by Atlas",
        )
