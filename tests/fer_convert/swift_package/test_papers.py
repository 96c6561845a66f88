"""use.json and the papers written from it: what is recorded, what is not, what is hostile."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fer_convert.source import Source, load_source
from fer_convert.swift_package.papers import APP_REVIEW, MODEL_CARD, papers
from fer_convert.swift_package.readme import ModelTexts, package_readme
from fer_convert.swift_package.use import not_recorded, restated, use_record
from fer_convert.swift_package.write import MODELS
from fer_train.contract.terms import NOTHING, Terms
from tests.fer_convert.nets import SPEC, Ferconv

ROW = {"precision": 0.5, "recall": 0.75, "recall_interval": [0.6, 0.9], "f1": 0.6, "support": 40}
FIGURES = {
    "accuracy": 0.61,
    "accuracy_interval": [0.58, 0.64],
    "balanced_accuracy": 0.6,
    "macro_f1": 0.59,
    "images": 80,
    "per_class": {"anger": ROW, "fear": {**ROW, "support": 0}},
}
METRICS = {"split": "val", **FIGURES, "test": {**FIGURES, "accuracy": 0.57}}
CONFIG = {
    "arch": "resnet18",
    "weights": "default",
    "purpose": "Turns the page at a smile.",
    "data_license": "CC BY 4.0",
    "weights_license": None,
}
DATA = {"root": "faces", "counts": {"train": {"anger": 3, "fear": 4}, "val": {"anger": 2}}}
TEXTS = ModelTexts(author="me", license="MIT", version="2.0")


@pytest.fixture(scope="module")
def foreign(script: Path) -> Source:
    return load_source(script, labels="affectnet-folders", preprocess=json.dumps(SPEC.to_dict()))


@pytest.fixture(scope="module")
def source(foreign: Source) -> Source:
    """The tiny network, with what a checkpoint of ours says beside its weights."""
    return replace(foreign, kind="best", config=CONFIG, data=DATA, metrics=METRICS)


@pytest.fixture(scope="module")
def manifest(built_once: Path) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((built_once / "manifest.json").read_text())
    return made


def test_what_training_recorded_is_in_the_record(source: Source) -> None:
    use = use_record(source, NOTHING, demo=False)
    assert use["purpose"] == {"text": "Turns the page at a smile.", "said_at": "training"}
    assert use["data"]["license"] == {"text": "CC BY 4.0", "said_at": "training"}
    assert use["data"]["images"] == {"train": 7, "val": 2} and use["data"]["name"] == "faces"
    assert use["weights"] == {"start": "torchvision's weights (default)", "license": None}
    assert [(row["split"], row["accuracy"]) for row in use["figures"]] == [
        *(("test", 0.57), ("val", 0.61))
    ]
    anger, fear = use["figures"][0]["per_class"]
    assert (anger["recall"], anger["recall_interval"]) == (0.75, [0.6, 0.9])
    # Nobody was there to be recognised.
    assert (fear["images"], fear["recall"], fear["recall_interval"]) == (0, None, None)
    assert list(not_recorded(use)) == ["--weights-license"]


def test_later_words_replace_earlier_ones_and_say_when(source: Source) -> None:
    use = use_record(source, Terms(data_license="by contract"), demo=False)
    use = restated(use, Terms(weights_license="BSD"), speaker="packaging")
    assert use["data"]["license"] == {"text": "by contract", "said_at": "conversion"}
    assert use["weights"]["license"] == {"text": "BSD", "said_at": "packaging"}
    assert use["purpose"]["said_at"] == "training"
    assert not_recorded(use) == {}


def test_nothing_is_made_up_about_a_foreign_model(
    foreign: Source, manifest: dict[str, Any]
) -> None:
    use = use_record(foreign, NOTHING, demo=False)
    assert set(not_recorded(use)) == {"--purpose", "--data-license", "--weights-license"}
    assert use["figures"] == [] and use["weights"]["start"] is None
    made = papers(manifest, use, TEXTS)
    card = made[MODEL_CARD]
    assert "**NOT RECORDED.** A model without a stated purpose has no right one." in card
    assert "Nothing is known about how often this model is right" in card
    assert card.count("**NOT RECORDED**") == 2
    assert "**[what the app does with the expression, in one sentence]**" in made[APP_REVIEW]
    for text in (card, made[APP_REVIEW], package_readme(manifest, use, TEXTS)):
        assert "**Not recorded:** what the model is for; the licence of the training data" in text


def test_the_papers_say_what_is_recorded(source: Source, manifest: dict[str, Any]) -> None:
    use = use_record(source, Terms(weights_license="BSD; ImageNet's terms"), demo=False)
    made = papers(manifest, use, TEXTS)
    card = made[MODEL_CARD]
    assert "NOT RECORDED" not in card and "Not recorded" not in card
    for fact in (
        *("Turns the page at a smile.", "| CC BY 4.0 | training |", "BSD; ImageNet's terms"),
        *("| test | 80 | 57.0 % (58.0 to 64.0 %)", "| anger | 40 | 75.0 % (60.0 to 90.0 %)"),
        *("**Article 5(1)(f)**", "**Article 50(3)**", "**Annex III, point 1(c)**"),
        *("Ask a lawyer", "eur-lex.europa.eu/eli/reg/2024/1689", "**NOT MEASURED.**"),
        *("faces: train 7, val 2", "PASS on 5 images", manifest["model"]["sha256"]),
    ):
        assert fact in card
    review = made[APP_REVIEW]
    assert "> Turns the page at a smile. [Any other use." in review
    for guideline in ("2.1", "2.5.13", "2.5.14", "5.1.1(i)", "5.1.1(ii)", "5.1.1(iv)", "5.1.2(vi)"):
        assert guideline in review
    assert "For:** Turns the page at a smile." in package_readme(manifest, use, TEXTS)


def test_a_model_of_drawn_faces_needs_no_licence_and_no_purpose(
    source: Source, manifest: dict[str, Any]
) -> None:
    drawn = replace(source, synthetic=True, config={"weights": "none"}, metrics={})
    use = use_record(drawn, NOTHING, demo=True)
    assert not_recorded(use) == {}
    made = papers(manifest, use, TEXTS)
    assert "**Demonstration model.**" in made[MODEL_CARD]
    assert "drawn by a program: nobody's pictures" in made[MODEL_CARD]
    assert "**Do not submit this model.**" in made[APP_REVIEW]


@pytest.mark.parametrize(
    "metrics",
    [
        {"split": "val"},
        {"validation": {"accuracy": 0.5}},
        {"split": "val", **FIGURES, "accuracy": float("nan")},
        {"split": "val", **FIGURES, "accuracy": "0.9"},
        {"split": "val", **FIGURES, "images": True},
        {"split": ["val"], **FIGURES},
        {"test": [FIGURES]},
    ],
)
def test_figures_of_another_form_count_as_not_recorded(
    source: Source, metrics: dict[str, Any]
) -> None:
    assert use_record(replace(source, metrics=metrics), NOTHING, demo=False)["figures"] == []


def test_what_a_file_says_is_no_markup(source: Source, manifest: dict[str, Any]) -> None:
    evil = "<img src=x>|[a](b)\n# **free**"
    odd = {"root": evil, "counts": {evil: {"anger": 2}, "val": 3}}
    figures = {**FIGURES, "per_class": {evil: ROW, "anger": "no row", 3: ROW}}
    config = {"weights": evil, "arch": 3, "purpose": evil, "data_license": 7}
    hostile = replace(source, data=odd, config=config, metrics={"split": "val", **figures})
    use = use_record(hostile, NOTHING, demo=False)
    json.dumps(use, allow_nan=False)
    assert use["data"]["license"] is None
    for text in (*papers(manifest, use, TEXTS).values(), package_readme(manifest, use, TEXTS)):
        assert "<img" not in text.replace("\\<img", "") and "\n# **free" not in text


def test_terms_can_be_said_when_the_package_is_written(
    ferconv: Ferconv, built_once: Path, emotionkit: Path, tmp_path: Path
) -> None:
    kit = tmp_path / "kit"
    options = ("package", "--build", built_once, "--out", kit, "--emotionkit", emotionkit)
    ran = ferconv(*options, "--purpose", "Play.")
    assert ran.code == 0
    assert "not recorded: the licence of the training data" in ran.out
    use = json.loads((kit / MODELS / "use.json").read_text())
    assert use["purpose"] == {"text": "Play.", "said_at": "packaging"}
    assert "Play." in (kit / MODEL_CARD).read_text()
    refused = ferconv(*options, "--purpose", "a\nb")
    assert refused.code == 2 and "--purpose has a line break" in refused.err
