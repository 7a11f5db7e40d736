"""Hooks on tensors and on nodes."""

import pytest

import mlx


def leaf(*values):
    return mlx.tensor(values, requires_grad=True)


def test_hook_sees_the_gradient():
    x, seen = leaf(2.0), []
    y = x * 3
    y.register_hook(lambda g: seen.append(g.item()))
    (y * 5).backward()
    assert seen == [5]


def test_hook_replaces_the_gradient():
    x = leaf(2.0)
    y = x * 3
    y.register_hook(lambda g: g * 10)
    y.backward()
    assert x.grad.item() == 30


def test_hook_that_returns_none_changes_nothing():
    x = leaf(2.0)
    x.register_hook(lambda g: None)
    (x * 3).backward()
    assert x.grad.item() == 3


def test_hook_on_a_leaf():
    x = leaf(2.0)
    x.register_hook(lambda g: g + 1)
    (x * 3).backward()
    assert x.grad.item() == 4


def test_hook_sees_the_sum_of_all_uses():
    x, seen = leaf(2.0), []
    y = x * 1
    y.register_hook(lambda g: seen.append(g.item()))
    (y * 2 + y * 3).backward()
    assert seen == [5]


def test_hooks_run_in_order():
    x = leaf(1.0)
    x.register_hook(lambda g: g + 1)
    x.register_hook(lambda g: g * 10)
    x.backward()
    assert x.grad.item() == 20


def test_hook_is_removed():
    x = leaf(1.0)
    handle = x.register_hook(lambda g: g * 10)
    handle.remove()
    x.backward()
    assert x.grad.item() == 1


def test_handle_removes_at_the_end_of_a_with_block():
    x = leaf(1.0)
    with x.register_hook(lambda g: g * 10):
        pass
    x.backward()
    assert x.grad.item() == 1


def test_hook_on_a_tensor_without_grad_is_an_error():
    with pytest.raises(RuntimeError, match="require"):
        mlx.ones(1).register_hook(lambda g: g)


def test_hook_of_another_shape_is_an_error():
    x = leaf(1.0)
    x.register_hook(lambda g: mlx.ones(5))
    with pytest.raises(RuntimeError, match="5|size|shape"):
        x.backward()


def test_error_in_a_hook_reaches_the_caller():
    x = leaf(1.0)
    x.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        x.backward()


def test_hook_runs_before_retain_grad_stores():
    y = leaf(1.0) * 2
    y.register_hook(lambda g: g * 10)
    y.retain_grad()
    y.backward()
    assert y.grad.item() == 10


def test_post_accumulate_hook_sees_the_leaf():
    x, seen = leaf(1.0), []
    x.register_post_accumulate_grad_hook(lambda t: seen.append((t is x, t.grad.item())))
    (x * 3).backward()
    (x * 3).backward()
    assert seen == [(True, 3), (True, 6)]


def test_post_accumulate_hook_may_step_and_clear():
    x = leaf(1.0)

    def step(t):
        with mlx.no_grad():
            t -= 0.5 * t.grad
        t.grad = None

    x.register_post_accumulate_grad_hook(step)
    (x * 3).backward()
    assert (x.item(), x.grad) == (-0.5, None)


def test_post_accumulate_hook_needs_a_leaf():
    with pytest.raises(RuntimeError, match="leaf"):
        (leaf(1.0) * 2).register_post_accumulate_grad_hook(lambda t: None)


def test_node_hook_sees_inputs_and_outputs():
    x, seen = leaf(2.0), []
    y = x.square()
    y.grad_fn.register_hook(lambda gi, go: seen.append((gi[0].item(), go[0].item())))
    y.backward()
    assert seen == [(4, 1)]


def test_node_prehook_replaces_the_gradient():
    x = leaf(2.0)
    y = x.square()
    y.grad_fn.register_prehook(lambda go: (go[0] * 10,))
    y.backward()
    assert x.grad.item() == 40


def test_hook_follows_an_in_place_operation():
    x, seen = leaf(1.0), []
    y = x * 2
    y.register_hook(lambda g: seen.append(g.item()))
    y.mul_(5)
    y.backward()
    assert seen == [5]


def test_hook_runs_for_autograd_grad():
    x = leaf(1.0)
    x.register_hook(lambda g: g * 10)
    assert mlx.autograd.grad(x * 2, x)[0].item() == 20
