"""What comes as a parameter or a gradient: sparse, none, of other types and places."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from beside import NAMES, OURS, THEIRS, values


def close(found: Any, wanted: Any, **more: Any) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6, **more)


def embedded(cls: Any, sparse: bool, **options: Any) -> tuple[torch.Tensor, Any]:
    """Train an embedding on indices, some of them twice in a batch."""
    table = torch.nn.Embedding(20, 3, sparse=sparse)
    with torch.no_grad():
        table.weight.copy_(values(0, [(20, 3)])[0])
    opt = cls(table.parameters(), lr=0.1, **options)
    for t in range(6):
        indices = torch.tensor([[t, 5, t], [5, 5, 19 - t]])
        opt.zero_grad()
        (table(indices) ** 2).sum().backward()
        opt.step()
    return table.weight.detach(), opt.state.get(table.weight, {})


@pytest.mark.parametrize(
    ("name", "options"),
    [("SGD", {}), ("SGD", {"maximize": True}), ("Adagrad", {}), ("Adagrad", {"lr_decay": 0.1})],
)
def test_sparse_as_torch(name: str, options: dict[str, Any]) -> None:
    ours, theirs = (embedded(cls[name], True, **options) for cls in (OURS, THEIRS))
    close(ours[0], theirs[0])
    assert ours[1].keys() == theirs[1].keys()
    close([*ours[1].values()], [*theirs[1].values()])


@pytest.mark.parametrize("name", ["SGD", "Adagrad"])
def test_sparse_is_dense(name: str) -> None:
    close(embedded(OURS[name], True)[0], embedded(OURS[name], False)[0])


def test_sparse_where_torch_has_none() -> None:
    """Only the rows of the gradient are touched, as `SparseAdam` does; the formula is Adam's."""
    start = values(0, [(4, 3)])[0]
    p, q = (start.clone().requires_grad_() for _ in range(2))
    sparse, dense = OURS["Adam"]([p], lr=0.1), OURS["Adam"]([q], lr=0.1)
    for t in range(4):
        rows = values(t, [(2, 3)])[0]
        p.grad = torch.sparse_coo_tensor(torch.tensor([[0, 2]]), rows, (4, 3))
        q.grad = torch.zeros(4, 3)
        q.grad[[0, 2]] = rows
        sparse.step()
        dense.step()
    assert torch.equal(p[[0, 2]], q[[0, 2]])
    assert torch.equal(p[[1, 3]], start[[1, 3]])


def test_a_gradient_that_is_sparse_in_two_axes_is_refused() -> None:
    p = torch.ones(3, 2, requires_grad=True)
    p.grad = torch.ones(3, 2).to_sparse()
    with pytest.raises(
        TypeError, match=r"must be sparse in its first axis alone, found 2.*to_dense"
    ):
        OURS["SGD"]([p]).step()
    assert torch.equal(p.detach(), torch.ones(3, 2))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.complex64, torch.int64, torch.bool, torch.float8_e5m2])
def test_types_that_are_refused(name: str, dtype: torch.dtype) -> None:
    p = torch.zeros(3).to(dtype)
    remedy = r"torch.view_as_real\(p\)" if dtype.is_complex else r"p.float\(\)"
    wanted = f"parameter 0 must be float16, bfloat16, float32 or float64, found {dtype}.*{remedy}"
    with pytest.raises(TypeError, match=wanted):
        OURS[name]([p])


def test_places_that_are_refused() -> None:
    with pytest.raises(TypeError, match=r"dense tensor on the CPU or a CUDA device, found.*meta"):
        OURS["SGD"]([torch.zeros(3, device="meta")])
    with pytest.raises(TypeError, match=r"dense tensor on the CPU or a CUDA .* found.*sparse"):
        OURS["SGD"]([torch.eye(3).to_sparse()])


@pytest.mark.parametrize("bad", ["no tensors", "not a leaf", "a number", "two names"])
def test_parameters_are_refused_as_torch_refuses_them(bad: str) -> None:
    p = torch.ones(3, requires_grad=True)
    given: Any = {"no tensors": [], "not a leaf": [p * 2], "a number": [1.0]}.get(bad)
    if given is None:
        given = [("a", p), torch.ones(2)]
    told = []
    for cls in (THEIRS["Adam"], OURS["Adam"]):
        with pytest.raises((ValueError, TypeError)) as caught:
            cls(given)
        told.append((caught.type, str(caught.value)))
    assert told[0] == told[1]


@pytest.mark.parametrize("name", NAMES)
def test_no_gradients(name: str) -> None:
    """As in torch's: whose gradient is None is not touched, and not counted."""
    ends = []
    for cls in (THEIRS[name], OURS[name]):
        params = [x.requires_grad_() for x in values(0, [(3,), (2, 2)])]
        opt = cls(params, lr=0.1)
        opt.step()
        state = copy.deepcopy([dict(opt.state.get(p, {})) for p in params])
        for t in range(3):
            params[0].grad = values(t, [(3,)])[0] if t != 1 else None
            opt.step()
        ends.append((params, state, dict(opt.state.get(params[0], {}))))
    close(ends[1], ends[0], check_dtype=False)  # of numbers that are remembered


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_not_written_and_may_be_read_only_views(name: str) -> None:
    p = torch.ones(4, 3, requires_grad=True)
    opt = OURS[name]([p], lr=0.1)
    p.grad = torch.ones(3).expand(4, 3)
    opt.step()
    assert torch.equal(p.grad, torch.ones(4, 3))
    assert torch.equal(p[0], p[3])


@pytest.mark.parametrize("name", NAMES)
def test_autograd_notices_a_step(name: str) -> None:
    """A tensor that was saved for backward and stepped meanwhile is an error there."""
    p, q = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    opt = OURS[name]([p, q], lr=0.1)
    p.grad = torch.ones(3)
    loss, other = (p * p).sum(), (q * q).sum()
    versions = p._version, q._version
    opt.step()
    assert p._version > versions[0]
    assert q._version == versions[1]  # it has no gradient
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    other.backward()


def test_inference_tensors_are_stepped() -> None:
    with torch.inference_mode():
        p = torch.ones(3)
        p.grad = torch.ones(3)
        opt = OURS["SGD"]([p], lr=0.5)
        opt.step()
    assert torch.equal(p, torch.full((3,), 0.5))
