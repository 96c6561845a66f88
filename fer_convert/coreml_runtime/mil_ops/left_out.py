"""Operations that the runtime leaves out on purpose."""

from __future__ import annotations

from fer_convert.coreml_runtime.mil_ops.table import MIL

MIL.refuse(
    "random_bernoulli",
    "random_categorical",
    "random_normal",
    "random_uniform",
    reason="random values cannot be compared",
)
MIL.refuse("cond", "const_symbolic", "while_loop", reason="control flow")
MIL.refuse(
    "list_gather",
    "list_length",
    "list_read",
    "list_scatter",
    "list_write",
    "make_list",
    reason="lists",
)
MIL.refuse("gru", "lstm", "rnn", reason="recurrent layers")
MIL.refuse("coreml_update_state", "read_state", reason="stateful models")
MIL.refuse("non_maximum_suppression", reason="detectors are not classifiers")
