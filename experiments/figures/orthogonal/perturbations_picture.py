"""The picture of `orthogonal-perturbations`: two images with all perturbations, and cosines."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.figures import style
from experiments.figures.figure import Table
from experiments.figures.orthogonal.perturbations import (
    ATTACKS,
    GRADIENT,
    Settings,
    dataset,
    image_shape,
)

NAMES = {"l2": "ℓ₂", "linf": "ℓ∞", "l0": "ℓ₀", GRADIENT: "gradient"}
SHOWN = ("l2", "linf", "l0")
SIGNED = "PuOr"  # orange below 0, purple above: told apart by all kinds of colour blindness


def draw(settings: Settings, table: Table) -> Figure:
    """The picture."""
    figure = Figure(figsize=(style.WIDTH, 4.3), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(2.35, 2))
    pictures, cosines = parts
    grid = pictures.subplots(2, 2 + 2 * len(SHOWN), squeeze=False)
    pixels = table[table.kind == "pixel"]
    for row, label in zip(grid, (1.0, -1.0), strict=True):
        own = pixels[pixels.label == label]
        columns = [("none", "image"), *((n, s) for n in SHOWN for s in ("geometry", "attack"))]
        columns.append((GRADIENT, "attack"))
        for ax, (name, shows) in zip(row, columns, strict=True):
            _image(ax, own[(own.attack == name) & (own.shows == shows)])
            if label > 0:
                ax.set_title(_title(name, shows), fontsize=6.5)
        row[0].set_ylabel(f"y = {'+' if label > 0 else '−'}1")
    panels = cosines.subplots(1, len(ATTACKS), squeeze=False)
    looks = dict(zip((*SHOWN, GRADIENT), style.SERIES, strict=False))
    for ax, (name, look) in zip(panels.flat, looks.items(), strict=True):
        _cosines(ax, table[(table.kind == "cosine") & (table.attack == name)], look)
        ax.set_title(NAMES[name])
        ax.set_xlabel("cosine, predicted")
    panels[0, 0].set_ylabel("cosine, trained network")
    style.letters(panels)
    entries = style.key_of_markers(predicted=False)
    entries[-1].set_label("measured, not certified")
    entries.insert(0, Line2D([], [], color=style.GREY, label="measured = predicted"))
    figure.legend(handles=entries, loc="outside lower center", ncols=len(entries))
    return figure


def _title(name: str, shows: str) -> str:
    if shows == "image":
        return "image"
    if name == GRADIENT:
        return "gradient"
    return f"{NAMES[name]}: {'ε v(q)' if shows == 'geometry' else 'attack'}"


def _image(ax: Axes, rows: Table) -> None:
    """An image in grey, or a perturbation in two colours around 0, with its cosine."""
    values = rows.sort_values("pixel").value.to_numpy(float)
    image = values.reshape(image_shape(len(values)))
    signed = rows.shows.iloc[0] != "image"
    reach = float(np.abs(image).max()) or 1.0
    if image.ndim == 3:  # colour: around grey, or as bright as it is
        low = -reach if signed else float(image.min())
        ax.imshow((image - low) / (float(image.max()) - low if not signed else 2 * reach))
    elif signed:
        ax.imshow(image, cmap=SIGNED, vmin=-reach, vmax=reach)
    else:
        ax.imshow(image, cmap="gray")
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set_visible(True)
    ax.grid(visible=False)
    cosine = rows.cosine.iloc[0]
    if cosine is not None:
        ax.set_xlabel(f"cos = {float(cosine):.3f}", fontsize=6.5, labelpad=2)


def _cosines(ax: Axes, own: Table, look: style.Series) -> None:
    predicted = own.predicted.astype(float).to_numpy()
    mean = own["mean"].astype(float).to_numpy()
    low, high = min(predicted.min(), mean.min()), max(predicted.max(), mean.max())
    pad = max(0.08 * (high - low), 1e-3)
    ends = [low - pad, high + pad]
    ax.plot(ends, ends, color=style.GREY, linewidth=1, zorder=1)
    style.points(ax, predicted, mean, series=look, held=own.held.astype(bool))
    ax.set(xlim=ends, ylim=ends)
    ax.locator_params(nbins=3)


def caption(settings: Settings, table: Table) -> str:
    """What is predicted and measured."""
    own = table[table.kind == "cosine"]
    direct = ", ".join(
        f"{own[own.attack == name].to_predicted.astype(float).mean():.3f} ({NAMES[name]})"
        for name in ATTACKS
    )
    held = own.held.astype(bool).mean()
    images = dataset(settings)
    d = images.x.shape[1]
    return (
        f"Networks of width {settings.m} and slope γ = {settings.slope:g}, trained by "
        f"{settings.steps} steps on log L on n = {settings.n} images of {images.name} (labels ±1, "
        f"mean subtracted, d = {d}) and attacked towards the other label. Top: an image of either "
        "label of the first draw; beside it the geometry-inspired perturbations "
        "ε y′v(q), q = Σ_k λ_k y_k x_k the normal of the predicted boundary, v(q) = q/‖q‖ (ℓ₂), "
        f"sgn q (ℓ∞), sgn q on the {settings.fraction:.0%} largest |q| (ℓ₀), and those that "
        f"{settings.attack_steps} steps of projected gradient ascent of size ε/5 find on the "
        "trained network; last column, one step along its gradient. Sizes: "
        f"ℓ₂ {settings.l2 * (d / 10_000) ** 0.5:.3g}, ℓ∞ {settings.linf:g}, ℓ₀ {settings.l0:g} a "
        "pixel. Colours: orange below 0, purple above, each picture with a scale of its own. "
        "Numbers: cosines with the geometry-inspired perturbation. λ solves the quadratic program "
        "of the limit: support vectors proposed by nonnegative least squares, then solved for. "
        f"Bottom: a marker for each of {own.draw.nunique()} draws of images and initial weights, "
        "the mean over its images of the cosine between attack and geometry-inspired perturbation; "
        "predicted is the same attack on the limit of training, which is a network of two neurons. "
        "Filled where the closed form is certified: a KKT point (proven with rounding errors), and "
        "gradient flow from the trained weights stays in the cone in which the problem is convex "
        f"(evaluated without rounding bounds); {held:.0%} of the draws. In ℓ₀ few pixels are "
        "chosen, and two of nearly equal |∂f| can change places, which moves the cosine by a step. "
        f"Mean cosine between the attack and the predicted attack: {direct}. Cosines leave out "
        "pixels that are 0 in all "
        "training images, about which training learns nothing: there the sign that ℓ∞ takes, seen "
        "in the pictures, is that of the initial weights."
    )
