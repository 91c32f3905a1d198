"""Images as the networks get them."""

import numpy as np

from experiments.images import pixels


def test_digits_less_their_mean_in_order_and_not_to_be_mirrored():
    found = pixels.load("all-digits")
    assert found.train.x.shape == (1437, 8, 8, 1)
    assert found.test.x.shape == (360, 8, 8, 1)
    assert found.train.x.dtype == np.float32
    np.testing.assert_allclose(found.train.x.mean(axis=0), 0, atol=1e-6)
    whole = found.train.x + found.mean
    np.testing.assert_allclose(16 * whole, np.round(16 * whole), atol=1e-5)
    assert (whole.min(), whole.max()) == (0, 1)
    assert (found.mirrored, found.crop) == (False, 1)
    assert found.train.labels[:10].tolist() == list(range(10))


def test_fewer_images_are_the_first_ones_with_their_own_mean():
    all_of_them, few = pixels.load("all-digits"), pixels.load("all-digits", most_train=40)
    assert len(few.train.x) == len(few.train.labels) == 40
    np.testing.assert_allclose(
        few.train.x + few.mean, all_of_them.train.x[:40] + all_of_them.mean, atol=1e-6
    )
    np.testing.assert_allclose(few.train.x.mean(axis=0), 0, atol=1e-6)
    assert len(few.test.x) == 360
