"""Counted frequencies against exact probabilities, where normal intervals would be wrong."""

import math

from scipy import stats

from experiments.figures.figure import Row
from theory.verification.statistics import clopper_pearson

CONFIDENCE = 0.9545  # that of two standard errors of a normal law


def counted(count: int, draws: int, predicted: float) -> Row:
    """A frequency with its exact interval, and by how many standard errors a law misses it.

    Args:
      count, draws: successes among independent draws.
      predicted: their probability by the law.

    Returns:
      mean, standard_error; low and high, the Clopper–Pearson interval at `CONFIDENCE`; draws;
      predicted; z, the normal quantile of the exact two-sided binomial probability of a count as
      unlikely, with the sign of the difference.
    """
    mean = count / draws
    low, high = clopper_pearson(count, draws, CONFIDENCE)
    chance = stats.binomtest(count, draws, min(1.0, predicted)).pvalue
    return {
        "mean": mean,
        "standard_error": math.sqrt(mean * (1 - mean) / draws),
        "low": low,
        "high": high,
        "draws": draws,
        "predicted": predicted,
        "z": math.copysign(float(stats.norm.isf(chance / 2)), mean - predicted),
    }
