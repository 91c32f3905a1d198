"""A traced function evaluated equation by equation in ball arithmetic."""

import functools
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from jax.extend.core import (
    ClosedJaxpr,
    Jaxpr,
    Literal,
    Var,
)

from theory.certificates.ball.arrays import ARRAYS, hulls, kind
from theory.certificates.ball.functions import arb, integer_power
from theory.certificates.ball.linear import LINEAR
from theory.certificates.ball.numbers import (
    NAN,
    Equation,
    Undecided,
    Value,
    as_objects,
    balls,
    decided,
    infinite_sign,
    objects,
    up_to,
)
from theory.certificates.ball.orders import ORDERS
from theory.certificates.ball.structure import STRUCTURE, Rule
from theory.margins import BOUND, ROUNDING

RULES: Mapping[str, Rule] = {**STRUCTURE, **ARRAYS, **ORDERS, **LINEAR}
# Of real numbers these change nothing.
_SAME = (
    "copy",
    "copy_p",
    "stop_gradient",
    "optimization_barrier",
    "reduce_precision",
    "device_put",
    "sharding_constraint",
    "pvary",
)
_CALLS = (
    "jit",
    "pjit",
    "closed_call",
    "core_call",
    "remat",
    "remat2",
    "checkpoint",
    "custom_jvp_call",
    "custom_vjp_call",
    "custom_vjp_call_jaxpr",
)
MOST_STEPS = 10**6  # of one loop


class MissingPrimitive(NotImplementedError):
    """A primitive of JAX that ball arithmetic here has no rule for."""


