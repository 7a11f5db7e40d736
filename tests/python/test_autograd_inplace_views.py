"""In-place operations, on leaves, on views, and on what is saved for backward."""

import numpy as np
import pytest
from support import double

import mlx

gradcheck = mlx.autograd.gradcheck


def leaf(*values):
    return mlx.tensor(values, requires_grad=True)


def test_in_place_is_recorded():
    x = leaf(2.0, 3.0)
    y = x * 1
    y.mul_(5)
    y.sum().backward()
    assert x.grad.tolist() == [5, 5]


def test_in_place_by_a_recorded_tensor_makes_a_constant_require_grad():
    x, y = leaf(2.0), mlx.ones(1)
    y.mul_(x)
    y.backward()
    assert (y.requires_grad, x.grad.item()) == (True, 1)


def test_in_place_on_a_leaf_is_an_error():
    x = leaf(1.0)
    with pytest.raises(RuntimeError, match="leaf"):
        x.add_(1)
    assert x.item() == 1


def test_in_place_on_a_view_of_a_leaf_is_an_error():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="leaf"):
        x[0].add_(1)


def test_assignment_to_a_leaf_is_an_error():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="leaf"):
        x[0] = 5


def test_in_place_on_a_leaf_without_grad_mode():
    x = leaf(1.0)
    with mlx.no_grad():
        x.add_(1)
    assert (x.item(), x.is_leaf, x.requires_grad) == (2, True, True)


def test_in_place_on_the_data_of_a_leaf():
    x = leaf(1.0)
    x.data.add_(1)
    assert (x.item(), x.is_leaf) == (2, True)


def test_saved_input_changed_in_place_is_an_error():
    a = leaf(2.0) * 1
    y = a.square()
    a.add_(1)
    with pytest.raises(RuntimeError, match=r"(?i)in-?place.*version|version.*in-?place"):
        y.backward()


def test_saved_output_changed_in_place_is_an_error():
    y = leaf(2.0).exp()
    z = y * 1
    y.add_(1)
    with pytest.raises(RuntimeError, match="(?i)in-?place"):
        z.backward()


def test_saved_tensor_changed_through_a_view_is_an_error():
    a = leaf(2.0, 3.0) * 1
    y = a.square()
    a[0] = 7
    with pytest.raises(RuntimeError, match="(?i)in-?place"):
        y.sum().backward()


def test_saved_tensor_changed_through_its_detached_alias_is_an_error():
    a = leaf(2.0) * 1
    y = a.square()
    a.detach().zero_()
    with pytest.raises(RuntimeError, match="(?i)in-?place"):
        y.backward()


def test_what_is_not_saved_may_change():
    x = leaf(2.0)
    a = x * 1
    y = a + 1
    a.zero_()
    y.backward()
    assert x.grad.item() == 1


def test_other_factor_saves_only_what_it_needs():
    x, c = leaf(2.0), mlx.ones(1)
    a = x * 1
    y = a * c  # saves c; a is needed for the gradient of c alone
    a.zero_()
    y.backward()
    assert x.grad.item() == 1


def test_version_counts_changes():
    t = mlx.zeros(2)
    before = t._version
    t.add_(1)
    t[0] = 5
    assert t._version == before + 2


def test_views_share_the_version():
    t = mlx.zeros(2)
    t[0].fill_(1)
    assert t._version == t[1]._version == 1


def test_detached_alias_shares_the_version():
    t = mlx.zeros(2)
    t.detach().add_(1)
    assert t._version == 1


def test_in_place_on_a_view_reaches_the_base():
    x = leaf(1.0, 2.0, 3.0)
    base = x * 1
    base[0].mul_(10)
    base.sum().backward()
    assert x.grad.tolist() == [10, 1, 1]


def test_in_place_on_the_base_reaches_the_view():
    x = leaf(1.0, 2.0)
    base = x * 1
    view = base[0]
    base.mul_(10)
    view.backward()
    assert x.grad.tolist() == [10, 0]


def test_in_place_on_one_view_reaches_another():
    x = leaf(1.0, 2.0)
    base = x * 1
    first, whole = base[:1], base.view(2)
    first.mul_(10)
    whole.sum().backward()
    assert x.grad.tolist() == [10, 1]


def test_in_place_on_a_view_of_a_view():
    x = mlx.ones(3, 4, requires_grad=True)
    base = x * 1
    base.t()[1][::2].mul_(5)
    base.sum().backward()
    expected = np.ones((3, 4))
    expected[::2, 1] = 5
    assert x.grad.tolist() == expected.tolist()


def test_assignment_moves_the_gradient():
    x, y = leaf(1.0, 2.0), leaf(5.0)
    base = x * 1
    base[1:] = y
    (base * mlx.tensor([3.0, 7.0])).sum().backward()
    assert (x.grad.tolist(), y.grad.tolist()) == ([3, 0], [7])


