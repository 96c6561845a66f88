"""Which frames are analysed, and which faces of them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from fer_convert.timeline.clip import Frame
from fer_convert.timeline.rules import Rules


def analysed(times_ms: Sequence[int], rate: float) -> list[bool]:
    """Say for each frame whether it is analysed: appointments every ``1/rate`` s, none made up for.

    The next appointment is one interval after the last one, or after this frame when that is
    already past. Time that goes back means a new start and is let through.
    """
    if rate <= 0:
        return [False] * len(times_ms)
    interval = 1000 / Fraction(rate)
    verdicts: list[bool] = []
    last: int | None = None
    appointment = Fraction(0)
    for time in times_ms:
        restarted = last is None or time < last
        # No appointment is later than an interval after the frame before it.
        verdict = restarted or time >= min(appointment, (last or 0) + interval)
        if verdict:
            following = appointment + interval
            appointment = following if not restarted and following > time else time + interval
            last = time
        verdicts.append(verdict)
    return verdicts


def chosen_faces(frame: Frame, *, image_height: int, rules: Rules) -> list[int]:
    """Return the positions of the faces that are analysed, largest first."""
    lowest = rules.minimum_face_height * image_height
    usable = [
        (-face.box.width * face.box.height, position)
        for position, face in enumerate(frame.faces)
        if min(face.box.width, face.box.height) > 0
        and face.box.height >= lowest
        and face.confidence >= rules.minimum_confidence
    ]
    return [position for _, position in sorted(usable)][: max(rules.maximum_faces, 0)]
