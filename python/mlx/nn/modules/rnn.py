"""Recurrent layers and their cells.

A layer projects its input for all steps by one product; the walk over the steps is an op of the core.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import mlx
from mlx import _C
from mlx._C import Tensor
from mlx.nn import functional as F
from mlx.nn import init
from mlx.nn.modules.module import Module
from mlx.nn.parameter import Parameter
from mlx.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell", "RNNCellBase"]

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RNNBase(Module):
    """What the recurrent layers share: parameters, directions, the forms of their input.

    Args:
        mode: "LSTM", "GRU", "RNN_TANH" or "RNN_RELU".
        input_size, hidden_size: the features of a step, and of the hidden state.
        num_layers: how many layers, each fed with the output of the one below.
        bias: whether the gates have biases.
        batch_first: whether input and output are (batch, steps, features), not (steps, batch, features).
        dropout: of the outputs of all layers but the last.
        bidirectional: whether a second layer walks from the last step to the first.
        proj_size: LSTM only; the size that the hidden state is projected to, if not 0.
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if mode not in _GATES:
            raise ValueError(f"Unrecognized RNN mode: {mode}")
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_options(dropout)
        for layer in range(num_layers):
            for direction in range(1 + bidirectional):
                for name, shape in self._shapes(layer).items():
                    empty = mlx.empty(shape, device=device, dtype=dtype)
                    self.register_parameter(name + self._suffix(layer, direction), Parameter(empty))
        self.reset_parameters()

    def _check_options(self, dropout: Any) -> None:
        if isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an element being "
                "zeroed"
            )
        if dropout > 0 and self.num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={dropout} and num_layers={self.num_layers}",
                stacklevel=4,
            )
        for name in ("input_size", "hidden_size"):
            size = getattr(self, name)
            if not isinstance(size, int):
                raise TypeError(f"{name} should be of type int, got: {type(size).__name__}")
            if size <= 0:
                raise ValueError(f"{name} must be greater than zero")
        for name in ("bias", "batch_first"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} should be of type bool, got: {type(getattr(self, name)).__name__}")
        if self.num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if self.proj_size < 0:
            raise ValueError("proj_size should be a positive integer or zero to disable projections")
        if self.proj_size >= self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")

    @staticmethod
    def _suffix(layer: int, direction: int) -> str:
        return f"_l{layer}{'_reverse' if direction else ''}"

    @property
    def _state_size(self) -> int:
        return self.proj_size or self.hidden_size

    def _shapes(self, layer: int) -> dict[str, tuple[int, ...]]:
        """The parameters of a layer in the order of the state dict."""
        gates = _GATES[self.mode] * self.hidden_size
        inputs = self._state_size * (1 + self.bidirectional) if layer else self.input_size
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (gates, inputs),
            "weight_hh": (gates, self._state_size),
        }
        if self.bias:
            shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        return shapes

    def reset_parameters(self) -> None:
        bound = 1.0 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Does nothing; there for programs written for GPUs."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[self._weight(name) for name in row] for row in self._all_weights]

    @property
    def _all_weights(self) -> list[list[str]]:
        """Their names, which programs go through to give some of them values of their own."""
        return [
            [name + self._suffix(layer, direction) for name in self._shapes(layer)]
            for layer in range(self.num_layers)
            for direction in range(1 + self.bidirectional)
        ]

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for row in self._all_weights for name in row]

    @property
    def _flat_weights(self) -> list[Parameter]:
        return [weight for row in self.all_weights for weight in row]

    def _weight(self, name: str) -> Any:
        """A parameter, or the tensor that stands in its place, such as a normalised one."""
        parameter = self._parameters.get(name)
        return getattr(self, name) if parameter is None else parameter

    # The walk --------------------------------------------------------------------------------------------

    def _walk(
        self, input: Tensor, states: list[Tensor], weights: list[Parameter], reverse: bool
    ) -> list[Tensor]:
        """One layer in one direction: its output at all steps, and its other states there."""
        raise NotImplementedError

    def _one_direction(
        self,
        input: Tensor,
        states: list[Tensor],
        weights: list[Parameter],
        reverse: bool,
        lengths: Tensor | None,
    ) -> tuple[Tensor, list[Tensor]]:
        """The output at all steps, and the states after the last."""
        if lengths is None:
            results = self._walk(input, states, weights, reverse)
            return results[0], [r[0 if reverse else -1] for r in results]
        # What pads a sequence lies behind it in either direction, so it does not reach the steps that count.
        turn = _turned(input.size(0), lengths) if reverse else None
        results = self._walk(_along_steps(input, turn), states, weights, False)
        last = [_along_steps(r, (lengths - 1).unsqueeze(0)).squeeze(0) for r in results]
        return _along_steps(results[0], turn), last

    def _all_layers(
        self, input: Tensor, states: list[Tensor], lengths: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """The last layer's output (steps, batch, features), and the last states of all layers."""
        finals: list[list[Tensor]] = []
        weights = self.all_weights
        directions = 1 + self.bidirectional
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(directions):
                at = layer * directions + direction
                output, last = self._one_direction(
                    input, [s[at] for s in states], weights[at], direction == 1, lengths
                )
                outputs.append(output)
                finals.append(last)
            input = mlx.cat(outputs, -1) if self.bidirectional else outputs[0]
            if self.dropout and layer < self.num_layers - 1:
                input = F.dropout(input, self.dropout, self.training)
        return input, [mlx.stack(states) for states in zip(*finals, strict=True)]

    # The forms of input ----------------------------------------------------------------------------------

    def _first_states(self, hx: Any, batch: int, like: Tensor) -> list[Tensor]:
        """The states before the first step, (layers * directions, batch, size) each."""
        sizes = self._state_sizes()
        count = self.num_layers * (1 + self.bidirectional)
        if hx is None:
            return [mlx.zeros(count, batch, n, dtype=like.dtype, device=like.device) for n in sizes]
        states = list(hx) if isinstance(hx, (tuple, list)) else [hx]
        if len(states) != len(sizes):
            raise RuntimeError(
                f"{type(self).__name__}: expected {len(sizes)} initial state(s), got {len(states)}"
            )
        for state, n in zip(states, sizes, strict=True):
            if tuple(state.shape) != (count, batch, n):
                raise RuntimeError(
                    f"Expected hidden size {(count, batch, n)}, got {list(state.shape)} "
                    f"({type(self).__name__}: layers * directions, batch, size)"
                )
        return states

    def _state_sizes(self) -> list[int]:
        return [self.hidden_size]

    def _check_features(self, input: Tensor) -> None:
        fits = input.is_floating_point() and input.dtype == self.weight_ih_l0.dtype
        if not fits and not _C._autocast_active():
            raise ValueError(f"input must have the type {self.weight_ih_l0.dtype}, got type {input.dtype}")
        if input.size(-1) != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, "
                f"got {input.size(-1)}"
            )

    def _run(self, input: Any, hx: Any) -> tuple[Any, list[Tensor]]:
        """The output in the form of the input, and the last states."""
        if isinstance(input, PackedSequence):
            return self._run_packed(input, hx)
        if input.dim() not in (2, 3):
            raise ValueError(
                f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.dim()}D instead"
            )
        self._check_features(input)
        batched = input.dim() == 3
        if hx is not None:
            hx = self._checked_dims(hx, batched)
        steps = input if batched else input.unsqueeze(1)
        if batched and self.batch_first:
            steps = steps.transpose(0, 1)
        if steps.size(0) == 0:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        output, last = self._all_layers(steps, self._first_states(hx, steps.size(1), input), None)
        if not batched:
            return output.squeeze(1), [s.squeeze(1) for s in last]
        return output.transpose(0, 1) if self.batch_first else output, last

    def _checked_dims(self, hx: Any, batched: bool) -> list[Tensor]:
        states = list(hx) if isinstance(hx, (tuple, list)) else [hx]
        wanted = 3 if batched else 2
        if any(s.dim() != wanted for s in states):
            kind = "batched 3-D" if batched else "unbatched 2-D"
            raise RuntimeError(
                f"For {kind} input, hx (and cx) should also be {wanted}-D but got "
                f"{tuple(s.dim() for s in states)}-D tensors"
            )
        return states if batched else [s.unsqueeze(1) for s in states]

    def _run_packed(self, input: PackedSequence, hx: Any) -> tuple[PackedSequence, list[Tensor]]:
        self._check_features(input.data)
        in_order = PackedSequence(input.data, input.batch_sizes)
        steps, lengths = pad_packed_sequence(in_order)
        states = self._first_states(hx, steps.size(1), input.data)
        if hx is not None and input.sorted_indices is not None:
            states = [s.index_select(1, input.sorted_indices) for s in states]
        output, last = self._all_layers(steps, states, lengths.to(steps.device))
        if input.unsorted_indices is not None:
            last = [s.index_select(1, input.unsorted_indices) for s in last]
        data = pack_padded_sequence(output, lengths).data
        return PackedSequence(data, *input[1:]), last

    def extra_repr(self) -> str:
        parts = [f"{self.input_size}, {self.hidden_size}"]
        usual = {
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0,
            "bidirectional": False,
        }
        parts += [f"{n}={getattr(self, n)}" for n, v in usual.items() if getattr(self, n) != v]
        return ", ".join(parts)


