"""Under which terms a model was trained and may be used: its purpose, the licences of its sources.

Nobody but the user knows them, so they are asked for when a training begins and travel with the
model from then on. What was not recorded stays "not recorded" in every document about it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from fer_train.contract.timm_networks import is_timm

NOT_RECORDED = "NOT RECORDED"

#: Longest text that `require_term` takes: a paragraph, not a document.
MOST_CHARACTERS = 500

#: What the options are about, for ``fertrain`` and ``ferconv`` alike; the fields of `Terms`.
OPTION_HELP: Mapping[str, str] = {
    "purpose": "What the model is for, in one sentence that people who use an app will read.",
    "data_license": "Licence or terms of the training data: CC-BY-4.0, a contract, an address.",
    "weights_license": "Licence or terms of the weights that training started from.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was recorded; None was not.

    Attributes:
        purpose: the intended purpose, a sentence.
        data_license: of the training data.
        weights_license: of the weights that training started from.
    """

    purpose: str | None = None
    data_license: str | None = None
    weights_license: str | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Terms:
        """Return what a checkpoint's configuration says; one of an earlier version says nothing."""
        return cls(**{field.name: config.get(field.name) for field in fields(cls)})


#: Nobody said anything.
NOTHING = Terms()


def require_term(option: str, text: str) -> None:
    """Raise ValueError unless a text fits into one line of a document."""
    if not text.strip():
        raise ValueError(f"{option} is empty; allowed: a text, or leave the option out.")
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in text):
        raise ValueError(f"{option} has a line break or a control character; allowed: one line.")
    if len(text) > MOST_CHARACTERS:
        raise ValueError(
            f"{option} has {len(text)} characters; allowed: up to {MOST_CHARACTERS}. An address "
            "may say the rest."
        )


def starting_point(config: Mapping[str, Any]) -> str:
    """Say in words what a training started from."""
    if config.get("from_checkpoint"):
        return "an earlier checkpoint"
    weights = config.get("weights")
    if weights is None:
        return "unknown weights"
    if weights == "none":
        return "random weights"
    known = weights == "default" or str(weights).isidentifier()
    library = "timm" if is_timm(str(config.get("arch"))) else "torchvision"
    return f"{library}'s weights ({weights})" if known else "weights from a file"


def missing_terms(config: Mapping[str, Any], *, synthetic: bool) -> dict[str, str]:
    """Return option -> what it would say, for what a document about the model will lack.

    Args:
        synthetic: drawn faces are nobody's, and so are weights that started at random.
    """
    terms = Terms.from_config(config)
    missing = {}
    if terms.purpose is None:
        missing["--purpose"] = "what the model is for"
    if terms.data_license is None and not synthetic:
        missing["--data-license"] = "the licence of the training data"
    if NOT_RECORDED in (terms.weights_license or NOT_RECORDED) and starts_from_others(config):
        missing["--weights-license"] = f"the licence of {starting_point(config)}"
    return missing


def starts_from_others(config: Mapping[str, Any]) -> bool:
    """Whether anything was learned before this training."""
    return bool(config.get("from_checkpoint")) or config.get("weights") != "none"


def inherited_terms(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the options of a training that starts from a checkpoint with this configuration.

    Its purpose goes on; its data and weights are what the new weights started from.
    """
    terms = Terms.from_config(config)
    options = {} if terms.purpose is None else {"purpose": terms.purpose}
    if terms.data_license is not None or terms.weights_license is not None:
        sources = [f"its data: {terms.data_license or NOT_RECORDED}"]
        if starts_from_others(config):
            sources.append(f"its starting weights: {terms.weights_license or NOT_RECORDED}")
        # A chain of trainings must not grow beyond what an option may say.
        options["weights_license"] = "; ".join(sources)[:MOST_CHARACTERS]
    return options
