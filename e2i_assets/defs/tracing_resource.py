"""The tracing resource: it opens the trace of a run and closes it completely, also when the run fails."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from pydantic import Field, PrivateAttr, ValidationError

from e2i_assets.adapters.tracing.settings import TracingSettings
from e2i_assets.adapters.tracing.span_attributes import SEARCH, TRAINING, TRIAL
from e2i_assets.adapters.tracing.tracing import TracedSpan, Tracing
from e2i_assets.core.errors import E2iError
from e2i_assets.core.search.trials import TrialRecord
from e2i_assets.defs import spans
from e2i_assets.defs.namespace import asset_name

# Tag of the Dagster run: which part of its trace was not delivered, and why.
LOST_TRACES = "e2i/lost_traces"
SECRET: dict[str, Any] = {"dagster__is_secret": True}
_LAST = "trained_model"


class TracingResource(dg.ConfigurableResource):  # type: ignore[type-arg]  # Dagster's base is generic in itself
    """OpenTelemetry spans of a run. Off without an endpoint; an unreachable receiver costs less than a second."""

    endpoint: str | None = Field(None, description="Base URL of an OTLP/HTTP receiver.", json_schema_extra=SECRET)
    receiver: str = Field("otlp", description="otlp for any collector, opik, mlflow, or none.")
    project: str | None = Field(None, description="Opik project.")
    workspace_name: str | None = Field(None, description="Opik workspace.")
    api_key: str | None = Field(None, description="Value of the Authorization header.", json_schema_extra=SECRET)
    headers: str | None = Field(None, description="Headers: name=value,name=value.", json_schema_extra=SECRET)
    mlflow_experiment_id: str | None = Field(None, description="MLflow experiment of the traces; default by name.")
    mlflow_artifacts: str | None = Field(None, description="Artifact location of new MLflow experiments.")
    trials: str = Field("0", description="Fraction of the trials that get a span, 0 to 1.")

    _tracing: Tracing = PrivateAttr()
    _facts: Mapping[str, object] = PrivateAttr(default_factory=dict)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["TracingResource"]:
        """Open the trace of a run; at its end, close the trace and send the remaining spans."""
        run = context.run
        self._tracing = Tracing(self._settings(run))
        interruption: BaseException | None = None
        try:
            yield self
        except BaseException as error:
            interruption = error
            raise
        finally:
            if self._tracing.is_on and run and context.instance:
                self._close_training(context.instance, run, interruption)
            result = self._tracing.shutdown()
            if result.status == "unavailable" and run and context.instance:
                context.instance.add_run_tags(run.run_id, {LOST_TRACES: str(result.reason)})
                if context.log:
                    context.log.warning(f"tracing: {result.reason}")

    def span(self, name: str, run: dg.DagsterRun, **options: Any) -> AbstractContextManager[TracedSpan]:
        """Record a span of a Dagster run around the enclosed code (see `Tracing.span`)."""
        return self._tracing.span(name, run_id=run.run_id, **options)

    def trains(self, facts: Mapping[str, object]) -> None:
        """Set the attributes that the training span has, whichever step it ends in."""
        self._facts = facts

    def trial(self, run: dg.DagsterRun, record: TrialRecord, algorithm: str | None = None) -> None:
        """Record a finished trial as a child of the search span, if the trial is sampled.

        The trials of each algorithm of a comparison count from 0, so the algorithm is a part of their identity.
        """
        key = f"trial {record.number}" if algorithm is None else f"trial {record.number} of {algorithm}"
        failed = record.state == "FAIL"
        if record.started_at and record.completed_at and self._tracing.is_sampled(run.run_id, key, failed):
            self._tracing.record(
                TRIAL,
                run_id=run.run_id,
                key=key,
                parent=SEARCH,
                started_at=record.started_at,
                ended_at=record.completed_at,
                attributes=spans.trial(record, algorithm),
                error=(record.error_type or "Error", record.error_message or "") if failed else None,
            )

    def belongs_to(self, mlflow_run_id: str | None) -> None:
        """Link the trace to an MLflow run, which an MLflow receiver shows with it."""
        if mlflow_run_id:
            self._tracing.belongs_to(mlflow_run_id)

    def _settings(self, run: dg.DagsterRun | None) -> TracingSettings:
        experiment = run.tags.get("dagster/partition") if run else None
        # The MLflow experiment of the trainings.
        mlflow_experiment = f"e2i_{experiment}" if experiment else "e2i_traces"
        options: dict[str, object] = {
            "endpoint": self.endpoint,
            "receiver": self.receiver,
            "project": self.project,
            "workspace": self.workspace_name,
            "api_key": self.api_key,
            "headers": self.headers or {},
            "mlflow_experiment_id": self.mlflow_experiment_id,
            "mlflow_experiment": mlflow_experiment,
            "mlflow_artifacts": f"{self.mlflow_artifacts}/{mlflow_experiment}" if self.mlflow_artifacts else None,
            "trials": self.trials,
        }
        try:
            return TracingSettings.model_validate(options)
        except ValidationError as error:
            mistakes = "; ".join(f"{'.'.join(map(str, one['loc']))} {one['msg']}" for one in error.errors())
            raise E2iError(
                f"the tracing settings are not valid: {mistakes.strip()}. Correct the variables "
                "E2I_TRACING_*, which are explained in .env.example, or set E2I_TRACING_RECEIVER=none"
            ) from None

    def _close_training(
        self, instance: dg.DagsterInstance, run: dg.DagsterRun, interruption: BaseException | None
    ) -> None:
        """Record the training span if no step has: another step failed, or the run did not include the training."""
        error = _why_failed(instance, run) or (_of(interruption) if interruption else None)
        is_over = error or (run.asset_selection is not None and _LAST not in map(asset_name, run.asset_selection))
        if self._tracing.has(TRAINING) or not (is_over and (error or self._tracing.has(SEARCH))):
            return
        self._tracing.record(
            TRAINING,
            run_id=run.run_id,
            parent=None,
            started_at=began(instance, run),
            ended_at=datetime.now(UTC),
            attributes={**spans.any_training(run), **self._facts},
            error=error,
        )


def began(instance: dg.DagsterInstance, run: dg.DagsterRun) -> datetime:
    """Return the start time of a run."""
    started = instance.get_run_stats(run.run_id).start_time
    return datetime.fromtimestamp(started, UTC) if started else datetime.now(UTC)


def _why_failed(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[str, str] | None:
    """Return the type and message of the first step failure of a run (of its cause, where Dagster wrapped it)."""
    records = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE, limit=1).records
    event = records[0].event_log_entry.dagster_event if records else None
    if event is None:
        return None
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    kind = error.cls_name if error and error.cls_name else "Error"
    message = error.message.strip() if error else ""
    # Dagster prepends the qualified name of the type.
    return kind, f"{event.step_key}: {message.partition(f'{kind}: ')[2] or message}"


def _of(error: BaseException) -> tuple[str, str]:
    return type(error).__qualname__, str(error)
