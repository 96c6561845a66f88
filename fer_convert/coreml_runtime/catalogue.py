"""The list of operations, written from the registry: ``docs/coreml-operations.md``.

python -m fer_convert.coreml_runtime.catalogue > docs/coreml-operations.md
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from fer_convert.coreml_runtime.registry import Registry

_HEAD = """\
# Operations of the portable Core ML runtime

Written by `python -m fer_convert.coreml_runtime.catalogue`; a test compares it with the code.
*Fast* says that the fast engine has the operation, too; a model with one it lacks, or with an
option it lacks, runs in the reference engine. Types that no row lists are refused when the model is
loaded, by name and place (exit code 51).
"""


def catalogue() -> str:
    """Return the page as Markdown."""
    from fer_convert.coreml_runtime import fast
    from fer_convert.coreml_runtime.read.compressed import EXPANSIONS
    from fer_convert.coreml_runtime.read.nn_lowering import RECIPES
    from fer_convert.coreml_runtime.reference.mil import MIL

    lines = [_HEAD]
    lines += _section("ML Program", MIL, fast.MIL)
    lines += ["", "Compressed constants, expanded when they are read:", ""]
    lines += _rows(EXPANSIONS, EXPANSIONS)
    lines += ["", "Also read: `const`, `classify` (its labels and scores).", ""]
    # A layer is as fast as the operations that it becomes, and both engines have all of them.
    lines += _section("NeuralNetwork", RECIPES, RECIPES.functions)
    return "\n".join(lines) + "\n"


def _section(title: str, table: Registry[Any], fast: Collection[str]) -> Iterator[str]:
    functions = table.public
    in_both = sum(name in fast for name in functions)
    yield f"## {title}: {len(functions)} supported, {in_both} of them fast"
    yield ""
    yield from _rows(functions, fast)
    yield ""
    yield f"### {title}: left out on purpose"
    yield ""
    for refusal in sorted(table.refusals):
        yield f"* {', '.join(f'`{name}`' for name in sorted(refusal.types))}: {refusal.reason}"


def _rows(functions: Mapping[str, Any], fast: Collection[str]) -> Iterator[str]:
    yield "| type | what it computes | fast |"
    yield "|---|---|---|"
    for name in sorted(functions, key=str.lower):
        yield f"| `{name}` | {_summary(functions[name])} | {'yes' if name in fast else ''} |"


def _summary(function: Any) -> str:
    """The first paragraph of the docstring, on one line."""
    paragraph = (inspect.getdoc(function) or "").partition("\n\n")[0]
    return " ".join(paragraph.split()).replace("``", "`").replace("|", "\\|")


if __name__ == "__main__":
    print(catalogue(), end="")
