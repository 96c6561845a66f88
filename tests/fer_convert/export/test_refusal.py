"""A library's words become one line that says what it stumbled over."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fer_convert.export.refusal import reason_in_one_line

WORDS: list[tuple[Exception, str]] = [
    (
        NotImplementedError("PyTorch convert function for op 'celu' not implemented."),
        "NotImplementedError: PyTorch convert function for op 'celu' not implemented.",
    ),
    (
        RuntimeError(
            "Unsupported: ONNX export of operator pool, output\nsize that is odd. Please feel free "
            "to request support at https://example.org  [Caused by\n\n    Inputs:\n        Empty"
        ),
        "RuntimeError: Unsupported: ONNX export of operator pool, output size that is odd.",
    ),
    (
        ValueError("shapes (e.g. [1, 2]) differ. Very much."),
        "ValueError: shapes (e.g. [1, 2]) differ.",
    ),
    (AssertionError(), "AssertionError: no message"),
    (KeyError("x"), "KeyError: 'x'"),
]


@pytest.mark.parametrize(("error", "line"), WORDS, ids=lambda value: type(value).__name__)
def test_the_sentence_that_matters(error: Exception, line: str) -> None:
    assert reason_in_one_line(error) == line


def test_a_script_error_is_told_by_its_last_line() -> None:
    @torch.jit.script
    def product(x: Tensor) -> Tensor:
        return torch.matmul(x, torch.ones(2, 2))

    with pytest.raises(RuntimeError) as caught:
        product(torch.ones(2, 2).half())
    line = reason_in_one_line(caught.value)
    assert line.startswith("RuntimeError: expected") and "Traceback" not in line


def test_the_operation_is_taken_from_what_was_printed() -> None:
    printed = "ERROR - converting 'relu' op (located at: 'a'):\nERROR - converting 'unfold' op"
    assert reason_in_one_line(ValueError("bad shape"), printed) == (
        "ValueError: bad shape (at operation 'unfold')"
    )
    named = ValueError("unfold: bad shape")
    assert reason_in_one_line(named, printed) == "ValueError: unfold: bad shape"


def test_long_words_are_shortened() -> None:
    assert len(reason_in_one_line(ValueError("x" * 5000))) == 240
