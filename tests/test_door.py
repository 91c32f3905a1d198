"""Arrays become floats at the door: what callers hand in is converted once, or refused in a line.

The expectations are computed by NumPy in float64 from the same numbers.
"""

import importlib
import inspect
import pkgutil
import re
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from jaxtyping import AbstractArray, Float

import theory
from theory._validation import as_booleans, as_integers, as_reals, takes_arrays
from theory.certificates import max_margin
from theory.data.sampling import Dataset, draw
from theory.infinite_width import bounds, function_space, kernels, lazy, maps
from theory.networks import embedding, network
from theory.networks.network import Params
from theory.perturbations import after_training, classifiers

# Pixels: integers that float16 and bfloat16 also have, with inner products up to 3·200².
PIXELS = np.array([[200, 3, 150], [0, 180, 20], [7, 0, 190], [160, 160, 1]])
OTHERS = np.array([[64, 128, 0], [3, 5, 200]])
LABELS = np.array([1, -1, 1, -1])

KINDS = {
    "lists": lambda a: a.tolist(),
    "uint8": lambda a: a.astype(np.uint8) if a.min() >= 0 else a.astype(np.int8),
    "int16": lambda a: a.astype(np.int16),
    "int32 of JAX": lambda a: jnp.array(a, jnp.int32),
    "float16": lambda a: a.astype(np.float16),
    "bfloat16": lambda a: a.astype(ml_dtypes.bfloat16),
    "bfloat16 of JAX": lambda a: jnp.array(a, jnp.bfloat16),
    "big-endian": lambda a: a.astype(">f8"),
    "big-endian integers": lambda a: a.astype(">i4"),
    "longdouble": lambda a: a.astype(np.longdouble),
    "Fortran order": lambda a: np.asfortranarray(a.astype(float)),
    "masked, nothing hidden": lambda a: np.ma.array(a.astype(float), mask=False),
}
PARAMS = Params._make(map(np.array, ([[1, -2, 3], [0, 1, 1]], [1, -1], [2, 1])))
PLANE = (np.array([1, 0, 0]), np.array([0, 2, 1]))

FUNCTIONS = {
    "embed": lambda x, y, z, p: embedding.embed(x),
    "angle": lambda x, y, z, p: kernels.angle(x, z),
    "hidden_ntk": lambda x, y, z, p: kernels.hidden_ntk(x, z, 0.2),
    "ntk": lambda x, y, z, p: kernels.ntk(x, z, 0.2),
    "erf_nngp": lambda x, y, z, p: kernels.erf_nngp(x, z),
    "finite_ntk": lambda x, y, z, p: kernels.finite_ntk(network.all_trained(), p, x, z),
    "kappa": lambda x, y, z, p: lazy.kappa(x, z),
    "f_hat": lambda x, y, z, p: lazy.f_hat(x, y, z, 0.2),
    "signal": lambda x, y, z, p: lazy.signal(x, y, z, 0.2, y),
    "signal_gradients": lambda x, y, z, p: lazy.signal_gradients(x, y, z, 0.2),
    "reach": lambda x, y, z, p: bounds.reach(x, y, z, 1.0),
    "near_orthogonality": lambda x, y, z, p: max_margin.near_orthogonality(x, 0.5),
    "max_margin_limit": lambda x, y, z, p: max_margin.max_margin_limit(x[:3], y[:3], 0.5),
    "multiplier_range": lambda x, y, z, p: max_margin.multiplier_range(x, 0.5),
    "predicted_movement": lambda x, y, z, p: after_training.predicted_movement(x, y, 50),
    "outputs": lambda x, y, z, p: network.outputs(p, x, 0.2),
    "input_gradients": lambda x, y, z, p: network.input_gradients(p, x, 0.2),
    "class_means_plane": lambda x, y, z, p: maps.class_means_plane(x, y),
    "f_hat_map": lambda x, y, z, p: maps.f_hat_map(
        maps.plane(*PLANE), x[0][:2], x[1][:2], x, y, 0.2
    ),
    "logits": lambda x, y, z, p: classifiers.logits(classifiers.Classifier(p.w, p.w.T[:2]), x),
}


def made(kind):
    convert = KINDS[kind]
    arrays = convert(PIXELS), convert(LABELS), convert(OTHERS)
    # Fields of tuples are converted as well; slices of lists are lists.
    return *arrays, PARAMS if kind == "lists" else Params(*(convert(part) for part in PARAMS))


