"""Typed tensors, `Tensor.type`, and functions of the top level that have another home."""

import numpy as np
import pytest
from support import to_numpy

import mlx

pytestmark = pytest.mark.cpu  # typed tensors are those of the CPU


def test_typed_tensors_are_made_from_data_or_sizes():
    assert mlx.LongTensor([1, 2]).dtype is mlx.int64
    assert mlx.FloatTensor([[1, 2]]).tolist() == [[1.0, 2.0]]
    assert mlx.FloatTensor(2, 3).shape == (2, 3) and mlx.ByteTensor().shape == (0,)
    assert mlx.DoubleTensor(np.ones(2)).dtype is mlx.float64


def test_typed_tensors_tell_dtypes_apart():
    x = mlx.ones(2)
    assert isinstance(x, mlx.FloatTensor) and not isinstance(x, mlx.LongTensor)
    assert isinstance(x.bool(), mlx.BoolTensor) and not isinstance(1.0, mlx.FloatTensor)


def test_type_names_and_converts():
    x = mlx.tensor([1.5])
    assert x.type() == "torch.FloatTensor" and x.bfloat16().type() == "torch.BFloat16Tensor"
    for wanted in ("torch.LongTensor", "mlx.LongTensor", mlx.LongTensor, mlx.int64):
        assert x.type(wanted).tolist() == [1] and x.type(wanted).dtype is mlx.int64
    with pytest.raises(ValueError, match="invalid type"):
        x.type("torch.StringTensor")


def test_a_default_type_for_new_tensors():
    mlx.set_default_tensor_type("torch.DoubleTensor")
    try:
        assert mlx.ones(1).dtype is mlx.float64
    finally:
        mlx.set_default_tensor_type(mlx.FloatTensor)
    assert mlx.ones(1).dtype is mlx.float32


@pytest.mark.parametrize("name", ["relu_", "exp_", "sigmoid_", "clamp_", "zero_"])
def test_functions_in_place(name):
    x = mlx.tensor([-1.0, 2.0])
    arguments = (0.0, 1.0) if name == "clamp_" else ()
    expected = getattr(mlx.tensor([-1.0, 2.0]), name)(*arguments)
    assert getattr(mlx, name)(x, *arguments) is x
    assert mlx.equal(x, expected)


def test_functions_of_layers():
    a, b = mlx.tensor([[1.0, 2.0]]), mlx.tensor([[2.0, 1.0]])
    assert mlx.cosine_similarity(a, b).item() == pytest.approx(0.8)
    assert mlx.pairwise_distance(a, b).item() == pytest.approx(2**0.5, rel=1e-5)
    assert mlx.dropout(a, 0.5, False).tolist() == a.tolist()
    assert mlx.embedding(a, mlx.tensor([0, 0])).tolist() == [[1, 2], [1, 2]]
    assert mlx.max_pool1d(a, 2).tolist() == [[2]]
    assert mlx.fill(a, 3).tolist() == [[3, 3]] and a.tolist() == [[1, 2]]


def test_range_goes_to_its_end():
    np.testing.assert_array_equal(to_numpy(mlx.range(0, 1, 0.25)), [0, 0.25, 0.5, 0.75, 1])
    with pytest.raises(RuntimeError, match="no step"):
        mlx.range(0, 1, -1)
