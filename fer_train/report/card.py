"""The document as a model card: Markdown, saying what was measured and naming what was not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fer_train.report.html import made_splits_text, page_environment

#: What Markdown or HTML inside it would take for markup.
_MARKUP = re.compile(r"([\\`*_\[\]<>|#])")


def render_card(document: Mapping[str, Any]) -> str:
    """Return model-card.md for `model.build_document`'s document."""
    splits, counts = document["splits"], document["data"].get("counts", {})
    environment = page_environment(escape=False)
    environment.filters["md"] = markdown
    made = document["data"].get("made_splits")
    text = environment.get_template("model-card.md.j2").render(
        run=document,
        labels=next((split["labels"] for split in splits.values()), []),
        pixels=document["recipe"]["preprocess"],
        shown=next((name for name in ("test", "val") if name in splits), None),
        counts=counts,
        data_labels=list(dict.fromkeys(x for split in counts.values() for x in split)),
        made_splits=made_splits_text(made) if made else "",
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def markdown(text: object) -> str:
    """Return text that Markdown shows as it is: names of folders come from anywhere."""
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))
