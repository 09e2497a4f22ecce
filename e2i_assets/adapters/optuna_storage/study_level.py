"""Study-level methods of the storage, delegated to Optuna's own storage except those that are called for each trial."""

from collections.abc import Sequence
from typing import Any

from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy

from e2i_assets.adapters.optuna_storage import reads, writes
from e2i_assets.adapters.optuna_storage.retrying import retry_transient
from e2i_assets.adapters.optuna_storage.trial_cache import TrialCache
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.studies import StudyRepository
from e2i_assets.core.errors import E2iError


class StudyLevel(BaseStorage):
    """The storage methods that refer to a study and not to a trial.

    Args:
        database: The database that holds both schemas.
        optuna_storage: Optuna's own storage of the same database.
        study_id: The study in our tables, which must exist.
    """

    def __init__(self, database: Database, optuna_storage: RDBStorage, study_id: str) -> None:
        self._database = database
        self._optuna = optuna_storage
        self._our_id = study_id
        self._bound: tuple[reads.Study, TrialCache] | None = None
        self._names: dict[int, str] = {}
        self._directions: dict[int, list[StudyDirection]] = {}

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        return self._bind(self._optuna.create_new_study(directions, study_name))

    def delete_study(self, study_id: int) -> None:
        self._optuna.delete_study(study_id)
        self._bound = None

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        self._optuna.set_study_user_attr(study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self._optuna.set_study_system_attr(study_id, key, value)

    def get_study_id_from_name(self, study_name: str) -> int:
        return self._bind(self._optuna.get_study_id_from_name(study_name))

    def get_study_name_from_id(self, study_id: int) -> str:
        if study_id not in self._names:
            self._names[study_id] = self._optuna.get_study_name_from_id(study_id)
        return self._names[study_id]

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        if study_id not in self._directions:
            self._directions[study_id] = self._optuna.get_study_directions(study_id)
        return self._directions[study_id]

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        return retry_transient(lambda: self._optuna.get_study_user_attrs(study_id))

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        # Optuna calls this after each trial, for its log.
        return retry_transient(lambda: self._system_attributes(self._study(study_id)[0]))

    def _system_attributes(self, study: reads.Study) -> dict[str, Any]:
        with self._database.connect() as connection:
            return reads.system_attributes(connection, study)

    def get_all_studies(self) -> list[FrozenStudy]:
        return self._optuna.get_all_studies()

    def remove_session(self) -> None:
        self._optuna.remove_session()

    def _bind(self, optuna_id: int) -> int:
        """Remember the study and sync our tables with Optuna's."""
        if self._bound is None or self._bound[0].optuna_id != optuna_id:
            study = reads.Study(self._our_id, optuna_id)
            with self._database.begin() as connection:
                if lost := reads.lost(connection, study):
                    # The lost trials would count as spent budget, and the search would wait for them for ever.
                    raise E2iError(
                        f"{lost} trials of this study are in ml_hpo_trials but no longer in Optuna's tables: the study "
                        "was deleted there, for example in Optuna's dashboard. To start a new search, give the "
                        "experiment another hpo.seed; to get the old trials back, restore a backup"
                    )
                if unsynced := reads.unsynced(connection, study):
                    writes.record(connection, study, reads.trials(connection, study, unsynced))
            StudyRepository(self._database).recount(self._our_id)
            self._bound = study, TrialCache(self._database, study)
        return optuna_id

    def _study(self, optuna_id: int | None = None) -> tuple[reads.Study, TrialCache]:
        if self._bound is None or optuna_id not in (None, self._bound[0].optuna_id):
            raise KeyError(f"No study with study_id {optuna_id} is bound to this storage.")
        return self._bound
