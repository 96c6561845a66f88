"""Kinds of options that several commands have."""

from __future__ import annotations

from pathlib import Path

import click

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)

NO_GATE_HELP = "Package whatever the verdict; report and manifest will say so for ever."
EMOTIONKIT_HELP = "EmotionKit's sources.  [default: those that come with ferconv]"
CANARY_HELP = (
    "Drawn faces in the package, by which a phone checks its compute unit at first launch."
)
