"""Statements planted for `falsify`: false ones that it should refute, true ones that it must not.

What is right is stated beforehand, here. Of the false ones those called rare fail with probability
below 10⁻⁴, so that a thousand draws do not show it: violations in far tails, near-equalities and
degenerate geometry.
"""

import jax
import jax.numpy as jnp

from theory import Deterministic, Parameters, Reals, Signs, Statement, at_least, exceeds, parameter


class Setting(Parameters):
    """Few sizes: every new one is compiled."""

    n: int = parameter(4, "points", low=2)
    d: int = parameter(6, "dimension", low=2)


def gaussian(key, config):
    return jax.random.normal(key, (config.n, config.d))


def uniform(key, config):
    return jax.random.uniform(key, (config.n, config.d), minval=-1.0, maxval=1.0)


def sphere(key, config):
    x = gaussian(key, config)
    return x / jnp.linalg.norm(x, axis=1, keepdims=True)


def labelled(key, config):
    points, labels = jax.random.split(key)
    return {"x": gaussian(points, config), "y": jax.random.rademacher(labels, (config.n,), float)}


def network(key, config):
    """Weights, readout and a point."""
    keys = jax.random.split(key, 3)
    return {
        "w": jax.random.normal(keys[0], (config.n, config.d)) / config.d**0.5,
        "a": jax.random.rademacher(keys[1], (config.n,), float) / config.n,
        "x": jax.random.normal(keys[2], (config.d,)),
    }


def symmetric(key, config):
    a = jax.random.normal(key, (config.d, config.d))
    return (a + a.T) / 2


def psd(key, config):
    a = jax.random.normal(key, (config.d, config.n))
    return a @ a.T


def cosine(x, z):
    return jnp.dot(x, z) / (jnp.linalg.norm(x) * jnp.linalg.norm(z))


def relu(i):
    return jnp.maximum(i["w"] @ i["x"], 0)


def planted(id, sample, conclusion, hypotheses=None, domain=None):
    return Statement(
        id=f"planted.{id}",
        config=Setting(),
        sample=sample,
        hypotheses=hypotheses or {},
        claim=Deterministic(conclusion=conclusion),
        domain=domain or {},
    )


X_AND_Y = {"x": Reals(), "y": Signs()}
SMALL = {"‖x_1‖ ≤ 1/10": lambda x, c: at_least(0.1, jnp.linalg.norm(x[0]))}
CLOSE = {"‖x_1 − x_2‖ ≤ 1/100": lambda x, c: at_least(0.01, jnp.linalg.norm(x[0] - x[1]))}

# --- false, and rare among draws ------------------------------------------------------------------

RARE = (
    planted("gaussian-maximum", gaussian, lambda x, c: exceeds(6.5, jnp.max(jnp.abs(x)))),
    planted("gaussian-norm", gaussian, lambda x, c: exceeds(60.0, jnp.sum(x[0] ** 2))),
    planted("nearly-parallel", gaussian, lambda x, c: exceeds(0.9999, cosine(x[0], x[1]))),
    planted(
        "uniform-corner",
        uniform,
        lambda x, c: exceeds(0.999 * c.d, jnp.sum(jnp.abs(x[0]))),
    ),
    planted(
        "small-and-still",
        gaussian,
        lambda x, c: exceeds(jnp.linalg.norm(x[1]), jnp.linalg.norm(x[0])),
        SMALL,
    ),
    planted(
        "close-points-differ-in-sign",
        gaussian,
        lambda x, c: at_least(x[0, 0] * x[1, 0], -1e-7),
        CLOSE,
    ),
    planted(
        "gram-determinant",
        sphere,
        lambda x, c: exceeds(jnp.linalg.det(x[:2] @ x[:2].T), 1e-7),
    ),
    planted(
        "smallest-eigenvalue",
        gaussian,
        lambda x, c: exceeds(jnp.linalg.eigvalsh(x @ x.T)[0], 1e-6),
    ),
    planted(
        "all-neurons-active",
        network,
        lambda i, c: exceeds(jnp.sum(jax.nn.sigmoid(-4 * (i["w"] @ i["x"]))), 1e-4),
    ),
    planted(
        "reverse-triangle",
        gaussian,
        lambda x, c: exceeds(
            0.9999 * (jnp.linalg.norm(x[0]) + jnp.linalg.norm(x[1])), jnp.linalg.norm(x[0] + x[1])
        ),
    ),
)

# --- false ----------------------------------------------------------------------------------------

