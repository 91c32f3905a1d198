"""Bad inputs, and what the message about each has to say: the field, what was expected, what came.

Run as a program it prints, as JSON, what is raised for each: in a process of its own, as a user
sees it, without the type checker that the tests put around `theory`.
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from loose_parts import made_of
from soundness.planted import Parts, const, normal, normals, sharp, uniforms

from theory import Claim, Hypothesis, Margin, Statement, exceeds, margin, verify
from theory.parameters import Parameters, parameter
from theory.verification.verdict import Verdict

SCALES = 2.0 ** np.arange(3, 9)


def any_value(value: Any) -> Any:
    """A value of a wrong type, for a type checker of any."""
    return value


class Bad(NamedTuple):
    """A bad input.

    Attributes:
      name: of the case.
      make: what a user wrote.
      says: words that the message contains: field, expectation, what came. Of "a|b", either.
    """

    name: str
    make: Callable[[], Any]
    says: tuple[str, ...]


class Setting(Parameters):
    m: int = parameter(4, "neurons", low=1)


def judged(
    *, draws: Any = 40, level: Any = 0.01, key: Any = None, config: Any = None, **parts: Any
) -> Verdict:
    """The verdict on a toy; deterministic, with a conclusion that holds, unless told otherwise."""
    defaults: Parts = {"id": "toy.bad", "kind": "deterministic", "sample": normal}
    if parts.get("kind", "deterministic") in ("deterministic", "probabilistic"):
        defaults["conclusion"] = lambda x, _: sharp(1 + jnp.sum(x) ** 2)
    statement = made_of(**(defaults | parts))
    key = jax.random.key(0) if key is None else key
    return verify(statement, key=key, draws=draws, level=level, config=config)


def mean_of(quantity: Any, claim: Any = Claim(0.0, 1.0), **parts: Any) -> Verdict:  # noqa: B008
    claims = claim if callable(claim) else const(claim)
    return judged(kind="moment", quantity=quantity, claims=claims, **parts)


def rate_of(quantity: Any, scales: Any, *, kind: str = "rate", count: int = 6) -> Verdict:
    return judged(
        kind=kind,
        sample=uniforms(count),
        quantity=quantity,
        claims=const(Claim(-0.5, 1.0)),
        scales=const(scales),
    )


def concluded(value: Callable[..., Any], **parts: Any) -> Verdict:
    return judged(conclusion=value, **parts)


def allowed(delta: Any) -> Verdict:
    return judged(kind="probabilistic", failure_probability=delta)


BAD = (
    # Failure probabilities.
    Bad(
        "delta-of-shape-1",
        lambda: allowed(lambda x, _: jnp.full(1, 0.1)),
        ("failure_probability", "one number|scalar|()|a number", "(1,)"),
    ),
    Bad(
        "delta-of-shape-2",
        lambda: allowed(lambda x, _: jnp.full(2, 0.1)),
        ("failure_probability", "one number|scalar|()|a number", "(2,)"),
    ),
    Bad(
        "delta-none", lambda: allowed(lambda x, _: None), ("failure_probability", "number", "None")
    ),
    Bad(
        "delta-a-margin",
        lambda: allowed(lambda x, _: sharp(x)),
        ("failure_probability", "number", "Margin"),
    ),
    Bad(
        "delta-no-function",
        lambda: allowed(0.1),
        ("failure_probability", "function|callable", "0.1|float"),
    ),
    # Claims.
    Bad(
        "claims-in-a-list",
        lambda: mean_of(lambda x, _: jnp.stack([x, x]), const([Claim(0, 1), Claim(0, 1)])),
        ("claim", "tuple", "list"),
    ),
    Bad(
        "claims-none",
        lambda: mean_of(lambda x, _: x, const(None)),
        ("claim", "Claim|given", "None"),
    ),
    Bad(
        "claim-a-number",
        lambda: mean_of(lambda x, _: x, const(0.5)),
        ("claim", "Claim", "float|0.5"),
    ),
    Bad(
        "no-claims",
        lambda: mean_of(lambda x, _: jnp.zeros(0), const(())),
        ("claim", "at least one", "()|0|none"),
    ),
    Bad(
        "claim-not-callable",
        lambda: judged(kind="moment", quantity=lambda x, _: x, claims=Claim(0.0, 1.0)),
        ("claim", "function|callable", "Claim"),
    ),
    Bad("claim-nan", lambda: Claim(float("nan"), 0.1), ("value", "finite", "nan")),
    Bad("claim-infinite", lambda: Claim(float("inf"), 0.1), ("value", "finite", "inf")),
    Bad("claim-in-words", lambda: Claim("half", 0.1), ("value", "number", "half")),  # pyright: ignore
    Bad(
        "resolution-nan", lambda: Claim(1.0, float("nan")), ("resolution", "finite|positive", "nan")
    ),
    Bad("resolution-infinite", lambda: Claim(1.0, float("inf")), ("resolution", "finite", "inf")),
    Bad(
        "resolution-negative",
        lambda: Claim(1.0, -0.1),
        ("resolution", "> 0|positive|(0, inf)", "-0.1"),
    ),
    Bad("resolution-zero", lambda: Claim(1.0, 0.0), ("resolution", "> 0|positive|(0, inf)", "0.0")),
    Bad(
        "tolerance-nan",
        lambda: Claim(1.0, 0.1, tolerance=float("nan")),
        ("tolerance", "finite", "nan"),
    ),
    Bad(
        "tolerance-infinite",
        lambda: Claim(1.0, 0.1, tolerance=float("inf")),
        ("tolerance", "finite", "inf"),
    ),
    Bad(
        "tolerance-negative",
        lambda: Claim(1.0, 0.1, tolerance=-0.1),
        ("tolerance", "≥ 0|[0, inf)|non-negative", "-0.1"),
    ),
    Bad(
        "side-unknown",
        lambda: Claim(1.0, 0.1, side="about"),
        ("side", "at least, at most, equal", "about"),
    ),
    # Quantities.
    Bad(
        "quantity-of-three-and-one-claim",
        lambda: mean_of(lambda x, _: x, sample=normals(3)),
        ("quantity", "one number|scalar|()|a number", "(3,)"),
    ),
    Bad(
        "quantity-of-three-and-two-claims",
        lambda: mean_of(lambda x, _: x, (Claim(0.0, 1.0), Claim(0.0, 1.0)), sample=normals(3)),
        ("quantity", "2", "3"),
    ),
    Bad(
        "quantity-a-matrix",
        lambda: mean_of(lambda x, _: x[:, None], sample=normals(3)),
        ("quantity", "one number|scalar|()|a number", "(3, 1)"),
    ),
    Bad("quantity-none", lambda: mean_of(lambda x, _: None), ("quantity", "number|array", "None")),
    Bad(
        "quantity-a-margin",
        lambda: mean_of(lambda x, _: sharp(x)),
        ("quantity", "number|array", "Margin"),
    ),
    Bad(
        "quantity-no-function", lambda: mean_of(1.0), ("quantity", "function|callable", "1.0|float")
    ),
    Bad("quantity-complex", lambda: mean_of(lambda x, _: x * 1j), ("quantity", "real", "complex")),
    # Scales.
    Bad(
        "scales-five-for-six",
        lambda: rate_of(lambda u, _: 0.5 + u, SCALES[:5]),
        ("quantity|scales", "5", "6"),
    ),
    Bad(
        "scales-seven-for-six",
        lambda: rate_of(lambda u, _: 0.5 + u, 2.0 ** np.arange(7)),
        ("quantity|scales", "7", "6"),
    ),
    Bad(
        "scales-seven-for-one-number",
        lambda: rate_of(lambda u, _: u[0], 2.0 ** np.arange(7)),
        ("quantity|scales", "scale", "()"),
    ),
    Bad(
        "scales-of-a-decay-five-for-six",
        lambda: rate_of(lambda u, _: jnp.where(u < 0.5, 1.0, 0.0), SCALES[:5], kind="decay"),
        ("quantity|scales", "5", "6"),
    ),
    Bad(
        "scales-four",
        lambda: rate_of(lambda u, _: 0.5 + u, SCALES[:4], count=4),
        ("scales", "five", "4"),
    ),
    Bad(
        "scales-with-zero",
        lambda: rate_of(lambda u, _: 0.5 + u, np.arange(6.0)),
        ("scales", "positive", "0"),
    ),
    Bad(
        "scales-negative",
        lambda: rate_of(lambda u, _: 0.5 + u, -SCALES[::-1]),
        ("scales", "positive", "-256|−256"),
    ),
    Bad(
        "scales-nan",
        lambda: rate_of(lambda u, _: 0.5 + u, np.r_[SCALES[:5], np.nan]),
        ("scales", "finite|positive|increasing", "nan"),
    ),
    Bad(
        "scales-equal",
        lambda: rate_of(lambda u, _: 0.5 + u, np.full(6, 8.0)),
        ("scales", "increasing|different|distinct", "8"),
    ),
    Bad(
        "scales-a-matrix",
        lambda: rate_of(lambda u, _: 0.5 + u, SCALES[:, None]),
        ("scales", "shape|(S,)|one axis|1-dimensional|one dimension|vector", "(6, 1)"),
    ),
    Bad(
        "scales-no-function",
        lambda: judged(
            kind="rate", quantity=lambda x, _: x, claims=const(Claim(0.0, 1.0)), scales=SCALES
        ),
        ("scales", "function|callable", "ndarray|array"),
    ),
    Bad(
        "decay-of-fractions",
        lambda: rate_of(lambda u, _: u, SCALES, kind="decay"),
        ("quantity", "0", "1"),
    ),
    # Margins.
    Bad(
        "all-of-nothing",
        lambda: concluded(lambda x, _: margin(jnp.zeros(0)).all()),
        ("all", "at least one|empty|one entry", "(0,)|empty|none|0"),
    ),
    Bad(
        "error-of-another-shape",
        lambda: concluded(lambda x, _: Margin(x, jnp.zeros(3), x)),
        ("error", "()", "(3,)"),
    ),
    Bad(
        "ratio-of-another-shape",
        lambda: concluded(lambda x, _: Margin(x, 0 * x, jnp.zeros(3))),
        ("ratio", "()", "(3,)"),
    ),
    Bad(
        "error-that-does-not-broadcast",
        lambda: margin(jnp.zeros(3), jnp.zeros(2)),
        ("error", "(3,)", "(2,)"),
    ),
    Bad(
        "error-larger-than-the-value",
        lambda: margin(jnp.zeros(()), jnp.zeros(2)),
        ("error", "()", "(2,)"),
    ),
    Bad("error-negative", lambda: margin(1.0, -1.0), ("error", "negative|≥ 0", "-1")),
    Bad(
        "sides-that-do-not-broadcast",
        lambda: exceeds(jnp.zeros(3), jnp.zeros(2)),
        ("left|right", "(3,)", "(2,)"),
    ),
    Bad(
        "margin-unsigned",
        lambda: margin(jnp.zeros((), jnp.uint8)),
        ("value", "signed|astype", "uint8"),
    ),
    Bad(
        "margin-bool",
        lambda: margin(jnp.asarray(True)),
        ("value", "where|number|real|floating", "bool"),
    ),
    Bad(
        "margin-complex",
        lambda: margin(jnp.zeros((), complex)),
        ("value", "real|floating", "complex"),
    ),
    Bad(
        "margin-in-words",
        lambda: margin(any_value("large")),
        ("value", "number|array|real", "large|str"),
    ),
    Bad(
        "sides-unsigned",
        lambda: exceeds(jnp.zeros((), jnp.uint8), jnp.zeros((), jnp.uint8)),
        ("left", "signed|astype", "uint8"),
    ),
    Bad(
        "conclusion-a-number",
        lambda: concluded(lambda x, _: x),
        ("conclusion", "Margin", "Array|Tracer|float"),
    ),
    Bad(
        "conclusion-of-three",
        lambda: concluded(lambda x, _: margin(x, 0.0), sample=normals(3)),
        ("conclusion", ".all()", "(3,)"),
    ),
    Bad(
        "conclusion-no-function",
        lambda: judged(conclusion=margin(1.0, 0.0)),
        ("conclusion", "function|callable", "Margin"),
    ),
    Bad(
        "hypothesis-of-three",
        lambda: judged(sample=normals(3), hypotheses={"wide": lambda x, _: margin(x, 0.0)}),
        ("wide", ".all()", "(3,)"),
    ),
    Bad(
        "hypothesis-a-truth-value",
        lambda: judged(hypotheses={"wide": lambda x, _: x > 0}),
        ("wide", "Margin", "Array|Tracer|bool"),
    ),
    Bad(
        "hypothesis-no-function",
        lambda: judged(hypotheses={"wide": 1.0}),
        ("wide|check", "function|callable", "1.0|float"),
    ),
    Bad(
        "hypotheses-a-list",
        lambda: judged(hypotheses=[lambda x, _: sharp(x)]),
        ("hypotheses", "name|mapping|dict", "list"),
    ),
    Bad(
        "stage-unknown",
        lambda: judged(hypotheses={"small": Hypothesis(lambda x, _: sharp(x), stage="weights")}),
        ("stage", "small", "none|sample", "weights"),
    ),
    # Statements and what they are run with.
    Bad(
        "claim-of-no-kind",
        lambda: Statement(id="toy.bad", sample=normal, claim="exact"),  # pyright: ignore
        ("claim", "Deterministic", "exact"),
    ),
    Bad(
        "claim-a-conclusion",
        lambda: Statement(id="toy.bad", sample=normal, claim=lambda x, _: sharp(x)),  # pyright: ignore
        ("claim", "Deterministic", "function"),
    ),
    Bad(
        "sample-no-function",
        lambda: judged(sample=jnp.zeros(3)),
        ("sample", "function|callable", "Array"),
    ),
    Bad(
        "sample-without-a-configuration",
        lambda: judged(sample=lambda key: jax.random.normal(key)),
        ("sample", "(key, config)", "argument|parameter|(key)"),
    ),
    Bad("key-a-seed", lambda: judged(key=7), ("key", "jax.random.key", "7|int")),
    Bad(
        "key-many",
        lambda: judged(key=jax.random.split(jax.random.key(0), 3)),
        ("key", "one key|()|single", "(3,)"),
    ),
    Bad("key-a-float", lambda: judged(key=jnp.zeros(2)), ("key", "jax.random.key", "float")),
    Bad(
        "configuration-a-dict",
        lambda: judged(config={"m": 3}),
        ("config", "hashable|Parameters|frozen", "dict"),
    ),
    Bad(
        "configuration-an-array",
        lambda: judged(config=np.zeros(3)),
        ("config", "hashable|Parameters|frozen", "ndarray|array"),
    ),
    Bad("configuration-refused", lambda: judged(config=Setting(m=0)), ("m", "≥ 1", "0")),
    Bad("draws-none", lambda: judged(draws=0), ("draws", "≥ 1", "0")),
    Bad("draws-a-half", lambda: judged(draws=2.5), ("draws", "integer", "2.5")),
    Bad("draws-a-truth-value", lambda: judged(draws=True), ("draws", "integer", "True")),
    Bad("level-zero", lambda: judged(level=0.0), ("level", "[1e-12, 1)", "0.0")),
    Bad("level-one", lambda: judged(level=1.0), ("level", "[1e-12, 1)", "1.0")),
    # 1 − level, a confidence, has no digits left.
    Bad("level-tiny", lambda: judged(level=1e-17), ("level", "[1e-12, 1)", "1e-17")),
    Bad("level-nan", lambda: judged(level=float("nan")), ("level", "[1e-12, 1)", "nan")),
    Bad(
        "statement-by-name",
        lambda: verify(any_value("lazy.movement"), key=jax.random.key(0)),
        ("statement", "Statement", "lazy.movement|str"),
    ),  # pyright: ignore
    Bad("batch-none", lambda: judged(batch=0), ("batch", "≥ 1", "0")),
)


def raised(bad: Bad) -> list[str]:
    """Name of the exception and its message; empty if nothing is raised."""
    try:
        bad.make()
    except Exception as error:
        return [type(error).__name__, str(error)]
    return []


if __name__ == "__main__":
    print(json.dumps({bad.name: raised(bad) for bad in BAD}))
