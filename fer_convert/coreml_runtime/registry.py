"""Types of operations or layers, what serves each, and why some are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, TypeVar

from fer_convert.coreml_runtime.errors import UnsupportedOperation

#: What the reader of neural networks needs and no ML Program has; a file that names it is refused.
INTERNAL = "layer:"


class Refusal(NamedTuple):
    """Operation types that the runtime leaves out on purpose, and why."""

    types: tuple[str, ...]
    reason: str


F = TypeVar("F", bound=Callable[..., object])


class Registry(Generic[F]):
    """Functions by the specification's own names of what they serve."""

    def __init__(self, format_name: str = "") -> None:
        self.format_name = format_name
        self.functions: dict[str, F] = {}
        self.refusals: list[Refusal] = []

    @property
    def public(self) -> dict[str, F]:
        """Those that a file can name."""
        return {n: f for n, f in self.functions.items() if not n.startswith(INTERNAL)}

    def operation(self, *types: str) -> Callable[[F], F]:
        """Decorate a function with the types it serves."""

        def register(function: F) -> F:
            for name in types:
                self._add(name, function)
            return function

        return register

    def include(self, other: Registry[F]) -> None:
        """Take over what another registry holds."""
        for name, function in other.functions.items():
            self._add(name, function)
        self.refusals += other.refusals

    def _add(self, name: str, function: F) -> None:
        assert name not in self.functions, f"{name} is registered twice"
        self.functions[name] = function

    def refuse(self, *types: str, reason: str) -> None:
        """Say why ``types`` are left out; ``reason`` is half a sentence for an error message."""
        self.refusals.append(Refusal(types, reason))

    def __contains__(self, name: object) -> bool:
        return name in self.functions

    def check(self, operations: Iterable[tuple[str, str]]) -> None:
        """Raise one `UnsupportedOperation` that names every type of a file without a function,
        where it first occurs, and why it is left out.

        Args:
            operations: type and name of each.
        """
        missing: dict[str, str] = {}
        for kind, name in operations:
            if kind not in self.functions or kind.startswith(INTERNAL):
                missing.setdefault(kind, name)
        if missing:
            raise UnsupportedOperation(
                f"The portable runtime lacks {len(missing)} {self.format_name} operation"
                f"{'s' if len(missing) > 1 else ''} of this model: "
                f"{', '.join(self._place(kind, missing[kind]) for kind in sorted(missing))}.",
                hint="The model may still run in Core ML; its parity cannot be checked here. "
                "docs/coreml-operations.md lists what is supported.",
            )

    def _place(self, kind: str, name: str) -> str:
        reasons = [refusal.reason for refusal in self.refusals if kind in refusal.types]
        return f"{kind} '{name}'{f' ({reasons[0]})' if reasons else ''}"
