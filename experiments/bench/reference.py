"""What a user would write today, in plain eager PyTorch: the reference of `widetheory bench`.

Full batches, autograd, `torch.optim.SGD`, a Python loop over the steps, kernels by Monte Carlo.
Nothing here is slow on purpose. PyTorch is in the extra `bench`.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn  # pyright: ignore[reportMissingImports]


class TwoLayer(nn.Module):
    """f(z) = Σ_i a_i φ(⟨w_i, z⟩ + b_i), φ the leaky ReLU; w, b are trained, a is frozen.

    w_i ~ N(0, I/d), b_i ~ N(0, 1), a_i ~ N(0, 1/m).

    Args:
      d, m: dimension and width.
      slope: γ of the leaky ReLU, in [0, 1).
    """

    def __init__(self, d: int, m: int, slope: float):
        super().__init__()
        self.hidden = nn.Linear(d, m)
        self.activation = nn.LeakyReLU(slope) if slope else nn.ReLU()
        self.readout = nn.Linear(m, 1, bias=False)
        nn.init.normal_(self.hidden.weight, std=d**-0.5)
        nn.init.normal_(self.hidden.bias)
        nn.init.normal_(self.readout.weight, std=m**-0.5)
        self.readout.requires_grad_(False)

    def forward(self, z: Tensor) -> Tensor:
        """(q, d) points → (q,) outputs."""
        return self.readout(self.activation(self.hidden(z))).squeeze(1)


def train(
    network: TwoLayer, x: Tensor, y: Tensor, loss: str, rate: float, momentum: float, steps: int
) -> None:
    """Full-batch descent on (1/n) Σ_k ℓ(−y_k f(x_k)), ℓ the "identity" or "logistic" loss."""
    optimizer = torch.optim.SGD(network.hidden.parameters(), lr=rate, momentum=momentum)
    for _ in range(steps):
        optimizer.zero_grad()
        s = -y * network(x)
        mean = s.mean() if loss == "identity" else nn.functional.softplus(s).mean()
        mean.backward()
        optimizer.step()


def perturbations(network: TwoLayer, x: Tensor, target: Tensor, epsilon: float) -> Tensor:
    """r_k = ε y'_k ∇f(x_k)/‖∇f(x_k)‖, (n, d)."""
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(network(x).sum(), x)
    return epsilon * target[:, None] * nn.functional.normalize(gradient, dim=1)


class Cell(NamedTuple):
    """Shares of the test points: f right, g right, sgn f = sgn g."""

    accuracy_f: float
    accuracy_g: float
    agreement: float


def cell(
    n: int,
    d: int,
    m: int,
    queries: int,
    *,
    slope: float,
    loss: str,
    epsilon: float,
    rate_f: float,
    rate_g: float,
    momentum: float,
    steps_f: int,
    steps_g: int,
    device: str = "cpu",
) -> Cell:
    """Learning from perturbations, once: train f, perturb, train g on it, compare on test points.

    Data are Gaussian with mean ±0.3 in every coordinate, half of each class.
    """

    def sample(count: int) -> tuple[Tensor, Tensor]:
        y = torch.ones(count, device=device)
        y[1::2] = -1
        return torch.randn(count, d, device=device) + 0.3 * y[:, None], y

    (x, y), (z, z_label) = sample(n), sample(queries)
    target = torch.where(torch.rand(n, device=device) < 0.5, 1.0, -1.0)
    f = TwoLayer(d, m, slope).to(device)
    train(f, x, y, loss, rate_f, momentum, steps_f)
    r = perturbations(f, x, target, epsilon)
    g = TwoLayer(d, m, slope).to(device)
    train(g, r, target, loss, rate_g, momentum, steps_g)
    with torch.no_grad():
        sign_f, sign_g = (torch.where(network(z) >= 0, 1.0, -1.0) for network in (f, g))
    pairs = ((sign_f, z_label), (sign_g, z_label), (sign_f, sign_g))
    return Cell(*((first == second).float().mean().item() for first, second in pairs))


class Features(NamedTuple):
    """The Gaussian samples of a Monte-Carlo kernel, φ'(⟨w_s, z⟩ + b_s) for samples s.

    w: (samples, d) ~ N(0, I/d).  b: (samples,) ~ N(0, 1).  slope: γ.
    """

    w: Tensor
    b: Tensor
    slope: float

    def __call__(self, z: Tensor) -> Tensor:
        """(q, d) points → (q, samples) values of φ', 1 or γ."""
        active = (torch.addmm(self.b, z, self.w.T) >= 0).to(z.dtype)
        return active if self.slope == 0 else active.mul_(1 - self.slope).add_(self.slope)


def features(d: int, samples: int, slope: float, like: Tensor) -> Features:
    """Draws the samples, of the type and on the device of `like`."""
    w = torch.randn(samples, d, dtype=like.dtype, device=like.device) / d**0.5
    return Features(w, torch.randn(samples, dtype=like.dtype, device=like.device), slope)


@torch.no_grad()
def mean_gradients(x: Tensor, y: Tensor, phi: Features) -> Tensor:
    """q_k = (1/n) Σ_j y_jΦ(x_j, x_k)x_j with Φ by Monte Carlo, (n, d)."""
    at_x = phi(x)
    kernel = at_x @ at_x.T / len(phi.w)
    return kernel @ (y[:, None] * x) / len(x)


@torch.no_grad()
def decision_maps(
    x: Tensor,
    y: Tensor,
    target: Tensor,
    grid: Tensor,
    *,
    slope: float,
    epsilon: float,
    samples: int,
    batch: int = 2000,
) -> tuple[Tensor, Tensor]:
    """f̂(z) = (1/n) Σ_k y_kΦ(x_k, z)⟨x_k, z⟩ and ĝ(z) = (1/n) Σ_k Φ(r_k, z)⟨q_k, z⟩ on a grid.

    r_k = ε y'_k q_k/‖q_k‖. One set of `samples` Gaussian weights estimates every entry of Φ.

    Args:
      x, y: (n, d) points and (n,) labels ±1.
      target: (n,) labels y'.
      grid: (q, d) points z.
      slope: γ.
      epsilon: size ε of a perturbation.
      samples: Gaussian samples of a kernel estimate.
      batch: grid points at a time, which bounds memory to a few n × batch matrices.

    Returns:
      f̂ and ĝ, (q,) each.
    """
    phi = features(x.shape[1], samples, slope, x)
    q = mean_gradients(x, y, phi)
    r = epsilon * target[:, None] * nn.functional.normalize(q, dim=1)
    at_x, at_r = phi(x), phi(r)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for z in grid.split(batch):
            at_z = phi(z)
            f_hat = ((at_z @ at_x.T) * (z @ x.T)) @ y
            g_hat = ((at_z @ at_r.T) * (z @ q.T)).sum(1)
            yield f_hat, g_hat

    f_hat, g_hat = (torch.cat(parts) for parts in zip(*batches(), strict=True))
    return f_hat / (samples * len(x)), g_hat / (samples * len(x))
