"""Any network in memory as a TorchScript program, which is what is looked at and adapted."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from fer_convert.source.form import Form
from fer_train.contract.errors import ConversionFailed
from fer_train.contract.preprocess import PreprocessSpec

if TYPE_CHECKING:
    import torch
    from torch import nn


def trace_in_form(
    file: Path, network: nn.Module, *, form: Form, spec: PreprocessSpec
) -> torch.jit.ScriptModule:
    """Trace a network on one grey image in the form in which it takes it.

    Raises:
        ConversionFailed: torch cannot trace it; the message has torch's words.
    """
    import torch

    example = torch.zeros(form.shape(spec.input_size))
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is constant for one image may be constant
            program: torch.jit.ScriptModule = torch.jit.trace(  # type: ignore[no-untyped-call]
                network, example, check_trace=False, strict=False
            )
    except Exception as error:  # whatever the network's own code raises
        lines = str(error).strip().splitlines()
        raise ConversionFailed(
            f"{file}: torch.jit.trace refuses this network.",
            hint=f"{type(error).__name__}: {lines[0] if lines else 'no message'}",
        ) from error
    return program
