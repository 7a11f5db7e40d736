"""Tables whose rows are looked up by number."""

from __future__ import annotations

from typing import Any

import mlx
from mlx._C import Tensor
from mlx.nn import functional as F
from mlx.nn import init
from mlx.nn.modules.module import Module
from mlx.nn.parameter import Parameter

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Module):
    """The weight of an embedding, and the options of looking it up."""

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None

    def _make_weight(self, given: Tensor | None, freeze: bool, device: Any, dtype: Any) -> None:
        shape = (self.num_embeddings, self.embedding_dim)
        if given is None:
            self.weight = Parameter(mlx.empty(shape, device=device, dtype=dtype), not freeze)
            self.reset_parameters()
            return
        if tuple(given.shape) != shape:
            raise AssertionError("Shape of weight does not match num_embeddings and embedding_dim")
        self.weight = Parameter(given, not freeze)

    def _set_padding_idx(self, padding_idx: int | None) -> None:
        count = self.num_embeddings
        if padding_idx is not None and not -count <= padding_idx < count:
            raise AssertionError("padding_idx must be within num_embeddings")
        self.padding_idx = padding_idx if padding_idx is None or padding_idx >= 0 else count + padding_idx

    def reset_parameters(self) -> None:
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with mlx.no_grad():
                self.weight[self.padding_idx].fill_(0)

    @staticmethod
    def _check_table(embeddings: Tensor) -> tuple[int, int]:
        if embeddings.dim() != 2:
            raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
        rows, columns = embeddings.shape
        return rows, columns

    def _options(self, *usual: tuple[str, Any]) -> str:
        """The table's size and those options that are not as usual."""
        given = {name: getattr(self, name) for name, value in usual if getattr(self, name) != value}
        return ", ".join(
            [f"{self.num_embeddings}, {self.embedding_dim}", *(f"{k}={v!r}" for k, v in given.items())]
        )


class Embedding(_Table):
    """A row of `weight` (num_embeddings, embedding_dim) for each number of an integer tensor.

    Args:
        padding_idx: a row that starts as zeros and gets no gradient.
        max_norm: rows that are looked up and longer than this are shortened to it, in place.
        norm_type: which p-norm `max_norm` limits.
        scale_grad_by_freq: divide a row's gradient by how often it was looked up.
        sparse: accepted; gradients are dense.

    >>> import mlx
    >>> mlx.nn.Embedding(10, 3)(mlx.tensor([[1, 2], [4, 9]])).shape
    mlx.Size([2, 2, 3])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self._set_padding_idx(padding_idx)
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        self._make_weight(_weight, _freeze, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    def extra_repr(self) -> str:
        return self._options(
            ("padding_idx", None),
            ("max_norm", None),
            ("norm_type", 2),
            ("scale_grad_by_freq", False),
            ("sparse", False),
        )

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """An embedding with the given table, which is not trained unless `freeze` is false."""
        rows, columns = cls._check_table(embeddings)
        return cls(
            rows,
            columns,
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            _weight=embeddings,
            _freeze=freeze,
        )


class EmbeddingBag(_Table):
    """Sums, means or maxima of rows of `weight`, a bag of numbers each, without the rows in between.

    Args:
        mode: "sum", "mean" or "max".
        include_last_offset: whether the last of `offsets` is the end of the last bag.
        padding_idx: numbers that count as not in the bag.

    >>> import mlx
    >>> bag = mlx.nn.EmbeddingBag.from_pretrained(mlx.eye(3), mode="sum")
    >>> bag(mlx.tensor([0, 2, 1]), mlx.tensor([0, 2]))
    tensor([[1., 0., 1.],
            [0., 1., 0.]])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self._set_padding_idx(padding_idx)
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset
        self._make_weight(_weight, False, device, dtype)

    def forward(
        self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None
    ) -> Tensor:
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        return self._options(
            ("max_norm", None),
            ("norm_type", 2),
            ("scale_grad_by_freq", False),
            ("mode", None),
            ("padding_idx", None),
        )

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """Bags from the given table, which is not trained unless `freeze` is false."""
        rows, columns = cls._check_table(embeddings)
        made = cls(
            rows,
            columns,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            mode,
            sparse,
            embeddings,
            include_last_offset,
            padding_idx,
        )
        made.weight.requires_grad = not freeze
        return made
