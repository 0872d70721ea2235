"""Every optimizer in about ten lines of NumPy: the text to learn from, and the judge of the rest.

Each rule below is written straight from its paper, in the paper's symbols.  The compiled core
must give the *same bits*, so this file may know nothing about the core: the two were written
apart from one formula and check each other.

What makes equal bits possible is that nothing here is left to chance:

* Only ``+ - * /``, ``sqrt``, comparison and selection.  IEEE 754 fixes the result of each.
* Every formula is evaluated as its parentheses say, from left to right.  ``(lr * g) / d`` and
  ``lr * (g / d)`` are the same mathematics but not the same bits.
* Scalars such as ``1 - beta`` or ``lr / (1 - beta**t)`` are Python floats (float64).  NumPy
  rounds a Python float once, to the array's type, when it meets a float32 array.  A
  ``np.float64`` would instead turn the whole array into float64, so none may come near one.
* ``max``, ``clamp`` and their like are spelled as a comparison and a choice, because that says
  what happens to NaN: a comparison with NaN is false.

In all rules ``p`` is the parameter, ``g`` its gradient (of the loss, at ``p``), ``lr`` the
learning rate, ``o`` the options, ``t`` the number of the step, counted from 1.  A rule returns
the new parameter and the new state.  It changes none of the arrays that it was given.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ferrostep._native import power  # beta**t, correctly rounded; the platform's pow is not

Array = NDArray[Any]
States = dict[str, Array]
Options = Mapping[str, Any]
Rule = Callable[[Array, Array, States, Options, int, Set[str]], tuple[Array, States]]


def update(
    rule: str,
    p: Array,
    g: Array,
    state: States,
    options: Options,
    t: int,
    fresh: Set[str],
    grad_scale: float = 1.0,
) -> tuple[Array, States]:
    """One step of one parameter: returns the new parameter and new state, writes nothing.

    ``rule`` is the optimizer's class name.  ``state`` holds the arrays that the class keeps, made
    with their first values before the first step; ``fresh`` names those made in this very step.
    All arithmetic is in float64 for a float64 parameter, else in float32: narrower arrays are
    widened first, and ``store`` rounds the results.  A gradient of another type is rounded once.
    """
    o = {name: _plain(value) for name, value in options.items()}
    lr, weight_decay = o["lr"], o["weight_decay"]
    dtype: type[np.floating[Any]] = np.float64 if p.dtype.itemsize == 8 else np.float32
    with np.errstate(all="ignore"):  # overflow and NaN are results here, not accidents
        p = np.asarray(p, dtype)
        state = {name: np.asarray(x, dtype) for name, x in state.items()}
        g = np.array(g, dtype)  # a copy: some rules remember g, and the caller's g is not ours

        # What was not asked for is not done at all: even a multiplication by 1 is left out.
        if grad_scale != 1:  # the user's factor times that of clipping, one float64
            g = g * grad_scale
        if o["maximize"]:
            g = -g
        if weight_decay != 0:
            if o["decoupled_weight_decay"]:  # Loshchilov & Hutter 2017, arXiv:1711.05101
                p = p * (1 - lr * weight_decay)
            else:  # the gradient of the penalty (weight_decay / 2) * p**2
                g = g + weight_decay * p

        p, new = RULES[rule](p, g, state, o, t, fresh)

        if o["flush_subnormals"]:
            tiny = float(np.finfo(dtype).smallest_normal)
            new = {name: np.where(np.abs(x) < tiny, 0.0, x) for name, x in new.items()}
    # NumPy's arithmetic turns 0-d arrays into scalars; asarray turns them back.
    return np.asarray(p), {name: np.asarray(x) for name, x in new.items()}


def rounded(old: Iterable[Array], new: Iterable[Array]) -> list[Array]:
    """Return new values for old arrays, each rounded once to the array's type, nearest-even."""
    with np.errstate(all="ignore"):
        return [np.asarray(b).astype(a.dtype) for a, b in zip(old, new, strict=True)]


def _plain(value: Any) -> Any:
    """The same option without NumPy scalars: Python floats take on the type of the array."""
    if isinstance(value, tuple | list):
        return tuple(_plain(x) for x in value)
    return value.item() if isinstance(value, np.generic) else value