def test_assignment_into_a_constant():
    x = leaf(5.0)
    t = mlx.zeros(3)
    t[1:2] = x
    (t * mlx.tensor([2.0, 3.0, 4.0])).sum().backward()
    assert x.grad.tolist() == [3]


def test_assignment_of_a_number_cuts_the_gradient():
    x = leaf(1.0, 2.0)
    base = x * 1
    base[0] = 9
    base.sum().backward()
    assert x.grad.tolist() == [0, 1]


def test_fill_cuts_the_gradient():
    x = leaf(1.0, 2.0)
    (x * 1).fill_(3).sum().backward()
    assert x.grad.tolist() == [0, 0]


def test_copy_moves_the_gradient():
    x = leaf(1.0, 2.0)
    t = mlx.zeros(2)
    t.copy_(x)
    (t * 3).sum().backward()
    assert x.grad.tolist() == [3, 3]


VIEWS = {
    "slice": lambda t: t[1:, ::2],
    "select": lambda t: t[1],
    "transpose": lambda t: t.t(),
    "diagonal": lambda t: t.diagonal(),
    "view": lambda t: t.view(12),
    "narrow": lambda t: t.narrow(1, 1, 2),
    "unsqueeze": lambda t: t.unsqueeze(0),
    "squeeze": lambda t: t.squeeze(),
    "as_strided": lambda t: t.as_strided((2, 2), (1, 4), 3),
    "unflatten": lambda t: t.unflatten(1, (2, 2)),
    "chain": lambda t: t.t()[1:].view(3, 1, 3)[..., 0],
}


@pytest.mark.parametrize("case", VIEWS)
def test_gradient_through_an_in_place_change_of_a_view(case):
    def function(x):
        base = x.sin()
        VIEWS[case](base).mul_(3)
        return base * base

    assert gradcheck(function, double(3, 4))


@pytest.mark.parametrize("case", VIEWS)
def test_gradient_of_a_view_taken_before_the_base_changed(case):
    def function(x):
        base = x.sin()
        view = VIEWS[case](base)
        base.mul_(3)
        return view * view

    assert gradcheck(function, double(3, 4))


@pytest.mark.parametrize("case", VIEWS)
def test_gradient_of_what_is_written_into_a_view(case):
    def function(x, y):
        base = x.sin()
        view = VIEWS[case](base)
        view.copy_(y.exp().expand_as(view))
        return base.cos()

    assert gradcheck(function, (double(3, 4), double(1, seed=1)))


def test_in_place_on_one_of_several_views_of_one_call_is_an_error():
    base = leaf(1.0, 2.0) * 1
    first, _ = base.unbind()
    with pytest.raises(RuntimeError, match="(?i)multiple|several|view"):
        first.mul_(2)


def test_in_place_on_a_view_made_without_grad_mode_is_an_error():
    base = leaf(1.0, 2.0) * 1
    with mlx.no_grad():
        view = base[0]
    with pytest.raises(RuntimeError, match="no_grad"):
        view.mul_(2)


def test_view_knows_its_base():
    base = mlx.zeros(2)
    view = base[0]
    assert (view._is_view(), view._base is base, base._is_view()) == (True, True, False)


def test_out_argument_that_requires_grad_is_an_error():
    with pytest.raises(RuntimeError, match="out"):
        mlx.exp(mlx.ones(1), out=leaf(1.0))


def test_out_argument_of_a_recorded_call_is_an_error():
    with pytest.raises(RuntimeError, match="out"):
        mlx.exp(leaf(1.0), out=mlx.ones(1))


def test_detach_in_place():
    y = leaf(1.0) * 2
    y.detach_()
    assert (y.requires_grad, y.is_leaf) == (False, True)


def test_in_place_relu_saves_its_result():
    x = leaf(-1.0, 2.0)
    (x * 1).relu_().sum().backward()
    assert x.grad.tolist() == [0, 1]


def test_overlapping_destination_is_an_error():
    with pytest.raises(RuntimeError, match="(?i)overlap|single memory location"):
        mlx.zeros(1).expand(3).add_(1)


def test_partly_overlapping_operands_are_read_before_they_are_written():
    t = mlx.arange(4)
    t[1:].add_(t[:-1])
    assert t.tolist() == [0, 1, 3, 5]


@pytest.mark.parametrize("write", [lambda x: x.add_(1), lambda x: x[0].mul_(2), lambda x: x.t().zero_()])
def test_a_view_that_was_made_a_leaf_is_not_written_to(write):
    x = mlx.arange(6.0).reshape(2, 3).requires_grad_()
    with pytest.raises(RuntimeError, match="leaf Variable"):
        write(x)
    with mlx.no_grad():
        write(x)
    assert x.is_leaf