class _Lacking:
    """In place of a result that could not be had: the error, raised by whoever needs it."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _bound(x: Value) -> Value:
    """A bound of an error as a ball of numbers ≥ 0: that of its absolute value, if it may be 0."""
    if isinstance(x, float) or x < 0 or not x.is_finite():
        return x
    return x if x >= 0 else up_to(x.abs_upper())


_MARKED = {ROUNDING: lambda x: x if infinite_sign(x) else arb(0), BOUND: _bound}


def exact(value: Value) -> Value:
    """A value of JAX or NumPy as it is computed with: floats as balls, all else as it is."""
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        return value
    array = np.asarray(value)
    of = kind(array)
    if of == "complex":
        raise MissingPrimitive("ball arithmetic here has no complex numbers")
    return balls(array) if of == "real" else array


def evaluate(
    closed: ClosedJaxpr, arguments: Sequence[Value], *, rounding: bool = True
) -> list[Value]:
    """The results of a closed jaxpr, floats as object arrays of balls.

    Args:
      closed: the jaxpr with its constants.
      arguments: one value for each of its inputs, as from `exact`.
      rounding: whether bounds on rounding errors are evaluated as they are written; of real
        numbers, which do not round, they are 0.

    Raises:
      MissingPrimitive: for a primitive without a rule that a result depends on.
      Undecided: where the radius leaves open what to do.
    """
    consts = [exact(value) for value in closed.consts]
    results = _Evaluation(rounding).run(closed.jaxpr, consts, list(arguments), "")
    return [_read(result) for result in results]


def _read(value: Value) -> Value:
    if isinstance(value, _Lacking):
        raise value.error
    return value


class _Evaluation:
    """One evaluation, with what it is told about rounding bounds."""

    def __init__(self, rounding: bool) -> None:
        self.rounding = rounding

    def run(self, jaxpr: Jaxpr, consts: list[Value], args: list[Value], place: str) -> list[Value]:
        """The results of a jaxpr; those that cannot be had are `_Lacking`."""
        env: dict[Var, Value] = {}
        env.update(zip(jaxpr.constvars, consts, strict=True))
        env.update(zip(jaxpr.invars, args, strict=True))

        def value_of(v: Var | Literal) -> Value:
            if isinstance(v, core.Literal):
                return exact(np.asarray(v.val, getattr(v.aval, "dtype", None)))
            return env[v]

        for number, eqn in enumerate(jaxpr.eqns):
            if not _needed(jaxpr)[number]:
                continue
            here = f"{place}equation {number + 1} ({_location(eqn)})"
            results = self.results(eqn, [value_of(v) for v in eqn.invars], here)
            env.update(zip(eqn.outvars, results, strict=True))
        return [value_of(v) for v in jaxpr.outvars]

    def results(self, eqn: Equation, args: list[Value], here: str) -> list[Value]:
        """The results of an equation, or its error in place of each."""
        name = eqn.primitive.name
        try:
            if name in _CALLS:
                return self.call(eqn, args, here)
            if name == "custom_linear_solve":
                return self.solve(eqn, args, here)
            if name == "cond":
                return self.cond(eqn, args, here)
            if name == "while":
                return self.loop(eqn, [_read(a) for a in args], here)
            if name == "scan":
                return self.scan(eqn, args, here)
            return self.simple(name, eqn, [_read(a) for a in args], here)
        except (MissingPrimitive, Undecided) as error:
            if not getattr(error, "placed", False):
                error = type(error)(f"{error}, in {here}")
                error.placed = True  # pyright: ignore[reportAttributeAccessIssue]
            return [_Lacking(error) for _ in eqn.outvars]

    def simple(self, name: str, eqn: Equation, args: list[Value], here: str) -> list[Value]:
        """An equation without functions in it."""
        if name in _SAME:
            return args
        if name == "name":
            mark = None if self.rounding else _MARKED.get(eqn.params["name"])
            return args if mark is None else [objects(mark, args[0])]
        if name == "platform_index":
            return [np.asarray(platform_index(eqn.params["platforms"]), np.int32)]
        if name == "bitcast_convert_type":
            return [_bits(args[0], eqn)]
        found = NotImplemented
        if name in RULES and not any(kind(v.aval) == "key" for v in eqn.invars):
            found = RULES[name](args, eqn)
        if found is NotImplemented:
            found = _natively(eqn, args)
        if found is NotImplemented:
            raise MissingPrimitive(f"ball arithmetic has no rule for the primitive {name!r}")
        several = found if isinstance(found, list) else [found]
        return [
            _Lacking(MissingPrimitive(f"ball arithmetic has no rule for the {one}"))
            if isinstance(one, LookupError)
            else one
            for one in several
        ]

    def call(self, eqn: Equation, args: list[Value], here: str) -> list[Value]:
        """A function called by an equation."""
        inner = next(p for n in ("jaxpr", "call_jaxpr", "fun_jaxpr") if (p := eqn.params.get(n)))
        closed = isinstance(inner, core.ClosedJaxpr)
        jaxpr, consts = (inner.jaxpr, inner.consts) if closed else (inner, ())
        if eqn.params.get("name") == "frexp" and is_frexp(inner):
            return _frexp(_read(args[0]), eqn)
        inside = f"{here} › {eqn.params.get('name', eqn.primitive.name)} › "
        return self.run(jaxpr, [exact(c) for c in consts], args, inside)

    def solve(self, eqn: Equation, args: list[Value], here: str) -> list[Value]:
        """What a linear solver does, which of real numbers is what it says."""
        lengths = eqn.params["const_lengths"]
        start = lengths.matvec + lengths.vecmat
        end = start + lengths.solve + lengths.transpose_solve
        own = args[start : start + lengths.solve]
        closed = eqn.params["jaxprs"].solve
        consts = [exact(c) for c in closed.consts]
        return self.run(closed.jaxpr, consts, [*own, *args[end:]], f"{here} › solve › ")

    def cond(self, eqn: Equation, args: list[Value], here: str) -> list[Value]:
        """The branch that the index names, or the hull of all if it is undecided."""
        index, operands = _read(args[0]), args[1:]
        branches = eqn.params["branches"]

        def taken(branch: ClosedJaxpr) -> list[Value]:
            consts = [exact(c) for c in branch.consts]
            return self.run(branch.jaxpr, consts, operands, f"{here} › branch › ")

        if index[()] is not None:
            return taken(branches[min(max(int(index[()]), 0), len(branches) - 1)])
        found = [[_read(value) for value in taken(branch)] for branch in branches]
        of = [kind(v.aval) for v in eqn.outvars]
        return [
            functools.reduce(lambda a, b, k=k: hulls(a, b, k), cases)
            for k, cases in zip(of, zip(*found, strict=True), strict=True)
        ]

    def loop(self, eqn: Equation, args: list[Value], here: str) -> list[Value]:
        """A while loop, every one of whose conditions is decided."""
        p = eqn.params
        n, m = p["cond_nconsts"], p["body_nconsts"]
        test_consts, body_consts, carry = args[:n], args[n : n + m], args[n + m :]
        test, body = p["cond_jaxpr"], p["body_jaxpr"]
        inside = f"{here} › while › "
        for _ in range(MOST_STEPS):
            own = [exact(c) for c in test.consts]
            (goes_on,) = self.run(test.jaxpr, own, [*test_consts, *carry], inside)
            if _read(goes_on)[()] is None:
                raise Undecided("whether a while loop goes on is undecided")
            if not _read(goes_on)[()]:
                return carry
            own = [exact(c) for c in body.consts]
            carry = [_read(v) for v in self.run(body.jaxpr, own, [*body_consts, *carry], inside)]
        raise Undecided(f"a while loop of more than {MOST_STEPS} steps")

    def scan(self, eqn: Equation, args: list[Value], here: str) -> list[Value]:
        """A loop over slices."""
        p = eqn.params
        n, m, length = p["num_consts"], p["num_carry"], p["length"]
        consts, carry, sequences = args[:n], args[n : n + m], [_read(a) for a in args[n + m :]]
        body, inside = p["jaxpr"], f"{here} › scan › "
        own = [exact(c) for c in body.consts]
        order = range(length)[::-1] if p["reverse"] else range(length)
        stacks: list[list[Value]] = [[None] * length for _ in eqn.outvars[m:]]
        for k in order:
            now = [s[k] if not isinstance(s, np.ndarray) else as_array(s[k], s) for s in sequences]
            results = self.run(body.jaxpr, own, [*consts, *carry, *now], inside)
            carry = results[:m]
            for stack, value in zip(stacks, results[m:], strict=True):
                stack[k] = value
        return [*carry, *(self.stacked(s, v) for s, v in zip(stacks, eqn.outvars[m:], strict=True))]

    def stacked(self, values: list[Value], variable: Value) -> Value:
        """Results of all steps as one array, or the error of one of them."""
        for value in values:
            if isinstance(value, _Lacking):
                return value
        if not values:
            return np.empty(variable.aval.shape, object)
        return np.stack(values) if isinstance(values[0], np.ndarray) else jnp.stack(values)


def as_array(entry: Value, of: np.ndarray) -> np.ndarray:
    """A slice of an array as an array, also where it is a single entry."""
    return as_objects(entry) if of.dtype == object else np.asarray(entry)


@functools.lru_cache(maxsize=512)
def _needed(jaxpr: Jaxpr) -> list[bool]:
    """Which equations the results depend on."""
    live = {v for v in jaxpr.outvars if not isinstance(v, core.Literal)}
    found = [False] * len(jaxpr.eqns)
    for number, eqn in reversed(list(enumerate(jaxpr.eqns))):
        if live.intersection(eqn.outvars):
            found[number] = True
            live.update(v for v in eqn.invars if not isinstance(v, core.Literal))
    return found


def _location(eqn: Equation) -> str:
    """Primitive, and the line of the code that it comes from, where JAX still knows."""
    frames = getattr(getattr(eqn.source_info, "traceback", None), "frames", [])
    for frame in frames:
        parts = frame.file_name.replace("\\", "/").split("/")
        if not {"jax", "jaxlib", "jaxtyping", "beartype"}.intersection(parts):
            return f"{eqn.primitive.name}, {parts[-1]} line {frame.line_num}"
    return eqn.primitive.name


def platform_index(platforms: Value) -> int:
    """The branch for CPUs, whose code is that of any platform without a kernel of its own."""
    named = [k for k, names in enumerate(platforms) if names is not None and "cpu" in names]
    return named[0] if named else next(k for k, names in enumerate(platforms) if names is None)


def _natively(eqn: Equation, args: list[Value]) -> Value:
    """JAX's own results where all operands and results are exact: integers, truths, random keys."""
    kinds = {kind(v.aval) for v in (*eqn.invars, *eqn.outvars)}
    if not kinds <= {"integer", "truth", "key"}:
        return NotImplemented
    args = [decided(a, "an operand") if isinstance(a, np.ndarray) else a for a in args]
    typed = [
        jnp.asarray(a, v.aval.dtype) if isinstance(a, np.ndarray) else a
        for a, v in zip(args, eqn.invars, strict=True)
    ]
    found = eqn.primitive.bind(*typed, **eqn.params)
    several = list(found) if eqn.primitive.multiple_results else [found]
    keys = [jnp.issubdtype(v.aval.dtype, jax.dtypes.prng_key) for v in eqn.outvars]
    return [a if key else np.asarray(a) for a, key in zip(several, keys, strict=True)]


