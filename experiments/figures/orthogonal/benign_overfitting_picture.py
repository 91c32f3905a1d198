"""The picture of `benign-overfitting`."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.figures import style
from experiments.figures.figure import Table
from experiments.figures.orthogonal.benign_overfitting import Settings

HELD = 0.9  # of the draws, for a filled marker


def draw(settings: Settings, table: Table) -> Figure:
    """The excess against d, against η, and where the theorems speak."""
    figure, grid = style.axes(1, 3, height=2.7)
    against_d = table[table.along == "d"]
    for number, eta in enumerate(settings.shares):
        rows = against_d[against_d.noise == eta]
        aside = 1.0 + 0.25 * number  # bars of one share beside those of the other
        _excess(
            grid[0, 0], rows.assign(d=rows.d * aside), "d", style.SERIES[number], f"η = {eta:g}"
        )
    rows = against_d[against_d.noise == settings.shares[0]]
    grid[0, 0].plot(
        rows.d, rows.leading, color=style.GREY, linewidth=1, label="$d^{1/2-ρ}/\\sqrt{2πn}$"
    )
    grid[0, 0].set(xscale="log", xlabel="dimension d", ylabel="test error − η")
    grid[0, 0].legend(loc="upper right")
    rows = table[table.along == "noise"]
    _excess(grid[0, 1], rows, "noise", style.SERIES[2], "")
    grid[0, 1].set_title(f"d = $10^{{{settings.power}}}$")
    grid[0, 2].set_title(f"d = $10^{{{settings.power}}}$")
    for ax in grid[0, :2]:
        ax.set(yscale="log", ylim=(1e-3, 1e-1))
    limit = 49 * settings.slope**2 / 100
    for ax in grid[0, 1:]:
        ax.axvline(limit, color=style.GREY, linewidth=0.7, linestyle=(0, (2, 2)))
        ax.set(xlabel="wrong labels η")
    for number, (name, label) in enumerate((("ours", "our τ"), ("published", "published τ"))):
        style.points(
            grid[0, 2], rows.noise, rows[name], series=style.SERIES[number + 3], label=label
        )
    grid[0, 1].annotate(
        "49γ²/100", (limit, 0.95), xycoords=("data", "axes fraction"), xytext=(3, 0),
        textcoords="offset points", color=style.GREY, fontsize=6.5,
    )  # fmt: skip
    grid[0, 2].set(ylim=(-0.03, 1.03), ylabel="draws with enough correct labels")
    grid[0, 2].legend(loc="center", bbox_to_anchor=(0.72, 0.4))
    style.letters(grid)
    return figure


def _excess(ax: Axes, rows: Table, by: str, look: style.Series, label: str) -> None:
    finite = rows[rows.bound < 0.5]
    style.curve(ax, finite[by], finite.bound, series=look)
    style.points(
        ax, rows[by], rows["median"], series=look, bars=(rows.low, rows.high),
        held=rows.held >= HELD, label=label,
    )  # fmt: skip


def caption(settings: Settings, table: Table) -> str:
    """What is drawn."""
    held = int((table.held * table.draws).round().sum())
    return (
        f"Networks at infinite time on n = {settings.n} points of N(0, diag(d^ρ, 1, …, 1)), "
        f"ρ = {settings.rho:g}, γ = {settings.slope:g}, that fit labels sgn x₁ of which a share η "
        "is wrong. (a, b) Markers: test error less η, median and 10 to 90 % of "
        f"{settings.draws} draws; lines: our bound, median; filled where its hypotheses hold in "
        f"{HELD:.0%} of them. (c) Share of draws with enough correct labels. "
        "Dashed: 49γ²/100, up to which the published corollary speaks. "
        "Grey in (a): d^{½−ρ}/√(2πn), which equal multipliers give for many points, whatever η is. "
        "The test error is a Gaussian probability in closed form; points are drawn in coordinates "
        "of their span, so that d may be what it is. Our bound: η + ((1−2η)/π) arctan(τ√S/(d^{ρ/2}"
        "C)), C the sum of |x₁| over correct labels less τ times that over wrong ones; enough "
        "correct labels: C > 0, with τ = R²/(1 − 2/(pR²)) and with the published (R²/γ²)(1 + "
        f"2/(γpR² − 2)). Above the bound are {int(table.above.sum())} of {held:,} draws that "
        f"satisfy the hypotheses; all labels are fitted in {table.fitted.min():.0%} or more of the "
        "draws of every marker."
    )
