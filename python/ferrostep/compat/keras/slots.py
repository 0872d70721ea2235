"""Where a Keras optimizer keeps what is our state: in slot variables, one for each variable.

Numbers that a rule remembers are in variables of shape ().
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np

from ferrostep import optimizers
from ferrostep.optimizer import Optimizer
from ferrostep.presets.keras import DECOUPLED, KERAS
from ferrostep.presets.row import Row, Source, names_of
from ferrostep.schema import Schema

_ADAM = {
    "exp_avg": "_momentums",
    "exp_avg_sq": "_velocities",
    "max_exp_avg_sq": "_velocity_hats",
}
#: The lists of Keras' classes that hold our state arrays; a number is one for all variables there.
SLOTS: Mapping[str, Mapping[str, str]] = {
    "SGD": {"velocity": "momentums"},
    "Adam": _ADAM,
    "AdamW": _ADAM,
    "RMSprop": {"square_avg": "_velocities", "grad_avg": "_average_gradients"},
    "Adagrad": {"sum": "_accumulators"},
    "Adadelta": {"square_avg": "_accumulated_grads", "acc_delta": "_accumulated_delta_vars"},
    "Lamb": _ADAM,
    "Lion": {"exp_avg": "_momentums"},
    "Ftrl": {"accumulator": "_accumulators", "linear": "_linears"},
    "Adamax": {"exp_avg": "_m", "exp_inf": "_u"},
    "Nadam": {"exp_avg": "_momentums", "exp_avg_sq": "_velocities", "mu_product": "_u_product"},
}
#: Keras' SGD has no velocity if it has no momentum; ours of this form always has one.
PLAIN = Row(KERAS, "SGD", optimizers.SGD, {"learning_rate": 0.01}, fixed=DECOUPLED)


def slots_of_ours(schema: Schema) -> dict[str, str]:
    """Return the lists of a class that Keras does not have."""
    every = (*schema.memory, *schema.arrays())
    return {name: f"_{name}" for name in every}


def row_of_ours(ours: type[Optimizer]) -> Row:
    """Return the row of a class that Keras does not have: our options in Keras' words."""
    schema, shared = ours._schema(), Optimizer._schema().fields
    defaults: dict[str, object] = {}
    named: dict[str, Source] = {}
    for name, field in schema.fields.items():
        if name not in shared:
            source = KERAS.named.get(name, name)
            if name == "betas" and len(field.default) == 3:
                source = named[name] = ("beta_1", "beta_2", "beta_3")
            words = names_of(source)
            values = (field.default,) if len(words) == 1 else field.default
            defaults.update(zip(words, values, strict=True))
    return Row(KERAS, ours.__name__, ours, defaults, fixed=DECOUPLED, named=named)


def number_type() -> str:
    """Return the type of a number that a rule remembers: JAX has no float64 but when told so."""
    if keras.config.backend() != "jax":
        return "float64"
    import jax

    return "float64" if jax.config.jax_enable_x64 else "float32"


def initial(ours: type[Optimizer], options: Mapping[str, object]) -> dict[str, float]:
    """Return what each state array of a parameter begins with, and each number beside them."""
    opt = ours([np.zeros(1)], **options)
    opt._init_state(0)
    made = opt._state(0) or {}
    return {name: float(np.ravel(value)[0]) for name, value in made.items() if name != "step"}
