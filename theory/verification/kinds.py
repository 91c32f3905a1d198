"""What a statement can claim: the kinds of statements, each with what it needs and its rule.

A kind whose every draw has an outcome is `ByOutcome`, one about a quantity as a whole `ByQuantity`.
"""

import dataclasses
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from jax.typing import ArrayLike

from theory.margins import Margin, Measured
from theory.verification.claims import (
    Claim,
    Found,
    Values,
    decay,
    exponent,
    judge_quantity,
    mean,
    mean_at_any_time,
    nothing_at_any_time,
)
from theory.verification.failures import (
    Counts,
    Decision,
    deterministic,
    judge_outcomes,
    probabilistic,
    probabilistic_at_any_time,
)
from theory.verification.judging import Config, Instance, Judged, Kind
from theory.verification.laws import Distribution, distance, distance_at_any_time
from theory.verification.signatures import check_condition, check_function
from theory.verification.verdict import Verdict

# --- an outcome of every draw ---------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class ByOutcome(Kind[Config, Instance]):
    """Hypotheses ⇒ conclusion, of every draw.

    Attributes:
      conclusion: (instance, config) → `Margin` (scalar), positive exactly when it holds.

    Raises:
      ValueError: for what is no function of these arguments.
    """

    conclusion: Callable[[Instance, Config], Margin]

    def __post_init__(self) -> None:
        check_condition("conclusion", self.conclusion)


@dataclasses.dataclass(frozen=True)
class Deterministic(ByOutcome[Config, Instance]):
    """Hypotheses ⇒ conclusion, always.

    Attributes:
      conclusion: (instance, config) → `Margin` (scalar), positive exactly when it holds.
    """

    name: ClassVar[str] = "deterministic"

    def judge(self, judged: Judged) -> Verdict:
        """Refuted by one counterexample outside numerical error."""
        return judge_outcomes(judged, lambda counts: deterministic(counts, judged.random))


@dataclasses.dataclass(frozen=True)
class Probabilistic(ByOutcome[Config, Instance]):
    """Hypotheses ⇒ conclusion, except with probability δ.

    Attributes:
      conclusion: (instance, config) → `Margin` (scalar), positive exactly when it holds.
      failure_probability: (instance, config) → δ, the failure probability allowed.
    """

    name: ClassVar[str] = "probabilistic"
    failure_probability: Callable[[Instance, Config], ArrayLike]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_condition("failure_probability", self.failure_probability)

    def judge(self, judged: Judged) -> Verdict:
        """Refuted by more failures than δ makes likely."""
        level, conditional = judged.common["level"], judged.conditional

        def decide(counts: Counts) -> Decision:
            if judged.anytime:
                return probabilistic_at_any_time(counts, conditional, level)
            return probabilistic(counts, conditional, level / 2)

        return judge_outcomes(judged, decide)


# --- a quantity as a whole ------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class ByQuantity(Kind[Config, Instance]):
    """Something about the law of a quantity, which no single draw decides.

    Attributes:
      quantity: (instance, config) → number; with an axis of claims in front where there are several
        and one of scales behind where there are any. As `measured(value, error)` it states its
        numerical error, which is estimated otherwise.
      claims: config → `Claim`, or a tuple of them about one quantity each.

    Raises:
      ValueError: for what is no function of these arguments.
    """

    form: ClassVar[type[Claim]] = Claim  # of what is claimed

    quantity: Callable[[Instance, Config], ArrayLike | Measured]
    claims: Callable[[Config], Claim | tuple[Claim, ...]]

    def __post_init__(self) -> None:
        check_condition("quantity", self.quantity)
        check_function("claims", self.claims, "config")


@dataclasses.dataclass(frozen=True)
class Moment(ByQuantity[Config, Instance]):
    """The mean of the quantity over draws equals what is claimed.

    Attributes:
      quantity: (instance, config) → number, or (claims,).
      claims: config → `Claim`, or a tuple of them.
    """

    name: ClassVar[str] = "moment"

    def judge(self, judged: Judged) -> Verdict:
        """Refuted where the confidence interval of the mean excludes the claim."""
        return judge_quantity(judged, self.claims(judged.config), _mean(judged))