COMMON = (
    planted("orthogonal", gaussian, lambda x, c: exceeds(0.8, jnp.abs(cosine(x[0], x[1])))),
    planted("norm-below-dimension", gaussian, lambda x, c: exceeds(3 * c.d, jnp.sum(x[0] ** 2))),
    planted(
        "spectral-is-half-frobenius",
        gaussian,
        lambda x, c: exceeds(0.95 * jnp.linalg.norm(x), jnp.linalg.norm(x, 2)),
    ),
    planted(
        "products-commute",
        symmetric,
        lambda a, c: at_least(0.0, jnp.linalg.norm(a @ a.T - a.T @ a + jnp.triu(a, 1) * 1e-3)),
    ),
    planted("trace-positive", symmetric, lambda a, c: exceeds(jnp.trace(a), -4.0)),
    planted("psd-trace", psd, lambda a, c: exceeds(jnp.trace(a), 3.0)),
    planted(
        "margin-of-mean",
        labelled,
        lambda i, c: exceeds(jnp.min(i["y"] * (i["x"] @ (i["y"] @ i["x"]))), 0.0),
        domain=X_AND_Y,
    ),
    planted(
        "separated-by-mean-if-short",
        labelled,
        lambda i, c: exceeds(jnp.min(i["y"] * (i["x"] @ (i["y"] @ i["x"]))), 0.0),
        {"‖x_k‖ ≤ 1": lambda i, c: at_least(1.0, jnp.max(jnp.linalg.norm(i["x"], axis=1)))},
        domain=X_AND_Y,
    ),
    planted(
        "separated-by-mean-if-nearly-orthogonal",
        labelled,
        lambda i, c: exceeds(jnp.min(i["y"] * (i["x"] @ (i["y"] @ i["x"]))), 0.0),
        {
            "2 max |⟨x_j, x_k⟩| ≤ min ‖x_k‖²": lambda i, c: at_least(
                jnp.min(jnp.sum(i["x"] ** 2, axis=1)),
                2 * jnp.max(jnp.abs(i["x"] @ i["x"].T) * (1 - jnp.eye(c.n))),
            )
        },
        domain=X_AND_Y,
    ),
    planted(
        "huge-points",
        labelled,
        lambda i, c: exceeds(1e6, jnp.max(jnp.linalg.norm(i["x"], axis=1))),
        domain=X_AND_Y,
    ),
    planted(
        "no-equal-points",
        labelled,
        lambda i, c: exceeds(jnp.linalg.norm(i["x"][0] - i["x"][1]), 0.0, 0.0),
        domain=X_AND_Y,
    ),
    planted(
        "output-bounded",
        network,
        lambda i, c: exceeds(1.5, jnp.abs(i["a"] @ relu(i))),
    ),
    planted(
        "relu-increases",
        network,
        lambda i, c: at_least(i["a"] @ (jnp.maximum(i["w"] @ (1.1 * i["x"]), 0) - relu(i)), 0.0),
    ),
    planted(
        "lipschitz-one",
        network,
        lambda i, c: exceeds(jnp.linalg.norm(i["x"]), 2 * jnp.abs(jnp.sum(relu(i)))),
    ),
    planted(
        "hadamard-norm",
        gaussian,
        lambda x, c: at_least(jnp.linalg.norm(x[0]), jnp.linalg.norm(x[0] * x[1])),
    ),
    planted(
        "cauchy-without-norms",
        gaussian,
        lambda x, c: exceeds(jnp.sum(jnp.abs(x[0])), jnp.abs(x[0] @ x[1])),
    ),
    planted(
        "sine-linear",
        uniform,
        lambda x, c: exceeds(0.1, jnp.abs(jnp.sin(x[0, 0]) - x[0, 0])),
    ),
    planted(
        "exponential-convexity",
        uniform,
        lambda x, c: exceeds(jnp.exp(jnp.mean(x[0])) + 0.3, jnp.mean(jnp.exp(x[0]))),
    ),
    planted(
        "median-of-means",
        gaussian,
        lambda x, c: exceeds(0.9, jnp.abs(jnp.mean(x[0]) - jnp.median(x[0]))),
    ),
    planted(
        "angle-is-far",
        sphere,
        lambda x, c: exceeds(jnp.linalg.norm(x[0] - x[1]), 0.25),
    ),
)
FALSE = RARE + COMMON

# --- true -----------------------------------------------------------------------------------------