@pytest.fixture(scope="module")
def expected():
    """From float64 arrays; that these are right is what all the other tests are about."""
    found = {}
    floats = [jnp.array(a, float) for a in (PIXELS, LABELS, OTHERS)]
    params = Params(*(jnp.array(part, float) for part in PARAMS))
    for name, function in FUNCTIONS.items():
        found[name] = jax.tree.map(np.asarray, function(*floats, params))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_array_gives_the_numbers_of_float64(kind, expected):
    """In float64 and to the last bit, as the same program runs on the same numbers."""
    x, y, z, params = made(kind)
    for name, function in FUNCTIONS.items():
        found = jax.tree.map(np.asarray, function(x, y, z, params))
        jax.tree.map(np.testing.assert_array_equal, found, expected[name])
        for leaf in jax.tree.leaves(found):
            assert leaf.dtype in (np.float64, np.bool_), name


def test_a_kernel_of_pixels_against_numpy():
    """The formula in NumPy: Φ from arccos, to the half of the digits that it keeps."""
    x, z = PIXELS.astype(float), OTHERS.astype(float)
    inner = x @ z.T
    covariance = inner / 3 + 1
    sigma = [np.sqrt(np.sum(p**2, axis=1) / 3 + 1) for p in (x, z)]
    theta = np.arccos(np.clip(covariance / np.outer(*sigma), -1, 1))
    exact = (0.2 + 0.8**2 * (np.pi - theta) / (2 * np.pi)) * (inner + 1)
    found = kernels.hidden_ntk(PIXELS.astype(np.uint8), OTHERS.astype(np.uint8), 0.2)
    np.testing.assert_allclose(found, exact, rtol=1e-7)


def test_the_byte_order_of_the_first_call_is_not_that_of_the_second():
    """JAX's cache of compiled functions does not look at it."""
    x = np.arange(1.0, 7.0).reshape(2, 3)
    native = np.asarray(lazy.kappa(x, x))
    np.testing.assert_array_equal(lazy.kappa(x.astype(">f8"), x.astype(">f8")), native)
    np.testing.assert_array_equal(lazy.kappa(x, x), native)


def test_booleans_are_zeros_and_ones():
    x = PIXELS > 100
    np.testing.assert_array_equal(lazy.kappa(x, x), lazy.kappa(1.0 * x, 1.0 * x))


def test_float32_stays_float32_and_tracers_are_converted_inside():
    x = PIXELS.astype(np.float32)
    assert kernels.hidden_ntk(x, x, 0.2).dtype == jnp.float32
    inside = jax.jit(lazy.kappa)(jnp.array(PIXELS), jnp.array(OTHERS))
    np.testing.assert_allclose(inside, lazy.kappa(PIXELS, OTHERS), rtol=1e-15)
    mapped = jax.vmap(lambda row: lazy.kappa(row[None], OTHERS))(jnp.array(PIXELS, jnp.int16))
    np.testing.assert_allclose(jnp.mean(mapped, axis=0), inside, rtol=1e-15)


def test_what_is_a_float_already_is_handed_through_untouched():
    seen = []

    @takes_arrays
    def function(x: Float[jax.Array, " n"], params: Params | None = None):
        seen.extend((x, params))

    x, params = jnp.ones(3), Params(jnp.ones((1, 3)), jnp.ones(1), jnp.ones(1))
    function(x, params=params)
    assert seen[0] is x
    assert seen[1] is params


def test_an_array_that_its_owner_changes_later_is_not_the_one_that_was_handed_in():
    x = np.ones((4, 3))
    taken = as_reals("x", x)
    x[:] = 7
    np.testing.assert_array_equal(taken, 1)


def test_numbers_of_numpy_do_not_overflow():
    """int8(100)·int8(100) and float16 would; slopes of half a precision are not rounded again."""
    x, y = np.eye(3), np.array([1, -1, 1])
    for m in (np.int8(100), np.uint8(100), np.float16(100)):
        one, other = (
            after_training.predicted_movement(x, y, m),
            after_training.predicted_movement(x, y, 100),
        )
        np.testing.assert_array_equal(one, other)
    half, exact = np.float16(0.3), float(np.float16(0.3))
    for slope in (half, jnp.float16(0.3), np.longdouble(half)):
        found = kernels.hidden_ntk(x, x, slope)
        np.testing.assert_allclose(found, kernels.hidden_ntk(x, x, exact), rtol=1e-15)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.ones((2, 3)) * 1j, "x must hold real numbers, got dtype complex128"),
        (np.array([["a", "b"]]), "x must hold real numbers, got dtype <U1"),
        ([[None, 1]], "x must hold real numbers, got dtype object"),
        (np.array(["2020-01-01"], "M8[D]"), r"x must hold real numbers, got dtype datetime64\[D\]"),
        (jax.random.key(0), r"x must hold real numbers, got dtype key<fry>"),
        ([[1, 2], [3]], r"x must be one array of numbers, got a list that is none \(.*\)"),
        (
            np.ma.array([[1.0, 2.0]], mask=[[True, False]]),
            "x must have no masked entries, got 1 of 2; fill them or leave them out",
        ),
    ],
)
def test_what_is_no_array_of_numbers_is_refused_in_one_line(value, message):
    for function in (lazy.kappa, lambda x, z: as_reals("x", x)):
        with pytest.raises(ValueError, match=f"^{message}$"):
            function(value, np.ones((2, 3)))


