"""What `predict` and `train` would take, told before they begin: memory, and time beyond a month.

Neither is to be found out by an aborted process, or by one that never ends.
"""

import math
import os
from collections.abc import Sequence

import jax

from experiments.machine import environment
from theory._wording import counted
from theory.compilation import bytes_needed, gib
from theory.keys import make_key
from theory.perturbations.learning import PerturbationSetting, measure_in, training_spaces
from theory.perturbations.learning_in_slices import in_slices, programs
from theory.perturbations.prediction import predict_in_full

DAY = 86_400
LONGEST = 30 * DAY  # seconds that a command may take by the estimate
STEP = 1e-6  # seconds of a step of a loop at least, whatever is in it
PER_CORE, OF_AN_ACCELERATOR = 2e11, 1e15  # operations per second at most, by any device of today


def check(settings: Sequence[PerturbationSetting], draws: int, *, train: bool) -> None:
    """ValueError, with sizes and numbers, if the command does not fit into memory or a month.

    Args:
      settings: one for each pair of learning rates, of the same sizes.
      draws: number of draws.
      train: whether networks are trained, or only predicted.
    """
    limit = environment.known_memory()
    limit = math.inf if limit is None else limit

    def check_memory(needed: float) -> None:
        if needed > limit:
            raise ValueError(
                f"{'train' if train else 'predict'} needs at least {gib(needed)} of memory with "
                f"{_sizes(settings[0])}, {counted(draws, 'draw')}, and {gib(limit)} may be "
                "used; take smaller ones"
            )

    check_memory(_least(settings[0], train))
    _check_time(settings, draws, train)
    if limit < math.inf:
        check_memory(_needed(settings[0], train, limit))


def _sizes(setting: PerturbationSetting) -> str:
    return ", ".join(f"{name} = {getattr(setting, name)}" for name in ("n", "d", "m", "queries"))


def _itemsize() -> int:
    return 8 if environment.precision() == "float64" else 4


def _least(setting: PerturbationSetting, train: bool) -> int:
    """Bytes of the (n, n) kernel matrix, the points or the weights, whichever is more.

    In Python's integers: shapes have smaller ones. A law that is not Gaussian is drawn in all d
    coordinates; `_needed` knows of that.
    """
    points, columns = setting.n + setting.queries, setting.columns[0]
    weights = setting.m * columns if train and not setting.independent else 0
    if in_slices(setting):  # these have momenta beside them
        weights *= 2
    return _itemsize() * max(setting.n**2, points * columns, weights)


def _needed(setting: PerturbationSetting, train: bool, limit: float) -> int:
    """Bytes of what is compiled, each program for itself; what is run later is compiled here."""
    key = jax.random.fold_in(make_key(0), 0)
    needed = bytes_needed(predict_in_full, key, setting, limit=limit)
    if train and in_slices(setting):
        for program, arguments in programs(setting):
            if needed <= limit:
                needed = max(needed, bytes_needed(program, *arguments, limit=limit))
    elif train and needed <= limit:
        spaces = training_spaces(setting)
        needed = max(needed, bytes_needed(measure_in, key, setting, spaces, limit=limit))
    return needed


def operations(setting: PerturbationSetting, *, train: bool) -> tuple[float, float]:
    """Floating-point operations and steps of a loop, of one draw: the terms that m and K enter.

    Training f and g: initial pre-activations and final outputs at n + q points in s coordinates,
    4(n + q)sm in all, then 2nm in each of K steps, by the cheapest of ways to take them. A
    prediction in closed form has neither; others take K steps of 2n² in function space.
    """
    steps = float(setting.steps_f + setting.steps_g)
    work = loops = 0.0
    if not setting.independent:
        work, loops = 2.0 * setting.n**2 * steps, steps
    if train:
        points, columns = setting.n + setting.queries, sum(setting.columns)
        work += 4.0 * points * columns * setting.m + 2.0 * setting.n * setting.m * steps
        loops += steps
    return work, loops


def _check_time(settings: Sequence[PerturbationSetting], draws: int, train: bool) -> None:
    work, loops = operations(settings[0], train=train)
    cpu = jax.default_backend() == "cpu"
    speed = PER_CORE * (os.cpu_count() or 1) if cpu else OF_AN_ACCELERATOR
    seconds = draws * len(settings) * max(work / speed, loops * STEP)
    if seconds > LONGEST:
        setting = settings[0]
        raise ValueError(
            f"{'train' if train else 'predict'} would take some {_days(seconds)} with "
            f"{_sizes(setting)}, steps_f = {setting.steps_f}, steps_g = {setting.steps_g}, "
            f"{counted(draws, 'draw')}, {counted(len(settings), 'pair')} of learning rates, and "
            f"may take {LONGEST // DAY} days; take smaller ones"
        )


def _days(seconds: float) -> str:
    days = seconds / DAY
    return f"{days:.0f} days" if days < 1000 else f"{days / 365:.2g} years"
