"""What the pictures of noises of image networks have in common: legend entries and words."""

from typing import Any

from matplotlib.lines import Line2D

from experiments.figures import style
from experiments.figures.style import Series
from experiments.images.experiment import ImageSettings


def marker(series: Series, label: str) -> Line2D:
    """A legend entry of measured points, filled."""
    return Line2D([], [], linestyle="none", marker=series.marker, color=series.colour, label=label)


def line(series: Series, label: str) -> Line2D:
    """A legend entry of a predicted curve."""
    return Line2D([], [], color=series.colour, linestyle=series.line, label=label)


def dashes(label: str) -> Line2D:
    """A legend entry of `style.reference`."""
    return Line2D([], [], color=style.GREY, linewidth=0.7, linestyle=(0, (2, 2)), label=label)


def images(settings: ImageSettings) -> str:
    """Which images."""
    kept = [
        f"the first {number} {split}"
        for number, split in (
            (settings.most_train, "training"), (settings.most_test, "test"),
        )
        if number
    ]  # fmt: skip
    some = f", {' and '.join(kept)} images" if kept else ""
    if settings.data != "all-digits":
        return f"{settings.data}{some}"
    return (
        f"scikit-learn's 8×8 digits, all-digits{some}, in place of the paper's CIFAR-10 (a folder "
        "with it is named by --data cifar10:DIR)"
    )


def training(settings: ImageSettings) -> str:
    """How the networks are trained."""
    words = [
        f"SGD with momentum {settings.momentum:g}, batch {settings.batch}, weight decay "
        f"{settings.weight_decay:g}, {settings.epochs} epochs",
        f"{settings.schedule} learning rate",
        "random crops, and mirror images of natural images"
        if settings.augmentation
        else "no augmentation",
    ]
    return ", ".join(words)


def robust(settings: ImageSettings) -> str:
    """How robust networks are trained."""
    return (
        f"robust ones: trained at noises of {settings.robust_steps} projected gradient steps of "
        f"size {settings.robust_step:.3g} in ℓ∞ balls of size {settings.robust_epsilon:.3g}"
    )


def probes(settings: ImageSettings) -> str:
    """What the linear classifiers are."""
    scaled = "each noise scaled to norm 1, " if settings.scaled else ""
    return f"multinomial logistic regression, {scaled}{settings.probe_steps} L-BFGS steps"


def verdict(table: Any) -> str:
    """At how many points the test noises were easier, or harder, to classify than the images."""
    test = table[table.split == "test"]
    noises = test[test.classifier == "linear, of noises"]
    images = test[test.classifier == "linear, of images"]["mean"].iloc[0]
    gain = noises["mean"] - images
    clear = gain.abs() > 2 * noises.standard_error.fillna(0)
    easier, harder = int((clear & (gain > 0)).sum()), int((clear & (gain < 0)).sum())
    known = noises.standard_error.notna().all()
    rest = "the rest within two standard errors between networks" if known else "the rest equal"
    return (
        f"Of {len(noises)} points on test images, noises are easier than images ({images:.3f}) at "
        f"{easier}, harder at {harder}, {rest}"
    )


def bars(draws: Any) -> str:
    """What bars are."""
    if draws < 2:
        return "one network each, so no bars"
    return f"bars: ±2 standard errors over {draws} networks from independent seeds"