@pytest.mark.parametrize("entry", ["1e200", "-1e39", "1e-80", "-1e-310"])
@pytest.mark.parametrize("kind", [np.asarray, np.ndarray.tolist], ids=["array", "list"])
def test_numbers_that_float32_has_not_are_refused_where_jax_has_nothing_else(entry, kind):
    value = kind(np.array([[1.0, float(entry)]]))
    remedy = r'; use jax\.config\.update\("jax_enable_x64", True\)'
    message = f"^z must hold numbers that float32 has, got {re.escape(str(float(entry)))}{remedy}$"
    ordinary = np.array([[0.0, 1 / 3, 3e38, 1e-37, np.nan, np.inf]])
    with jax.enable_x64(False):
        with pytest.raises(ValueError, match=message):
            lazy.kappa(np.ones((1, 2)), z=value)
        with pytest.raises(
            ValueError, match=r"^labels must hold numbers that int32 has, got 4294967297"
        ):
            as_integers("labels", np.array([1, 2**32 + 1]))
        np.testing.assert_array_equal(as_reals("x", ordinary), ordinary.astype(np.float32))
        assert as_integers("labels", np.array([5, -7])).dtype == np.int32
    assert lazy.kappa(np.ones((1, 2)), z=value).dtype == np.float64


def test_numbers_that_float64_has_not_are_refused():
    if np.finfo(np.longdouble).maxexp <= 1024:
        pytest.skip("longdouble is float64 on this machine")
    with pytest.raises(ValueError, match=r"^x must hold numbers that float64 has, got 1e\+4000$"):
        as_reals("x", np.array([np.longdouble(10) ** 4000]))
    with pytest.raises(
        ValueError, match=f"^labels must hold numbers that int64 has, got {2**64 - 1}$"
    ):
        as_integers("labels", np.array([2**64 - 1], np.uint64))


def test_data_sets_refuse_masked_points_and_take_any_byte_order(key):
    x = np.arange(8.0).reshape(4, 2)
    with pytest.raises(ValueError, match=r"^x must have no masked entries, got 8 of 8; .*$"):
        Dataset("mine", np.ma.array(x, mask=True), LABELS)
    sample = draw(key, Dataset("mine", x.astype(">f4"), LABELS.astype(">i2")), 2, queries=2)
    rows = np.concatenate([sample.x, sample.z])
    np.testing.assert_array_equal(rows[np.argsort(rows[:, 0])], x)


def test_classes_and_masks_are_converted_as_well():
    np.testing.assert_array_equal(as_integers("labels", np.array([0, 255], np.uint8)) + 1, [1, 256])
    assert as_booleans("active", [True, False]).dtype == bool
    with pytest.raises(ValueError, match=r"^labels must hold integers, got dtype float64$"):
        as_integers("labels", [0.5])
    with pytest.raises(ValueError, match=r"^active must hold booleans, got dtype int64$"):
        as_booleans("active", [1, 0])


# --- shapes ---------------------------------------------------------------------------------------

