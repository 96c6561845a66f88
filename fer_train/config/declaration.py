"""How an option is declared: once, as a field of `TrainConfig` that says everything about itself.

The command line, the checks of values, configuration files, and the rules of ``--resume``,
``prune`` and ``eval`` are computed from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field
from typing import Any, Literal, NotRequired, TypedDict, TypeVar, Unpack, dataclass_transform

#: The headings of ``--help``.
Group = Literal[
    "Data and pixels",
    "Network",
    "What learns",
    "Schedule",
    "Loss",
    "Augmentation",
    "Pruning",
    "Machine",
    "For the papers",
]


@dataclass(frozen=True, slots=True)
class Range:
    """Finite numbers from ``lowest`` to ``highest``.

    Attributes:
        above: without ``lowest`` itself.
        below: without ``highest`` itself.
        note: what else helps whoever is outside.
    """

    lowest: float
    highest: float = math.inf
    above: bool = False
    below: bool = False
    note: str = ""

    def allows(self, value: float) -> bool:
        """Tell whether a number is in the range."""
        # Infinity is compared with: a whole number may be too large for math.isfinite.
        if value == math.inf or not self.lowest <= value <= self.highest:
            return False
        return not ((self.above and value == self.lowest) or (self.below and value == self.highest))

    def describe(self, seen: float) -> str:
        """Return in words what is allowed instead of ``seen``."""
        if self.highest < math.inf:
            text = self._between()
        else:
            text = f"above {self.lowest:g}" if self.above else f"{self.lowest:g} or more"
            text += ", and finite" if seen == math.inf else ""
        return text + self.note

    def _between(self) -> str:
        if self.above and self.below:
            return f"between {self.lowest:g} and {self.highest:g}"
        first = f"above {self.lowest:g}" if self.above else f"{self.lowest:g}"
        return f"{first} {'to below' if self.below else 'to'} {self.highest:g}"


class Option(TypedDict):
    """What an option says about itself beside its name, its type and its default."""

    help: str
    group: Group

    #: What becomes of another value than the run's when it is resumed.
    #: used: it only changes how the run goes on from here.
    #: kept: the run's value stays, with a warning. Changing it in the middle would make the epochs
    #:   before and after incomparable, or repeat and skip images; but it is still the same run.
    #: refused: it says what is being trained.
    resume: Literal["used", "kept", "refused"]

    #: Where ``fertrain prune`` has it from.
    #: given: the user, as in ``train``.
    #: inherited: the user, or else the run that made the checkpoint.
    #: model: the checkpoint alone; ``prune`` has no such option.
    #: schedule: it prunes first and then recovers; it has no such option, and no file may say it.
    prune: Literal["given", "inherited", "model", "schedule"]

    #: The numbers allowed; every option that is a number has it. None is beyond all ranges.
    within: NotRequired[Range]

    #: Text for people, of one line (`terms.require_term`).
    prose: NotRequired[Literal[True]]

    #: The option itself, where it is not the field's name with dashes.
    flag: NotRequired[str]

    #: What the command line takes for a default that depends on the machine.
    here: NotRequired[Callable[[], Any]]

    #: A list with commas, which the command line also takes one by one; it has no default.
    lists: NotRequired[Literal[True]]

    #: ``fertrain eval`` has it too.
    eval: NotRequired[Literal[True]]

    #: read: needed to read the data and see which splits they have.
    #: split: decides which images are held out where the data do not say.
    data: NotRequired[Literal["read", "split"]]

    #: What a run has had whose last.pt is older than the option.
    absent: NotRequired[Any]

    #: The split that it is the size of.
    share_of: NotRequired[Literal["val", "test"]]

    #: Where nobody is told that it differs: from the earlier run's, from the default.
    #: training on: with ``--from`` and ``prune``; it is what they change, or is told otherwise.
    #: anywhere: nor in reports; it says where, on what machine or on which terms, not how.
    no_news: NotRequired[Literal["training on", "anywhere"]]


def option(*, default: Any = MISSING, **about: Unpack[Option]) -> Any:
    """Declare a field that is an option; without ``default`` it has to be given."""
    return field(default=default, metadata=about)


Config = TypeVar("Config")


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(option,))
def declares_options(config: type[Config]) -> type[Config]:
    """Make a frozen dataclass of a class whose fields are `option`."""
    return dataclass(frozen=True, slots=True, kw_only=True)(config)
