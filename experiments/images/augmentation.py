"""Random crops and reflections of images, as pure functions of a key."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def random_crop(key: Array, x: Float[Array, "n h w c"], padding: int) -> Float[Array, "n h w c"]:
    """Every image padded by `padding` zeros on all sides, then cut to its size at a random place.

    Equivalently shifted by two numbers uniform in {−padding, …, padding}, zeros coming in.
    """
    corners = jax.random.randint(key, (len(x), 2), 0, 2 * padding + 1)
    around = (padding, padding)
    padded = jnp.pad(x, ((0, 0), around, around, (0, 0)))

    def cut(image: Array, corner: Array) -> Array:
        start = (corner[0], corner[1], jnp.zeros_like(corner[0]))
        return jax.lax.dynamic_slice(image, start, x.shape[1:])

    return jax.vmap(cut)(padded, corners)


def random_flip(key: Array, x: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
    """Every image, or with probability ½ its mirror image, left and right exchanged."""
    flipped = jax.random.bernoulli(key, 0.5, (len(x), 1, 1, 1))
    return jnp.where(flipped, x[:, :, ::-1], x)


def augment(
    key: Array, x: Float[Array, "n h w c"], *, crop: int, flip: bool
) -> Float[Array, "n h w c"]:
    """The usual augmentation: a random crop, and a random reflection if `flip`.

    Args:
      key: random key.
      x: (n, H, W, C) images whose background is 0.
      crop: zeros around an image before it is cut; 0 for no crop.
      flip: whether mirror images are of the same class, as in natural images, not in digits.

    Returns:
      (n, H, W, C) images.
    """
    key_crop, key_flip = jax.random.split(key)
    if crop:
        x = random_crop(key_crop, x, crop)
    return random_flip(key_flip, x) if flip else x
