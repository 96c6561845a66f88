"""How tables are written, what their rows say, and whether they contradict each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_train.contract.errors import DataLayoutError
from fer_train.data.layouts.tables import OneSaying, first_rows, form, header, rows

ROWS = [("ä/1.png", "happy"), ("b.png", "sad")]


def write(path: Path, *, delimiter: str = ",", encoding: str = "utf-8", end: str = "\n") -> None:
    lines = [delimiter.join(row) for row in [("Path ", "LABEL"), *ROWS]]
    path.write_bytes((end.join(lines) + end).encode(encoding))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_way_to_write_a_table(
    tmp_path: Path, delimiter: str, encoding: str, end: str
) -> None:
    path = tmp_path / "labels.csv"
    write(path, delimiter=delimiter, encoding=encoding, end=end)
    assert header(path) == ["path", "label"]
    found = [(row["path"], row["label"]) for _, row in rows(path)]
    assert found == ROWS
    assert [line for line, _ in rows(path)] == [2, 3]
    written = form(path, whole=True)
    assert written is not None
    assert written.plain is (delimiter == "," and encoding.startswith("utf-8"))


def test_the_form_is_told(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", delimiter=";", encoding="cp1252")
    written = form(tmp_path / "a.csv")
    assert written is not None and written.describe() == "cp1252, separated by semicolons"


def test_a_letter_far_into_the_file_decides_the_encoding(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    lines = ["path,label", *(f"{number}.png,happy" for number in range(8000)), "grün.png,sad"]
    path.write_bytes("\n".join(lines).encode("cp1252"))
    *_, (_, last) = rows(path)
    assert last["path"] == "grün.png"


def test_commas_separate_even_where_a_value_is_full_of_semicolons(tmp_path: Path) -> None:
    """AffectNet's landmarks: 136 numbers with semicolons, in a file without a header."""
    path = tmp_path / "validation.csv"
    path.write_text("1/a.jpg,1,2," + ";".join(["10.5"] * 136) + ",6\n")
    assert len(header(path)) == 5


def test_what_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(bytes(range(256)))
    assert form(path) is None and header(path) == [] and first_rows(path, 3) == []
    with pytest.raises(DataLayoutError, match="cannot be read as a table") as caught:
        list(rows(path))
    assert "UTF-16 or cp1252" in str(caught.value)
    path.write_bytes(b"")
    assert header(path) == [] and list(rows(path)) == []
    assert header(tmp_path / "nowhere.csv") == []


def test_rows_of_another_length(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("path,label\na.png,happy,\n,\n,,\nb.png,sad\n")
    assert [row for _, row in rows(path)] == [
        {"path": "a.png", "label": "happy"},
        {"path": "b.png", "label": "sad"},
    ]
    # The comma of an unquoted name would move every value after it into another column.
    path.write_text("path,label\nme, smiling.png,happy\n")
    with pytest.raises(DataLayoutError, match="line 2: 3 fields instead of 2") as caught:
        list(rows(path))
    assert "quotes" in str(caught.value)
    path.write_text("path,label\na.png\n")
    with pytest.raises(DataLayoutError, match="line 2: 1 fields instead of 2"):
        list(rows(path))


def test_rows_that_repeat_and_rows_that_contradict() -> None:
    saying = OneSaying()
    assert saying.is_new("a.png", "happiness", name="a.png", where="line 2")
    assert not saying.is_new("a.png", "happiness", name="a.png", where="line 3")
    assert saying.is_new("b.png", "sadness", name="b.png", where="line 4")
    assert saying.notes() == [
        "1 row repeats what another says about the same image; each image counts once"
    ]
    for line in range(5, 10):
        assert not saying.is_new("b.png", "fear", name="b.png", where=f"line {line}")
    with pytest.raises(DataLayoutError, match=r"b\.png: sadness \(line 4\), fear \(line 5\)") as e:
        saying.notes()
    assert "and 2 more" in str(e.value)
    assert OneSaying().notes() == []
