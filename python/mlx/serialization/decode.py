"""Structure back to objects: the other half of `structure`. Runs no code that the file could choose."""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import numpy as np

import mlx
from mlx import _C
from mlx._C import Tensor
from mlx.nn.modules.state import StateDict
from mlx.serialization.registry import SETTINGS, find_class, find_function
from mlx.serialization.structure import ARRAYS, MAX_DEPTH, NON_PERSISTENT, PLAIN, STORES
from mlx.serialization.tensor_table import place

__all__ = ["Decoder"]


class Decoder:
    """Builds one object.

    Args:
        tensors: the tensors of the file by name.
        locate: takes a tensor and the name of the device it was saved from to where it belongs.
    """

    def __init__(self, tensors: Mapping[str, Tensor], locate: Callable[[Tensor, str], Tensor]) -> None:
        self._tensors = tensors
        self._locate = locate
        self._located: dict[str, Tensor] = {}
        self._objects: dict[int, Any] = {}
        self._depth = 0

    def decode(self, value: Any) -> Any:
        """The object that a JSON value stands for.

        Raises:
            UnknownClassError: for a class or function that may not be used. ValueError, TypeError, KeyError,
            AttributeError: for a structure that is not sound.
        """
        if type(value) in PLAIN:
            return value
        self._depth += 1
        if self._depth > MAX_DEPTH + 1:
            raise ValueError(f"nested more than {MAX_DEPTH} deep")
        if type(value) is list:
            result: Any = [self.decode(item) for item in value]
        else:
            kind = next(iter(value), "")
            result = KINDS[kind](self, value)
        self._depth -= 1
        return result

    def _remember(self, node: dict[str, Any], obj: Any) -> Any:
        if "id" in node:
            self._objects[node["id"]] = obj
        return obj

    def _same(self, node: dict[str, Any]) -> Any:
        return self._objects[node["same"]]

    def _values(self, items: dict[str, Any]) -> dict[str, Any]:
        return {key: self.decode(value) for key, value in items.items()}

    def _sequence(self, node: dict[str, Any], kind: str) -> list[Any]:
        return [self.decode(item) for item in node[kind]]

    def _pairs(self, node: dict[str, Any], kind: str) -> list[tuple[Any, Any]]:
        return [(self.decode(key), self.decode(value)) for key, value in node[kind]]

    def _tensor(self, node: dict[str, Any]) -> Tensor:
        name = node["tensor"]
        if name not in self._located:
            self._located[name] = self._locate(self._tensors[name], node.get("device", "cpu"))
        t = place(self._located[name], node.get("view"))
        requires_grad = bool(node.get("requires_grad", False))
        if "class" in node:
            t = _C._make_subclass(find_class(node["class"], Tensor), t, requires_grad)
        elif requires_grad:
            t.requires_grad_()
        self._remember(node, t)
        for key, value in self._values(node.get("attributes", {})).items():
            t.__dict__[key] = value
        return t

    def _module(self, node: dict[str, Any]) -> mlx.nn.Module:
        module = self._remember(node, object.__new__(find_class(node["module"], mlx.nn.Module)))
        mlx.nn.Module.__init__(module)
        state = vars(module)
        state.update(self._values(node.get("attributes", {})))
        for kind, store in STORES.items():
            items = self._values(node.get(kind, {}))
            wanted = mlx.nn.Module if kind == "modules" else Tensor
            if not all(item is None or isinstance(item, wanted) for item in items.values()):
                raise TypeError(f"the {kind} of {type(module).__name__} are not all {wanted.__name__}s")
            state[store].update(items)
        state[NON_PERSISTENT].update(_text(name) for name in node.get("non_persistent", ()))
        return module

    def _state_dict(self, node: dict[str, Any]) -> StateDict:
        result = StateDict(self._pairs(node, "state_dict"))
        metadata = self.decode(node["metadata"])
        if metadata is not None:
            result._metadata = metadata
        return result

    def _registered(self, node: dict[str, Any]) -> Any:
        cls = find_class(node["object"])
        obj = self._remember(node, cls() if node["object"] in SETTINGS else object.__new__(cls))
        vars(obj).update(self._values(node["attributes"]))
        return obj


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"expected a text, got {value!r}")
    return value


def _enum(_: Decoder, node: dict[str, Any]) -> Enum:
    return find_class(node["enum"], Enum).__members__[node["member"]]  # type: ignore[attr-defined]


def _dtype(name: str) -> _C.dtype:
    return vars(_C._dtypes)[name]


def _constant(_: Decoder, node: dict[str, Any]) -> Any:
    value = vars(mlx)[node["constant"]]
    if not isinstance(value, (mlx.layout, mlx.memory_format)):
        raise ValueError(f"{node['constant']!r} is not a constant")
    return value


def _numpy(_: Decoder, node: dict[str, Any]) -> Any:
    kind = np.dtype(_text(node["numpy"]))
    if kind.kind not in "biuf":
        raise ValueError(f"{kind} is not a number")
    return kind.type(node["value"])


def _array(decoder: Decoder, node: dict[str, Any]) -> np.ndarray:
    kind = np.dtype(_text(node["array"]))
    if kind.kind not in ARRAYS:
        raise ValueError(f"no array of {kind} is stored")
    data = decoder._tensor(node["bytes"]).detach().cpu().numpy()
    return decoder._remember(node, np.ndarray(node["shape"], kind, data.tobytes()).copy())


KINDS: dict[str, Callable[[Decoder, dict[str, Any]], Any]] = {
    "same": Decoder._same,
    "tensor": Decoder._tensor,
    "module": Decoder._module,
    "object": Decoder._registered,
    "enum": _enum,
    "constant": _constant,
    "numpy": _numpy,
    "array": _array,
    "tuple": lambda d, node: tuple(d._sequence(node, "tuple")),
    "size": lambda d, node: mlx.Size(d._sequence(node, "size")),
    "set": lambda d, node: set(d._sequence(node, "set")),
    "frozenset": lambda d, node: frozenset(d._sequence(node, "frozenset")),
    "state_dict": Decoder._state_dict,
    "dict": lambda d, node: d._values(node["dict"]),
    "ordered_dict": lambda d, node: OrderedDict(d._values(node["ordered_dict"])),
    "dict_items": lambda d, node: dict(d._pairs(node, "dict_items")),
    "ordered_dict_items": lambda d, node: OrderedDict(d._pairs(node, "ordered_dict_items")),
    "bytes": lambda _, node: base64.b64decode(node["bytes"], validate=True),
    "bytearray": lambda _, node: bytearray(base64.b64decode(node["bytearray"], validate=True)),
    "complex": lambda _, node: complex(*node["complex"]),
    "range": lambda _, node: range(*node["range"]),
    "slice": lambda _, node: slice(*node["slice"]),
    "dtype": lambda _, node: _dtype(_text(node["dtype"])),
    "device": lambda _, node: mlx.device(_text(node["device"])),
    "function": lambda _, node: find_function(_text(node["function"])),
}
