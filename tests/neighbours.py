"""False neighbours of a statement, derived from its kind, and whether its evidence refutes them.

- A mean, exponent or decay: the claimed value shifted by three resolutions beyond its tolerance, an
  exponent by ½ at most: 1/m is not 1/√m, however coarse the resolution. A one-sided claim is
  reversed there, and made stronger until that far beyond what was observed.
- A law F: F^p and F^{1/p}, p > 1 such that the distance from F is three resolutions beyond its
  tolerance.
- A conclusion: its negation. Where it is a bound, the bound shrunk by slightly more than the draws
  allow: so many fail then as it takes to refute. Where draws failed, a δ too small for them.

A statement that is consistent with evidence which does not refute its neighbours has not been
tested by it.
"""

import bisect
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize
from untyped import known

from theory.margins import Margin
from theory.verification.claims import Claim, checked_claims
from theory.verification.judging import judge
from theory.verification.kinds import ByOutcome, Kind, Probabilistic, Rate, Scaled
from theory.verification.laws import Distribution
from theory.verification.outcomes import premise
from theory.verification.verdict import Estimate, Evidence, Verdict

SHIFT = 3  # resolutions
OTHER_LAW = 0.5  # by which exponents of different laws differ
SLIGHTLY = 0.99  # of the factor that the draws allow


@dataclasses.dataclass(frozen=True)
class Judged:
    """How a statement is judged: all arguments of `judge` but its evidence."""

    kind: Kind
    level: float
    stages: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    first: str | None = None
    config: Any = None

    def verdict(self, evidence: Evidence, claim: Any = None) -> Verdict:
        """Against its own claims, or another claim or tuple of them."""
        kind: Any = self.kind
        if claim is not None:
            kind = dataclasses.replace(kind, claims=lambda config: claim)
        return judge(
            "neighbour",
            kind,
            evidence,
            stages=self.stages,
            first=self.first,
            config=self.config,
            level=self.level,
        )

    def refutes(self, evidence: Evidence) -> bool:
        return self.verdict(evidence).verdict == "refuted"


class Neighbour(NamedTuple):
    """A false statement.

    says: in words.  refuted: whether the evidence refutes it.  numbers: what it was judged by.
    factor: by how much a bound was shrunk, else 1.
    """

    says: str
    refuted: bool
    numbers: str
    factor: float = 1.0


def neighbours(how: Judged, evidence: Evidence) -> list[Neighbour]:
    """All false neighbours of a statement with which the evidence is consistent."""
    if isinstance(how.kind, ByOutcome):
        return list(_of_a_conclusion(how, evidence))
    kind: Any = how.kind
    return list(_of_claims(how, evidence, kind.claims(how.config)))


# --- means, exponents, decays ---------------------------------------------------------------------


def _of_claims(how: Judged, evidence: Evidence, claim: Any) -> Iterator[Neighbour]:
    """Every claim is judged by itself, though all are shifted at once: they share draws only."""
    kind: Any = how.kind
    claims = checked_claims("this", claim, kind.form)
    estimates = how.verdict(evidence, claim).estimates
    if not estimates:
        yield Neighbour("any other value", False, how.verdict(evidence, claim).reason)
        return
    false = [list(false_claims(c, e, how.kind)) for c, e in zip(claims, estimates, strict=True)]
    for one, its, found in zip(claims, false, estimates, strict=True):
        if not its:
            numbers = f"{SHIFT} resolutions of {found.resolution:.2g} around {one}: {one.bounds}"
            yield Neighbour("a value inside the bounds", False, numbers)
    for i in range(max(map(len, false))):
        changed = tuple(its[i] if i < len(its) else c for c, its in zip(claims, false, strict=True))
        verdict = how.verdict(evidence, changed if isinstance(claim, tuple) else changed[0])
        for one, its, found in zip(claims, false, verdict.estimates, strict=True):
            if i < len(its):
                yield _shifted(one, its[i], found)


def _shifted(claim: Claim, false: Claim, found: Estimate) -> Neighbour:
    numbers = (
        f"measured {found.observed:.4g} in [{found.low:.4g}, {found.high:.4g}] ({found.method}), "
        f"resolution ±{found.resolution:.2g}, tolerance {claim.tolerance:.2g}: {found.verdict}"
    )
    return Neighbour(f"{claim.name} {false} for {claim}", found.verdict == "refuted", numbers)


