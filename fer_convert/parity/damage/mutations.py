"""Known ways to get a model wrong, each of which the parity check must notice.

A check that cannot fail is worth nothing. Pixel mutations are an app's mistakes: they change the
images an artefact is given, while the reference keeps the right ones. Artefact mutations are a
converter's mistakes: they damage a copy of a saved file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from fer_convert.artefact import ArtefactKind
from fer_convert.parity.damage.editing import Editable, open_editable
from fer_convert.parity.fixtures import Fixture, recrop
from fer_train.contract.preprocess import PreprocessSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelMutation:
    """A mistake before the network. ``apply`` returns the fixture as the mistake would show it."""

    what: str
    apply: Callable[[Fixture, PreprocessSpec], Fixture]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtefactMutation:
    """A mistake in the file. ``apply`` changes an opened artefact in place."""

    what: str
    apply: Callable[[Editable, PreprocessSpec], None]


def mutate_artefact(
    kind: ArtefactKind, path: Path, destination: Path, *, name: str, spec: PreprocessSpec
) -> None:
    """Write a damaged copy of an artefact.

    Raises:
        KeyError: no such mutation.
        ArtefactError: the artefact has no dense layer of the kind the mutation needs.
        ValueError: the model leaves nothing to mutate (one std, no temperature).
    """
    editable = open_editable(kind, path)
    ARTEFACT_MUTATIONS[name].apply(editable, spec)
    editable.save(destination)


def _swap_red_and_blue(fixture: Fixture, spec: PreprocessSpec) -> Fixture:
    return replace(fixture, image=np.ascontiguousarray(fixture.image[:, :, ::-1]))


def _normalise_before(fixture: Fixture, spec: PreprocessSpec) -> Fixture:
    normalised = (fixture.image / 255 - np.array(spec.mean)) / np.array(spec.std)
    as_buffer = np.clip(np.rint(255 * normalised), 0, 255).astype(np.uint8)
    return replace(fixture, image=as_buffer)


def _scale_before(fixture: Fixture, spec: PreprocessSpec) -> Fixture:
    return replace(fixture, image=np.rint(fixture.image / 255).astype(np.uint8))


def _crop_without_margin(fixture: Fixture, spec: PreprocessSpec) -> Fixture:
    return recrop(fixture, spec=spec, margin=0.0)


PIXEL_MUTATIONS: Mapping[str, PixelMutation] = MappingProxyType(
    {
        "rgb-bgr": PixelMutation(
            what="the app hands over blue, green, red", apply=_swap_red_and_blue
        ),
        "normalised-before": PixelMutation(
            what="the app normalises, and the network does it again", apply=_normalise_before
        ),
        "scaled-before": PixelMutation(
            what="the app hands over 0 to 1 instead of 0 to 255", apply=_scale_before
        ),
        "crop-margin": PixelMutation(
            what="the app crops the face box without its margin", apply=_crop_without_margin
        ),
    }
)


def _file_rgb_bgr(artefact: Editable, spec: PreprocessSpec) -> None:
    layer = artefact.pixel_layer()
    layer.weight[:] = layer.weight[:, ::-1].copy()


def _file_normalise_twice(artefact: Editable, spec: PreprocessSpec) -> None:
    layer, mean, std = artefact.pixel_layer(), np.array(spec.mean), np.array(spec.std)
    assert layer.bias is not None
    layer.weight /= std[:, None, None, None]
    layer.bias[:] = (layer.bias - mean) / std


def _file_drop_mean(artefact: Editable, spec: PreprocessSpec) -> None:
    layer = artefact.pixel_layer()
    assert layer.bias is not None
    layer.bias[:] = 0


def _file_scalar_std(artefact: Editable, spec: PreprocessSpec) -> None:
    if len(set(spec.std)) == 1:
        raise ValueError("The spec's std is already one number: there is nothing to mutate.")
    layer, std = artefact.pixel_layer(), np.array(spec.std)
    assert layer.bias is not None
    ratio = std / std.mean()
    layer.weight *= ratio[:, None, None, None]
    layer.bias *= ratio


def _file_swap_labels(artefact: Editable, spec: PreprocessSpec) -> None:
    labels = artefact.labels
    labels[0], labels[1] = labels[1], labels[0]


def _file_swap_outputs(artefact: Editable, spec: PreprocessSpec) -> None:
    layer = artefact.head()
    layer.weight[[0, 1]] = layer.weight[[1, 0]]
    if layer.bias is not None:
        layer.bias[[0, 1]] = layer.bias[[1, 0]]


def _file_perturb_weight(artefact: Editable, spec: PreprocessSpec) -> None:
    weight = artefact.stem().weight
    largest = np.unravel_index(np.abs(weight).argmax(), weight.shape)
    weight[largest] *= -1


def _file_transpose_kernel(artefact: Editable, spec: PreprocessSpec) -> None:
    layer = artefact.stem()
    layer.weight[:] = layer.weight.swapaxes(2, 3).copy()


def _file_drop_temperature(artefact: Editable, spec: PreprocessSpec) -> None:
    if not artefact.temperature.size:
        raise ValueError("The model's temperature is 1: there is nothing to mutate.")
    artefact.temperature[:] = 1


def _file_temperature_twice(artefact: Editable, spec: PreprocessSpec) -> None:
    if not artefact.temperature.size:
        raise ValueError("The model's temperature is 1: there is nothing to mutate.")
    artefact.temperature[:] **= 2


ARTEFACT_MUTATIONS: Mapping[str, ArtefactMutation] = MappingProxyType(
    {
        "rgb-bgr": ArtefactMutation(what="the network reads blue, green, red", apply=_file_rgb_bgr),
        "normalised-twice": ArtefactMutation(
            what="mean and std are applied twice", apply=_file_normalise_twice
        ),
        "mean-dropped": ArtefactMutation(what="the mean is not subtracted", apply=_file_drop_mean),
        "scalar-std": ArtefactMutation(
            what="one std for all three channels", apply=_file_scalar_std
        ),
        "labels-swapped": ArtefactMutation(
            what="two class names have changed places", apply=_file_swap_labels
        ),
        "outputs-swapped": ArtefactMutation(
            what="two rows of the last layer have changed places", apply=_file_swap_outputs
        ),
        "weight-perturbed": ArtefactMutation(
            what="one weight of the first layer has the wrong sign", apply=_file_perturb_weight
        ),
        "kernel-transposed": ArtefactMutation(
            what="the first layer's kernels have rows for columns", apply=_file_transpose_kernel
        ),
        "temperature-dropped": ArtefactMutation(
            what="the logits are not divided by the temperature", apply=_file_drop_temperature
        ),
        "temperature-twice": ArtefactMutation(
            what="the logits are divided by the temperature twice", apply=_file_temperature_twice
        ),
    }
)
