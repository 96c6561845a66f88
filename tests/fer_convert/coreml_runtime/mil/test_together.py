"""Many inputs at once are answered as each of them alone, whatever the operation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_convert.coreml_runtime.errors import ArtefactError
from tests.fer_convert.coreml_runtime.mil.every_operation import EXAMPLES, Values
from tests.fer_convert.coreml_runtime.one_operation import mil_program

#: Whose functions look into the numbers: how many there are, where to begin, whether any is odd.
LOOKING = {
    *("fill", "non_zero", "pad", "pow", "range_1d", "reverse_sequence", "select"),
    *("slice_by_index", "slice_by_size", "split", "tile"),
}


@pytest.mark.parametrize("operation", list(EXAMPLES))
def test_together_as_alone(operation: str) -> None:
    compared = 0
    for make in EXAMPLES[operation]:
        arguments, outputs = make(Values(1))
        program, feeds = mil_program(operation, arguments, outputs=outputs)
        several = [feeds, in_reverse(feeds), feeds]
        try:
            alone = [program.run(one) for one in several]
        except ArtefactError:  # reversed numbers may be no indices
            several = [feeds, feeds]
            try:
                alone = [program.run(one) for one in several]
            except ArtefactError:
                with pytest.raises(ArtefactError):
                    program.run_many(several)
                continue
        compared += 1
        for together, expected in zip(program.run_many(several), alone, strict=True):
            assert together.keys() == expected.keys()
            for name, array in expected.items():
                assert together[name].dtype == array.dtype
                np.testing.assert_allclose(together[name], array, rtol=1e-5, atol=1e-6)
        assert program._lifts or operation in LOOKING
    assert compared


def in_reverse(feeds: dict[str, Any]) -> dict[str, Any]:
    """The same numbers in another order."""
    return {
        name: array.reshape(-1)[::-1].reshape(array.shape).copy() for name, array in feeds.items()
    }
