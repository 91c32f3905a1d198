"""Networks that classify images: (n, H, W, C) images → (n, classes) logits.

All are flax modules, frozen and hashable, so that they can be static arguments of a jitted
function. Weights and the running means of BatchNorm are what `init` returns: a dictionary.
GAIN times 1/fan-in is the variance of the kernels.
"""

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

CLASSES = 10


def _normal(gain: float) -> nn.initializers.Initializer:
    """N(0, gain/fan-in)."""
    return nn.initializers.variance_scaling(gain, "fan_in", "normal")


# With the variance of He et al. (2015): half of what a ReLU is given is cut off.
HE = 2.0
Conv = functools.partial(nn.Conv, kernel_init=_normal(HE))
Dense = functools.partial(nn.Dense, kernel_init=_normal(HE))


class TwoLayerCNN(nn.Module):
    """One 3×3 convolution, ReLU, average pooling over `pool`×`pool`, linear readout.

    f(x) = A · pool(σ(W ∗ x)), without biases: the network of Z23's theorems with weights shared
    between positions. W_ij ~ N(0, 1/fan-in), A_ij ~ N(0, 1/fan-in), as there.

    Attributes:
      width: m, number of filters.
      classes: number of classes.
      pool: side of the squares that are averaged; 1 for none.
      linear: leave the ReLU out. The gradient of this network at the same weights is −1 times
        the separator −Wᵀa of Z23's theorem 3.1.
    """

    width: int
    classes: int = CLASSES
    pool: int = 2
    linear: bool = False
    GAIN = 1.0

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"], train: bool = False) -> Float[Array, "n k"]:
        """Logits of every image."""
        options = {"use_bias": False, "kernel_init": _normal(self.GAIN)}
        x = nn.Conv(self.width, (3, 3), name="hidden", **options)(x)
        x = x if self.linear else nn.relu(x)
        square = (self.pool, self.pool)
        x = nn.pool(x, 0.0, jax.lax.add, square, square, "VALID") / self.pool**2
        x = x.reshape(len(x), -1)
        return nn.Dense(self.classes, name="readout", **options)(x)


class ConvNet(nn.Module):
    """Two convolutions with ReLU and 2×2 max-pooling, a hidden dense layer, linear readout.

    Attributes:
      width: filters of the first convolution; the second has 2·width, the dense layer 4·width.
      classes: number of classes.
    """

    width: int = 32
    classes: int = CLASSES
    GAIN = HE

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"], train: bool = False) -> Float[Array, "n k"]:
        """Logits of every image."""
        for factor in (1, 2):
            x = nn.relu(Conv(factor * self.width, (3, 3))(x))
            x = nn.max_pool(x, (2, 2), (2, 2))
        x = nn.relu(Dense(4 * self.width)(x.reshape(len(x), -1)))
        return Dense(self.classes)(x)


def _normalized(y: Float[Array, "n h w c"], train: bool) -> Float[Array, "n h w c"]:
    """BatchNorm with running means of momentum 0.9, a submodule of the module that calls it."""
    with jax.numpy_dtype_promotion("standard"):  # flax divides by an integer of another width
        return nn.BatchNorm(use_running_average=not train, momentum=0.9)(y)


class Block(nn.Module):
    """BatchNorm residual block of two 3×3 convolutions; the shortcut is 1×1 where shapes change."""

    width: int
    stride: int

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"], train: bool) -> Float[Array, "n h2 w2 k"]:
        """Features of every image."""
        strides = (self.stride, self.stride)
        y = nn.relu(_normalized(Conv(self.width, (3, 3), strides, use_bias=False)(x), train))
        y = _normalized(Conv(self.width, (3, 3), use_bias=False)(y), train)
        if x.shape[-1] != self.width or self.stride != 1:
            x = _normalized(Conv(self.width, (1, 1), strides, use_bias=False)(x), train)
        return nn.relu(x + y)


