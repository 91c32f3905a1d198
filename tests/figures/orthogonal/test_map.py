"""Decision boundaries on the plane of the mean weights."""

import jax
import numpy as np
import pytest

from experiments.figures.orthogonal import map as maps
from experiments.figures.orthogonal import map_picture as picture
from theory.perturbations.effects import plane_agreement

TINY = maps.Settings(law="gaussian", n=6, n_advs=(6,), d=64, m=4, draws=12, l2=8.0)


@pytest.fixture(scope="module")
def made():
    return [(cell, maps.compute(TINY, cell, jax.random.key(2))) for cell in maps.cells(TINY)]


@pytest.mark.slow
def test_closed_and_trained_boundaries_are_the_same(made):
    """First draw: the trained networks change sign where ⟨q, z⟩ = 0, to a few degrees."""
    arrays = made[0][1]
    circle = np.stack([np.cos(maps.angles()), np.sin(maps.angles())])
    for network, normal in zip(("f", "g"), arrays["normals"], strict=True):
        assert np.mean((arrays[network] > 0) == (normal @ circle > 0)) > 0.98
    # The plane's first axis is the direction from w̄₋ to w̄₊, which f's boundary is normal to.
    assert abs(np.arctan2(arrays["normals"][0, 1], arrays["normals"][0, 0])) < 0.1
    assert arrays["weights"][0, 0] > 0 > arrays["weights"][1, 0]
    np.testing.assert_allclose(np.sign(arrays["samples"] @ arrays["normals"][0]), arrays["labels"])


def test_agreement_and_its_prediction(made):
    table = maps.table(TINY, made)
    row = table[table.kind == "agreement"].iloc[0]
    assert row.predicted == plane_agreement(6, 64, 8 * 0.08, 8.0, 0.5)
    assert abs(row["mean"] - row.predicted) < 4 * row.standard_error
    assert abs(row.trained_less_closed) < 0.02
    assert len(picture.draw(TINY, table).axes) == 3
    assert "hidden weights" in picture.caption(TINY, table)
