"""Recurrent layers against loops over their cells' formulas, and packed sequences."""

import copy

import numpy as np
import pytest
from support import assert_close, sample

import mlx
from mlx import nn
from mlx.nn.utils import rnn


def of(*shape, seed=0):
    return mlx.tensor(sample(*shape, seed=seed), requires_grad=True)


def parameters(layer, suffix):
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    return [getattr(layer, n + suffix, None) for n in names]


def one_step(layer, x, states, suffix):
    w_ih, w_hh, b_ih, b_hh, w_hr = parameters(layer, suffix)
    h = states[0]
    a, b = x @ w_ih.t() + b_ih, h @ w_hh.t() + b_hh
    if layer.mode == "LSTM":
        i, f, g, o = (a + b).chunk(4, 1)
        c = f.sigmoid() * states[1] + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return [h if w_hr is None else h @ w_hr.t(), c]
    if layer.mode == "GRU":
        n = layer.hidden_size
        gates = (a[:, : 2 * n] + b[:, : 2 * n]).sigmoid()
        r, z = gates[:, :n], gates[:, n:]
        return [(1 - z) * (a[:, 2 * n :] + r * b[:, 2 * n :]).tanh() + z * h]
    return [(a + b).tanh() if layer.mode == "RNN_TANH" else (a + b).relu()]


def looped(layer, x, states):
    """The layers of (steps, batch, features), written out."""
    finals = []
    for level in range(layer.num_layers):
        outputs = []
        for direction in range(1 + layer.bidirectional):
            suffix = f"_l{level}{'_reverse' if direction else ''}"
            now = [s[len(finals)] for s in states]
            steps = []
            for t in reversed(range(len(x))) if direction else range(len(x)):
                now = one_step(layer, x[t], now, suffix)
                steps.append(now[0])
            finals.append(now)
            outputs.append(mlx.stack(steps[::-1] if direction else steps))
        x = mlx.cat(outputs, -1)
    return x, [mlx.stack(s) for s in zip(*finals, strict=True)]


LAYERS = [
    lambda **options: nn.RNN(3, 4, **options),
    lambda **options: nn.RNN(3, 4, nonlinearity="relu", **options),
    lambda **options: nn.GRU(3, 4, **options),
    lambda **options: nn.LSTM(3, 4, **options),
    lambda **options: nn.LSTM(3, 4, proj_size=2, **options),
]
each_layer = pytest.mark.parametrize("make", LAYERS, ids=["tanh", "relu", "gru", "lstm", "lstm_projected"])


def states_of(layer, batch):
    count = layer.num_layers * (1 + layer.bidirectional)
    sizes = [layer.proj_size or layer.hidden_size]
    sizes += [layer.hidden_size] if layer.mode == "LSTM" else []
    return [of(count, batch, n, seed=i + 5) for i, n in enumerate(sizes)]


def called(layer, x, states):
    output, last = layer(x, tuple(states) if layer.mode == "LSTM" else states[0])
    return output, list(last) if layer.mode == "LSTM" else [last]


@each_layer
@pytest.mark.parametrize("bidirectional", [False, True])
def test_values_and_gradients(make, bidirectional):
    layer = make(num_layers=2, bidirectional=bidirectional).double()
    twin = copy.deepcopy(layer)
    x, y = of(5, 2, 3), of(5, 2, 3)
    a, b = states_of(layer, 2), states_of(layer, 2)
    for module, run, inputs, states in ((layer, called, x, a), (twin, looped, y, b)):
        output, last = run(module, inputs, states)
        total = (output * mlx.arange(output.size(-1))).sum() + sum((s * s).sum() for s in last)
        total.backward()
        module.result = [output.detach(), *(s.detach() for s in last)]
    for got, want in zip(layer.result, twin.result, strict=True):
        np.testing.assert_allclose(got.tolist(), want.tolist(), rtol=1e-10, atol=1e-12)
    pairs = [(x, y), *zip(a, b, strict=True), *zip(layer.parameters(), twin.parameters(), strict=True)]
    for got, want in pairs:
        np.testing.assert_allclose(got.grad.tolist(), want.grad.tolist(), rtol=1e-9, atol=1e-11)


