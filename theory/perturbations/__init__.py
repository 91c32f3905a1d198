"""Adversarial perturbations: how they are made, what they know, and what is learnt from them.

`attacks` makes them; `initialization`, `noise_alignment` and `after_training` have the laws of
one-step noises (Z23); `alignment` and `effects` those of perturbations of trained networks (K24a);
`classifiers` fits what is trained on them, `learning` is the whole experiment of K24b and
`prediction` its limit.
"""

from theory.perturbations.after_training import Movement as Movement
from theory.perturbations.after_training import Terms as Terms
from theory.perturbations.after_training import alignment_terms as alignment_terms
from theory.perturbations.after_training import fastest_descent as fastest_descent
from theory.perturbations.after_training import predicted_alignment as predicted_alignment
from theory.perturbations.after_training import predicted_movement as predicted_movement
from theory.perturbations.alignment import Shift as Shift
from theory.perturbations.alignment import gradient_cosine as gradient_cosine
from theory.perturbations.alignment import growing_support_shift as growing_support_shift
from theory.perturbations.alignment import largest_sign_cosine as largest_sign_cosine
from theory.perturbations.alignment import maximum_norm_shift as maximum_norm_shift
from theory.perturbations.alignment import normal_cosine as normal_cosine
from theory.perturbations.alignment import sign_cosine as sign_cosine
from theory.perturbations.attacks import Ball as Ball
from theory.perturbations.attacks import ball as ball
from theory.perturbations.attacks import geometry_inspired as geometry_inspired
from theory.perturbations.attacks import gradient_noise as gradient_noise
from theory.perturbations.attacks import gradient_perturbations as gradient_perturbations
from theory.perturbations.attacks import growing_support as growing_support
from theory.perturbations.attacks import over_largest as over_largest
from theory.perturbations.attacks import projected_gradient as projected_gradient
from theory.perturbations.attacks import unit_rows as unit_rows
from theory.perturbations.classifiers import Attack as Attack
from theory.perturbations.classifiers import Classifier as Classifier
from theory.perturbations.classifiers import LinearProbe as LinearProbe
from theory.perturbations.classifiers import craft as craft
from theory.perturbations.classifiers import cross_entropy as cross_entropy
from theory.perturbations.classifiers import fit_probe as fit_probe
from theory.perturbations.classifiers import init_classifier as init_classifier
from theory.perturbations.classifiers import logits as logits
from theory.perturbations.classifiers import noises as noises
from theory.perturbations.classifiers import probe_accuracy as probe_accuracy
from theory.perturbations.classifiers import probe_classes as probe_classes
from theory.perturbations.classifiers import train_classifier as train_classifier
from theory.perturbations.effects import Effects as Effects
from theory.perturbations.effects import adaptation as adaptation
from theory.perturbations.effects import cone_share as cone_share
from theory.perturbations.effects import effect_ratio as effect_ratio
from theory.perturbations.effects import noise_accuracy as noise_accuracy
from theory.perturbations.effects import noise_accuracy_early as noise_accuracy_early
from theory.perturbations.effects import own_margin as own_margin
from theory.perturbations.effects import plane_agreement as plane_agreement
from theory.perturbations.initialization import active_readout_cdf as active_readout_cdf
from theory.perturbations.initialization import alignment_decay as alignment_decay
from theory.perturbations.initialization import alignment_failure as alignment_failure
from theory.perturbations.initialization import alignment_variance as alignment_variance
from theory.perturbations.initialization import (
    alignment_variance_as_printed as alignment_variance_as_printed,
)
from theory.perturbations.initialization import event_failures as event_failures
from theory.perturbations.initialization import gradient_norm_cdf as gradient_norm_cdf
from theory.perturbations.initialization import large_step_failure as large_step_failure
from theory.perturbations.initialization import largest_squares as largest_squares
from theory.perturbations.learning import Draw as Draw
from theory.perturbations.learning import PerturbationSetting as PerturbationSetting
from theory.perturbations.learning import Quantities as Quantities
from theory.perturbations.learning import draw_run as draw_run
from theory.perturbations.learning import measure as measure
from theory.perturbations.learning import measure_in as measure_in
from theory.perturbations.learning import training_spaces as training_spaces
from theory.perturbations.noise_alignment import Alignment as Alignment
from theory.perturbations.noise_alignment import Direction as Direction
from theory.perturbations.noise_alignment import alignment_along as alignment_along
from theory.perturbations.noise_alignment import readout_direction as readout_direction
from theory.perturbations.prediction import Prediction as Prediction
from theory.perturbations.prediction import predict as predict
from theory.perturbations.prediction import predict_in_full as predict_in_full
