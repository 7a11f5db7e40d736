"""nn.utils: limits of gradients, vectors of parameters, fusion, parametrizations, functional calls."""

import copy

import numpy as np
import pytest
from support import sample, to_numpy

import mlx
from mlx import nn
from mlx.nn import utils
from mlx.nn.utils import parametrizations, parametrize, prune
from mlx.nn.utils.stateless import functional_call


def with_gradients(*gradients):
    params = []
    for g in gradients:
        p = mlx.zeros(len(g), requires_grad=True)
        p.grad = mlx.tensor(g)
        params.append(p)
    return params


@pytest.mark.parametrize(("p", "norm"), [(2.0, 13.0), (1.0, 19.0), (float("inf"), 12.0)])
def test_total_norm(p, norm):
    tensors = [mlx.tensor([3.0, -4.0]), mlx.tensor([12.0])]
    assert utils.get_total_norm(tensors, p).item() == pytest.approx(norm)


def test_clip_grad_norm_scales_all_alike_and_only_down():
    params = with_gradients([3.0, 4.0], [12.0])
    assert utils.clip_grad_norm_(params, 1.3).item() == 13.0
    np.testing.assert_allclose(params[0].grad.tolist(), [0.3, 0.4], rtol=1e-6)
    before = params[1].grad.tolist()
    utils.clip_grad_norm_(params, 100.0)
    assert params[1].grad.tolist() == before


def test_a_norm_that_is_not_finite_is_an_error_on_request():
    params = with_gradients([float("nan")])
    with pytest.raises(RuntimeError, match="non-finite"):
        utils.clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    assert utils.clip_grad_norm_([mlx.zeros(1)], 1.0).item() == 0


def test_clip_grad_value_():
    params = with_gradients([3.0, -4.0, 0.5])
    utils.clip_grad_value_(params, 1.0)
    assert params[0].grad.tolist() == [1.0, -1.0, 0.5]


def test_parameters_to_a_vector_and_back():
    a, b = nn.Linear(3, 2), nn.Linear(3, 2)
    utils.vector_to_parameters(utils.parameters_to_vector(a.parameters()), b.parameters())
    assert mlx.equal(a.weight, b.weight) and mlx.equal(a.bias, b.bias)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", ["conv", "transposed", "linear"])
def test_fused_layers_compute_the_same(kind, bias):
    layer = {
        "conv": lambda: nn.Conv1d(3, 4, 2, bias=bias),
        "transposed": lambda: nn.ConvTranspose1d(3, 4, 2, bias=bias),
        "linear": lambda: nn.Linear(3, 4, bias=bias),
    }[kind]().double()
    bn = nn.BatchNorm1d(4).double()
    bn(mlx.tensor(sample(10, 4)))
    layer.eval(), bn.eval()
    x = mlx.tensor(sample(*((2, 3) if kind == "linear" else (2, 3, 5))))
    if kind == "linear":
        fused = utils.fuse_linear_bn_eval(layer, bn)
    else:
        fused = utils.fuse_conv_bn_eval(layer, bn, transpose=kind == "transposed")
    np.testing.assert_allclose(fused(x).tolist(), bn(layer(x)).tolist(), rtol=1e-12)


class Doubled(nn.Module):
    def forward(self, x):
        return 2 * x

    def right_inverse(self, y):
        return y / 2


def test_a_parametrization_keeps_the_value_and_trains_the_original():
    layer = nn.Linear(2, 2)
    before, weight = layer.weight.detach().clone(), layer.weight
    parametrize.register_parametrization(layer, "weight", Doubled())
    assert parametrize.is_parametrized(layer, "weight") and type(layer).__name__ == "ParametrizedLinear"
    assert mlx.equal(layer.weight, before)
    assert layer.parametrizations.weight.original is weight
    layer(mlx.ones(1, 2)).sum().backward()
    assert weight.grad.tolist() == [[2.0, 2.0], [2.0, 2.0]]
    assert list(layer.state_dict()) == ["bias", "parametrizations.weight.original"]


