"""Reading by index: every kind of index, alone and mixed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ALL, assert_equal, name

import mlx

SHAPE = (4, 5, 6)
ARRAY = np.arange(120).reshape(SHAPE)
MASK1 = np.array([True, False, True, True])
MASK2 = ARRAY[:, :, 0] % 4 == 0
MASK3 = ARRAY % 7 == 0
ROWS = np.array([[0, 2], [3, -1]])

INDICES = {
    "int": 2,
    "negative": -1,
    "numpy_int": np.int64(1),
    "slice": slice(1, 3),
    "slice_step": slice(None, None, 2),
    "slice_negative": slice(-3, -1),
    "slice_beyond": slice(2, 100),
    "slice_empty": slice(3, 1),
    "none": None,
    "ellipsis": ...,
    "tuple_int": (1, 2, 3),
    "tuple_slices": (slice(1, 3), slice(None), slice(0, 6, 3)),
    "int_ellipsis": (1, ..., 2),
    "none_mixed": (None, 1, None, slice(2), ...),
    "empty_tuple": (),
    "list": [0, 2, 2],
    "array": ROWS,
    "mask1": MASK1,
    "mask2": MASK2,
    "mask3": MASK3,
    "two_arrays": (np.array([0, 1]), np.array([2, 3])),
    "broadcast_arrays": (np.array([[0], [1]]), np.array([2, 3])),
    "array_slice": (ROWS, slice(1, 3)),
    "slice_array": (slice(None), ROWS),
    "arrays_adjacent": (slice(None), np.array([0, 1]), np.array([2, 3])),
    "arrays_apart": (np.array([0, 1]), slice(None), np.array([2, 3])),
    "array_int": (np.array([0, 1]), 2),
    "array_apart_int": (np.array([0, 1]), slice(None), 2),
    "array_none": (np.array([0, 1]), None, np.array([2, 3])),
    "ellipsis_array": (..., np.array([5, 0])),
    "mask_slice": (MASK1, slice(1, 3)),
    "mask_array": (MASK1, np.array([0, 1, 2])),
    "slice_mask": (slice(None), np.array([True, False, True, False, True])),
    "mask2_int": (MASK2, 3),
    "none_mask": (None, MASK1),
    "empty_list": [],
    "empty_mask": np.zeros(4, bool),
    "bool_list": [True, False, False, True],
    "lists": ([0, 1], [2, 3]),
}


def as_mlx(index):
    """The same index, arrays as tensors."""
    if isinstance(index, tuple):
        return tuple(as_mlx(i) for i in index)
    return mlx.tensor(index) if isinstance(index, np.ndarray) else index


def as_numpy(index):
    """NumPy takes an empty list for floats."""
    return np.array(index, dtype=int) if index == [] else index


@pytest.mark.parametrize("case", INDICES)
def test_index(case):
    expected = ARRAY[as_numpy(INDICES[case]) if case == "empty_list" else INDICES[case]]
    assert_equal(mlx.from_numpy(ARRAY)[as_mlx(INDICES[case])], expected)


@pytest.mark.parametrize("case", INDICES)
def test_index_into_a_transposed_tensor(case):
    t = mlx.from_numpy(ARRAY.T.copy()).permute(2, 1, 0)
    expected = ARRAY[as_numpy(INDICES[case]) if case == "empty_list" else INDICES[case]]
    assert_equal(t[as_mlx(INDICES[case])], expected)


@pytest.mark.parametrize("dtype", [mlx.uint8, mlx.int32, mlx.int64], ids=name)
def test_index_tensor_dtypes(dtype):
    if dtype == mlx.uint8:
        # As in PyTorch, uint8 is a mask, not a list of positions.
        assert mlx.arange(3)[mlx.tensor([1, 0, 1], dtype=dtype)].tolist() == [0, 2]
        return
    assert mlx.arange(5)[mlx.tensor([3, 1], dtype=dtype)].tolist() == [3, 1]


@pytest.mark.parametrize("dtype", ALL, ids=name)
def test_gathering_every_dtype(dtype):
    t = mlx.tensor([0, 1, 1, 0], dtype=dtype)
    assert t[mlx.tensor([1, 0, 2])].tolist() == [1, 0, 1]


def test_zero_dimensional_tensor_as_an_int():
    assert mlx.arange(5)[mlx.tensor(3)].item() == 3


def test_int_before_a_slice_is_not_an_array():
    # Where NumPy counts the int as an array, and so moves the positions to the front, PyTorch selects first.
    assert_equal(mlx.from_numpy(ARRAY)[1, :, mlx.tensor([2, 3])], ARRAY[1][:, [2, 3]])


def test_nested_list_is_one_index_a_list():
    assert_equal(mlx.from_numpy(ARRAY)[[[0, 1], [2, 3]]], ARRAY[[0, 1], [2, 3]])


def test_true_adds_a_dimension():
    assert mlx.arange(3)[True].tolist() == [[0, 1, 2]]


def test_false_selects_nothing():
    assert mlx.arange(3)[False].shape == (0, 3)


def test_index_a_zero_dimensional_tensor():
    t = mlx.tensor(3)
    assert (t[...].item(), t[None].tolist(), t[()].item()) == (3, [3], 3)


def test_boolean_mask_of_a_zero_dimensional_tensor():
    assert mlx.tensor(3)[mlx.tensor(True)].tolist() == [3]


def test_advanced_index_copies():
    base = mlx.zeros(3)
    picked = base[mlx.tensor([0, 1])]
    base.fill_(1)
    assert picked.tolist() == [0, 0]


def test_index_of_an_empty_dimension_by_nothing():
    assert mlx.zeros(0, 3)[mlx.zeros(0, dtype=mlx.int64)].shape == (0, 3)


@pytest.mark.parametrize("index", [4, -5])
def test_int_out_of_range(index):
    with pytest.raises(IndexError, match=rf"{index}.*4"):
        mlx.zeros(4, 3)[index]


def test_int_out_of_range_in_a_later_dimension():
    with pytest.raises(IndexError, match=r"7.*3"):
        mlx.zeros(4, 3)[:, 7]


@pytest.mark.parametrize("index", [[0, 4], [-5]])
def test_tensor_out_of_range(index):
    with pytest.raises(IndexError, match=rf"{index[-1]}.*4"):
        mlx.zeros(4, 3)[mlx.tensor(index)]


def test_too_many_indices():
    with pytest.raises(IndexError, match="too many"):
        mlx.zeros(4, 3)[0, 0, 0]


def test_index_of_a_zero_dimensional_tensor_is_an_error():
    with pytest.raises(IndexError):
        mlx.tensor(3)[0]


def test_float_index_is_an_error():
    with pytest.raises((TypeError, IndexError)):
        mlx.zeros(4)[1.5]


def test_float_tensor_index_is_an_error():
    with pytest.raises(IndexError, match="float|int"):
        mlx.zeros(4)[mlx.tensor([1.0])]


def test_mask_of_another_shape_is_an_error():
    with pytest.raises(IndexError, match=r"3.*4"):
        mlx.zeros(4)[mlx.tensor([True, False, True])]


def test_indices_that_do_not_broadcast_are_an_error():
    with pytest.raises(IndexError, match="broadcast"):
        mlx.zeros(4, 4)[mlx.tensor([0, 1]), mlx.tensor([0, 1, 2])]


def test_negative_step_is_an_error():
    with pytest.raises(ValueError, match="step"):
        mlx.zeros(4)[::-1]


def test_zero_step_is_an_error():
    with pytest.raises(ValueError):
        mlx.zeros(4)[::0]


slices = st.builds(
    slice,
    st.none() | st.integers(-8, 8),
    st.none() | st.integers(-8, 8),
    st.none() | st.integers(1, 3),
)


@given(st.lists(slices | st.integers(-4, 3), min_size=0, max_size=3))
def test_basic_index_is_numpys(index):
    assert_equal(mlx.from_numpy(ARRAY)[tuple(index)], ARRAY[tuple(index)])


@given(st.lists(st.integers(-4, 3), max_size=10), slices)
def test_positions_and_slice_are_numpys(rows, columns):
    expected = ARRAY[np.array(rows, dtype=int), columns]
    assert_equal(mlx.from_numpy(ARRAY)[mlx.tensor(rows, dtype=mlx.int64), columns], expected)


@given(st.lists(st.booleans(), min_size=4, max_size=4))
def test_mask_is_numpys(mask):
    assert_equal(mlx.from_numpy(ARRAY)[mlx.tensor(mask)], ARRAY[np.array(mask)])


def test_take_reads_the_flat_tensor():
    assert mlx.tensor([[1, 2], [3, 4]]).take(mlx.tensor([3, 0])).tolist() == [4, 1]


def test_nonzero():
    assert_equal(mlx.from_numpy(MASK3).nonzero(), np.argwhere(MASK3))


def test_nonzero_as_tuple():
    for actual, expected in zip(mlx.from_numpy(MASK3).nonzero(as_tuple=True), np.nonzero(MASK3), strict=True):
        assert_equal(actual, expected)


def test_nonzero_of_a_scalar():
    assert (mlx.tensor(3).nonzero().shape, mlx.tensor(0).nonzero().shape) == ((1, 0), (0, 0))


def test_masked_select_broadcasts():
    t = mlx.arange(6).reshape(2, 3)
    assert t.masked_select(mlx.tensor([True, False, True])).tolist() == [0, 2, 3, 5]


def test_argwhere():
    assert mlx.argwhere(mlx.tensor([[0, 1], [1, 0]])).tolist() == [[0, 1], [1, 0]]


def test_where_of_a_condition_alone_gives_coordinates():
    mask = mlx.tensor([[False, True], [True, True]])
    rows, columns = mlx.where(mask)
    assert rows.tolist() == [0, 1, 1] and columns.tolist() == [1, 0, 1]
    assert mlx.tensor([[1, 2], [3, 4]])[mlx.where(mask)].tolist() == [2, 3, 4]
