"""Views: shapes and strides, and that they share memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import assert_equal

import mlx


def arange(*shape):
    return mlx.arange(int(np.prod(shape))).reshape(shape)


# Each row: an input shape, a view of it, and the same view in NumPy.
VIEWS = {
    "slice": ((4, 5), lambda t: t[1:3], lambda a: a[1:3]),
    "step": ((7,), lambda t: t[1::2], lambda a: a[1::2]),
    "select": ((4, 5), lambda t: t.select(1, 2), lambda a: a[:, 2]),
    "select_negative": ((4, 5), lambda t: t.select(-1, -2), lambda a: a[:, -2]),
    "transpose": ((2, 3, 4), lambda t: t.transpose(0, 2), lambda a: a.transpose(2, 1, 0)),
    "t": ((2, 3), lambda t: t.t(), lambda a: a.T),
    "T": ((2, 3), lambda t: t.T, lambda a: a.T),
    "mT": ((2, 3, 4), lambda t: t.mT, lambda a: a.swapaxes(1, 2)),
    "swapaxes": ((2, 3, 4), lambda t: t.swapaxes(0, 1), lambda a: a.swapaxes(0, 1)),
    "permute": ((2, 3, 4), lambda t: t.permute(2, 0, 1), lambda a: a.transpose(2, 0, 1)),
    "permute_tuple": ((2, 3, 4), lambda t: t.permute((2, 0, -2)), lambda a: a.transpose(2, 0, 1)),
    "movedim": ((2, 3, 4), lambda t: t.movedim(0, -1), lambda a: np.moveaxis(a, 0, -1)),
    "movedim_pairs": (
        (2, 3, 4),
        lambda t: t.movedim((0, 1), (2, 0)),
        lambda a: np.moveaxis(a, (0, 1), (2, 0)),
    ),
    "expand": ((3, 1), lambda t: t.expand(2, 3, 4), lambda a: np.broadcast_to(a, (2, 3, 4))),
    "expand_keep": ((3, 1), lambda t: t.expand(-1, 4), lambda a: np.broadcast_to(a, (3, 4))),
    "expand_as": ((3, 1), lambda t: t.expand_as(mlx.empty(3, 2)), lambda a: np.broadcast_to(a, (3, 2))),
    "broadcast_to": ((3,), lambda t: t.broadcast_to((2, 3)), lambda a: np.broadcast_to(a, (2, 3))),
    "view": ((2, 6), lambda t: t.view(3, 4), lambda a: a.reshape(3, 4)),
    "view_infer": ((2, 6), lambda t: t.view(-1, 3), lambda a: a.reshape(-1, 3)),
    "view_as": ((2, 6), lambda t: t.view_as(mlx.empty(12)), lambda a: a.reshape(12)),
    "reshape": ((2, 6), lambda t: t.reshape(4, 3), lambda a: a.reshape(4, 3)),
    "flatten": ((2, 3, 4), lambda t: t.flatten(1), lambda a: a.reshape(2, 12)),
    "unflatten": ((2, 12), lambda t: t.unflatten(1, (3, -1)), lambda a: a.reshape(2, 3, 4)),
    "narrow": ((4, 5), lambda t: t.narrow(1, 1, 3), lambda a: a[:, 1:4]),
    "squeeze": ((1, 3, 1), lambda t: t.squeeze(), lambda a: a.squeeze()),
    "squeeze_dim": ((1, 3, 1), lambda t: t.squeeze(0), lambda a: a.squeeze(0)),
    "squeeze_dims": ((1, 3, 1), lambda t: t.squeeze((0, 1)), lambda a: a.squeeze(0)),
    "squeeze_other": ((1, 3, 1), lambda t: t.squeeze(1), lambda a: a),
    "unsqueeze": ((3, 4), lambda t: t.unsqueeze(-1), lambda a: a[..., None]),
    "diagonal": ((3, 4), lambda t: t.diagonal(), lambda a: a.diagonal()),
    "diagonal_offset": ((2, 3, 4), lambda t: t.diagonal(-1, 1, 2), lambda a: a.diagonal(-1, 1, 2)),
    "unfold": (
        (2, 7),
        lambda t: t.unfold(1, 3, 2),
        lambda a: np.lib.stride_tricks.sliding_window_view(a, 3, 1)[:, ::2],
    ),
    "as_strided": (
        (12,),
        lambda t: t.as_strided((3, 2), (1, 4), 2),
        lambda a: np.lib.stride_tricks.as_strided(a[2:], (3, 2), (8, 32)),
    ),
    "split": ((5, 2), lambda t: t.split(2)[1], lambda a: a[2:4]),
    "split_sizes": ((5, 2), lambda t: t.split([1, 4])[1], lambda a: a[1:]),
    "chunk": ((7, 2), lambda t: t.chunk(3)[2], lambda a: a[6:]),
    "tensor_split": ((7, 2), lambda t: t.tensor_split(3)[1], lambda a: a[3:5]),
    "unbind": ((3, 4), lambda t: t.unbind(1)[2], lambda a: a[:, 2]),
    "ellipsis": ((2, 3, 4), lambda t: t[..., 1], lambda a: a[..., 1]),
    "new_axis": ((2, 3), lambda t: t[:, None], lambda a: a[:, None]),
    "empty_slice": ((2, 3), lambda t: t[2:], lambda a: a[2:]),
    "detach": ((2, 3), lambda t: t.detach(), lambda a: a),
}


@pytest.mark.parametrize("case", VIEWS)
def test_view_has_the_values(case):
    shape, view, reference = VIEWS[case]
    assert_equal(view(arange(*shape)), reference(np.arange(np.prod(shape)).reshape(shape)))


@pytest.mark.parametrize("case", [c for c in VIEWS if c != "empty_slice"])
def test_view_shares_memory(case):
    shape, view, _ = VIEWS[case]
    base = mlx.zeros(shape)
    base.fill_(5)
    shared = view(base)
    base.fill_(7)
    assert shared.eq(7).all()


@pytest.mark.parametrize("case", [c for c in VIEWS if c not in {"detach", "empty_slice"}])
def test_view_of_a_transposed_base_has_the_values(case):
    shape, view, reference = VIEWS[case]
    if case.startswith(("view", "as_strided")):
        pytest.skip("depends on the strides of its input by definition")
    base = arange(*shape[::-1]).permute(*reversed(range(len(shape))))
    array = np.arange(np.prod(shape)).reshape(shape[::-1]).T
    assert_equal(view(base), reference(array))


@pytest.mark.parametrize(
    ("view", "stride", "offset"),
    [
        (lambda t: t[1:], (20, 5, 1), 20),
        (lambda t: t[:, ::2], (20, 10, 1), 0),
        (lambda t: t.transpose(0, 2), (1, 5, 20), 0),
        (lambda t: t[:, :, 2], (20, 5), 2),
        (lambda t: t.unsqueeze(1), (20, 20, 5, 1), 0),
        (lambda t: t[:, :1].expand(3, 4, 5), (20, 0, 1), 0),
        (lambda t: t.diagonal(0, 0, 1), (1, 25), 0),
        (lambda t: t.unfold(2, 2, 1), (20, 5, 1, 1), 0),
    ],
)
def test_strides_and_offset(view, stride, offset):
    t = view(mlx.zeros(3, 4, 5))
    assert (t.stride(), t.storage_offset()) == (stride, offset)


def test_data_ptr_of_a_view():
    t = mlx.zeros(4)
    assert t[1:].data_ptr() == t.data_ptr() + 4


@pytest.mark.parametrize(
    ("view", "contiguous"),
    [
        (lambda t: t, True),
        (lambda t: t.t(), False),
        (lambda t: t[:1].t(), True),
        (lambda t: t[:, 1:], False),
        (lambda t: t[1:], True),
        (lambda t: t[:0].t(), True),
    ],
)
def test_is_contiguous(view, contiguous):
    assert view(mlx.zeros(2, 3)).is_contiguous() == contiguous


def test_contiguous_returns_itself():
    t = mlx.zeros(2, 3)
    assert t.contiguous() is t


def test_contiguous_copies_a_transposed_tensor():
    t = arange(2, 3).t()
    assert (t.contiguous().stride(), t.contiguous().tolist()) == ((2, 1), t.tolist())


def test_view_of_incompatible_strides_is_an_error():
    with pytest.raises(RuntimeError, match="reshape"):
        mlx.zeros(2, 3).t().view(6)


def test_view_of_compatible_strides_is_no_copy():
    t = mlx.zeros(4, 6)[:, ::2]
    assert t.view(2, 2, 3).data_ptr() == t.data_ptr()


def test_view_of_another_size_is_an_error():
    with pytest.raises(RuntimeError, match="7"):
        mlx.zeros(2, 3).view(7)


def test_view_with_two_unknown_sizes_is_an_error():
    with pytest.raises(RuntimeError, match="one"):
        mlx.zeros(2, 3).view(-1, -1)


def test_view_of_an_empty_tensor_with_an_ambiguous_size_is_an_error():
    with pytest.raises(RuntimeError):
        mlx.zeros(0, 3).view(-1, 0)


def test_reshape_copies_only_when_it_must():
    t = arange(2, 3)
    assert t.reshape(3, 2).data_ptr() == t.data_ptr()
    assert t.t().reshape(6).tolist() == [0, 3, 1, 4, 2, 5]


def test_view_as_another_dtype_of_the_same_width():
    assert mlx.ones(2).view(mlx.int32).tolist() == [0x3F800000] * 2


def test_view_as_a_narrower_dtype():
    assert mlx.ones(2, dtype=mlx.int32).view(mlx.uint8).shape == (8,)


def test_real_and_imag_share_memory():
    z = mlx.zeros(2, dtype=mlx.complex64)
    z.real.fill_(1)
    z.imag.fill_(2)
    assert z.tolist() == [1 + 2j] * 2


def test_view_as_real_and_back():
    z = mlx.tensor([1 + 2j, 3 - 4j])
    assert mlx.view_as_real(z).tolist() == [[1, 2], [3, -4]]
    assert mlx.view_as_complex(mlx.view_as_real(z)).tolist() == z.tolist()


def test_imag_of_a_real_tensor_is_an_error():
    with pytest.raises(RuntimeError):
        _ = mlx.ones(2).imag


def test_expand_of_another_size_is_an_error():
    with pytest.raises(RuntimeError, match="3"):
        mlx.zeros(3).expand(4)


def test_permute_repeating_a_dimension_is_an_error():
    with pytest.raises(RuntimeError):
        mlx.zeros(2, 3).permute(0, 0)


@pytest.mark.parametrize("dim", [2, -3])
def test_transpose_of_a_missing_dimension_is_an_index_error(dim):
    with pytest.raises(IndexError, match=str(dim)):
        mlx.zeros(2, 3).transpose(0, dim)


def test_narrow_beyond_the_end_is_an_error():
    with pytest.raises((RuntimeError, IndexError)):
        mlx.zeros(3).narrow(0, 2, 2)


def test_as_strided_beyond_the_storage_is_an_error():
    with pytest.raises(RuntimeError):
        mlx.zeros(3).as_strided((4,), (1,))


def test_split_sizes_must_sum_to_the_dimension():
    with pytest.raises(RuntimeError, match="5"):
        mlx.zeros(5).split([2, 2])


def test_is_a_tuple_of_its_sizes():
    t = mlx.zeros(2, 3)
    assert t.shape == t.size() == (2, 3)
    assert t.size(-1) == 3
    assert t.shape.numel() == t.numel() == 6


def test_64_bit_sizes():
    t = mlx.zeros(1).expand(2**40)
    assert (t.numel(), t[2**39 :].shape) == (2**40, (2**39,))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_permute_then_inverse_is_the_identity(shape, data):
    order = data.draw(st.permutations(range(len(shape))))
    inverse = [order.index(i) for i in range(len(order))]
    t = arange(*shape)
    assert_equal(t.permute(order).permute(inverse), t.numpy())


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4))
def test_reshape_of_a_permuted_tensor_is_numpys(shape):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    t = mlx.from_numpy(array).permute(*reversed(range(len(shape)))).reshape(array.size)
    assert_equal(t, array.T.reshape(array.size))