def test_assignment_goes_through_the_inverse():
    layer = parametrize.register_parametrization(nn.Linear(1, 1), "weight", Doubled())
    parametrize.register_parametrization(layer, "weight", Doubled())
    layer.weight = mlx.full((1, 1), 8.0)
    assert layer.weight.item() == 8.0 and layer.parametrizations.weight.original.item() == 2.0


@pytest.mark.parametrize(("leave", "want"), [(True, 6.0), (False, 3.0)])
def test_removing_a_parametrization(leave, want):
    layer = parametrize.register_parametrization(nn.Linear(1, 1), "weight", Doubled())
    layer.weight = mlx.full((1, 1), 6.0)
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=leave)
    assert type(layer) is nn.Linear and layer.weight.item() == want
    assert isinstance(layer.weight, nn.Parameter) and not parametrize.is_parametrized(layer)


def test_cached_parametrizations_are_computed_once():
    calls = []

    class Counted(nn.Module):
        def forward(self, x):
            calls.append(1)
            return x.clone()

    layer = parametrize.register_parametrization(nn.Linear(1, 1), "weight", Counted(), unsafe=True)
    calls.clear()
    with parametrize.cached():
        assert layer.weight is layer.weight
    assert len(calls) == 1
    _ = layer.weight, layer.weight
    assert len(calls) == 3


def test_a_copy_of_a_parametrized_module_is_its_own():
    layer = parametrize.register_parametrization(nn.Linear(1, 1), "weight", Doubled())
    twin = copy.deepcopy(layer)
    twin.weight = mlx.full((1, 1), 8.0)
    assert layer.weight.item() != 8.0


def test_a_parametrization_that_changes_the_shape_is_refused():
    class Cut(nn.Module):
        def forward(self, x):
            return x[:1]

    with pytest.raises(ValueError, match="shape"):
        parametrize.register_parametrization(nn.Linear(2, 2), "weight", Cut())
    with pytest.raises(ValueError, match="does not have"):
        parametrize.register_parametrization(nn.Linear(2, 2), "nothing", Doubled())


@pytest.mark.parametrize("make", [parametrizations.weight_norm, utils.weight_norm])
@pytest.mark.parametrize("dim", [0, 1, None])
def test_weight_norm_keeps_the_weight_and_scales_it_by_its_length(make, dim):
    layer = nn.Linear(3, 4).double()
    before = layer.weight.detach().clone()
    make(layer, dim=dim)
    layer(mlx.zeros(1, 3, dtype=mlx.float64))
    np.testing.assert_allclose(layer.weight.tolist(), before.tolist(), rtol=1e-12)
    lengths = layer.weight_g if hasattr(layer, "weight_g") else layer.parametrizations.weight.original0
    with mlx.no_grad():
        lengths.mul_(3)
    layer(mlx.zeros(1, 3, dtype=mlx.float64))
    np.testing.assert_allclose(layer.weight.tolist(), (3 * before).tolist(), rtol=1e-12)


@pytest.mark.parametrize("make", [parametrizations.spectral_norm, utils.spectral_norm])
def test_spectral_norm_makes_the_largest_singular_value_one(make):
    mlx.manual_seed(0)
    layer = make(nn.Conv1d(3, 5, 2).double(), n_power_iterations=100)
    layer(mlx.zeros(1, 3, 4, dtype=mlx.float64))
    values = np.linalg.svd(layer.weight.detach().numpy().reshape(5, 6), compute_uv=False)
    assert values[0] == pytest.approx(1, rel=1e-6)
    layer(mlx.ones(1, 3, 4, dtype=mlx.float64)).sum().backward()


