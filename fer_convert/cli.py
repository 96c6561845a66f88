"""The ``ferconv`` command: build, package, predict, golden."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, get_args

import click

from fer_convert import __version__
from fer_convert.artefact import ArtefactKind
from fer_convert.compress import StorageChoice
from fer_train.contract.cli_errors import exit_on_sigterm, main_with_errors
from fer_train.contract.threads import limit_spinning

if TYPE_CHECKING:
    from fer_convert.coreml_runtime.program import Engine
    from fer_convert.coreml_runtime.registry import Precision

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)

_NO_GATE_HELP = "Package whatever the verdict; report and manifest will say so for ever."
_EMOTIONKIT_HELP = "EmotionKit's sources.  [default: the checkout's swift/EmotionKit]"


def main() -> NoReturn:
    """Entry point of the console script."""
    limit_spinning()
    exit_on_sigterm()
    main_with_errors(cli, "ferconv")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Turn a trained checkpoint into checked Core ML, ONNX and TorchScript models and a Swift
    package."""


@cli.command()
@click.option("--checkpoint", type=_FILE, required=True, help="best.pt, a state dict, TorchScript.")
@click.option("--out", type=_FOLDER, default=Path("build"), show_default=True)
@click.option(
    "--fixtures",
    type=_FOLDER,
    default=Path(__file__).resolve().parents[1] / "fixtures",
    show_default="the checkout's fixtures",
    help="Images to compare on (with or without a manifest.json).",
)
@click.option(
    "--only",
    "kinds",
    type=click.Choice(get_args(ArtefactKind)),
    multiple=True,
    help="Make only this artefact; may be repeated.  [default: all]",
)
@click.option("--arch", help="For a bare state dict: its architecture.")
@click.option("--labels", help="For foreign files: names in logit order, or a known order's name.")
@click.option("--preprocess", help="For foreign files: JSON, or a JSON file.")
@click.option(
    "--storage",
    type=click.Choice(get_args(StorageChoice)),
    default="auto",
    show_default=True,
    help="How ML Programs store a pruned network's zeros.",
)
@click.option(
    "--demo",
    is_flag=True,
    help="Mark a model as a demonstration (one trained on drawn faces always is).",
)
@click.option("--author", default="fer-toolchain", show_default=True, help="Model metadata.")
@click.option("--license", default="unspecified", show_default=True, help="Model metadata.")
@click.option("--model-version", default="1.0", show_default=True, help="Model metadata.")
@click.option("--emotionkit", type=_FOLDER, help=_EMOTIONKIT_HELP)
@click.option("--package/--no-package", default=True, help="Write the Swift package, or not.")
@click.option("--no-gate", is_flag=True, help=_NO_GATE_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable summary.")
@click.option("--quiet", is_flag=True, help="Print only the summary, and errors.")
def build(
    *,
    checkpoint: Path,
    out: Path,
    fixtures: Path,
    kinds: tuple[ArtefactKind, ...],
    arch: str | None,
    labels: str | None,
    preprocess: str | None,
    storage: StorageChoice,
    demo: bool,
    author: str,
    license: str,
    model_version: str,
    emotionkit: Path | None,
    package: bool,
    no_gate: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Convert a checkpoint, run every artefact from disk against it, report, package.

    Exit code: 0 all artefacts PASS, 40 one FAILs, 41 one could not be compared. On 40 and 41 the
    artefacts and the report are kept for you to look at, and there is no Swift package.
    """
    from fer_convert.build import ALL_KINDS, BuildRequest
    from fer_convert.build import build as run_build
    from fer_convert.package import PUBLISHED, find_emotionkit
    from fer_convert.progress import Progress
    from fer_convert.summary import print_json, print_table, raise_unless_passed

    chosen = tuple(kind for kind in ALL_KINDS if not kinds or kind in kinds)
    packaged = package and PUBLISHED in chosen
    progress = Progress(quiet=quiet)
    request = BuildRequest(
        checkpoint=checkpoint,
        out=out,
        fixtures=fixtures,
        kinds=chosen,
        arch=arch,
        labels=labels,
        preprocess=preprocess,
        storage=storage,
        demo=demo,
        author=author,
        license=license,
        model_version=model_version,
        emotionkit=find_emotionkit(emotionkit) if packaged else None,
        gate=not no_gate,
    )
    result = run_build(request, progress)
    if as_json:
        print_json(result, out)
    else:
        print_table(result, out)
    raise_unless_passed(result, out)


@cli.command()
@click.option("--build", "build_folder", type=_FOLDER, default=Path("build"), show_default=True)
@click.option("--out", type=_FOLDER, required=True, help="Folder of the new Swift package.")
@click.option("--emotionkit", type=_FOLDER, help=_EMOTIONKIT_HELP)
@click.option("--no-gate", is_flag=True, help=_NO_GATE_HELP)
def package(*, build_folder: Path, out: Path, emotionkit: Path | None, no_gate: bool) -> None:
    """Write a Swift package with the model of a finished build."""
    from fer_convert.package import find_emotionkit, write_package

    sources = find_emotionkit(emotionkit)
    write_package(build_folder, out, emotionkit=sources, gate=not no_gate)
    click.echo(f"Wrote the Swift package {out}.")


@cli.command()
@click.argument("artefact", type=click.Path(path_type=Path))
@click.argument("images", type=_FILE, nargs=-1, required=True)
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="Labels.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "reference", "fast"]),
    default="auto",
    show_default=True,
    help="fast: onnxruntime, fp32; reference: one operation after another.",
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

    Pictures are cropped to their centred square and resized to the model's input.
    """
    from fer_convert import predict as predicting

    model, answers = predicting.predict_images(
        artefact, images, function=function, engine=engine, precision=precision
    )
    if as_json:
        click.echo(predicting.as_json(model, answers))
    else:
        click.echo(predicting.as_text(model, answers, top=top))


@cli.command()
@click.option("--out", "files", type=_FILE, multiple=True, required=True, help="May be repeated.")
def golden(*, files: tuple[Path, ...]) -> None:
    """Write the numbers that Python and Swift must agree on (no model needed)."""
    from fer_convert.golden import golden_record
    from fer_train.contract.files import write_json

    record = golden_record()
    for file in files:
        write_json(file, record)
        click.echo(f"Wrote {file}.")


if __name__ == "__main__":
    main()
