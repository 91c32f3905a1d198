"""Agreement and margins against width: the certified bound holds, pictures are drawn."""

import jax
import numpy as np

from experiments.figures import lazy_width

SETTINGS = lazy_width.Settings(ms="20,3000", draws=3, queries=8, d=6, n=8, epsilon=0.5, steps=4)


def test_a_small_figure():
    cells = [cell for cell in lazy_width.cells(SETTINGS) if cell["case"] == "leaky"]
    key = jax.random.key(0)
    results = [(cell, lazy_width.compute(SETTINGS, cell, key)) for cell in cells]
    narrow, wide = (arrays for _, arrays in results)
    # The same data and limits at all widths, other networks.
    assert np.array_equal(narrow["predicted_agreement"], wide["predicted_agreement"])
    assert np.allclose(narrow["margin_f"].shape, (3, 8))
    assert (narrow["margin_f"] < wide["margin_f"]).all()
    table = lazy_width.table(SETTINGS, results)
    assert list(table["held"]) == list(table["share"] >= lazy_width.SHARE)
    assert (table["mean"] >= table["certified"]).all()
    assert table["certified"].max() > 0.5  # something is certified
    figure = lazy_width.FIGURE.draw(SETTINGS, table)
    assert len(figure.axes) == 2
    assert "over 3 draws" in lazy_width.FIGURE.caption(SETTINGS, table)
