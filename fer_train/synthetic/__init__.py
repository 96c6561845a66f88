"""Faces the project draws itself: seeded and driven by facial action units.

    draw_face("fear", seed=0, index=7, size=96)          # uint8 [96, 96, 3]
    write_dataset(Path("faces"), per_class=demo_counts(train=250, val=50, test=0), ...)

The way of a face: `action_units` (what the muscles do) and `identity` (whose face) become curves
in `geometry` and `creases`; `scene` poses them; `paint_head` and `paint_features` fill a `canvas`;
`camera` lights and photographs it. `moving` shows one person over time.
"""

from fer_train.synthetic.dataset import (
    MARKER,
    SPLITS,
    DatasetSummary,
    demo_counts,
    write_dataset,
)
from fer_train.synthetic.face import GENERATOR_VERSION, draw_face
from fer_train.synthetic.moving import Motion, Person, between_looks, draw_person, photograph

__all__ = [
    "GENERATOR_VERSION",
    "MARKER",
    "SPLITS",
    "DatasetSummary",
    "Motion",
    "Person",
    "between_looks",
    "demo_counts",
    "draw_face",
    "draw_person",
    "photograph",
    "write_dataset",
]
