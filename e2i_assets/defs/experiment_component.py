"""The component `e2i_assets.ExperimentComponent`: an experiment whose rows come from an asset of a platform.

Its assets have no partitions. An automation condition of a partitioned asset would request every experiment.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import dagster as dg
from pydantic import Field, model_validator

from e2i_assets.adapters.settings import Settings, current_settings
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.experiments.yaml_documents import read_mapping
from e2i_assets.defs.assets import ASSETS
from e2i_assets.defs.bound_dataset import bound_dataset
from e2i_assets.defs.bound_predictions import bound_predictions
from e2i_assets.defs.champion import champion_model
from e2i_assets.defs.checks import asset_checks
from e2i_assets.defs.namespace import Binding, Namespace, namespace_of
from e2i_assets.defs.resource_definitions import resources

# Dagster adds text to the type of a component's field, because it may be a template: `dg check yaml` would accept any.
Automation = Annotated[
    Literal["eager", "on_cron", "none"],
    dg.Resolver.default(model_field_type=str, json_schema_extra={"pattern": r"^(eager|on_cron|none|\{\{.*\}\})$"}),
]
_DEFS = """\
type: e2i_assets.ExperimentComponent

attributes:
  # The experiment without `source`: the name of a YAML file beside this one, or the document itself, as here. All keys
  # of an experiment file are allowed. The name is also that of the study and the model, and of no file in experiments/.
  experiment:
    name: NAME
    owner: team:your-team
    description: What the model predicts, and for whom.
    target: label # the column to predict
    problem_type: binary_classification # multiclass_classification, regression
    algorithm: XGBoost
    hpo: {trials: 50}

  # The upstream asset. `read: uri` reads the Parquet or CSV file that the metadata `dagster/uri` of its latest
  # materialization names; outside the project folder, list its folder in E2I_SOURCE_FOLDERS. Instead of `read`:
  # sql: {query: SELECT * FROM marts.NAME ORDER BY id, url_env: WAREHOUSE_URL}
  rows:
    asset: marts/NAME
    read: uri

  # With `predict: {to: PATH.parquet}` in the experiment: the upstream asset of the rows to score, read as above.
  # new_rows: {asset: marts/new_NAME, read: uri}

  # The keys of the assets are [*key_prefix, NAME, dataset] and so on.
  key_prefix: []

  # eager: at each materialization of the upstream asset; on_cron: at `cron`, once the rows are new; none: by hand.
  automation: eager
  # cron: "0 5 * * *"
"""


class UpstreamRows(dg.Model):
    """Where the rows come from: the asset that makes them, and how they are read."""

    asset: str = Field(description="The key of the upstream asset, such as marts/customer_churn.")
    read: Literal["uri"] | None = Field(
        None, description="uri: the file that the metadata `dagster/uri` of its latest materialization names."
    )
    sql: str | dict[str, str] | None = Field(
        None, description="Instead of a file, a query, as in `source.sql` of an experiment file."
    )

    @model_validator(mode="after")
    def _one_way(self) -> "UpstreamRows":
        if (self.read is None) == (self.sql is None):
            raise ValueError("rows and new_rows must have exactly one of read and sql")
        return self

    def source(self) -> dict[str, Any]:
        """Return the source of an experiment: the query, or a path that stands for the file of the asset."""
        return {"parquet": f"upstream/{self.asset}"} if self.sql is None else {"sql": self.sql}


class ExperimentScaffolder(dg.Scaffolder[Any]):
    """Writes a commented `defs.yaml`, which loads as it is."""

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        """Write the file; in Python, Dagster's own skeleton."""
        if request.scaffold_format == "python":
            dg.scaffold_component(request)
            return
        name = re.sub(r"\W+", "_", request.target_path.name.lower()).strip("_") or "experiment"
        text = f"---\n{_DEFS}" if request.append else _DEFS
        path = request.target_path if request.append else request.target_path / "defs.yaml"
        with path.open("a" if request.append else "w", encoding="utf-8") as file:
            file.write(text.replace("NAME", name))


