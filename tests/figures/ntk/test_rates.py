"""ntk-rates: power laws come out of the table as they went in, and networks follow the laws."""

import dataclasses

import jax
import numpy as np
import pytest

from experiments.figures.ntk import rates as rates
from experiments.figures.ntk import rates_picture as picture
from theory.verification.claims import Claim
from theory.verification.kinds import ByQuantity

SMALL = rates.Settings(m_min=16, draws=40, mean_m_min=64, mean_draws=50, chunk=40)


def power_laws(settings, rng, changed=()):
    """Results with the claimed exponents, but 0.2 more for the quantities in `changed`."""
    results = []
    for cell in rates.cells(settings):
        panel, _, predicted = cell["quantity"].partition(" ")
        config = rates.configuration(settings, panel)
        claim = rates.PANELS[panel].statement.claim
        assert isinstance(claim, ByQuantity)
        claims = claim.claims(config)
        claims = claims if isinstance(claims, tuple) else (claims,)
        scales = np.asarray(config.scales, float)
        if predicted:
            laws = {"mean": 2, "smooth": 1}[panel]
            results.append((cell, {"values": np.full((cell["draws"], laws), 3.0)}))
            continue
        exponents = np.array([claim.value + 0.2 * (panel in changed) for claim in claims])
        noise = np.exp(0.1 * rng.normal(size=(cell["draws"], len(claims), len(scales))))
        values = 3 * scales ** exponents[:, None] * noise / np.exp(0.005)
        if panel == "spread":
            law = np.broadcast_to(3 * scales ** np.array([[-1.0]]), values.shape)
            values = np.concatenate([values, law], axis=1)
        results.append((cell, {"values": values}))
    return results


def test_power_laws_are_recovered_and_agree_with_the_laws():
    """About 20 intervals at 95 %, widened by the tolerance of the claims where there is one."""
    table = rates.table(SMALL, power_laws(SMALL, np.random.default_rng(0)))
    fits, points = table[table.exponent.notna()], table[table.m.notna()]
    assert (np.abs(fits.exponent - fits.claimed) < 1.5 * (fits.high - fits.low) / 2).all()
    assert fits.held[fits.tolerance > 0].all()
    assert set(points.quantity[points.predicted.notna()]) == {"spread", "mean", "smooth"}
    assert np.abs(points.z.dropna()).max() < 5
    draws = points.groupby("quantity").draws.first()
    assert draws["kernel"] == 40
    assert draws["mean"] == 50  # of two chunks


def test_other_exponents_and_laws_are_seen():
    wrong = {"kernel", "dynamics", "linearization", "mean", "smooth"}
    table = rates.table(SMALL, power_laws(SMALL, np.random.default_rng(0), wrong))
    fits, points = table[table.exponent.notna()], table[table.m.notna()]
    assert not fits.held[fits.quantity.isin(wrong)].any()
    assert fits.held[fits.quantity == "movement"].all()
    assert (points.z[points.quantity.isin(["mean", "smooth"])].dropna() > 5).all()


@pytest.mark.parametrize(
    ("low", "high", "side", "agrees"),
    [
        (-0.6, -0.4, "equal", True),
        (-0.7, -0.56, "equal", False),
        (-0.44, -0.3, "equal", False),
        (-0.44, -0.3, "at most", False),
        (-0.9, -0.8, "at most", True),
        (-0.9, -0.54, "equal", True),
    ],
)
def test_what_agrees_with_a_claim(low, high, side, agrees):
    claim = Claim(-0.5, 0.1, side=side, tolerance=0.05)
    assert rates._agrees(claim, low, high) == agrees


def test_the_picture_and_its_caption():
    table = rates.table(SMALL, power_laws(SMALL, np.random.default_rng(0)))
    figure = picture.draw(SMALL, table)
    figure.draw_without_rendering()
    assert "40 draws of points and networks" in picture.caption(SMALL, table)


@pytest.mark.slow
def test_networks_have_the_exact_spread_of_the_kernel(key):
    """At widths 16 to 256, within 5 standard errors; and within 30 %, so that C is tested."""
    cell = {"quantity": "spread", "chunk": 0, "draws": 600}
    values = rates.compute(SMALL, cell, key)["values"]
    assert values.shape == (600, 4, 5)
    difference = values[:, :2] - values[:, 2:]
    error = difference.std(axis=0, ddof=1) / 600**0.5
    assert (5 * error < 0.4 * values[:, 2:].mean(axis=0)).all()
    assert (np.abs(difference.mean(axis=0)) < 5 * error).all()


@pytest.mark.slow
def test_quick_settings_agree_with_laws_and_claims(key):
    """Every point within 5 standard errors of its law, every exponent within its range."""
    settings = dataclasses.replace(rates.FIGURE.quick)
    results = [(cell, rates.compute(settings, cell, key)) for cell in rates.cells(settings)]
    table = rates.table(settings, results)
    assert np.abs(table.z.dropna()).max() < 5
    fits = table[table.exponent.notna()]
    assert fits.held[fits.tolerance > 0].all()
    assert (np.abs(fits.exponent - fits.claimed)[fits.side == "equal"] < 0.15).all()


@pytest.mark.slow
def test_predictions_are_on_the_points_of_the_measured_draws(key):
    """The pairing: for one point set a draw, shuffling predictions widens the difference."""
    settings = dataclasses.replace(SMALL, mean_draws=200, chunk=200)
    cell = {"quantity": "smooth", "chunk": 0, "draws": 200}
    measured = rates.compute(settings, cell, key)["values"][:, 0, -1]
    law = rates.compute(settings, cell | {"quantity": "smooth predicted"}, key)["values"][:, 0]
    assert np.corrcoef(measured, law)[0, 1] > 0.5
    other = rates.compute(
        settings, cell | {"quantity": "smooth predicted", "chunk": 1}, jax.random.fold_in(key, 1)
    )["values"][:, 0]
    assert abs(np.corrcoef(measured, other)[0, 1]) < 0.5
