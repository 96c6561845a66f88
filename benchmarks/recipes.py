"""A table of training recipes on one data set, chosen on validation: balanced accuracy, macro-F1.

    .venv/bin/python benchmarks/recipes.py --data AffectNet --work DIR > docs/recipes.md

One element changes at a time. Findings of `fertrain data check` are left out first. "Drawn" weights
are trained here on faces that fertrain draws: torchvision's own cannot be downloaded everywhere.
Every run lies in ``--work`` and is neither repeated nor lost when this is started again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Faces of each emotion that are drawn for the starting weights.
DRAWN = {"per-class": 300, "val-per-class": 40, "size": 48}
FIGURES = ("balanced_accuracy", "macro_f1", "accuracy")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Options of `fertrain train` on top of `COMMON`, or a pruning of another recipe's best.pt.

    ``{epochs}`` in an option is all epochs, ``{rest}`` those after two of the head.
    """

    name: str
    says: str
    options: tuple[str, ...] = ()
    drawn_weights: bool = False
    prunes: str | None = None


COMMON = ("--batch-size=64", "--schedule=cosine", "--warmup-epochs=0.5", "--prune=0")
SCRATCH = ("--finetune=all", "--lr=1e-3", "--epochs={epochs}")
HEAD = ("--finetune=head", "--lr=1e-3", "--epochs={epochs}")
PHASES = ("--phase=head:2:1e-3", "--phase=all:{rest}:1e-3:1e-4")
PLAIN = ("--class-weights=none",)
MILD = ("--class-weights=sqrt-inverse",)
CALM = ("--label-smoothing=0.1", "--ema=0.99")

RECIPES = (
    Recipe("plain", "random weights, all layers", (*SCRATCH, *PLAIN, "--augment=0")),
    Recipe("augmented", "and augmentation", (*SCRATCH, *PLAIN)),
    Recipe("inverse", "and class weights inverse", (*SCRATCH, "--class-weights=inverse")),
    Recipe("sqrt", "or sqrt-inverse", (*SCRATCH, *MILD)),
    Recipe("adjusted", "or logit adjustment", (*SCRATCH, *PLAIN, "--logit-adjustment=1")),
    Recipe("head", "drawn weights, frozen backbone", (*HEAD, *MILD), True),
    Recipe("tuned", "drawn weights, all layers at 1e-3", (*SCRATCH, *MILD), True),
    Recipe("phases", "drawn weights, head, then all, backbone at 1e-4", (*PHASES, *MILD), True),
    Recipe("unweighted", "tuned without class weights", (*SCRATCH, *PLAIN), True),
    Recipe("calm", "tuned with smoothing 0.1 and EMA 0.99", (*SCRATCH, *MILD, *CALM), True),
    Recipe("pruned20", "tuned, 20 % pruned", prunes="tuned", options=("--prune=0.2",)),
    Recipe("pruned50", "tuned, 50 % pruned", prunes="tuned", options=("--prune=0.5",)),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--arch", default="efficientnet_b0")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", action="append", choices=[r.name for r in RECIPES])
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    rows = {}
    for recipe in RECIPES:
        if not arguments.only or recipe.name in arguments.only:
            runs = [_run(recipe, seed, arguments) for seed in range(arguments.seeds)]
            rows[recipe] = [json.loads((run / "metrics.json").read_text()) for run in runs]
            print(f"{recipe.name}: {_line(rows[recipe])}", file=sys.stderr, flush=True)
    print(page(rows, arguments))


def _run(recipe: Recipe, seed: int, arguments: argparse.Namespace) -> Path:
    """Train, or return what is trained."""
    work, epochs = arguments.work, arguments.epochs
    run: Path = work / arguments.arch / f"{recipe.name}-{seed}"
    if (run / "metrics.json").exists():
        return run
    cache = f"--cache={work / 'cache'}"
    data = ("--data", arguments.data, f"--exclude={_findings(work, arguments.data)}")
    if recipe.prunes is not None:
        best = work / arguments.arch / f"{recipe.prunes}-{seed}" / "checkpoints" / "best.pt"
        _fertrain("prune", best, *data, f"--out={run}", cache, *recipe.options)
        return run
    own = [option.format(epochs=epochs, rest=epochs - 2) for option in recipe.options]
    weights = _drawn_weights(work, arguments.arch) if recipe.drawn_weights else "none"
    where = (f"--arch={arguments.arch}", f"--weights={weights}", f"--out={run}", cache)
    _fertrain("train", *data, *where, *COMMON, f"--seed={seed}", *own)
    return run


def _findings(work: Path, data: Path) -> Path:
    out = work / "check"
    if not (out / "findings.json").exists():
        _fertrain("data", "check", data, "--out", out, "--cache", work / "cache")
    return out / "findings.json"


def _drawn_weights(work: Path, arch: str) -> Path:
    faces, run = work / "drawn", work / arch / "drawn"
    if not faces.exists():
        _fertrain("synth", faces, *(f"--{name}={value}" for name, value in DRAWN.items()))
    if not (run / "metrics.json").exists():
        options = (*SCRATCH, "--batch-size=32", "--epochs=15", "--prune=0", "--augment=0.5")
        where = ("--weights=none", f"--arch={arch}", f"--out={run}", f"--cache={work / 'cache'}")
        _fertrain("train", "--data", faces, *where, *options)
    return run / "checkpoints" / "best.pt"


def _fertrain(*arguments: object) -> None:
    command = [sys.executable, "-m", "fer_train.cli", *map(str, arguments)]
    done = subprocess.run(command, check=False, stdout=sys.stderr)
    if done.returncode:
        raise SystemExit(done.returncode)  # fertrain has said why


def _figures(runs: list[dict[str, Any]]) -> list[list[float]]:
    return [[run["metrics"][name] for run in runs] for name in FIGURES]


def _line(runs: list[dict[str, Any]]) -> str:
    return ", ".join(
        f"{n} {statistics.mean(v):.3f}" for n, v in zip(FIGURES, _figures(runs), strict=True)
    )


def page(rows: dict[Recipe, list[dict[str, Any]]], arguments: argparse.Namespace) -> str:
    """Return the table as Markdown; more seeds give mean and standard deviation."""
    lines = [
        "| recipe | | balanced accuracy | macro-F1 | accuracy | best epoch |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for recipe, runs in rows.items():
        cells = []
        for values in _figures(runs):
            spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.3f}{spread}")
        epochs = ", ".join(str(run["metrics"]["epoch"]) for run in runs)
        lines.append(f"| {recipe.name} | {recipe.says} | {' | '.join(cells)} | {epochs} |")
    images = next(iter(rows.values()))[0]["metrics"]["images"]
    amount = f"{arguments.epochs} epochs, {arguments.seeds} seed(s), {images} validation images"
    return "\n".join([f"{arguments.arch}, {amount}", "", *lines])


if __name__ == "__main__":
    main()
