"""The four figures of noises of image networks, in one file: they share compiled programs."""

import dataclasses
import zlib
from typing import Any

import jax
import matplotlib
import numpy as np
import pandas as pd
import pytest

from experiments.figures import registry, style
from experiments.figures.separability import (
    attacks,
    width,
)
from experiments.figures.separability import (
    embedding as separability_embedding,
)
from experiments.figures.separability import (
    training as separability_training,
)
from experiments.figures.separability import (
    words as separability_words,
)
from experiments.images import experiment

TINY: dict[str, Any] = {
    "most_train": 128,
    "most_test": 64,
    "epochs": 2,
    "batch": 32,
    "probe_steps": 20,
}
TRAINING = separability_training.Settings(
    **TINY, networks=("cnn",), cnn_width=4, learning_rates=(0.1,), look_at=(0, 2), draws=2
)
WIDTH = width.Settings(**TINY, widths=(4,), learning_rate=0.1, draws=2)
ATTACKS = attacks.Settings(
    **TINY, networks=("cnn", "cnn-robust"), cnn_width=4, learning_rate=0.1, pgd_steps=(5,), draws=2
)
EMBEDDING = separability_embedding.Settings(
    **(TINY | dict[str, Any](epochs=0)), networks=("cnn",), cnn_width=4, perplexity=8.0
)
MODULES = {
    "separability-training": separability_training,
    "separability-width": width,
    "separability-attacks": attacks,
    "separability-embedding": separability_embedding,
}


SETTINGS = dict(zip(MODULES, (TRAINING, WIDTH, ATTACKS, EMBEDDING), strict=True))


def computed(name):
    module, settings = MODULES[name], SETTINGS[name]
    return [(c, module.compute(settings, c, jax.random.key(0))) for c in module.cells(settings)]


def made_up(name, cell):
    """Arrays of the shapes that `compute` promises."""
    shapes = {
        "separability-training": {
            "noises": (2, 2, 2), "drawn": (2, 2, 2), "present": (2, 2, 2), "network": (2, 2),
            "images": (2,),
        },
        "separability-width": {
            "noises": (2, 2, 2), "separator": (2, 2, 2), "network": (2, 2), "images": (2,),
        },
        "separability-attacks": {
            "noises": (6, 2), "attacked": (6, 2), "network": (2,), "images": (2,),
        },
        "separability-embedding": {"places": (64, 2), "labels": (64,), "accuracy": ()},
    }[name]  # fmt: skip
    draws = np.random.default_rng(zlib.crc32(repr(cell).encode()))
    arrays = {array: draws.uniform(0.2, 0.9, shape) for array, shape in shapes.items()}
    if "labels" in arrays:
        arrays["labels"] = draws.integers(0, 10, 64)
    return arrays


def results(name):
    cells = MODULES[name].cells(SETTINGS[name])
    return [(cell, made_up(name, cell)) for cell in cells]


@pytest.mark.parametrize("name", MODULES)
def test_every_figure_is_drawn_and_described(name):
    figure, settings = registry.figures()[name], SETTINGS[name]
    table = figure.table(settings, results(name))
    with matplotlib.rc_context(style.RC):
        picture = figure.draw(settings, table)
        picture.draw_without_rendering()
    assert len(picture.axes) >= 2
    caption = figure.caption(settings, table)
    for word in ("digits", "cifar10:DIR", "linear classifier", "Claim tested", "±2"):
        if "embedding" not in name or word[0] not in "C±":
            assert word in caption


PUBLISHED = {"batch": 128, "probe_steps": 50, "robust_steps": 7}
PUBLISHED |= {"robust_epsilon": 8 / 255, "robust_step": 2 / 255}
NETWORKS = {"resnet_width": 64, "vgg_width": 64, "wide_width": 4 * 16}
PAPER = {
    "separability-training": PUBLISHED
    | NETWORKS
    | {
        "networks": ("resnet18", "resnet18-robust", "vgg11", "wrn28"),
        "learning_rates": (0.001, 0.1),
        "temperatures": (1.0, 10.0),
        "epochs": 100,
        "look_at": tuple(range(0, 101, 10)),
    },
    "separability-width": PUBLISHED
    | {"widths": (4, 16, 64, 128, 256), "learning_rate": 0.01, "epochs": 50},
    "separability-attacks": PUBLISHED
    | NETWORKS
    | {
        "networks": ("resnet18", "resnet18-robust"),
        "pgd_steps": (5, 10, 100),
        "sup_epsilon": 8 / 255,
        "epsilon": 0.5,
        "epochs": 100,
    },
    "separability-embedding": PUBLISHED | NETWORKS | {"networks": ("resnet18",), "epochs": 0},
}


@pytest.mark.parametrize("name", PAPER)
def test_the_paper_preset_is_what_is_published(name):
    settings = dataclasses.asdict(registry.figures()[name].paper)
    assert {key: settings[key] for key in PAPER[name]} == PAPER[name]
    MODULES[name].cells(registry.figures()[name].paper)  # its axes can be read


@pytest.mark.parametrize("name", list(experiment.KINDS))
def test_networks_in_robust_are_trained_adversarially_and_others_are_not(name, monkeypatch):
    """Whatever the figure: the module, and the noises that it is trained on."""
    monkeypatch.setattr(experiment.training, "train", lambda *given: given)
    settings, trial = experiment.ImageSettings(), experiment.images(ATTACKS)
    for word, epsilon in ((name, 0.0), (f"{name}-robust", 8 / 255)):
        given: Any = experiment.trained(settings, word, jax.random.key(0), trial, learning_rate=0.1)
        module, recipe, *_ = given
        assert module == experiment.KINDS[name].module(experiment.width(name, settings))
        found = (recipe.adversarial, recipe.adversarial_steps, recipe.adversarial_step)
        assert found == (epsilon, 7, 2 / 255)
        assert ("robust" in experiment.title(word, settings)) == (epsilon > 0)


