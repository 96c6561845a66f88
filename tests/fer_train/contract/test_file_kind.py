"""A file is what its content says, whatever it is called."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from safetensors.torch import save
from torch import nn

from fer_convert.coreml_runtime.read.proto import proto_module
from fer_train.contract.file_kind import FileKind, file_kind, only_package_inside

NET = nn.Linear(2, 2)


def saved(value: object, **options: bool) -> bytes:
    content = io.BytesIO()
    torch.save(value, content, **options)
    return content.getvalue()


def script() -> bytes:
    content = io.BytesIO()
    torch.jit.save(torch.jit.trace(NET, torch.zeros(1, 2)), content)  # type: ignore[no-untyped-call]
    return content.getvalue()


def program() -> bytes:
    content = io.BytesIO()
    torch.export.save(torch.export.export(NET, (torch.zeros(1, 2),)), content)
    return content.getvalue()


def graph(**options: object) -> bytes:
    one = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    nodes = [onnx.helper.make_node("Relu", ["x"], ["y"])]
    made = onnx.helper.make_graph(nodes, "net", [one], [])
    return onnx.helper.make_model(made, **options).SerializeToString()


def coreml(kind: str) -> bytes:
    spec = proto_module("Model_pb2").Model(specificationVersion=7)
    spec.description.metadata.author = "somebody"
    getattr(spec, kind).SetInParent()
    return spec.SerializeToString()


def archive(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as opened:
        for name in names:
            opened.writestr(name, "x")
    return content.getvalue()


def arrays() -> bytes:
    content = io.BytesIO()
    np.savez(content, a=np.zeros(2))
    return content.getvalue()


def tar() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as opened:
        opened.addfile(tarfile.TarInfo("weights.pt"), io.BytesIO())
    return content.getvalue()


def picture(kind: str) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (2, 2)).save(content, kind)
    return content.getvalue()


FILES: dict[str, tuple[Callable[[], bytes], FileKind]] = {
    "torch": (lambda: saved(NET.state_dict()), "torch"),
    "torch, legacy": (
        lambda: saved(NET.state_dict(), _use_new_zipfile_serialization=False),
        "legacy-torch",
    ),
    "torchscript": (script, "torchscript"),
    "exported program": (program, "exported-program"),
    "exported program, PyTorch 2.8": (
        lambda: archive("net/archive_format", "net/models/model.json", "net/data/weights/0"),
        "exported-program",
    ),
    "safetensors": (lambda: save({"a": torch.zeros(2)}), "safetensors"),
    "onnx": (graph, "onnx"),
    "onnx with a domain": (lambda: graph(domain="there", producer_name="me"), "onnx"),
    "neural network": (lambda: coreml("neuralNetwork"), "mlmodel"),
    "ML program": (lambda: coreml("mlProgram"), "mlmodel"),
    "pipeline": (lambda: coreml("pipelineClassifier"), "mlmodel"),
    "zipped package": (lambda: archive("a.mlpackage/Manifest.json"), "zipped-mlpackage"),
    "keras": (lambda: archive("config.json", "model.weights.h5"), "keras"),
    "hdf5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(40), "hdf5"),
    "tflite": (lambda: b"\x1c\0\0\0TFL3" + bytes(40), "tflite"),
    "npz": (arrays, "numpy"),
    "pickle": (lambda: pickle.dumps({"a": 1}), "pickle"),
    "old pickle": (lambda: pickle.dumps({"a": 1}, protocol=2), "pickle"),
    "pointer": (lambda: b"version https://git-lfs.example/spec/v1\noid sha256:0\n", "lfs-pointer"),
    "page": (lambda: b"\n <!doctype html><html>", "html"),
    "answer of a server": (lambda: b'<?xml version="1.0"?><Error/>', "html"),
    "json": (lambda: b'{"error": "not found"}', "text"),
    "text cut in a letter": (lambda: ("ä" * 3000).encode()[:4097], "text"),
    "zip": (lambda: archive("weights.pt", "log.txt"), "zip"),
    "half a zip": (lambda: saved(NET.state_dict())[:500], "cut-zip"),
    "gzip": (lambda: gzip.compress(saved(NET.state_dict())), "compressed"),
    "tar": (tar, "tar"),
    "png": (lambda: picture("PNG"), "image"),
    "jpeg": (lambda: picture("JPEG"), "image"),
    "nothing": (lambda: b"", "empty"),
    "noise": (lambda: np.random.default_rng(0).bytes(5000), "unknown"),
    "zeros": (lambda: bytes(5000), "unknown"),
    "one byte": (lambda: b"\x08", "unknown"),
    "varint without end": (lambda: b"\x08" + b"\xff" * 30, "unknown"),
}


@pytest.mark.parametrize(("content", "kind"), FILES.values(), ids=FILES.keys())
def test_a_file(content: Callable[[], bytes], kind: FileKind, tmp_path: Path) -> None:
    for name in ("weights.pt", "model.mlmodel"):
        (tmp_path / name).write_bytes(content())
        assert file_kind(tmp_path / name) == kind


def test_a_large_graph_is_leapt_over(tmp_path: Path) -> None:
    """What follows a graph of any size is read, too: a field of another message speaks against."""
    file = tmp_path / "m"
    body = b"\x08\x08" + b"\x3a\x80\x80\x04" + bytes(1 << 16)
    file.write_bytes(body + b"\x42\x00")  # opset_import
    assert file_kind(file) == "onnx"
    file.write_bytes(body + b"\xfa\x01\x00")  # field 31, which ONNX has not
    assert file_kind(file) == "unknown"


def test_folders(tmp_path: Path) -> None:
    package = tmp_path / "download" / "a.mlpackage"
    package.mkdir(parents=True)
    assert file_kind(tmp_path / "download") == "folder"
    (package / "Manifest.json").write_text("{}")
    assert file_kind(package) == "mlpackage"
    assert file_kind(tmp_path / "download") == "nested-mlpackage"
    assert only_package_inside(tmp_path / "download") == package
    other = tmp_path / "download" / "b.mlpackage"
    other.mkdir()
    (other / "Manifest.json").write_text("{}")
    assert file_kind(tmp_path / "download") == "folder"  # which of the two?
    (tmp_path / "coremldata.bin").write_bytes(b"x")
    assert file_kind(tmp_path) == "mlmodelc"
    (other / "Manifest.json").unlink()
    (other / "saved_model.pb").write_bytes(b"x")
    assert file_kind(other) == "tensorflow"


def test_neither_file_nor_folder(tmp_path: Path) -> None:
    assert file_kind(tmp_path / "nothing") == "absent"
    os.mkfifo(tmp_path / "pipe")  # reading it would wait for ever
    assert file_kind(tmp_path / "pipe") == "special"
