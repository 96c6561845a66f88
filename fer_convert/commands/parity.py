"""``ferconv parity``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fer_convert.bundled import fixtures_folder
from fer_convert.commands.names import DETECTORS, RUNNERS
from fer_convert.commands.paths import FILE, FOLDER
from fer_train.contract.lists import list_option


@click.command()
@click.argument("reference", type=click.Path(path_type=Path))
@click.argument("artefacts", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--fixtures",
    type=click.Path(path_type=Path),  # not FOLDER: an archive is told what to do with it
    default=fixtures_folder(),
    show_default="the drawn faces that come with ferconv",
    help="Images to compare on (with or without a manifest.json).",
)
@click.option(
    "--photos",
    type=click.Path(path_type=Path),
    help="Instead of --fixtures: pictures that enter as files and are cut in two ways.",
)
@click.option(
    "--boxes",
    type=FILE,
    help="CSV or JSON: where the faces are in --photos.  [default: faces.csv or .json there]",
)
@click.option(
    "--detector",
    type=click.Choice(DETECTORS),
    help="Find the faces in --photos instead (needs fer-toolchain[detector]).",
)
@click.option(
    "--runner",
    "runners",
    type=click.Choice(RUNNERS),
    multiple=True,
    help="Compare in this runtime; may be repeated.  [default: each file's own; Apple's on a Mac]",
)
@click.option(
    "--foreign",
    is_flag=True,
    help="Take an artefact without a contract (not made by ferconv) by its answers alone.",
)
@click.option("--out", type=FOLDER, help="Write parity.json, .html, .md and junit.xml there.")
@click.option("--arch", help="For a bare state dict: its architecture, or your module:function.")
@click.option("--labels", help="For foreign files: names in logit order, or a known order's name.")
@list_option(
    "--custom-labels",
    help="Names in --labels that are none of the eight emotions, and are meant so.",
)
@click.option("--preprocess", help="For foreign files: JSON, or a JSON file.")
@click.option(
    "--output", help="For a program with several outputs: position or name of its scores."
)
@list_option(
    "--allow-class",
    help="Classes that may be beside the weights: package.Class,…; their code is not run.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--quiet", is_flag=True, help="Print only the summary, and errors.")
def parity(
    *,
    reference: Path,
    artefacts: tuple[Path, ...],
    fixtures: Path,
    photos: Path | None,
    boxes: Path | None,
    detector: Any,
    runners: tuple[Any, ...],
    foreign: bool,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    **words: str | None,
) -> None:
    """Compare files that exist already: does each ARTEFACT answer as REFERENCE does?

    REFERENCE is a checkpoint or an artefact; an ARTEFACT is TorchScript, ONNX or Core ML, or a
    checkpoint. Every file is run on every image, and judged as ferconv build judges: see
    docs/parity.md.

    Exit code: 0 every ARTEFACT is PASS, 40 one FAILs, 41 one could not be compared.
    """
    from fer_convert.commands.parity_summary import print_json, print_table, raise_unless_passed
    from fer_convert.existing.compare import ParityRequest, compare
    from fer_convert.existing.pictures import Input
    from fer_convert.existing.side import Words
    from fer_convert.progress import Progress

    if photos is None and (boxes or detector):
        raise click.UsageError("--boxes and --detector are about --photos.")
    if boxes and detector:
        raise click.UsageError("--detector finds the boxes; --boxes says them: choose one.")
    request = ParityRequest(
        reference=reference,
        artefacts=artefacts,
        input=Input(fixtures=fixtures, photos=photos, boxes=boxes, detector=detector),
        words=Words(**words),
        runners=runners,
        foreign=foreign,
        out=out,
    )
    result = compare(request, Progress(quiet=quiet))
    if as_json:
        print_json(result)
    else:
        print_table(result, out)
    raise_unless_passed(result, out)
