"""AffectNet's release of March 2021: 224 px faces, one ``.npy`` file per annotation.

::

    ROOT/train_set/images/<id>.jpg   ROOT/train_set/annotations/<id>_exp.npy  (_val, _aro, _lnd)
    ROOT/val_set/…

``_exp.npy`` holds one expression of AffectNet's own order, as text in the published files.
"""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import numpy as np

from fer_train.contract.errors import DataLayoutError
from fer_train.contract.picture_files import pictures_below
from fer_train.data.label_order import named_table
from fer_train.data.samples import Listing, ReadOptions, Sample

_FOLDERS = {"train_set": "train", "val_set": "val"}


def recognise(root: Path, _: ReadOptions) -> str | None:
    """Say which of the release's folders there are, or None."""
    found = [name for name in _FOLDERS if (root / name / "annotations").is_dir()]
    return f"AffectNet 2021: {', '.join(found)} with annotations/*_exp.npy" if found else None


def read(root: Path, options: ReadOptions) -> Listing:
    """Read the expression of every image.

    Raises:
        DataLayoutError: an annotation that is not an expression id.
    """
    table = named_table("affectnet")
    if options.order is not None and options.order.ids != table.ids:
        raise DataLayoutError(
            f"--label-order {options.order.name} does not fit: AffectNet's annotations number "
            f"{table.describe()}.",
            hint="Leave the option out.",
        )
    samples: list[Sample] = []
    dropped: Counter[str] = Counter()
    for name, split in _FOLDERS.items():
        for path in (f"{name}/images/{p}" for p in pictures_below(root / name / "images")):
            identity = Path(path).stem
            annotation = root / name / "annotations" / f"{identity}_exp.npy"
            if not annotation.is_file():
                dropped["images without an annotation"] += 1
                continue
            expression = _expression(annotation)
            if expression not in table.ids:
                dropped[f"images of expression {expression}"] += 1
                continue
            samples.append(Sample(path, table.ids[expression], split))
    if not samples:
        raise DataLayoutError(
            f"{root} has AffectNet's annotations but no image that belongs to one.",
            hint=f"Expected {root}/train_set/images/<id>.jpg beside annotations/<id>_exp.npy.",
        )
    return Listing(
        root=root,
        samples=samples,
        title=f"AffectNet 2021 annotations, {table.describe()}",
        id_table={str(number): emotion for number, emotion in table.ids.items()},
        dropped=dropped,
        sources=frozenset(f"{name}/annotations/" for name in _FOLDERS),
    )


def _expression(path: Path) -> int:
    try:
        value = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
        return int(value.reshape(-1)[0])
    except (OSError, ValueError, IndexError) as error:
        raise DataLayoutError(
            f"{path} does not hold one expression id: {error}.", hint="Restore or remove it."
        ) from error