# --- floats taken apart ---------------------------------------------------------------------------


def _bits(x: Value, eqn: Equation) -> Value:
    """Bits as another type; of a float only where it is one: a ball of radius 0 with few digits."""
    target = eqn.outvars[0].aval.dtype
    source = eqn.invars[0].aval.dtype
    if kind(eqn.invars[0].aval) == "real":
        x = objects(_as_float, x).astype(source)
    found = np.asarray(jax.lax.bitcast_convert_type(jnp.asarray(x, source), target))
    return exact(found)


def _as_float(x: Value) -> float:
    if isinstance(x, float) or infinite_sign(x):
        return NAN if isinstance(x, float) else infinite_sign(x) * float("inf")
    number = float(x.mid())
    if not (x.is_exact() and arb(number) == x):
        raise Undecided("the bits of a number that is no float are undecided")
    return number


@functools.lru_cache(maxsize=64)
def _text_of_frexp(shape: tuple[int, ...], dtype: str) -> str:
    traced = jax.make_jaxpr(jnp.frexp)(jax.ShapeDtypeStruct(shape, dtype))
    return str(traced.eqns[0].params["jaxpr"])


def is_frexp(inner: Value) -> bool:
    """Whether a jaxpr is that of `jnp.frexp`."""
    aval = inner.in_avals[0]
    return str(inner) == _text_of_frexp(aval.shape, str(aval.dtype))


def _frexp(x: Value, eqn: Equation) -> list[Value]:
    """Mantissa and exponent, x = mantissa·2^exponent, of balls whose exponent is certain."""
    exponents = objects(_exponent, x).astype(eqn.outvars[1].aval.dtype)
    shifted = objects(lambda v, e: v * integer_power(arb(2), -int(e)), x, exponents.astype(object))
    return [shifted, exponents]


def _exponent(x: Value) -> int:
    """e with ½ ≤ |x|·2^{−e} < 1; 0 for 0."""
    if isinstance(x, float) or not x.is_finite():
        raise Undecided("the exponent of a number that may not be finite is undecided")
    if x == 0:
        return 0
    size = abs(x)
    if size > 0:
        mantissa, power, *_ = size.mid().man_exp()
        guess = int(mantissa).bit_length() + int(power)
        for exponent in (guess - 1, guess, guess + 1):
            scaled = size * integer_power(arb(2), -exponent)
            if scaled * 2 >= 1 and scaled < 1:
                return exponent
    raise Undecided("the exponent of a number is undecided")
