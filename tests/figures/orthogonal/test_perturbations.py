"""Perturbations of images: attacks on the trained network and on its limit."""

import dataclasses

import jax
import numpy as np
import pytest

from experiments.figures.orthogonal import perturbations as perturbations
from experiments.figures.orthogonal import perturbations_picture as picture
from theory.data.sampling import Dataset
from theory.perturbations.attacks import geometry_inspired

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 64))
X[:, :3] = 0  # pixels that no image shows
IMAGES = Dataset("images", X, np.array([1.0, -1] * 4))
TINY = perturbations.Settings(data=IMAGES, n=6, m=4, draws=1)


@pytest.fixture(scope="module")
def made():
    return [(c, perturbations.compute(TINY, c, jax.random.key(1))) for c in
            perturbations.cells(TINY)]  # fmt: skip


@pytest.mark.slow
def test_attacks_are_those_that_the_limit_predicts(made):
    arrays = made[0][1]
    assert arrays["certified"] == 1
    for name in perturbations.ATTACKS:
        assert arrays[f"{name} direct"].min() > 0.8, name
    assert arrays["l2 direct"].min() > 0.999
    assert arrays["gradient cosine"] == pytest.approx(arrays["gradient predicted"], abs=0.01)


def test_sizes_are_those_of_the_norms(made):
    arrays = made[0][1]
    for kind in ("inspired", "found"):
        sizes = np.linalg.norm(arrays[f"l2 {kind}"], axis=1)
        np.testing.assert_allclose(sizes, TINY.l2 * 0.08, rtol=1e-6)
        assert np.abs(arrays[f"linf {kind}"]).max() == pytest.approx(TINY.linf)
        assert (np.count_nonzero(arrays[f"l0 {kind}"], axis=1) == 4).all()  # ⌈0.05·64⌉
    # ℓ∞ of the trained network moves pixels of which it learned nothing; the prediction does not.
    assert np.all(arrays["linf found"][:, :3] != 0)
    assert np.all(arrays["linf inspired"][:, :3] == 0)


def test_both_kinds_are_moved_towards_the_other(made):
    arrays = made[0][1]
    np.testing.assert_array_equal(arrays["label"], [1, -1])
    towards = np.sum(arrays["l2 inspired"][0] * arrays["l2 inspired"][1])
    assert towards == pytest.approx(-(np.linalg.norm(arrays["l2 inspired"][0]) ** 2))
    assert geometry_inspired is perturbations.geometry_inspired


def test_table_and_picture(made):
    table = perturbations.table(TINY, made)
    assert (table.kind == "pixel").sum() == 2 * 64 * (1 + 2 * len(perturbations.ATTACKS))
    assert len(picture.draw(TINY, table).axes) == 2 * 8 + 4
    assert "images (labels" in picture.caption(TINY, table)


def test_images_are_square_or_in_colour():
    assert perturbations.image_shape(784) == (28, 28)
    assert perturbations.image_shape(3072) == (32, 32, 3)
    with pytest.raises(ValueError, match="data must be square"):
        perturbations.image_shape(80)
    with pytest.raises(ValueError, match="n must be at most 8"):
        perturbations.cells(dataclasses.replace(TINY, n=9))
