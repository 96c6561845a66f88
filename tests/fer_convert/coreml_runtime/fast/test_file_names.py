"""Where an operation is written: in files of one name, so that the second is found by the first."""

from __future__ import annotations

from fer_convert.coreml_runtime.fast.mil import MIL as FAST
from fer_convert.coreml_runtime.reference.mil import MIL as REFERENCE


def test_an_operation_lies_in_a_file_of_the_same_name_in_both_engines() -> None:
    reference = {name: function.__module__ for name, function in REFERENCE.functions.items()}
    fast = {name: FAST.place(name) for name in FAST}
    assert fast.keys() <= reference.keys()
    apart = {
        name: (module, reference[name])
        for name, module in fast.items()
        if module.rpartition(".")[2] != reference[name].rpartition(".")[2]
    }
    assert not apart