def _turned(steps: int, lengths: Tensor) -> Tensor:
    """For each step and sequence, the step that takes its place when the sequence is read backwards."""
    forwards = mlx.arange(steps, device=lengths.device).unsqueeze(1)
    return mlx.where(forwards < lengths, lengths - 1 - forwards, forwards)


def _along_steps(x: Tensor, index: Tensor | None) -> Tensor:
    """x[index[t, b], b] of (steps, batch, features)."""
    if index is None:
        return x
    return x.gather(0, index.to(x.device).unsqueeze(-1).expand(*index.shape, x.size(-1)))


class RNN(RNNBase):
    """Elman's recurrent layers: h' = tanh(W_ih x + b_ih + W_hh h + b_hh) (Elman, 1990).

    Args:
        nonlinearity: "tanh" or "relu". For the others see `RNNBase`.

    >>> import mlx
    >>> output, last = mlx.nn.RNN(3, 4, num_layers=2)(mlx.rand(5, 2, 3))
    >>> output.shape, last.shape
    (mlx.Size([5, 2, 4]), mlx.Size([2, 2, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        self.nonlinearity = nonlinearity
        super().__init__(
            f"RNN_{nonlinearity.upper()}",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
        )

    def _walk(
        self, input: Tensor, states: list[Tensor], weights: list[Parameter], reverse: bool
    ) -> list[Tensor]:
        w_ih, w_hh, *biases = weights
        projected = F.linear(input, w_ih, biases[0] + biases[1] if self.bias else None)
        relu = self.nonlinearity == "relu"
        return [_C._rnn_layer(projected, states[0], w_hh, relu=relu, reverse=reverse)]

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, (last,) = self._run(input, hx)
        return output, last


class GRU(RNNBase):
    """Gated recurrent units (Cho et al., 2014):

        r = sigmoid(W_ir x + b_ir + W_hr h + b_hr), z = sigmoid(W_iz x + b_iz + W_hz h + b_hz),
        n = tanh(W_in x + b_in + r * (W_hn h + b_hn)), h' = (1 - z) * n + z * h.

    For the arguments see `RNNBase`.

    >>> import mlx
    >>> output, last = mlx.nn.GRU(3, 4, bidirectional=True)(mlx.rand(5, 2, 3))
    >>> output.shape, last.shape
    (mlx.Size([5, 2, 8]), mlx.Size([2, 2, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "GRU",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
        )

    def _walk(
        self, input: Tensor, states: list[Tensor], weights: list[Parameter], reverse: bool
    ) -> list[Tensor]:
        w_ih, w_hh, *biases = weights
        b_ih, b_hh = biases if self.bias else (None, None)
        return [_C._gru_layer(F.linear(input, w_ih, b_ih), states[0], w_hh, b_hh, reverse=reverse)]

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, (last,) = self._run(input, hx)
        return output, last


class LSTM(RNNBase):
    """Long short-term memory (Hochreiter & Schmidhuber, 1997):

        i, f, o = sigmoid(W x + b + W_h h + b_h) each, g = tanh(W_ig x + b_ig + W_hg h + b_hg),
        c' = f * c + i * g, h' = o * tanh(c'); with `proj_size`, W_hr h' (Sak, Senior & Beaufays, 2014).

    For the arguments see `RNNBase`. The states are a pair (h, c).

    >>> import mlx
    >>> output, (h, c) = mlx.nn.LSTM(3, 4, batch_first=True)(mlx.rand(2, 5, 3))
    >>> output.shape, h.shape, c.shape
    (mlx.Size([2, 5, 4]), mlx.Size([1, 2, 4]), mlx.Size([1, 2, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "LSTM",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            device,
            dtype,
        )

    def _state_sizes(self) -> list[int]:
        return [self._state_size, self.hidden_size]

    def _walk(
        self, input: Tensor, states: list[Tensor], weights: list[Parameter], reverse: bool
    ) -> list[Tensor]:
        w_ih, w_hh, *rest = weights
        w_hr = rest.pop() if self.proj_size else None
        projected = F.linear(input, w_ih, rest[0] + rest[1] if self.bias else None)
        h, c = states
        return list(_C._lstm_layer(projected, h, c, w_hh, w_hr, reverse))

    def forward(
        self, input: Any, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Any, tuple[Tensor, Tensor]]:
        output, (h, c) = self._run(input, hx)
        return output, (h, c)


# ---- cells


def layer_of(
    mode: str,
    params: Sequence[Tensor],
    *,
    bias: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> RNNBase:
    """The layer of a mode with these tensors as its parameters, in the order of `all_weights`."""
    cls: type[RNNBase] = {"LSTM": LSTM, "GRU": GRU}.get(mode, RNN)
    layer = cls.__new__(cls)  # without the parameters that its constructor would make
    Module.__init__(layer)
    directions = 1 + bidirectional
    each = len(params) / (num_layers * directions) if num_layers > 0 else 0
    expected = 4 if bias else 2
    if each not in ((expected, expected + 1) if mode == "LSTM" else (expected,)):
        raise RuntimeError(
            f"{mode.lower()}(): expected {expected} parameters for each of {num_layers * directions} layers "
            f"and directions, got {len(params)}"
        )
    layer.mode = mode
    if isinstance(layer, RNN):
        layer.nonlinearity = mode.removeprefix("RNN_").lower()
    layer.input_size = params[0].shape[1]
    layer.hidden_size = params[0].shape[0] // _GATES[mode]
    layer.proj_size = params[1].shape[1] if each > expected else 0
    layer.num_layers, layer.bias, layer.dropout = num_layers, bias, dropout
    layer.bidirectional, layer.batch_first = bidirectional, batch_first
    layer.training = train
    given = iter(params)
    for number in range(num_layers):
        for direction in range(directions):
            for name, shape in layer._shapes(number).items():
                weight = next(given)
                if tuple(weight.shape) != shape:
                    raise RuntimeError(
                        f"{mode.lower()}(): {name} of layer {number} must have the shape {shape}, got "
                        f"{tuple(weight.shape)}"
                    )
                layer._parameters[name + layer._suffix(number, direction)] = weight
    return layer


class RNNCellBase(Module):
    """What the cells share: the parameters of one step."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        gates = num_chunks * hidden_size
        shapes = {"weight_ih": (gates, input_size), "weight_hh": (gates, hidden_size)}
        for name, shape in shapes.items():
            self.register_parameter(name, Parameter(mlx.empty(shape, device=device, dtype=dtype)))
        for name in ("bias_ih", "bias_hh"):
            empty = Parameter(mlx.empty(gates, device=device, dtype=dtype)) if bias else None
            self.register_parameter(name, empty)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _checked(self, input: Tensor, states: list[Tensor | None]) -> tuple[Tensor, list[Tensor]]:
        """The input and the states as batches; states that are not given are zeros."""
        name = type(self).__name__
        if input.dim() not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        if input.size(-1) != self.input_size:
            raise RuntimeError(
                f"input has inconsistent input_size: got {input.size(-1)}, expected {self.input_size}"
            )
        batched = mlx.atleast_2d(input)
        found = []
        for state in states:
            if state is None:
                state = batched.new_zeros(batched.size(0), self.hidden_size)
            elif state.dim() != input.dim():
                raise ValueError(
                    f"{name}: Expected hidden to be {input.dim()}D as the input, got {state.dim()}D instead"
                )
            state = mlx.atleast_2d(state)
            if tuple(state.shape) != (batched.size(0), self.hidden_size):
                raise RuntimeError(
                    f"hidden has inconsistent shape: got {tuple(state.shape)}, expected "
                    f"{(batched.size(0), self.hidden_size)}"
                )
            found.append(state)
        return batched, found

    def _weights(self) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if not self.bias:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text


class RNNCell(RNNCellBase):
    """One step of `RNN`.

    >>> import mlx
    >>> mlx.nn.RNNCell(3, 4)(mlx.rand(2, 3)).shape
    mlx.Size([2, 4])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        batched, (state,) = self._checked(input, [hx])
        cell = mlx.rnn_tanh_cell if self.nonlinearity == "tanh" else mlx.rnn_relu_cell
        out = cell(batched, state, *self._weights())
        return out if input.dim() == 2 else out.squeeze(0)


class GRUCell(RNNCellBase):
    """One step of `GRU`."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        batched, (state,) = self._checked(input, [hx])
        out = mlx.gru_cell(batched, state, *self._weights())
        return out if input.dim() == 2 else out.squeeze(0)


class LSTMCell(RNNCellBase):
    """One step of `LSTM`; the states are a pair (h, c)."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        batched, states = self._checked(input, [None, None] if hx is None else list(hx))
        h, c = mlx.lstm_cell(batched, states, *self._weights())
        return (h, c) if input.dim() == 2 else (h.squeeze(0), c.squeeze(0))
