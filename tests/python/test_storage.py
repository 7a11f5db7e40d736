"""What lies under tensors: their storage, their shape in place, and methods that fill or replace elements."""

import numpy as np
import pytest
from support import to_numpy

import mlx


def test_views_share_a_storage():
    x = mlx.arange(6.0).view(2, 3)
    assert x[1].untyped_storage() == x.t().untyped_storage() != mlx.ones(2).untyped_storage()
    assert x[1].storage().data_ptr() == x.data_ptr()
    assert x[1].untyped_storage().nbytes() >= 24


@pytest.mark.cpu
def test_a_storage_is_a_row_of_elements():
    x = mlx.tensor([[1, 2], [3, 4]])
    storage = x.t().storage()
    assert storage.tolist()[:4] == [1, 2, 3, 4] and storage[2] == 3 and storage.dtype is mlx.int64
    storage[0] = 9
    assert x[0, 0].item() == 9


def test_resize_keeps_the_elements_there_are():
    x = mlx.arange(6.0).view(2, 3)
    assert x.resize_(2, 2) is x
    assert x.tolist() == [[0, 1], [2, 3]]
    x.resize_((4, 1000))
    assert x.shape == (4, 1000) and x[0, :4].tolist() == [0, 1, 2, 3]
    assert x.resize_as_(mlx.ones(3)).tolist() == [0, 1, 2]


def test_a_smaller_shape_shares_the_memory():
    x = mlx.arange(4.0)
    y = x.view(4)
    x.resize_(2)
    x[0] = 7
    assert y[0].item() == 7


def test_what_requires_grad_cannot_be_resized():
    with pytest.raises(RuntimeError, match="cannot resize variables that require grad"):
        mlx.ones(2, requires_grad=True).resize_(3)


def test_set_makes_a_view():
    x, source = mlx.empty(0), mlx.arange(4.0)
    x.set_(source[1:3])
    source[1] = 9
    assert x.tolist() == [9, 2]


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (7, 3), (8, 3)])
def test_fill_diagonal(shape, wrap):
    expected = np.zeros(shape)
    np.fill_diagonal(expected, 5, wrap=wrap)
    np.testing.assert_array_equal(to_numpy(mlx.zeros(shape).fill_diagonal_(5, wrap=wrap)), expected)


def test_fill_diagonal_of_a_cube():
    expected = np.zeros((3, 3, 3))
    np.fill_diagonal(expected, 2)
    np.testing.assert_array_equal(to_numpy(mlx.zeros(3, 3, 3).fill_diagonal_(2)), expected)
    with pytest.raises(RuntimeError, match="equal length"):
        mlx.zeros(2, 3, 3).fill_diagonal_(1)


@pytest.mark.cpu
def test_functions_of_python_on_elements():
    x = mlx.tensor([[1.0, 4.0], [9.0, 16.0]])
    assert x.t().apply_(lambda v: v**0.5).tolist() == [[1, 3], [2, 4]]
    assert x.map_(mlx.tensor([10.0, 20.0]), lambda a, b: a + b).tolist() == [[11, 22], [13, 24]]


def test_new_tensors_of_the_same_kind():
    x = mlx.ones(2, dtype=mlx.int32)
    assert x.new([1, 2]).dtype is mlx.int32 and x.new([1, 2]).tolist() == [1, 2]
    assert x.new(2, 3).shape == (2, 3) and x.new().shape == (0,)


def test_what_tensors_say_of_themselves():
    x = mlx.ones(2, 2)
    assert x.is_same_size(mlx.zeros(2, 2)) and x.is_signed() and not x.byte().is_signed()
    assert not x.is_conj() and not x.is_neg() and not x.is_pinned() and x.pin_memory() is x
    assert mlx.is_nonzero(mlx.tensor([2])) and not mlx.is_nonzero(mlx.tensor(0.0))
    with pytest.raises(RuntimeError, match="ambiguous"):
        mlx.is_nonzero(x)
    assert x.get_device() == (-1 if x.device.type == "cpu" else 0)
    assert mlx.equal(mlx.tensor([[1 + 2j, 3j]]).adjoint(), mlx.tensor([[1 - 2j], [-3j]]))


@pytest.mark.cpu
def test_storages_list_their_elements():
    t = mlx.tensor([1.0, 2.0, 3.0])[1:]
    assert repr(t.storage()) == (
        " 1.0\n 2.0\n 3.0\n[mlx.storage.TypedStorage(dtype=mlx.float32, device=cpu) of size 3]"
    )
    small = mlx.tensor([1, 258], dtype=mlx.int16).untyped_storage()
    assert repr(small) == " 1\n 0\n 2\n 1\n[mlx.storage.UntypedStorage(device=cpu) of size 4]"
    assert repr(mlx.zeros(2000).storage()).splitlines()[2:5] == [" 0.0", " ...", " 0.0"]
