"""Sharing and exchanging data: NumPy, DLPack, the buffer protocol, pickle, copy."""

import copy
import io
import pickle

import numpy as np
import pytest
from support import ALL, NUMPY, assert_equal, name

import mlx

SHARED = list(NUMPY)


@pytest.mark.parametrize("dtype", SHARED, ids=name)
def test_numpy_shares_memory(dtype):
    t = mlx.zeros(3, dtype=dtype)
    array = t.numpy()
    array[1] = 1
    assert (t.tolist(), array.dtype) == ([0, 1, 0], NUMPY[dtype])


@pytest.mark.parametrize("dtype", SHARED, ids=name)
def test_from_numpy_shares_memory(dtype):
    array = np.zeros(3, NUMPY[dtype])
    t = mlx.from_numpy(array)
    t[1] = 1
    assert (array.tolist(), t.dtype) == ([0, 1, 0], dtype)


def test_numpy_keeps_strides():
    array = mlx.zeros(4, 6)[:, ::2].t().numpy()
    assert (array.shape, array.strides) == ((3, 4), (8, 24))


def test_from_numpy_keeps_strides():
    t = mlx.from_numpy(np.zeros((4, 6))[:, ::2])
    assert t.stride() == (6, 2)


def test_numpy_outlives_the_tensor():
    array = mlx.ones(1000).numpy()
    mlx.zeros(1000)
    assert array.sum() == 1000


def test_tensor_outlives_the_array():
    t = mlx.from_numpy(np.ones(1000))
    np.zeros(1000)
    assert t.sum().item() == 1000


def test_numpy_of_a_scalar():
    assert mlx.tensor(3).numpy().shape == ()


def test_numpy_of_an_empty_tensor():
    assert mlx.zeros(0, 3).numpy().shape == (0, 3)


def test_numpy_of_a_tensor_that_requires_grad_is_an_error():
    with pytest.raises(RuntimeError, match="detach"):
        mlx.zeros(1, requires_grad=True).numpy()


def test_numpy_by_force():
    assert mlx.zeros(1, requires_grad=True).numpy(force=True).tolist() == [0]


def test_numpy_of_bfloat16_is_an_error():
    with pytest.raises(TypeError, match="(?i)bfloat16"):
        mlx.zeros(1, dtype=mlx.bfloat16).numpy()


def test_from_numpy_with_negative_strides_is_an_error():
    with pytest.raises(ValueError, match="negative"):
        mlx.from_numpy(np.arange(3)[::-1])


def test_from_numpy_of_an_unknown_dtype_is_a_type_error():
    with pytest.raises(TypeError):
        mlx.from_numpy(np.array(["a"]))


def test_from_numpy_of_another_byte_order_is_an_error():
    with pytest.raises((TypeError, ValueError)):
        mlx.from_numpy(np.zeros(2, dtype=">f4"))


def test_from_numpy_takes_arrays_only():
    with pytest.raises(TypeError):
        mlx.from_numpy([1, 2])


def test_asarray_calls_array():
    assert np.asarray(mlx.tensor([1, 2])).tolist() == [1, 2]


def test_array_converts_the_dtype():
    assert np.asarray(mlx.tensor([1, 2]), dtype=np.float32).dtype == np.float32


def test_array_of_a_tensor_is_a_copy_when_asked():
    t = mlx.zeros(1)
    np.array(t, copy=True)[0] = 1
    assert t.item() == 0


def test_numpy_functions_take_tensors():
    assert np.sum(mlx.tensor([1, 2]).numpy()) == 3
    assert np.stack([mlx.ones(2), mlx.zeros(2)]).tolist() == [[1, 1], [0, 0]]


def test_what_numpy_functions_of_elements_make_is_a_tensor():
    x = mlx.tensor([1.0, 4.0])
    for made, want in [
        (np.sqrt(x), [1.0, 2.0]),
        (np.exp(x[0] * 0), 1.0),
        (np.maximum(x, 2), [2.0, 4.0]),
        (x * np.ones(2, np.float32), [1.0, 4.0]),
        (np.matmul(np.eye(2, dtype=np.float32), x), [1.0, 4.0]),
    ]:
        assert isinstance(made, mlx.Tensor) and made.dtype is mlx.float32 and made.tolist() == want
    assert (x * np.ones(2)).dtype is mlx.float64
    assert np.isnan(x).dtype is mlx.uint8
    with pytest.raises(RuntimeError, match="requires grad"):
        np.sqrt(x.requires_grad_())


def test_numpy_scalar_is_a_number():
    assert (mlx.ones(2) * np.float64(2.0)).dtype == mlx.float32


def test_tensor_from_a_list_of_arrays():
    assert mlx.tensor([np.ones(2), np.zeros(2)]).tolist() == [[1, 1], [0, 0]]


def test_tensor_from_numpy_scalars_keeps_their_dtype():
    assert mlx.tensor(np.float64(1.5)).dtype == mlx.float64


def test_array_interface_is_understood():
    class Wrapped:
        def __init__(self, array):
            self.array = array
            self.__array_interface__ = array.__array_interface__

    assert mlx.as_tensor(Wrapped(np.array([1, 2]))).tolist() == [1, 2]


@pytest.mark.parametrize("dtype", [d for d in SHARED if not d.is_complex and d != mlx.bool], ids=name)
def test_frombuffer(dtype):
    data = np.arange(4).astype(NUMPY[dtype])
    assert mlx.frombuffer(bytearray(data.tobytes()), dtype=dtype).tolist() == [0, 1, 2, 3]


