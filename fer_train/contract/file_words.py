"""One sentence for each kind of file that a command cannot use, and the way out of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from fer_train.contract.errors import (
    ArtefactError,
    CheckpointCorrupt,
    CheckpointError,
    CheckpointPickled,
    FerError,
    NotFound,
)
from fer_train.contract.file_kind import FileKind, file_kind, only_package_inside

#: Who reads: ``ferconv build --checkpoint``, ``fertrain train --weights``, whoever wants a best.pt,
#: whoever wants a saved Core ML model, and one of the files in it.
Reader = Literal["ferconv", "weights", "checkpoint", "coreml", "coreml part"]

_WANTED: Mapping[Reader, str] = {
    "ferconv": "ferconv build takes a best.pt, a state dict (.pt, .pth, safetensors) or a "
    "TorchScript program.",
    "weights": "--weights takes a state dict (.pt, .pth, safetensors) or a best.pt.",
    "checkpoint": "Give the best.pt or last.pt of a run.",
    "coreml": "Give a .mlmodel file or a .mlpackage folder; ferconv build makes both.",
    "coreml part": "Copy the whole package again, or make it again with ferconv build.",
}

#: What lies where another file should be: a download or a checkout that did not happen.
_STAND_INS: frozenset[FileKind] = frozenset({"lfs-pointer", "html"})


#: What a file is, after "FILE is".
_WHAT: Mapping[FileKind, str] = {
    "torch": "a file of PyTorch weights",
    "legacy-torch": "a file of PyTorch weights",
    "torchscript": "a TorchScript program",
    "exported-program": "a program of torch.export (.pt2)",
    "safetensors": "a safetensors file",
    "onnx": "an ONNX model",
    "mlmodel": "a Core ML model (.mlmodel)",
    "mlpackage": "a Core ML package (.mlpackage)",
    "nested-mlpackage": "a folder around a Core ML package",
    "zipped-mlpackage": "a zipped Core ML package",
    "mlmodelc": "a compiled Core ML model (.mlmodelc)",
    "keras": "a Keras model",
    "hdf5": "an HDF5 file, as Keras writes",
    "tensorflow": "a TensorFlow SavedModel",
    "tflite": "a TensorFlow Lite model",
    "numpy": "a file of NumPy arrays",
    "gguf": "a GGUF file, which holds language models",
    "image": "a picture",
    "pickle": "a plain Python pickle (torch.save did not write it)",
    "lfs-pointer": "a Git LFS pointer (a few lines of text in place of the file)",
    "html": "a web page (HTML or XML)",
    "text": "text",
    "zip": "a zip archive of other files",
    "cut-zip": "damaged or truncated: it begins as a zip archive, as PyTorch's files do, and the "
    "archive's end is missing",
    "compressed": "a compressed file",
    "tar": "a tar archive",
    "empty": "empty",
    "folder": "a folder",
    "special": "not a regular file",
    "absent": "not there",
    "unknown": "in no format known here, or damaged",
}

_NOUNS: Mapping[Reader, str] = {
    "coreml": "a Core ML model",
    "coreml part": "part of a Core ML model",
}

_FROM_KERAS = (
    "Convert it where TensorFlow is: coremltools reads Keras, or tf2onnx and onnx2torch lead to "
    "PyTorch."
)
_COMPILED = "What is compiled cannot be read back: give the .mlpackage or .mlmodel it came from."

#: What helps whoever the reader is.
_WAYS: Mapping[FileKind, str] = {
    "mlmodelc": _COMPILED,
    "lfs-pointer": "Fetch what it points to: git lfs install, then git lfs pull in its repository.",
    "html": "It was saved in place of the download, perhaps a page to log in: download the raw "
    "file again, and look at its size.",
    "zip": "Unpack it, and give the file inside.",
    "cut-zip": "Copy or download it again, or use the previous checkpoint of the run (last.pt).",
    "compressed": "Unpack it (gunzip, bunzip2, unxz, 7z x), and give the file inside.",
    "tar": "Unpack it (tar xf), and give the file inside.",
    "empty": "Copy or download it again.",
}

_TO_WEIGHTS = "Save its weights in Python: {save}, then give that file."
_FROM_PICKLE = (
    "If you trust whoever wrote it, which may run any code, save it as weights in Python: "
    "torch.save(pickle.load(open('FILE', 'rb')), 'weights.pt'), then give that file."
)
_FROM_NUMPY = (
    "Make a state dict of it in Python: torch.save({name: torch.from_numpy(array) for name, "
    "array in numpy.load('FILE').items()}, 'weights.pt'), then give that file."
)
_COREML_IS_THE_END = "Core ML is what ferconv makes; give the PyTorch file that it was made from."
_TO_BUILD = "ferconv build accepts it with --labels and --preprocess."
_TO_COREML = "ferconv build --checkpoint FILE makes Core ML models of it."

#: What helps one reader.
_OWN_WAYS: Mapping[Reader, Mapping[FileKind, str]] = {
    "ferconv": {
        "mlmodel": _COREML_IS_THE_END,
        "mlpackage": _COREML_IS_THE_END,
        "nested-mlpackage": _COREML_IS_THE_END,
        "zipped-mlpackage": _COREML_IS_THE_END,
        "keras": _FROM_KERAS,
        "hdf5": _FROM_KERAS,
        "tensorflow": _FROM_KERAS,
        "tflite": _FROM_KERAS,
        "pickle": _FROM_PICKLE,
        "numpy": _FROM_NUMPY,
    },
    "weights": {
        "torchscript": _TO_WEIGHTS.format(
            save="torch.save(torch.jit.load('FILE').state_dict(), 'weights.pt')"
        ),
        "exported-program": _TO_WEIGHTS.format(
            save="torch.save(torch.export.load('FILE').state_dict, 'weights.pt')"
        ),
        "pickle": _FROM_PICKLE,
        "numpy": _FROM_NUMPY,
    },
    "checkpoint": {
        "torchscript": _TO_BUILD,
        "exported-program": _TO_BUILD,
        "onnx": _TO_BUILD,
        "safetensors": "It holds weights alone: fertrain train --weights starts from them, and "
        "ferconv build accepts them with --arch, --labels and --preprocess.",
    },
    "coreml": {
        "torch": _TO_COREML,
        "legacy-torch": _TO_COREML,
        "torchscript": _TO_COREML,
        "exported-program": _TO_COREML,
        "onnx": _TO_COREML,
        "safetensors": _TO_COREML,
        "nested-mlpackage": "Give the package inside: {inside}",
        "zipped-mlpackage": "A package is a folder: unpack it (unzip FILE), and give the "
        ".mlpackage inside.",
    },
    "coreml part": {},
}


def unusable(file: Path, kind: FileKind, *, reader: Reader) -> FerError:
    """Return the error for a file of a kind that the reader cannot use.

    Its class is that of the reader: `ArtefactError` for Core ML, else `CheckpointError`, or below
    it `CheckpointCorrupt` for what is cut short and `CheckpointPickled` for what is code.
    """
    if kind == "absent":
        what = "Core ML model at" if reader == "coreml" else "checkpoint file"
        return NotFound(f"There is no {what} {file}.")
    own = _OWN_WAYS[reader].get(kind)
    way = own or _WAYS.get(kind)
    if way is not None:
        inside = only_package_inside(file) if kind == "nested-mlpackage" else None
        way = way.replace("FILE", str(file)).replace("{inside}", str(inside))
    size = f" ({file.stat().st_size} bytes)" if file.is_file() else ""
    return _class_for(kind, reader)(
        f"{file}{size} is {_WHAT[kind]}{_not_wanted(kind, reader)}.",
        hint=" ".join(text for text in (way, None if own else _WANTED[reader]) if text),
    )


def refuse_stand_in(file: Path) -> None:
    """Refuse a Git LFS pointer or a web page in place of a file of a Core ML model.

    Raises:
        ArtefactError: it is one. OSError: it cannot be opened.
    """
    kind = file_kind(file)
    if kind in _STAND_INS:
        raise unusable(file, kind, reader="coreml part")


def _not_wanted(kind: FileKind, reader: Reader) -> str:
    if kind in ("empty", "cut-zip", "unknown"):
        return ""
    return f", not {_NOUNS.get(reader, 'a checkpoint')}"


def _class_for(kind: FileKind, reader: Reader) -> type[FerError]:
    if reader in _NOUNS:
        return ArtefactError
    if kind in ("empty", "cut-zip", "unknown"):
        return CheckpointCorrupt
    return CheckpointPickled if kind == "pickle" else CheckpointError