X, Z, Y = np.ones((4, 3)), np.ones((2, 3)), np.array([1, -1, 1, -1])
WEIGHTS = Params._make(map(np.ones, ((5, 3), 5, 5)))
PAIRS = {
    "angle": kernels.angle,
    "derivative_kernel": lambda x, z: kernels.derivative_kernel(x, z, 0.2),
    "hidden_ntk": lambda x, z: kernels.hidden_ntk(x, z, 0.2),
    "ntk": lambda x, z: kernels.ntk(x, z, 0.2),
    "nngp": lambda x, z: kernels.nngp(x, z, 0.2),
    "erf_nngp": kernels.erf_nngp,
    "network_ntk": lambda x, z: kernels.network_ntk(network.frozen_readout(), x, z),
    "finite_ntk": lambda x, z: kernels.finite_ntk(network.all_trained(), WEIGHTS, x, z),
    "kappa": lazy.kappa,
    "f_hat": lambda x, z: lazy.f_hat(x, Y, z, 0.2),
    "beta": lambda x, z: lazy.beta(x, Y, z, 0.2),
    "signal": lambda x, z: lazy.signal(x, Y, z, 0.2),
    "reach": lambda x, z: bounds.reach(x, Y, z, 1.0),
}
MATRIX = r"must be a matrix \(points, dimensions\) ≥ 1 × 1, got shape"


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("name", PAIRS)
def test_points_of_another_shape_are_named_in_one_line(name, traced):
    function = jax.jit(PAIRS[name]) if traced else PAIRS[name]
    for x, z, message in [
        (X[0], Z, rf"^x {MATRIX} \(3,\)"),
        (X, Z[0], rf"^z {MATRIX} \(3,\)"),
        (X, Z[None], rf"^z {MATRIX} \(1, 2, 3\)"),
        (X, 1.0, rf"^z {MATRIX} \(\)"),
        (X, Z[:, :2], r"^z must have 3 columns, got shape \(2, 2\)"),
    ]:
        with pytest.raises(ValueError, match=message) as raised:
            function(x, z)
        assert "\n" not in str(raised.value)  # JAX appends a note of its own under jit
    assert np.shape(function(X, Z))[-1] == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        # Each of these would broadcast, and be a number.
        (lambda: lazy.f_hat(X, Y[:1], Z, 0.2), r"y must have shape \(4,\), .*, got \(1,\)"),
        (lambda: lazy.f_hat(X, Y[:, None], Z, 0.2), r"y must have shape \(4,\), .*\(4, 1\)"),
        (
            lambda: lazy.signal(X, Y, Z, 0.2, np.ones(1)),
            r"weights must have shape \(4,\) or \(\), got \(1,\)",
        ),
        (
            lambda: network.outputs(WEIGHTS._replace(b=np.ones(1)), X, 0.2),
            r"params.b must have shape \(5,\), got \(1,\)",
        ),
        (lambda: network.outputs(WEIGHTS, X[:, :2], 0.2), r"x must have 3 columns, got .*"),
        (
            lambda: function_space.gradient_flow_mse(
                np.eye(4), np.ones((2, 3)), Y, 1.0, Y, np.zeros(2)
            ),
            r"k_test_train must have shape \(q, 4\), got \(2, 3\)",
        ),
        (
            lambda: function_space.gradient_flow_mse(
                np.ones((4, 3)), np.ones((2, 4)), Y, 1.0, Y, Y[:2]
            ),
            r"k_train_train must have shape \(n, n\), got \(4, 3\)",
        ),
    ],
)
def test_arrays_that_do_not_belong_together_are_not_broadcast(call, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        call()


def test_numbers_in_place_of_arrays_and_rows_under_vmap_have_their_shapes():
    for one in (2.0, np.float32(2), jnp.array(2.0)):
        weights: Any = one
        np.testing.assert_allclose(
            lazy.signal(X, Y, Z, 0.2, weights), 2 * lazy.signal(X, Y, Z, 0.2)
        )
    rows = jax.vmap(lambda row: lazy.kappa(row[None], Z))(jnp.array(X))
    np.testing.assert_allclose(jnp.mean(rows, axis=0), lazy.kappa(X, Z))


# --- no public function is left out ---------------------------------------------------------------


def _public_functions():
    for module in pkgutil.walk_packages(theory.__path__, "theory."):
        if "._" in module.name or module.name.startswith("theory.statements"):
            continue
        loaded = importlib.import_module(module.name)
        for name, value in vars(loaded).items():
            own = getattr(value, "__module__", None) == loaded.__name__
            if own and callable(value) and not inspect.isclass(value) and name[0] != "_":
                yield f"{module.name}.{name}", value


def _takes_arrays_of_jax(function):
    """Whether some argument is annotated as an array of JAX, perhaps among other things."""
    for parameter in inspect.signature(function).parameters.values():
        members = getattr(parameter.annotation, "__args__", (parameter.annotation,))
        for member in members:
            array = isinstance(member, type) and issubclass(member, AbstractArray)
            if array and member.array_type is jax.Array:
                return True
    return False


def test_every_public_function_that_takes_arrays_converts_them():
    found = {name: f for name, f in _public_functions() if _takes_arrays_of_jax(f)}
    assert len(found) > 80  # of 23 modules
    door = takes_arrays(lambda x: x).__code__
    missing = [name for name, f in found.items() if getattr(f, "__code__", None) is not door]
    assert not missing
