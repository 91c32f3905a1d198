"""Parameters that many configurations have, each declared once: meaning, unit and range.

    class Setting(Parameters):
        d: int = fields.dimension(10)
        m: int = fields.width(400)

Words in the place of the usual ones say what is special about a parameter in one configuration.
"""

from typing import Any

from theory.parameters import parameter

TIME = "learning rate × steps"


def axis(
    default: tuple[Any, ...],
    doc: str,
    *,
    unit: str = "1",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:
    """Values along which something is varied, each once: integers ≥ 1, numbers > 0, or words.

    With limits: low ≤ value < high.
    """
    rule: dict[str, Any] = {"unit": unit, "choices": choices, "distinct": True}
    if isinstance(default[0], int | float):
        smallest = 1 if isinstance(default[0], int) else 0
        rule |= {"low": smallest if low is None else low, "high": high, "open_high": True}
        rule |= {"open_low": low is None and isinstance(default[0], float)}
    return parameter(default, doc, **rule)


def dimension(default: int, doc: str = "dimension", *, low: int = 1) -> Any:
    """d, of the points."""
    return parameter(default, doc, low=low)


def points(default: int, doc: str = "training points", *, low: int = 1, even: bool = False) -> Any:
    """n."""
    return parameter(default, doc, low=max(low, 2) if even else low, even=even)


def perturbed_points(default: int, doc: str = "noise samples that are perturbed") -> Any:
    """n_adv."""
    return parameter(default, doc, low=1)


def queries(default: int, doc: str = "query points") -> Any:
    """Points at which a trained network is asked."""
    return parameter(default, doc, low=1)


def width(default: int, doc: str = "width", *, low: int = 1, even: bool = False) -> Any:
    """m; even where half of the readout weights have either sign."""
    return parameter(default, doc, low=max(low, 2) if even else low, even=even)


def number_of_widths(default: int, times: str) -> Any:
    """How many widths a rate is measured at, each `times` ("twice") the one before; 5 at least.

    31 at most: the last is 2³⁰ times the first, and no array has 2³¹ rows.
    """
    return parameter(default, f"number of widths, each {times} the one before", low=5, high=31)


def slope(default: float, doc: str = "slope γ", *, open_low: bool = False) -> Any:
    """γ in [0, 1), of the leaky ReLU; in (0, 1) where it must not be a ReLU."""
    return parameter(default, doc, low=0, high=1, open_low=open_low, open_high=True)


def initial_scale(default: float) -> Any:
    """Of hidden weights, small beside what is learnt."""
    doc = "initial standard deviation of hidden weights × √d"
    return parameter(default, doc, low=0, open_low=True)


def training_time(default: float, doc: str = "training time T") -> Any:
    """T > 0, learning rate × steps."""
    return parameter(default, doc, unit=TIME, low=0, open_low=True)


def steps(default: int, doc: str = "gradient steps", *, low: int = 1) -> Any:
    """Of training."""
    return parameter(default, doc, low=low)


def momentum(default: float, doc: str = "momentum μ") -> Any:
    """μ in [0, 1)."""
    return parameter(default, doc, low=0, high=1, open_high=True)


def loss(default: str, choices: tuple[str, ...], doc: str = "training loss") -> Any:
    """One of some losses."""
    return parameter(default, doc, choices=choices)


def loss_below(default: float) -> Any:
    """Where training counts as ended."""
    return parameter(default, "training loss that must be reached", low=0, open_low=True)


def log_loss_rate(default: float, unit: str = "1/R_max²") -> Any:
    """Learning rate of descent on log L."""
    return parameter(default, "learning rate on log L", unit=unit, low=0, open_low=True)


def failure_probability(default: float, doc: str = "failure probability δ") -> Any:
    """δ in (0, 1)."""
    return parameter(default, doc, low=0, high=1, open_low=True, open_high=True)


def separation(default: float, doc: str = "separation of separated-gaussian") -> Any:
    """Of the law of that name."""
    return parameter(default, doc, unit="standard deviations")


def perturbation_size(
    default: float, doc: str = "size ε of a perturbation", unit: str = "of x"
) -> Any:
    """ε > 0."""
    return parameter(default, doc, unit=unit, low=0, open_low=True)


def sparse_share(default: float, doc: str = "share of the coordinates that ℓ₀ may change") -> Any:
    """Of coordinates, in (0, 1]."""
    return parameter(default, doc, low=0, high=1, open_low=True)


def scenario(default: str) -> Any:
    """What the network g is trained on."""
    doc = "g sees a: perturbations alone, b: perturbed samples"
    return parameter(default, doc, choices=("a", "b"))


def attack_steps(default: int) -> Any:
    """Of an attack."""
    return parameter(default, "steps of projected gradient ascent, of size ε/5", low=1)
