"""Which parameters a fit reads: some are for one problem type alone, and some need another parameter.

A library ignores a parameter that does not apply and fits as if it were absent. The contract would then name a value
that no model was fitted with, so such a parameter is a violation.
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
    """The conditions under which an algorithm reads its parameters; one that is not named here is always read.

    Attributes:
        only_for: Parameter to the problem types for which the fit reads it.
        needs: Parameter to what each of some other parameters must be. ``ABSENT`` and ``GIVEN`` stand for a parameter
            without a value and with any value.
        completes: Parameter to one of its values, and to the parameter that must be given with that value.
    """

    only_for: Mapping[str, frozenset[ProblemType]] = field(default_factory=dict)
    needs: Mapping[str, Mapping[str, tuple[Any, ...]]] = field(default_factory=dict)
    completes: Mapping[str, tuple[Any, str]] = field(default_factory=dict)

    def violations(
        self, names: Mapping[str, Any], problem_type: ProblemType, possible: Callable[[str, str], list[Any]]
    ) -> Iterator[Violation]:
        """Find the parameters that no fit, or not every fit, would read.

        Args:
            names: What is set, with what is shown of it.
            problem_type: What is predicted.
            possible: Takes a parameter and another one that it depends on, and returns every value that the other one
                can have in a fit; ``ABSENT`` stands for no value.
        """
        for name, shown in names.items():
            types = self.only_for.get(name)
            if types is not None and problem_type not in types:
                whom = f"for {problem_type}" if types else "here"
                yield Violation(name, shown, f"has no effect {whom}: take it out")
                continue
            for parent, allowed in self.needs.get(name, {}).items():
                if not all(_is_allowed(value, allowed) for value in possible(name, parent)):
                    yield Violation(name, shown, f"has no effect unless {parent} is {_in_words(allowed)}")
            if name not in self.completes:
                continue
            value, needed = self.completes[name]
            if value in possible("", name) and ABSENT in possible(name, needed):
                yield Violation(name, shown, f"{value!r} has no effect without {needed}: fix or search {needed} too")


def _is_allowed(value: Any, allowed: tuple[Any, ...]) -> bool:
    if value == ABSENT:
        return ABSENT in allowed
    return GIVEN in allowed or any(value == one and isinstance(value, bool) is isinstance(one, bool) for one in allowed)


def _in_words(allowed: tuple[Any, ...]) -> str:
    return " or ".join(one if one in (ABSENT, GIVEN) else repr(one) for one in allowed)
