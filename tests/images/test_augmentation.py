"""Augmentation: what it does to an image, and that it is a function of its key."""

import jax
import numpy as np

from experiments.images.augmentation import augment, random_crop, random_flip

N, SIDE = 64, 5
IMAGES = jax.random.normal(jax.random.key(0), (N, SIDE, SIDE, 2))


def shifted(image, down, right):
    out = np.zeros_like(image)
    rows, columns = (slice(max(0, s), SIDE + min(0, s)) for s in (down, right))
    sources = (slice(max(0, -s), SIDE + min(0, -s)) for s in (down, right))
    out[rows, columns] = image[tuple(sources)]
    return out


def test_a_crop_is_one_of_the_shifts_and_all_shifts_occur():
    out = np.asarray(random_crop(jax.random.key(1), IMAGES, 1))
    places = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    found = []
    for image, moved in zip(np.asarray(IMAGES), out, strict=True):
        hits = [place for place in places if np.array_equal(shifted(image, *place), moved)]
        assert len(hits) == 1
        found += hits
    assert set(found) == set(places)  # one is missing with probability < 9(8/9)^64 = 0.005


def test_a_flip_exchanges_left_and_right_of_about_half():
    out = np.asarray(random_flip(jax.random.key(1), IMAGES))
    same = (out == IMAGES).all(axis=(1, 2, 3))
    mirrored = (out == IMAGES[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert 16 < same.sum() < 48  # ±4 standard deviations


def test_the_key_decides():
    first, again, other = (
        augment(jax.random.key(seed), IMAGES, crop=1, flip=True) for seed in (5, 5, 6)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_nothing_is_done_where_nothing_is_asked():
    assert (augment(jax.random.key(0), IMAGES, crop=0, flip=False) == IMAGES).all()
    cropped = augment(jax.random.key(0), IMAGES, crop=1, flip=False)
    assert not any(
        np.array_equal(shifted(np.asarray(image)[:, ::-1], 0, 0), out)
        for image, out in zip(np.asarray(IMAGES), np.asarray(cropped), strict=True)
    )
