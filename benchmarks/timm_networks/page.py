"""Everything found, as docs/timm-models.md."""

from __future__ import annotations


def document(work):
    return ""
