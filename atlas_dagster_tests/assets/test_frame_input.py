"""Layers as inputs of people's own assets, in a code location that knows nothing but their keys."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from types import ModuleType
from typing import Any, TypeAlias

import dagster as dg
import pandas as pd
import pytest

from atlas_dagster.assets.frame_input import Chunks, layer_frames
from atlas_dagster.assets.partitions import FIRST_DAY, daily, today
from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster.warehouse import PgConnection, connect
from atlas_dagster_tests.airbyte.scripted import record, table
from atlas_dagster_tests.conftest import new_database
from atlas_dagster_tests.integration.project import REPOSITORY, Project, connection, day, noon
from atlas_dagster_tests.layers.support import at, build, create_landing, land, make_stream
from atlas_dagster_tests.properties.oracle import Version

USERS = make_stream({"id": {"type": "integer"}, "name": {"type": "string"}})
NAVIGATE = ("navigate", "crm", "users")
CHART = ("chart", "crm", "users")
Known: TypeAlias = dg.PartitionsDefinition[str] | None
HOURLY = dg.HourlyPartitionsDefinition(start_date="2024-01-01-00:00")
MONTHLY = dg.MonthlyPartitionsDefinition(start_date="2024-01-01")


@pytest.fixture(scope="module")
def layers_url(postgres: str, template_database: str) -> Iterator[str]:
    """Anna came on the 1st and was renamed at noon of the 2nd; Ben came on the 3rd."""
    with new_database(postgres, template=template_database) as url:
        with connect(url) as connection:
            create_landing(connection, USERS)
            versions = [
                Version("a", at(1, 12), {"id": 1, "name": "Anna"}),
                Version("b", at(2, 12), {"id": 1, "name": "Ann"}),
                Version("c", at(3), {"id": 2, "name": "Ben"}),
            ]
            land(connection, USERS, versions)
            build(connection, USERS)
        yield url


@pytest.fixture
def layers(layers_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAS_WAREHOUSE_URL", layers_url)


class Reader:
    """An asset that keeps what it is given; ``known`` is what its location knows of the layer."""

    def __init__(
        self,
        key: Sequence[str] = NAVIGATE,
        partitions: dg.PartitionsDefinition[str] | None = None,
        metadata: dict[str, Any] | None = None,
        known: dg.PartitionsDefinition[str] | None = None,
        hint: Any = pd.DataFrame,
        resource: Any = layer_frames,
        **more: Any,
    ) -> None:
        self.frames: list[pd.DataFrame] = []

        def read(users: Any) -> None:
            self.frames += [users] if isinstance(users, pd.DataFrame) else list(users)

        read.__annotations__["users"] = hint
        source = dg.AssetIn(
            key=list(key), input_manager_key="layer_frames", metadata=metadata, **more
        )
        asset = dg.asset(
            ins={"users": source},
            partitions_def=partitions,
            backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
        )(read)
        self._definitions = dg.Definitions(
            assets=[asset, dg.AssetSpec(list(key), partitions_def=known)],
            resources={"layer_frames": resource},
        )

    def run(self, partition: str | None = None, **tags: str) -> dg.ExecuteInProcessResult:
        with dg.DagsterInstance.ephemeral() as instance:
            return self._definitions.resolve_implicit_global_asset_job_def().execute_in_process(
                instance=instance, partition_key=partition, tags=tags, raise_on_error=False
            )

    def run_range(self, first: str, last: str) -> dg.ExecuteInProcessResult:
        bounds = {
            "dagster/asset_partition_range_start": first,
            "dagster/asset_partition_range_end": last,
        }
        return self.run(**bounds)

    def names(self) -> list[str]:
        return sorted(pd.concat(self.frames)["name"])

    def failure(self, partition: str | None = None) -> str:
        """What an operator reads of the run that fails."""
        (event,) = self.run(partition).get_step_failure_events()
        told = event.step_failure_data.user_failure_data
        assert told is not None, event.step_failure_data.error_display_string
        return str(told.description)


everywhere = pytest.mark.parametrize("known", [None, daily], ids=["key alone", "partitions known"])


@everywhere
@pytest.mark.parametrize(
    ("partition", "expected"),
    [
        ("2024-01-01", ["Anna"]),
        ("2024-01-02", ["Ann"]),
        ("2024-01-03", ["Ann", "Ben"]),
        (FIRST_DAY, []),
        (today(), ["Ann", "Ben"]),
    ],
)
def test_a_day_of_navigate_is_as_of_its_end(
    layers: None, known: Known, partition: str, expected: list[str]
) -> None:
    reader = Reader(partitions=daily, known=known)
    assert reader.run(partition).success
    assert reader.names() == expected


@everywhere
def test_days_of_navigate_are_all_that_was_valid_in_them(layers: None, known: Known) -> None:
    reader = Reader(partitions=daily, known=known)
    assert reader.run_range("2024-01-01", "2024-01-02").success
    assert reader.names() == ["Ann", "Anna"]


@everywhere
def test_days_of_chart_are_their_record_versions(layers: None, known: Known) -> None:
    reader = Reader(CHART, daily, known=known)
    assert reader.run("2024-01-02").success
    assert reader.names() == ["Ann"]
    assert reader.run_range("2024-01-02", "2024-01-03").success
    assert reader.names() == ["Ann", "Ann", "Ben"]


@everywhere
@pytest.mark.parametrize("key", [NAVIGATE, CHART])
def test_an_asset_without_partitions_reads_the_whole_table(
    layers: None, known: Known, key: tuple[str, ...]
) -> None:
    reader = Reader(key, known=known)
    assert reader.run().success
    assert reader.names() == ["Ann", "Anna", "Ben"]


@everywhere
def test_a_month_is_its_days_and_an_hour_is_of_its_day(layers: None, known: Known) -> None:
    month = Reader(partitions=MONTHLY, known=known)
    assert month.run("2024-01-01").success
    assert month.names() == ["Ann", "Anna", "Ben"]
    hour = Reader(CHART, HOURLY, known=known)
    assert hour.run("2024-01-02-05:00").success
    assert hour.names() == ["Ann"]


def test_partitions_that_are_no_time_read_the_whole_table(layers: None) -> None:
    reader = Reader(partitions=dg.StaticPartitionsDefinition(["x"]))
    assert reader.run("x").success
    assert reader.names() == ["Ann", "Anna", "Ben"]


def test_rows_beyond_the_partitions_are_in_the_first_and_the_last_one(
    warehouse: PgConnection, warehouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATLAS_WAREHOUSE_URL", warehouse_url)
    create_landing(warehouse, USERS)
    far = datetime.now(timezone.utc) + timedelta(days=9)
    old = datetime(2010, 12, 31, tzinfo=timezone.utc)
    versions = [Version("old", old, {"id": 8, "name": "Old"}), Version("far", far, {"id": 9})]
    land(warehouse, USERS, versions)
    build(warehouse, USERS)
    for partition, raw_id in ((FIRST_DAY, "old"), (today(), "far")):
        reader = Reader(CHART, daily)
        assert reader.run(partition).success
        assert list(reader.frames[0]["_airbyte_raw_id"]) == [raw_id]


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ("2024-01-02T11:59:59Z", ["Anna"]),
        ("2024-01-02 14:00:00+02:00", ["Ann"]),
        (dg.MetadataValue.timestamp(at(1)), []),
        (dg.MetadataValue.text("2024-01-03T00:00:00.000Z"), ["Ann", "Ben"]),
        ("now", ["Ann", "Ben"]),
    ],
)
@pytest.mark.parametrize("partitions", [None, daily])
def test_as_of_an_instant_whatever_the_partition(
    layers: None,
    as_of: object,
    expected: list[str],
    partitions: dg.PartitionsDefinition[str] | None,
) -> None:
    reader = Reader(partitions=partitions, metadata={"atlas/as_of": as_of})
    assert reader.run("2024-01-01" if partitions else None).success
    assert reader.names() == expected


def test_columns_are_those_asked_for(layers: None) -> None:
    reader = Reader(metadata={"atlas/columns": ["name", "_atlas_valid_to"]})
    assert reader.run().success
    (frame,) = reader.frames
    assert frame.dtypes.astype(str).to_dict() == {
        "name": "string",
        "_atlas_valid_to": "datetime64[us, UTC]",
    }


@pytest.mark.parametrize(
    "typed",
    [
        {"hint": Iterator},
        {"hint": Iterator[pd.DataFrame], "dagster_type": Chunks},
        {"hint": Any, "dagster_type": Chunks},
    ],
)
def test_an_iterator_gets_chunks(layers: None, typed: dict[str, Any]) -> None:
    reader = Reader(resource=layer_frames.configured({"chunk_rows": 2}), **typed)
    assert reader.run().success
    assert [len(frame) for frame in reader.frames] == [2, 1]
    assert reader.names() == ["Ann", "Anna", "Ben"]


def test_an_input_without_a_hint_gets_one_frame(layers: None) -> None:
    reader = Reader(hint=Any)
    assert reader.run().success
    assert [len(frame) for frame in reader.frames] == [3]


@pytest.mark.parametrize(
    ("key", "metadata", "sentence"),
    [
        (
            ["users"],
            {},
            "layer_frames cannot load users: expected <layer>/<connection>/<stream>,"
            " the layer one of explore, chart, navigate",
        ),
        (
            ["airbyte", "crm", "users"],
            {},
            "layer_frames cannot load airbyte/crm/users: expected <layer>/<connection>/<stream>,"
            " the layer one of explore, chart, navigate",
        ),
        (
            ["navigate", "crm", "orders"],
            {},
            "there is no table navigate.crm__orders yet: materialize navigate/crm/orders first",
        ),
        (
            CHART,
            {"atlas/columns": ["id", "naem"]},
            "chart.crm__users has no column 'naem'; its columns: id, name, _airbyte_raw_id,",
        ),
        (
            NAVIGATE,
            {"atlas/columns": "id"},
            "input users: atlas/columns: expected a list of columns, found 'id'",
        ),
        (
            NAVIGATE,
            {"atlas/as_of": "yesterday"},
            "input users: atlas/as_of: expected an instant with its zone, such as"
            " 2026-11-01T12:00:00Z, or now; found 'yesterday'",
        ),
        (
            NAVIGATE,
            {"atlas/as_of": "2024-01-02T12:00:00"},
            "input users: atlas/as_of: expected an instant with its zone, such as",
        ),
        (
            CHART,
            {"atlas/as_of": "now"},
            "chart.crm__users holds record versions, which are valid at no instant:",
        ),
        (
            NAVIGATE,
            {"atlas/asof": "now"},
            "input users: metadata atlas/asof: expected atlas/as_of or atlas/columns",
        ),
    ],
)
@pytest.mark.parametrize("hint", [pd.DataFrame, Iterator])
def test_a_mistake_is_one_sentence(
    layers: None, key: Sequence[str], metadata: dict[str, Any], sentence: str, hint: type
) -> None:
    assert Reader(key, metadata=metadata, hint=hint).failure().startswith(sentence)


def test_a_server_that_is_not_reachable_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAS_WAREHOUSE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert Reader().failure().startswith("PostgreSQL is not reachable: ")


EXAMPLE = REPOSITORY / "docs" / "examples" / "customer_report.py"


@pytest.fixture
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("customer_report", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_documentation_shows_the_example_as_it_is() -> None:
    page = (REPOSITORY / "docs" / "reading-history.md").read_text()
    assert f"```python\n{EXAMPLE.read_text()}```\n" in page


@pytest.fixture
def faker(project: Project) -> Callable[..., None]:
    """A function that syncs customers (id, nationality) and builds their layers for today."""
    text = {"type": "string"}
    properties = {"id": {"type": "integer"}, "name": text, "nationality": text}
    streams = [{"name": "users", "destination_sync_mode": "append", "primary_key": "id"}]
    project.connect({"faker": connection("faker", streams)})
    connector = project.install("faker", table("users", properties))

    def sync(*customers: tuple[int, str, str]) -> None:
        connector.say(
            *(
                record("users", {"id": number, "nationality": nationality}, at=noon(on))
                for number, nationality, on in customers
            )
        )
        job = build_code_location().resolve_job_def("faker_sync")
        with dg.DagsterInstance.ephemeral() as instance:
            assert job.execute_in_process(instance=instance).success

    return sync


def values(result: dg.ExecuteInProcessResult, node: str) -> dict[str, Any]:
    (materialization,) = result.asset_materializations_for_node(node)
    return {name: value.value for name, value in materialization.metadata.items()}


@pytest.mark.slow
def test_the_example_reads_layers_that_its_code_location_does_not_define(
    faker: Callable[..., None], example: ModuleType
) -> None:
    faker((1, "French", day(2)), (2, "Dutch", day(2)), (2, "French", day(1)), (3, "Dutch", day()))
    with dg.DagsterInstance.ephemeral() as instance:
        layers = build_code_location().resolve_job_def("faker_layers")
        bounds = {
            "dagster/asset_partition_range_start": day(2),
            "dagster/asset_partition_range_end": day(),
        }
        assert layers.execute_in_process(instance=instance, tags=bounds).success
        for ago, expected in ((2, {"Dutch": 1, "French": 1}), (1, {"French": 2})):
            report = dg.materialize(
                [*example.defs.assets],
                partition_key=day(ago),
                selection="customers_by_nationality",
                resources=example.defs.resources,
                instance=instance,
            )
            told = values(report, "customers_by_nationality")
            assert told == {"customers": 2, "by_nationality": expected}
        report = example.defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey("most_changed_customers")]
        )
    assert values(report, "most_changed_customers") == {"changes": {"2": 1, "1": 0, "3": 0}}


@pytest.mark.slow
def test_the_sql_of_the_documentation_runs(faker: Callable[..., None], project: Project) -> None:
    faker((1, "French", day()))
    with dg.DagsterInstance.ephemeral() as instance:
        layers = build_code_location().resolve_job_def("faker_layers")
        assert layers.execute_in_process(instance=instance, partition_key=day()).success
    page = (REPOSITORY / "docs" / "reading-history.md").read_text()
    queries = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    assert len(queries) == 4
    current, *_, history, _ = (project.rows(query.replace("42", "1")) for query in queries)
    assert len(current) == len(history) == 1


@pytest.mark.slow
def test_the_example_runs_behind_navigate_in_one_run(
    faker: Callable[..., None], example: ModuleType
) -> None:
    faker((1, "French", day()))
    merged = dg.Definitions.merge(
        build_code_location(), dg.Definitions(assets=[example.customers_by_nationality])
    )
    keys = [*(dg.AssetKey([x, "faker", "users"]) for x in ("explore", "chart", "navigate"))]
    with dg.DagsterInstance.ephemeral() as instance:
        job = merged.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            instance=instance,
            partition_key=day(),
            asset_selection=[*keys, example.customers_by_nationality.key],
        )
    assert values(result, "customers_by_nationality")["customers"] == 1
