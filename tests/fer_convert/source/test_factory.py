"""Networks that a Python function of the user's builds, from the folder the command runs in."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from fer_convert.source import load_source
from fer_convert.source.factory import is_factory
from fer_train.contract.errors import ArchitectureMismatch, LabelMismatch, NonFiniteWeights

LABELS = "neutral,happiness,anger"
PIXELS = json.dumps({"input_size": 32, "color": "gray", "scale": "0..1", "crop_margin": 0})

MODULE = """
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes=3, channels=1):
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(channels, 4, 3),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, num_classes),
        )

    def forward(self, x):
        return self.model(x).softmax(dim=1)

def keywords(**options):
    assert options == {"num_classes": 3}
    return Net(**options)

def fixed():
    return Net()

def late():
    import helper_of_net
    return helper_of_net.build()

weights = {}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "net_of_user.py").write_text(MODULE)
    (tmp_path / "helper_of_net.py").write_text("from net_of_user import fixed as build\n")
    (tmp_path / "script_of_user.py").write_text(
        "import argparse\nargparse.ArgumentParser().exit(2)\n"
    )
    (tmp_path / "needs_more.py").write_text("import library_that_is_not_here\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("net_of_user", "helper_of_net"):
        sys.modules.pop(name, None)


def saved(project: Path, **changed: torch.Tensor) -> tuple[nn.Module, Path]:
    sys.path.insert(0, str(project))
    try:
        from net_of_user import Net  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(project))
    torch.manual_seed(0)
    network: nn.Module = Net().eval()
    torch.save({**network.state_dict(), **changed}, project / "weights.pt")
    return network, project / "weights.pt"


def load(file: Path, arch: str, labels: str = LABELS) -> nn.Module:
    return load_source(file, arch=arch, labels=labels, preprocess=PIXELS).network


@pytest.mark.parametrize("function", ["Net", "keywords", "fixed", "late"])
def test_the_network_is_the_users(project: Path, function: str) -> None:
    """One grey channel and a softmax inside are put right, as for any other program."""
    theirs, file = saved(project)
    path = list(sys.path)
    ours = load(file, f"net_of_user:{function}")
    assert sys.path == path
    x = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        seen = ours(x.expand(1, 3, 32, 32)).softmax(dim=1)
        torch.testing.assert_close(seen, theirs(x))


def test_names_that_look_like_a_wrappers_are_kept(project: Path) -> None:
    _, file = saved(project)
    source = load_source(file, arch="net_of_user:Net", labels=LABELS, preprocess=PIXELS)
    assert any("'model.' is part of the network's own names" in note for note in source.notes)
    assert source.architecture == "net_of_user:Net"


@pytest.mark.parametrize(
    ("arch", "says"),
    [
        ("script_of_user:build", "cannot be imported: SystemExit"),
        ("needs_more:build", "No module named 'library_that_is_not_here'"),
        ("net_of_user.models:build", "there is no Python module 'net_of_user.models'"),
        ("net_of_user:weights", "is a dict, not a function"),
        ("net_of_user:Net.build", "Net has no 'build'"),
    ],
)
def test_code_that_does_not_build(project: Path, arch: str, says: str) -> None:
    _, file = saved(project)
    with pytest.raises(ArchitectureMismatch) as caught:
        load(file, arch)
    assert says in str(caught.value)


def test_weights_that_do_not_fit(project: Path) -> None:
    _, file = saved(project, **{"model.3.bias": torch.full((3,), torch.nan)})
    with pytest.raises(NonFiniteWeights):
        load(file, "net_of_user:Net")
    _, file = saved(project, **{"model.0.bias": torch.ones(5)})
    with pytest.raises(ArchitectureMismatch, match="the network that net_of_user:Net returns"):
        load(file, "net_of_user:Net")
    _, file = saved(project)
    with pytest.raises(LabelMismatch, match="3 outputs but --labels names 2"):
        load(file, "net_of_user:fixed", labels="neutral,happiness")


@pytest.mark.parametrize("name", ["package.module:build", "net:Net", "net:Net.build"])
def test_what_is_a_factory(name: str) -> None:
    assert is_factory(name)


@pytest.mark.parametrize("name", ["resnet18", "timm/x:y", "hf-hub:a/b", "net:", ":build", "a b:c"])
def test_what_is_none(name: str) -> None:
    assert not is_factory(name)
