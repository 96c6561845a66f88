"""The page kit: templates with one look, and numbers that look the same wherever they stand.

`figures` is how numbers look, in pages, cards and on the terminal. `environment` reads the
templates of a page; ``page.html.j2`` is what each extends, ``page.css`` what they share.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from fer_train.contract.page import figures

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).with_name("templates")

#: What Markdown or HTML inside it would take for markup.
_MARKUP = re.compile(r"([\\`*_\[\]<>|#])")


def environment(templates: Path, *, escape: bool = True) -> Environment:
    """Return the environment of a folder's templates, with the kit's own and its number filters.

    A name that a template uses and nobody gave is an error.

    Args:
        escape: every value is text within HTML.
    """
    # Here, because commands import this module and only some of them draw a page.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader([templates, _TEMPLATES]),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(figures.FORMATS, md=markdown)
    return made


def markdown(text: object) -> str:
    """Return text that Markdown shows as it is: names of folders come from anywhere."""
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))
