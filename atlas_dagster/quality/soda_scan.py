"""Soda Core behind one function: a contract's text in, counts out. Nothing else imports Soda."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import import_module
from threading import Lock
from typing import Any

import psycopg

from atlas_dagster.quality.contract_text import DATA_SOURCE
from atlas_dagster.warehouse import PgConnection


@dataclass(frozen=True)
class SodaResult:
    """What Soda made of one check; ``outcome`` is PASSED, FAILED, WARN or NOT_EVALUATED."""

    outcome: str
    value: float | None
    counts: Mapping[str, Any]

    @property
    def is_evaluated(self) -> bool:
        return self.outcome in ("PASSED", "FAILED", "WARN")


@dataclass(frozen=True)
class Verification:
    """What came of a contract: a result for each mark, and what went wrong, in any order.

    ``database_errors`` are those of PostgreSQL, ``complaints`` what Soda itself said.
    """

    results: Mapping[str, SodaResult]
    database_errors: tuple[psycopg.Error, ...]
    complaints: tuple[str, ...]

    @property
    def has_errors(self) -> bool:
        return bool(self.database_errors or self.complaints)


def verify(connection: PgConnection, contract: str) -> Verification:
    """Verify a contract on a connection that commits by itself; it stays open, and no one's.

    Never raises for what is wrong with the contract or the data: that is in what it returns.
    """
    soda = _imported()
    return _verify(soda, contract, soda.data_source(connection))


def explain(connection: PgConnection, contract: str) -> Verification:
    """Have PostgreSQL plan the queries of a contract, and execute none; the results are empty.

    Never raises for what is wrong with the contract: that is in what it returns.
    """
    soda = _imported()
    verification = _verify(soda, contract, soda.explaining(connection))
    return replace(verification, results={})


def _imported() -> _Soda:
    with _importing:
        return _soda()


def _verify(soda: _Soda, contract: str, source: Any) -> Verification:
    logs = soda.logs()
    token = _logs.set(logs)
    results: dict[str, SodaResult] = {}
    try:
        session = soda.execute(
            contract_yaml_sources=[soda.contract(contract)], data_source_impls=[source], logs=logs
        )
        for verification in session.contract_verification_results:
            for found in verification.check_results:
                results[str(found.check.qualifier)] = _result(found)
        complaints = tuple(map(str, logs.get_errors()))
    except Exception as error:  # noqa: BLE001 - Soda raises what it likes, AttributeError included
        complaints = (*map(str, logs.get_errors()), str(error))
    finally:
        _logs.reset(token)
        logs.close()
    return Verification(results, tuple(source.data_source_connection.errors), complaints)


def _result(found: Any) -> SodaResult:
    value = found.threshold_value
    return SodaResult(
        found.outcome.name,
        float(value) if value is not None else None,
        dict(found.diagnostic_metric_values or {}),
    )


_MOST_VALUES = 1600  # as many as a query can give
_logs: ContextVar[Any] = ContextVar("soda_logs", default=None)


_parsing = Lock()
_importing = Lock()


class _ToScan(logging.Handler):
    """Hands what Soda logs to the scan that it is about, and to nobody else.

    Its messages quote queries and values, which do not belong in a run's log.
    """

    def emit(self, record: logging.LogRecord) -> None:
        logs = _logs.get()
        if logs is not None:
            logs.gatherer.emit(record)


@dataclass(frozen=True)
class _Soda:
    execute: Any
    contract: Any
    logs: Any
    data_source: Any
    explaining: Any


@cache
def _soda() -> _Soda:
    """Soda, imported without its telemetry: which thread and endpoint it starts is decided then."""
    os.environ["SODA_CORE_TELEMETRY_ENABLED"] = "false"
    import_module("soda_core")  # it loads its plugins itself, and wants to be first
    session: Any = import_module("soda_core.contracts.contract_verification")
    yaml: Any = import_module("soda_core.common.yaml")
    logs: Any = import_module("soda_core.common.logs")
    logger = logging.getLogger("soda")
    logger.propagate = False
    logger.addHandler(_ToScan())

    class Contract(  # pyright: ignore[reportGeneralTypeIssues]
        yaml.ContractYamlSource,
        file_type=yaml.FileType.CONTRACT,  # pyright: ignore[reportCallIssue]
    ):
        """A contract's text as it is: Soda's one parser is not for two threads at a time, and
        patterns and names are full of what it would take for a variable.
        """

        def parse(self) -> Any:
            with _parsing:
                return yaml.ContractYamlSource.parse(self)

        def resolve_on_read_value(self, *_: Any, **__: Any) -> None: ...

    asking, explaining = _data_sources()
    return _Soda(
        session.ContractVerificationSession.execute,
        Contract.from_str,
        logs.Logs,
        asking,
        explaining,
    )


def _data_sources() -> tuple[Any, Any]:
    """What makes a source of Soda's out of a connection: one asks, the other has all explained."""
    sources: Any = import_module("soda_postgres.common.data_sources.postgres_data_source")
    connections: Any = import_module(
        "soda_postgres.common.data_sources.postgres_data_source_connection"
    )
    base: Any = import_module("soda_core.common.data_source_connection")
    answers: Any = import_module("soda_core.common.data_source_results")
    base_query: Any = connections.PostgresDataSourceConnection.execute_query

    class Borrowed(connections.PostgresDataSourceConnection):
        """A connection of ours: Soda neither opens nor ends it, nor a transaction on it."""

        def __init__(self, connection: PgConnection) -> None:
            base.DataSourceConnection.__init__(self, DATA_SOURCE, {}, connection=connection)
            self.errors: list[psycopg.Error] = []

        def execute_query(self, sql: str, log_query: bool = True) -> Any:
            try:
                return base_query(self, sql, log_query=log_query)
            except psycopg.Error as error:
                self.errors.append(error)
                raise

        def commit(self) -> None: ...

        def rollback(self) -> None: ...

        def close_connection(self) -> None: ...

    class Explaining(Borrowed):
        """A connection on which queries are planned, and seem to give a row of zeros."""

        def execute_query(self, sql: str, log_query: bool = True) -> Any:  # noqa: ARG002
            try:
                # Binary: no more than the one statement that is planned can be sent.
                self.connection.execute(f"explain {sql}", binary=True)
            except psycopg.Error as error:
                self.errors.append(error)
                raise
            return answers.QueryResult(rows=[(0,) * _MOST_VALUES], columns=())

        def execute_query_one_by_one(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError  # what Soda tries where a query has failed

    model = connections.PostgresDataSource.model_construct(
        name=DATA_SOURCE, type="postgres", connection_properties={}
    )
    make = partial(_make_source, sources.PostgresDataSourceImpl, model)
    return partial(make, Borrowed), partial(make, Explaining)


def _make_source(source: Any, model: Any, kind: Any, connection: PgConnection) -> Any:
    return source(data_source_model=model, connection=kind(connection))
