"""Arguments that are none, for public functions of the rooms that compute, and what comes of them.

To be run in a process of its own, without the type checker of the tests, which users have not.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np
from one_line import line_of

from theory import certificates, data, infinite_width, networks, perturbations, testing
from theory.networks import Descent, Params

KEY = jax.random.key(0)
X, Z = np.arange(12.0).reshape(4, 3) - 5, np.arange(6.0).reshape(2, 3) - 2
Y, TARGET = np.array([1.0, -1, 1, -1]), np.array([1.0, 1, -1, -1])
WEIGHTS = Params._make(map(np.ones, ((6, 3), 6, 6)))
NETWORK, DESCENT = networks.frozen_readout(0.2), Descent(0.1, 3)
ATTACK = perturbations.Attack(2, 0.1, 0, 0, 1.0)
CLASSES = np.array([0, 1, 0, 1])


class Call(NamedTuple):
    """A public function, good arguments, and of what kind each of those is that are made bad."""

    function: Any
    arguments: dict[str, Any]
    kinds: dict[str, str]


def calls_of(room: Any, *rows: tuple[str, dict[str, Any], dict[str, str]]) -> dict[str, Call]:
    """Name of the function → its call."""
    return {name: Call(getattr(room, name), good, kinds) for name, good, kinds in rows}


LIMIT = {"x": X, "y": Y, "z": Z, "slope": 0.2}
OF_LIMIT = {"x": "points", "y": "labels", "z": "points", "slope": "share"}
KERNEL = {"x": X, "z": Z, "slope": 0.2, "bias": True}
OF_KERNEL = {"x": "points", "z": "points", "slope": "share", "bias": "bool"}
FIT = {"x": X, "labels": CLASSES, "classes": 2, "steps": 2}

CALLS = calls_of(
    data,
    ("spiked_gaussian", {"key": KEY, "n": 3, "d": 6, "variance": 2.0},
     {"key": "key", "n": "size", "d": "real", "variance": "real"}),
    ("draw", {"key": KEY, "source": "sphere", "n": 4, "d": 3, "queries": 2, "separation": 1.0},
     {"key": "key", "n": "size", "d": "size", "separation": "real"}),
    ("draw_classes", {"key": KEY, "source": "mixture", "n": 4, "d": 3, "classes": 2},
     {"key": "key", "n": "size", "d": "size", "classes": "size"}),
    ("draw_in_subspace", {"key": KEY, "source": "sphere", "n": 4, "d": 30},
     {"key": "key", "n": "size", "d": "size", "queries": "count"}),
    ("near_orthogonal", {"key": KEY, "n": 3, "d": 5, "p_max": 0.1, "radius": 1.0},
     {"key": "key", "n": "size", "d": "size", "p_max": "real", "radius": "real"}),
    ("gaussian_rows", {"key": KEY, "n": 3, "d": 5}, {"key": "key", "n": "size", "d": "size"}),
    ("balanced_labels", {"key": KEY, "n": 4}, {"key": "key", "n": "count"}),
    ("Dataset", {"name": "mine", "x": X, "y": Y}, {"y": "labels", "name": "text"}),
) | calls_of(
    networks,
    ("Descent", {"learning_rate": 0.1, "steps": 3},
     {"learning_rate": "real", "steps": "size", "momentum": "share", "nesterov": "bool",
      "log_loss": "bool", "loss": "text", "schedule": "text"}),
    ("Network", {"slope": 0.1, "bias": True, "readout": "gaussian", "trained": ("w",)},
     {"slope": "share", "bias": "bool", "readout": "text", "trained": "text", "scale": "real",
      "activation": "text"}),
    ("init", {"network": NETWORK, "key": KEY, "m": 6, "d": 3},
     {"network": "network", "key": "key", "m": "size", "d": "size"}),
    ("initial_block", {"network": NETWORK, "key": KEY, "index": 0, "m": 6, "d": 3},
     {"network": "network", "key": "key", "index": "integer", "m": "size", "d": "size"}),
    ("outputs", {"params": WEIGHTS, "x": X, "slope": 0.1},
     {"params": "params", "x": "points", "slope": "share"}),
    ("apply", {"network": NETWORK, "params": WEIGHTS, "x": X},
     {"network": "network", "params": "params", "x": "points"}),
    ("train", {"network": NETWORK, "params": WEIGHTS, "x": X, "y": Y, "descent": DESCENT},
     {"network": "network", "params": "params", "x": "finite", "y": "labels",
      "descent": "descent", "readout_scale": "real", "space": "text"}),
    ("cheapest_space", {"network": NETWORK, "descent": DESCENT, "n": 4, "d": 3, "m": 6},
     {"network": "network", "descent": "descent", "n": "size", "d": "size", "m": "size"}),
    ("block_size", {"m": 6}, {"m": "size"}),
    ("training_time", {"learning_rate": 0.1, "steps": 3},
     {"learning_rate": "real", "steps": "real", "momentum": "share", "nesterov": "bool"}),
    ("descent_for_time", {"time": 1.0, "steps": 3}, {"time": "real", "momentum": "share"}),
) | calls_of(
    infinite_width,
    ("hidden_ntk", KERNEL, OF_KERNEL),
    ("ntk", KERNEL, OF_KERNEL),
    ("nngp", KERNEL, OF_KERNEL),
    ("angle", {"x": X, "z": Z}, {"x": "points", "z": "points", "bias": "bool"}),
    ("f_hat", LIMIT, OF_LIMIT),
    ("beta", LIMIT, OF_LIMIT),
    ("signal", LIMIT, OF_LIMIT),
    ("signal_gradients", LIMIT, OF_LIMIT),
    ("output_bound", {**LIMIT, "m": 6, "time": 1.0, "s": 2.0},
     {**OF_LIMIT, "m": "size", "time": "real", "s": "real"}),
    ("changed_share", {**LIMIT, "key": KEY, "m": 6, "time": 1.0}, {"key": "key", "m": "real"}),
    ("normal_quantile", {"s": 1.0}, {"s": "real"}),
    ("certified_exponents", {"delta": 0.1, "n": 4}, {"delta": "real", "n": "size"}),
    ("certified_failure", {"n": 4, "s_kernel": 1.0, "s_lazy": 1.0},
     {"n": "size", "s_kernel": "real", "s_lazy": "real"}),
    ("initial_excess_kurtosis", {"m": 6, "slope": 0.1}, {"m": "size", "slope": "share"}),
) | calls_of(
    perturbations,
    ("gradient_noise", {"params": WEIGHTS, "x": X, "y": Y, "slope": 0.1},
     {"params": "params", "x": "points", "y": "labels", "slope": "share"}),
    ("projected_gradient", {"gradient": jnp.sin, "x": X, "epsilon": 0.1, "steps": 2},
     {"gradient": "function", "x": "points", "epsilon": "real", "steps": "size"}),
    ("fit_probe", FIT, {"x": "points", "steps": "size", "classes": "size"}),
    ("noises", {"classifier": perturbations.Classifier._make(map(np.ones, ((6, 3), (2, 6)))),
                "x": X, "labels": CLASSES, "attack": ATTACK},
     {"classifier": "classifier", "attack": "attack", "x": "points"}),
    ("predicted_movement", {"x": X, "y": Y, "m": 6},
     {"x": "points", "y": "labels", "m": "real"}),
    ("init_classifier", {"key": KEY, "m": 6, "d": 3, "classes": 2},
     {"key": "key", "m": "size", "d": "size", "classes": "size"}),
    ("sign_cosine", {"cosine": 0.5}, {"cosine": "real"}),
    ("alignment_variance", {"m": 6, "d": 3}, {"m": "size", "d": "size"}),
    ("draw_run", {"key": KEY, "setting": perturbations.PerturbationSetting()},
     {"key": "key", "setting": "setting"}),
) | calls_of(
    certificates,
    ("max_margin_limit", {"x": X, "y": Y, "slope": 0.5, "positive": 0.25},
     {"x": "finite", "y": "labels", "slope": "share", "positive": "share"}),
    ("gram_factors", {"y": Y, "slope": 0.5, "positive": 0.25},
     {"slope": "share", "positive": "share"}),  # labels in any number
    ("near_orthogonality", {"x": X, "slope": 0.5}, {"x": "finite", "slope": "share"}),
    ("inner_products", {"x": X, "z": Z}, {"x": "points", "z": "points"}),
    ("inside_cone", {"params": WEIGHTS, "x": X, "y": Y},
     {"params": "params", "x": "points", "y": "labels"}),
    ("enclosed_solution", {"system": np.eye(4), "right": Y, "system_error": 0.0},
     {"system": "points", "system_error": "real"}),
    ("separate", {"x": X, "y": Y}, {"x": "finite", "y": "labels", "affine": "bool"}),
    ("solve", {"x": X, "y": Y, "slope": 0.5}, {"x": "finite", "y": "labels", "slope": "share"}),
) | calls_of(
    testing,
    ("labels", {"n": 4}, {"n": "size", "both": "bool"}),
    ("labelled_points", {}, {"n": "size", "d": "size", "slope": "share", "load": "real"}),
    ("networks", {"network": NETWORK}, {"network": "network", "m": "size", "d": "size"}),
    ("descents", {}, {"steps": "size", "max_rate": "real", "max_momentum": "share"}),
    ("configurations", {"default": perturbations.PerturbationSetting()},
     {"default": "setting", "largest": "real"}),
    ("slopes", {}, {"open_low": "bool"}),
)  # fmt: skip

THING = object()
NO_NUMBER = {"nan": np.nan, "text": "0.5", "complex": 0.5j, "True": True, "array": np.ones(2),
             "None": None, "object": THING, "huge": 10**400}  # fmt: skip
NO_SIZE = {"zero": 0, "negative": -1, "float": 2.5, "text": "4", "complex": 4j, "True": True,
           "nan": np.nan, "array": np.ones(2, int), "object": THING, "huge": 10**30}  # fmt: skip
NO_POINTS: dict[str, Any] = {
    "complex": X * 1j,
    "objects": np.full((4, 3), None),
    "words": np.full((4, 3), "a"),
    "text": "x",
    "None": None,
    "object": THING,
    "ragged": [[1, 2], [3]],
    "masked": np.ma.array(X, mask=X > 0),
    "a vector": X[0],
    "a stack": X[None],
    "a number": 3.0,
}
NO_PARAMS: dict[str, Any] = {
    "None": None,
    "three numbers": (1, 2, 3),
    "array": np.ones((2, 3)),
    "too few biases": WEIGHTS._replace(b=np.ones(5)),
    "complex": WEIGHTS._replace(w=WEIGHTS.w * 1j),
    "masked": WEIGHTS._replace(a=np.ma.masked_all(6)),
    "text": WEIGHTS._replace(w="w"),
    "a vector": WEIGHTS._replace(w=np.ones(3)),
}
OTHERS = {"None": None, "number": 3, "text": "s"}
BAD: dict[str, dict[str, Any]] = {
    "real": NO_NUMBER,
    "share": {**NO_NUMBER, "one": 1.0, "negative": -0.1, "infinite": np.inf},
    "size": NO_SIZE,
    "count": {label: value for label, value in NO_SIZE.items() if label != "zero"},
    "integer": {k: NO_SIZE[k] for k in ("float", "text", "complex", "nan", "object", "huge")},
    "bool": {"number": 2, "None": None, "text": "yes", "nan": np.nan, "array": np.ones(2)},
    "text": {"number": 3, "None": None, "other": np.ones(2)},
    "key": {"number": 3, "None": None, "numbers": np.ones(2), "text": "k",
            "several": jax.random.split(KEY)},
    "points": NO_POINTS,
    "finite": {
        **NO_POINTS,
        "nan": np.where(X == 0, np.nan, X),
        "infinite": np.where(X == 0, np.inf, X),
        "no column": X[:, :0],
    },
    "labels": {
        "zeros and ones": (Y + 1) / 2,
        "halves": Y / 2,
        "nan": Y * np.nan,
        "infinite": Y * np.inf,
        "too few": Y[:-1],
        "a column": Y[:, None],
        "complex": Y * 1j,
        "objects": np.full(4, None),
        "words": np.full(4, "a"),
        "masked": np.ma.array(Y, mask=Y > 0),
        "None": None,
        "text": "y",
        "object": THING,
    },
    "params": NO_PARAMS,
    "network": {**OTHERS, "descent": DESCENT},
    "descent": {**OTHERS, "network": NETWORK},
    "setting": {**OTHERS, "network": NETWORK},
    "classifier": {**OTHERS, "empty": (), "params": WEIGHTS},
    "attack": {**OTHERS, "empty": ()},
    "function": OTHERS,
}  # fmt: skip


def refused(call: Callable[[], object]) -> str:
    """The line with which a call is refused; else what came of it in place of a line."""
    try:
        return line_of(call) or "not refused"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def wrong(compiled: list[str]) -> Iterator[str]:
    """Calls that are not refused in one line of the right words, before anything is compiled."""
    for name, call in CALLS.items():
        for argument, kind in call.kinds.items():
            for label, value in BAD[kind].items():
                if value is None and call.arguments.get(argument, 0) is None:
                    continue
                before = len(compiled)
                line = refused(lambda: call.function(**call.arguments | {argument: value}))  # noqa: B023
                named = line.startswith((f"{argument} must ", f"{argument}."))
                if not (named and "must" in line and "got" in line):
                    yield f"{name}({argument} = {label}): {line}"
                if compiled[before:]:
                    yield f"{name}({argument} = {label}): compiled {compiled[before:]}"


def too_strict() -> Iterator[str]:
    """Good calls that are refused; those of arrays are traced, for which nothing is compiled."""
    for name, call in CALLS.items():
        traced = not isinstance(call.function, type) and any(
            isinstance(value, np.ndarray | jax.Array | Params) for value in call.arguments.values()
        )
        traced = traced and call.function is not certificates.separate

        def run(call: Call = call) -> Any:
            return call.function(**call.arguments)

        found = refused((lambda: jax.eval_shape(run)) if traced else run)
        if found != "not refused":
            yield f"{name}: {found}"


# How arrays of NumPy become JAX's; the second in JAX 0.10.0.
COPIES = ("jit(stage)", "jit(convert_element_type)")


def main() -> None:
    """What is wrong, and how many bad arguments were tried, as JSON."""
    jax.config.update("jax_enable_x64", True)
    names: list[str] = []

    def heard(event: str, duration_secs: float, **kwargs: str | int) -> None:
        name = str(kwargs.get("fun_name"))
        if event.endswith("backend_compile_duration") and name not in COPIES:
            names.append(name)

    jax.monitoring.register_event_duration_secs_listener(heard)
    tried = sum(len(BAD[kind]) for call in CALLS.values() for kind in call.kinds.values())
    found = {"wrong": [*wrong(names)], "too strict": [*too_strict()], "tried": tried}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
