"""Our other optimizers as thinc's: its call and what it does around a step, and their formulas."""

from __future__ import annotations

from functools import cache
from inspect import Parameter, Signature
from typing import Any, ClassVar

from ferrostep.compat.thinc.formulas import Formula, Numbers
from ferrostep.compat.thinc.optimizer import Optimizer
from ferrostep.schema import REQUIRED
from ferrostep.spellings import hint

#: thinc's arguments that these have too, with its defaults.
_FRAME = {"grad_clip": 1.0, "use_averages": True, "L2_is_weight_decay": True}
#: Options of ours that thinc has under names of its own.
_NAMED = {"lr": "learn_rate", "weight_decay": "L2", "decoupled_weight_decay": "L2_is_weight_decay"}

_DOC = """ferrostep's {name} as an optimizer of thinc.

`step_schedules`, `averages`, `nr_update` and the call are those of `Optimizer`; the formula is that
of `ferrostep.{name}`, and the options beside those below are its own, by name.

Parameters
----------
learn_rate
    A number, a list, a generator, or one of thinc's schedules, like `L2` and `grad_clip`.{default}
L2
    Weight decay, decoupled; with ``L2_is_weight_decay=False``, ``L2*p`` is added to the
    gradient, before it is clipped. Default {L2!r}.
grad_clip
    The largest norm of a parameter's gradient; default 1.0, and 0 for any.
use_averages
    Keep averages of the weights, for ``model.use_params(optimizer.averages)``; default True.
L2_is_weight_decay
    Default True.

State is in ``states[name][key]``: arrays, and the numbers that a rule remembers.

Raises
------
TypeError, ValueError
    If an option is unknown or out of its bounds.

Examples
--------
>>> import numpy as np
>>> from ferrostep.compat.thinc import {name}
>>> optimizer = {name}(0.01)
>>> W, dW = optimizer((1, "W"), np.ones(2, np.float32), np.ones(2, np.float32))
"""


class Own(Optimizer):
    """What stands for an optimizer of ours that thinc has not."""

    __slots__ = ("options", "states")

    _ours: ClassVar[Any]
    options: dict[str, Any]
    states: dict[str, dict[Any, Any]]

    def __init__(self, *args: Any, **given: Any) -> None:
        schema, known = self._ours._schema(), self.__signature__.parameters
        for word in given:
            if word not in known:
                meant = f"; did you mean {_NAMED[word]!r}?" if word in _NAMED else hint(word, known)
                raise TypeError(f"{schema.name}() takes no argument {word!r}{meant}")
        bound = self.__signature__.bind(*args, **given)
        bound.apply_defaults()
        frame = bound.arguments
        self.options = {word: frame.pop(word) for word in list(frame) if word in schema.checks}
        self._ours(None, **self.options)  # which checks them
        super().__init__(**frame)
        every = (*schema.memory, *schema.arrays())
        self.states = {word: {} for word in every}

    def _formula(self, now: Numbers, t: int, *, wide: bool) -> Formula:
        decay = now.L2 if self.L2_is_weight_decay else 0.0
        options = {"lr": now.learn_rate * now.lr_scale, "weight_decay": decay}
        return Formula(self._ours, options, {"decoupled_weight_decay": True, **self.options})

    def _kept(self) -> dict[str, dict[Any, Any]]:
        return self.states

    def _elsewhere(self, key: Any, weights: Any, gradient: Any, lr_scale: float) -> tuple[Any, Any]:
        raise TypeError(
            f"parameter {key!r} must be a NumPy array, found {type(weights).__name__}; "
            "use Optimizer, which has thinc's kernels for it"
        )


@cache
def class_of(ours: type[Any]) -> type[Own]:
    """Return the class that stands for one of ours among thinc's."""
    defaults = ours._schema().defaults
    told = "" if defaults["lr"] is REQUIRED else f" Default {defaults['lr']!r}."
    body = {
        "__module__": "ferrostep.compat.thinc",
        "__doc__": _DOC.format(name=ours.__name__, default=told, L2=defaults["weight_decay"]),
        "__signature__": _signature(ours),
        "__slots__": (),
        "_ours": ours,
    }
    return type(ours.__name__, (Own,), body)


def _signature(ours: type[Any]) -> Signature:
    schema = ours._schema()
    rate, decay = schema.defaults["lr"], schema.defaults["weight_decay"]
    own = {word: schema.defaults[word] for word in schema.checks if word not in _NAMED}
    named = {"L2": decay, **_FRAME, **own}
    first = Parameter("learn_rate", Parameter.POSITIONAL_OR_KEYWORD, default=rate)
    return Signature(
        [first, *(Parameter(n, Parameter.KEYWORD_ONLY, default=v) for n, v in named.items())]
    )
