"""Objects as JSON: what an object is made of, apart from the elements of its tensors.

None, booleans, numbers, strings and lists stand for themselves. Everything else is a node, a JSON object
whose first key says its kind: `{"tuple": [...]}`, `{"dict": {...}}`, `{"module": "mlx.nn.Linear", ...}`,
`{"tensor": name}`. An object that occurs again is `{"same": id}`. `decode` is the other half.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Iterable
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np

import mlx
from mlx._C import Tensor
from mlx.nn.modules.lazy import LazyModuleMixin
from mlx.nn.modules.state import StateDict
from mlx.serialization import registry
from mlx.serialization.errors import SerializationError
from mlx.serialization.tensor_table import TensorTable

__all__ = ["MAX_DEPTH", "Encoder"]

MAX_DEPTH = 200  # of nesting; Python's own stack ends soon after
PLAIN = (type(None), bool, int, float, str)
ARRAYS = "biufcSU"  # the kinds of NumPy arrays that are stored: numbers and texts
# Attributes of a Module that have their own place in its node.
STORES = {
    "parameters": "_parameters",
    "buffers": "_buffers",
    "modules": "_modules",
}
NON_PERSISTENT = "_non_persistent_buffers_set"


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and isinstance(a, (*PLAIN, list, tuple, dict, set)) and bool(a == b)


class Encoder:
    """Turns one object into its structure, and collects its tensors."""

    def __init__(self) -> None:
        self.table = TensorTable()
        self._nodes: dict[int, dict[str, Any]] = {}  # of objects that keep their identity
        self._ids = 0
        self._open: list[int] = []  # the containers around what is being encoded

    def encode(self, obj: Any, path: str = "", name: str = "") -> Any:
        """The JSON value for `obj`.

        Args:
            path: where `obj` is, as errors say it. name: the same as tensors are called in the file.

        Raises:
            SerializationError: naming the part that cannot be stored.
        """
        if type(obj) in PLAIN:
            return obj
        if id(obj) in self._nodes:
            return self._again(self._nodes[id(obj)])
        if id(obj) in self._open:
            raise self._refuse(obj, path, "it contains itself")
        if len(self._open) >= MAX_DEPTH:
            raise self._refuse(obj, path, f"it is nested more than {MAX_DEPTH} deep")
        self._open.append(id(obj))
        try:
            return self._node(obj, path, name)
        finally:
            self._open.pop()

    def _again(self, node: dict[str, Any]) -> dict[str, Any]:
        if "id" not in node:
            node["id"] = self._ids
            self._ids += 1
        return {"same": node["id"]}

    @staticmethod
    def _refuse(obj: Any, path: str, why: str) -> SerializationError:
        where = f"the object{path}" if path.startswith(("[", ".")) else path or "the object"
        return SerializationError(f"save(): cannot store {where}, a {mlx.typename(obj)}: {why}")

    def _node(self, obj: Any, path: str, name: str) -> Any:
        if isinstance(obj, Tensor):
            return self._tensor(obj, path, name)
        if isinstance(obj, mlx.nn.Module):
            return self._module(obj, path, name)
        if isinstance(obj, Enum):
            return {"enum": registry.class_name(type(obj)), "member": self._member(obj, path)}
        if type(obj) is list:
            return self._items(obj, path, name)
        container = self._container(obj, path, name)
        return self._leaf(obj, path, name) if container is None else container

    def _container(self, obj: Any, path: str, name: str) -> dict[str, Any] | None:
        for kind, cls in (("tuple", tuple), ("size", mlx.Size), ("set", set), ("frozenset", frozenset)):
            if type(obj) is cls:
                return {kind: self._items(obj, path, name)}
        if isinstance(obj, StateDict) or (type(obj) is OrderedDict and hasattr(obj, "_metadata")):
            node = {"state_dict": self._pairs(obj, path, name)}
            return node | {"metadata": self.encode(getattr(obj, "_metadata", None), f"{path}._metadata")}
        for kind, mapping in (("dict", dict), ("ordered_dict", OrderedDict)):
            if type(obj) is mapping and all(type(key) is str for key in obj):
                return {kind: self._values(obj, path, name)}
            if type(obj) is mapping:
                return {f"{kind}_items": self._pairs(obj, path, name)}
        return None

    def _leaf(self, obj: Any, path: str, name: str) -> dict[str, Any]:
        if type(obj) in (bytes, bytearray):
            return {type(obj).__name__: base64.b64encode(obj).decode()}
        if type(obj) is complex:
            return {"complex": [obj.real, obj.imag]}
        if type(obj) in (range, slice):
            return {type(obj).__name__: [obj.start, obj.stop, obj.step]}
        if isinstance(obj, (mlx.dtype, mlx.device)):
            return {type(obj).__name__: str(obj).removeprefix("mlx.")}
        if isinstance(obj, (mlx.layout, mlx.memory_format)):
            return {"constant": repr(obj).removeprefix("mlx.")}
        if isinstance(obj, (np.bool_, np.integer, np.floating)) and obj.dtype.kind in "biuf":
            return {"numpy": str(obj.dtype), "value": obj.item()}
        if type(obj) is np.ndarray and obj.dtype.kind in ARRAYS:
            return self._array(obj, path, name)
        function = registry.function_name(obj)
        if function is not None:
            return {"function": function}
        if registry.is_registered(type(obj)):
            return self._registered(obj, path, name)
        raise self._refuse(obj, path, _advice(obj))

    def _items(self, items: Iterable[Any], path: str, name: str) -> list[Any]:
        return [self.encode(item, f"{path}[{i}]", _joined(name, i)) for i, item in enumerate(items)]

    def _values(self, items: dict[str, Any], path: str, name: str) -> dict[str, Any]:
        return {k: self.encode(v, f"{path}[{k!r}]", _joined(name, k)) for k, v in items.items()}

    def _pairs(self, items: dict[Any, Any], path: str, name: str) -> list[list[Any]]:
        return [
            [self.encode(k, f"{path} (a key)"), self.encode(v, f"{path}[{k!r}]", _joined(name, k))]
            for k, v in items.items()
        ]

    def _attributes(self, items: dict[str, Any], path: str, name: str) -> dict[str, Any]:
        return {k: self.encode(v, f"{path}.{k}", _joined(name, k)) for k, v in items.items()}

    def _member(self, obj: Enum, path: str) -> str:
        if type(obj).__members__.get(obj.name) is not obj:
            raise self._refuse(obj, path, "it is not a single member of its class")
        return obj.name

    def _registered(self, obj: Any, path: str, name: str) -> dict[str, Any]:
        node = self._nodes[id(obj)] = {"object": registry.class_name(type(obj))}
        node |= {"attributes": self._attributes(vars(obj), path, name)}
        return node

    def _tensor(self, t: Tensor, path: str, name: str) -> dict[str, Any]:
        node: dict[str, Any] = {"tensor": name}
        self._nodes[id(t)] = node
        if type(t) is not Tensor:
            node["class"] = registry.class_name(type(t))
        if t.requires_grad:
            node["requires_grad"] = True
        if t.device.type != "cpu":
            node["device"] = str(t.device)
        attributes = getattr(t, "__dict__", None)
        if attributes:
            node["attributes"] = self._attributes(attributes, path, name)
        self.table.add(t, name, node)
        return node

    def _array(self, array: np.ndarray, path: str, name: str) -> dict[str, Any]:
        node = self._nodes[id(array)] = {"array": array.dtype.str, "shape": list(array.shape)}
        data = np.frombuffer(bytearray(array.tobytes()), np.uint8)
        node["bytes"] = self._tensor(mlx.from_numpy(data), path, name)
        return node

    def _module(self, module: mlx.nn.Module, path: str, name: str) -> dict[str, Any]:
        path = path or type(module).__name__
        if isinstance(module, LazyModuleMixin) and module.has_uninitialized_params():
            raise self._refuse(
                module, path, "its parameters wait for a first input; call it once before saving"
            )
        node: dict[str, Any] = {"module": registry.class_name(type(module))}
        self._nodes[id(module)] = node
        usual = vars(mlx.nn.Module())
        own = dict(vars(module))
        stores = {kind: own.pop(store) for kind, store in STORES.items()}
        non_persistent = own.pop(NON_PERSISTENT)
        hooks = {k: own.pop(k) for k in usual if k.endswith("_hooks")}
        own = {k: v for k, v in own.items() if not (k in usual and _same(v, usual[k]))}
        for key, value in hooks.items():
            if value:
                raise SerializationError(
                    f"save(): cannot store {path}: it has hooks ({key}), which are functions; remove them, "
                    "or save its state_dict()"
                )
        if own:
            node["attributes"] = self._attributes(own, path, name)
        for kind, items in stores.items():
            if items:
                node[kind] = self._attributes(items, path, name)
        if non_persistent:
            node["non_persistent"] = sorted(non_persistent)
        return node


def _joined(name: str, key: Any) -> str:
    return f"{name}.{key}" if name else str(key)


def _advice(obj: Any) -> str:
    if isinstance(obj, np.ndarray):
        return "arrays of numbers and texts are stored, not those of objects or records"
    if isinstance(obj, (FunctionType, MethodType, BuiltinFunctionType)):
        return (
            "functions are stored by name, and only those of mlx's namespaces of ops or registered with "
            "mlx.serialization.register(); register it, or save a state_dict()"
        )
    return (
        "only tensors, modules, plain Python values and classes registered with mlx.serialization.register() "
        "can be stored; register the class, remove the object, or save a state_dict()"
    )
