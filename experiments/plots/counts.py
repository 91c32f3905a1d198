"""What the draws of a statement with a conclusion come to: outcomes, and how many fail."""

from matplotlib.axes import Axes

from experiments.figures import style
from experiments.plots import ticks
from experiments.report.words import number_text
from theory._wording import counted
from theory.verification.verdict import Verdict

OUTCOMES = {  # name → what it says, colour, hatch
    "confirmed": ("hypotheses and conclusion hold", style.BLUE, ""),
    "miss": ("hypotheses hold, conclusion fails", style.VERMILLION, "////"),
    "beyond": ("a hypothesis fails, conclusion holds", style.SKY, ""),
    "vacuous": ("a hypothesis and the conclusion fail", "#E4E4E4", "\\\\\\\\"),
    "undecided": ("inside numerical error", "#BDBDBD", "...."),
}


def outcomes(ax: Axes, verdict: Verdict) -> None:
    """A bar for each outcome, with its number of draws."""
    ax.set_title(f"outcomes of {counted(verdict.draws, 'draw')}")
    names = list(OUTCOMES)
    for row, name in enumerate(names):
        count = verdict.outcomes[name]
        _, colour, hatch = OUTCOMES[name]
        ax.barh(row, count, color=colour, hatch=hatch, edgecolor="white", linewidth=0.2, zorder=3)
        ax.annotate(
            f"{count:,}", (count, row), xytext=(2, 0), textcoords="offset points", va="center",
            fontsize=7, zorder=4,
        )  # fmt: skip
    ax.set_yticks(range(len(names)), names)
    ax.set(ylim=(len(names) - 0.5, -0.5), xlim=(0, 1.25 * max(1, *verdict.outcomes.values())))
    ticks.linear(ax.xaxis, integer=True)
    ax.grid(visible=False, axis="y")
    ax.set_xlabel("draws")


def failure_rate(ax: Axes, verdict: Verdict) -> None:
    """The rate of failures with its limits, beside the one that is allowed."""
    rate = verdict.failure_rate
    ax.set_title("failures among the draws that count")
    if rate is None:
        nothing(ax, "no draw counts,\nso nothing was counted")
        return
    allowed = 0.0 if verdict.kind == "deterministic" else rate.allowed
    words = "never" if verdict.kind == "deterministic" else f"≤ {number_text(allowed)}"
    series = style.SERIES[1] if rate.low > allowed else style.SERIES[0]
    style.points(ax, [rate.observed], [1.0], series=series)
    ax.plot([rate.low, rate.high], [1.0, 1.0], color=series.colour, linewidth=1.0, zorder=3)
    for end in (rate.low, rate.high):
        ax.plot([end, end], [0.93, 1.07], color=series.colour, linewidth=1.0, zorder=3)
    ax.axvline(allowed, ymax=0.45, color=style.BLACK, linestyle=(0, (5, 2)), zorder=2)
    lines = [
        f"{rate.failures:,} of {rate.trials:,} fail: {number_text(rate.observed)}",
        f"limits [{number_text(rate.low)}, {number_text(rate.high)}]",
        f"allowed (dashed): {words}",
    ]
    if verdict.detectable is not None:
        lines.append(f"these draws show ≥ {number_text(verdict.detectable)}")
    ax.text(0.5, 0.97, "\n".join(lines), transform=ax.transAxes, ha="center", va="top", fontsize=7)
    widest = max(rate.high, allowed, rate.observed)
    room = widest or 1.0
    ax.set(ylim=(0.6, 2.4), yticks=[], xlim=(-0.05 * room, 1.12 * room))
    ticks.linear(ax.xaxis)
    ax.set_xlabel("failure rate")


def nothing(ax: Axes, why: str) -> None:
    """An empty panel that says why it is."""
    ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
    ax.text(0.5, 0.5, why, transform=ax.transAxes, ha="center", va="center", fontsize=7)
