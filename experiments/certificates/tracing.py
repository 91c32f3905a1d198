"""A condition as a program of few operations, see `experiments.certificates.program`."""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from experiments.certificates.functions import FUNCTIONS
from theory.certificates.ball.interpreter import is_frexp, platform_index
from theory.margins import BOUND, ROUNDING, Margin

_CALLS = (
    "jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint", "custom_jvp_call",
    "custom_vjp_call", "custom_vjp_call_jaxpr",
)  # fmt: skip
_SAME = ("copy", "copy_p", "stop_gradient", "optimization_barrier", "reduce_precision")
# What moves entries only: JAX moves their numbers, which says where each entry comes from.
_MOVES = (
    "broadcast_in_dim",
    "reshape",
    "transpose",
    "squeeze",
    "expand_dims",
    "rev",
    "slice",
    "split",
    "concatenate",
    "stack",
    "tile",
    "pad",
    "gather",
    "dynamic_slice",
    "dynamic_update_slice",
)
_FOLDS = {
    "reduce_sum": "sum",
    "reduce_prod": "prod",
    "reduce_max": "max",
    "reduce_min": "min",
    "reduce_and": "and",
    "reduce_or": "or",
}


class Untraceable(NotImplementedError):
    """A condition with an operation that programs of certificates do not have."""


class Written(NamedTuple):
    """A condition as a program.

    steps: the program, for `json`.
    value, error: which steps are the margin's value and error.
    strict: whether the condition is "> 0".
    fingerprint: SHA-256 of all that.
    """

    steps: list[dict[str, Any]]
    value: int
    error: int
    strict: bool
    fingerprint: str


class _Known(NamedTuple):
    """A value that does not depend on the instance."""

    array: Any


class _Step(NamedTuple):
    """A value that a step computes."""

    number: int
    shape: tuple[int, ...]
    kind: str  # "real", "integer" or "truth"


def names_of(instance: Any) -> list[str]:
    """The names of the arrays of an instance, in the order of its leaves."""
    found = jax.tree_util.tree_flatten_with_path(instance)[0]
    return [jax.tree_util.keystr(path) or "." for path, _ in found]


def written(condition: Callable[[Any, Any], Margin], instance: Any, config: Any) -> Written:
    """The program of a condition on instances of these shapes.

    Args:
      condition: (instance, config) → `Margin`.
      instance: a pytree of arrays.
      config: the configuration.

    Raises:
      Untraceable: for a primitive that programs have no operation for.
    """
    strict = True

    def parts(given: Any) -> tuple[Any, Any]:
        nonlocal strict
        margin = condition(given, config)
        strict = margin.strict
        return margin.value, margin.error

    with jax.enable_x64(True):
        closed = jax.make_jaxpr(parts)(instance)
        writer = _Writer()
        inputs = []
        for name, leaf in zip(names_of(instance), jax.tree.leaves(instance), strict=True):
            array = np.asarray(leaf)
            inputs.append(writer.add(array.shape, _kind(array.dtype), op="input", name=name))
        value, error = writer.run(closed.jaxpr, closed.consts, inputs)
        numbers = [writer.as_step(part, "real").number for part in (value, error)]
    steps, (first, second) = _needed(writer.steps, numbers)
    text = json.dumps([steps, first, second, strict], sort_keys=True)
    return Written(steps, first, second, strict, hashlib.sha256(text.encode()).hexdigest())


def _needed(steps: list[dict[str, Any]], ends: list[int]) -> tuple[list[dict[str, Any]], list[int]]:
    """The steps that the ends depend on, numbered anew."""
    live = set(ends)
    for number in reversed(range(len(steps))):
        if number in live:
            live.update(steps[number].get("of", ()))
    new = {old: k for k, old in enumerate(sorted(live))}
    kept = [dict(steps[old]) for old in sorted(live)]
    for step in kept:
        if "of" in step:
            step["of"] = [new[k] for k in step["of"]]
    return kept, [new[end] for end in ends]


def _kind(dtype: Any) -> str:
    for name, of in (("real", jnp.floating), ("integer", jnp.integer), ("truth", jnp.bool_)):
        if jnp.issubdtype(dtype, of):
            return name
    raise Untraceable(f"an array of {dtype}")


