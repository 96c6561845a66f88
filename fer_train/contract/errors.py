"""One exception tree for both tools; the exit code is a class attribute.

* FerError                      1   anything the tools report without a traceback
  * TrainingDiverged            3   a loss or gradient is NaN or infinite
  * NotFound                    4   no such file or folder
  * DeviceUnavailable           5   the requested device does not exist here
  * InstallationBroken          6   a library is missing or does not work (`ferconv doctor`)
  * CheckpointError            15   a checkpoint of another format or version, or a missing field
    * CheckpointCorrupt        10   truncated or damaged file, of a checkpoint or of its run
    * CheckpointPickled        11   a pickled module or other code-carrying pickle
    * ArchitectureMismatch     12   the weights belong to another architecture
    * NonFiniteWeights         13   NaN or infinity in the weights
    * LabelMismatch            14   labels that are not the eight emotions, or another order
  * ResumeMismatch             16   last.pt belongs to another configuration
  * DataLayoutError            20   the folder is not a layout we know
    * EmptyClass               21   a class without images
    * UnreadableImage          22   an image that cannot be decoded
    * DataHasFindings          23   `fertrain data check --strict` found something
  * CannotWrite                30   disk full, no permission
    * OutputExists             31   the output exists and was not written by us
  * ParityFailed               40   an artefact is not the trained model
    * ParityNotRun             41   an artefact could not be made or compared at all
  * ConversionFailed           42   the converters refused the network, or one that is required
  * PackageFailed              43   the Swift package does not build, or fails its own tests
  * ArtefactError              50   a saved Core ML or ONNX file is unreadable or hostile
    * UnsupportedOperation     51   the portable runtime lacks an operation

Exit code 2 is click's (wrong usage); 130 and 143 are SIGINT and SIGTERM.
"""

from __future__ import annotations


class FerError(Exception):
    """An error for people: what happened, what was seen, what is allowed, what fixes it.

    ``message`` is one sentence; ``hint`` (optional) is the next command or the allowed values.
    Names from a hostile file may be in it: it is kept short, and nothing in it moves the cursor.
    """

    exit_code: int = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        message = harmless(message)
        super().__init__(message)
        self.message = message
        self.hint = None if hint is None else harmless(hint)

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n  {self.hint}"


_MOST_CHARACTERS = 8000


def harmless(text: str, *, kept: str = "\n") -> str:
    """``text`` of a stranger's file for a terminal: shortened, and escaped where it would move the
    cursor, change the colour or turn the direction of writing.

    Args:
        kept: unprintable characters that may stay.
    """
    if len(text) > _MOST_CHARACTERS:
        half = _MOST_CHARACTERS // 2
        text = f"{text[:half]} … {len(text) - 2 * half} characters … {text[-half:]}"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in kept else ascii(c)[1:-1] for c in text)


class TrainingDiverged(FerError):
    exit_code = 3


class NotFound(FerError):
    exit_code = 4


class DeviceUnavailable(FerError):
    exit_code = 5


class InstallationBroken(FerError):
    exit_code = 6


class CheckpointError(FerError):
    exit_code = 15


class CheckpointCorrupt(CheckpointError):
    exit_code = 10


class CheckpointPickled(CheckpointError):
    exit_code = 11


class ArchitectureMismatch(CheckpointError):
    exit_code = 12


class NonFiniteWeights(CheckpointError):
    exit_code = 13


class LabelMismatch(CheckpointError):
    exit_code = 14


class ResumeMismatch(FerError):
    exit_code = 16


class DataLayoutError(FerError):
    exit_code = 20


class EmptyClass(DataLayoutError):
    exit_code = 21


class UnreadableImage(DataLayoutError):
    exit_code = 22


class DataHasFindings(DataLayoutError):
    exit_code = 23


class CannotWrite(FerError):
    exit_code = 30


class OutputExists(CannotWrite):
    exit_code = 31


class ParityFailed(FerError):
    exit_code = 40


class ParityNotRun(ParityFailed):
    exit_code = 41


class ConversionFailed(FerError):
    exit_code = 42


class PackageFailed(FerError):
    exit_code = 43


class ArtefactError(FerError):
    exit_code = 50


class UnsupportedOperation(ArtefactError):
    exit_code = 51
