"""``--label-order``: what numeric class ids mean. Read from the user, never guessed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_train.contract.errors import DataLayoutError, LabelMismatch, NotFound
from fer_train.contract.labels import LABEL_ORDERS, canonical_name, id_table
from fer_train.data.text import read_text

#: For error messages: everything ``--label-order`` accepts.
ALLOWED = (
    f"{', '.join(LABEL_ORDERS)}; a list by ascending id such as neutral,happy,sad or "
    "1=surprise,2=fear; or a text or JSON file with such a table"
)

_SEPARATOR = re.compile(r"\s*[=:,;\t]\s*|\s+")


@dataclass(frozen=True, slots=True)
class LabelTable:
    """A numbering of emotions.

    Attributes:
        name: how the user called it.
        ids: id -> canonical emotion.
    """

    name: str
    ids: Mapping[int, str]

    def describe(self) -> str:
        """Return ``"0 anger, 1 disgust, …"``, the table a person can check."""
        return ", ".join(f"{number} {emotion}" for number, emotion in sorted(self.ids.items()))

    def require(self, ids: Iterable[int], *, where: str) -> None:
        """Raise `DataLayoutError` unless this numbering gives every one of ``ids`` a name."""
        used = sorted(set(ids))
        unknown = [str(number) for number in used if number not in self.ids]
        if unknown:
            raise DataLayoutError(
                f"{where} holds the id(s) {', '.join(unknown)}, which {self.name} does not number.",
                hint=f"{self.name}: {self.describe()}.",
            )
        # Seven classes sorted by name have other ids than eight: 1 is contempt only among eight.
        if self.name == "alphabetical" and max(used, default=0) < len(self.ids) - 1:
            raise DataLayoutError(
                f"{where} holds the ids {', '.join(map(str, used))}; the alphabetical order "
                f"of all eight emotions goes to {len(self.ids) - 1}, and with fewer classes every "
                "id after the missing one differs.",
                hint="Name the classes: --label-order "
                "anger,disgust,fear,happiness,neutral,sadness,surprise",
            )


def named_table(name: str) -> LabelTable:
    """Return one of `labels.LABEL_ORDERS`."""
    return LabelTable(name, id_table(name))


def read_label_order(text: str, *, custom: Sequence[str] = ()) -> LabelTable:
    """Return the table that ``--label-order`` names, lists, or keeps in a file.

    Args:
        custom: names beyond the eight emotions, allowed on purpose.

    Raises:
        LabelMismatch: an unknown name, an unknown emotion, or an id or emotion given twice.
        NotFound: it looks like a file that does not exist.
        DataLayoutError: a file that is no text.
    """
    if "," in text or "=" in text:
        return _table(text, re.split(r"\s*,\s*", text.strip(" ,")), custom)
    path = Path(text)
    if path.is_file():
        return _read_file(path, custom)
    if path.suffix or "/" in text:
        raise NotFound(f"There is no label order file {path}.", hint=f"Allowed: {ALLOWED}.")
    try:
        return named_table(text)
    except LabelMismatch:
        raise LabelMismatch(
            f"There is no label order called {text!r}.", hint=f"Allowed: {ALLOWED}."
        ) from None


def _read_file(path: Path, custom: Sequence[str]) -> LabelTable:
    content = read_text(path)
    if path.suffix.lower() != ".json":
        lines = [line.strip() for line in content.splitlines()]
        entries = [line for line in lines if line and not line.startswith("#")]
        return _table(path.name, entries, custom)
    try:
        record = json.loads(content)
    except ValueError as error:
        raise LabelMismatch(f"{path} is not JSON: {error}.") from error
    if isinstance(record, list):
        return _table(path.name, [str(name) for name in record], custom)
    if not isinstance(record, dict):
        raise LabelMismatch(f'{path} holds neither a list of names nor an object {{"0": "…"}}.')
    pairs = [(str(key), str(value)) for key, value in record.items()]
    # Both directions are common: {"0": "anger"} and {"anger": 0}.
    entries = [f"{k}={v}" if k.isdigit() else f"{v}={k}" for k, v in pairs]
    return _table(path.name, entries, custom)


def _table(name: str, entries: list[str], custom: Sequence[str]) -> LabelTable:
    ids: dict[int, str] = {}
    for position, entry in enumerate(entries):
        fields = _SEPARATOR.split(entry, maxsplit=1)
        number, emotion = (fields[0], fields[1]) if len(fields) == 2 else (str(position), entry)
        if not number.isdigit():
            raise LabelMismatch(
                f"The label order {name} has the entry {entry!r}.",
                hint="Write id=emotion, such as 0=neutral, or only the names by ascending id.",
            )
        emotion = canonical_name(emotion, custom=custom)
        if int(number) in ids or emotion in ids.values():
            raise LabelMismatch(f"The label order {name} gives {entry!r} a second time.")
        ids[int(number)] = emotion
    if len(ids) < 2:
        raise LabelMismatch(f"The label order {name} names fewer than two classes.")
    return LabelTable(name, ids)