@dataclasses.dataclass(frozen=True)
class Empirical(ByQuantity[Config, Instance]):
    """The same for what an experiment showed, not a theorem.

    Attributes:
      quantity: (instance, config) → number, or (claims,).
      claims: config → `Claim`, or a tuple of them.
    """

    name: ClassVar[str] = "empirical"

    def judge(self, judged: Judged) -> Verdict:
        """Consistent only where the confidence interval lies on the claimed side."""
        claims = self.claims(judged.config)
        return judge_quantity(judged, claims, _mean(judged), must_show=True)


def _mean(judged: Judged) -> Callable[[Claim, Values, float], Found]:
    return mean_at_any_time if judged.anytime else mean


@dataclasses.dataclass(frozen=True)
class Scaled(ByQuantity[Config, Instance]):
    """Something about how the law of a quantity depends on a scale.

    Attributes:
      quantity: (instance, config) → (S,) or (claims, S).
      claims: config → `Claim`, or a tuple of them.
      scales: config → (S,) the scales.
    """

    scales: Callable[[Config], npt.ArrayLike]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_function("scales", self.scales, "config")

    def at_scales(
        self,
        judged: Judged,
        estimate: Callable[[np.ndarray], Callable[[Claim, Values, float], Found]],
    ) -> Verdict:
        """The verdict by an estimate of the claimed number from draws at all scales."""
        scales = np.asarray(self.scales(judged.config), float)
        rule = nothing_at_any_time if judged.anytime else estimate(scales)
        return judge_quantity(judged, self.claims(judged.config), rule, scales=scales)


@dataclasses.dataclass(frozen=True)
class Rate(Scaled[Config, Instance]):
    """The mean of the quantity over draws is a power law in the scale with the claimed exponent.

    Attributes:
      quantity: (instance, config) → (S,) or (claims, S) positive numbers.
      claims: config → `Claim` about the exponent, or a tuple of them.
      scales: config → (S,) the scales.
    """

    name: ClassVar[str] = "rate"

    def judge(self, judged: Judged) -> Verdict:
        """Refuted where the confidence interval of the exponent excludes the claim."""
        return self.at_scales(judged, exponent)


@dataclasses.dataclass(frozen=True)
class Decay(Scaled[Config, Instance]):
    """The probability of failure decays like exp(−r·scale) with the claimed rate r.

    Attributes:
      quantity: (instance, config) → (S,) or (claims, S): 1 where a draw fails at a scale, else 0.
      claims: config → `Claim` about r, or a tuple of them.
      scales: config → (S,) the scales.
    """

    name: ClassVar[str] = "decay"

    def judge(self, judged: Judged) -> Verdict:
        """Refuted where the confidence interval of the rate excludes the claim."""
        return self.at_scales(judged, decay)


@dataclasses.dataclass(frozen=True)
class Law(ByQuantity[Config, Instance]):
    """The quantity has the claimed distribution.

    Attributes:
      quantity: (instance, config) → number, or (claims,).
      claims: config → `Distribution`, or a tuple of them.
    """

    name: ClassVar[str] = "law"
    form: ClassVar[type[Claim]] = Distribution

    def judge(self, judged: Judged) -> Verdict:
        """Refuted where the draws are farther from the law than draws of it may be."""
        rule = distance_at_any_time if judged.anytime else distance
        return judge_quantity(judged, self.claims(judged.config), rule, form=Distribution)

    def at(self, quantity: np.ndarray, config: Config) -> np.ndarray:
        """F of the quantity in every draw, of its shape; NaN where it is not finite."""
        claims = self.claims(config)
        values = np.asarray(quantity, float)
        columns = values.T if isinstance(claims, tuple) else values[None]
        claims = claims if isinstance(claims, tuple) else (claims,)
        found = np.full(columns.shape, np.nan)
        for row, own, claim in zip(found, columns, claims, strict=True):
            assert isinstance(claim, Distribution)
            known = np.isfinite(own)
            points, place = np.unique(own[known], return_inverse=True)
            row[known] = claim.cdf(points)[place] if len(points) else 0.0
        return found.T if isinstance(self.claims(config), tuple) else found[0]


KINDS: tuple[type[Kind], ...] = (
    Deterministic, Probabilistic, Moment, Empirical, Rate, Decay, Law,
)  # fmt: skip