class ResNet18(nn.Module):
    """ResNet-18 in its form for small images: 3×3 stem without pooling, four stages of two blocks.

    Attributes:
      width: filters of the first stage, doubled in every other; 64 as published.
      classes: number of classes.

    Source:
      K. He et al., *Deep Residual Learning for Image Recognition*, CVPR 2016.
    """

    width: int = 64
    classes: int = CLASSES
    GAIN = HE

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"], train: bool = False) -> Float[Array, "n k"]:
        """Logits of every image."""
        x = Conv(self.width, (3, 3), use_bias=False)(x)
        x = nn.relu(_normalized(x, train))
        for stage in range(4):
            for block in range(2):
                stride = 2 if stage > 0 and block == 0 else 1
                x = Block(self.width * 2**stage, stride)(x, train)
        return Dense(self.classes)(jnp.mean(x, axis=(1, 2)))


VGG11_STAGES = ((1,), (2,), (4, 4), (8, 8), (8, 8))  # filters over the width, a pool after each


class VGG11(nn.Module):
    """VGG11 in its form for small images: eight 3×3 convolutions with BatchNorm, one dense layer.

    Every stage ends in 2×2 max-pooling, five in all, which leave 1×1 of images of 32×32; smaller
    images are pooled as often as they can be, and what is left is averaged.

    Attributes:
      width: filters of the first convolution; 64 as published, the last has eight times as many.
      classes: number of classes.

    Source:
      K. Simonyan, A. Zisserman, *Very Deep Convolutional Networks for Large-Scale Image
      Recognition*, ICLR 2015, configuration A; BatchNorm in place of dropout and of two of the
      three dense layers, as is usual for CIFAR-10.
    """

    width: int = 64
    classes: int = CLASSES
    GAIN = HE

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"], train: bool = False) -> Float[Array, "n k"]:
        """Logits of every image."""
        for stage in VGG11_STAGES:
            for factor in stage:
                x = nn.relu(_normalized(Conv(factor * self.width, (3, 3))(x), train))
            if min(x.shape[1:3]) > 1:
                x = nn.max_pool(x, (2, 2), (2, 2))
        return Dense(self.classes)(jnp.mean(x, axis=(1, 2)))


class WideBlock(nn.Module):
    """Residual block that normalizes first: x + Conv(σ(BN(Conv(σ(BN(x)))))), 3×3 both.

    Where shapes change, the shortcut is a 1×1 convolution of σ(BN(x)).
    """

    width: int
    stride: int

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"], train: bool) -> Float[Array, "n h2 w2 k"]:
        """Features of every image."""
        strides = (self.stride, self.stride)
        y = nn.relu(_normalized(x, train))
        if x.shape[-1] != self.width or self.stride != 1:
            x = Conv(self.width, (1, 1), strides, use_bias=False)(y)
        y = Conv(self.width, (3, 3), strides, use_bias=False)(y)
        y = nn.relu(_normalized(y, train))
        return x + Conv(self.width, (3, 3), use_bias=False)(y)


class WideResNet28(nn.Module):
    """Wide ResNet of depth 28: 3×3 stem of 16 filters, three groups of four blocks, no dropout.

    Attributes:
      width: filters of the first group, 16k for WRN28-k, doubled in each of the other two.
      classes: number of classes.

    Source:
      S. Zagoruyko, N. Komodakis, *Wide Residual Networks*, BMVC 2016.
    """

    width: int = 64
    classes: int = CLASSES
    GAIN = HE

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"], train: bool = False) -> Float[Array, "n k"]:
        """Logits of every image."""
        x = Conv(16, (3, 3), use_bias=False)(x)
        for group in range(3):
            for block in range(4):
                stride = 2 if group > 0 and block == 0 else 1
                x = WideBlock(self.width * 2**group, stride)(x, train)
        x = nn.relu(_normalized(x, train))
        return Dense(self.classes)(jnp.mean(x, axis=(1, 2)))