def false_claims(claim: Claim, measured: Estimate, kind: Kind) -> Iterator[Claim]:
    """The one or two claims beside a true one that lie inside its bounds, as finely resolved.

    Args:
      claim: the true one.
      measured: what the draws say about it.
      kind: of the statement; the resolution of a mean is relative to its value.
    """
    off = SHIFT * measured.resolution + claim.tolerance
    if isinstance(claim, Distribution):
        yield from (of_power(claim, off, upwards) for upwards in (True, False))
        return
    off = min(off, OTHER_LAW) if isinstance(kind, Rate) else off
    least, most = claim.bounds or (-np.inf, np.inf)
    top = max(claim.value, measured.observed) if claim.side == "at least" else claim.value
    bottom = min(claim.value, measured.observed) if claim.side == "at most" else claim.value
    sides = ("equal", "equal") if claim.side == "equal" else ("at least", "at most")
    for side, value in zip(sides, (top + off, bottom - off), strict=True):
        unit = 1.0 if isinstance(kind, Scaled) else abs(value) or 1.0
        if least <= value <= most:
            resolution = measured.resolution / unit
            yield dataclasses.replace(claim, value=value, side=side, resolution=resolution)


def of_power(claim: Distribution, off: float, upwards: bool) -> Distribution:
    """The law F^p whose largest distance from F is `off`, p above or below 1.

    sup_u |u − u^p| is p^{−1/(p−1)} − p^{−p/(p−1)}, at u = p^{−1/(p−1)}, and the same for 1/p.
    """
    p: Any = optimize.brentq(lambda p: p ** (-1 / (p - 1)) * (1 - 1 / p) - off, 1 + 1e-9, 1e9)
    power = p if upwards else 1 / p
    return dataclasses.replace(claim, cdf=lambda x: claim.cdf(x) ** power)


# --- conclusions ----------------------------------------------------------------------------------


def _of_a_conclusion(how: Judged, evidence: Evidence) -> Iterator[Neighbour]:
    verdict = how.verdict(negated(evidence))
    yield Neighbour("the negated conclusion", verdict.verdict == "refuted", verdict.reason)
    yield from _shrunk_bound(how, evidence)
    if (
        isinstance(how.kind, Probabilistic)
        and known(how.verdict(evidence).failure_rate).failures > 1
    ):
        yield _smaller_probability(how, evidence)


def _shrunk_bound(how: Judged, evidence: Evidence) -> Iterator[Neighbour]:
    """The bound divided by what lets the fewest draws fail that refute, and a hundredth more."""
    assert evidence.conclusion is not None
    ratios = np.asarray(evidence.conclusion.ratio)
    holds = np.broadcast_to(premise(evidence.hypotheses.values()).holds, ratios.shape)
    ratios = np.sort(ratios[holds])
    if not (len(ratios) and np.isfinite(ratios).all() and (ratios > 0).all()):
        return  # no bound, or one on what may be 0
    k = _fewest(len(ratios), lambda k: how.refutes(shrunk(evidence, SLIGHTLY / ratios[k])))
    factor = ratios[min(k, len(ratios) - 1)] / SLIGHTLY
    yield Neighbour(
        f"the bound divided by {factor:.3g}",
        k < len(ratios),
        f"refuted only if more than all {len(ratios)} draws fail"
        if k == len(ratios)
        else f"{k + 1} of {len(ratios)} draws fail",
        float(factor),
    )


def _smaller_probability(how: Judged, evidence: Evidence) -> Neighbour:
    """δ divided by the smallest power of 2^{1/4} for which the failures are too many."""

    def divided(quarters: int) -> Evidence:
        return evidence._replace(allowed=known(evidence.allowed) * 2 ** (-quarters / 4))

    quarters = _fewest(80, lambda q: how.refutes(divided(q)))
    verdict = how.verdict(divided(quarters))
    return Neighbour(
        f"δ divided by {2 ** (quarters / 4):.3g}", verdict.verdict == "refuted", verdict.reason
    )


def _fewest(limit: int, refuted: Callable[[int], bool]) -> int:
    """The smallest of 0, 1, … for which it is refuted, the limit if none is."""
    return bisect.bisect_left(range(limit), True, key=refuted)


def negated(evidence: Evidence) -> Evidence:
    """The opposite conclusion: "not > 0" is "−… ≥ 0"."""
    margin = evidence.conclusion
    assert margin is not None
    return _with_conclusion(evidence, -margin.value, margin.error, not margin.strict)


def shrunk(evidence: Evidence, factor: float) -> Evidence:
    """ "factor·left > right" where the conclusion is "left > right": (factor·ratio − 1)·right."""
    margin = evidence.conclusion
    assert margin is not None
    ratio = np.asarray(margin.ratio)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where(ratio == 1, np.inf, margin.error * np.abs((ratio - 1) / margin.value))
    return _with_conclusion(evidence, factor * ratio - 1, error, margin.strict)


def _with_conclusion(evidence: Evidence, value: Any, error: Any, strict: bool) -> Evidence:
    margin = evidence.conclusion
    assert isinstance(margin, Margin)
    margin = dataclasses.replace(
        margin, value=value, error=error, ratio=np.full_like(value, np.nan), strict=strict
    )
    return evidence._replace(conclusion=margin)