def test_captions_say_whether_networks_are_trained_and_how_robust_ones_are():
    embedding = registry.figures()["separability-embedding"]
    table = embedding.table(EMBEDDING, results("separability-embedding"))
    for epochs, words in ((0, "randomly initialized"), (7, "7 epochs")):
        settings = dataclasses.replace(EMBEDDING, epochs=epochs)
        assert words in embedding.caption(settings, table)
        assert ("not trained" in embedding.caption(settings, table)) == (epochs == 0)
    training = registry.figures()["separability-training"]
    table = training.table(TRAINING, results("separability-training"))
    for networks, robust in ((("cnn",), False), (("cnn", "cnn-robust"), True)):
        settings = dataclasses.replace(TRAINING, networks=networks)
        assert ("7 projected gradient steps" in training.caption(settings, table)) == robust


def test_embeddings_say_for_how_many_networks_noises_are_easier_than_images():
    embedding = registry.figures()["separability-embedding"]
    table = embedding.table(EMBEDDING, results("separability-embedding"))
    for accuracy, easier in ((0.4, 0), (0.6, 1)):
        table["linear_accuracy"] = np.where(table.of == "images", 0.5, accuracy)
        said = embedding.caption(EMBEDDING, table)
        assert f"(0.500) for {easier} of 1 network" in said


def test_tables_hold_means_errors_and_what_theory_says():
    found = results("separability-training")
    table = separability_training.table(TRAINING, found)
    assert sorted(set(table.epoch)) == [0, 2]  # epoch 5 is beyond the training
    rows: Any = table[(table.epoch == 2) & (table.split == "test") & (table.temperature == 10.0)]
    (row,) = rows.to_dict(orient="records")
    draws, drawn = (
        np.array([arrays[name][1, 1, 1] for _, arrays in found]) for name in ("noises", "drawn")
    )
    assert row["mean"] == pytest.approx(draws.mean())
    assert row["standard_error"] == pytest.approx(abs(draws[1] - draws[0]) / 2)
    assert row["predicted"] == pytest.approx(drawn.mean())
    assert row["draws"] == 2


def test_the_verdict_counts_what_is_beyond_two_standard_errors():
    table = pd.DataFrame(
        {
            "split": ["test"] * 5 + ["training"],
            "classifier": ["linear, of images"] + ["linear, of noises"] * 5,
            "mean": [0.5, 0.9, 0.6, 0.4, 0.1, 1.0],
            "standard_error": [np.nan, 0.1, 0.06, np.nan, 0.1, 0.0],
        }
    )
    said = separability_words.verdict(table)
    assert "Of 4 points" in said
    assert "(0.500) at 1, harder at 2, the rest" in said


def test_a_separator_that_misses_a_training_noise_in_a_draw_is_no_certificate():
    (cell, first), other = results("separability-width")
    for separator, held in (([1.0, 0.5], True), ([0.99, 1.0], False)):
        changed = [
            (cell, first | {"separator": np.broadcast_to(separator, (2, 2, 2))}),
            (other[0], other[1] | {"separator": np.ones((2, 2, 2))}),
        ]
        table = width.table(WIDTH, changed)
        assert (table.held.dropna() == held).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_what_is_computed_has_the_shapes_that_are_promised(name):
    for cell, arrays in computed(name):
        expected = made_up(name, cell)
        assert {k: v.shape for k, v in arrays.items()} == {k: v.shape for k, v in expected.items()}


@pytest.mark.slow
def test_the_claim_holds_for_two_layer_networks_on_digits():
    for _, arrays in computed("separability-width"):
        assert (arrays["noises"][:, :, 1] > arrays["images"][1]).all()
        assert (arrays["separator"][0] > 0.9).all()
        assert arrays["network"][1, 0] > arrays["network"][0, 0] + 0.2  # it has learned something


@pytest.mark.slow
def test_attacks_fool_and_adversarial_training_trains_otherwise():
    found = computed("separability-attacks")
    away = [k for k, kind in enumerate(attacks.kinds(ATTACKS)) if not kind.targeted]
    for _, arrays in found:
        assert (arrays["attacked"][away] <= arrays["network"]).all()
    plain, robust = (found[place][1] for place in (0, 2))
    assert not np.array_equal(robust["attacked"], plain["attacked"])


@pytest.mark.parametrize(
    ("module", "changes", "message"),
    [
        (separability_training, {"networks": ("cnn", "vgg16")}, r"networks\[1\] must be one of"),
        (
            separability_training,
            {"networks": ()},
            "networks must be a tuple of strings",
        ),
        (
            separability_training,
            {"networks": ("cnn", "cnn")},
            "networks must name a value once, got 'cnn' twice",
        ),
        (
            separability_training,
            {"temperatures": ("x",)},
            r"temperatures\[0\] must be a finite number",
        ),
        (width, {"widths": (4, 0.5)}, r"widths\[1\] must be an integer"),
        (attacks, {"pgd_steps": (5, 0)}, "pgd_steps"),
    ],
)
def test_settings_that_make_no_sense_fail_before_any_work(module, changes, message):
    with pytest.raises(ValueError, match=message):
        module.cells(dataclasses.replace(module.Settings(), **changes))
