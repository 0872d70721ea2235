"""Rules that keep a matrix of squared gradients as the means of its rows and of its columns."""

import math
from collections.abc import Set

import numpy as np

from ferrostep._native import real_power  # the platform's pow has other last bits elsewhere
from ferrostep.backends.reference.measures import tree_sum
from ferrostep.backends.reference.rule import Array, Options, Rule, States

#: What a type's numbers are apart at 1.
EPS = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}


def means(g: Array, added: float) -> tuple[Array, Array]:
    """The means of ``g*g + added`` along rows and along columns, of each matrix.

    Rows are summed up by the tree of leaves, columns from the first row to the last.
    """
    *outer, rows, columns = g.shape
    of_rows, of_columns = [], []
    for squares in np.square(g, dtype=np.float64).reshape(-1, rows, columns):
        of_rows.append([tree_sum([row]) / columns + added for row in squares])
        total = np.zeros(columns)
        for row in squares:
            total = total + row
        of_columns.append(total / rows + added)
    return (
        np.array(of_rows).astype(g.dtype).reshape(*outer, rows, 1),
        np.array(of_columns).astype(g.dtype).reshape(*outer, 1, columns),
    )


def by_their_mean(rows: Array, least: float) -> Array:
    """Each row's factor by the mean of its matrix', which is ``least`` at least."""
    matrices = rows.reshape(-1, rows.shape[-2])
    found = [tree_sum([one.astype(np.float64)]) / len(one) for one in matrices]
    bounded = [least if mean < least else mean for mean in found]
    return np.array(
        [one / mean for one, mean in zip(matrices, bounded, strict=True)], rows.dtype
    ).reshape(rows.shape)


def _rms(x: Array) -> float:
    return math.sqrt(tree_sum([np.square(x, dtype=np.float64)]) / x.size)


def adafactor(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Adafactor (Shazeer & Stern 2018, arXiv:1804.04235, algorithms 4 and 5), as torch has it.

    Of a matrix of averages ``v`` only the means ``R`` of rows and ``C`` of columns are kept; of all
    that have these, ``R*C/mean(R)`` is nearest to ``v``.  Its root is what the gradient is divided
    by, and the update's size what the rate is: as large as the parameter.
    """
    if p.size == 0:
        return p, state
    lr, d, (eps1, eps2), original = o["lr"], o["d"], o["eps"], o["form"] == "original"
    if eps1 is None:
        eps1 = 1e-30 if original else EPS[o["dtype"]]
    added, least = (eps1, 0.0) if original else (0.0, eps1)
    part = real_power(t, o["beta2_decay"])
    keep = 1 - part
    if p.ndim < 2:
        v = keep * state["variance"] + part * (g * g + added)
        new = {"variance": v}
    else:
        of_rows, of_columns = means(g, added)
        rows = keep * state["row_var"] + part * of_rows
        columns = keep * state["col_var"] + part * of_columns
        v = by_their_mean(rows, least) * columns
        new = {"row_var": rows, "col_var": columns}
    u = g / np.sqrt(np.where(v < least * least, least * least, v))
    rate = min(lr, 1 / math.sqrt(t)) if o["relative_step"] else lr
    if o["scale_parameter"]:
        size = _rms(p)
        rate = (size if size > eps2 else eps2) * rate
    beyond = _rms(u) / d
    if o["decoupled_weight_decay"]:
        p = p * (1 - lr * o["weight_decay"])
    return p - (rate / beyond if beyond > 1 else rate) * u, new


RULES: dict[str, Rule] = {
    "Adafactor": adafactor,
}
