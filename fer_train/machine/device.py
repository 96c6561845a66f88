"""Which device trains, and every rule that Apple's MPS backend needs, in this one place.

* Operations MPS lacks fall back to the CPU only if ``PYTORCH_ENABLE_MPS_FALLBACK`` is in the
  environment before torch is imported: `prepare_environment`, first thing in ``cli``.
* Asynchronous CPU -> MPS copies can deliver wrong values (pytorch#139550), and pinned memory is not
  for MPS (pytorch#86060): `to_device` is asynchronous on CUDA only.
* MPS has no float64 (pytorch#79019): `to_device` casts before it copies.
* Channels-last BatchNorm backward was badly wrong on MPS (pytorch#175189): `memory_format` is
  contiguous NCHW there. No torch.compile, no half-precision training (pytorch#150121, #142397).
* Metrics and random draws live on the CPU (`metrics`, `seeds`): MPS generators were restored
  wrongly (pytorch#130613) and ``bincount`` is incomplete there.
"""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING, Literal

from fer_train.contract.errors import DeviceUnavailable
from fer_train.contract.threads import limit_spinning

if TYPE_CHECKING:
    import torch
    from torch import Tensor


DeviceName = Literal["auto", "mps", "cuda", "cpu"]


Precision = Literal["auto", "fp32", "bf16"]


def prepare_environment() -> None:
    """Set what torch reads from the environment; call before importing torch.

    Waiting CPU threads do not spin for long; on Apple silicon, MPS falls back to the CPU for
    operations it lacks. Values the user has set stay.
    """
    limit_spinning()
    if sys.platform == "darwin" and platform.machine() == "arm64":
        os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")


def select_device(name: DeviceName) -> torch.device:
    """Return the device called ``name``; ``auto`` prefers CUDA, then MPS, then the CPU.

    Raises:
        DeviceUnavailable: the device does not exist here, or several processes want MPS.
    """
    import torch

    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    chosen = next(kind for kind, here in available.items() if here) if name == "auto" else name
    if chosen == "mps" and processes > 1:
        raise DeviceUnavailable(
            f"WORLD_SIZE is {processes}, but MPS has no distributed training.",
            hint="Start fertrain without torchrun, or use --device cpu.",
        )
    if not available[chosen]:
        here = ", ".join(kind for kind, present in available.items() if present)
        reason = (
            "MPS exists only on Macs with macOS 12.3 or later."
            if name == "mps"
            else "No CUDA device is visible to this PyTorch."
        )
        raise DeviceUnavailable(
            f"The device {name} is not available: {reason}",
            hint=f"Available here: {here}. --device auto picks the best.",
        )
    if chosen == "cuda" and processes > 1:
        # Set before anything is allocated: NCCL communicates on the current device.
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device(chosen)


def choose_bf16(precision: Precision, device: torch.device) -> bool:
    """Tell whether the network runs in bfloat16: ``auto`` does on CUDA devices that have it.

    Raises:
        DeviceUnavailable: asked for on MPS, where half-precision training is not reliable.
    """
    import torch

    if precision == "bf16" and device.type == "mps":
        raise DeviceUnavailable(
            "--precision bf16 does not work on MPS.", hint="Use --precision fp32 or auto."
        )
    if precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported()
    return precision == "bf16"


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a CPU tensor to ``device``; float64 becomes float32 first."""
    import torch

    if tensor.dtype == torch.float64:
        tensor = tensor.to(torch.float32)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def memory_format(device: torch.device) -> torch.memory_format:
    """Return the layout of images and weights: channels last on the CPU, contiguous elsewhere.

    On the CPU a training step of efficientnet_b0 (batch 64, 48 px) takes 0.45 s of processor time
    channels last and 1.05 s contiguous.
    """
    import torch

    return torch.channels_last if device.type == "cpu" else torch.contiguous_format


def default_workers() -> int:
    """Return how many threads decode images when the user does not say."""
    return min(os.cpu_count() or 1, 8)
