"""Put what ``fer_convert.bundled`` says into the wheel: run by hatchling, see pyproject.toml."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_BUNDLED = "fer_convert/bundled"


class BundleHook(BuildHookInterface[BuilderConfig]):
    """Adds the drawn faces and EmotionKit's sources; an editable install has the checkout's."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it collects files."""
        if version == "editable":
            return
        # The file alone: its package's dependencies are not there during a build.
        bundled = runpy.run_path(str(Path(self.root, _BUNDLED, "__init__.py")))
        build_data["force_include"] |= {
            str(source): f"{_BUNDLED}/{target.as_posix()}"
            for source, target in bundled["wheel_files"](Path(self.root)).items()
        }