class _Writer:
    """Writes the steps of a program."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []

    def add(self, shape: Sequence[int], kind: str, **step: Any) -> _Step:
        """One more step."""
        self.steps.append(step)
        return _Step(len(self.steps) - 1, tuple(int(n) for n in shape), kind)

    def map(self, function: str, kind: str, *of: _Step) -> _Step:
        """A function of entries, of operands that broadcast together."""
        shape = np.broadcast_shapes(*(step.shape for step in of))
        numbers = [self.spread(step, shape).number for step in of]
        return self.add(shape, kind, op="map", function=function, of=numbers)

    def take(self, places: Any, kind: str, *of: _Step) -> _Step:
        """Entries of the operands joined end to end."""
        places = np.asarray(places)
        flat = places.reshape(-1).tolist()
        return self.add(places.shape, kind, op="take", of=[s.number for s in of], places=flat)

    def as_step(self, value: Any, kind: str) -> _Step:
        """The value as a step: a constant is written down."""
        if isinstance(value, _Step):
            return value
        flat = np.asarray(value.array).reshape(-1).tolist()
        if kind == "real":
            flat = [float(v).hex() for v in flat]
        shape = np.shape(value.array)
        return self.add(shape, kind, op="constant", type=kind, values=[_plain(v) for v in flat])

    def run(self, jaxpr: Any, consts: Any, args: Sequence[Any]) -> list[Any]:
        """Writes a jaxpr; its results."""
        env: dict[Any, Any] = {}
        env.update(zip(jaxpr.constvars, (_Known(np.asarray(c)) for c in consts), strict=True))
        env.update(zip(jaxpr.invars, args, strict=True))

        def value_of(v: Any) -> Any:
            if isinstance(v, core.Literal):
                return _Known(np.asarray(v.val, getattr(v.aval, "dtype", None)))
            return env[v]

        for eqn in jaxpr.eqns:
            operands = [value_of(v) for v in eqn.invars]
            failed = [o for o in operands if isinstance(o, Untraceable)]
            try:
                results = [failed[0] for _ in eqn.outvars] if failed else self.write(eqn, operands)
            except Untraceable as error:  # told to whoever needs the result
                results = [error for _ in eqn.outvars]
            env.update(zip(eqn.outvars, results, strict=True))
        found = [value_of(v) for v in jaxpr.outvars]
        for value in found:
            if isinstance(value, Untraceable):
                raise value
        return found

    def write(self, eqn: Any, args: list[Any]) -> list[Any]:
        """Writes an equation; its results."""
        name, params = eqn.primitive.name, eqn.params
        if name in _CALLS:
            return self.call(eqn, args)
        if name == "platform_index":
            return [_Known(np.int32(platform_index(params["platforms"])))]
        if name == "cond" and isinstance(args[0], _Known):
            branches = params["branches"]
            branch = branches[min(max(int(args[0].array), 0), len(branches) - 1)]
            return self.run(branch.jaxpr, branch.consts, args[1:])
        marks = {ROUNDING: "rounding", BOUND: "bound"}
        if name == "name" and params["name"] in marks:
            step = self.as_step(args[0], "real")
            mark = marks[params["name"]]
            return [self.add(step.shape, "real", op="mark", mark=mark, of=[step.number])]
        if name in (*_SAME, "name"):
            return args
        if all(isinstance(arg, _Known) for arg in args) and name not in ("while", "scan", "cond"):
            return self.known(eqn, args)
        if name in _MOVES:
            return self.moved(eqn, args)
        kinds = [_kind(v.aval.dtype) for v in eqn.invars]
        steps = [self.as_step(arg, kind) for arg, kind in zip(args, kinds, strict=True)]
        if name in _FOLDS:
            return [self.folded(_FOLDS[name], steps[0], params["axes"])]
        if name == "dot_general":
            return [self.product(eqn, steps)]
        if name == "cholesky" and len(steps[0].shape) == 2:
            shape = steps[0].shape
            of = [steps[0].number]
            return [self.add(shape, "real", op="cholesky", n=shape[0], of=of)]
        if name == "triangular_solve" and len(steps[0].shape) == 2:
            return [self.triangular(eqn, steps)]
        return [self.mapped(eqn, name, kinds, steps)]

    def call(self, eqn: Any, args: list[Any]) -> list[Any]:
        """A function that an equation calls."""
        params = eqn.params
        inner = next(p for n in ("jaxpr", "call_jaxpr", "fun_jaxpr") if (p := params.get(n)))
        if params.get("name") == "frexp" and is_frexp(inner):
            x = self.as_step(args[0], "real")
            return [self.map("mantissa", "real", x), self.map("exponent", "integer", x)]
        closed = isinstance(inner, core.ClosedJaxpr)
        jaxpr, consts = (inner.jaxpr, inner.consts) if closed else (inner, ())
        return self.run(jaxpr, consts, args)

    def known(self, eqn: Any, args: list[Any]) -> list[Any]:
        """What does not depend on the instance: of integers JAX's own, of floats only moves."""
        exact = all(_kind(v.aval.dtype) != "real" for v in (*eqn.invars, *eqn.outvars))
        if not exact and eqn.primitive.name not in (*_MOVES, "select_n", "convert_element_type"):
            kinds = [_kind(v.aval.dtype) for v in eqn.invars]
            steps = [self.as_step(arg, kind) for arg, kind in zip(args, kinds, strict=True)]
            return self.write(eqn, steps) if steps else [self.unknown(eqn.primitive.name)]
        arrays = [
            jnp.asarray(arg.array, v.aval.dtype) for arg, v in zip(args, eqn.invars, strict=True)
        ]
        found = eqn.primitive.bind(*arrays, **eqn.params)
        several = found if eqn.primitive.multiple_results else [found]
        return [_Known(np.asarray(one)) for one in several]

    def unknown(self, name: str) -> Any:
        """Raises: there is no operation for that primitive."""
        raise Untraceable(f"programs of certificates have no operation for the primitive {name!r}")

    def moved(self, eqn: Any, args: list[Any]) -> list[_Step]:
        """Entries in other places."""
        count = {"pad": 2, "gather": 1, "dynamic_slice": 1, "dynamic_update_slice": 2}
        moving = count.get(eqn.primitive.name, len(args))
        if any(isinstance(arg, _Step) for arg in args[moving:]):
            self.unknown(f"{eqn.primitive.name} at places that depend on the instance")
        kind = _kind(eqn.outvars[0].aval.dtype)
        steps = [self.as_step(arg, kind) for arg in args[:moving]]
        numbered, start = [], 0
        for step in steps:
            size = int(np.prod(step.shape))
            numbered.append(jnp.arange(start, start + size).reshape(step.shape))
            start += size
        others = [jnp.asarray(arg.array) for arg in args[moving:]]
        params = dict(eqn.params)
        if "fill_value" in params:  # what is outside has no place
            params["fill_value"] = -1
        found = eqn.primitive.bind(*numbered, *others, **params)
        several = found if eqn.primitive.multiple_results else [found]
        for places in several:
            if np.size(places) and np.min(places) < 0:
                self.unknown(f"{eqn.primitive.name} outside of an array")
        return [self.take(places, kind, *steps) for places in several]

    def folded(self, function: str, step: _Step, axes: Any) -> _Step:
        """A reduction: the entries that belong together, side by side, and then folded."""
        rest = [axis for axis in range(len(step.shape)) if axis not in axes]
        shape = [step.shape[axis] for axis in rest]
        group = int(np.prod([step.shape[axis] for axis in axes]))
        if not group or step.kind == "integer":
            self.unknown(f"{function} of no entries, or of integers")
        numbered = np.arange(int(np.prod(step.shape))).reshape(step.shape)
        lines = self.take(numbered.transpose(*rest, *axes), step.kind, step)
        count, of = int(np.prod(shape)), [lines.number]
        return self.add(
            shape, step.kind, op="fold", function=function, group=group, count=count, of=of
        )

    def product(self, eqn: Any, steps: list[_Step]) -> _Step:
        """Matrix products, of operands brought into the form (batch, free, contracted)."""
        contracted, batched = eqn.params["dimension_numbers"]
        formed, free_shapes, sizes = [], [], []
        for step, over, along in zip(steps, contracted, batched, strict=True):
            if step.kind != "real":
                self.unknown("dot_general of integers")
            free = [axis for axis in range(len(step.shape)) if axis not in (*over, *along)]
            numbered = np.arange(int(np.prod(step.shape))).reshape(step.shape)
            formed.append(self.take(numbered.transpose(*along, *free, *over), "real", step))
            free_shapes.append([step.shape[axis] for axis in free])
            sizes.append([int(np.prod([step.shape[a] for a in axes])) for axes in (along, over)])
        (batch, inner), rows, columns = sizes[0], *(int(np.prod(s)) for s in free_shapes)
        shape = [*(steps[0].shape[axis] for axis in batched[0]), *free_shapes[0], *free_shapes[1]]
        of = [step.number for step in formed]
        return self.add(shape, "real", op="dot", sizes=[batch, rows, columns, inner], of=of)

    def triangular(self, eqn: Any, steps: list[_Step]) -> _Step:
        """X with op(A)X = B, or with X op(A) = B through transposes."""
        params = eqn.params
        a, b = steps
        left, lower = params["left_side"], params["lower"]
        if params["transpose_a"] != (not left):
            a, lower = self.transposed(a), not lower
        b = b if left else self.transposed(b)
        n, columns = b.shape
        x = self.add(
            b.shape, "real", op="triangular", n=n, columns=columns, lower=bool(lower),
            unit=bool(params["unit_diagonal"]), of=[a.number, b.number],
        )  # fmt: skip
        return x if left else self.transposed(x)

    def transposed(self, step: _Step) -> _Step:
        """The transpose of a matrix."""
        numbered = np.arange(int(np.prod(step.shape))).reshape(step.shape)
        return self.take(numbered.T, step.kind, step)

    def mapped(self, eqn: Any, name: str, kinds: list[str], steps: list[_Step]) -> _Step:
        """A function of entries."""
        out = _kind(eqn.outvars[0].aval.dtype)
        if name == "convert_element_type":
            return self.converted(kinds[0], out, steps[0])
        if name == "select_n" and kinds[0] == "truth":
            return self.map("select", out, *steps)
        if name in ("and", "or", "not") and kinds[0] == "truth":
            return self.map(name, "truth", *steps)
        if name in ("ne", "eq", "xor") and kinds[0] == "truth":
            differ = self.map("differ", "truth", *steps)
            return self.map("not", "truth", differ) if name == "eq" else differ
        if name == "integer_pow" and kinds[0] == "real":
            return self.power(steps[0], _Known(np.asarray(eqn.params["y"])))
        if name == "pow" and kinds == ["real", "integer"]:
            return self.power(*steps)
        if name in ("ne", "eq") and kinds[0] == "real" and steps[0] == steps[1]:
            nan = self.map("is_nan", "truth", steps[0])  # how NaN is asked for
            return nan if name == "ne" else self.map("not", "truth", nan)
        if name == "clamp" and kinds[0] in ("real", "integer"):
            low, x, high = steps
            prefix = "" if kinds[0] == "real" else "integer "
            return self.map(f"{prefix}min", out, self.map(f"{prefix}max", out, low, x), high)
        if name == "nextafter":
            return steps[0]
        if kinds[0] == "real" and name in FUNCTIONS:
            return self.map(name, out, *steps)
        if kinds[0] == "integer" and f"integer {name}" in FUNCTIONS:
            return self.map(f"integer {name}", out, *steps)
        return self.unknown(name)

    def spread(self, step: _Step, shape: tuple[int, ...]) -> _Step:
        """The operand in a larger shape."""
        if step.shape == shape:
            return step
        numbered = np.arange(int(np.prod(step.shape))).reshape(step.shape)
        return self.take(np.broadcast_to(numbered, shape), step.kind, step)

    def power(self, x: _Step, exponent: Any) -> _Step:
        """x to a power that is an integer."""
        return self.map("power", "real", x, self.as_step(exponent, "integer"))

    def converted(self, source: str, target: str, step: _Step) -> _Step:
        """The same numbers in another kind."""
        if source == target:
            return step
        if target == "real":
            return self.map("real", "real", step)
        if target == "integer" and source == "truth":
            return self.map("integer", "integer", step)
        return self.unknown(f"convert_element_type from {source} to {target}")


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
