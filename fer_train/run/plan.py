"""The course of a run as a pure function of its configuration: phases and prunings by position.

A position is the number of epochs done plus those that early stopping left out, so that a stop
moves a run forward along its plan instead of changing the plan.
"""

from __future__ import annotations

from dataclasses import dataclass

from fer_train.config.options import TrainConfig
from fer_train.config.phase import Phase


@dataclass(frozen=True, slots=True)
class Pruning:
    """One step: prune to ``sparsity`` (0..1, a target, not an increment) at ``position``."""

    position: int
    sparsity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What happens when.

    Attributes:
        phases: in order; the last lasts until ``epochs``.
        epochs: position at which the run is complete.
        prunings: in order, sparsity rising to the target.
    """

    phases: tuple[Phase, ...]
    epochs: int
    prunings: tuple[Pruning, ...]

    def phase_at(self, position: int) -> int:
        """Return the index of the phase whose epoch begins at ``position``."""
        starts = self.phase_starts()
        return max(index for index, start in enumerate(starts) if start <= max(position, 0))

    def phase_starts(self) -> list[int]:
        """Return each phase's first position."""
        starts = [0]
        for phase in self.phases[:-1]:
            starts.append(starts[-1] + phase.epochs)
        return starts

    def phase_length(self, index: int) -> int:
        """Return how many epochs a phase has in this plan."""
        starts = [*self.phase_starts(), self.epochs]
        return starts[index + 1] - starts[index]

    def next_change(self, position: int) -> int:
        """Return where the present stretch ends: the next phase, pruning, or the end."""
        changes = [*self.phase_starts(), *(p.position for p in self.prunings), self.epochs]
        return min(change for change in changes if change > position)


def build_plan(config: TrainConfig) -> Plan:
    """Return the plan of a configuration.

    With several pruning steps the sparsity follows a cubic curve (Zhu and Gupta, 1710.01878):
    much is removed while weights are plenty, little at the end.
    """
    steps = config.prune_steps
    prunings = tuple(
        Pruning(
            position=config.prune_epoch + step * config.prune_every,
            sparsity=config.prune * (1 - (1 - (step + 1) / steps) ** 3),
        )
        for step in range(steps if config.prune > 0 else 0)
    )
    return Plan(phases=config.resolved_phases, epochs=config.total_epochs, prunings=prunings)
