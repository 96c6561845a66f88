"""``ferconv predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fer_convert.commands.paths import FILE

if TYPE_CHECKING:
    from fer_convert.coreml_runtime.program import Engine
    from fer_convert.coreml_runtime.reference.operations import Precision


@click.command()
@click.argument("artefact", type=click.Path(path_type=Path))
@click.argument("images", type=FILE, nargs=-1, required=True)
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="Labels.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "reference", "fast"]),
    default="auto",
    show_default=True,
    help="fast: onnxruntime, fp32; reference: one operation after another; auto: by the number of "
    "pictures.",
)
@click.option(
    "--precision",
    type=click.Choice(["declared", "fp32", "fp16"]),
    help="declared and fp16 round as half precision does, in the reference engine.",
)
@click.option("--function", help="Of a model with several functions.  [default: its own default]")
@click.option("--json", "as_json", is_flag=True, help="Print everything, for machines.")
def predict(
    *,
    artefact: Path,
    images: tuple[Path, ...],
    top: int,
    engine: Engine,
    precision: Precision | None,
    function: str | None,
    as_json: bool,
) -> None:
    """Ask a saved .mlmodel or .mlpackage what it sees in pictures; no Core ML needed.

    Pictures are cropped to their centred square and resized to the model's input. One that cannot
    be read is reported, and the others are answered; the exit code is then that of the first.
    """
    from fer_convert import predict as predicting
    from fer_train.contract.cli_errors import report_error

    model, answers = predicting.predict_images(
        artefact, images, function=function, engine=engine, precision=precision
    )
    if as_json:
        click.echo(predicting.as_json(model, answers))
    elif answered := [one for one in answers if isinstance(one, predicting.Answered)]:
        click.echo(predicting.as_text(model, answered, top=top))
    bad = [one.error for one in answers if isinstance(one, predicting.Unanswered)]
    codes = [report_error(error, "ferconv") for error in bad]
    if codes:
        click.get_current_context().exit(codes[0])
