"""The alarm goes off: every known mistake is caught in every kind of artefact.

A small network that learned the project's own faces is exported to every format. The unharmed files
pass; each damaged copy, and each wrong way to feed them, must fail.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import nn

from fer_convert.artefact import FILE_NAMES, ArtefactKind, contract_record, contract_text, describe
from fer_convert.export.artefacts import convert_all
from fer_convert.parity.compare import compare_artefact, parity_of_error, run_all
from fer_convert.parity.damage.editing import open_editable
from fer_convert.parity.damage.mutations import ARTEFACT_MUTATIONS, PIXEL_MUTATIONS, mutate_artefact
from fer_convert.parity.fixtures import Fixture, load_fixtures
from fer_convert.parity.result import ArtefactParity, Prediction
from fer_convert.parity.runners import (
    CheckpointRunner,
    ModuleRunner,
    open_runner,
    predict_one,
    softmax,
)
from fer_convert.parity.thresholds import THRESHOLDS
from fer_convert.progress import Progress
from fer_convert.source import load_source
from fer_train.contract.labels import EMOTIONS
from fer_train.contract.network import PixelNormalizer
from fer_train.contract.preprocess import Color, PreprocessSpec
from tests.paths import REPOSITORY

KINDS: tuple[ArtefactKind, ...] = get_args(ArtefactKind)


FIXTURES = REPOSITORY / "fixtures"


@dataclass(frozen=True)
class Built:
    """One exported network with all that a comparison needs."""

    folder: Path
    spec: PreprocessSpec
    contract: dict[str, Any]
    images: list[Fixture]
    reference: list[Prediction]
    half: list[Prediction]

    def path(self, kind: ArtefactKind) -> Path:
        return self.folder / FILE_NAMES[kind]

    def judge(
        self, kind: ArtefactKind, path: Path, *, images: Sequence[Fixture] | None = None
    ) -> ArtefactParity:
        try:
            runner = open_runner(kind, path)
        except Exception as error:
            return parity_of_error(kind, error, runtime="could not be opened")
        return compare_artefact(
            kind,
            reference=self.reference,
            half=self.half,
            runner=runner,
            images=images or self.images,
            thresholds=THRESHOLDS[kind],
            contract=self.contract,
        )


@pytest.fixture(scope="module")
def gray(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tmp_path_factory.mktemp("gray"), color="gray", kinds=KINDS, temperature=1.25)


@pytest.fixture(scope="module")
def rgb(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tmp_path_factory.mktemp("rgb"), color="rgb", kinds=("torchscript",))


def build(
    folder: Path,
    *,
    color: Color,
    kinds: tuple[ArtefactKind, ...],
    temperature: float = 1.0,
) -> Built:
    spec = PreprocessSpec(input_size=32, color=color)
    every = load_fixtures(FIXTURES, spec=spec)
    script = folder / "network.pt"
    traced = torch.jit.trace(trained(every, spec=spec), torch.zeros(1, 3, 32, 32))
    torch.jit.save(traced, str(script))
    source = replace(
        load_source(script, labels="affectnet-folders", preprocess=json.dumps(spec.to_dict())),
        temperature=temperature,
    )
    contract = contract_record(source, demo=True)
    about = describe(
        source,
        contract=contract_text(contract),
        author="",
        license="MIT",
        version="1",
        demo=True,
    )
    convert_all(
        source,
        folder,
        kinds=kinds,
        description=about,
        storage="dense",
        progress=Progress(quiet=True),
    )
    checkpoint_runner, half_runner = CheckpointRunner(source), ModuleRunner(source, half=True)
    return Built(
        folder=folder,
        spec=spec,
        contract=contract,
        images=every,
        reference=run_all(checkpoint_runner, every)[0],
        half=run_all(half_runner, every)[0],
    )


def trained(fixtures: list[Fixture], *, spec: PreprocessSpec) -> nn.Module:
    """A small network that knows the project's own faces by heart, normalised pixels -> logits."""
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU()),
        *(nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.BatchNorm2d(64), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, len(EMOTIONS))),
    )
    faces = [image for image in fixtures if image.label is not None and image.kind == "face"]
    stacked = torch.from_numpy(np.stack([face.image for face in faces]))
    pixels = PixelNormalizer(spec)(stacked.permute(0, 3, 1, 2).float()).detach()
    targets = torch.tensor([EMOTIONS.index(str(face.label)) for face in faces])
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(100):
        loss = nn.functional.cross_entropy(model(pixels), targets, label_smoothing=0.1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()
    with torch.no_grad():
        assert (model(pixels).argmax(1) == targets).float().mean() > 0.8
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_an_unharmed_artefact_passes(gray: Built, kind: ArtefactKind) -> None:
    parity = gray.judge(kind, gray.path(kind))
    assert parity.verdict == "PASS", parity.reasons


@pytest.mark.parametrize("kind", KINDS)
def test_saving_without_a_change_changes_nothing(
    gray: Built, kind: ArtefactKind, tmp_path: Path
) -> None:
    copy = tmp_path / FILE_NAMES[kind]
    open_editable(kind, gray.path(kind)).save(copy)
    first, second = gray.judge(kind, gray.path(kind)), gray.judge(kind, copy)
    assert second.verdict == "PASS", second.reasons
    assert [m.max_abs_dp for m in first.measures] == [m.max_abs_dp for m in second.measures]


@pytest.mark.parametrize("name", ARTEFACT_MUTATIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_artefact_is_caught(
    gray: Built, kind: ArtefactKind, name: str, tmp_path: Path
) -> None:
    copy = tmp_path / FILE_NAMES[kind]
    mutate_artefact(kind, gray.path(kind), copy, name=name, spec=gray.spec)
    parity = gray.judge(kind, copy)
    assert parity.verdict == "FAIL"
    caught_by = {check.name for check in parity.checks if check.verdict == "FAIL"}
    # By its answers, not because the copy could not be opened.
    assert caught_by & {"probabilities", "same-network"}, parity.reasons


@pytest.mark.parametrize("name", PIXEL_MUTATIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_wrong_pixels_are_caught(gray: Built, kind: ArtefactKind, name: str) -> None:
    wrong = [PIXEL_MUTATIONS[name].apply(image, gray.spec) for image in gray.images]
    parity = gray.judge(kind, gray.path(kind), images=wrong)
    assert parity.verdict == "FAIL", parity.max_abs_dp


@pytest.mark.parametrize("name", PIXEL_MUTATIONS)
def test_wrong_pixels_are_caught_in_a_colour_network(rgb: Built, name: str) -> None:
    assert rgb.judge("torchscript", rgb.path("torchscript")).verdict == "PASS"
    wrong = [PIXEL_MUTATIONS[name].apply(image, rgb.spec) for image in rgb.images]
    assert rgb.judge("torchscript", rgb.path("torchscript"), images=wrong).verdict == "FAIL"


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_artefact_is_a_failure_and_not_a_crash(
    gray: Built, kind: ArtefactKind, tmp_path: Path
) -> None:
    content = gray.path(kind)
    if content.is_dir():
        content = content / "Data/com.apple.CoreML/model.mlmodel"
    damaged = tmp_path / content.name
    damaged.write_bytes(content.read_bytes()[:-1000])
    assert gray.judge(kind, damaged).verdict == "FAIL"


def test_a_spec_with_one_std_has_no_scalar_std_to_confuse(gray: Built, tmp_path: Path) -> None:
    one = PreprocessSpec(input_size=32, std=(0.25, 0.25, 0.25))
    with pytest.raises(ValueError, match="nothing to mutate"):
        mutate_artefact(
            "torchscript",
            gray.path("torchscript"),
            tmp_path / "copy.pt",
            name="scalar-std",
            spec=one,
        )


def test_only_a_calibrated_artefact_divides_its_logits(
    gray: Built, rgb: Built, tmp_path: Path
) -> None:
    for kind in KINDS:
        divisor = open_editable(kind, gray.path(kind)).temperature
        assert divisor.tolist() == pytest.approx([1.25], rel=1e-3), kind
    assert open_editable("torchscript", rgb.path("torchscript")).temperature.size == 0
    for name in ("temperature-dropped", "temperature-twice"):
        with pytest.raises(ValueError, match="nothing to mutate"):
            mutate_artefact(
                "torchscript",
                rgb.path("torchscript"),
                tmp_path / "copy.pt",
                name=name,
                spec=rgb.spec,
            )


def test_the_contract_names_the_temperature(gray: Built) -> None:
    """An artefact of another temperature is refused by what it says, too."""
    other = replace(gray, contract={**gray.contract, "temperature": 1.0})
    for kind in KINDS:
        parity = other.judge(kind, gray.path(kind))
        assert parity.reasons == (
            "The artefact's contract differs: temperature is 1.25, expected 1.0.",
        )


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_the_probabilities(gray: Built, kind: ArtefactKind) -> None:
    """Scaled in every artefact, so that their softmax gives the probabilities."""
    runner = open_runner(kind, gray.path(kind))
    seen = predict_one(runner, gray.images[0].image)
    slack = 2e-3 if kind == "mlpackage-fp16" else 1e-6
    np.testing.assert_allclose(softmax(seen.logits), seen.probabilities, atol=slack)
    np.testing.assert_allclose(
        softmax(gray.reference[0].logits), gray.reference[0].probabilities, atol=1e-12
    )
