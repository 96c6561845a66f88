"""Building the project and using what was built, where no checkout can be seen."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

#: Nothing that could lead an interpreter to a checkout.
_FORGOTTEN = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")

_NONE: Mapping[str, str] = MappingProxyType({})


class Environment:
    """A virtual environment with one wheel; libraries come from the environment of the tests.

    A ``.pth`` file names their folders. Python reads no ``.pth`` file that lies in such a folder,
    so an editable install of the project there does not count.
    """

    def __init__(self, folder: Path, *, wheel: Path) -> None:
        venv.create(folder)
        self.bin = folder / ("Scripts" if os.name == "nt" else "bin")
        variables = {"base": str(folder), "platbase": str(folder)}
        self.packages = Path(sysconfig.get_path("purelib", "venv", vars=variables))
        run(
            *(sys.executable, "-m", "pip", "--python", self.bin / "python", "install", "--quiet"),
            *("--disable-pip-version-check", "--no-index", "--no-deps", "--no-compile", wheel),
            cwd=folder,
        )
        libraries = [path for path in sys.path if Path(path).name.endswith("-packages")]
        (self.packages / "libraries.pth").write_text("\n".join(libraries), encoding="utf-8")

    def __call__(
        self, command: str, *arguments: object, cwd: Path, variables: Mapping[str, str] = _NONE
    ) -> str:
        """Run a command of this environment in a folder; return what it printed on stdout."""
        return run(self.bin / command, *arguments, cwd=cwd, variables=variables)


def run(*command: object, cwd: Path, umask: int = -1, variables: Mapping[str, str] = _NONE) -> str:
    """Run a command that must succeed; return what it printed on stdout.

    Args:
        variables: added to the environment.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _FORGOTTEN}
    ran = subprocess.run(
        [str(argument) for argument in command],
        cwd=cwd,
        env={**environment, "OMP_NUM_THREADS": "1", **variables},
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"
    return ran.stdout
