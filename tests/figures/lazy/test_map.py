"""Decision maps: predicted agreement against trained networks, and the rows drawn."""

import dataclasses

import jax
import numpy as np
import pytest

from experiments.figures.lazy import map as figure
from experiments.figures.lazy import map_picture as picture

SETTINGS = dataclasses.replace(
    figure.FIGURE.quick, n=40, d=6, times=(1.0, 4.0), widths=(200,), draws=40, grid=15, steps=20,
    epsilon=1.0,
)  # fmt: skip


def test_columns_are_times_at_each_width():
    settings = dataclasses.replace(SETTINGS, widths=(20, 30))
    assert figure.columns(settings) == [(1, 20), (4, 20), (1, 30), (4, 30)]
    assert len(figure.cells(settings)) == 2 * 4
    with pytest.raises(ValueError, match="times"):
        figure.cells(dataclasses.replace(SETTINGS, times=()))


@pytest.mark.slow
def test_agreement_is_as_predicted_and_maps_are_drawn():
    key = jax.random.key(2)
    results = [(cell, figure.compute(SETTINGS, cell, key)) for cell in figure.cells(SETTINGS)]
    for cell, arrays in results:
        off = arrays["agreement"] - arrays["predicted"]
        # Four panels, the 40 draws of one not independent of another's: 4 errors are 3e-4.
        assert abs(off.mean()) < 4 * off.std(ddof=1) / len(off) ** 0.5, cell
        np.testing.assert_array_equal(
            arrays["agreement"][: figure.SHOWN],
            np.mean(arrays["f"] == arrays["g"], axis=(1, 2)),
        )
    table = figure.table(SETTINGS, results)
    agreement = table[table["kind"] == "agreement"]
    assert list(agreement["held"]) == [True] * 4
    regions = table[table["kind"] == "region"]
    assert len(regions) == 4 * figure.SHOWN * 2 * SETTINGS.grid
    # f is the same in both scenarios.
    f = regions[regions["quantity"] == "f"]
    a, b = (list(f[f["scenario"] == scenario]["signs"]) for scenario in "ab")
    assert a == b
    assert len(picture.draw(SETTINGS, table).axes) == 2 * figure.SHOWN * 2
    assert "columns 1, 2" in picture.caption(SETTINGS, table)
