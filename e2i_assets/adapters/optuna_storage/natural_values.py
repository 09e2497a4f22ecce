"""Optuna's studies as people read them: an error is minimised and positive, under the name of the metric.

A search maximises all goals, so the stored value of an error is negated, and its name begins with a minus sign.
"""

import copy
from collections.abc import Container, Sequence
from typing import Any

from optuna.storages import BaseStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

from e2i_assets.core.errors import E2iError
from e2i_assets.core.search.study_plan import METRIC_NAMES, NEGATED


class NaturalValues(_CachedStorage):
    """Optuna's storage for a dashboard: directions, names and values of each study in their natural orientation."""

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return _natural_names(super().get_study_system_attrs(study_id))

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return _natural_directions(super().get_study_directions(study_id), self._negated(study_id))

    def get_all_studies(self) -> list[FrozenStudy]:
        return [_natural_study(one) for one in sorted(super().get_all_studies(), key=lambda one: one._study_id)]

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        trials, negated = super().get_all_trials(study_id, deepcopy, states), self._negated(study_id)
        return [_natural_trial(trial, negated) for trial in trials] if any(negated) else trials

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        # Optuna's own compares the stored values.
        return BaseStorage.get_best_trial(self, study_id)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        if values is not None:
            raise E2iError("the value of a trial is what its fit has measured, and is not set by hand")
        return super().set_trial_state_values(trial_id, state)

    def _negated(self, study_id: int) -> list[bool]:
        return _negated(super().get_study_system_attrs(study_id))


def _negated(attributes: dict[str, Any]) -> list[bool]:
    """Return for each goal whether its stored values are negated; empty if the study has no names."""
    return [name.startswith(NEGATED) for name in attributes.get(METRIC_NAMES, ())]


def _natural_names(attributes: dict[str, Any]) -> dict[str, Any]:
    if METRIC_NAMES not in attributes:
        return attributes
    return {**attributes, METRIC_NAMES: [name.removeprefix(NEGATED) for name in attributes[METRIC_NAMES]]}


def _natural_directions(stored: Sequence[StudyDirection], negated: Sequence[bool]) -> list[StudyDirection]:
    return [StudyDirection.MINIMIZE if one else stored[goal] for goal, one in enumerate(negated)] or list(stored)


def _natural_study(stored: FrozenStudy) -> FrozenStudy:
    return FrozenStudy(
        study_name=stored.study_name,
        direction=None,
        directions=_natural_directions(stored.directions, _negated(stored.system_attrs)),
        user_attrs=stored.user_attrs,
        system_attrs=_natural_names(stored.system_attrs),
        study_id=stored._study_id,
    )


def _natural_trial(stored: FrozenTrial, negated: Sequence[bool]) -> FrozenTrial:
    """Return a trial with natural values; only a study of a single goal has intermediate values."""
    trial = copy.copy(stored)
    if stored.values is not None:
        trial.values = [-value if one else value for value, one in zip(stored.values, negated, strict=True)]
    if negated[0]:
        trial.intermediate_values = {step: -value for step, value in stored.intermediate_values.items()}
    return trial
