"""Both commands answer at once: ``--help`` loads no library that only the work itself needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    *("torch", "torchvision", "timm", "numpy", "scipy", "pandas", "sympy", "PIL", "rich", "jinja2"),
    *("matplotlib", "coremltools", "onnx", "onnxruntime", "tensorboard", "google.protobuf"),
)

#: Asks every command of a group for its help; fails if that loaded one of the other arguments.
PROGRAM = """
import importlib, sys

def ask(command):
    command.main(["--help"], standalone_mode=False)
    for child in getattr(command, "commands", {}).values():
        ask(child)

module, name, *heavy = sys.argv[1:]
ask(getattr(importlib.import_module(module), name))
loaded = [name for name in heavy if name in sys.modules]
sys.exit(f"loaded {loaded}" if loaded else 0)
"""

ENTRIES = [("fer_train.cli", "app", "--per-class"), ("fer_convert.cli", "cli", "--fixtures")]


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("module", "name", "option"), ENTRIES)
def test_help_of_every_command_loads_no_heavy_library(module: str, name: str, option: str) -> None:
    ran = python("-c", PROGRAM, module, name, *HEAVY)
    assert ran.returncode == 0, ran.stderr
    assert option in ran.stdout  # the subcommands were really asked


@pytest.mark.parametrize("module", [module for module, *_ in ENTRIES])
def test_the_module_runs_as_the_console_script_does(module: str) -> None:
    ran = python("-m", module, "--help")
    assert ran.returncode == 0 and "Commands:" in ran.stdout
    wrong = python("-m", module, "nothing")
    assert wrong.returncode == 2 and "No such command" in wrong.stderr
