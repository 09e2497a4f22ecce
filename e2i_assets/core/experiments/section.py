"""The base of the sections of an experiment file."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class Section(BaseModel):
    """Base of the sections of an experiment file: immutable, and unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    # Keys that are left out of a dump at their default, so that the hashes of experiments from before them stay.
    later_keys: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _without_later_keys(self, dumped: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        defaults = {key: fields[key].get_default(call_default_factory=True) for key in self.later_keys}
        return {
            key: value
            for key, value in dumped(self).items()
            if key not in defaults or getattr(self, key) != defaults[key]
        }
