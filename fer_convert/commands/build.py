"""``ferconv build``."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from fer_convert.artefact import PUBLISHABLE, ArtefactKind, PublishChoice
from fer_convert.bundled import fixtures_folder
from fer_convert.commands.paths import CANARY_HELP, EMOTIONKIT_HELP, FOLDER, NO_GATE_HELP
from fer_convert.commands.terms import term_options
from fer_convert.export.sparse import StorageChoice
from fer_train.contract.lists import list_option
from fer_train.contract.terms import Terms


@click.command()
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    required=True,
    help="best.pt, a state dict (also nested, and safetensors), TorchScript.",
)
@click.option("--out", type=FOLDER, default=Path("build"), show_default=True)
@click.option(
    "--fixtures",
    type=click.Path(path_type=Path),  # not FOLDER: an archive is told what to do with it
    default=fixtures_folder(),
    show_default="the drawn faces that come with ferconv",
    help="Images to compare on (with or without a manifest.json).",
)
@click.option(
    "--only",
    "kinds",
    type=click.Choice(get_args(ArtefactKind)),
    multiple=True,
    help="Make only this artefact; may be repeated.  [default: all]",
)
@click.option(
    "--require",
    "required",
    type=click.Choice(get_args(ArtefactKind)),
    multiple=True,
    help="Make nothing if the converter refuses this artefact, and let its verdict decide "
    "whatever is published; may be repeated.",
)
@click.option(
    "--arch",
    help="For a bare state dict: its architecture, or module:function of yours that builds it.",
)
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
@term_options
@click.option("--emotionkit", type=FOLDER, help=EMOTIONKIT_HELP)
@click.option("--package/--no-package", default=True, help="Write the Swift package, or not.")
@click.option(
    "--publish",
    type=click.Choice(get_args(PublishChoice)),
    default="auto",
    show_default=True,
    help="Precision of the model in the package; auto: the smallest that passes.",
)
@click.option("--canary/--no-canary", default=True, help=CANARY_HELP)
@click.option("--no-gate", is_flag=True, help=NO_GATE_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable summary.")
@click.option("--quiet", is_flag=True, help="Print only the summary, and errors.")
def build(
    *,
    checkpoint: Path,
    out: Path,
    fixtures: Path,
    kinds: tuple[ArtefactKind, ...],
    required: tuple[ArtefactKind, ...],
    arch: str | None,
    labels: str | None,
    custom_labels: str | None,
    preprocess: str | None,
    output: str | None,
    allow_class: str | None,
    storage: StorageChoice,
    demo: bool,
    author: str,
    license: str,
    model_version: str,
    emotionkit: Path | None,
    package: bool,
    publish: PublishChoice,
    canary: bool,
    no_gate: bool,
    as_json: bool,
    quiet: bool,
    **terms: str | None,
) -> None:
    """Convert a checkpoint, run every artefact from disk against it, report, package.

    Exit code: 0 all artefacts PASS (with --publish auto, half precision may be too coarse for the
    network, or not judged: full precision is published then), 40 one FAILs, 41 one could not be
    made or compared. On 40 and 41 the artefacts and the report are kept for you to look at. There
    is a Swift package only if its own artefact was made and all that was made is PASS.
    """
    from fer_convert.build import ALL_KINDS, BuildRequest
    from fer_convert.build import build as run_build
    from fer_convert.commands.summary import print_json, print_table, raise_unless_passed
    from fer_convert.progress import Progress
    from fer_convert.swift_package.write import find_emotionkit

    chosen = tuple(kind for kind in ALL_KINDS if not kinds or kind in kinds)
    left_out = [kind for kind in required if kind not in chosen]
    if left_out:
        raise click.UsageError(f"--require names {left_out[0]}, which --only leaves out.")
    if publish != "auto" and PUBLISHABLE[publish] not in chosen:
        raise click.UsageError(
            f"--publish {publish} publishes {PUBLISHABLE[publish]}, which --only leaves out. Add "
            f"--only {PUBLISHABLE[publish]}, or leave out --publish."
        )
    packaged = package and not set(chosen).isdisjoint(PUBLISHABLE.values())
    progress = Progress(quiet=quiet)
    request = BuildRequest(
        checkpoint=checkpoint,
        out=out,
        fixtures=fixtures,
        kinds=chosen,
        required=required,
        arch=arch,
        labels=labels,
        custom_labels=custom_labels,
        preprocess=preprocess,
        output=output,
        allow_class=allow_class,
        storage=storage,
        demo=demo,
        author=author,
        license=license,
        model_version=model_version,
        emotionkit=find_emotionkit(emotionkit) if packaged else None,
        publish=publish,
        gate=not no_gate,
        terms=Terms(**terms),
        canary=canary,
    )
    result = run_build(request, progress)
    if as_json:
        print_json(result, out)
    else:
        print_table(result, out)
    raise_unless_passed(result, out)
