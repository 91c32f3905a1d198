"""Changed activations: what is trained is what is said, and the law is where its limits are."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.figures.lazy import activation as figure
from experiments.figures.lazy import activation_picture as picture
from theory.data.sampling import draw
from theory.networks.descent import descent_for_time
from theory.networks.network import frozen_readout, init, pre_activations
from theory.networks.training import train

SETTINGS = dataclasses.replace(
    figure.FIGURE.quick, n=30, d=5, queries=8, widths=(10, 1000), times=(1.0, 5.0), steps=20,
    neurons=4000, samples=1000,
)  # fmt: skip


def test_cells_are_curves_and_networks():
    cells = figure.cells(SETTINGS)
    assert sum(cell["part"] == "law" for cell in cells) == 2
    assert sum(cell["part"] == "trained" for cell in cells) == 2 * 2 * 2
    assert len({tuple(cell.items()) for cell in cells}) == len(cells)
    tau = figure.ratios(SETTINGS)
    assert tau[0] < 1 / 1000**0.5
    assert tau[-1] > 5 / 10**0.5
    assert figure.networks(SETTINGS, 10) == 400
    assert figure.networks(SETTINGS, 10**6) == 1


@pytest.mark.parametrize(("lower", "held"), [(0.19, True), (0.17, False)])
def test_markers_are_filled_where_the_limits_are_near(lower, held):
    values = {"mean": 0.2, "predicted": 0.2, "lower": lower, "upper": 0.21}
    arrays = {name: np.array(value) for name, value in values.items()}
    cell = {"part": "trained", "slope": 0.0, "T": 1.0, "m": 10}
    (row,) = figure.table(SETTINGS, [(cell, arrays)]).to_dict("records")
    assert row["held"] == held
    assert row["draws"] == 400


@pytest.mark.slow
def test_one_wide_network_stands_for_many():
    """Against networks of width m trained on their weights for T."""
    key, m, time, slope = jax.random.key(3), 10, 5.0, 0.5
    cell = {"part": "trained", "slope": slope, "T": time, "m": m}
    found = figure.compute(SETTINGS, cell, key)
    x, y, z, _ = draw(jax.random.split(key, 3)[0], SETTINGS.data, SETTINGS.n, SETTINGS.d, queries=8)
    network, descent = frozen_readout(slope), descent_for_time(time, 20, SETTINGS.momentum)

    def share(key):
        start = init(network, key, m, SETTINGS.d)
        after = train(network, start, x, y, descent).params
        return jnp.mean((pre_activations(start, z) >= 0) != (pre_activations(after, z) >= 0))

    shares = np.asarray(jax.vmap(share)(jax.random.split(jax.random.key(4), 400)), float)
    error = np.hypot(found["standard_error"], np.std(shares) / 400**0.5)
    assert abs(found["mean"] - np.mean(shares)) < 4 * error  # false alarm: 6e-5


@pytest.mark.slow
def test_measured_shares_lie_between_the_limits_and_are_drawn():
    key = jax.random.key(5)
    results = [(cell, figure.compute(SETTINGS, cell, key)) for cell in figure.cells(SETTINGS)]
    table = figure.table(SETTINGS, results)
    trained = table[table["part"] == "trained"]
    error = 4 * np.hypot(trained["standard_error"], trained["law_error"])
    assert np.all(trained["mean"] >= trained["lower"] - error)
    assert np.all(trained["mean"] <= trained["upper"] + error)
    assert np.all(trained["bound"] <= trained["arctan"] * (1 + 1e-9))
    held = trained[trained["held"].astype(bool)]
    assert len(held)
    # Limits within a tenth of the law: what is left of its bias is small against 4 errors.
    off = np.abs(held["mean"] - held["predicted"])
    assert (off < 0.1 * held["predicted"] + 4 * held["standard_error"]).all()
    assert len(picture.draw(SETTINGS, table).axes) == 2
    assert "5, one draw" in picture.caption(SETTINGS, table)
