"""Anomaly mode: find the forward line behind a bad gradient."""

from __future__ import annotations

from mlx import _C


class set_detect_anomaly:
    """Turns anomaly mode on or off at once, and back when used as a context manager.

    In anomaly mode every op keeps Python's stack, and a backward pass that fails or yields NaN shows
    where the op ran.

    Args:
        mode: whether to detect anomalies.
        check_nan: whether NaN in a gradient raises.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = _C.is_anomaly_enabled(), _C.is_anomaly_check_nan_enabled()
        _C._set_anomaly(mode, check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        _C._set_anomaly(*self._before)


class detect_anomaly(set_detect_anomaly):
    """Anomaly mode as a context manager; see `set_detect_anomaly`."""

    def __init__(self, check_nan: bool = True) -> None:
        self._before = _C.is_anomaly_enabled(), _C.is_anomaly_check_nan_enabled()
        self.check_nan = check_nan

    def __enter__(self) -> None:
        _C._set_anomaly(True, self.check_nan)
