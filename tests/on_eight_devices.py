"""What `test_sharding.py` runs in a process with eight devices: meshes of 1, 2, 4 and 8 of them."""

import dataclasses
import functools
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lowering import lower_statement
from sweep_toys import install

from experiments.results import store
from experiments.sweep import planning
from theory import REGISTRY, Claim, Moment, Probabilistic, parallel
from theory.compilation import Kept
from theory.margins import margin, measured
from theory.networks.blocks import BLOCK, sum_over_blocks
from theory.networks.descent import Descent
from theory.networks.network import all_trained, fixed_signs, frozen_readout, init, outputs
from theory.networks.sharded import sharded_init
from theory.networks.training import _train, train
from theory.parallel import make_mesh, place, sum_over
from theory.verification.evaluation import evaluate
from theory.verification.programs import compiled, evaluate_draws
from theory.verification.statement import Statement
from theory.verification.verify import verify

SIZES = (1, 2, 4, 8)
N, D, M, STEPS = 16, 5, 24, 20
# Sums of at most N·D·M terms in another order, over all steps; a few orders in hand.
ROUNDING = N * D * M * STEPS * np.finfo(float).eps


def mesh_of(size, **sizes):
    return make_mesh(devices=jax.devices()[:size], **sizes)


def test_eight_devices():
    assert len(jax.devices()) == 8


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [
        ({}, (8, 1, 1)),
        ({"neurons": 4}, (2, 4, 1)),
        ({"draws": 1, "neurons": None}, (1, 8, 1)),
        ({"draws": 2, "neurons": 2, "data": None}, (2, 2, 2)),
        ({"draws": 2, "neurons": 2, "data": 2}, (2, 2, 2)),
    ],
)
def test_sizes_of_a_mesh_are_given_or_inferred(sizes, shape):
    mesh = make_mesh(**sizes)
    assert tuple(mesh.shape[axis] for axis in parallel.AXES) == shape
    assert set(mesh.devices.flat) == set(jax.devices())


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"draws": 3}, "must be the number of devices, 8, got draws=3, neurons=1, data=1"),
        ({"draws": 4}, "must be the number of devices, 8"),
        ({"draws": 16}, "must be the number of devices, 8"),
        ({"neurons": 3}, "must be the number of devices, 8"),
        ({"neurons": 16}, "must be the number of devices, 8"),
        ({"neurons": 0}, "neurons must be an integer ≥ 1, got 0"),
        ({"neurons": None}, "at most one None"),
        ({"devices": []}, "must be the number of devices, 0"),
    ],
)
def test_wrong_sizes_of_a_mesh(sizes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make_mesh(**sizes)


def test_arrays_are_split_where_they_should_be():
    mesh = make_mesh(draws=2, neurons=2, data=2)
    params = init(frozen_readout(), jax.random.key(0), M, D)
    placed = place(mesh, params, "neurons")
    assert {s.data.shape for s in placed.w.addressable_shards} == {(M // 2, D)}
    assert {s.data.shape for s in placed.a.addressable_shards} == {(M // 2,)}
    many = place(mesh, jnp.zeros((4, M, D)), "draws", "neurons")
    assert {s.data.shape for s in many.addressable_shards} == {(2, M // 2, D)}
    everywhere = place(mesh, params)
    assert everywhere.w.sharding.is_fully_replicated
    for got in (placed, everywhere):
        jax.tree.map(np.testing.assert_array_equal, got, params)


@pytest.mark.parametrize(
    ("shape", "axes", "message"),
    [
        ((6,), ("data",), "divided by the [4] devices of data, got shape (6,)"),
        ((), ("data",), "got shape ()"),
        ((4, 3), ("data", "neurons"), "the [4, 2] devices of data, neurons, got shape (4, 3)"),
        ((4,), ("width",), "axes must be one of data, draws, neurons; got 'width'"),
    ],
)
def test_arrays_that_cannot_be_split(shape, axes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        place(make_mesh(draws=1, neurons=2, data=4), np.zeros(shape), *axes)


@pytest.mark.parametrize("network", [frozen_readout(), fixed_signs(0.3)], ids=["gauss", "signs"])
def test_initial_weights_are_the_same_bit_by_bit(key, network):
    whole = init(network, key, M, D)
    for size in SIZES:
        split = sharded_init(mesh_of(size, draws=1, neurons=None), network, key, M, D)
        assert {s.data.shape for s in split.w.addressable_shards} == {(M // size, D)}
        jax.tree.map(np.testing.assert_array_equal, split, whole)


def test_a_width_that_cannot_be_split(key):
    with pytest.raises(ValueError, match="m must be a multiple of the 8 devices of neurons, got 9"):
        sharded_init(make_mesh(draws=1, neurons=8), frozen_readout(), key, 9, D)


# What a step adds up over devices: f over the neurons unless the loss is the identity, whose
# derivative needs no f; gradients over the data.
SUMS = [
    ((1, 2, 1), "identity", []),
    ((1, 8, 1), "logistic", [f"f64[{N}]"]),
    ((1, 1, 4), "identity", [f"f64[{M}]", f"f64[{M},{D}]"]),
    ((1, 4, 2), "logistic", [f"f64[{N // 2}]", f"f64[{M // 4}]", f"f64[{M // 4},{D}]"]),
]


@pytest.mark.parametrize(("loss", "sums"), [("identity", 0), ("logistic", 1)])
def test_neurons_are_split_in_pre_activation_space(key, loss, sums):
    network, keys = frozen_readout(), jax.random.split(key)
    x = jax.random.normal(keys[0], (N, D))
    y = jnp.where(x[:, 0] > 0, 1.0, -1.0)
    arguments = x, y, Descent(0.3, STEPS, loss, momentum=0.9)
    in_space = functools.partial(train, network, space="pre-activations")
    whole = in_space(init(network, keys[1], M, D), *arguments)
    params = sharded_init(make_mesh(draws=1, neurons=8), network, keys[1], M, D)
    split = in_space(params, *arguments)
    assert split.params.w.sharding.is_equivalent_to(params.w.sharding, 2)
    for got, wanted in zip(jax.tree.leaves(split), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=ROUNDING, atol=ROUNDING)
    program = jax.jit(in_space).lower(params, *arguments).compile().as_text() or ""
    assert len(re.findall(r" all-reduce\(", program)) == sums
    assert "all-gather" not in program


@pytest.mark.parametrize(("shape", "loss", "sums"), SUMS)
@pytest.mark.parametrize("network", [frozen_readout(0.2), all_trained()], ids=["wb", "wa"])
def test_training_is_split_by_the_compiler(key, network, shape, loss, sums):
    keys = jax.random.split(key)
    x = jax.random.normal(keys[0], (N, D))
    y = jnp.where(x[:, 0] > 0, 1.0, -1.0)
    descent = Descent(0.3, STEPS, loss, momentum=0.9)
    whole = train(network, init(network, keys[1], M, D), x, y, descent)

    mesh = mesh_of(int(np.prod(shape)), draws=shape[0], neurons=shape[1], data=shape[2])
    params = sharded_init(mesh, network, keys[1], M, D)
    points = place(mesh, (x, y), "data")
    split = train(network, params, *points, descent)
    assert split.params.w.sharding.is_equivalent_to(params.w.sharding, 2)  # each keeps its own
    moved = float(np.abs(whole.params.w - params.w).max())
    assert moved > 1e-3
    for got, wanted in zip(jax.tree.leaves(split), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=ROUNDING, atol=ROUNDING)

    program = _train.lower(network, params, *points, descent, None, 1.0).compile().as_text() or ""
    moves = re.findall(r"= (.+?) (all-\w+(?:-\w+)*|collective-\w+|reduce-scatter)\(", program)
    assert {kind for _, kind in moves} == ({"all-reduce"} if sums else set())
    added = [array for arrays, _ in moves for array in re.findall(r"\w+\[[\d,]+\]", arrays)]
    assert sorted(added) == sorted(sums)


@pytest.mark.parametrize("count", [0, 5, 8, 21])
def test_every_term_of_a_sum_is_added_once(key, count):
    def term(i):
        drawn = jax.random.normal(jax.random.fold_in(key, i), (3,))
        return {"random": drawn, "which": jnp.zeros(21, int).at[i].add(1)}

    terms = [term(i) for i in range(count)]
    wanted = sum((np.asarray(t["random"]) for t in terms), np.zeros(3))
    sizes = SIZES if count == 21 else (4,)
    for mesh in (None, *(mesh_of(size) for size in sizes), make_mesh(neurons=2, data=2)):
        got = jax.jit(lambda mesh=mesh: sum_over(mesh, term, count))()
        np.testing.assert_array_equal(got["which"], np.arange(21) < count)
        np.testing.assert_allclose(got["random"], wanted, rtol=0, atol=1e-13)
        assert got["random"].sharding.is_fully_replicated


def test_blocks_of_neurons_are_trained_on_several_devices(key):
    """A sum of what is trained inside, with arrays around it that the jitted caller is given."""
    network, width = frozen_readout(), 3 * BLOCK
    x = jax.random.normal(key, (4, 3))
    y = jnp.array([1.0, -1.0, 1.0, -1.0])
    descent = Descent(0.3, STEPS)

    def trained(initial, final):
        return outputs(final, x, network.slope)

    wanted = sum_over_blocks(network, key, width, x, y, descent, trained)

    shared = sum_over_blocks(network, key, width, x, y, descent, trained, mesh=mesh_of(2))
    np.testing.assert_allclose(shared, wanted, rtol=0, atol=1e-12)


def test_a_sweep_goes_on_with_another_number_of_devices(tmp_path, monkeypatch):
    install(monkeypatch.setattr)
    planned = planning.plan_sweep("toy.rates", ["m=2,3"], draws=10)
    alone, both = (
        store.begin(str(tmp_path / name), planned.manifest(), resume=False)
        for name in ("alone", "both")
    )
    list(planning.run(planned, alone))
    for step in planning.run(planned, both):
        if step.computed == 1 and step.done == 1:
            break
    list(planning.run(planned, both, mesh=mesh_of(4)))
    for name in alone.finished():
        one, other = alone.read(name), both.read(name)
        for array in one.arrays:
            np.testing.assert_allclose(other.arrays[array], one.arrays[array], rtol=1e-12)
    devices = [both.read(name).record["devices"] for name in sorted(both.finished())]
    assert sorted(devices) == [1, 4]


def uniforms(key, config):
    return jax.random.uniform(key, (3,))


PLAIN = Statement(
    id="toy.plain",
    sample=uniforms,
    hypotheses={"above": lambda x, _: margin(x[1] - 0.1)},
    claim=Probabilistic(
        conclusion=lambda x, _: margin(x[0] - 0.2),
        failure_probability=lambda x, _: x[1] ** 2,
    ),
    batch=2,
)
QUANTITY = dataclasses.replace(
    PLAIN,
    id="toy.quantity",
    claim=Moment(lambda x, _: measured(jnp.asarray(x), 0.0), lambda config: (Claim(0.5, 0.1),) * 3),
)


def stated(evidence):
    """The evidence with 0 for errors, all of which are far below what they are errors of."""

    def without_error(margin):
        assert np.all(margin.error < 1e-13)
        return dataclasses.replace(margin, error=np.zeros_like(margin.error))

    margins = {
        role: {name: without_error(m) for name, m in getattr(evidence, role).items()}
        for role in ("hypotheses", "measured")
    }
    return evidence._replace(conclusion=without_error(evidence.conclusion), **margins)


def same(got, wanted):
    assert jax.tree.structure(got) == jax.tree.structure(wanted)
    jax.tree.map(np.testing.assert_array_equal, got, wanted)


@pytest.mark.parametrize(("draws", "sizes"), [(1, ()), (7, (4,)), (21, SIZES)])
def test_draws_do_not_depend_on_the_devices(key, draws, sizes):
    """The checks are comparisons and single roundings, so even the bits agree.

    But for estimated errors, which are differences of roundings that depend on the program.
    """
    alone = stated(evaluate(PLAIN, key, draws))
    drawn = np.stack([uniforms(jax.random.fold_in(key, i), None) for i in range(draws)])
    every_axis = make_mesh(neurons=2, data=2)
    meshes: list[dict[str, Any]] = [{"mesh": mesh_of(size)} for size in sizes]
    for options in (*meshes, {"mesh": every_axis, "batch": 1}):
        same(stated(evaluate(PLAIN, key, draws, **options)), alone)
        np.testing.assert_array_equal(evaluate(QUANTITY, key, draws, **options).quantity, drawn)
    np.testing.assert_array_equal(evaluate(QUANTITY, key, draws).quantity, drawn)


def test_the_host_solves_each_draw_once_whatever_the_devices(key):
    seen = []

    def solve(x):
        assert isinstance(x, np.ndarray)
        seen.append(float(x[0]))
        return np.append(x, 2 * x[0])

    statement = Statement(
        id="toy.solved",
        sample=uniforms,
        solve=solve,
        claim=Moment(
            quantity=lambda x, _: x[3],
            claims=lambda config: Claim(0.0, 1.0),
        ),
        batch=2,
    )
    draws = 11
    wanted = [float(uniforms(jax.random.fold_in(key, i), None)[0]) for i in range(draws)]
    for mesh in (None, make_mesh(), mesh_of(2)):
        seen.clear()
        evidence = evaluate(statement, key, draws, mesh=mesh)
        np.testing.assert_array_equal(evidence.quantity, 2 * np.array(wanted))
        assert set(seen) >= set(wanted)
        # A device with nothing but padding solves one draw to know the shapes.
        assert len(seen) < draws + (1 if mesh is None else mesh.size)


@pytest.mark.parametrize("id", ["orthogonal.multiplier-range", "separability.tails"])
def test_registered_statements_get_the_same_evidence(key, id):
    statement = REGISTRY[id]
    alone, shared = evaluate(statement, key, 11), evaluate(statement, key, 11, mesh=make_mesh())
    for got, wanted in zip(jax.tree.leaves(shared), jax.tree.leaves(alone), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)


def test_a_verdict_does_not_depend_on_the_devices(key):
    assert verify(PLAIN, key=key, draws=21, mesh=make_mesh()) == verify(PLAIN, key=key, draws=21)


@pytest.mark.parametrize("id", ["lazy.movement", "separability.tails"])
def test_draws_shared_by_devices_are_lowered_for_accelerators(id):
    lower_statement(REGISTRY[id], mesh=make_mesh())


def test_draws_are_evaluated_without_communication(key):
    """Devices that wait for each other would end the process where one is a minute behind."""
    function = compiled(evaluate_draws, (0, 1, 4, 5), make_mesh())
    assert not isinstance(function, Kept)
    program = function.lower(PLAIN, None, {}, key, 21, 2, 0).compile().as_text() or ""
    assert "all-" not in program
    assert "collective" not in program
    rows = jax.jit(parallel.split_rows(make_mesh(), lambda x: x + 1))(jnp.arange(16))
    assert {s.data.shape for s in rows.addressable_shards} == {(2,)}
    np.testing.assert_array_equal(parallel.gathered(rows), 1 + np.arange(16))
