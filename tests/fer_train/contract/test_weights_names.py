"""Names of other times and tools become the architecture's; what is another network stays so."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fer_train.contract.architectures import architecture, build_model, expected_shapes
from fer_train.contract.weights_names import NamedWeights, reconcile, without_head

ARCH = architecture("shufflenet_v2_x0_5")
MOBILE = architecture("mobilenet_v2")  # its Linear is classifier.1, after Dropout

State = dict[str, Tensor]


def state_of(name: str, *, classes: int = 7) -> State:
    torch.manual_seed(0)
    return dict(build_model(name, num_classes=classes).state_dict())


@pytest.fixture(scope="module")
def state() -> State:
    return state_of(ARCH.name)


def backbone(state: State) -> State:
    return {key: value for key, value in state.items() if not key.startswith("fc.")}


def test_right_names_are_left_alone(state: State) -> None:
    named = reconcile(state, ARCH)
    assert named == NamedWeights(state=state, said=())


def test_old_densenet() -> None:
    new = state_of("densenet121")
    old = {}
    for key, value in new.items():
        if "denselayer" in key:
            for layer in ("norm1", "norm2", "conv1", "conv2"):
                key = key.replace(f".{layer}.", f".{layer[:-1]}.{layer[-1]}.")
        if not key.endswith("num_batches_tracked"):
            old[key] = value
    named = reconcile(old, architecture("densenet121"))
    assert named.state.keys() == new.keys()
    assert "old names of DenseNet" in named.said[0]
    assert "121 counters of BatchNorm filled in" in named.said[1]


def test_a_network_inside_a_larger_module(state: State) -> None:
    wrapped = {f"encoder.cnn.{key}": value for key, value in state.items()}
    named = reconcile({**wrapped, "criterion.weight": torch.ones(7)}, ARCH)
    assert named.state.keys() == state.keys()
    assert named.said == (
        "the network is what is under 'encoder.cnn.'",
        "what belongs to the loss and the metrics is left: criterion.weight",
    )


def test_a_head_beside_the_backbone(state: State) -> None:
    parts = {f"trunk.{key}": value for key, value in backbone(state).items()}
    parts |= {"head.weight": state["fc.weight"], "head.bias": state["fc.bias"]}
    named = reconcile(parts, ARCH)
    assert torch.equal(named.state["fc.weight"], state["fc.weight"])
    assert named.state.keys() == state.keys()


@pytest.mark.parametrize("place", ["fc.1", "fc.0", "head", "fc.drop.linear"])
def test_a_head_of_one_linear_is_renamed(place: str, state: State) -> None:
    other = {f"{place}.weight": state["fc.weight"], f"{place}.bias": state["fc.bias"]}
    named = reconcile({**backbone(state), **other}, ARCH)
    assert torch.equal(named.state["fc.bias"], state["fc.bias"])
    assert named.state.keys() == state.keys()
    assert f"'{place}' is taken as 'fc'" in named.said[0]


def test_a_head_at_another_place_of_its_sequential() -> None:
    state = state_of(MOBILE.name)
    moved = {k.replace("classifier.1.", "classifier.3."): v for k, v in state.items()}
    assert reconcile(moved, MOBILE).state.keys() == state.keys()


@pytest.mark.parametrize(
    "head",
    [
        {"fc.0.weight": (512, 1024), "fc.2.weight": (7, 512), "fc.2.bias": (7,)},
        {"fc.0.weight": (1024,), "fc.0.bias": (1024,), "fc.1.weight": (7, 1024)},
        {"fc.1.weight": (7, 1024)},
        {"fc.1.weight": (7, 512), "fc.1.bias": (7,)},
        {"fc.1.weight": (7, 1024, 1, 1), "fc.1.bias": (7,)},
    ],
    ids=["two Linears", "a norm", "no bias", "other features", "a convolution"],
)
def test_another_head_is_not_renamed(head: dict[str, tuple[int, ...]], state: State) -> None:
    other = {key: torch.ones(shape) for key, shape in head.items()}
    given = {**backbone(state), **other}
    assert reconcile(given, ARCH) == NamedWeights(state=given, said=())


def test_auxiliary_heads() -> None:
    expected = expected_shapes("googlenet", num_classes=7)
    state = {key: torch.zeros(shape) for key, shape in expected.items()}
    named = reconcile({**state, "aux1.fc2.bias": torch.ones(7)}, architecture("googlenet"))
    assert named.state.keys() == state.keys()
    assert named.said == ("auxiliary heads are left: aux1.fc2.bias",)


@pytest.mark.parametrize("classes", [7, 1000])
def test_a_foreign_head_is_dropped_by_name(classes: int) -> None:
    named = without_head(reconcile(state_of(ARCH.name, classes=classes), ARCH), ARCH)
    assert named.state.keys() == backbone(state_of(ARCH.name)).keys()
    assert named.said == (f"the head is left: fc.weight [{classes}, 1024], fc.bias [{classes}]",)


def test_heads_of_any_form_are_dropped(state: State) -> None:
    head = {"fc.0.weight": torch.ones(9, 1024), "va_head.2.bias": torch.ones(2)}
    named = without_head(reconcile({**backbone(state), **head}, ARCH), ARCH)
    assert named.state.keys() == backbone(state).keys()
    assert "va_head.2.bias [2]" in named.said[0]
    assert without_head(reconcile(backbone(state), ARCH), ARCH).said == ()


def test_another_network_is_no_head(state: State) -> None:
    given = reconcile({f"features.{key}": value for key, value in list(state.items())[3:]}, ARCH)
    assert without_head(given, ARCH).state == given.state


def test_the_rest_of_a_larger_network_is_no_head() -> None:
    larger = {**state_of("resnet18"), "layer3.5.conv1.weight": torch.ones(1)}
    named = without_head(reconcile(larger, architecture("resnet18")), architecture("resnet18"))
    assert "layer3.5.conv1.weight" in named.state
