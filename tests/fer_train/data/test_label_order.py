"""What the user may say about numeric ids, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_train.contract.errors import DataLayoutError, LabelMismatch, NotFound
from fer_train.data.label_order import named_table, read_label_order


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("neutral,happy,sad", {0: "neutral", 1: "happiness", 2: "sadness"}),
        ("1=surprise, 2=fear", {1: "surprise", 2: "fear"}),
        ("rafdb", named_table("rafdb").ids),
    ],
)
def test_names_and_lists(text: str, ids: dict[int, str]) -> None:
    assert read_label_order(text).ids == ids


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("classes.txt", "# ours\nneutral\nhappy\n\n"),
        ("classes.txt", "0 neutral\n1\thappy\n"),
        ("classes.csv", "0,neutral\n1, Happy\n"),
        ("ids.json", '{"0": "neutral", "1": "happy"}'),
        ("ids.json", '{"neutral": 0, "happy": 1}'),
        ("ids.json", '["neutral", "happy"]'),
    ],
)
def test_files(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    table = read_label_order(str(path))
    assert table.ids == {0: "neutral", 1: "happiness"}
    assert table.describe() == "0 neutral, 1 happiness"


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("affectnet-2021", "no label order called 'affectnet-2021'"),
        ("neutral,happy,joy", "second time"),
        ("0=neutral,0=happy", "second time"),
        ("neutral,sleepy", "sleepy"),
        ("zero=neutral,1=happy", "'zero=neutral'"),
    ],
)
def test_mistakes(text: str, needle: str) -> None:
    with pytest.raises(LabelMismatch, match=needle) as caught:
        read_label_order(text)
    assert caught.value.hint or "second" in caught.value.message


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no label order file .*order\.json"):
        read_label_order(str(tmp_path / "order.json"))
    (tmp_path / "order.json").write_text("{")
    with pytest.raises(LabelMismatch, match="not JSON"):
        read_label_order(str(tmp_path / "order.json"))
    (tmp_path / "order.json").write_text("3")
    with pytest.raises(LabelMismatch, match="neither a list"):
        read_label_order(str(tmp_path / "order.json"))


def test_seven_alphabetical_classes_have_other_ids_than_eight() -> None:
    named_table("alphabetical").require(range(8), where="here")
    with pytest.raises(DataLayoutError, match="every id after the missing one differs"):
        named_table("alphabetical").require(range(7), where="here")


def test_an_id_without_a_name() -> None:
    with pytest.raises(DataLayoutError, match=r"7, which fer2013 does not number"):
        named_table("fer2013").require([0, 7], where="here")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_file_in_another_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "order.txt"
    path.write_text("# wütend zuerst\n0 = anger\n1 = happy\n", encoding=encoding)
    assert dict(read_label_order(str(path)).ids) == {0: "anger", 1: "happiness"}
    path.write_bytes(bytes(range(256)))
    with pytest.raises(DataLayoutError, match="is no text"):
        read_label_order(str(path))
