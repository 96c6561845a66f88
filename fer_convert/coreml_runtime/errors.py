"""Errors of the portable runtime, below the project's own tree.

* ArtefactError            50   the file is damaged, hostile or not a Core ML model
  * ExecutionFailed        50   an operation could not be carried out on the values it was given
  * RefusedInput           50   the model was fed something its declaration does not allow
  * UnsupportedOperation   51   the runtime has no function for an operation, layer or option
"""

from __future__ import annotations

from fer_train.contract.errors import ArtefactError, NotFound, UnsupportedOperation

__all__ = [
    "ArtefactError",
    "ExecutionFailed",
    "NotFound",
    "RefusedInput",
    "UnsupportedOperation",
]


class ExecutionFailed(ArtefactError):
    """Operands do not fit each other, or a result is not what the file declares."""


class RefusedInput(ArtefactError):
    """The caller's input has another size, mode, type or name than the model declares."""