def test_frombuffer_shares_memory():
    buffer = bytearray(8)
    mlx.frombuffer(buffer, dtype=mlx.float32).fill_(1)
    assert buffer == np.ones(2, np.float32).tobytes()


def test_frombuffer_with_offset_and_count():
    data = bytearray(np.arange(5, dtype=np.int16).tobytes())
    assert mlx.frombuffer(data, dtype=mlx.int16, offset=2, count=3).tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "arguments", [{"offset": 1}, {"count": 9}, {"offset": 99}], ids=["ragged", "too_many", "beyond"]
)
def test_frombuffer_of_a_wrong_size_is_an_error(arguments):
    with pytest.raises(ValueError):
        mlx.frombuffer(bytearray(16), dtype=mlx.float32, **arguments)


@pytest.mark.parametrize("dtype", SHARED, ids=name)
def test_dlpack_to_numpy_shares_memory(dtype):
    t = mlx.zeros(2, 3, dtype=dtype)
    array = np.from_dlpack(t)
    t[1, 2] = 1
    assert (array[1, 2], array.dtype) == (1, NUMPY[dtype])


@pytest.mark.parametrize("dtype", SHARED, ids=name)
def test_dlpack_from_numpy_shares_memory(dtype):
    array = np.zeros((2, 3), NUMPY[dtype])
    t = mlx.from_dlpack(array)
    array[1, 2] = 1
    assert (t[1, 2].item(), t.dtype) == (1, dtype)


@pytest.mark.parametrize("dtype", ALL, ids=name)
def test_dlpack_with_itself(dtype):
    t = mlx.ones(2, 3, dtype=dtype).t()
    other = mlx.from_dlpack(t)
    assert (other.data_ptr(), other.stride(), other.dtype) == (t.data_ptr(), (1, 3), dtype)


def test_dlpack_keeps_strides_and_offset():
    array = np.from_dlpack(mlx.arange(12).reshape(3, 4)[1:, ::2])
    assert array.tolist() == [[4, 6], [8, 10]]


def test_dlpack_device_is_the_cpu():
    assert tuple(mlx.ones(1).__dlpack_device__()) == (1, 0)


def test_dlpack_of_a_tensor_that_requires_grad_is_an_error():
    with pytest.raises((RuntimeError, BufferError), match="grad"):
        mlx.ones(1, requires_grad=True).__dlpack__()


def test_dlpack_capsule_outlives_the_tensor():
    capsule = mlx.ones(1000).__dlpack__()
    mlx.zeros(1000)
    assert mlx.from_dlpack(capsule).sum().item() == 1000


def test_dlpack_capsule_is_taken_once():
    capsule = mlx.ones(2).__dlpack__()
    mlx.from_dlpack(capsule)
    with pytest.raises((RuntimeError, ValueError, BufferError)):
        mlx.from_dlpack(capsule)


@pytest.mark.parametrize("dtype", ALL, ids=name)
def test_pickle(dtype):
    t = mlx.tensor([[0, 1], [1, 0]], dtype=dtype)
    loaded = pickle.loads(pickle.dumps(t))
    assert (loaded.tolist(), loaded.dtype) == (t.tolist(), dtype)


def test_pickle_of_a_strided_view():
    t = mlx.arange(12).reshape(3, 4).t()[1:]
    assert pickle.loads(pickle.dumps(t)).tolist() == t.tolist()


def test_pickle_keeps_requires_grad():
    assert pickle.loads(pickle.dumps(mlx.ones(1, requires_grad=True))).requires_grad


def test_pickle_of_dtype_and_size():
    assert pickle.loads(pickle.dumps(mlx.int16)) is mlx.int16
    assert pickle.loads(pickle.dumps(mlx.ones(2, 3).shape)) == (2, 3)


def test_pickle_of_a_device():
    assert pickle.loads(pickle.dumps(mlx.device("cpu"))) == mlx.device("cpu")


def test_pickle_of_an_empty_tensor():
    assert pickle.load(io.BytesIO(pickle.dumps(mlx.zeros(0, 3)))).shape == (0, 3)


def test_deepcopy_does_not_share():
    t = mlx.zeros(2)
    other = copy.deepcopy(t)
    other.fill_(1)
    assert t.tolist() == [0, 0]


def test_deepcopy_keeps_sharing_inside():
    t = mlx.zeros(4)
    a, b = copy.deepcopy([t, t])
    assert a is b


def test_deepcopy_keeps_requires_grad_and_grad():
    t = mlx.ones(2, requires_grad=True)
    t.sum().backward()
    other = copy.deepcopy(t)
    assert (other.requires_grad, other.grad.tolist()) == (True, [1, 1])


def test_deepcopy_of_a_recorded_tensor_is_an_error():
    with pytest.raises(RuntimeError, match="(?i)graph|leaf|deepcopy"):
        copy.deepcopy(mlx.ones(2, requires_grad=True) * 2)


def test_copy_shares():
    t = mlx.zeros(2)
    copy.copy(t).fill_(1)
    assert t.tolist() == [1, 1]


def test_tolist_nests():
    assert mlx.arange(4).reshape(2, 2).tolist() == [[0, 1], [2, 3]]


def test_tolist_of_a_scalar():
    assert mlx.tensor(2.5).tolist() == 2.5


def test_round_trip_of_a_large_strided_array():
    array = np.random.default_rng(0).normal(size=(100, 101))[::3, ::-1][:, ::-1]
    assert_equal(mlx.from_numpy(array).clone(), array)
