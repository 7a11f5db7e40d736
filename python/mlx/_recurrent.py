"""Single steps of recurrent layers as functions; `mlx.nn` has them as layers."""

from __future__ import annotations

from collections.abc import Sequence

from mlx import _C
from mlx._C import Tensor, _op_namespaces

__all__ = ["gru_cell", "lstm_cell", "rnn_relu_cell", "rnn_tanh_cell"]

_linear = _op_namespaces["nn.functional"]["linear"]


def _projected(input: Tensor, weight: Tensor, b_ih: Tensor | None, b_hh: Tensor | None) -> Tensor:
    """The input's part of the gates with both biases, as a walk of one step."""
    bias = b_ih if b_hh is None else b_hh if b_ih is None else b_ih + b_hh
    return _linear(input, weight, bias).unsqueeze(0)


def rnn_tanh_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """tanh(w_ih x + b_ih + w_hh h + b_hh), of (batch, features) and (batch, hidden)."""
    return _C._rnn_layer(_projected(input, w_ih, b_ih, b_hh), hx, w_hh)[0]


def rnn_relu_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """relu(w_ih x + b_ih + w_hh h + b_hh), of (batch, features) and (batch, hidden)."""
    return _C._rnn_layer(_projected(input, w_ih, b_ih, b_hh), hx, w_hh, relu=True)[0]


def gru_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """The next hidden state of a GRU, of (batch, features) and (batch, hidden); see `mlx.nn.GRU`."""
    return _C._gru_layer(_projected(input, w_ih, b_ih, None), hx, w_hh, b_hh)[0]


def lstm_cell(
    input: Tensor,
    hx: Sequence[Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The next hidden state and cell of an LSTM, of (batch, features) and two (batch, hidden); see
    `mlx.nn.LSTM`."""
    hidden, cell = hx
    h, c = _C._lstm_layer(_projected(input, w_ih, b_ih, b_hh), hidden, cell, w_hh)
    return h[0], c[0]
