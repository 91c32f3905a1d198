"""The picture of `orthogonal-map`: sign maps of f and of g for each n_adv, and their agreement."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from experiments.figures import style
from experiments.figures.figure import Table
from experiments.figures.orthogonal.map import Settings, angles, counts, predicted, size

GRID = 201
F_LOOK, G_LOOK = style.SERIES[5], style.SERIES[1]  # black and dashed; vermillion
G_LOOK = G_LOOK._replace(line="-")


def draw(settings: Settings, table: Table) -> Figure:
    """The picture."""
    panels = (0, *counts(settings))
    columns = 3
    rows = -(-(len(panels) + 1) // columns)
    figure, grid = style.axes(rows, columns, height=2.25)
    samples = table[table.kind == "sample"]
    reach = 1.25 * float(np.abs(samples[["u", "v"]].to_numpy(float)).max())
    for ax, n_adv in zip(grid.flat, panels, strict=False):
        _map(ax, table, n_adv, reach)
    last = grid.flat[len(panels)]
    _agreement(last, settings, table[table.kind == "agreement"])
    for ax in list(grid.flat)[len(panels) + 1 :]:
        ax.set_visible(False)
    _clean(grid.flat[0], table)
    style.letters(grid)
    entries = [
        Line2D([], [], color=F_LOOK.colour, linestyle=F_LOOK.line, label="f, closed form"),
        Line2D([], [], color=G_LOOK.colour, linestyle=G_LOOK.line, label="g, closed form"),
        _patch(style.POSITIVE, "trained network > 0"),
        _patch(style.NEGATIVE, "trained network < 0"),
    ]
    figure.legend(handles=entries, loc="outside upper center", ncols=len(entries))
    return figure


def _patch(colour: str, label: str) -> Line2D:
    return Line2D([], [], linestyle="none", marker="s", markersize=7, color=colour, label=label)


def _map(ax: Axes, table: Table, n_adv: int, reach: float) -> None:
    """Signs of the trained network, and the closed forms' boundaries."""
    own = table[table.n_adv == n_adv]
    values = own[own.kind == "output"].value.to_numpy(float)
    line = np.linspace(-reach, reach, GRID)
    u, v = np.meshgrid(line, line)
    step = 2 * np.pi / len(values)
    nearest = np.floor((np.arctan2(v, u) + np.pi) / step).astype(int) % len(values)
    style.sign_map(ax, line, line, values[nearest])
    boundary = table[table.kind == "boundary"].set_index("n_adv").angle.astype(float)
    _line(ax, boundary[0], F_LOOK, reach)
    if n_adv:
        _line(ax, boundary[n_adv], G_LOOK, reach)
        apart = np.degrees(_difference(boundary[n_adv], boundary[0]))
        ax.set_title(f"g, $n_{{adv}}$ = {n_adv}: {apart:.0f}° off")
    else:
        ax.set_title("f")
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    ax.set_xlabel(r"along $\hat w_+ - \hat w_-$")
    ax.set_ylabel(r"along $\hat w_+ + \hat w_-$")


def _line(ax: Axes, angle: float, look: style.Series, reach: float) -> None:
    """The line through 0 with a normal at this angle."""
    along = 2 * reach * np.array([-np.sin(angle), np.cos(angle)])
    ax.plot(*np.stack([-along, along], axis=1), color=look.colour, linestyle=look.line, zorder=2)


def _difference(a: float, b: float) -> float:
    return float(np.abs(np.angle(np.exp(1j * (a - b)))))


