"""Lazy modules, and parameters without a shape."""

import copy

import pytest

import mlx
from mlx import nn

CASES = [
    (nn.LazyLinear(4), (2, 3), nn.Linear, (4, 3)),
    (nn.LazyConv1d(4, 3), (2, 5, 8), nn.Conv1d, (4, 5, 3)),
    (nn.LazyConv2d(4, 3, groups=2), (2, 6, 8, 8), nn.Conv2d, (4, 3, 3, 3)),
    (nn.LazyConvTranspose2d(4, 3), (2, 6, 8, 8), nn.ConvTranspose2d, (6, 4, 3, 3)),
    (nn.LazyBatchNorm1d(), (2, 6), nn.BatchNorm1d, (6,)),
    (nn.LazyInstanceNorm2d(), (2, 6, 4, 4), nn.InstanceNorm2d, (6,)),
]
each_case = pytest.mark.parametrize(("layer", "shape", "becomes", "weight"), CASES)


@each_case
def test_the_first_input_gives_the_shape_and_the_class(layer, shape, becomes, weight):
    layer = copy.deepcopy(layer)
    assert isinstance(layer.weight, nn.UninitializedParameter)
    before = layer.weight
    layer(mlx.rand(shape))
    assert type(layer) is becomes and layer.weight.shape == weight
    assert layer.weight is before and type(before) is nn.Parameter


@each_case
def test_loading_gives_the_shape(layer, shape, becomes, weight):
    trained, fresh = copy.deepcopy(layer), copy.deepcopy(layer)
    trained(mlx.rand(shape))
    fresh.load_state_dict(trained.state_dict())
    assert mlx.equal(fresh.weight, trained.weight)
    fresh(mlx.rand(shape))
    assert type(fresh) is becomes


def test_a_shape_that_is_not_known_is_an_error():
    with pytest.raises(RuntimeError, match="uninitialized"):
        _ = nn.LazyLinear(2).weight.shape


@pytest.mark.parametrize("layer", [nn.LazyLinear(2), nn.LazyBatchNorm1d()])
def test_the_dtype_may_be_chosen_before_the_shape(layer):
    assert layer.double().weight.dtype == mlx.float64
    layer(mlx.rand(3, 4, dtype=mlx.float64))
    assert type(layer.weight) is nn.Parameter and layer.weight.dtype == mlx.float64
