"""``ferconv`` starts from any torchvision network that fertrain trains, not only the six."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision

from fer_convert.source import load_source
from fer_train.contract.architectures import architecture, build_model
from fer_train.contract.checkpoint import Checkpoint, write_checkpoint
from fer_train.contract.labels import EMOTIONS
from fer_train.contract.preprocess import PreprocessSpec
from fer_train.learning.weights import load_starting_weights, read_starting_weights


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "shufflenet_v2_x0_5", "googlenet"])
def test_a_checkpoint_of_another_family_is_the_trained_network(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build_model(name, num_classes=8).eval()
    write_checkpoint(
        tmp_path / "best.pt",
        Checkpoint(
            arch=name,
            labels=EMOTIONS,
            preprocess=PreprocessSpec(input_size=64),
            model=model.state_dict(),
        ),
    )
    source = load_source(tmp_path / "best.pt")
    assert source.architecture == name
    pixels = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(source.network(pixels), model(pixels))


def test_auxiliary_classifiers_of_a_pretrained_file_are_left_out(tmp_path: Path) -> None:
    """torchvision's GoogLeNet file holds two of them, which only training from scratch uses."""
    torch.manual_seed(0)
    theirs = torchvision.models.googlenet(init_weights=False, aux_logits=True)
    torch.save(theirs.state_dict(), tmp_path / "googlenet.pth")
    assert any(key.startswith("aux1.") for key in theirs.state_dict())
    model = build_model("googlenet", num_classes=8)
    arch = architecture("googlenet")
    source = str(tmp_path / "googlenet.pth")
    weights = read_starting_weights(arch, source=source, say=lambda text: None)
    load_starting_weights(model, arch, weights=weights, labels=EMOTIONS, say=lambda text: None)
    key = "inception5b.branch1.conv.weight"
    assert torch.equal(model.state_dict()[key], theirs.state_dict()[key])
