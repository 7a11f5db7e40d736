"""The state of the default random generator."""

from __future__ import annotations

from mlx import _C
from mlx._C import Generator, Tensor, default_generator

__all__ = [
    "default_generator",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
    "thread_safe_generator",
]


def manual_seed(seed: int) -> Generator:
    """Seed the default generator; the numbers that follow are the same on every device.

    >>> import mlx
    >>> _ = mlx.manual_seed(0)
    >>> a = mlx.rand(3)
    >>> _ = mlx.manual_seed(0)
    >>> bool((mlx.rand(3) == a).all())
    True
    """
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Seed the default generator with a number that cannot be foreseen, and return it."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator."""
    return default_generator.initial_seed()


def get_state(self: Generator) -> Tensor:
    """The seed and position as a tensor of 16 bytes."""
    seed, position = self._state()
    return _C.tensor(list(seed.to_bytes(8, "little") + position.to_bytes(8, "little")), dtype=_C.uint8)


def set_state(self: Generator, new_state: Tensor) -> Generator:
    """Go back to a state that get_state() gave."""
    if new_state.dtype is not _C.uint8 or new_state.numel() != 16:
        raise RuntimeError(
            f"set_state(): expected 16 elements of uint8, got {new_state.numel()} of {new_state.dtype}"
        )
    raw = bytes(new_state.tolist())
    self._set_state(int.from_bytes(raw[:8], "little"), int.from_bytes(raw[8:], "little"))
    return self


Generator.get_state = get_state  # type: ignore[method-assign]
Generator.set_state = set_state  # type: ignore[method-assign]


def get_rng_state() -> Tensor:
    """The state of the default generator, a tensor of bytes."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Put the default generator into a state that get_rng_state() gave."""
    default_generator.set_state(new_state)


def thread_safe_generator() -> Generator | None:
    """The generator of a DataLoader's worker thread: None, since workers are processes, each with a default
    generator of its own."""
    return None
