"""Cells of figures that no memory holds are refused before anything of them is compiled."""

import dataclasses

import figure_toys
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend import core

from experiments.command import main
from experiments.figures import building, registry
from experiments.figures.lazy import axes, cosine, networks, width
from experiments.figures.lazy import map as lazy_map
from experiments.figures.orthogonal import accuracy, perturbations
from experiments.figures.orthogonal import learning as orthogonal
from experiments.figures.orthogonal import map as orthogonal_map
from experiments.figures.separability import phase
from experiments.figures.subspace import off_manifold
from experiments.images import experiment, training
from experiments.machine import environment
from theory import Dataset
from theory.compilation import BY_LIBRARIES, IN_MEMORY

LIMIT = 8 * 10**9
FLOAT32 = 4
REFUSED = [  # figure, settings of 10⁹
    ("benign-overfitting", "n", "draws"),
    ("depth", "widths", "draws", "d"),
    ("errata", "variance_width", "tail_dimensions", "norm_widths", "draws", "sparse_widths"),
    ("errata", "points", "trained_width"),
    ("lazy-accuracy", "d", "n", "m", "ms", "gaussian_ns", "queries", "draws"),
    ("lazy-activation", "d", "n", "queries", "samples"),
    ("lazy-conditions", "m", "wide_d", "draws", "grid"),
    ("lazy-cosine", "d", "n", "m", "gaussian_draws"),
    ("lazy-map", "d", "n", "widths", "draws", "grid"),
    ("lazy-to-rich", "networks", "problems"),
    ("lazy-width", "d", "n", "queries", "draws"),
    ("ntk-rates", "m_min"),
    ("orthogonal-accuracy", "m", "n_advs", "dimensions"),
    ("orthogonal-map", "m", "n", "d"),
    ("orthogonal-perturbations", "m"),
    ("orthogonal-uniformity", "d", "draws"),
    ("random-features-margin", "n", "d", "draws", "widths"),
    ("separability-attacks", "cnn_width", "conv_net_width", "epochs"),
    ("separability-embedding", "resnet_width"),
    ("separability-phase", "widths", "samples", "long", "rate_draws"),
    ("separability-training", "cnn_width", "resnet_width", "epochs"),
    ("separability-width", "widths"),
    ("subspace-off-manifold", "m", "n", "dimensions", "law_draws"),
]
TOO_MANY = [
    ("ntk-rates", "draws"),
    ("orthogonal-perturbations", "draws"),
    ("separability-phase", "ray_sizes"),
    ("separability-width", "draws"),
]
NUMBER = int(1e9)


@pytest.fixture
def small_machine(monkeypatch, restore_precision):
    """8 GB, and cells that must not be computed."""

    def computing(*_):
        raise AssertionError("computed")

    monkeypatch.setattr(environment, "available_memory", lambda: LIMIT)
    monkeypatch.setattr(building, "_computed", computing)


def refusal(capsys, folder, name, setting) -> str:
    """What the command says of a setting of 10⁹, in one line, before it has written anything."""
    line = ["figure", name, "--set", f"{setting}={NUMBER}", "--out", str(folder / "out")]
    assert main.main(line) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert not list(folder.rglob("*.cells"))
    return err


@pytest.mark.usefixtures("small_machine")
@pytest.mark.parametrize(
    ("name", "setting"), [(name, setting) for name, *each in REFUSED for setting in each]
)
def test_what_no_memory_holds_is_refused_at_once(capsys, tmp_path, name, setting):
    err = refusal(capsys, tmp_path, name, setting)
    assert f"{name} at " in err
    assert "needs at least" in err
    assert "5.96 GiB may be used" in err


@pytest.mark.usefixtures("small_machine")
@pytest.mark.parametrize(("name", "setting"), TOO_MANY)
def test_so_are_more_cells_than_there_may_be_files(capsys, tmp_path, name, setting):
    assert "must be at most 100,000, as each is a file" in refusal(capsys, tmp_path, name, setting)


def test_every_figure_of_its_own_says_what_it_needs():
    """Those of one statement are estimated where they are evaluated."""
    named = {name for name, *_ in REFUSED}
    assert named == {name for name, one in registry.figures().items() if one.statement is None}


@pytest.mark.parametrize(("preset", "most"), [("quick", 2**30), ("paper", 2**36)])
def test_nothing_is_refused_that_is_meant_to_run(preset, most):
    """Quick presets on any machine, published ones on one GPU of 64 GiB."""
    for name, figure in registry.figures().items():
        settings = figure.settings(preset)
        largest = max(figure.floats(settings, cell) for cell in figure.cells(settings))
        assert 0 <= FLOAT32 * largest < most, name


