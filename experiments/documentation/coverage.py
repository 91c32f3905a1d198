"""How often the intervals of means miss: simulation, written as a table into the documentation.

`python3 -m experiments.documentation.coverage` rewrites the table between the markers of
docs/reading-verdicts.md; with `--replications` fewer or more samples are drawn.
"""

import argparse
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import special

from theory.verification.statistics.betting import bets, log_capital
from theory.verification.statistics.means import (
    BINARY_SHARE,
    hall_limits,
    skewness,
    trusted_draws,
)
from theory.verification.statistics.probabilities import clopper_pearson
from theory.verification.statistics.rates import fit_rate

PAGE = Path(__file__).parents[2] / "docs" / "reading-verdicts.md"
BEGIN, END = (
    "<!-- coverage: written by python3 -m experiments.documentation.coverage -->",
    "<!-- end -->",
)
CONFIDENCE = 0.99
DRAWS = (20, 50, 200, 1000)
CHUNK = 1000  # replications at once
SCALES = 2.0 ** np.arange(4, 10)
EXPONENT = -0.5
COLUMNS = (
    "law",
    "N",
    "Student misses",
    "Hall misses",
    "believed",
    "refuted though true",
    "misses with bounds (0, 1)",
)


class Law(NamedTuple):
    """A law with known mean: (rng, shape) → draws, and whether its values lie in [0, 1]."""

    name: str
    sample: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
    mean: float
    bounded: str = ""


LAWS = (
    Law("normal", lambda rng, shape: rng.normal(size=shape), 0.0),
    Law("uniform", lambda rng, shape: rng.random(shape), 0.5, "betting"),
    Law("exponential", lambda rng, shape: rng.exponential(size=shape), 1.0),
    Law("log-normal, σ = 1", lambda rng, shape: np.exp(rng.normal(size=shape)), np.exp(0.5)),
    Law("log-normal, σ = 2", lambda rng, shape: np.exp(2 * rng.normal(size=shape)), np.exp(2.0)),
    Law("product of two χ²₁", lambda rng, shape: np.prod(rng.chisquare(1, (2, *shape)), 0), 1.0),
    Law("Student, 3 degrees", lambda rng, shape: rng.standard_t(3, shape), 0.0),
    Law(
        "Bernoulli(0.01)",
        lambda rng, shape: (rng.random(shape) < 0.01).astype(float),
        0.01,
        "Clopper–Pearson",
    ),
    Law("Pareto, index 2.5", lambda rng, shape: rng.pareto(2.5, shape), 1 / 1.5),
)


class Misses(NamedTuple):
    """Shares of the replications: Student's and Hall's interval miss; the gate is open; it is and
    Hall's interval misses ("refuted though true"); the interval with declared bounds misses."""

    student: float
    hall: float
    trusted: float
    refuted: float
    bounded: float | None


def simulate(law: Law, draws: int, replications: int) -> Misses:
    """Miss rates of the intervals of a mean at confidence 99 %, from a fixed seed."""
    rng = np.random.default_rng([zlib.crc32(law.name.encode()), draws])
    parts = [_chunk(law, rng, draws) for _ in range(max(1, replications // CHUNK))]
    student, hall, trusted, refuted, bounded = np.mean(parts, axis=0)
    return Misses(student, hall, trusted, refuted, bounded if law.bounded else None)


def _chunk(law: Law, rng: np.random.Generator, draws: int) -> list[float]:
    values = law.sample(rng, (CHUNK, draws))
    deviation = values.std(axis=1, ddof=1)
    half = special.stdtrit(draws - 1, (1 + CONFIDENCE) / 2) * deviation / np.sqrt(draws)
    student = np.abs(values.mean(axis=1) - law.mean) > half
    low, high = hall_limits(values, CONFIDENCE)
    hall = (low > law.mean) | (high < law.mean)
    needed = np.array([trusted_draws(float(skew)) for skew in skewness(values)])
    trusted = (deviation > 0) & (draws >= needed)
    missed = [_bounded_misses(law, row) for row in values] if law.bounded else [0.0]
    columns = (student, hall, trusted, trusted & hall, missed)
    return [float(np.mean(column)) for column in columns]


def _bounded_misses(law: Law, values: np.ndarray) -> bool:
    """Whether the interval for values in [0, 1] excludes the mean; betting without bisection."""
    if law.bounded == "Clopper–Pearson":
        share = 1 - BINARY_SHARE * (1 - CONFIDENCE)
        low, high = clopper_pearson(int(values.sum()), len(values), share)
        return not low <= law.mean <= high
    confidence = 1 - (1 - BINARY_SHARE) * (1 - CONFIDENCE)
    counted = np.ones(len(values), bool)
    bet = bets(values, confidence, counted, len(values))
    capitals = (
        log_capital(values, law.mean, bet, counted)[-1],
        log_capital(1 - values, 1 - law.mean, bet, counted)[-1],
    )
    return max(capitals) >= np.log(2 / (1 - confidence))


def simulate_rate(noise: float, draws: int, replications: int) -> tuple[float, float, float]:
    """(interval misses, gate is open, both) of an exponent under log-normal noise."""
    rng = np.random.default_rng([int(100 * noise), draws])
    found = []
    for _ in range(replications):
        values = SCALES**EXPONENT * np.exp(noise * rng.normal(size=(draws, len(SCALES))))
        fit = fit_rate(SCALES, values, CONFIDENCE)
        missed = not fit.interval.low <= EXPONENT <= fit.interval.high
        found.append((missed, not fit.doubt, missed and not fit.doubt))
    misses, trusted, refuted = np.mean(found, axis=0)
    return float(misses), float(trusted), float(refuted)


def table(replications: int) -> Iterator[str]:
    """The Markdown table, line by line."""
    yield (
        f"Shares of {replications} samples at confidence 99 %, in per cent: how often an interval "
        "misses the true mean, how often Hall's is believed, and how often it is believed and "
        "misses, which is a true statement refuted. Standard error of 1 %: "
        f"{100 * np.sqrt(0.0099 / replications):.2g}."
    )
    yield ""
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|" + "---|" * len(COLUMNS)
    for law in LAWS:
        for draws in DRAWS:
            shares = simulate(law, draws, replications)
            numbers = [f"{100 * share:.2f}" for share in shares[:4]]
            bounded = "–"
            if shares.bounded is not None:
                bounded = f"{100 * shares.bounded:.2f} ({law.bounded})"
            yield f"| {law.name} | {draws} | {' | '.join(numbers)} | {bounded} |"
    for noise in (0.2, 0.5, 1.0):
        for draws in DRAWS[1:]:
            numbers = [f"{100 * s:.2f}" for s in simulate_rate(noise, draws, replications // 2)]
            name = f"exponent, log-normal noise, σ = {noise:g}"
            yield f"| {name} | {draws} | – | {' | '.join(numbers)} | – |"


def main() -> None:
    """Rewrites the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=2000)
    replications = parser.parse_args().replications
    if replications < CHUNK:
        parser.error(f"--replications must be at least {CHUNK}, got {replications}")
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END, 1)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n" + "\n".join(table(replications)) + f"\n\n{END}{after}")


if __name__ == "__main__":
    main()
