"""Strategies: what they promise, for every kind, and that each kind really comes up."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from theory import REGISTRY
from theory.certificates.max_margin import near_orthogonality
from theory.networks.descent import LOSSES
from theory.networks.network import all_trained, fixed_signs, frozen_readout
from theory.testing import strategies

N, D = 5, 8
SEEN = settings(max_examples=1000, derandomize=True, phases=[Phase.generate])


@given(strategies.labelled_points(n=N, d=D))
def test_points_are_what_every_function_accepts(points):
    assert points.x.shape == (N, D)
    assert points.x.dtype == points.y.dtype == np.float64
    assert np.isfinite(points.x).all()
    assert set(points.y) == {-1.0, 1.0}
    assert (np.linalg.norm(points.x, axis=1) > 0).all()


def of_kind(kind):
    return strategies.labelled_points(n=N, d=D, kinds=[kind])


@given(of_kind("orthogonal"))
def test_orthogonal_points_are_orthogonal(points):
    gram = points.x @ points.x.T
    assert np.abs(gram - np.diag(np.diag(gram))).max() < 1e-12


@given(of_kind("near-orthogonal"))
def test_near_orthogonal_points_satisfy_the_theorem(points):
    threshold, p_max = near_orthogonality(jnp.asarray(points.x), 0.5)
    assert float(p_max) <= 0.9 * float(threshold) * (1 + 1e-9)


@given(of_kind("parallel"))
def test_parallel_points_are_multiples_of_one(points):
    assert np.linalg.matrix_rank(points.x) == 1


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("repeated", lambda p: len(np.unique(p.x, axis=0)) < N),
        ("near-orthogonal", lambda p: np.abs(p.x @ p.x.T - np.eye(N)).max() > 1e-3),
        ("tiny", lambda p: 0 < np.abs(p.x).max() < 1e-5),
        ("huge", lambda p: np.abs(p.x).max() > 1e5),
        ("generic", lambda p: np.linalg.matrix_rank(p.x) == N),
        ("generic", lambda p: (p.x == 0).any()),
    ],
)
def test_every_kind_has_what_it_is_for(kind, seen):
    find(of_kind(kind), seen, settings=SEEN)


def test_more_points_than_dimensions_leave_out_the_orthogonal_kinds():
    @given(strategies.labelled_points(n=6, d=2))
    def shapes(points):
        assert points.x.shape == (6, 2)

    shapes()
    with pytest.raises(ValueError, match="n must be at most d = 2"):
        strategies.labelled_points(n=6, d=2, kinds=["orthogonal"]).example()


@given(strategies.datasets(n=6, d=3))
def test_datasets_are_valid(dataset):
    assert dataset.x.shape == (6, 3)


@pytest.mark.parametrize("network", [all_trained(), frozen_readout(0.2), fixed_signs(0.5)])
def test_networks_have_their_shapes(network):
    @settings(max_examples=20)
    @given(strategies.networks(network, m=4, d=3))
    def check(params):
        assert params.w.shape == (4, 3)
        assert params.a.shape == params.b.shape == (4,)
        assert np.isfinite(params.w).all()

    check()


@given(strategies.descents(steps=7))
def test_descents_are_valid(descent):
    assert descent.steps == 7
    assert descent.loss in LOSSES
    assert 0 < descent.learning_rate <= 1


MOVEMENT = REGISTRY["lazy.movement"]


@given(strategies.configurations(MOVEMENT.config, "T", "slope", "loss", "momentum"))
def test_configurations_are_valid_and_vary_what_they_are_told(config):
    assert (config.n, config.m) == (MOVEMENT.config.n, MOVEMENT.config.m)
    assert 0 < config.T <= 100
    assert config.loss in ("identity", "logistic")


def test_configurations_vary():
    found = find(
        strategies.configurations(MOVEMENT.config, "slope"),
        lambda config: config.slope > 0.9,
        settings=SEEN,
    )
    assert vars(found)["T"] == MOVEMENT.config.T


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: strategies.labels(0), "n must be an integer ≥ 1, got 0"),
        (lambda: strategies.labelled_points(n=0).example(), "n must be an integer ≥ 1, got 0"),
        (lambda: strategies.labelled_points(kinds=["odd"]).example(), "kinds must be one of"),
        (lambda: strategies.descents(losses=["hinge"]), "losses must be one of"),
        (lambda: strategies.configurations(MOVEMENT.config, "q"), "names must be one of"),
    ],
)
@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@given(st.data())
def test_slopes_stay_in_their_range(data):
    assert 0 <= data.draw(strategies.slopes()) < 1
    assert 0 < data.draw(strategies.slopes(open_low=True)) < 1
