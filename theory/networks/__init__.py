"""Two-layer networks of finite width, and gradient descent on them.

`network` has the parameterizations (NTK scaling, frozen or trained readout, fixed signs), initial
laws and outputs; `descent` what one step does; `training` trains, in the space of weights or, by
`preactivations` and `flips`, in that of the samples; `blocks` adds up networks wider than memory,
`sharded` draws them where they live; `embedding` has the points as a layer with biases sees them.
`flow` integrates gradient flow, of networks scaled by 1/N on Gaussian inputs in `population` and
of networks beside their linearization in `crossover`.
"""

from theory.networks.blocks import block_size as block_size
from theory.networks.blocks import initial_block as initial_block
from theory.networks.blocks import sum_over_blocks as sum_over_blocks
from theory.networks.crossover import train_beside_linearization as train_beside_linearization
from theory.networks.descent import Descent as Descent
from theory.networks.descent import Loss as Loss
from theory.networks.descent import PlateauState as PlateauState
from theory.networks.descent import descent_for_time as descent_for_time
from theory.networks.descent import loss_weights as loss_weights
from theory.networks.descent import mean_loss as mean_loss
from theory.networks.descent import repeated as repeated
from theory.networks.descent import scaled_until_plateau as scaled_until_plateau
from theory.networks.descent import training_time as training_time
from theory.networks.embedding import biased_products as biased_products
from theory.networks.embedding import embed as embed
from theory.networks.embedding import standard_deviation as standard_deviation
from theory.networks.flips import coefficients_by_flips as coefficients_by_flips
from theory.networks.flow import runge_kutta as runge_kutta
from theory.networks.network import Activation as Activation
from theory.networks.network import Network as Network
from theory.networks.network import Params as Params
from theory.networks.network import all_trained as all_trained
from theory.networks.network import apply as apply
from theory.networks.network import fixed_signs as fixed_signs
from theory.networks.network import frozen_readout as frozen_readout
from theory.networks.network import init as init
from theory.networks.network import input_gradients as input_gradients
from theory.networks.network import leaky_relu as leaky_relu
from theory.networks.network import leaky_relu_derivative as leaky_relu_derivative
from theory.networks.network import narrowed as narrowed
from theory.networks.network import outputs as outputs
from theory.networks.network import pad_widths as pad_widths
from theory.networks.network import pre_activations as pre_activations
from theory.networks.network import split_widths as split_widths
from theory.networks.population import population_flow as population_flow
from theory.networks.population import population_risk as population_risk
from theory.networks.preactivations import Coefficients as Coefficients
from theory.networks.preactivations import coefficients as coefficients
from theory.networks.preactivations import gaussian_pre_activations as gaussian_pre_activations
from theory.networks.preactivations import moved as moved
from theory.networks.sharded import sharded_init as sharded_init
from theory.networks.training import Training as Training
from theory.networks.training import cheapest_space as cheapest_space
from theory.networks.training import train as train