@each_layer
def test_derivatives_of_derivatives(make):
    layer = make(bidirectional=True).double()
    states = states_of(layer, 2)

    def run(x, *states):
        output, last = called(layer, x, list(states))
        return (output, *last)

    assert mlx.autograd.gradgradcheck(run, (of(3, 2, 3), *states))


@each_layer
def test_forms_of_the_input(make):
    layer = make(batch_first=True)
    x = mlx.rand(2, 5, 3)
    output, _ = layer(x)
    alone, _ = layer(x[1])
    np.testing.assert_allclose(alone.tolist(), output[1].tolist(), rtol=1e-5, atol=1e-6)
    assert layer(mlx.rand(0, 5, 3))[0].shape[:2] == (0, 5)
    with pytest.raises(RuntimeError, match="sequence length"):
        layer(mlx.rand(2, 0, 3))


@each_layer
def test_packed_sequences_are_as_if_each_were_alone(make):
    layer = make(num_layers=2, bidirectional=True).double()
    rows = [mlx.tensor(sample(n, 3, seed=n)) for n in (2, 5, 3)]
    output, last = layer(rnn.pack_sequence(rows, enforce_sorted=False))
    last = last if isinstance(last, tuple) else (last,)
    for i, got in enumerate(rnn.unpack_sequence(output)):
        want, want_last = layer(rows[i])
        want_last = want_last if isinstance(want_last, tuple) else (want_last,)
        np.testing.assert_allclose(got.tolist(), want.tolist(), rtol=1e-10, atol=1e-12)
        for a, b in zip(last, want_last, strict=True):
            np.testing.assert_allclose(a[:, i].tolist(), b.tolist(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("cell", "layer"), [(nn.RNNCell, nn.RNN), (nn.GRUCell, nn.GRU), (nn.LSTMCell, nn.LSTM)]
)
def test_cells_are_steps_of_layers(cell, layer):
    cell, layer = cell(3, 4).double(), layer(3, 4).double()
    layer.load_state_dict({f"{k}_l0": v for k, v in cell.state_dict().items()})
    x, states = of(5, 2, 3), None
    for step in x:
        states = cell(step, states)
    h = states[0] if isinstance(states, tuple) else states
    np.testing.assert_allclose(h.tolist(), layer(x)[0][-1].tolist(), rtol=1e-10)
    assert cell(x[0, 0]) is not None


def test_half_types():
    layer = nn.LSTM(3, 4).bfloat16()
    x = mlx.rand(5, 2, 3).bfloat16()
    output, (h, c) = layer(x)
    assert output.dtype == h.dtype == c.dtype == mlx.bfloat16
    want, _ = layer.float()(x.float())
    np.testing.assert_allclose(output.float().tolist(), want.tolist(), atol=0.02)


def test_changing_an_output_in_place_is_noticed():
    output, _ = nn.LSTM(3, 4)(of(2, 1, 3).float())
    with mlx.no_grad():
        output.mul_(2)
    with pytest.raises(RuntimeError, match="inplace"):
        output.sum().backward()


def test_dropout_acts_between_layers_in_training():
    mlx.manual_seed(0)
    layer = nn.GRU(3, 4, num_layers=2, dropout=0.9)
    x = mlx.rand(5, 2, 3)
    assert not mlx.equal(layer(x)[0], layer(x)[0])
    assert mlx.equal(layer.eval()(x)[0], layer(x)[0])
    with pytest.warns(UserWarning, match="dropout"):
        nn.GRU(3, 4, dropout=0.5)


def test_errors():
    layer = nn.LSTM(3, 4)
    with pytest.raises(RuntimeError, match="input_size"):
        layer(mlx.rand(5, 2, 4))
    with pytest.raises(RuntimeError, match="Expected hidden size"):
        layer(mlx.rand(5, 2, 3), (mlx.zeros(1, 3, 4), mlx.zeros(1, 2, 4)))
    with pytest.raises(RuntimeError, match="unbatched"):
        layer(mlx.rand(5, 3), (mlx.zeros(1, 1, 4), mlx.zeros(1, 1, 4)))
    with pytest.raises(ValueError, match="proj_size"):
        nn.LSTM(3, 4, proj_size=4)
    with pytest.raises(ValueError, match="nonlinearity"):
        nn.RNN(3, 4, nonlinearity="sigmoid")


def test_repr():
    assert repr(nn.LSTM(3, 4, 2, batch_first=True)) == "LSTM(3, 4, num_layers=2, batch_first=True)"
    assert repr(nn.RNNCell(3, 4, bias=False)) == "RNNCell(3, 4, bias=False)"


# ---- sequences


def test_pad_sequence_on_either_side():
    rows = [mlx.tensor([1, 2, 3]), mlx.tensor([4])]
    assert rnn.pad_sequence(rows, batch_first=True).tolist() == [[1, 2, 3], [4, 0, 0]]
    left = rnn.pad_sequence(rows, padding_value=-1, padding_side="left")
    assert left.tolist() == [[1, -1], [2, -1], [3, 4]]


@pytest.mark.parametrize("batch_first", [False, True])
def test_packing_and_back(batch_first):
    lengths = mlx.tensor([2, 4, 1])
    x = of(4, 3, 2)
    x = x.transpose(0, 1) if batch_first else x
    packed = rnn.pack_padded_sequence(x, lengths, batch_first, enforce_sorted=False)
    assert packed.batch_sizes.tolist() == [3, 2, 1, 1]
    padded, found = rnn.pad_packed_sequence(packed, batch_first, padding_value=7.0, total_length=5)
    assert found.tolist() == [2, 4, 1]
    padded, x = (padded, x) if batch_first else (padded.transpose(0, 1), x.transpose(0, 1))
    for row, n in enumerate(lengths.tolist()):
        assert mlx.equal(padded[row, :n], x[row, :n]) and (padded[row, n:] == 7).all().item()


def test_sequences_out_of_order_are_an_error():
    with pytest.raises(RuntimeError, match="sorted in decreasing order"):
        rnn.pack_padded_sequence(mlx.rand(4, 2, 1), [1, 4])
    with pytest.raises(RuntimeError, match="greater than 0"):
        rnn.pack_padded_sequence(mlx.rand(4, 2, 1), [1, 0])


def test_cells_as_functions():
    w, v, b = of(4, 3), of(4, 4), of(4)
    x, h = of(2, 3), of(2, 4)
    np.testing.assert_allclose(
        mlx.rnn_relu_cell(x, h, w, v, b).tolist(), (x @ w.t() + b + h @ v.t()).relu().tolist(), rtol=1e-12
    )
    np.testing.assert_allclose(
        mlx.rnn_tanh_cell(x, h, w, v).tolist(), (x @ w.t() + h @ v.t()).tanh().tolist(), rtol=1e-12
    )


def test_names_of_all_weights():
    lstm = nn.LSTM(4, 3, 2, bidirectional=True, proj_size=2)
    first = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_hr_l0"]
    assert lstm._all_weights[:2] == [first, [f"{name}_reverse" for name in first]]
    assert lstm._flat_weights_names == [name for name, _ in lstm.named_parameters()]
    assert [*lstm._flat_weights] == [p for row in lstm.all_weights for p in row]
    assert [id(p) for p in lstm._flat_weights] == [id(p) for p in lstm.parameters()]


def test_a_weight_that_is_computed_takes_the_place_of_a_parameter():
    lstm, x = nn.LSTM(2, 3), mlx.rand(4, 1, 2)
    want = lstm(x)[0]
    nn.utils.weight_norm(lstm, "weight_hh_l0")
    assert_close(lstm(x)[0].detach(), want.detach())
    lstm(x)[0].sum().backward()
    assert lstm.weight_hh_l0_v.grad.abs().sum() > 0
    dropped = nn.LSTM(2, 3)
    raw = dropped.weight_hh_l0
    del dropped._parameters["weight_hh_l0"]
    dropped.weight_hh_l0 = raw * 0.5
    out = dropped(x)[0]
    dropped.weight_hh_l0 = raw * 1.0
    assert not mlx.allclose(dropped(x)[0], out)
    out.sum().backward()
    assert raw.grad is not None
