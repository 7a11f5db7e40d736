"""A softmax over many classes, in clusters of rarer and rarer ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import mlx
from mlx._C import Tensor
from mlx.nn.modules.container import ModuleList, Sequential
from mlx.nn.modules.linear import Linear
from mlx.nn.modules.module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class AdaptiveOutput(NamedTuple):
    """The log probability of each target, and minus their mean."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Grave et al., "Efficient softmax approximation for GPUs" (2017): the most frequent classes have a
    column each in the head, the others share one a cluster, and have their own in a tail of fewer features.

    Args:
        in_features: of the input (batch, in_features), or of a vector.
        n_classes: the classes, the most frequent first.
        cutoffs: where the clusters begin.
        div_value: how many times fewer features each cluster has than the one before.
        head_bias: whether the head has a bias.

    >>> import mlx
    >>> layer = mlx.nn.AdaptiveLogSoftmaxWithLoss(8, 10, [2, 5])
    >>> probabilities = layer.log_prob(mlx.rand(3, 8)).exp()
    >>> mlx.allclose(probabilities.sum(1), mlx.ones(3))
    True
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        edges = list(cutoffs)
        if not edges:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        if edges != sorted(set(edges)) or edges[0] <= 0 or edges[-1] > n_classes - 1 or not all(
            isinstance(c, int) for c in edges
        ):  # fmt: skip
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, "
                "where each value is between 1 and n_classes-1"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*edges, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            features = int(in_features // (div_value ** (i + 1)))
            classes = self.cutoffs[i + 1] - self.cutoffs[i]
            self.tail.append(
                Sequential(
                    Linear(in_features, features, False, device, dtype),
                    Linear(features, classes, False, device, dtype),
                )
            )

    def reset_parameters(self) -> None:
        self.head.reset_parameters()
        for first, second in self.tail:
            first.reset_parameters()
            second.reset_parameters()

    def forward(self, input: Tensor, target: Tensor) -> AdaptiveOutput:
        if input.dim() not in (1, 2) or target.dim() != input.dim() - 1:
            raise RuntimeError(
                "0D target with 1D input or 1D target with 2D input expected, got "
                f"{target.dim()}D target with {input.dim()}D input"
            )
        if input.dim() == 2 and input.size(0) != target.size(0):
            raise RuntimeError("Input and target should have the same size in the batch dimension.")
        rows, labels = mlx.atleast_2d(input), target.reshape(-1)
        if ((labels < 0) | (labels >= self.n_classes)).any().item():
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{int(labels.min())}, {int(labels.max())}] were found. "
            )
        # The column of the head: a class's own, or that of its cluster.
        column = labels
        below = []
        for i, tail in enumerate(self.tail):
            members = (labels >= self.cutoffs[i]) & (labels < self.cutoffs[i + 1])
            column = mlx.where(members, self.shortlist_size + i, column)
            index = members.nonzero().squeeze(1)
            if index.numel():
                inner = tail(rows[index]).log_softmax(1)
                below.append((index, inner.gather(1, (labels[index] - self.cutoffs[i]).unsqueeze(1))))
        output = self.head(rows).log_softmax(1).gather(1, column.unsqueeze(1)).squeeze(1)
        for index, inner in below:
            output = output.index_add(0, index, inner.squeeze(1))
        loss = -output.mean()
        return AdaptiveOutput(output if input.dim() == 2 else output.squeeze(0), loss)

    def log_prob(self, input: Tensor) -> Tensor:
        """The log probabilities of all classes, (batch, n_classes)."""
        head = self.head(input).log_softmax(1)
        parts = [head[:, : self.shortlist_size]]
        for i, tail in enumerate(self.tail):
            parts.append(tail(input).log_softmax(1) + head[:, self.shortlist_size + i].unsqueeze(1))
        return mlx.cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class of each sample."""
        return self.log_prob(input).argmax(1)
