"""Errors of trials that run in their own process; their names are stored in ``ml_hpo_trials.error_type``."""

from e2i_assets.core.errors import E2iError


class TrialTooSlow(E2iError):
    """The trial ran for longer than ``hpo.trial_seconds``."""


class TrialTooLarge(E2iError):
    """The process of the trial used more memory than ``hpo.trial_memory_mb``."""


class TrialDied(E2iError):
    """The process of the trial ended during the trial."""


class TrialNotBegun(TrialDied):
    """The process had ended before it received the trial, so another process may run the trial."""


class TrialProcessFailed(E2iError):
    """A trial process could not start."""
