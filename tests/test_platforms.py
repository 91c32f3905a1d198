"""What verdicts and training compile, lowered for GPUs and TPUs on a machine that has neither.

A primitive that only CPUs have and a call back to the host fail here. That the compilers of those
platforms take what is lowered is another matter: `docs/gpu.md` says what was compiled and run.
"""

import dataclasses
import functools
import pathlib
import re

import jax
import jax.numpy as jnp
import pytest
from lowering import lower_statement, lowered
from statement_checks import SLOW

from experiments.images import experiment, noises, probing, training
from experiments.images.training import Recipe
from theory import REGISTRY, Deterministic, Statement
from theory.margins import margin
from theory.networks import blocks, network
from theory.networks.descent import LOSSES, SCHEDULES, Descent
from theory.networks.training import SPACES, _spaces, train
from theory.perturbations.classifiers import Attack
from theory.perturbations.learning import PerturbationSetting, measure_in, training_spaces
from theory.perturbations.prediction import predict_in_full

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "gpu.md"
N, D, M = 6, 4, 8


@pytest.fixture(autouse=True)
def accelerator(monkeypatch):
    """Whoever asks which device there is takes the way of an accelerator."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")


def first_of_each() -> set[str]:
    """The first statement of every family and kind of claim, of those that are drawn quickly."""
    quick = {id: statement for id, statement in REGISTRY.items() if id not in SLOW}
    return set({(id.split(".")[0], quick[id].kind): id for id in reversed(quick)}.values())


@pytest.mark.parametrize(
    "id",
    [pytest.param(id, marks=() if id in first_of_each() else pytest.mark.slow) for id in REGISTRY],
)
def test_statements_are_lowered(id):
    lower_statement(REGISTRY[id])


def test_a_statement_in_single_precision():
    lower_statement(REGISTRY["lazy.movement"], "float32")


@pytest.mark.parametrize(
    ("conclusion", "says"),
    [
        (lambda x: jax.scipy.linalg.schur(x)[0][0, 0], "'schur' not found for platforms"),
        (
            lambda x: jax.pure_callback(lambda x: x, x, x, vmap_method="sequential")[0, 0],
            "python_callback",
        ),
    ],
)
def test_what_only_cpus_have_is_found(conclusion, says):
    statement = Statement(
        id="mine.on-cpus",
        sample=lambda key, _: jax.random.normal(key, (3, 3)),
        claim=Deterministic(lambda x, _: margin(conclusion(x), 1e-6)),
    )
    with pytest.raises(NotImplementedError, match=re.escape(says)):
        lower_statement(statement)


def test_the_page_names_the_statements_that_are_solved_on_the_host():
    (named,) = re.findall(r"<!-- host stages -->(.*?)<!-- end -->", PAGE.read_text(), re.S)
    solved = {id for id, statement in REGISTRY.items() if statement.solve is not None}
    assert set(re.findall(r"`([\w.-]+)`", named)) == solved


# --- training -------------------------------------------------------------------------------------

PATHS = [
    (kind, space, loss, schedule)
    for kind in ("frozen_readout", "fixed_signs", "all_trained")
    for space in SPACES
    for loss in LOSSES
    for schedule in SCHEDULES
    if space in _spaces(getattr(network, kind)(0.1), Descent(0.1, 3, loss, schedule=schedule))
]


@pytest.mark.parametrize(("kind", "space", "loss", "schedule"), PATHS)
def test_two_layer_networks_are_trained(kind, space, loss, schedule):
    net, descent = getattr(network, kind)(0.1), Descent(0.1, 3, loss, 0.9, schedule=schedule)
    params = network.init(net, jax.random.key(0), M, D)
    observe = (lambda p: p.b) if space == "weights" else None
    lowered(
        lambda params, x, y: train(net, params, x, y, descent, observe, space=space), (),
        params, jnp.ones((N, D)), jnp.ones(N),
    )  # fmt: skip


def test_blocks_of_neurons_are_trained():
    net, descent = network.frozen_readout(0.1), Descent(0.1, 3)

    def run(key, x, y):
        return blocks.sum_over_blocks(
            net, key, 2 * blocks.BLOCK, x, y, descent,
            lambda _, end, x: network.outputs(end, x, 0.1), x,
        )  # fmt: skip

    lowered(run, (), jax.random.key(0), jnp.ones((N, D)), jnp.ones(N))


SETTING = PerturbationSetting(n=N, d=D, m=M, queries=5, steps_f=3, steps_g=3)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"d": 100, "scenario": "b"},
        {"loss": "logistic"},
        {"schedule": "plateau", "measure_on": "training"},
    ],
)
def test_learning_from_perturbations(changes):
    setting = dataclasses.replace(SETTING, **changes)
    key = jax.random.key(0)
    lowered(predict_in_full, (), key, setting)
    lowered(measure_in, (2,), key, setting, training_spaces(setting))


IMAGES, LABELS = jnp.zeros((N, 8, 8, 1)), jnp.arange(N) % 2
ROBUST = Recipe(batch=4, crop=1, flip=True, adversarial=0.1, adversarial_steps=2)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ("cnn", "resnet18") else pytest.mark.slow)
        for name in experiment.KINDS
    ],
)
def test_networks_of_images_are_trained(name):
    net = experiment.KINDS[name].module(2)
    state = training.initial(net, jax.random.key(0), IMAGES.shape[1:], ROBUST)
    lowered(
        functools.partial(training._step, net, ROBUST), (),
        state, jax.random.key(1), jnp.array(0), jnp.array(0.1), IMAGES, LABELS,
    )  # fmt: skip


def test_noises_and_linear_classifiers_of_them():
    net = experiment.KINDS["cnn"].module(2)
    state = training.initial(net, jax.random.key(0), IMAGES.shape[1:], ROBUST)
    attack = Attack(2, 0.1, 1, 0, 1.0, 0.05)
    lowered(noises._noises, (0,), net, state.variables, IMAGES, LABELS, attack)
    lowered(probing._probe_accuracies, (4, 5, 6), IMAGES, LABELS, IMAGES, LABELS, 2, 3, False)
