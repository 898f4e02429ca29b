"""Events as the OpenLineage client takes them, out of what is told of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta, timezone

from openlineage.client import event_v2 as ol
from openlineage.client.facet_v2 import (
    column_lineage_dataset,
    data_quality_assertions_dataset,
    data_quality_metrics_dataset,
    data_quality_metrics_input_dataset,
    datasource_dataset,
    documentation_dataset,
    documentation_job,
    error_message_run,
    job_type_job,
    nominal_time_run,
    output_statistics_output_dataset,
    ownership_dataset,
    ownership_job,
    parent_run,
    processing_engine_run,
    schema_dataset,
    tags_dataset,
)
from openlineage.client.generated.base import (
    DatasetFacet,
    InputDatasetFacet,
    JobFacet,
    OutputDatasetFacet,
    RunFacet,
)

from atlas_dagster.lineage.model import Dataset, Event, Field, Job, Origin

PRODUCER = "https://pypi.org/project/atlas-dagster"

_OWNER, _TAGS_OF = "OWNER", "ATLAS"


def build_event(event: Event) -> ol.RunEvent:
    """The event with all facets of what is known."""
    ol.set_producer(PRODUCER)  # facets take it from there
    return ol.RunEvent(
        eventType=ol.RunState[event.state.value],
        eventTime=_instant(event.at),
        run=ol.Run(event.run_id, dict(_run_facets(event))),
        job=ol.Job(event.job.namespace, event.job.name, dict(_job_facets(event.job))),
        inputs=[_input(dataset) for dataset in event.inputs],
        outputs=[_output(dataset) for dataset in event.outputs],
        producer=PRODUCER,
    )


def _run_facets(event: Event) -> Iterator[tuple[str, RunFacet]]:
    # DataHub takes the platform of a job from this name, and refuses an event without one.
    yield (
        "processing_engine",
        processing_engine_run.ProcessingEngineRunFacet(
            version=event.engine.dagster_version,
            name="dagster",
            openlineageAdapterVersion=event.engine.atlas_version,
        ),
    )
    if event.parent:
        namespace, name, run_id = event.job.namespace, event.parent.job, event.parent.run_id
        yield (
            "parent",
            parent_run.ParentRunFacet(
                run=parent_run.Run(run_id),
                job=parent_run.Job(namespace, name),
                root=parent_run.Root(
                    parent_run.RootRun(run_id), parent_run.RootJob(namespace, name)
                ),
            ),
        )
    if event.days:
        first, last = map(date.fromisoformat, event.days)
        yield (
            "nominalTime",
            nominal_time_run.NominalTimeRunFacet(_midnight(first), _midnight(_next(last))),
        )
    if event.error is not None:
        yield "errorMessage", error_message_run.ErrorMessageRunFacet(event.error, "PYTHON")


def _job_facets(job: Job) -> Iterator[tuple[str, JobFacet]]:
    yield "jobType", job_type_job.JobTypeJobFacet("BATCH", job.integration, job.kind)
    if job.description:
        yield "documentation", documentation_job.DocumentationJobFacet(job.description)
    if job.owners:
        owners = [ownership_job.Owner(owner, _OWNER) for owner in job.owners]
        yield "ownership", ownership_job.OwnershipJobFacet(owners)


def _input(dataset: Dataset) -> ol.InputDataset:
    return ol.InputDataset(
        dataset.name.namespace,
        dataset.name.name,
        inputFacets=dict(_input_facets(dataset)),
        facets=dict(_dataset_facets(dataset)),
    )


def _output(dataset: Dataset) -> ol.OutputDataset:
    return ol.OutputDataset(
        dataset.name.namespace,
        dataset.name.name,
        outputFacets=dict(_output_facets(dataset)),
        facets={**dict(_dataset_facets(dataset)), **_rows(dataset)},
    )


def _dataset_facets(dataset: Dataset) -> Iterator[tuple[str, DatasetFacet]]:
    namespace = dataset.name.namespace
    yield "dataSource", datasource_dataset.DatasourceDatasetFacet(namespace, namespace)
    if dataset.description:
        yield "documentation", documentation_dataset.DocumentationDatasetFacet(dataset.description)
    if dataset.owners:
        owners = [ownership_dataset.Owner(owner, _OWNER) for owner in dataset.owners]
        yield "ownership", ownership_dataset.OwnershipDatasetFacet(owners)
    if dataset.fields:
        yield "schema", schema_dataset.SchemaDatasetFacet(list(_schema(dataset.fields)))
    if dataset.lineage:
        yield "columnLineage", _column_lineage(dataset.lineage)
    if tags := list(_tags(dataset.fields)):
        yield "tags", tags_dataset.TagsDatasetFacet(tags)


def _rows(dataset: Dataset) -> dict[str, DatasetFacet]:
    """How many rows a dataset has; of one that is read this is a facet of reading it."""
    if dataset.rows is None:
        return {}
    metrics = data_quality_metrics_dataset.DataQualityMetricsDatasetFacet({}, rowCount=dataset.rows)
    return {"dataQualityMetrics": metrics}


def _schema(fields: tuple[Field, ...]) -> Iterator[schema_dataset.SchemaDatasetFacetFields]:
    for place, field in enumerate(fields, start=1):
        yield schema_dataset.SchemaDatasetFacetFields(
            field.name, field.type, field.description, ordinal_position=place
        )


def _column_lineage(
    lineage: Mapping[str, tuple[Origin, ...]],
) -> column_lineage_dataset.ColumnLineageDatasetFacet:
    return column_lineage_dataset.ColumnLineageDatasetFacet(
        {
            column: column_lineage_dataset.Fields([_input_field(origin) for origin in origins])
            for column, origins in lineage.items()
        }
    )


def _input_field(origin: Origin) -> column_lineage_dataset.InputField:
    transformation = column_lineage_dataset.Transformation(
        type="DIRECT" if origin.relation.is_direct else "INDIRECT",
        subtype=origin.relation.value,
        masking=origin.masks,
    )
    return column_lineage_dataset.InputField(
        origin.dataset.namespace, origin.dataset.name, origin.field, [transformation]
    )


def _tags(fields: tuple[Field, ...]) -> Iterator[tags_dataset.TagsDatasetFacetFields]:
    for field in fields:
        for key, value in field.tags.items():
            yield tags_dataset.TagsDatasetFacetFields(key, value, _TAGS_OF, field.name)


def _input_facets(dataset: Dataset) -> Iterator[tuple[str, InputDatasetFacet]]:
    if dataset.assertions:
        yield (
            "dataQualityAssertions",
            data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
                [
                    data_quality_assertions_dataset.Assertion(
                        assertion=found.kind,
                        success=found.passed,
                        column=found.column,
                        severity=None if found.passed else "error" if found.is_error else "warn",
                        name=found.name,
                        params=dict(found.counts) or None,
                    )
                    for found in dataset.assertions
                ]
            ),
        )
    if dataset.nulls or dataset.rows is not None:
        yield (
            "dataQualityMetrics",
            data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet(
                {
                    column: data_quality_metrics_input_dataset.ColumnMetrics(
                        nullCount=nulls.missing, count=nulls.rows, quantiles=None
                    )
                    for column, nulls in dataset.nulls.items()
                },
                rowCount=dataset.rows,
            ),
        )


def _output_facets(dataset: Dataset) -> Iterator[tuple[str, OutputDatasetFacet]]:
    if dataset.written is not None:
        yield (
            "outputStatistics",
            output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                rowCount=dataset.written, size=dataset.size
            ),
        )


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds")


def _midnight(day: date) -> str:
    return f"{day.isoformat()}T00:00:00+00:00"


def _next(day: date) -> date:
    return day + timedelta(days=1)
