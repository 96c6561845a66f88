"""``fertrain compare``: order, differences, McNemar, and what cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fer_train.run_folder import RunFolder
from tests.fer_train.faces import Fertrain
from tests.fer_train.finished import made_answers, row, write_run

#: Of 64 images, right in 52 and in 40, of which 38 are the same.
BETTER = [i < 52 for i in range(64)]


WORSE = [i < 38 or i >= 62 for i in range(64)]


def two_runs(root: Path, **of_second: object) -> tuple[RunFolder, RunFolder]:
    worse = write_run(
        root / "worse",
        answers={"val": made_answers(WORSE), "test": made_answers(WORSE)},
        history=[row(1, seconds=30.0), row(2, seconds=30.0)],
    )
    better = write_run(
        root / "better",
        answers={"val": made_answers(BETTER), "test": made_answers(BETTER)},
        history=[row(1)],
        options={"lr": 0.01, "ema": 0.99},
        **of_second,  # type: ignore[arg-type]
    )
    return worse, better


def test_best_first_with_differences_and_mcnemar(tmp_path: Path, fertrain: Fertrain) -> None:
    worse, better = two_runs(tmp_path)
    ran = fertrain("compare", worse.root, better.root, "--json")
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    assert [run["name"] for run in document["runs"]] == ["better", "worse"]
    assert [run["best"] for run in document["runs"]] == [True, False]
    assert document["by"] == "macro_f1" and document["split"] == "test"
    first = document["runs"][0]
    assert first["figures"]["accuracy"] == 52 / 64 and first["figures"]["ece"] is not None
    assert document["runs"][1]["seconds"] == 60.0 and document["runs"][1]["epochs"] == 2
    # Only what differs.
    assert document["differences"] == [
        {"option": "--lr", "values": ["0.01", ""]},
        {"option": "--ema", "values": ["0.99", "0"]},
    ]
    test = document["first_two"]["mcnemar"]
    assert (test["images"], test["only_first"], test["only_second"]) == (64, 14, 2)
    assert test["p"] == pytest.approx(2 * (1 + 16 + 120) / 2**16)
    text = fertrain("compare", worse.root, better.root).out
    assert text.splitlines()[1].startswith("*  better")
    assert "larger than chance (p = 0.004)" in text and "--ema" in text and "--flip" not in text


def test_val_counts_where_not_every_run_has_test(tmp_path: Path, fertrain: Fertrain) -> None:
    worse, _ = two_runs(tmp_path)
    only_val = write_run(tmp_path / "third", answers={"val": made_answers([True] * 64)})
    document = json.loads(fertrain("compare", worse.root, only_val.root, "--json").out)
    assert document["split"] == "val" and document["runs"][0]["name"] == "third"
    assert "chose their best epochs on these images" in document["first_two"]["sentence"]
    assert any("Not every run measured test" in note for note in document["notes"])


def test_other_data_are_not_compared(tmp_path: Path, fertrain: Fertrain) -> None:
    runs = two_runs(tmp_path, data={"sha256": "cd" * 32})
    document = json.loads(fertrain("compare", *(run.root for run in runs), "--json").out)
    assert document["first_two"]["mcnemar"] is None
    assert "not measured on the same data" in document["first_two"]["sentence"]
    assert any("fingerprints better cdcdcdcd, worse abababab" in n for n in document["notes"])
    assert not any(run["best"] for run in document["runs"])


def test_an_unfinished_run_counts_with_its_best_epoch(tmp_path: Path, fertrain: Fertrain) -> None:
    _, better = two_runs(tmp_path)
    going = write_run(tmp_path / "going", answers={}, history=[row(1, val_macro_f1=0.9), row(2)])
    ran = fertrain("compare", better.root, going.root)
    assert ran.code == 0, ran.err
    assert "going (unfinished)" in ran.out.splitlines()[1] and "90.0 %" in ran.out.splitlines()[1]
    assert "cannot be tested" in ran.out


def test_page_with_curves(tmp_path: Path, fertrain: Fertrain) -> None:
    worse, better = two_runs(tmp_path)
    page = tmp_path / "compare.html"
    ran = fertrain("compare", worse.root, better.root, "--html", page)
    assert ran.code == 0 and ran.out.endswith(f"page: {page}\n")
    html = page.read_text(encoding="utf-8")
    assert html.count('class="line r0"') == html.count('class="line r1"') == 3
    assert "<script" not in html and "http" not in html.replace("http-equiv", "")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["RUN"], 2, "two or more runs"),
        (["RUN", "RUN"], 2, "given twice"),
        ([], 2, "Missing argument"),
        (["RUN", "absent"], 4, "absent does not exist"),
        (["RUN", "empty"], 4, "no run folder: it has no config.json"),
        (["RUN", "begun"], 4, "has no finished epoch yet"),
    ],
    ids=["one", "twice", "none", "absent", "no run", "no epoch"],
)
def test_errors(
    arguments: list[str], code: int, message: str, tmp_path: Path, fertrain: Fertrain
) -> None:
    write_run(tmp_path / "RUN", answers={"val": made_answers(WORSE)}, history=[row(1)])
    write_run(tmp_path / "begun", answers={})
    (tmp_path / "empty").mkdir()
    ran = fertrain("compare", *(tmp_path / name for name in arguments))
    assert ran.code == code and message in ran.err
    assert "Traceback" not in ran.err and ran.out == ""