@pytest.mark.parametrize("make", [parametrizations.spectral_norm, utils.spectral_norm])
def test_which_vector_of_the_power_method_is_improved_first(make):
    weight = np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 3.0]])
    u, v = np.array([1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    layer = make(nn.Linear(3, 2).double())
    hooked = make is utils.spectral_norm
    if hooked:
        places = (layer.weight_orig, layer.weight_u, layer.weight_v)
    else:
        method = layer.parametrizations.weight[0]
        places = (layer.parametrizations.weight.original, method._u, method._v)
    with mlx.no_grad():
        for place, value in zip(places, (weight, u, v), strict=True):
            place.copy_(mlx.from_numpy(value))
    layer(mlx.zeros(3, dtype=mlx.float64))
    unit = lambda x: x / np.linalg.norm(x)
    if hooked:
        v = unit(weight.T @ u)
    u = unit(weight @ v)
    v = unit(weight.T @ u) if not hooked else v
    np.testing.assert_allclose(places[1].numpy(), u)
    np.testing.assert_allclose(places[2].numpy(), v)
    np.testing.assert_allclose(layer.eval().weight.detach().numpy(), weight / (u @ weight @ v))


def test_removing_hooked_norms():
    layer = utils.weight_norm(nn.Linear(2, 2))
    want = layer.weight.detach().clone()
    utils.remove_weight_norm(layer)
    assert isinstance(layer.weight, nn.Parameter) and mlx.equal(layer.weight, want)
    layer = utils.remove_spectral_norm(utils.spectral_norm(nn.Linear(2, 2)))
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    with pytest.raises(ValueError, match="not found"):
        utils.remove_weight_norm(layer)


def test_functional_call_replaces_for_one_call():
    layer = nn.Sequential(nn.Linear(1, 1, bias=False))
    w = mlx.full((1, 1), 3.0, requires_grad=True)
    before = layer[0].weight
    functional_call(layer, {"0.weight": w}, mlx.tensor([2.0])).backward()
    assert w.grad.item() == 2.0 and layer[0].weight is before and before.grad is None
    with pytest.raises(RuntimeError, match="Missing"):
        functional_call(layer, {}, mlx.ones(1), strict=True)


def test_first_values():
    mlx.manual_seed(0)
    q = nn.init.orthogonal_(mlx.empty(3, 5, dtype=mlx.float64))
    np.testing.assert_allclose((q @ q.t()).tolist(), np.eye(3), atol=1e-12)
    tall = nn.init.orthogonal_(mlx.empty(6, 2, dtype=mlx.float64), gain=2)
    np.testing.assert_allclose((tall.t() @ tall).tolist(), 4 * np.eye(2), atol=1e-12)
    sparse = nn.init.sparse_(mlx.empty(10, 4), 0.25)
    assert ((sparse == 0).sum(0) == 3).all().item()
    x = mlx.rand(2, 4, 7)
    conv = nn.Conv1d(4, 4, 3, padding=1, groups=2, bias=False)
    nn.init.dirac_(conv.weight, groups=2)
    assert mlx.equal(conv(x), x)


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5)])
@pytest.mark.parametrize("orthogonal_map", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("use_trivialization", [True, False])
def test_an_orthogonal_weight_stays_orthogonal(shape, orthogonal_map, use_trivialization):
    mlx.manual_seed(0)
    layer = nn.Linear(shape[1], shape[0])
    start = to_numpy(layer.weight)
    utils.parametrizations.orthogonal(
        layer, orthogonal_map=orthogonal_map, use_trivialization=use_trivialization
    )
    optimizer = mlx.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(3):
        weight = to_numpy(layer.weight)
        product = weight.T @ weight if shape[0] >= shape[1] else weight @ weight.T
        np.testing.assert_allclose(product, np.eye(min(shape)), atol=2e-6)
        optimizer.zero_grad()
        (layer.weight * mlx.tensor(start)).sum().backward()
        optimizer.step()
    assert np.abs(weight - to_numpy(layer.weight)).max() > 1e-3


def test_an_orthogonal_weight_starts_as_the_factor_of_qr():
    layer = nn.Linear(4, 4)
    q, r = np.linalg.qr(to_numpy(layer.weight))
    utils.parametrizations.orthogonal(layer)
    np.testing.assert_allclose(to_numpy(layer.weight), q * np.sign(np.diag(r)), atol=1e-5)


def test_a_parametrization_that_has_no_inverse_starts_from_the_value():
    class Doubled(nn.Module):
        def forward(self, x):
            return 2 * x

        def right_inverse(self, x):
            raise NotImplementedError

    layer = nn.Linear(2, 2)
    before = to_numpy(layer.weight)
    utils.parametrize.register_parametrization(layer, "weight", Doubled())
    np.testing.assert_array_equal(to_numpy(layer.weight), 2 * before)


def pruned_layer():
    layer = nn.Linear(3, 2)
    with mlx.no_grad():
        layer.weight.copy_(mlx.tensor([[1.0, -6.0, 3.0], [-2.0, 5.0, 4.0]]))
    return layer


def kept(layer, name="weight"):
    return (getattr(layer, name) != 0).int().tolist()


def test_l1_pruning_takes_the_smallest_and_goes_on_where_it_was():
    layer = prune.l1_unstructured(pruned_layer(), "weight", 2)
    assert kept(layer) == [[0, 1, 1], [0, 1, 1]]
    prune.l1_unstructured(layer, "weight", 0.25)
    assert kept(layer) == [[0, 1, 0], [0, 1, 1]]
    assert set(layer.state_dict()) == {"bias", "weight_orig", "weight_mask"}
    (container,) = layer._forward_pre_hooks.values()
    assert isinstance(container, prune.PruningContainer) and len(container) == 2


def test_structured_pruning_takes_slices():
    layer = prune.ln_structured(pruned_layer(), "weight", amount=1, n=1, dim=1)
    assert kept(layer) == [[0, 1, 1], [0, 1, 1]]
    # Sums of absolute values of what is left: 9 and 9 by rows; 11 and 7 by columns.
    prune.ln_structured(layer, "weight", amount=1, n=1, dim=1)
    assert kept(layer) == [[0, 1, 0], [0, 1, 0]]
    assert kept(prune.random_structured(pruned_layer(), "weight", 1, dim=0)) in (
        [[0, 0, 0], [1, 1, 1]],
        [[1, 1, 1], [0, 0, 0]],
    )


def test_random_pruning_takes_as_many_as_asked():
    layer = prune.random_unstructured(pruned_layer(), "weight", 0.5)
    assert np.sum(kept(layer)) == 3


def test_global_pruning_compares_across_parameters():
    layer, other = pruned_layer(), nn.Linear(1, 1)
    with mlx.no_grad():
        other.weight.fill_(2.5)
    prune.global_unstructured([(layer, "weight"), (other, "weight")], prune.L1Unstructured, amount=3)
    assert kept(layer) == [[0, 1, 1], [0, 1, 1]] and kept(other) == [[0]]


def test_pruned_elements_stay_zero_in_training():
    layer = prune.custom_from_mask(pruned_layer(), "weight", mlx.tensor([[1, 0, 1], [1, 1, 0]]))
    optimizer = mlx.optim.SGD(layer.parameters(), lr=0.5)
    layer(mlx.ones(1, 3)).sum().backward()
    assert layer.weight_orig.grad.tolist() == [[1, 0, 1], [1, 1, 0]]
    optimizer.step()
    layer(mlx.ones(1, 3))
    assert layer.weight.tolist() == [[0.5, 0.0, 2.5], [-2.5, 4.5, 0.0]]


def test_pruning_is_made_permanent():
    layer = prune.l1_unstructured(pruned_layer(), "weight", 2)
    assert prune.is_pruned(nn.Sequential(layer))
    original = layer.weight_orig
    prune.remove(layer, "weight")
    assert layer.weight is original and not prune.is_pruned(layer)
    assert set(layer.state_dict()) == {"weight", "bias"} and kept(layer) == [[0, 1, 1], [0, 1, 1]]
    with pytest.raises(ValueError, match="has to be pruned"):
        prune.remove(layer, "weight")


def test_a_pruning_method_of_ones_own():
    class EveryOther(prune.BasePruningMethod):
        def compute_mask(self, t, default_mask):
            mask = default_mask.clone()
            mask.view(-1)[::2] = 0
            return mask

    layer = pruned_layer()
    EveryOther.apply(layer, "weight")
    assert kept(layer) == [[0, 1, 0], [1, 0, 1]]
    assert prune.L1Unstructured(amount=1).prune(mlx.tensor([3.0, -1.0])).tolist() == [3.0, 0.0]


@pytest.mark.parametrize(
    ("amount", "error"), [(1.5, ValueError), (-1, ValueError), (7, ValueError), ("a", TypeError)]
)
def test_amounts_that_cannot_be_pruned(amount, error):
    with pytest.raises(error, match="amount"):
        prune.l1_unstructured(pruned_layer(), "weight", amount)
