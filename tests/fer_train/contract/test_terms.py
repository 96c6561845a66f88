"""Purpose and licences: what is asked for, what is inherited, what fits into a line."""

from __future__ import annotations

from typing import Any

import pytest

from fer_train.contract.terms import (
    MOST_CHARACTERS,
    NOT_RECORDED,
    Terms,
    inherited_terms,
    missing_terms,
    require_term,
)

PRETRAINED = {"arch": "resnet18", "weights": "default"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("one\ntwo", "line break"),
        ("bell\a", "control"),
        ("a\u2028b", "line break"),
        ("x" * (MOST_CHARACTERS + 1), "501 characters"),
    ],
)
def test_a_term_is_one_line(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        require_term("--purpose", text)
    assert "--purpose" in str(refused.value) and "allowed" in str(refused.value)
    require_term("--purpose", "表情を見せる, “só isso”")


@pytest.mark.parametrize(
    ("config", "synthetic", "missing"),
    [
        (PRETRAINED, False, {"--purpose", "--data-license", "--weights-license"}),
        (PRETRAINED | {"weights": "none"}, False, {"--purpose", "--data-license"}),
        (PRETRAINED | {"data_license": "CC0"}, False, {"--purpose", "--weights-license"}),
        (PRETRAINED | {"purpose": "Play.", "weights_license": "BSD"}, True, set()),
        (
            {"weights": "none", "from_checkpoint": "best.pt"},
            True,
            {"--purpose", "--weights-license"},
        ),
        (
            {"purpose": "Play.", "data_license": "CC0", "weights_license": f"x: {NOT_RECORDED}"},
            False,
            {"--weights-license"},
        ),
    ],
)
def test_what_is_not_recorded_is_asked_for(
    config: dict[str, Any], synthetic: bool, missing: set[str]
) -> None:
    assert set(missing_terms(config, synthetic=synthetic)) == missing


def test_a_training_from_a_checkpoint_names_its_sources() -> None:
    assert inherited_terms(PRETRAINED) == {}
    first = PRETRAINED | {"purpose": "Play.", "data_license": "CC0"}
    second = inherited_terms(first)
    assert second == {
        "purpose": "Play.",
        "weights_license": f"its data: CC0; its starting weights: {NOT_RECORDED}",
    }
    third = inherited_terms({"from_checkpoint": "best.pt", **second, "data_license": "mine"})
    assert (
        third["weights_license"]
        == f"its data: mine; its starting weights: {second['weights_license']}"
    )
    from_nothing = inherited_terms({"weights": "none", "data_license": "CC0"})
    assert from_nothing == {"weights_license": "its data: CC0"}
    assert Terms.from_config({}) == Terms()
