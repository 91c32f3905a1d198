"""What the maps share: rows that give the map back, zero sets, and pairs of networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from experiments.figures.lazy import pairs
from theory import networks
from theory.data.sampling import draw
from theory.networks import training
from theory.networks.descent import Descent
from theory.perturbations import attacks


@settings(max_examples=30)
@given(signs=st.integers(2, 6).flatmap(lambda a: hnp.arrays(bool, (a, a))))
def test_the_rows_of_a_region_give_it_back(signs):
    axis = np.linspace(-1, 1, len(signs))
    rows = pd.DataFrame(pairs.region_rows(axis, np.where(signs, 0.5, -2.0)))
    found_axis, found = pairs.region(rows)
    np.testing.assert_array_equal(found_axis, axis)
    np.testing.assert_array_equal(found, signs.T)  # lines are those of β


@settings(max_examples=30)
@given(radius=st.floats(0.3, 0.9), alpha=st.floats(-0.1, 0.1), beta=st.floats(-0.1, 0.1))
def test_the_vertices_of_a_zero_set_lie_on_it(radius, alpha, beta):
    axis = np.linspace(-1, 1, 41)
    values = (axis[:, None] - alpha) ** 2 + 4 * (axis[None, :] - beta) ** 2 - radius**2
    rows = pd.DataFrame(pairs.curve_rows(axis, values))
    assert np.max(rows.groupby("piece").size().to_numpy()) <= pairs.VERTICES
    off = (rows["alpha"] - alpha) ** 2 + 4 * (rows["beta"] - beta) ** 2 - radius**2
    # Linear interpolation between points 0.05 apart: h²/8 of the second derivatives 2 and 8.
    assert np.abs(off).max() <= 0.05**2
    assert len(list(pairs.curves(rows))) == rows["piece"].nunique()


def test_a_map_of_one_sign_has_no_zero_set():
    axis = np.linspace(-1, 1, 4)
    assert not list(pairs.curve_rows(axis, np.ones((4, 4))))


@pytest.mark.slow
@pytest.mark.parametrize("kept", [0.0, 1.0])
def test_a_pair_is_what_its_parts_make_of_it(kept):
    x, y, _, _ = draw(jax.random.key(1), "shifted-gaussian", 10, 3)
    network, m = networks.frozen_readout(0.2), 50
    descents = (Descent(0.5, 7, momentum=0.5), Descent(0.2, 9))
    key = jax.random.key(2)
    pair = pairs.train_pair(key, network, m, x, y, descents, 0.3, jnp.asarray(kept))
    r = attacks.gradient_perturbations(pair.f, x, pair.target, 0.3, 0.2)
    np.testing.assert_allclose(pair.seen, kept * x + r, rtol=1e-12)
    key_f, key_g, _ = jax.random.split(key, 3)
    for params, key_of, points, labels, descent in (
        (pair.f, key_f, x, y, descents[0]),
        (pair.g, key_g, pair.seen, pair.target, descents[1]),
    ):
        start = networks.init(network, key_of, m, 3)
        expected = training.train(network, start, points, labels, descent).params
        np.testing.assert_allclose(params.w, expected.w, rtol=1e-9, atol=1e-12)
