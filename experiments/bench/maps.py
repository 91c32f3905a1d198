"""Timing of decision maps, and how exact they are beside Monte-Carlo kernels."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench import rows, timing
from experiments.bench.rows import Options, Row
from theory.data.sampling import draw
from theory.infinite_width import lazy, maps
from theory.keys import make_key
from theory.perturbations.attacks import unit_rows

SAMPLES = 100  # of the reference's kernel estimates
MANY = 1000  # samples at which what one more costs is measured
BATCH = 2000  # grid points that the reference takes at a time
CHECKED = 200  # grid points at which errors are measured
EXACT = 1e-5  # error, as a share of the map's largest value, that ours must not exceed


class Inputs(NamedTuple):
    """One pair of maps. x, y, target: (n, d), (n,), (n,).  alpha, beta: (side,) coordinates."""

    x: jax.Array
    y: jax.Array
    target: jax.Array
    alpha: jax.Array
    beta: jax.Array
    slope: float
    epsilon: float


def both_maps(inputs: Inputs) -> tuple[jax.Array, jax.Array]:
    """f̂ and ĝ on the plane of the class means, (side, side) each."""
    x, y, target, alpha, beta, slope, epsilon = inputs
    plane = maps.class_means_plane(x, y)
    q = lazy.mean_gradients(x, y, slope)
    r = epsilon * target[:, None] * unit_rows(q)
    return (
        maps.f_hat_map(plane, alpha, beta, x, y, slope),
        maps.g_hat_map(plane, alpha, beta, r, q, slope),
    )


def exact(inputs: Inputs, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """f̂ and ĝ at points z, in float64 and by the arccosine, with NumPy alone."""
    x, y, target = (np.asarray(v, np.float64) for v in (inputs.x, inputs.y, inputs.target))

    def phi(points: np.ndarray, others: np.ndarray) -> np.ndarray:
        d = points.shape[1]
        lengths = [np.sqrt(np.sum(v**2, axis=1) / d + 1) for v in (points, others)]
        cosine = (points @ others.T / d + 1) / lengths[0][:, None] / lengths[1][None, :]
        theta = np.arccos(np.clip(cosine, -1, 1))
        return inputs.slope + (1 - inputs.slope) ** 2 * (np.pi - theta) / (2 * np.pi)

    signed = y[:, None] * x
    q = np.concatenate([phi(part, x) @ signed for part in np.array_split(x, 10)]) / len(x)
    r = inputs.epsilon * target[:, None] * q / np.linalg.norm(q, axis=1, keepdims=True)
    f_hat = (phi(z, x) * (z @ x.T)) @ y / len(x)
    return f_hat, np.mean(phi(z, r) * (z @ q.T), axis=1)


def decision_maps(options: Options) -> Iterator[Row]:
    """f̂ and ĝ on a grid, against Monte Carlo with few samples, and at equal accuracy."""
    n, d, side = (1000, 100, 40) if options.quick else (10_000, 1000, 400)
    inputs, key_checked = _inputs(n, d, side)
    ours, compile_time = timing.compiled(
        lambda x, y, t, alpha, beta: both_maps(Inputs(x, y, t, alpha, beta, *inputs[5:])),
        *inputs[:5],
    )
    checked = _checked(key_checked, inputs, ours())
    error = _largest_error(checked.found, checked.truth)
    if error > EXACT:
        raise RuntimeError(f"the maps are off by {error:.1e} of their largest value")
    case = f"f̂ and ĝ on {side}×{side} points, n={n:,} d={d:,}"
    if rows.torch_device() is None:
        seconds = timing.alternate({"ours": ours}, repeats=3, clock=options.clock)
        yield rows.from_rounds(
            "map", case, "Monte Carlo", ours=seconds["ours"], reference=None, target=None,
            compile=compile_time, remarks=(f"largest error of ours {error:.1e}",),
        )  # fmt: skip
        return

    reference = _reference(inputs)
    times = _times(ours, reference, checked.z, side**2, options)
    by_samples = _largest_error(reference(checked.z, SAMPLES), checked.truth)
    few, more = times.points
    remarks = (
        f"largest error of ours {error:.1e}, of the reference {by_samples:.1e} of the largest "
        f"value, at {CHECKED} random grid points against float64",
        f"reference timed on {few:,} and {more:,} points and extrapolated linearly to {side**2:,}",
    )
    yield rows.from_rounds(
        "map", case, f"Monte Carlo, {SAMPLES} samples", ours=times.ours, reference=times.samples,
        target=None if options.quick else 10.0, compile=compile_time, remarks=remarks,
    )  # fmt: skip
    needed = SAMPLES * (by_samples / EXACT) ** 2
    yield rows.from_rounds(
        "map", f"{case}, to {EXACT:.0e}", f"Monte Carlo, {needed:.1e} samples",
        ours=times.ours,
        reference=rows.extrapolated(times.samples, times.many, SAMPLES, MANY, needed),
        target=None if options.quick else 1000.0, compile=compile_time,
        remarks=(
            f"to {EXACT:.0e}: its error falls like 1/√samples, its time grows linearly in the "
            f"samples; extrapolated from {SAMPLES} and {MANY} samples",
        ),
    )  # fmt: skip


def _inputs(n: int, d: int, side: int) -> tuple[Inputs, jax.Array]:
    """The maps that are timed, and the key of the grid points at which errors are measured."""
    key_data, key_target, key_checked = jax.random.split(make_key(0), 3)
    sample = draw(key_data, "shifted-gaussian", n, d, queries=1)
    axis = jnp.linspace(-2.0, 2.0, side)
    target = jax.random.rademacher(key_target, (n,), "float32")
    return Inputs(sample.x, sample.y, target, axis, axis, 0.0, 0.001 * d**0.5), key_checked


class Checked(NamedTuple):
    """Both maps at some grid points: z: (CHECKED, d).  found, truth: of each, (CHECKED,)."""

    z: np.ndarray
    found: list[np.ndarray]
    truth: tuple[np.ndarray, np.ndarray]


def _checked(key: jax.Array, inputs: Inputs, ours: Sequence[jax.Array]) -> Checked:
    """Random grid points, what our maps say there, and what is true."""
    axis, side = inputs.alpha, len(inputs.alpha)
    chosen = jax.random.choice(key, side**2, (CHECKED,), replace=False)
    row, column = jnp.divmod(chosen, side)
    plane = maps.class_means_plane(inputs.x, inputs.y)
    z = np.asarray(axis[row][:, None] * plane.u[None, :] + axis[column][:, None] * plane.v[None, :])
    found = [np.asarray(values)[row, column] for values in ours]
    return Checked(z, found, exact(inputs, z.astype(np.float64)))


class Times(NamedTuple):
    """Seconds of every round. points: on how many the reference was timed.

    samples, many: of the reference on the whole grid, with `SAMPLES` and `MANY` samples.
    """

    points: tuple[int, int]
    ours: list[float]
    samples: list[float]
    many: list[float]


def _times(
    ours: Callable[[], object],
    reference: Callable[[np.ndarray, int], object],
    z: np.ndarray,
    grid: int,
    options: Options,
) -> Times:
    """Ours on the grid beside the reference on few of its points, extrapolated."""
    few = min(BATCH, grid // 4)
    more = 3 * few
    points = np.resize(z, (more, z.shape[1]))  # what they are costs nothing
    calls: dict[str, Callable[[], object]] = {
        "ours": ours,
        "short": lambda: reference(points[:few], SAMPLES),
        "long": lambda: reference(points, SAMPLES),
        "short, many": lambda: reference(points[:few], MANY),
        "long, many": lambda: reference(points, MANY),
    }
    seconds = timing.alternate(calls, repeats=2, clock=options.clock)

    def whole(suffix: str) -> list[float]:
        return rows.extrapolated(
            seconds["short" + suffix], seconds["long" + suffix], few, more, grid
        )

    return Times((few, more), seconds["ours"], whole(""), whole(", many"))


def _reference(inputs: Inputs) -> Callable[[np.ndarray, int], list[np.ndarray]]:
    """Points and number of samples → f̂ and ĝ there by the reference."""
    import torch  # pyright: ignore[reportMissingImports]

    from experiments.bench import reference as bench_reference

    device = rows.torch_device()
    x, y, target = (torch.tensor(np.asarray(v), device=device) for v in inputs[:3])

    def run(points: np.ndarray, samples: int) -> list[np.ndarray]:
        grid = torch.tensor(points, device=device)
        values = bench_reference.decision_maps(
            x, y, target, grid,
            slope=inputs.slope, epsilon=inputs.epsilon, samples=samples, batch=BATCH,
        )  # fmt: skip
        return [v.cpu().numpy() for v in values]

    return run


def _largest_error(found: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> float:
    """max |found − truth| / max |truth|, the larger one of both maps."""
    return max(
        float(np.abs(np.asarray(f, np.float64) - t).max() / np.abs(t).max())
        for f, t in zip(found, truth, strict=True)
    )
