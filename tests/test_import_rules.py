"""The import rules in pyproject.toml name every module of fer_train, so that none slips through."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_module_of_training_is_forbidden_to_conversion_and_contract() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rules = {rule["name"]: rule for rule in config["tool"]["importlinter"]["contracts"]}
    found = {
        f"fer_train.{entry.stem}"
        for entry in (ROOT / "fer_train").iterdir()
        if (entry.suffix == ".py" or (entry / "__init__.py").exists())
        and entry.stem not in ("__init__", "contract")
    }
    for name in (
        "The contract imports neither tool",
        "Conversion sees only the contract of training",
    ):
        assert found <= set(rules[name]["forbidden_modules"]), name
