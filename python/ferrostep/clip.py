"""Gradient clipping: by the norm of all gradients together, or value by value.

``step(grads, max_norm=...)`` clips by the norm within the step, without writing to the gradients;
these functions are for the loops that clip first and step later.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ferrostep import _native
from ferrostep.options import upper_bound
from ferrostep.params import labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["clip_by_global_norm", "clip_by_value", "global_norm", "leaf_sums", "norm_of"]


def global_norm(arrays: Any) -> float:
    r"""Return the Euclidean norm of all elements of all arrays together.

    .. math:: \text{norm} = \sqrt{\sum_a \sum_i a_i^2}

    The squares are made and added in float64, in an order that depends on nothing but the sizes
    of the arrays: the result is the same to the bit at any number of threads, on any CPU, in any
    memory layout.

    Parameters
    ----------
    arrays : array, list or tuple of arrays, or dict of arrays
        float16, float32 or float64 of any shape and layout. None among them counts as empty.

    Returns
    -------
    float
        0.0 for no elements, NaN if an element is NaN, infinite if one is infinite or if the sum
        of squares overflows float64.

    Raises
    ------
    TypeError
        If the dtype of an array is another, or something is not an array.

    Examples
    --------
    >>> import numpy as np
    >>> from ferrostep.clip import global_norm
    >>> global_norm({"weight": np.array([[2.0, 3.0]]), "bias": np.float32(6.0)})
    7.0
    """
    return _native.global_norm(*_read(arrays))


def leaf_sums(arrays: Any) -> list[NDArray[np.float64]]:
    r"""Return what `global_norm` adds up last: the sum of squares of every 4096 elements.

    They are for a norm over several machines. Each takes the sums of the arrays that it has, all
    exchange them (8 bytes for 4096 elements), and `norm_of` then gives each the bits that
    `global_norm` has where one machine holds everything. An array may be cut over machines too, in
    C order, at multiples of 4096 elements: its sums are those of its parts, one after the other.

    Parameters
    ----------
    arrays : array, list or tuple of arrays, or dict of arrays
        As for `global_norm`.

    Returns
    -------
    list of numpy.ndarray
        For each array, in order, a new float64 array of ``ceil(size / 4096)`` sums; empty for None
        and for an array without elements.

    Raises
    ------
    TypeError
        As `global_norm`.

    See Also
    --------
    norm_of : The norm that follows.

    Examples
    --------
    >>> import numpy as np
    >>> from ferrostep.clip import leaf_sums
    >>> leaf_sums([np.ones(5000), None, np.float32(3.0)])
    [array([4096.,  904.]), array([], dtype=float64), array([9.])]
    """
    return [np.frombuffer(sums).copy() for sums in _native.leaf_sums(*_read(arrays))]


def norm_of(sums: Any) -> float:
    r"""Return the norm that follows from the sums of all leaves, to the bits of `global_norm`.

    .. math:: \text{norm} = \sqrt{\sum_l s_l}

    The sums are added pairwise, their neighbours first, so their order counts: it must be that of
    the arrays.

    Parameters
    ----------
    sums : array, or list or tuple of arrays
        What `leaf_sums` returns, of all arrays, in their order: its list, several such lists one
        after the other, or all sums in one flat array. float64.

    Returns
    -------
    float
        0.0 for no sums; NaN or infinite if a sum is, or if they overflow together.

    Raises
    ------
    TypeError
        If something is not a float64 array, or is a masked one.
    ValueError
        If an array has not one axis.

    Examples
    --------
    >>> import numpy as np
    >>> from ferrostep.clip import global_norm, leaf_sums, norm_of
    >>> here, there = np.linspace(0, 1, 10_000), np.linspace(1, 2, 5000)
    >>> norm_of(leaf_sums(here) + leaf_sums(there)) == global_norm([here, there])
    True
    >>> norm_of(np.array([9.0, 16.0]))
    5.0
    """
    arrays = list(sums) if isinstance(sums, list | tuple) else [sums]
    for i, array in enumerate(arrays):
        name = f"sums[{i}]" if isinstance(sums, list | tuple) else "sums"
        if not isinstance(array, np.ndarray):
            found = type(array).__name__
        elif _masked(array):  # the sums of a part of the gradient are not those of all
            found = "masked array"
        else:
            found = "" if array.dtype.type is np.float64 else f"{array.dtype} array"
        if found:
            raise TypeError(f"{name} must be a float64 array as leaf_sums makes it, found {found}")
        if array.ndim != 1:
            raise ValueError(
                f"{name} has shape {array.shape}, wanted one axis: the sums of all leaves in order"
            )
    flat = b"".join(np.asarray(array, np.dtype("=f8")).tobytes() for array in arrays)
    return _native.norm_of_leaf_sums(flat)


def clip_by_global_norm(arrays: Any, max_norm: float) -> float:
    r"""Scale all arrays in place by one factor, so that their joint norm is at most `max_norm`.

    .. math:: a \leftarrow a \cdot \text{factor}, \qquad
              \text{factor} = \frac{\text{max\_norm}}{\text{norm} + 10^{-6}}
              \quad \text{where that is below } 1

    Otherwise the norm is small enough, and nothing is written. An infinite norm gives the factor 0,
    which leaves zeros, and NaN where an element was infinite; a NaN norm gives NaN, everywhere, as
    in torch and optax: a run that has gone wrong shows it. With an infinite `max_norm` nothing is
    written, whatever the norm.

    Parameters
    ----------
    arrays : array, list or tuple of arrays, or dict of arrays
        As for `global_norm`, but writable NumPy arrays that share no memory. Each product is made
        in float64 for float64 arrays, else in float32, with the factor rounded once to that type,
        and is rounded once where it is stored in a narrower one.
    max_norm : float
        At least 0; ``inf`` only measures.

    Returns
    -------
    float
        The norm before clipping.

    Raises
    ------
    ValueError
        If `max_norm` is out of range or no number, an array is read-only, overlaps itself, or
        overlaps another. Nothing has been written.
    TypeError
        If the dtype of an array is not floating, or something is not a NumPy array.

    References
    ----------
    Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks",
    arXiv:1211.5063, algorithm 1. The 1e-6 is torch's (``clip_grad_norm_``).

    Examples
    --------
    >>> import numpy as np
    >>> from ferrostep.clip import clip_by_global_norm
    >>> grads = [np.array([3.0]), np.array([4.0])]
    >>> clip_by_global_norm(grads, max_norm=1.0)
    5.0
    >>> grads
    [array([0.59999988]), array([0.79999984])]
    """
    bound = upper_bound("max_norm", max_norm)
    values, names = _read(arrays)
    written = map(np.asarray, _native.writable(values, names))
    norm = _native.global_norm(values, names)
    factor = _native.clip_factor(norm, bound)
    if factor != 1.0:
        with np.errstate(all="ignore"):  # an underflow or NaN is a result here
            for array in written:
                compute = _compute_type(array)
                # casting: back into a narrower storage type, each product rounded once.
                np.multiply(array, compute.type(factor), out=array, dtype=compute, casting="unsafe")
    return norm


def clip_by_value(arrays: Any, limit: float) -> None:
    r"""Clamp every element in place to the range from ``-limit`` to `limit`; NaN passes.

    .. math:: a_i \leftarrow \begin{cases}
              -\text{limit} & a_i < -\text{limit} \\
              \text{limit} & a_i > \text{limit} \\
              a_i & \text{otherwise} \end{cases}

    Unlike `clip_by_global_norm` this changes the direction of the gradient.

    Parameters
    ----------
    arrays : array, list or tuple of arrays, or dict of arrays
        As for `clip_by_global_norm`. The limit is rounded once to the type compared in (float64
        for float64 arrays, else float32), and once more where it is stored in a narrower one.
    limit : float
        At least 0; ``inf`` changes nothing.

    Raises
    ------
    ValueError, TypeError
        As for `clip_by_global_norm`, before anything is written.

    References
    ----------
    Mikolov 2012, "Statistical language models based on neural networks" (thesis), as Pascanu,
    Mikolov & Bengio 2013, arXiv:1211.5063, section 3.2, report it.

    Examples
    --------
    >>> import numpy as np
    >>> from ferrostep.clip import clip_by_value
    >>> grads = np.array([-3.0, 0.5, np.nan, np.inf])
    >>> clip_by_value(grads, 1.0)
    >>> grads
    array([-1. ,  0.5,  nan,  1. ])
    """
    bound = upper_bound("limit", limit)
    with np.errstate(all="ignore"):  # the limit may be beyond the type's range: then infinite
        for array in map(np.asarray, _native.writable(*_read(arrays))):
            high = _compute_type(array).type(bound)
            # Comparison and choice rather than np.clip: NaN and the sign of zero stay as they are.
            np.copyto(array, high, casting="unsafe", where=array > high)
            np.copyto(array, -high, casting="unsafe", where=array < -high)


def _read(arrays: Any) -> tuple[list[Any], list[str]]:
    """Return the arrays in order, and what errors call them."""
    if isinstance(arrays, Mapping):
        return list(arrays.values()), labels([str(name) for name in arrays], 0, len(arrays))
    if not isinstance(arrays, np.ndarray | list | tuple):
        raise TypeError(
            f"gradients must be an array, a list or tuple of arrays, or a dict of names, "
            f"found {type(arrays).__name__}"
        )
    arrays = [arrays] if isinstance(arrays, np.ndarray) else list(arrays)
    return arrays, labels(None, 0, len(arrays))


def _masked(array: NDArray[Any]) -> bool:
    """Without importing numpy.ma: where nobody has, nothing is masked."""
    masked: Any = sys.modules.get("numpy.ma")
    return masked is not None and isinstance(array, masked.MaskedArray)


def _compute_type(array: NDArray[Any]) -> np.dtype[Any]:
    return np.dtype(np.float64 if array.dtype.type is np.float64 else np.float32)