def tree_sum(terms: Iterable[Array]) -> float:
    """The sum of all elements of float64 arrays, added in the one order that everybody follows.

    Each array is cut, in C order, into leaves of 4096; in a leaf, element ``i`` is added to sum
    number ``i mod 32``; the 32 are folded by halves.  The leaves of all arrays, one after the
    other, fold in pairs to one.
    """
    with np.errstate(all="ignore"):
        leaves = [np.zeros(0)]
        for x in terms:
            # The last leaf is filled up with -0.0, which changes no sum.
            padded = np.full(-(-x.size // 4096) * 4096, -0.0)
            padded[: x.size] = x.reshape(-1)
            sums = np.zeros((padded.size // 4096, 32))
            for row in padded.reshape(-1, 128, 32).swapaxes(0, 1):
                sums = sums + row
            while sums.shape[1] > 1:
                half = sums.shape[1] // 2
                sums = sums[:, :half] + sums[:, half:]
            leaves.append(sums[:, 0])
        tree = np.concatenate(leaves)
        while tree.size > 1:
            pairs = tree[: tree.size // 2 * 2]
            odd = tree[pairs.size :]  # one that has no partner passes up as it is
            tree = np.concatenate([pairs[0::2] + pairs[1::2], odd])
    return float(tree[0]) if tree.size else 0.0


def global_norm(grads: Sequence[Array | None], dtypes: Sequence[DTypeLike]) -> float:
    """The norm of all gradients together, the square root of a `tree_sum` of squares.

    ``dtypes`` are the types that the gradients are rounded to first: those that their parameters
    are computed in.  The squares are float64, in which a float32's is exact.
    """
    with np.errstate(all="ignore"):
        given = [(g, dtype) for g, dtype in zip(grads, dtypes, strict=True) if g is not None]
        rounded = [np.asarray(g, np.dtype(dtype).newbyteorder("=")) for g, dtype in given]
        wide = [x.astype(np.float64) for x in rounded]
        return math.sqrt(tree_sum(x * x for x in wide))


def clip_factor(norm: float, max_norm: float) -> float:
    """What gradients of this norm are multiplied by, so that they have `max_norm` at most.

    The 1e-6 is torch's.  NaN of a NaN norm; an infinite ``max_norm`` bounds nothing.
    """
    factor = max_norm / (norm + 1e-6)
    return 1.0 if max_norm == math.inf or factor > 1 else factor


def _clamp(x: Array, low: float, high: float) -> Array:
    """``x`` held between ``low`` and ``high``; NaN passes."""
    return np.where(x < low, low, np.where(x > high, high, x))


def _agree(a: Array, b: Array) -> Array:
    """True where both are positive or both negative.

    The signs are compared, not multiplied: ``1e-30 * 1e-30`` is 0 in float32 and has no sign.
    """
    return ((a > 0) & (b > 0)) | ((a < 0) & (b < 0))


def sgd(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Stochastic gradient descent, with torch's form of momentum.

    ``buf`` sums up past gradients, each weighted by another factor of ``mu`` per step; the
    learning rate stays outside.  At its first use it is the gradient itself.  Nesterov's variant
    (Sutskever et al. 2013) steps along the gradient plus what ``buf`` will carry on.  ``average``
    makes ``buf`` a moving average of gradients, which starts at 0 as Adam's ``m`` does.
    """
    lr, mu, damp = o["lr"], o["momentum"], o["dampening"]
    if mu == 0:
        return p - lr * g, {}
    if o["average"]:
        buf = mu * state["momentum_buffer"] + (1 - mu) * g
        return p - lr * buf, {"momentum_buffer": buf}
    buf = g if "momentum_buffer" in fresh else mu * state["momentum_buffer"] + (1 - damp) * g
    d = g + mu * buf if o["nesterov"] else buf
    return p - lr * d, {"momentum_buffer": buf}


def momentum(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Momentum as the lecture, Keras and scikit-learn write it.

    The velocity ``v`` is the step itself: the learning rate is inside, so a change of ``lr``
    leaves the speed that was already gathered as it is.
    """
    lr, mu = o["lr"], o["momentum"]
    v = mu * state["velocity"] - lr * g
    step = mu * v - lr * g if o["nesterov"] else v
    return p + step, {"velocity": v}


def adaptive_gains(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """A gain of its own for every weight (the lecture; Jacobs 1988, delta-bar-delta).

    The gain grows by ``beta`` while the weight keeps its direction and shrinks by the factor
    ``1 - beta`` when it turns round: accelerate gently, brake hard.  ``compare="gradient"`` calls
    it a direction kept if the gradient has the sign that it had in the step before; without a
    sign, as at 0, the gain stays.  ``compare="velocity"`` is the rule of t-SNE: the direction is
    kept if ``g`` is against ``v`` (a descent moves against the gradient), and turned otherwise.
    ``compare="sign"`` is that rule with a sign of 0 too, which differs from both others.
    """
    lr, beta, mu, gain = o["lr"], o["beta"], o["momentum"], state["gain"]
    if o["compare"] == "velocity":
        keeps = _agree(g, -state["velocity"])
        turns = ~keeps
    elif o["compare"] == "sign":
        keeps = np.sign(g) != np.sign(state["velocity"])
        turns = ~keeps
    else:
        keeps = _agree(g, state["prev"])
        turns = _agree(g, -state["prev"])
    gain = np.where(keeps, gain + beta, np.where(turns, gain * (1 - beta), gain))
    gain = _clamp(gain, o["min_gain"], o["max_gain"])
    new = {"gain": gain}
    if o["compare"] == "gradient":
        new["prev"] = g
    if mu == 0:
        return p - lr * (gain * g), new
    v = mu * state["velocity"] - lr * (gain * g)
    return p + v, new | {"velocity": v}


def rprop(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Resilient backpropagation (Riedmiller & Braun 1993), in the form called iRprop-.

    Only the sign of the gradient counts.  Each weight has its step size, which grows by
    ``eta_plus`` while the sign stays and shrinks by ``eta_minus`` when it changes: the last step
    jumped over a minimum.  Then the weight waits for one step, and 0 is remembered as its
    gradient, so that the step after that neither grows nor shrinks.
    """
    eta_minus, eta_plus = o["etas"]
    step, prev = state["step_size"], state["prev"]
    same, opposite = _agree(g, prev), _agree(g, -prev)
    step = np.where(same, step * eta_plus, np.where(opposite, step * eta_minus, step))
    step = _clamp(step, *o["step_sizes"])
    g = np.where(opposite, 0.0, g)
    return p - np.sign(g) * step, {"prev": g, "step_size": step}


def rmsprop(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """RMSProp (Hinton, lecture 6e of his course, 2012; centered: Graves 2013, arXiv:1308.0850).

    ``r`` is a moving average of squared gradients, its root the size that gradients have had
    lately.  Centered: ``a`` is the moving average of the gradients themselves and ``r - a*a``
    their variance, which rounding can push below 0, where it counts as 0.  ``b`` is momentum.
    """
    lr, beta, eps, mu = o["lr"], o["alpha"], o["eps"], o["momentum"]
    r = beta * state["square_avg"] + (1 - beta) * (g * g)
    new, d = {"square_avg": r}, r
    if o["centered"]:
        a = beta * state["grad_avg"] + (1 - beta) * g
        d = r - a * a
        d = np.where(d < 0, 0.0, d)
        new["grad_avg"] = a
    root = np.sqrt(d + eps) if o["eps_inside_sqrt"] else np.sqrt(d) + eps
    if mu == 0:
        return p - (lr * g) / root, new
    b = mu * state["momentum_buffer"] + g / root
    return p - lr * b, new | {"momentum_buffer": b}


def adagrad(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """AdaGrad (Duchi, Hazan & Singer 2011).

    ``s`` is the sum of all squared gradients so far: weights that were seldom moved keep large
    steps.  ``lr_decay`` lets the learning rate fall with the number of steps besides.
    """
    lr_t = o["lr"] / (1 + (t - 1) * o["lr_decay"])
    eps = o["eps"]
    s = state["sum"] + g * g
    root = np.sqrt(s + eps) if o["eps_inside_sqrt"] else np.sqrt(s) + eps
    return p - (lr_t * g) / root, {"sum": s}


def adadelta(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """AdaDelta (Zeiler 2012, arXiv:1212.5701, algorithm 1).

    ``r`` is a moving average of squared gradients, ``a`` one of squared steps ``d``.  The ratio
    of their roots gives the step the unit of the parameter, so that ``lr`` can stay at 1.  The
    step is made with the old ``a``: the new one needs the step.
    """
    lr, rho, eps = o["lr"], o["rho"], o["eps"]
    a = state["acc_delta"]
    r = rho * state["square_avg"] + (1 - rho) * (g * g)
    d = (np.sqrt(a + eps) / np.sqrt(r + eps)) * g
    a = rho * a + (1 - rho) * (d * d)
    return p - lr * d, {"square_avg": r, "acc_delta": a}


def adam(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Adam (Kingma & Ba 2014, arXiv:1412.6980, algorithm 1): momentum times RMSProp.

    ``m`` and ``v`` are moving averages of the gradient and of its square.  Both start at 0 and
    are too small at first; the paper divides them by ``1 - beta**t``.  Here these divisions are
    folded into two scalars: ``step`` corrects ``m``, and ``s`` corrects the root of ``v``.
    Without bias correction this is Adam as the lecture first writes it.  (``v`` may be started at
    another value than 0, as federated Adam does: arXiv:2003.00295.)

    ``epsilon_hat`` (end of the paper's section 2; Keras, scikit-learn) puts both corrections
    into the step, which leaves ``eps`` uncorrected.  ``amsgrad`` (Reddi et al. 2018,
    arXiv:1904.09237) divides by the largest ``v`` so far.
    """
    lr, eps, (beta1, beta2) = o["lr"], o["eps"], o["betas"]
    m = beta1 * state["exp_avg"] + (1 - beta1) * g
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    new = {"exp_avg": m, "exp_avg_sq": v}
    if o["amsgrad"]:
        vmax = state["max_exp_avg_sq"]
        v = np.where(v > vmax, v, vmax)
        new["max_exp_avg_sq"] = v

    step, s = lr, 1.0
    if o["bias_correction"] and o["epsilon_hat"]:
        step = lr * math.sqrt(1 - power(beta2, t)) / (1 - power(beta1, t))
    elif o["bias_correction"]:
        step = lr / (1 - power(beta1, t))
        s = 1 / math.sqrt(1 - power(beta2, t))
    return p - (step * m) / (np.sqrt(v) * s + eps), new


def lion(
    p: Array, g: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """Lion (Chen et al. 2023, arXiv:2302.06675, algorithm 2).

    ``m`` is a moving average of gradients.  The step is the sign of a faster average, which weighs
    the newest gradient more than ``m`` will: every weight moves by ``lr``, or rests at a sign of 0.
    """
    lr, (beta1, beta2) = o["lr"], o["betas"]
    m = state["exp_avg"]
    u = beta1 * m + (1 - beta1) * g
    return p - lr * np.sign(u), {"exp_avg": beta2 * m + (1 - beta2) * g}


def ema(
    e: Array, p: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """An exponential moving average of weights, as torch's ``lerp`` has it.

    Here the parameter is the average ``e`` and the gradient is the weight ``p``.  The first weight
    is copied.  ``w`` is what enters of each later one; with warmup (TensorFlow) more at first.
    """
    decay = o["decay"]
    if o["warmup"] and (1.0 + t) / (10.0 + t) < decay:
        decay = (1.0 + t) / (10.0 + t)
    w = p.dtype.type(1 - decay)
    if t == 1 or w == 1:
        return p, {}
    d = p - e
    return (e + w * d if w < 0.5 else p - d * (1 - w)), {}


def mean(
    e: Array, p: Array, state: States, o: Options, t: int, fresh: Set[str]
) -> tuple[Array, States]:
    """The mean ``e`` of the weights ``p`` so far (Izmailov et al. 2018, arXiv:1803.05407)."""
    return (p if t == 1 else e + (p - e) / float(t)), {}


RULES: dict[str, Rule] = {
    "SGD": sgd,
    "Momentum": momentum,
    "AdaptiveGains": adaptive_gains,
    "Rprop": rprop,
    "RMSprop": rmsprop,
    "Adagrad": adagrad,
    "Adadelta": adadelta,
    "Adam": adam,
    "AdamW": adam,  # the same rule; its weight decay is decoupled, see update()
    "Lion": lion,
    "EMA": ema,
    "Mean": mean,
}
