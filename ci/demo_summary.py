"""Print what `make demo` did: a short table and the paths a person wants to open."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--swift", required=True, help="how the Swift tests ended")
    parser.add_argument("--seconds", type=int, required=True)
    arguments = parser.parse_args()
    out: Path = arguments.out

    run = json.loads((out / "run" / "metrics.json").read_text(encoding="utf-8"))
    report = json.loads((out / "build" / "report.json").read_text(encoding="utf-8"))
    console = Console(width=110, highlight=False)

    table = Table(title="From faces to a checked Swift package", title_justify="left")
    for column in ("artefact", "verdict", "worst |Δp|", "MB", "runtime"):
        table.add_column(column)
    for artefact in report["artefacts"]:
        summary, file = artefact["summary"], artefact["file"]
        table.add_row(
            artefact["kind"],
            artefact["verdict"],
            f"{summary['max_abs_dp']:.1e}" if summary else "",
            f"{file['bytes'] / 1e6:.1f}" if file else "",
            artefact["runtime"] if summary else "; ".join(artefact["reasons"]),
        )
    console.print()
    console.print(table)
    best = run["metrics"]
    console.print(
        f"Validation accuracy {best['accuracy']:.1%}, balanced {best['balanced_accuracy']:.1%} "
        "on drawn faces (chance is 12.5%)."
    )
    console.print(f"EmotionKit with this model inside: Swift {arguments.swift}.")
    console.print(f"Took {arguments.seconds} s.\n\nOpen:")
    for what, path in (
        ("training report", out / "run" / "report.html"),
        ("parity report", out / "build" / "report.html"),
        ("Swift package", out / "EmotionKit"),
        ("training curves", Path(f".venv/bin/tensorboard --logdir {out / 'run'}")),
    ):
        console.print(f"  {what:<16} {path}", soft_wrap=True)


if __name__ == "__main__":
    main()
