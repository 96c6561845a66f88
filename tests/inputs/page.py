"""All cases, and the page that lists them: ``python -m tests.inputs.page`` writes it."""

from __future__ import annotations

from pathlib import Path

from tests.inputs import (
    architectures,
    containers,
    converters,
    data,
    labels,
    networks,
    programs_of_others,
)
from tests.inputs.case import Case
from tests.paths import REPOSITORY

#: Headings of the page, each with its cases.
SECTIONS: dict[str, tuple[Case, ...]] = {
    "Labels": labels.CASES,
    "Networks and pixels": networks.CASES,
    "torch.export and ONNX": programs_of_others.CASES,
    "Containers": containers.CASES,
    "Architectures": architectures.CASES,
    "Data and pictures": data.CASES,
    "Networks that one converter refuses": converters.CASES,
}

CASES: tuple[Case, ...] = tuple(case for cases in SECTIONS.values() for case in cases)

PAGE: Path = REPOSITORY / "docs/inputs.md"

_HEAD = """\
# What you may bring, and what happens

Each row is made by a small generator in `tests/inputs` and run through the command on every
`make test`; this page is written from the same table (`python -m tests.inputs.page`). Exit codes
are explained in [exit-codes.md](exit-codes.md).
"""


def page() -> str:
    """Return the text of ``docs/inputs.md``."""
    parts = [_HEAD]
    for heading, cases in SECTIONS.items():
        rows = "".join(f"| {case.what} | {case.outcome} | {case.code} |\n" for case in cases)
        parts.append(
            f"\n## {heading}\n\n| Input | What happens | Exit code |\n|---|---|---|\n{rows}"
        )
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
