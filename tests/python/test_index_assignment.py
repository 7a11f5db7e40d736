"""Writing by index."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ALL, assert_equal, name
from test_indexing import ARRAY, INDICES, as_mlx, as_numpy

import mlx

# NumPy leaves open which of two writes to one place wins; those with repeats are checked with a scalar only.
DISTINCT = [c for c in INDICES if c not in {"list", "array", "array_slice", "slice_array"}]


def numpy_index(case):
    return as_numpy(INDICES[case]) if case == "empty_list" else INDICES[case]


@pytest.mark.parametrize("case", INDICES)
def test_assign_a_scalar(case):
    expected, actual = ARRAY.copy(), mlx.tensor(ARRAY)
    expected[numpy_index(case)] = -1
    actual[as_mlx(INDICES[case])] = -1
    assert_equal(actual, expected)


@pytest.mark.parametrize("case", DISTINCT)
def test_assign_a_tensor(case):
    expected, actual = ARRAY.copy(), mlx.tensor(ARRAY)
    values = -np.arange(expected[numpy_index(case)].size).reshape(expected[numpy_index(case)].shape)
    expected[numpy_index(case)] = values
    actual[as_mlx(INDICES[case])] = mlx.tensor(values)
    assert_equal(actual, expected)


@pytest.mark.parametrize("case", DISTINCT)
def test_assign_into_a_transposed_tensor(case):
    expected = ARRAY.copy()
    actual = mlx.tensor(ARRAY.T.copy()).permute(2, 1, 0)
    expected[numpy_index(case)] *= -2
    actual[as_mlx(INDICES[case])] *= -2
    assert_equal(actual, expected)


@pytest.mark.parametrize("case", ["slice", "tuple_slices", "two_arrays", "mask_slice", "arrays_apart"])
def test_assign_broadcasts(case):
    expected, actual = ARRAY.copy(), mlx.tensor(ARRAY)
    row = np.arange(expected[INDICES[case]].shape[-1])
    expected[INDICES[case]] = row
    actual[as_mlx(INDICES[case])] = mlx.tensor(row)
    assert_equal(actual, expected)


@pytest.mark.parametrize("dtype", ALL, ids=name)
def test_assign_in_every_dtype(dtype):
    t = mlx.zeros(4, dtype=dtype)
    t[1:3] = mlx.ones(2, dtype=dtype)
    t[mlx.tensor([0])] = 1
    assert t.tolist() == [1, 1, 1, 0]


def test_assign_converts_the_dtype():
    t = mlx.zeros(2, dtype=mlx.int32)
    t[:] = mlx.tensor([1.7, -1.7])
    assert t.tolist() == [1, -1]


def test_assign_a_list():
    t = mlx.zeros(3, dtype=mlx.int64)
    t[mlx.tensor([True, False, True])] = mlx.tensor([4, 5])
    assert t.tolist() == [4, 0, 5]


def test_assign_leading_dimensions_of_one_are_dropped():
    t = mlx.zeros(3)
    t[:] = mlx.ones(1, 1, 3)
    assert t.tolist() == [1, 1, 1]


def test_assign_through_a_view_changes_the_base():
    t = mlx.zeros(2, 2)
    t[0][1] = 5
    assert t.tolist() == [[0, 5], [0, 0]]


def test_assign_an_overlapping_view_of_itself():
    t = mlx.arange(6)
    t[1:] = t[:-1].clone()
    assert t.tolist() == [0, 0, 1, 2, 3, 4]


def test_assign_to_an_expanded_tensor_is_an_error():
    with pytest.raises(RuntimeError, match="memory|overlap"):
        mlx.zeros(1).expand(3)[:] = mlx.tensor([1.0, 2.0, 3.0])


def test_assign_a_wrong_shape_is_an_error():
    with pytest.raises(RuntimeError, match=r"3.*2|2.*3"):
        mlx.zeros(2)[:] = mlx.ones(3)


def test_assign_a_wrong_shape_to_positions_is_an_error():
    with pytest.raises((RuntimeError, IndexError)):
        mlx.zeros(4)[mlx.tensor([0, 1])] = mlx.ones(3)


@pytest.mark.parametrize("index", [4, -5])
def test_assign_out_of_range(index):
    with pytest.raises(IndexError, match=rf"{index}.*4"):
        mlx.zeros(4)[index] = 1


def test_assign_out_of_range_by_tensor():
    t = mlx.zeros(4)
    with pytest.raises(IndexError, match=r"9.*4"):
        t[mlx.tensor([0, 9])] = 1


def test_delete_is_an_error():
    with pytest.raises(TypeError):
        del mlx.zeros(4)[0]


def test_index_put_accumulates_repeats():
    t = mlx.zeros(3)
    t.index_put_((mlx.tensor([0, 0, 2]),), mlx.tensor([1.0, 2.0, 4.0]), accumulate=True)
    assert t.tolist() == [3, 0, 4]


def test_index_put_replaces():
    t = mlx.zeros(3).index_put((mlx.tensor([0, 2]),), mlx.tensor(5.0))
    assert t.tolist() == [5, 0, 5]


def test_in_place_operator_on_repeated_positions_counts_once():
    t = mlx.zeros(2)
    t[mlx.tensor([0, 0, 0])] += 1
    assert t.tolist() == [1, 0]


@given(st.lists(st.booleans(), min_size=120, max_size=120), st.integers(-9, 9))
def test_mask_assignment_is_numpys(mask, value):
    mask = np.array(mask).reshape(ARRAY.shape)
    expected, actual = ARRAY.copy(), mlx.tensor(ARRAY)
    expected[mask] = value
    actual[mlx.tensor(mask)] = value
    assert_equal(actual, expected)


@given(st.lists(st.integers(-4, 3), unique_by=lambda i: i % 4), st.integers(0, 4))
def test_position_assignment_is_numpys(rows, column):
    expected, actual = ARRAY.copy(), mlx.tensor(ARRAY)
    expected[np.array(rows, dtype=int), column] = -7
    actual[mlx.tensor(rows, dtype=mlx.int64), column] = -7
    assert_equal(actual, expected)
