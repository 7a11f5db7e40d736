"""Arguments by the names that PyTorch gives them."""

import numpy as np
import pytest

import mlx
from mlx import nn

MATRIX = mlx.tensor([[4.0, 1.0], [1.0, 3.0]])


@pytest.mark.parametrize(
    "call",
    [
        lambda x: mlx.det(input=x),
        lambda x: mlx.linalg.det(A=x),
        lambda x: mlx.linalg.cholesky(input=x),
        lambda x: mlx.inverse(input=x),
        lambda x: mlx.matrix_power(input=x, n=2),
        lambda x: mlx.sum(x, axis=0, keepdims=True),
        lambda x: mlx.split(tensor=x, split_size_or_sections=1, dim=1)[0],
        lambda x: mlx.split(x, split_size_or_sections=[1, 1])[1],
        lambda x: mlx.swapaxes(x, axis0=0, axis1=1),
        lambda x: x.swapaxes(axis0=0, axis1=1),
        lambda x: x.clone().swapaxes_(axis0=0, axis1=1),
        lambda x: mlx.swapdims(x, dim0=0, dim1=1),
    ],
)
def test_words_for_the_same_argument(call):
    assert call(MATRIX).isfinite().all()


def test_a_word_for_another_thing_is_refused():
    for call in (
        lambda: mlx.zeros(input=3),
        lambda: mlx.det(MATRIX, input=MATRIX),
        lambda: mlx.det(matrix=MATRIX),
    ):
        with pytest.raises(TypeError):
            call()


def test_swapped_axes_are_transposed():
    x = mlx.arange(6.0).view(2, 3)
    assert mlx.swapaxes(x, 0, 1).equal(x.T)
    assert x.swapaxes(axis0=-1, axis1=0).equal(x.T)
    y = x.clone()
    assert y.swapaxes_(0, 1) is y
    assert y.equal(x.T)


def test_factories_take_pin_memory():
    x = mlx.ones(2)
    made = [
        mlx.zeros_like(x, pin_memory=True),
        mlx.ones_like(x, pin_memory=True),
        mlx.empty_like(x, pin_memory=True),
        mlx.full_like(x, 2, pin_memory=True),
        mlx.rand_like(x, pin_memory=True),
        mlx.arange(2, pin_memory=True),
        mlx.linspace(0, 1, 2, pin_memory=True),
        mlx.eye(2, pin_memory=False)[0],
        mlx.tril_indices(1, 1, pin_memory=True)[:, 0],
        mlx.fft.fftfreq(2, layout=mlx.strided, pin_memory=True),
    ]
    assert all(m.shape == (2,) for m in made)
    assert mlx.zeros_like(x, requires_grad=True, pin_memory=True).requires_grad


@pytest.mark.parametrize(
    "draw",
    [
        lambda x, g: mlx.rand_like(x, generator=g),
        lambda x, g: mlx.randn_like(x, generator=g),
        lambda x, g: mlx.randint_like(x, 1000, generator=g),
        lambda x, g: mlx.randint_like(x, 5, 1000, generator=g),
    ],
)
def test_numbers_like_a_tensor_by_a_generator(draw):
    x = mlx.zeros(50)
    drawn = [draw(x, mlx.Generator().manual_seed(seed)) for seed in (3, 3, 4)]
    assert drawn[0].equal(drawn[1])
    assert not drawn[0].equal(drawn[2])
    before = mlx.get_rng_state()
    draw(x, mlx.Generator().manual_seed(3))
    assert mlx.get_rng_state().equal(before)


def test_vander_takes_increasing_by_position():
    assert mlx.vander(mlx.tensor([1, 2]), 3, True).tolist() == [[1, 1, 1], [1, 2, 4]]


def test_types_by_name():
    assert mlx.promote_types(type1=mlx.float32, type2=mlx.int64) == mlx.float32
    assert not mlx.can_cast(from_=mlx.float32, to=mlx.int64)


