"""A run's calibration: as its metrics.json records it, or from its answers where that is older."""

from __future__ import annotations

from typing import Any

from fer_train.calibration import calibration_record, fit_temperature
from fer_train.report.reading import RunRecord


def calibration_of(record: RunRecord) -> dict[str, Any]:
    """Return split -> `calibration_record`; empty without answers.

    Raises:
        FerError: a file of answers is damaged.
    """
    recorded: dict[str, Any] = dict(record.metrics.get("calibration") or {})
    missing = [n for n in ("val", "test") if record.figures(n) is not None and n not in recorded]
    if not missing:
        return recorded
    val = record.evaluated("val")
    if val is None or not len(val.answers.logits):
        return recorded
    # As a run does it today: the temperature is chosen on val and only applied to test.
    temperature = fit_temperature(val.answers)
    for name in missing:
        found = record.evaluated(name)
        if found is not None and len(found.answers.logits):
            recorded[name] = calibration_record(
                found.answers, temperature=temperature, fitted_on="val"
            )
    return recorded
