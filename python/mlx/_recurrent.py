"""Recurrent layers and their single steps as functions; `mlx.nn` has them as layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx
from mlx import _C
from mlx._C import Tensor, _op_namespaces

__all__ = [
    "gru",
    "gru_cell",
    "lstm",
    "lstm_cell",
    "rnn_relu",
    "rnn_relu_cell",
    "rnn_tanh",
    "rnn_tanh_cell",
]

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


# ---- whole layers

_OPTIONS = ("has_biases", "num_layers", "dropout", "train", "bidirectional")
_PADDED = ("input", "hx", "params", *_OPTIONS, "batch_first")
_PACKED = ("data", "batch_sizes", "hx", "params", *_OPTIONS)


def _named(op: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call by their names, in the form for padded or in that for packed sequences."""
    packed = isinstance(args[3], tuple | list) if len(args) > 3 else "batch_sizes" in kwargs
    names = _PACKED if packed else _PADDED
    given = dict(zip(names, args, strict=False)) | kwargs
    if len(args) + len(kwargs) != len(names) or set(given) != set(names):
        raise TypeError(f"{op}() takes ({', '.join(_PADDED)}) or ({', '.join(_PACKED)})")
    return given


def _run(op: str, mode: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, ...]:
    """The output of all steps, and the last states."""
    from mlx.nn.modules.rnn import layer_of

    given = _named(op, args, kwargs)
    layer = layer_of(
        mode,
        given["params"],
        bias=given["has_biases"],
        num_layers=given["num_layers"],
        dropout=given["dropout"],
        train=given["train"],
        bidirectional=given["bidirectional"],
        batch_first=given.get("batch_first", False),
    )
    if "data" not in given:
        output, last = layer._run(given["input"], given["hx"])
        return output, *last
    packed = mlx.nn.utils.rnn.PackedSequence(given["data"], given["batch_sizes"])
    output, last = layer._run(packed, given["hx"])
    return output.data, *last


def rnn_tanh(*args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
    """The layers of `nn.RNN` as a function.

    Args:
        input, hx: of (steps, batch, features) and (layers * directions, batch, hidden). Or data, batch_sizes,
            hx: those of a `PackedSequence`, whose sequences are sorted by length.
        params: the weights and, if `has_biases`, biases of each layer and direction, in the order of
            `nn.RNN.all_weights`.
        has_biases, num_layers, dropout, train, bidirectional: as for `nn.RNN`; `train` is whether to drop.
        batch_first: whether batches come first; not for packed sequences.

    Returns:
        The last layer's output at all steps, and the last hidden states of all layers.

    >>> import mlx
    >>> layer = mlx.nn.RNN(3, 4)
    >>> x, h = mlx.rand(5, 2, 3), mlx.zeros(1, 2, 4)
    >>> output, last = mlx.rnn_tanh(x, h, layer.all_weights[0], True, 1, 0.0, False, False, False)
    >>> output.equal(layer(x)[0])
    True
    """
    return _run("rnn_tanh", "RNN_TANH", args, kwargs)


def rnn_relu(*args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
    """The layers of `nn.RNN(nonlinearity="relu")` as a function; arguments and results as of `rnn_tanh`."""
    return _run("rnn_relu", "RNN_RELU", args, kwargs)


def gru(*args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
    """The layers of `nn.GRU` as a function; arguments and results as of `rnn_tanh`."""
    return _run("gru", "GRU", args, kwargs)


def lstm(*args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
    """The layers of `nn.LSTM` as a function; arguments as of `rnn_tanh`, but hx is a pair of hidden states
    and cells, and so are the results behind the output."""
    return _run("lstm", "LSTM", args, kwargs)