def test_set_takes_parts_of_memory():
    x = mlx.arange(6.0)
    y = mlx.empty(0)
    assert y.set_(x) is y
    assert y.equal(x)
    assert y.set_(x, 1, (2, 2), (1, 2)).tolist() == [[1, 3], [2, 4]]
    assert y.set_(x[1:], 0, (3,)).tolist() == [0, 1, 2]
    assert y.set_(x.untyped_storage()).equal(x)
    assert y.set_(x.storage(), 2, (2,)).tolist() == [2, 3]
    y[0] = 9
    assert x[2] == 9
    assert y.set_().shape == (0,)
    with pytest.raises(RuntimeError, match="int64"):
        y.set_(x.long())
    with pytest.raises(RuntimeError, match="storage"):
        y.set_(x, 4, (5,))


def test_gradcheck_takes_its_options():
    x = mlx.tensor([1.0], dtype=mlx.float64, requires_grad=True)
    assert mlx.autograd.gradcheck(mlx.exp, x, check_forward_ad=False, check_backward_ad=True, masked=False)
    assert mlx.autograd.gradgradcheck(mlx.exp, x, check_fwd_over_rev=False, check_rev_over_rev=True)
    with pytest.raises(NotImplementedError, match="forward mode"):
        mlx.autograd.gradcheck(mlx.exp, x, check_forward_ad=True)
    with pytest.raises(NotImplementedError, match="forward mode"):
        mlx.autograd.gradgradcheck(mlx.exp, x, check_fwd_over_rev=True)


def test_containers_take_their_arguments_by_name():
    layers = nn.ModuleList([nn.ReLU(), nn.Tanh()])
    assert isinstance(layers.pop(key=0), nn.ReLU)
    row = nn.Sequential(nn.ReLU())
    row.extend(sequential=nn.Sequential(nn.Tanh()))
    assert len(row) == 2
    shared = nn.ReLU()
    twice = nn.ModuleList([shared, shared])
    assert len(list(twice.modules())) == 2
    assert len(list(twice.modules(remove_duplicate=False))) == 3


def test_parameter_dicts_are_dictionaries():
    d = nn.ParameterDict({"a": mlx.ones(1)})
    assert d.get("b") is None
    assert d.setdefault("b", mlx.zeros(2)).shape == (2,)
    assert d.setdefault("b", mlx.zeros(3)).shape == (2,)
    assert isinstance(d["b"], nn.Parameter)
    other = d.copy()
    assert other["a"] is d["a"]
    assert list(reversed(d)) == ["b", "a"]
    assert d.popitem()[0] == "b"
    assert list(other) == ["a", "b"]
    assert list(d.fromkeys(["x", "y"], mlx.ones(1))) == ["x", "y"]
    assert list(d | {"c": mlx.ones(1)}) == ["a", "c"]
    d |= {"c": mlx.ones(1)}
    assert list(d) == ["a", "c"]
    d.clear()
    assert len(d) == 0


def test_functional_call_by_name():
    layer = nn.Linear(1, 1, bias=False)
    weights = {"weight": mlx.tensor([[3.0]])}
    result = mlx.func.functional_call(layer, parameter_and_buffer_dicts=weights, args=(mlx.tensor([2.0]),))
    assert np.allclose(result.tolist(), [6.0])


def test_frames_that_begin_with_their_window():
    x = mlx.randn(20)
    window = mlx.rand(3)
    options = {"center": False, "return_complex": True}
    frames = mlx.stft(x, 8, 2, 3, window, align_to_window=True, **options)
    assert frames.shape == (5, 9)  # 1 + (20 - 3) // 2 frames
    sums = (x.unfold(0, 3, 2) * window).sum(-1)
    assert np.allclose(frames[0].real.tolist(), sums.tolist(), atol=1e-5)
    same = mlx.stft(x, 8, 2, 3, window, align_to_window=False, **options)
    assert same.equal(mlx.stft(x, 8, 2, 3, window, **options))
    with pytest.raises(RuntimeError, match="center = false"):
        mlx.stft(x, 8, return_complex=True, align_to_window=True)
