"""The findings as one self-contained HTML page: pictures inside, no script, light and dark."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from PIL import Image

from fer_train.contract.errors import FerError
from fer_train.contract.files import atomic_directory, write_json, write_text
from fer_train.contract.page import environment
from fer_train.data.check.check import Checked
from fer_train.data.check.kinds import KINDS, Group
from fer_train.data.images import decode, read_content
from fer_train.data.samples import Sample

FINDINGS, REPORT = "findings.json", "report.html"

_TEMPLATES = Path(__file__).with_name("templates")

#: Per kind of finding, groups and pictures of a group that the page shows; the JSON has all.
_GROUPS, _PICTURES = 24, 8

_SIDE = 72  # px, of a picture


def write_check(out: Path, document: dict[str, Any], checked: Checked) -> None:
    """Write ``findings.json`` and ``report.html`` into ``out``, both or neither.

    Raises:
        OutputExists: ``out`` holds something else.
        CannotWrite: no space, no permission.
    """
    page = render(document, checked)
    with atomic_directory(out, marker=FINDINGS) as partial:
        write_json(partial / FINDINGS, document)
        write_text(partial / REPORT, page)


def render(document: dict[str, Any], checked: Checked) -> str:
    """Return the HTML view of a check's document."""
    reasons: dict[str, int] = {}
    for entry in document["exclude"]:
        reasons[entry["reason"]] = reasons.get(entry["reason"], 0) + 1
    found = {finding.kind.name for finding in checked.findings}
    return (
        environment(_TEMPLATES)
        .get_template("check.html.j2")
        .render(
            check=document,
            largest=max(n for counts in document["counts"].values() for n in counts.values()),
            sections=[
                {
                    "kind": finding.kind,
                    "amount": finding.amount(),
                    "hidden": max(len(finding.groups) - _GROUPS, 0),
                    "groups": [_group(group, checked) for group in finding.groups[:_GROUPS]],
                }
                for finding in checked.findings
            ],
            clean=[kind.title for kind in KINDS if kind.name not in found],
            reasons=reasons,
        )
    )


def _group(group: Group, checked: Checked) -> dict[str, Any]:
    root, samples = checked.listing.root, checked.listing.samples
    # Both ends of a long group: members are listed by split, and all of them should be seen.
    half = _PICTURES // 2
    few = len(group.members) <= _PICTURES
    shown = group.members if few else (*group.members[:half], *group.members[-half:])
    return {
        "note": group.note,
        "more": len(group.members) - len(shown),
        "pictures": [
            {
                "name": samples[index].name,
                "label": samples[index].label,
                "split": samples[index].split or "",
                "source": None if checked.scan.errors[index] else _thumbnail(root, samples[index]),
            }
            for index in shown
        ],
    }


def _thumbnail(root: Path, sample: Sample) -> str | None:
    """Return the whole image, reduced, as a ``data:`` address."""
    try:
        picture = Image.fromarray(decode(read_content(root, sample), sample, root=root))
    except FerError:
        return None
    picture.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
