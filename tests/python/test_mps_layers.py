"""Layers, losses and optimizers on the GPU while the CPU is the default device, as in a program that moves
its model there: whatever they make on the way must lie where their arguments are."""

import copy

import numpy as np
import pytest

import mlx
from mlx import nn
from mlx.nn import functional as F
from mlx.nn.utils import rnn

pytestmark = pytest.mark.skipif(not mlx._C._has_device("mps"), reason="there is no Metal device")


@pytest.fixture(autouse=True)
def _cpu_by_default():
    mlx.set_default_device("cpu")


def check_close(got, want):
    assert got.device.type == "mps"
    np.testing.assert_allclose(got.detach().cpu().numpy(), want.detach().numpy(), rtol=1e-5, atol=1e-5)


def check_same(function, *inputs):
    """A function of tensors gives the same on the GPU, and so do its gradients."""
    here = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    there = [x.to("mps").requires_grad_(x.is_floating_point()) for x in inputs]
    want, got = function(*here), function(*there)
    check_close(got, want)
    want.sum().backward()
    got.sum().backward()
    for a, b in zip(here, there, strict=True):
        if a.requires_grad:
            check_close(b.grad, a.grad)


# ---- lazy layers


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(nn.LazyLinear(2), (3, 4)), (nn.LazyConv1d(2, 3), (1, 2, 5)), (nn.LazyBatchNorm1d(), (3, 4))],
)
def test_a_lazy_layer_follows_its_first_input(layer, shape):
    layer = copy.deepcopy(layer)
    layer(mlx.rand(shape).to("mps"))
    assert {t.device.type for t in layer.state_dict().values()} == {"mps"}


def test_a_lazy_layer_may_be_moved_before_its_first_input():
    layer = nn.LazyBatchNorm1d().to("mps")
    layer(mlx.rand(3, 4).to("mps"))
    assert {t.device.type for t in layer.state_dict().values()} == {"mps"}


# ---- sequences


def test_packing_and_padding():
    x = mlx.rand(4, 3, 2)

    def there_and_back(x):
        packed = rnn.pack_padded_sequence(x, [2, 4, 1], enforce_sorted=False)
        padded, lengths = rnn.pad_packed_sequence(packed)
        assert lengths.tolist() == [2, 4, 1]
        return padded

    check_same(there_and_back, x)


def test_the_order_moves_with_a_packed_sequence():
    packed = rnn.pack_sequence([mlx.rand(1, 2), mlx.rand(3, 2)], enforce_sorted=False).to("mps")
    padded, _ = rnn.pad_packed_sequence(packed)
    assert padded.device.type == "mps"


@pytest.mark.parametrize("cls", [nn.RNN, nn.LSTM, nn.GRU])
def test_recurrent_layers_over_packed_sequences(cls):
    here = cls(2, 3, bidirectional=True)
    there = copy.deepcopy(here).to("mps")
    packed = rnn.pack_padded_sequence(mlx.rand(4, 3, 2), [2, 4, 1], enforce_sorted=False)
    check_close(there(packed.to("mps"))[0].data, here(packed)[0].data)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bag(mode):
    numbers, offsets = mlx.tensor([1, 2, 4, 5, 4]), mlx.tensor([0, 3])
    check_same(lambda w, n, o: F.embedding_bag(n, w, o, mode=mode), mlx.rand(6, 2), numbers, offsets)
    check_same(lambda w, n: F.embedding_bag(n.view(1, 5), w, mode=mode), mlx.rand(6, 2), numbers)


# ---- losses


@pytest.mark.parametrize("targets", [mlx.tensor([[1, 2], [2, 2]], device="cpu"), mlx.tensor([1, 2, 2, 2])])
def test_ctc_loss(targets):
    probs = mlx.rand(6, 2, 4).log_softmax(2)
    check_same(lambda x, y: F.ctc_loss(x, y, [6, 5], [2, 2]), probs, targets.cpu())


def test_multilabel_margin_loss():
    check_same(F.multilabel_margin_loss, mlx.rand(2, 3), mlx.tensor([[1, -1, 0], [2, 0, -1]]))


# ---- optimizers


def stepped(cls, device):
    p = mlx.arange(6.0).reshape(2, 3).to(device).requires_grad_()
    optimizer = cls([p], lr=0.01)
    for _ in range(3):
        p.grad = mlx.cos(p.detach())
        optimizer.step()
    return p, optimizer


OPTIMIZERS = [mlx.optim.SGD, mlx.optim.Adam, mlx.optim.RMSprop, mlx.optim.Adagrad, mlx.optim.NAdam]


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_an_optimizer(cls):
    check_close(stepped(cls, "mps")[0], stepped(cls, "cpu")[0])


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_an_optimizer_takes_over_a_state_from_the_cpu(cls):
    here, saved = stepped(cls, "cpu")
    there, optimizer = stepped(cls, "mps")
    optimizer.load_state_dict(saved.state_dict())
    for p, o in ((here, saved), (there, optimizer)):
        p.grad = mlx.ones_like(p)
        o.step()
    check_close(there, here)


def test_an_optimizer_of_parameters_on_two_devices():
    here = mlx.ones(3, requires_grad=True)
    there = mlx.ones(3).to("mps").requires_grad_()
    optimizer = mlx.optim.Adam([here, there], lr=0.1)
    (here.sum() + there.sum().cpu()).backward()
    optimizer.step()
    check_close(there, here)


# ---- transfers


def test_a_copy_to_memory_in_use_takes_its_turn():
    place, source = mlx.zeros(1000).to("mps"), mlx.ones(1000)
    before = place + 0
    place.copy_(source)
    source.fill_(7)  # the copy is of what was there when it was asked for
    after = place + 0
    assert (before.sum().item(), after.sum().item()) == (0, 1000)


def test_a_copy_to_memory_in_use_casts_and_broadcasts():
    place = mlx.zeros(3, 4, dtype=mlx.int32).to("mps")
    before = place + 0
    place.copy_(mlx.arange(4.0)[:, None].expand(4, 3).t()[:1])
    assert before.sum().item() == 0 and place.tolist() == [[0, 1, 2, 3]] * 3