@pytest.fixture
def toy(monkeypatch, restore_precision):
    """A figure whose cell K = 8 holds 2⁴⁰ numbers."""
    figure = dataclasses.replace(
        figure_toys.FIGURE, floats=lambda _, cell: 2**40 if cell["K"] == 8 else cell["K"]
    )
    monkeypatch.setattr(registry, "figures", lambda: {figure.name: figure})
    monkeypatch.setattr(environment, "available_memory", lambda: LIMIT)


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(("precision", "needed"), [("float32", "4.1e+03"), ("float64", "8.19e+03")])
def test_numbers_are_as_long_as_the_precision_says(capsys, tmp_path, precision, needed):
    line = ["figure", "toy-mean", "--precision", precision, "--out", str(tmp_path / "out")]
    assert main.main(line) == 2
    says = f"widetheory: toy-mean at K = 8 needs at least {needed} GiB of memory, and 5.96 GiB"
    assert capsys.readouterr().err == f"{says} may be used\n"


@pytest.mark.usefixtures("toy")
def test_a_figure_gone_on_with_computes_the_cells_that_fit(capsys, tmp_path):
    """What is finished may come of a larger machine, so that cells are looked at one by one."""
    assert main.main(["figure", "toy-mean", "--resume", "--out", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert "1 of its cells failed" in err
    assert "needs at least 4.1e+03 GiB" in err
    assert len(list((tmp_path / "toy-mean.cells" / "cells").glob("*.npz"))) == 2


def sizes(jaxpr) -> list[int]:
    """Numbers in each array that is drawn, carried or stacked by a loop, or comes of a product."""
    found = []
    for equation in jaxpr.eqns:
        if equation.primitive.name in IN_MEMORY | BY_LIBRARIES:
            arrays = [variable.aval for variable in equation.outvars]
            found += [array.size for array in arrays if array.dtype != bool]
        for inner in core.jaxprs_in_params(equation.params):
            found += sizes(inner)
    return found


def trained(changes):
    """lazy-cosine: f, trained in one draw."""
    settings = dataclasses.replace(cosine.FIGURE.quick, **changes)
    cell = cosine.cells(settings)[0]
    run = axes.setting(settings, cell)

    def program(key):
        drawn = networks.problems(key[None], run)
        points = (drawn.x, drawn.y, drawn.z, drawn.x)
        return networks.train_networks(drawn.key_f, *points, run, run.rates_f)

    return cosine.numbers(settings, cell), program


def mapped(changes):
    """lazy-map: the maps of all draws."""
    settings = dataclasses.replace(lazy_map.FIGURE.quick, **changes)
    s, cell = settings, lazy_map.cells(settings)[-1]

    def program(key):
        x, y = jax.random.normal(key, (s.n, s.d)), jnp.ones(s.n)
        view = lazy_map.pairs.view(x, y, s.grid, s.extent)
        descent = lazy_map.descent_for_time(cell["T"], s.steps, s.momentum)
        keys = jax.random.split(key, s.draws)
        return lazy_map._maps(keys, x, y, view, descent, 0.1, jnp.zeros(()), cell["m"], s.slope)

    return lazy_map.floats(settings, cell), program


def fitted(changes):
    """orthogonal-accuracy: a network, trained and certified."""
    settings = dataclasses.replace(accuracy.FIGURE.quick, **changes)
    cell = accuracy.cells(settings)[0]
    n, n_adv, d = cell["n"], cell["n_adv"], cell["d"]

    def program(key):
        drawn = orthogonal.samples(key, cell["law"], n, n_adv, d)
        return orthogonal.fit(key, drawn.x, drawn.y, settings)

    return accuracy.floats(settings, cell), program


def paired(changes):
    """lazy-width: the points of all draws, and f of infinite width on each."""
    settings = dataclasses.replace(width.FIGURE.quick, **changes)
    cell = width.cells(settings)[-1]  # of the published case, whose sizes may be set
    run = width.setting(settings, cell)

    def program(key):
        drawn = networks.problems(jax.random.split(key, settings.draws), run)
        points = (drawn.x, drawn.y, drawn.z, drawn.x)
        return networks.limit_networks(drawn.key_f_limit, *points, run, run.rates_f)

    return width.floats(settings, cell), program


def fitted_twice(changes):
    """orthogonal-map: f on the clean samples of a draw, g on its noise."""
    settings = dataclasses.replace(orthogonal_map.FIGURE.quick, **changes)
    s, cell = settings, orthogonal_map.cells(settings)[-1]

    def program(key):
        drawn = orthogonal.samples(key, s.law, s.n, orthogonal_map.counts(s)[-1], s.d)
        f = orthogonal.fit(key, drawn.x, drawn.y, settings)
        return f, orthogonal.fit(key, drawn.noise, drawn.target, settings)

    return orthogonal_map.floats(settings, cell), program


def images(d):
    """Four of so many pixels."""
    return Dataset("black", np.zeros((4, d)), np.array([1.0, -1.0, 1.0, -1.0]))


def fitted_to_images(changes):
    """orthogonal-perturbations: a network on images."""
    changed = {"data": images(changes["pixels"]), "n": 4} if "pixels" in changes else changes
    settings = dataclasses.replace(perturbations.FIGURE.quick, **changed)
    cell = perturbations.cells(settings)[0]

    def program(key):
        data = perturbations.dataset(settings)
        x, y, _, _ = perturbations.draw(key, data, settings.n, queries=0)
        return orthogonal.fit(key, x, y, settings, jnp.ones(settings.n, bool))

    return perturbations.floats(settings, cell), program


def law(changes):
    """subspace-off-manifold: networks trained at once."""
    settings = dataclasses.replace(off_manifold.FIGURE.quick, **changes)
    cell = max(off_manifold.cells(settings), key=lambda c: c["m"] * (c["of"] == "law"))
    config = off_manifold.setting(settings, cell)
    keys = jax.random.split(jax.random.key(0), settings.law_draws)
    return off_manifold.floats(settings, cell), lambda _: off_manifold._laws(config, True, keys)


def failing(changes):
    """separability-phase: a network and its noises."""
    settings = dataclasses.replace(phase.FIGURE.quick, **changes)
    cell = max(phase.cells(settings), key=lambda c: c["m"] * c["d"] * c["n"])
    m, d = (phase._padded(cell[name]) for name in ("m", "d"))
    shape = (m, d, cell["n"])
    program = lambda key: phase._failing(key, cell["m"], cell["d"], shape, 1, 1)  # noqa: E731
    return phase.floats(settings, cell), program


TRACED = [  # and of how many arrays the numbers are
    (trained, {"m": 10**6}, 1),
    (trained, {"n": 10**5}, 1),
    (mapped, {"widths": (10**7,)}, 1),
    (mapped, {"grid": 4000, "draws": 1000}, 2),
    (fitted, {"m": 10**6}, 1),
    (fitted, {"n": 10**5}, 1),
    (paired, {"d": 10**6}, 2),
    (paired, {"draws": 10**6}, 2),
    (paired, {"n": 10**5}, 1),
    (fitted_twice, {"m": 10**6}, 1),
    (fitted_twice, {"n": 10**5}, 1),
    (fitted_twice, {"n_advs": (2, 10**5)}, 1),
    (fitted_twice, {"d": 10**7}, 2),
    (fitted_to_images, {"m": 10**6}, 1),
    (fitted_to_images, {"pixels": 1024**2}, 1),
    (law, {"widths": (10**6,)}, 1),
    (failing, {"widths": (10**6,)}, 2),
]


@pytest.mark.parametrize(("trace", "changes", "arrays"), TRACED)
def test_an_account_is_of_arrays_that_there_are(monkeypatch, trace, changes, arrays):
    """By the traced program, not compiled: where one or two arrays are most of it, it has them."""
    # Inside a program none may have options of the compiler.
    plain = lambda function, static, run: jax.jit(function, static_argnums=static)  # noqa: E731
    monkeypatch.setattr(networks, "compiled", plain)
    numbers, program = trace(changes)
    made = sizes(jax.make_jaxpr(program)(jax.random.key(0)).jaxpr)
    assert sum(sorted(made)[-arrays:]) > 0.8 * numbers


def test_weights_are_counted_as_they_are_drawn():
    shape = (8, 8, 1)
    network = experiment.network("conv-net", experiment.ImageSettings(conv_net_width=3))
    state = training.initial(network, jax.random.key(0), shape, training.Recipe())
    drawn = sum(leaf.size for leaf in jax.tree.leaves(state.weights))
    assert training.count_weights(network, shape) == drawn
