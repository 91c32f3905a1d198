"""Agreement and margins against width: the certified bound holds, pictures are drawn."""

import jax
import numpy as np
import pytest

from experiments.figures.lazy import width

SETTINGS = width.Settings(ms=(20, 3000), draws=3, queries=8, d=6, n=8, epsilon=0.5, steps=4)


@pytest.mark.slow
def test_computed():
    cells = [cell for cell in width.cells(SETTINGS) if cell["case"] == "leaky"]
    key = jax.random.key(0)
    results = [(cell, width.compute(SETTINGS, cell, key)) for cell in cells]
    narrow, wide = (arrays for _, arrays in results)
    # The same data and limits at all widths, other networks.
    assert np.array_equal(narrow["predicted_agreement"], wide["predicted_agreement"])
    assert np.allclose(narrow["margin_f"].shape, (3, 8))
    assert (narrow["margin_f"] < wide["margin_f"]).all()
    table = width.table(SETTINGS, results)
    assert list(table["held"]) == list(table["share"] >= width.SHARE)
    assert np.all(table["mean"] >= table["certified"])
    assert np.max(table["certified"].to_numpy()) > 0.5  # something is certified


def test_table_and_picture():
    """What is certified are points with both margins above 1 and equal signs, less δ."""
    ones = np.ones((3, 4))
    margins = np.array([2.0, 2.0, 0.5, 2.0])[None, :] * ones
    arrays = {
        "agreement": np.array([1.0, 0.75, 1.0]), "predicted_agreement": np.array([1.0, 1.0, 1.0]),
        "margin_f": margins, "margin_g": 2 * ones, "same": np.array([True, False, True, True])
        & (ones > 0),
    }  # fmt: skip
    surely = arrays | {"margin_f": 2 * ones, "same": ones > 0}
    results = [({"case": "leaky", "m": m}, a) for m, a in ((20, arrays), (3000, surely))]
    table = width.table(SETTINGS, results)
    assert list(table["share"]) == [0.5, 1.0]
    assert list(table["certified"]) == pytest.approx([0.45, 0.95])
    assert list(table["held"]) == [False, True]
    assert table["difference"].to_numpy()[0] == pytest.approx(-1 / 12)
    figure = width.FIGURE.draw(SETTINGS, table)
    assert len(figure.axes) == 2
    assert "over 3 draws" in width.FIGURE.caption(SETTINGS, table)