@dg.scaffold_with(ExperimentScaffolder)
class ExperimentComponent(dg.Component, dg.Model, dg.Resolvable):
    """An experiment that is tuned and trained from the rows of an upstream asset, as assets of its own."""

    experiment: str | dict[str, Any] = Field(
        description="The experiment without `source`: a YAML file beside defs.yaml, or the document itself."
    )
    rows: UpstreamRows
    new_rows: UpstreamRows | None = Field(
        None, description="With `predict` in the experiment, instead of `predict.source`: the rows that it scores."
    )
    key_prefix: list[str] = Field([], description="The first parts of the asset keys, before the experiment's name.")
    automation: Automation = Field(
        "eager",
        description="eager: at each materialization of the upstream asset; on_cron: at `cron`; none: never.",
    )
    cron: str = Field("0 5 * * *", description="With on_cron: when, in E2I_TIME_ZONE, once the rows are new.")

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the assets, checks and the automation sensor of the experiment.

        Raises:
            ExperimentInvalid: The experiment is not valid.
            E2iError: There is no project folder, or a file of the project has the same name.
        """
        settings = current_settings()
        experiment = self._experiment(context.path)
        file = settings.experiments / f"{experiment.name}.yaml"
        if file.is_file():
            raise E2iError(
                f"experiment {experiment.name} of the component in {context.path} is also the file {file}: rename one "
                "of them, as studies and models have the name of their experiment"
            )
        upstream = dg.AssetKey.from_user_string(self.rows.asset)
        new_rows = None if self.new_rows is None else dg.AssetKey.from_user_string(self.new_rows.asset)
        binding = Binding(experiment, upstream, str(_file_of(context.path)), self._condition(settings), new_rows)
        namespace = Namespace(tuple(self.key_prefix), binding=binding)
        _, *downstream = ASSETS
        scored = [] if experiment.predict is None else [bound_predictions]
        graph = (bound_dataset(self.rows.read is not None), *downstream, champion_model, *scored)
        assets = [one(namespace) for one in graph]
        return dg.Definitions(
            assets=assets,
            asset_checks=asset_checks(namespace, partitioned=False),
            sensors=[] if binding.automation is None else [_sensor(namespace, settings, assets)],
            resources=_resources(settings),
        )

    def _experiment(self, place: Path) -> Experiment:
        """Return the experiment, with a source that stands for the upstream asset."""
        folder = place if place.is_dir() else place.parent
        raw: Mapping[str, Any]
        if isinstance(self.experiment, str):
            path = folder / self.experiment
            if not path.is_file():
                raise E2iError(f"the component in {folder} names the experiment {path}, which is no file")
            raw, where = read_mapping(path.read_text(encoding="utf-8"), str(path)), f"experiment file {path}"
        else:
            raw, where = self.experiment, f"the experiment of the component in {folder}"
        if "source" in raw:
            raise E2iError(f"{where} has a source, but its rows come from {self.rows.asset}: remove the source")
        return experiment_from({**raw, "source": self.rows.source(), **self._predict(raw, where)}, where)

    def _predict(self, raw: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Return the section `predict` with the source that stands for the upstream asset of the new rows."""
        if self.new_rows is None:
            return {}
        if not isinstance(given := raw.get("predict"), Mapping):
            raise E2iError(f"{where} has no section predict, but the component has new_rows: add predict: {{to: ...}}")
        if "source" in given:
            raise E2iError(f"{where} has predict.source, but its new rows come from {self.new_rows.asset}: remove it")
        return {"predict": {**given, "source": self.new_rows.source()}}

    def _condition(self, settings: Settings) -> dg.AutomationCondition[Any] | None:
        if self.automation == "none":
            return None
        if self.automation == "eager":
            return dg.AutomationCondition.eager()
        return dg.AutomationCondition.on_cron(self.cron, settings.time_zone)


def _file_of(place: Path) -> Path:
    """Return the file of a component, whose place is a folder or a file."""
    return found if (found := place / "defs.yaml").is_file() else place


def _sensor(
    namespace: Namespace, settings: Settings, assets: list[dg.AssetsDefinition]
) -> dg.AutomationConditionSensorDefinition:
    """Return the sensor of these assets alone. Dagster's default one, for all others, is stopped until started."""
    return dg.AutomationConditionSensorDefinition(
        namespace.op("automation"),
        target=dg.AssetSelection.assets(*(one.key for one in assets)),
        minimum_interval_seconds=settings.scan_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.automation else dg.DefaultSensorStatus.STOPPED,
    )


def _resources(settings: Settings) -> dict[str, Any]:
    """Return the resources without `mlflow`, which is for the assets of users: a platform may have its own."""
    return {name: one for name, one in resources(namespace_of(settings)).items() if name != "mlflow"}
