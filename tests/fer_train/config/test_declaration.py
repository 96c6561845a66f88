"""Each option says everything about itself where it is declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from types import NoneType
from typing import Any, Literal, NotRequired, get_args, get_origin, get_type_hints

import pytest

from fer_train.commands.train import train
from fer_train.config.declaration import Option, Range, declares_options, option
from fer_train.config.options import TrainConfig, flag
from fer_train.config.phase import Phase

#: What may stand in a declaration -> its type; what must.
KEYS = get_type_hints(Option)
NEEDED = {
    key
    for key, hint in get_type_hints(Option, include_extras=True).items()
    if get_origin(hint) is not NotRequired
}

COMPLETE: Mapping[str, Any] = {
    "help": "A number.",
    "group": "Loss",
    "resume": "refused",
    "prune": "given",
    "within": Range(0, 1),
}


def complaints(config: type[Any]) -> list[str]:
    """Return what the declarations of a class leave out or say wrongly."""
    hints = get_type_hints(config)
    return [
        f"{field.name}: {what}"
        for field in fields(config)
        for what in (
            *_of_keys(field.metadata),
            *_of_value(hints[field.name], field.default, field.metadata.get("within")),
        )
    ]


def _of_keys(about: Mapping[str, Any]) -> list[str]:
    found = [f"no {key}" for key in sorted(NEEDED - set(about))]
    found += [f"{key} is unknown" for key in about if key not in KEYS]
    for key, value in about.items():
        hint = KEYS.get(key)
        if get_origin(hint) is Literal and value not in get_args(hint):
            found.append(f"{key} is {value!r}")
    if not about.get("help", ".").endswith((".", "].")):
        found.append("help is no sentence")
    return found


def _of_value(hint: Any, default: Any, within: Range | None) -> list[str]:
    if NoneType in get_args(hint):
        (hint,) = (kind for kind in get_args(hint) if kind is not NoneType)
    given = default not in (MISSING, None)
    if (hint in (int, float)) != (within is not None):
        return ["a number without a range, or a range without a number"]
    if get_origin(hint) is Literal:
        return ["default is no choice"] if given and default not in get_args(hint) else []
    if within is None:
        return [] if hint in (str, bool, tuple[Phase, ...]) else [f"no option can be {hint}"]
    return ["default is out of range"] if given and not within.allows(default) else []


def test_every_option_is_declared_completely() -> None:
    assert complaints(TrainConfig) == []


@pytest.mark.parametrize("key", sorted(NEEDED))
def test_a_declaration_without_what_every_option_says_is_refused(key: str) -> None:
    @declares_options
    class Config:
        whole: float = option(default=0.5, **COMPLETE)
        part: float = option(default=0.5, **{k: v for k, v in COMPLETE.items() if k != key})

    assert complaints(Config) == [f"part: no {key}"]


@pytest.mark.parametrize(
    ("hint", "about", "said"),
    [
        (float, {"within": None}, "a number without a range, or a range without a number"),
        (int | None, {"within": None}, "a number without a range, or a range without a number"),
        (str, {}, "a number without a range, or a range without a number"),
        (float, {"default": 1.5}, "default is out of range"),
        (Literal["a", "b"], {"default": "c", "within": None}, "default is no choice"),
        (list[int], {"within": None}, "no option can be list[int]"),
        (float, {"resume": "perhaps"}, "resume is 'perhaps'"),
        (float, {"group": "Odds and ends"}, "group is 'Odds and ends'"),
        (float, {"help": "no sentence"}, "help is no sentence"),
        (float, {"colour": "red"}, "colour is unknown"),
    ],
)
def test_a_wrong_declaration_is_refused(hint: Any, about: Mapping[str, Any], said: str) -> None:
    values = {**COMPLETE, **about}
    if values["within"] is None:
        del values["within"]
    config = declares_options(
        type("Config", (), {"__annotations__": {"part": hint}, "part": option(**values)})
    )
    assert complaints(config) == [f"part: {said}"]


def test_a_field_that_is_no_option_is_refused() -> None:
    @declares_options
    class Config:
        part: str = "default"

    assert complaints(Config) == [f"part: no {key}" for key in sorted(NEEDED)]


def test_train_has_every_option_once() -> None:
    names = [parameter.name for parameter in train.params]
    for field in fields(TrainConfig):
        assert names.count(field.name) == 1
        assert train.params[names.index(field.name)].opts == [flag(field.name)]
