"""A frozen backbone made faster: BatchNorm folded away, the rest fused by oneDNN on the CPU."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, fx, nn
from torch.fx.experimental.optimization import fuse

from fer_train.contract.architectures import Architecture
from fer_train.machine.device import memory_format

#: TorchScript profiles its first call, compiles in the second and is itself from the third on.
_CALLS_TO_COMPILE = 3


#: Largest difference of fused features, as a share of the largest. Far above rounding (1e-3 in
#: resnet152 with random weights), so that which way is taken never depends on the images.
_AGREEMENT = 1e-2


class FrozenBackbone:
    """What the head receives, ``[N, C]``, through a faster copy; the same but for rounding.

    BatchNorm is folded into the convolution before it (Jacob et al. 2018). On the CPU and in
    float32, batches of ``batch`` images then run as oneDNN's fused graphs: at 48 px efficientnet_b0
    is 2.1 times as fast, resnet152 1.5 times. Other batches, and processors or networks that
    this does not work on, run folded only; networks that ``torch.fx`` cannot trace run as they are.

    The copy is made at the first call and again when the network's weights have changed, so it
    cannot fall behind a pruning or a loaded checkpoint. It takes two to three times the memory of
    the network.
    Which way a batch takes depends on its shape alone, so that a resumed run repeats every bit.
    """

    def __init__(self, model: nn.Module, arch: Architecture, *, batch: int) -> None:
        self.model = model
        self.arch = arch
        self.batch = batch
        self.folded: nn.Module | None = None
        self.fused: nn.Module | None = None
        self.fused_for: torch.Size | None = None
        self.made_from: list[tuple[int, int]] = []

    def __call__(self, images: Tensor) -> Tensor:
        """Return the features of normalised images ``[N, 3, S, S]``, without a graph."""
        with torch.no_grad():
            state = self._state()
            if self.folded is None or state != self.made_from:
                self.folded, self.made_from = self._fold(images.device), state
                self.fused_for = None
            if len(images) != self.batch or images.device.type != "cpu" or _autocasting():
                return self._features(self.folded, images)
            if images.shape != self.fused_for:
                self.fused, self.fused_for = fused(self.folded, images), images.shape
            return self._features(self.fused or self.folded, images)

    @staticmethod
    def _features(network: nn.Module, images: Tensor) -> Tensor:
        rows: Tensor = network(images)
        return rows

    def _state(self) -> list[tuple[int, int]]:
        """Tell one set of backbone weights from another: every in-place change counts up."""
        head = set(self.model.get_submodule(self.arch.linear).parameters())
        tensors = [p for p in self.model.parameters() if p not in head]
        return [(t.data_ptr(), t._version) for t in (*tensors, *self.model.buffers())]

    def _fold(self, device: torch.device) -> nn.Module:
        network = copy.deepcopy(self.model).eval().requires_grad_(False)
        parent, _, leaf = self.arch.linear.rpartition(".")
        setattr(network.get_submodule(parent), leaf, nn.Identity())
        try:
            folded: nn.Module = fuse(network, inplace=True)
        except fx.proxy.TraceError:
            return network
        # Folding makes new weights, in the default layout.
        return folded.to(memory_format=memory_format(device))  # type: ignore[call-overload, no-any-return]


def fused(network: nn.Module, images: Tensor) -> nn.Module | None:
    """Return ``network`` compiled by oneDNN Graph for images of this shape, or None.

    None where it cannot be: a network whose control flow is no graph, a PyTorch without oneDNN, or
    a result that is not the network's.
    """
    if not isinstance(network, fx.GraphModule):
        return None
    expected = network(images)
    try:
        with _onednn_fusion():
            compiled: nn.Module = torch.jit.freeze(
                torch.jit.trace(network, images, check_trace=False)  # type: ignore[no-untyped-call]
            )
            for _ in range(_CALLS_TO_COMPILE):
                made = compiled(images)
    except (RuntimeError, AttributeError):
        return None
    allowed = _AGREEMENT * float(expected.abs().max())
    return compiled if torch.allclose(made, expected, rtol=0, atol=allowed) else None


@contextmanager
def _onednn_fusion() -> Iterator[None]:
    """Let TorchScript fuse by oneDNN what it compiles meanwhile; it stays fused afterwards."""
    before = torch.jit.onednn_fusion_enabled()  # type: ignore[no-untyped-call]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is called deprecated; nothing replaces this
        torch.jit.enable_onednn_fusion(True)
        try:
            yield
        finally:
            torch.jit.enable_onednn_fusion(before)


def _autocasting() -> bool:
    return torch.is_autocast_enabled("cpu")