def _clean(ax: Axes, table: Table) -> None:
    """Clean samples and mean weights in the panel of f."""
    samples = table[table.kind == "sample"]
    for label, look in ((1, style.SERIES[0]), (-1, style.SERIES[1])):
        own = samples[samples.label == label]
        ax.plot(
            own.u.astype(float), own.v.astype(float), linestyle="none", marker=look.marker,
            color=look.colour, markersize=2.2, alpha=0.6, zorder=3,
        )  # fmt: skip
    reach = ax.get_xlim()[1]
    for row in table[table.kind == "weights"].itertuples():
        weights = np.array([row.u, row.v], float)
        u, v = 0.5 * reach / np.linalg.norm(weights) * weights
        end = (float(u), float(v))
        ax.annotate(
            "", end, (0, 0),
            arrowprops={"arrowstyle": "-|>", "color": style.BLACK, "lw": 0.9, "shrinkA": 0,
                        "shrinkB": 0},
        )  # fmt: skip
        name = r"$\bar w_+$" if row.label > 0 else r"$\bar w_-$"
        ax.annotate(name, end, xytext=(0, -14), textcoords="offset points", ha="center")


def _agreement(ax: Axes, settings: Settings, own: Table) -> None:
    x = own.n_adv.astype(float)
    dense = np.unique(np.round(np.geomspace(1, x.max() * 1.6, 80)).astype(int))
    style.curve(ax, dense, [predicted(settings, int(v)) for v in dense], series=style.SERIES[0],
                label="predicted")  # fmt: skip
    ax.plot(x, own.closed_form.astype(float), linestyle="none", marker="_", markersize=9,
            color=style.SERIES[0].colour, label="closed form, same samples")  # fmt: skip
    style.points(ax, x, own["mean"], own.standard_error, series=style.SERIES[0],
                 held=own.held.astype(bool), label="trained networks")  # fmt: skip
    style.reference(ax, 0.5, "chance")
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(list(x)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels([f"{v:g}" for v in x])
    ax.set(xlabel="perturbed noise samples $n_{adv}$", ylim=(0.45, 1.02))
    ax.set_ylabel("directions with sgn g = sgn f")
    ax.legend(loc="center right", bbox_to_anchor=(1, 0.3))


def caption(settings: Settings, table: Table) -> str:
    """What is predicted and measured."""
    own = table[table.kind == "agreement"]
    held = [f"{int(n)}" for n, ok in zip(own.n_adv, own.held, strict=True) if ok]
    return (
        f"Decision boundaries of a network f, trained on n = {settings.n} clean samples "
        f"({settings.law} law, d = {settings.d}, random labels), and of networks g, trained only "
        "on n_adv noise samples of the same law with random labels y′, perturbed towards y′ by "
        f"projected gradient ascent on f (ℓ₂, ε = {size(settings):.3g}, {settings.attack_steps} "
        "steps); sets of noise samples are nested. The plane goes through 0, w̄₊ and w̄₋, the mean "
        "hidden weights of the trained f over neurons with positive and with negative readout; "
        "its axes are the orthonormal vectors along ŵ₊ − ŵ₋ and ŵ₊ + ŵ₋, ŵ = w̄/‖w̄‖, the same in "
        "all panels, in units of x. Regions: signs of the trained networks (width "
        f"{settings.m}, γ = {settings.slope:g}, {settings.steps} steps on log L), first draw. "
        "Lines: the linear boundaries ⟨q, z⟩ = 0 of the closed form of the limit on the same "
        "samples. Panel (a): dots are the clean samples projected onto the plane, circles for "
        "+1 and squares for −1. Last panel: share of the directions of the plane in which g has "
        f"the sign of f, mean of {settings.draws} draws ± 2 standard errors; the curve is the "
        "prediction (2/π)∫₀^{π/2} Φ(b cos ω) dω with b = ε√(d·n_adv)/R (1 − (1+κ²)n_adv/(4d)), "
        "κ = 2γ/(1+γ²), and the dashes the closed form on the same samples. Filled where in every "
        "draw the closed forms of f and g are certified: they are KKT points (proven with rounding "
        "errors) and gradient flow from the trained weights stays in the cone in which the problem "
        "is convex (evaluated without rounding bounds); hollow elsewhere. Certified in all draws: "
        f"n_adv = {', '.join(held) or 'none'}. Angles in the titles are those between the closed "
        "form's boundaries of f and g in the plane; shares are taken over "
        f"{len(angles())} directions."
    )
