"""What TensorBoard shows, read back from the event files of real runs."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import plugin_data_pb2

from fer_train.contract.checkpoint import read_checkpoint
from fer_train.contract.labels import EMOTIONS
from fer_train.learning.calibration import Reliability, ReliabilityBin, reliability
from fer_train.learning.metrics import Answers
from fer_train.run.pictures import draw_confusion, draw_reliability
from fer_train.run_folder import RunFolder
from tests.fer_train.faces import ARCH, SMALLEST, Fertrain, run_once


@pytest.fixture(scope="module")
def run(faces: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A head epoch and an epoch of all layers with two rates, pruned, on data with a test split.

    The data lie beside it, in a folder ``faces``.
    """
    folder = tmp_path_factory.mktemp("board")
    root = folder / "faces"
    shutil.copytree(faces, root)
    shutil.copytree(root / "val", root / "test")
    ran = run_once(
        *(cache, "train", "--data", root, *SMALLEST),
        *("--batch-size", 8, "--device", "cpu", "--out", folder / "run"),
        *("--phase", "head:1:1e-3", "--phase", "all:1:4e-4:1e-4", "--prune", 0.3),
        *("--prune-at", 1, "--recovery-epochs", 1),
    )
    assert ran.code == 0, ran.err
    return RunFolder(folder / "run")


def read_back(run: RunFolder) -> EventAccumulator:
    # 0: keep every event, not a sample of them.
    events = EventAccumulator(str(run.tensorboard), size_guidance={"images": 0, "scalars": 0})
    events.Reload()
    return events


def picture(events: EventAccumulator, tag: str, number: int) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(events.Images(tag)[number].encoded_image_string)))


def curve(events: EventAccumulator, tag: str) -> dict[int, float]:
    return {event.step: pytest.approx(event.value, rel=1e-6) for event in events.Scalars(tag)}


def test_every_figure_arrives(run: RunFolder, fertrain: Fertrain, tmp_path: Path) -> None:
    events = read_back(run)
    rows = run.read_history()
    columns = {
        "loss/train": "train_loss",
        "loss/val": "val_loss",
        "accuracy/train": "train_accuracy",
        "accuracy/val": "val_accuracy",
        "train/balanced_accuracy": "train_balanced_accuracy",
        "train/macro_f1": "train_macro_f1",
        "val/balanced_accuracy": "val_balanced_accuracy",
        "val/macro_f1": "val_macro_f1",
        "val/cross_entropy": "val_cross_entropy",
        "training/lr": "lr",
        "training/grad_norm": "grad_norm",
        "training/sparsity": "sparsity",
        "training/images_per_second": "images_per_second",
    }
    for tag, column in columns.items():
        assert curve(events, tag) == {n + 1: float(row[column]) for n, row in enumerate(rows)}, tag
    assert curve(events, "training/sparsity")[2] == pytest.approx(0.3, abs=1e-3)
    # The rate of each group, in the phase that has two.
    assert curve(events, "lr/head") == {2: 4e-4} and curve(events, "lr/backbone") == {2: 1e-4}

    # The second epoch, by what last.pt says and answers.
    metrics = read_checkpoint(run.last).metrics
    for label in EMOTIONS:
        assert curve(events, f"val_f1/{label}")[2] == metrics["per_class"][label]["f1"]
    confusion = np.array(metrics["confusion"])
    assert (picture(events, "val/confusion", 1) == draw_confusion(confusion, EMOTIONS)).all()
    answers = tmp_path / "answers.npz"
    again = ("--split", "val", "--batch-size", 8, "--device", "cpu", "--out", answers)
    ran = fertrain("eval", run.last, "--data", run.root.parent / "faces", *again)
    assert ran.code == 0, ran.err
    with np.load(answers) as saved:
        expected = reliability(Answers(logits=saved["logits"], targets=saved["targets"]))
    assert curve(events, "val/ece")[2] == pytest.approx(expected.ece, rel=1e-4)
    assert len(events.Images("val/reliability")) == 2
    assert (picture(events, "val/reliability", 1) == draw_reliability(expected)).mean() > 0.99
    grid = picture(events, "train/augmented", 0)
    assert grid.shape == (3 * 32, 8 * 32, 3) and grid.std() > 10


def test_the_options_stand_beside_the_final_figures(run: RunFolder) -> None:
    events = read_back(run)
    summary = json.loads((run.root / "metrics.json").read_text())
    for split, key in (("val", "metrics"), ("test", "test")):
        for name in ("loss", "accuracy", "balanced_accuracy", "macro_f1"):
            assert curve(events, f"final_{split}/{name}") == {2: summary[key][name]}
    contents = events.summary_metadata
    start = hparams(contents, "_hparams_/session_start_info").session_start_info
    assert start.hparams["arch"].string_value == ARCH
    assert start.hparams["batch_size"].number_value == 8
    experiment = hparams(contents, "_hparams_/experiment").experiment
    shown = {info.name.tag for info in experiment.metric_infos}
    assert {"final_val/macro_f1", "final_test/macro_f1"} <= shown
    # In this run's folder, not in one named after the time: the table would not find the figures.
    assert [entry for entry in run.tensorboard.rglob("*") if entry.is_dir()] == []


def hparams(contents: Mapping[str, Any], tag: str) -> plugin_data_pb2.HParamsPluginData:
    return plugin_data_pb2.HParamsPluginData.FromString(contents[tag].plugin_data.content)


def test_train_and_val_share_a_chart(run: RunFolder) -> None:
    events = read_back(run)
    [written] = events.Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(written.tensor_proto.string_val[0])
    charts = {chart.title: list(chart.multiline.tag) for c in layout.category for chart in c.chart}
    assert charts["loss"] == ["loss/train", "loss/val"]
    assert set(charts["accuracy"]) <= set(events.Tags()["scalars"])


def test_the_reliability_diagram_shows_bins_where_they_are() -> None:
    empty = [ReliabilityBin(n / 4, (n + 1) / 4, 0.0, 0.0, 0) for n in range(4)]
    over = ReliabilityBin(0.5, 0.75, 0.7, 0.4, 10)
    blank = draw_reliability(Reliability(0.0, (*empty[:2], empty[3], empty[3])))
    drawn = draw_reliability(Reliability(0.3, (*empty[:2], over, empty[3])))
    red = (drawn == (0xE8, 0xA5, 0xA0)).all(axis=2)
    blue = (drawn == (0x4C, 0x78, 0xA8)).all(axis=2)
    assert not (blank == (0xE8, 0xA5, 0xA0)).all(axis=2).any()
    rows, columns = np.nonzero(red)
    # 0.5 to 0.75 of 360 px from the left edge, 0.4 to 0.7 of them from the bottom.
    assert 238 <= columns.min() <= 242 and 328 <= columns.max() <= 332
    assert 146 <= rows.min() <= 150 and 254 <= rows.max() <= 258
    assert np.nonzero(blue)[0].min() > rows.max() - 3
