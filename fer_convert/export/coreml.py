"""TorchScript -> Core ML: ``.mlmodel`` (neural network) and ``.mlpackage`` (ML Program)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_convert.artefact import (
    INPUT_NAME,
    LABEL_OUTPUT,
    PROBABILITIES_OUTPUT,
    SCHEMA,
    Description,
    Precision,
)
from fer_convert.export.sparse import Storage, store_sparse
from fer_convert.source.model import Source

if TYPE_CHECKING:
    import torch

#: Xcode shows its Preview tab (drop a photo, see the classes) for models of this type.
PREVIEW_KEY = "com.apple.coreml.model.preview.type"
PREVIEW_TYPE = "imageClassifier"


def convert_neuralnetwork(
    traced: torch.jit.ScriptModule, *, source: Source, description: Description
) -> Any:
    """Return a ``neuralnetwork`` classifier as coremltools' MLModel (float32 weights)."""
    import coremltools as ct

    model = _convert(
        traced,
        source=source,
        convert_to="neuralnetwork",
        minimum_deployment_target=ct.target.iOS14,
    )
    # An ML Program gets this name by itself; here the output is called after a traced variable.
    ct.utils.rename_feature(
        model._spec, model._spec.description.predictedProbabilitiesName, PROBABILITIES_OUTPUT
    )
    _describe(model, description)
    return model


def convert_mlprogram(
    traced: torch.jit.ScriptModule,
    *,
    source: Source,
    description: Description,
    precision: Precision,
    storage: Storage,
) -> Any:
    """Return an ``mlprogram`` classifier for iOS 16 as coremltools' MLModel."""
    import coremltools as ct

    chosen = ct.precision.FLOAT16 if precision == "fp16" else ct.precision.FLOAT32
    model = _convert(
        traced,
        source=source,
        convert_to="mlprogram",
        minimum_deployment_target=ct.target.iOS16,
        compute_precision=chosen,
    )
    if storage == "sparse":
        model = store_sparse(model)
    _describe(model, description)
    return model


def save_coreml(model: Any, path: Path) -> None:
    """Write an MLModel to ``path`` (inside a folder that is itself swapped in atomically)."""
    model.save(str(path))
    # coremltools makes parts of a package private to the user; nobody else could build the app.
    for entry in (path, *path.rglob("*")):
        entry.chmod(0o755 if entry.is_dir() else 0o644)


def _convert(traced: torch.jit.ScriptModule, *, source: Source, **options: Any) -> Any:
    import coremltools as ct
    import torch

    from fer_convert.export.network import ProbabilitiesOnly, example_input

    example = example_input(source)
    with torch.no_grad():
        single = torch.jit.trace(  # type: ignore[no-untyped-call]
            ProbabilitiesOnly(traced).eval(), example, check_trace=False
        )
    image = ct.ImageType(
        name=INPUT_NAME,
        shape=tuple(example.shape),
        scale=1.0,  # raw 0..255: the normalisation is in the network
        color_layout=ct.colorlayout.RGB,
    )
    return ct.convert(
        single,
        source="pytorch",
        inputs=[image],
        classifier_config=ct.ClassifierConfig(list(source.labels)),
        skip_model_load=True,  # parity loads it from disk, with the runtimes it names
        **options,
    )


def _describe(model: Any, description: Description) -> None:
    model.author = description.author
    model.license = description.license
    model.version = description.version
    model.short_description = description.summary
    model.input_description[INPUT_NAME] = description.image
    model.output_description[LABEL_OUTPUT] = description.label
    model.output_description[PROBABILITIES_OUTPUT] = description.probabilities
    model.user_defined_metadata[SCHEMA] = description.contract
    model.user_defined_metadata[PREVIEW_KEY] = PREVIEW_TYPE
