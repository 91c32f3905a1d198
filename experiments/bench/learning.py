"""Timing of training: cells of learning from perturbations, and single steps."""

from collections.abc import Callable, Iterator

import jax

from experiments.bench import rows, timing
from experiments.bench.rows import Options, Row
from theory import networks
from theory._types import PyTree
from theory.data.sampling import draw
from theory.keys import make_key
from theory.networks.descent import Descent
from theory.networks.training import train
from theory.perturbations.learning import PerturbationSetting, measure

FEW, MORE = 2, 12  # steps of the reference where thousands take minutes


def _ours(key: jax.Array, setting: PerturbationSetting) -> PyTree:
    """Accuracy of f and of g and agreement: what the reference computes, so no cosine."""
    return measure(key, setting)[:3]


def _ours_of_draws(keys: jax.Array, setting: PerturbationSetting) -> PyTree:
    """The same for many draws."""
    if jax.default_backend() == "cpu":
        # Arrays of one draw stay in a core's cache, those of 32 do not; and under the identity loss
        # draws take different numbers of steps where activations switch: together, all wait.
        return jax.lax.map(lambda key: _ours(key, setting), keys)
    return jax.vmap(lambda key: _ours(key, setting))(keys)


def _reference(setting: PerturbationSetting, steps: int) -> Callable[[], object] | None:
    """The reference with this number of steps for either network; None if it can't run here."""
    device = rows.torch_device()
    if device is None:
        return None
    from experiments.bench import reference as bench_reference

    return lambda: bench_reference.cell(
        setting.n,
        setting.d,
        setting.m,
        setting.queries,
        slope=setting.slope,
        loss=setting.loss,
        epsilon=setting.epsilon,
        rate_f=setting.lr_f,
        rate_g=setting.lr_g,
        momentum=setting.momentum,
        steps_f=steps,
        steps_g=steps,
        device=device,
    )


def _case(setting: PerturbationSetting) -> str:
    return (
        f"n={setting.n:,} d={setting.d:,} m={setting.m:,}, {setting.loss} loss, "
        f"{setting.steps_f}+{setting.steps_g} steps"
    )


def cell(options: Options) -> Iterator[Row]:
    """Train f, craft, train g, compare: one draw at a time, and many at once, per draw."""
    steps = 50 if options.quick else 1000
    for loss in ("identity", "logistic"):
        setting = PerturbationSetting(queries=500, loss=loss, steps_f=steps, steps_g=steps)
        for draws in (1, 4 if options.quick else 32):
            yield _cell_row(setting, draws, options)


def _cell_row(setting: PerturbationSetting, draws: int, options: Options) -> Row:
    """That of `draws` cells at once against the reference, which does one after another."""
    keys = jax.random.split(make_key(0), draws)
    ours, compile_time = timing.compiled(lambda k: _ours_of_draws(k, setting), keys)
    products = rows.products(setting.n, setting.d, setting.m)
    calls = {"ours": ours} | products.calls()
    reference, warm_up = _reference(setting, setting.steps_f), _reference(setting, 1)
    if reference is not None and warm_up is not None:
        warm_up()  # PyTorch loads parts of itself at first use
        calls["reference"] = reference
    seconds = timing.alternate(calls, repeats=5 if draws == 1 else 3, clock=options.clock)
    steps = setting.steps_f + setting.steps_g
    return rows.from_rounds(
        "cell",
        f"{_case(setting)}, {f'{draws} draws, each' if draws > 1 else 'one draw'}",
        "eager PyTorch",
        ours=[s / draws for s in seconds["ours"]],
        reference=seconds.get("reference"),
        target=None if options.quick else 5.0,
        compile=compile_time,
        flops=steps * rows.step_flops(setting.n, setting.d, setting.m),
        rates=products.rates(seconds),
    )


def cell_high_dimension(options: Options) -> Iterator[Row]:
    """The same at d = 10,000, where the reference takes minutes and is extrapolated."""
    steps = 10 if options.quick else 1000
    setting = PerturbationSetting(queries=500, d=10_000, m=1000, steps_f=steps, steps_g=steps)
    ours, compile_time = timing.compiled(lambda key: _ours(key, setting), make_key(0))
    products = rows.products(setting.n, setting.d, setting.m)
    calls = {"ours": ours} | products.calls()
    short, long = _reference(setting, FEW), _reference(setting, MORE)
    if short is not None and long is not None:
        short()
        calls |= {"short": short, "long": long}
    seconds = timing.alternate(calls, repeats=2 if options.quick else 3, clock=options.clock)
    reference, remarks = None, ()
    if "short" in seconds:
        reference = rows.extrapolated(seconds["short"], seconds["long"], FEW, MORE, steps)
        remarks = (
            f"reference timed with {FEW} and {MORE} steps for either network and extrapolated "
            f"linearly to {steps}; ours is run in full",
        )
    yield rows.from_rounds(
        "cell-high-dimension",
        _case(setting),
        "eager PyTorch",
        ours=seconds["ours"],
        reference=reference,
        target=None if options.quick else 10.0,
        compile=compile_time,
        flops=2 * steps * rows.step_flops(setting.n, setting.d, setting.m),
        rates=products.rates(seconds),
        remarks=remarks,
    )


def throughput(options: Options) -> Iterator[Row]:
    """Training steps against their two matrix products."""
    shapes = [(1000, 100, 1000), (1000, 1000, 1000), (1000, 100, 10_000), (10_000, 100, 1000)]
    for n, d, m in shapes[:1] if options.quick else shapes:
        for loss in ("identity", "logistic"):
            yield _throughput_row(n, d, m, loss, options)


def _throughput_row(n: int, d: int, m: int, loss: str, options: Options) -> Row:
    flops = rows.step_flops(n, d, m)
    steps = max(5, round(2e10 / flops))
    key_data, key_weights = jax.random.split(make_key(0))
    sample = draw(key_data, "shifted-gaussian", n, d, queries=1)
    network = networks.frozen_readout(0.0)
    params = networks.init(network, key_weights, m, d)
    descent = Descent(0.1, steps, loss, 0.9)
    ours, compile_time = timing.compiled(
        lambda p, x, y: train(network, p, x, y, descent).params, params, sample.x, sample.y
    )
    products = rows.products(n, d, m)
    jax.block_until_ready(ours())
    seconds = timing.alternate({"ours": ours} | products.calls(), repeats=11, clock=options.clock)
    rates = products.rates(seconds)
    return rows.from_rounds(
        "throughput",
        f"n={n:,} d={d:,} m={m:,}, {loss} loss, one of {steps} steps",
        "jnp.dot, same shapes",
        ours=[s / steps for s in seconds["ours"]],
        reference=[flops / rate for rate in rates["same"]],
        target=None if options.quick else 0.6,
        compile=compile_time,
        flops=flops,
        rates=rates,
    )