TRUE = (
    planted("true-triangle", gaussian, lambda x, c: at_least(
        jnp.linalg.norm(x[0]) + jnp.linalg.norm(x[1]), jnp.linalg.norm(x[0] + x[1]))),
    planted("true-cauchy", gaussian, lambda x, c: at_least(
        jnp.linalg.norm(x[0]) * jnp.linalg.norm(x[1]), jnp.abs(x[0] @ x[1]))),
    planted("true-sphere", sphere, lambda x, c: at_least(
        1e-12, jnp.max(jnp.abs(jnp.linalg.norm(x, axis=1) - 1)))),
    planted("true-uniform", uniform, lambda x, c: at_least(1.0, jnp.max(jnp.abs(x)))),
    planted("true-uniform-norm", uniform, lambda x, c: at_least(
        c.d, jnp.sum(x[0] ** 2))),
    planted("true-cosine", gaussian, lambda x, c: at_least(1.0, cosine(x[0], x[1]))),
    planted("true-frobenius", gaussian, lambda x, c: at_least(
        jnp.linalg.norm(x), jnp.linalg.norm(x, 2))),
    planted("true-psd", psd, lambda a, c: at_least(jnp.trace(a), 0.0)),
    planted("true-psd-eigenvalues", psd, lambda a, c: at_least(
        jnp.linalg.eigvalsh(a)[0], -1e-9 * jnp.trace(a))),
    planted("true-symmetric", symmetric, lambda a, c: at_least(0.0, jnp.max(jnp.abs(a - a.T)))),
    planted("true-gram-rank", gaussian, lambda x, c: at_least(
        jnp.linalg.eigvalsh(x.T @ x)[-1], jnp.linalg.eigvalsh(x @ x.T)[0])),
    planted("true-labels", labelled, lambda i, c: at_least(0.0, jnp.max(jnp.abs(i["y"] ** 2 - 1))),
            domain=X_AND_Y),
    planted("true-mean-direction", labelled, lambda i, c: at_least(
        jnp.sum(i["y"] * (i["x"] @ (i["y"] @ i["x"]))), 0.0), domain=X_AND_Y),
    planted("true-orthogonal-separated", labelled, lambda i, c: exceeds(
        jnp.min(i["y"] * (i["x"] @ (i["y"] @ i["x"]))), 0.0), {
            "n max |⟨x_j, x_k⟩| < min ‖x_k‖²": lambda i, c: exceeds(
                jnp.min(jnp.sum(i["x"] ** 2, axis=1)),
                c.n * jnp.max(jnp.abs(i["x"] @ i["x"].T) * (1 - jnp.eye(c.n)))),
        }, domain=X_AND_Y),
    planted("true-relu", network, lambda i, c: at_least(jnp.min(relu(i)), 0.0)),
    planted("true-homogeneous", network, lambda i, c: at_least(
        1e-12, jnp.max(jnp.abs(jnp.maximum(i["w"] @ (2 * i["x"]), 0) - 2 * relu(i))))),
    planted("true-lipschitz", network, lambda i, c: at_least(
        jnp.linalg.norm(i["w"]) * jnp.linalg.norm(i["x"]), jnp.linalg.norm(relu(i)))),
    planted("true-readout", network, lambda i, c: at_least(1.0 / c.n, jnp.max(jnp.abs(i["a"])))),
    planted("true-exponential", uniform, lambda x, c: at_least(
        jnp.mean(jnp.exp(x[0])), jnp.exp(jnp.mean(x[0])))),
    planted("true-log", gaussian, lambda x, c: at_least(
        jnp.abs(x[0, 0]), jnp.log1p(jnp.abs(x[0, 0])))),
    planted("true-sine", gaussian, lambda x, c: at_least(
        jnp.abs(x[0, 0]), jnp.abs(jnp.sin(x[0, 0])))),
    planted("true-tanh", gaussian, lambda x, c: at_least(1.0, jnp.max(jnp.abs(jnp.tanh(x))))),
    planted("true-mean-max", gaussian, lambda x, c: at_least(jnp.max(x), jnp.mean(x))),
    planted("true-l1", gaussian, lambda x, c: at_least(
        c.d**0.5 * jnp.linalg.norm(x[0]), jnp.sum(jnp.abs(x[0])))),
    planted("true-holder", gaussian, lambda x, c: at_least(
        jnp.max(jnp.abs(x[0])) * jnp.sum(jnp.abs(x[1])), jnp.abs(x[0] @ x[1]))),
    planted("true-close", gaussian, lambda x, c: at_least(
        0.01, jnp.abs(jnp.linalg.norm(x[0]) - jnp.linalg.norm(x[1]))), CLOSE),
    planted("true-small", gaussian, lambda x, c: at_least(0.1, jnp.max(jnp.abs(x[0]))), SMALL),
    planted("true-parallelogram", gaussian, lambda x, c: at_least(
        1e-9 * (1 + jnp.sum(x**2)), jnp.abs(
            jnp.sum((x[0] + x[1]) ** 2) + jnp.sum((x[0] - x[1]) ** 2)
            - 2 * jnp.sum(x[0] ** 2) - 2 * jnp.sum(x[1] ** 2)))),
    planted("true-determinant", sphere, lambda x, c: at_least(
        1.0, jnp.abs(x[0, 0] * x[1, 1] - x[0, 1] * x[1, 0]))),
    planted("true-one-key", lambda key, c: (gaussian(key, c), gaussian(key, c)),
            lambda x, c: at_least(0.0, jnp.max(jnp.abs(x[0] - x[1])))),
)  # fmt: skip
