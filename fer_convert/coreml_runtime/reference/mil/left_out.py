"""Operations that the runtime leaves out on purpose."""

from __future__ import annotations

from fer_convert.coreml_runtime.reference.operations import Table

OPERATIONS = Table()

OPERATIONS.refuse(
    "random_bernoulli",
    "random_categorical",
    "random_normal",
    "random_uniform",
    reason="random values cannot be compared",
)


OPERATIONS.refuse("cond", "const_symbolic", "while_loop", reason="control flow")


OPERATIONS.refuse(
    "list_gather",
    "list_length",
    "list_read",
    "list_scatter",
    "list_write",
    "make_list",
    reason="lists",
)


OPERATIONS.refuse("gru", "lstm", "rnn", reason="recurrent layers")


OPERATIONS.refuse("coreml_update_state", "read_state", reason="stateful models")


OPERATIONS.refuse("non_maximum_suppression", reason="detectors are not classifiers")
