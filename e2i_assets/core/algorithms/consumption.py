"""The parameters that a fit reads: some apply to certain problem types only, and some require another parameter.

A library ignores a parameter that does not apply. The contract would then name a value that has no effect on the model,
so such a parameter is a violation.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from e2i_assets.core.errors import Violation
from e2i_assets.core.metrics import ProblemType

ABSENT: Final = "absent"
GIVEN: Final = "given"
CLASSES: Final[frozenset[ProblemType]] = frozenset({"binary_classification", "multiclass_classification"})
BINARY: Final[frozenset[ProblemType]] = frozenset({"binary_classification"})
NEVER: Final[frozenset[ProblemType]] = frozenset()


@dataclass(frozen=True, slots=True)
class Consumption:
    """The conditions under which an algorithm reads its parameters; a parameter without a condition is always read.

    Attributes:
        only_for: Parameter to the problem types for which the fit reads it.
        needs: Parameter to the required values of other parameters. ``ABSENT`` means no value, ``GIVEN`` any value.
        completes: Parameter to one of its values, and to the parameter that must be given with that value.
    """

    only_for: Mapping[str, frozenset[ProblemType]] = field(default_factory=dict)
    needs: Mapping[str, Mapping[str, tuple[Any, ...]]] = field(default_factory=dict)
    completes: Mapping[str, tuple[Any, str]] = field(default_factory=dict)

    def violations(
        self, names: Mapping[str, Any], problem_type: ProblemType, possible: Callable[[str, str], list[Any]]
    ) -> Iterator[Violation]:
        """Yield the parameters that some fit would not read.

        Args:
            names: The parameters that are set, with the value to show in the violation.
            problem_type: The problem type.
            possible: Takes a parameter and another parameter that it depends on, and returns every value that the other
                can have in a fit; ``ABSENT`` means no value.
        """
        for name, shown in names.items():
            types = self.only_for.get(name)
            if types is not None and problem_type not in types:
                where = f"for {problem_type}" if types else "here"
                yield Violation(name, shown, f"has no effect {where}: remove it")
                continue
            for parent, allowed in self.needs.get(name, {}).items():
                if not all(_is_allowed(value, allowed) for value in possible(name, parent)):
                    yield Violation(name, shown, f"has no effect unless {parent} is {_alternatives(allowed)}")
            if name not in self.completes:
                continue
            value, needed = self.completes[name]
            if value in possible("", name) and ABSENT in possible(name, needed):
                yield Violation(name, shown, f"{value!r} has no effect without {needed}: fix or search {needed} too")


def _is_allowed(value: Any, allowed: tuple[Any, ...]) -> bool:
    if value == ABSENT:
        return ABSENT in allowed
    return GIVEN in allowed or any(value == one and isinstance(value, bool) is isinstance(one, bool) for one in allowed)


def _alternatives(allowed: tuple[Any, ...]) -> str:
    return " or ".join(one if one in (ABSENT, GIVEN) else repr(one) for one in allowed)
