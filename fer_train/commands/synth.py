"""``fertrain synth``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fer_train.contract.preprocess import MIN_INPUT_SIZE
from fer_train.machine.device import default_workers


def _number(name: str, *, least: int, default: int, help: str) -> Callable[[Any], Any]:
    kind = click.IntRange(min=least)
    return click.option(name, type=kind, default=default, show_default=True, help=help)


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@_number("--per-class", least=1, default=250, help="Training faces per emotion.")
@_number("--val-per-class", least=1, default=60, help="Validation faces.")
@_number("--test-per-class", least=0, default=0, help="Test faces; 0 = no split.")
@_number("--size", least=MIN_INPUT_SIZE, default=96, help="Side of each image, in pixels.")
@_number("--seed", least=0, default=0, help="Decides every face.")
@click.option("--workers", default=default_workers(), show_default=True, help="Drawing processes.")
@click.option("--quiet", is_flag=True, help="No progress; errors only.")
def synth(out: Path, **options: Any) -> None:
    """Draw faces into OUT/train, OUT/val in the AffectNet folder layout.

    For trying the tools without anyone's photographs. Disgust and contempt are rarer in the
    training split, as in AffectNet. OUT/synthetic.json marks the faces as drawn, and every model
    trained on them says so. Faces drawn into OUT earlier are replaced as a whole, when the new ones
    are complete.
    """
    from fer_train.progress.reporter import choose_reporter
    from fer_train.synthetic.dataset import demo_counts, earlier_dataset, write_dataset

    reporter = choose_reporter(quiet=options["quiet"])
    earlier = earlier_dataset(out)
    if earlier is not None:
        reporter.note("replacing", f"what was drawn in {out} earlier: {earlier}")
    counts = demo_counts(
        train=options["per_class"], val=options["val_per_class"], test=options["test_per_class"]
    )
    total = sum(sum(classes.values()) for classes in counts.values())
    with reporter.counting("drawing faces", total) as count_up:
        drawn = 0

        def on_progress(done: int, _total: int) -> None:
            nonlocal drawn
            count_up(done - drawn)
            drawn = done

        summary = write_dataset(
            out,
            per_class=counts,
            size=options["size"],
            seed=options["seed"],
            workers=options["workers"],
            progress=on_progress,
        )
    reporter.note("drawn", f"{summary.images} faces of {options['size']} px in {summary.root}")
