"""Why a trial that had a process of its own failed. The names stand in ``ml_hpo_trials.error_type``."""

from e2i_assets.core.errors import E2iError


class TrialTooSlow(E2iError):
    """A trial that ran for longer than ``hpo.trial_seconds``."""


class TrialTooLarge(E2iError):
    """A trial whose process took more memory than ``hpo.trial_memory_mb``."""


class TrialDied(E2iError):
    """A trial whose process ended under it."""


class TrialNotBegun(TrialDied):
    """A trial that its process never heard of, because that had ended before: another process may be asked."""


class TrialProcessFailed(E2iError):
    """A process for trials that could not begin."""
