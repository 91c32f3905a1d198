"""Images as networks take them: floating-point pixels less their mean, and their classes."""

from typing import NamedTuple

import numpy as np

from experiments.datasets import sources

NATURAL = ("cifar10",)  # sets whose images mean the same seen in a mirror


class Split(NamedTuple):
    """Images x: (n, H, W, C) float32, their classes labels: (n,) int32."""

    x: np.ndarray
    labels: np.ndarray


class Pixels(NamedTuple):
    """Training and test images by one name.

    One unit is the range from black to white: 8/255 is eight grey levels of 256.

    train, test: pixels in [0, 1] less the mean training image.  mean: (H, W, C) that image.
    mirrored: whether an image's mirror image is one of its class.  crop: pixels by which an image
    may be shifted to be of its class still, an eighth of its side.
    """

    train: Split
    test: Split
    mean: np.ndarray
    mirrored: bool
    crop: int


def load(name: str, *, most_train: int | None = None, most_test: int | None = None) -> Pixels:
    """The images of a name.

    Args:
      name: as in `experiments.datasets.sources.load_images`.
      most_train, most_test: keep only so many of the first images; all by default.

    Returns:
      The `Pixels`; the mean is taken over the training images kept.

    Raises:
      ValueError: for another name, or files that cannot be read.
    """
    train, test = sources.load_images(name)
    x = np.asarray(train.images[:most_train], np.float32) / train.white
    z = np.asarray(test.images[:most_test], np.float32) / test.white
    mean = x.mean(axis=0, dtype=np.float64).astype(np.float32)
    return Pixels(
        Split(x - mean, train.labels[:most_train].astype(np.int32)),
        Split(z - mean, test.labels[:most_test].astype(np.int32)),
        mean,
        mirrored=name.partition(":")[0] in NATURAL,
        crop=x.shape[1] // 8,
    )
