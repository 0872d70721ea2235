"""Other libraries' optimizers by their own names, defaults and conventions, made of ours.

    opt = fs.presets.keras.Adam(learning_rate=0.01, params=params)
    opt = fs.presets.optax.adamw(1e-3, b2=0.95, params=params)
    opt = fs.presets.torch.SGD(params, 0.1, 0.9)
    fs.presets.sklearn, fs.presets.papers

Each is a function that returns one of our classes with its options set: the same numbers, but for
last bits. What would make another formula of it is refused, with an error that says what to do
instead. Without parameters they come with each `update`, as everywhere. Learning rates are
numbers: for schedules see `ferrostep.schedulers`.

A library's rows are its module's ``ROWS`` (`ferrostep.presets.row`); the functions, their types and
README's table are made from them.
"""

from typing import TYPE_CHECKING

from ferrostep.later import later

__all__ = ["keras", "optax", "papers", "sklearn", "torch"]

if TYPE_CHECKING:
    from ferrostep.presets import keras, optax, papers, sklearn, torch
else:
    __getattr__ = later(__name__, *__all__)


def __dir__() -> list[str]:
    return __all__
