"""What an artefact says about itself to a person: Xcode's metadata pane, Netron's sidebar."""

from __future__ import annotations

from dataclasses import dataclass

from fer_convert.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """Human-readable metadata, the same in every format.

    Attributes:
        contract: the ``emotionkit.contract`` JSON string.
        summary: one paragraph.
        image: what the input is.
        label: what the label output is.
        probabilities: what the probabilities output is.
    """

    contract: str
    author: str
    license: str
    version: str
    summary: str
    image: str
    label: str
    probabilities: str


def describe(
    source: Source, *, contract: str, author: str, license: str, version: str, demo: bool
) -> Description:
    """Compose the metadata of a model."""
    spec = source.preprocess
    side = spec.input_size
    colour = "It is converted to greyscale inside" if spec.color == "gray" else "Colour is used"
    calibrated = (
        ""
        if source.temperature == 1.0
        else f" Probabilities are calibrated inside, too (temperature {source.temperature:.4g})."
    )
    warning = " DEMONSTRATION: trained on drawn faces, not on people." if demo else ""
    return Description(
        contract=contract,
        author=author,
        license=license,
        version=version,
        summary=(
            f"Facial expression classifier ({source.architecture}, {len(source.labels)} classes). "
            f"Normalisation is inside the model: give it plain pixels."
            f"{calibrated}{warning}"
        ),
        image=(
            f"One face, {side} x {side} RGB: a square of {1 + spec.crop_margin:g} times the longer "
            f"side of the face box, resized bilinearly. {colour} the model."
        ),
        label="The most probable expression.",
        probabilities=f"Probability of each of: {', '.join(source.labels)}.",
    )
