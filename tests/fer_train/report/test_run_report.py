"""report.html and model-card.md: of whole runs, of odd ones, and of hostile ones."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_train.contract.errors import FerError, NotFound
from fer_train.learning.metrics import Answers
from fer_train.progress.reporter import PlainReporter
from fer_train.report import write
from fer_train.report.html import render_card, render_page
from fer_train.report.mistakes import confident_mistakes, picture_address
from fer_train.report.model import build_document
from fer_train.report.write import leave_report, remake_report
from fer_train.run_folder import read_run
from tests.fer_train.faces import Fertrain, Ran
from tests.fer_train.finished import made_answers, noise, row, write_run

HITS = [i % 3 != 0 for i in range(48)]


class Page(HTMLParser):
    """What a browser would do with a page: tags, addresses, text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "action", "data", "poster", "xlink:href"):
                self.addresses.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)

    def handle_data(self, data: str) -> None:
        self.text += data


def rendered(root: Path) -> tuple[Page, str]:
    document = build_document(read_run(root))
    json.dumps(document, allow_nan=False)
    return Page(render_page(document)), render_card(document)


def test_page_needs_nothing_from_outside_and_runs_nothing(tmp_path: Path) -> None:
    answers = {"val": made_answers(HITS), "test": made_answers(HITS)}
    run = write_run(tmp_path / "run", answers=answers, history=[row(i) for i in (1, 2, 3)])
    leave_report(run, gathers={"test": lambda i: noise(len(i))}, reporter=PlainReporter(quiet=True))
    html = (run.root / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    assert page.handlers == []
    assert page.tags.count("img") == 16  # all mistakes of test
    assert page.addresses and all(a.startswith("data:image/") for a in page.addresses)
    assert not re.search(r"https?://|@import|url\(", html)


def test_figures_are_those_of_the_run(tmp_path: Path) -> None:
    answers = {"val": made_answers([True] * 48), "test": made_answers(HITS)}
    run = write_run(tmp_path / "run", answers=answers, history=[row(i) for i in (1, 2, 3)])
    page, card = rendered(run.root)
    assert "Test: 48 images" in page.text and "Validation: 48 images" in page.text
    assert "66.7 %" in page.text and "52.5 to 78.3 %" in page.text  # Wilson's of 32 of 48
    assert "| test | 48 | 66.7 % (52.5 to 78.3 %)" in card
    assert "| val | 48 | 100 % (92.6 to 100.0 %)" in card
    assert "ferconv build --checkpoint checkpoints/best.pt" in card
    for heading in (
        *("Model", "Intended use and limits", "Data", "Recipe", "Metrics", "Calibration"),
        *("Pruning", "How to convert", "Versions"),
    ):
        assert f"\n## {heading}\n" in card
    assert "Not pruned." in card


def test_a_network_with_one_answer_is_named_at_the_top(tmp_path: Path) -> None:
    logits = np.zeros((48, 8), dtype=np.float32)
    logits[:, 3] = 3.0
    one = Answers(logits=logits, targets=np.arange(48) % 8)
    answers = {"val": made_answers(HITS), "test": one}
    run = write_run(tmp_path / "run", answers=answers, history=[row(1)])
    page, card = rendered(run.root)
    said = "answers happiness to 100 % of the images, which 12.5 % show"
    assert f"On test it {said}." in " ".join(page.text.split())
    assert f"**On test the model {said}.**" in card and "On val" not in card
    # Not "12.5 to 12.5 %": what Wilson says of 6 of 6 and 0 of 6 images.
    low, high = build_document(read_run(run.root))["splits"]["test"]["balanced_accuracy_interval"]
    assert low < 0.1 and high > 0.2
    # The temperature is val's. Where val is like that, too, no temperature helps.
    assert "largest allowed" not in card
    run = write_run(tmp_path / "both", answers={"val": one}, history=[row(1)])
    page, card = rendered(run.root)
    assert "the largest allowed" in page.text and "the temperature is the largest allowed" in card
    assert "brings ECE" not in page.text
    page, card = rendered(write_run(tmp_path / "ok", answers={"val": made_answers(HITS)}).root)
    assert "of the images, which" not in page.text + card


def test_no_test_split_one_epoch_and_a_class_without_images(tmp_path: Path) -> None:
    answers = {"val": made_answers([True, False, True], labels=(0, 1, 1))}
    run = write_run(tmp_path / "run", answers=answers, history=[row(1)])
    page, card = rendered(run.root)
    assert "Cannot tell whether the network over- or underfits" in page.text
    assert "There is no test split" in page.text and "There is no test split" in card
    document = build_document(read_run(run.root))
    of = {c["label"]: c for c in document["splits"]["val"]["per_class"]}
    assert of["neutral"]["recall"] is None and of["neutral"]["f1"] is None
    assert of["anger"]["recall"]["value"] == 1.0


def test_soft_targets_and_no_history(tmp_path: Path) -> None:
    hard = made_answers(HITS)
    shares = np.full((48, 8), 0.05, dtype=np.float32)
    shares[np.arange(48), hard.targets] = 0.65
    soft = Answers(logits=hard.logits, targets=shares)
    run = write_run(tmp_path / "run", answers={"val": soft})
    page, _ = rendered(run.root)
    assert "16 of 48 images are wrong" in page.text
    assert "path" not in page.tags  # no epoch, no curve


def test_a_stopped_run_says_that_nothing_was_measured(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", answers={}, history=[row(1), row(2, val_macro_f1=0.6)])
    page, card = rendered(run.root)
    assert "Unfinished" in page.text and "fertrain train --resume" in page.text
    assert "best by validation macro-F1: epoch 2" in page.text
    # Once pruned, the best epoch is the best pruned one.
    run.write_history(
        [row(1, val_macro_f1=0.9), row(2, stage="recovery"), row(3, stage="recovery")]
    )
    assert read_run(run.root).best_epoch() == 2
    assert "Not measured: the run is unfinished." in card and "**Unfinished run.**" in card


def test_a_run_begun_by_an_earlier_version_keeps_its_epochs(tmp_path: Path) -> None:
    """Its first epochs have no training averages; the chart begins where they do."""
    before = {k: v for k, v in row(1).items() if k not in ("train_macro_f1", "val_cross_entropy")}
    answers = {"val": made_answers(HITS)}
    run = write_run(tmp_path / "run", answers=answers, history=[before, row(2), row(3)])
    assert [r["train_accuracy"] for r in read_run(run.root).history] == [0.5, 0.5, 0.5]
    page, _ = rendered(run.root)
    # In the charts of accuracy and of macro-F1.
    assert page.text.count("validation, epoch 1: 50.0%") == 2
    assert page.text.count("training, epoch 1: 50.0%") == 1
    assert page.text.count("training, epoch 2: 50.0%") == 2


def test_everything_right(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", answers={"val": made_answers([True] * 16)}, history=[row(1)])
    page, _ = rendered(run.root)
    assert "None: all 16 images are right." in page.text


def test_a_pruned_run_shows_before_and_after(tmp_path: Path) -> None:
    val = made_answers(HITS)
    run = write_run(tmp_path / "run", answers={"val": val}, history=[row(1), row(2), row(3)])
    figures = json.loads((run.root / "metrics.json").read_text())["metrics"]
    pruning = {
        "target": 0.5,
        "scope": "global",
        "after_epoch": 2,
        "from_epoch": 2,
        "before": {**figures, "accuracy": 0.812},
        "after": {**figures, "accuracy": 0.345},
        "steps": [{"after_epoch": 2, "sparsity": 0.5}],
    }
    run.write_record("metrics", {"metrics": {**figures, "epoch": 3}, "pruning": pruning})
    run.write_sparsity([("features.0.weight", 100, 60), ("classifier.1.weight", 100, 40)])
    page, card = rendered(run.root)
    assert "81.2 %" in page.text and "34.5 %" in page.text and "features.0.weight" in page.text
    assert "50.0 % of 200 weights" in card
    assert "best.pt (epoch 3)" in page.text
    # Saved right after the pruning, before an epoch of recovery: not that epoch's network.
    run.write_record("metrics", {"metrics": {**figures, "epoch": 2}, "pruning": pruning})
    assert "best.pt (right after pruning, epoch 2)" in rendered(run.root)[0].text


def test_text_from_outside_is_text(tmp_path: Path) -> None:
    evil = '<img src=x onerror=alert(1)>"|`'
    labels = tuple(f"{evil}{i}" for i in range(8))
    run = write_run(
        tmp_path / "run",
        answers={"val": made_answers([False] * 8)},
        labels=labels,
        names=[f"{evil}/{i}.png" for i in range(8)],
        data={"root": evil, "layout": evil, "left_out": {evil: 1}},
        options={"label_order": evil},
        history=[row(1)],
    )
    leave_report(run, gathers={"val": lambda i: noise(len(i))}, reporter=PlainReporter(quiet=True))
    page = Page((run.root / "report.html").read_text(encoding="utf-8"))
    assert page.handlers == [] and "x" not in page.addresses
    assert page.text.count(evil) > 10
    card = (run.root / "model-card.md").read_text(encoding="utf-8")
    assert "<img" not in card.replace("\\<img", "")


def test_mistakes_are_the_most_confident_ones_first() -> None:
    logits = np.zeros((5, 3), dtype=np.float32)
    logits[0, 1] = 1.0  # wrong, a little sure
    logits[1, 1] = 9.0  # right, very sure
    logits[2, 0] = 5.0  # wrong, very sure
    logits[3, 2] = 3.0  # wrong
    logits[4, 2] = 3.0  # wrong, as sure: keeps the order of the data
    answers = Answers(logits=logits, targets=np.array([0, 1, 2, 0, 1]))
    found = confident_mistakes(answers, most=3)
    assert [m.index for m in found] == [2, 3, 4]
    assert (found[0].predicted, found[0].true) == (0, 2)
    assert found[0].confidence == pytest.approx(np.exp(5) / (np.exp(5) + 2))
    assert found[0].of_true == pytest.approx(1 / (np.exp(5) + 2))


def test_pictures_are_what_the_network_sees() -> None:
    pixels = noise(1)[0]
    address = picture_address(pixels, gray=True)
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    assert np.array_equal(shown, luma.round().astype(np.uint8))
    large = np.zeros((224, 224, 3), dtype=np.uint8)
    address = picture_address(large, gray=False)
    assert Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).size == (96, 96)


def test_a_report_that_fails_is_said_and_does_not_lose_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", answers={"val": made_answers(HITS)}, history=[row(1)])

    def fail(document: object) -> str:
        raise ZeroDivisionError("no")

    monkeypatch.setattr(write, "render_page", fail)
    assert leave_report(run, gathers={}, reporter=PlainReporter()) is None
    said = capsys.readouterr().err
    assert "ZeroDivisionError: no" in said and f"fertrain report {run.root}" in said
    assert not (run.root / "report.html").exists()


@pytest.mark.parametrize("content", [b"epoch,layer\nx,y\n", b"\xff\xfe\n\xff"])
@pytest.mark.parametrize("name", ["metrics.json", "history.csv", "eval/val.npz", "sparsity.csv"])
def test_damaged_records_are_named(
    tmp_path: Path, fertrain: Fertrain, name: str, content: bytes
) -> None:
    runs = [
        write_run(tmp_path / folder, answers={"val": made_answers(HITS)}, history=[row(1)])
        for folder in ("run", "other")
    ]
    (runs[0].root / name).write_bytes(content)
    ran = fertrain("report", runs[0].root)
    assert ran.code == 10 and f"{name} is damaged: " in ran.err and "fault" not in ran.err
    ran = fertrain("compare", runs[0].root, runs[1].root)
    assert ran.code == 10 and f"{name} is damaged: " in ran.err and "fault" not in ran.err


def test_what_is_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        read_run(tmp_path / "absent")
    with pytest.raises(NotFound, match=r"no run folder: it has no config\.json"):
        read_run(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(NotFound, match="is a file"):
        read_run(tmp_path / "file")
    write_run(tmp_path / "run", answers={})
    with pytest.raises(NotFound, match="no finished epoch") as caught:
        read_run(tmp_path / "run")
    assert "fertrain train --resume" in str(caught.value)


def test_training_leaves_a_report_that_report_makes_again(
    small_run: Callable[..., Ran], fertrain: Fertrain, faces: Path, tmp_path: Path
) -> None:
    data, out = tmp_path / "faces", tmp_path / "run"
    shutil.copytree(faces, data)
    ran = small_run(out, "--epochs", 1, "--prune", 0, "--data", data, "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["report"] == str(out / "report.html")
    first = (out / "report.html").read_text(encoding="utf-8")
    wrong = Page(first).tags.count("img")
    assert wrong > 0
    # The pictures are kept in the run: it can be shown when the data are gone.
    shutil.move(data, tmp_path / "moved")
    (out / "report.html").unlink()
    ran = fertrain("report", out)
    assert ran.code == 0 and ran.out.split() == [
        str(out / "report.html"),
        str(out / "model-card.md"),
    ]
    assert (out / "report.html").read_text(encoding="utf-8") == first
    # A run of before, which kept none: pixel for pixel the same from the data.
    (out / "eval" / "mistakes.npz").unlink()
    ran = fertrain("report", out)
    assert ran.code == 0 and "no pictures of mistakes" in ran.err
    assert "img" not in Page((out / "report.html").read_text(encoding="utf-8")).tags
    ran = fertrain("report", out, "--data", tmp_path / "moved")
    assert ran.code == 0, ran.err
    again = (out / "report.html").read_text(encoding="utf-8")
    assert Page(again).addresses == Page(first).addresses
    ran = fertrain("report", out, "--data", tmp_path)
    assert ran.code == 0  # it keeps them now


def test_reports_of_runs_without_kept_pictures_still_come(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", answers={"val": made_answers(HITS)}, history=[row(1)])
    page = remake_report(run.root, data=None, reporter=PlainReporter(quiet=True))
    assert "no picture" in Page(page.read_text(encoding="utf-8")).text
    with pytest.raises(FerError):
        remake_report(run.root, data=tmp_path / "nowhere", reporter=PlainReporter(quiet=True))
