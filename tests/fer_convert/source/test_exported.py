"""Programs of torch.export."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fer_convert.source import load_source
from fer_train.contract.errors import CheckpointCorrupt, CheckpointError, CheckpointPickled
from tests.inputs.programs import SIDE, classifier
from tests.inputs.programs_of_others import exported, with_code

GIVEN = {
    "labels": "fer2013",
    "preprocess": '{"input_size": 32, "color": "rgb", "scale": "0..1", "crop_margin": 0}',
}


def test_the_program_is_the_network(tmp_path: Path) -> None:
    file = tmp_path / "net.pt2"
    network = classifier(classes=7)
    file.write_bytes(exported(network, images=4))
    source = load_source(file, **GIVEN)
    pixels = torch.rand(1, 3, SIDE, SIDE)
    assert torch.allclose(source.network(pixels), network(pixels), atol=1e-6)
    assert (source.kind, source.architecture) == ("exported program", "exported")
    assert source.notes == ()


def test_code_in_it_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "net.pt2"
    file.write_bytes(with_code(exported(classifier(classes=7))))
    with pytest.raises(CheckpointPickled, match="example_inputs"):
        load_source(file, **GIVEN)
    assert [path.name for path in tmp_path.iterdir()] == ["net.pt2"]
    # The control: read as torch.export reads it, it would have.
    with pytest.raises(Exception):  # noqa: B017 - whatever follows the folder
        torch.export.load(file)
    assert (tmp_path / "they-ran-our-code").is_dir()


def test_half_a_file_and_missing_words_are_named(tmp_path: Path) -> None:
    file = tmp_path / "net.pt2"
    content = exported(classifier(classes=7))
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match="does not say what its classes are called"):
        load_source(file)
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointCorrupt):
        load_source(file, **GIVEN)
