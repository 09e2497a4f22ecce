"""The base of the sections of an experiment file."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of the sections of an experiment file: immutable, and unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
