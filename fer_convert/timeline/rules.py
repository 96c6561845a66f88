"""The constants of a timeline, each declared once; those of Swift's ``PipelineConfiguration``."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How faces are chosen, told apart, averaged and decided about.

    The defaults are EmotionKit's; ``events.json`` carries them, and a Swift test fails where
    ``PipelineConfiguration()`` has others. ``docs/smoothing.md``: what the last four are chosen by.

    Attributes:
        target_rate: frames a second that are analysed.
        maximum_faces: of a frame, the largest.
        minimum_face_height: share of the image's height.
        minimum_confidence: of a detection.
        minimum_overlap: intersection over union from which two boxes are one face.
        lost_timeout_ms: how long a face may be unseen.
        reset_gap_ms: a longer pause starts the average afresh; time that jumps back further is
            another recording.
        smoothing_ms: time constant of the average; 0 for none.
        enter: probability from which an emotion becomes the answer.
        leave: probability below which the answer is given up.
        minimum_dwell_ms: the shortest time between two changes of the answer.
    """

    target_rate: float = 12.0
    maximum_faces: int = 4
    minimum_face_height: float = 0.08
    minimum_confidence: float = 0.5
    minimum_overlap: float = 0.3
    lost_timeout_ms: int = 1000
    reset_gap_ms: int = 1000
    smoothing_ms: int = 400
    enter: float = 0.55
    leave: float = 0.40
    minimum_dwell_ms: int = 400

    def to_dict(self) -> dict[str, float | int]:
        """Return plain numbers under the names above, for ``events.json``."""
        return asdict(self)
