"""Each kind of file has a sentence for each reader, of a class that fits."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from fer_train.contract.errors import ArtefactError, CheckpointError, NotFound
from fer_train.contract.file_kind import FileKind
from fer_train.contract.file_words import Reader, refuse_stand_in, unusable


@pytest.mark.parametrize("reader", get_args(Reader))
@pytest.mark.parametrize("kind", get_args(FileKind))
def test_every_kind_has_words(kind: FileKind, reader: Reader, tmp_path: Path) -> None:
    file = tmp_path / "given.bin"
    if kind == "nested-mlpackage":
        (file / "a.mlpackage").mkdir(parents=True)
        (file / "a.mlpackage/Manifest.json").write_text("{}")
    elif kind != "absent":
        file.write_bytes(b"12345")
    error = unusable(file, kind, reader=reader)
    assert str(file) in error.message
    assert "FILE" not in str(error) and "{" not in str(error).replace("{name: torch", "")
    if kind == "absent":
        assert isinstance(error, NotFound)
        return
    assert error.hint
    assert isinstance(error, ArtefactError if "coreml" in reader else CheckpointError)


def test_codes_tell_cut_from_foreign_from_code(tmp_path: Path) -> None:
    file = tmp_path / "w.pt"
    file.write_bytes(b"x")
    kinds: tuple[FileKind, ...] = ("cut-zip", "empty", "unknown", "pickle", "html", "onnx")
    codes = [unusable(file, kind, reader="ferconv").exit_code for kind in kinds]
    assert codes == [10, 10, 10, 11, 15, 15]


def test_a_file_in_place_of_another(tmp_path: Path) -> None:
    file = tmp_path / "weight.bin"
    file.write_bytes(b"version https://git-lfs.example/spec/v1\n")
    with pytest.raises(ArtefactError, match="Git LFS pointer") as caught:
        refuse_stand_in(file)
    assert "git lfs pull" in str(caught.value)
    file.write_bytes(b"plain text may be anything")
    refuse_stand_in(file)
