"""The pickles in PyTorch's files, read as data: no class is looked up and no function called by its name.

`pickletools` of the standard library takes the pickle apart; what follows is the small machine that the
opcodes address, with the constructors of tensors as its only functions.
"""

from __future__ import annotations

import pickletools
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import mlx
from mlx import _C
from mlx._C import Tensor
from mlx.serialization.errors import SerializationError, UnknownClassError

__all__ = ["StorageKey", "read_torch_pickle"]


class StorageKey(NamedTuple):
    """What a pickle says of a storage: its elements' dtype (None: bytes), its entry, device and length."""

    dtype: _C.dtype | None
    key: str
    location: str
    numel: int


class _Global(NamedTuple):
    """A name that the pickle refers to."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


STORAGES = {
    "BoolStorage": _C.bool,
    "ByteStorage": _C.uint8,
    "CharStorage": _C.int8,
    "ShortStorage": _C.int16,
    "IntStorage": _C.int32,
    "LongStorage": _C.int64,
    "HalfStorage": _C.float16,
    "BFloat16Storage": _C.bfloat16,
    "FloatStorage": _C.float32,
    "DoubleStorage": _C.float64,
    "ComplexFloatStorage": _C.complex64,
    "ComplexDoubleStorage": _C.complex128,
}


class _Storage(NamedTuple):
    data: Tensor  # bytes
    dtype: Any  # of the elements; None where each tensor says its own


def _rebuild(
    storage: _Storage,
    offset: int,
    size: Any,
    stride: Any,
    requires_grad: bool,
    _: Any = None,
    lazy: Any = None,
) -> Tensor:
    """A view of a storage. `lazy` says which functions PyTorch had put off: conjugation, negation."""
    data, dtype = storage
    numbers = [*size, *stride, offset]
    if len(size) != len(stride) or not all(type(n) is int and 0 <= n < 1 << 62 for n in numbers):
        raise ValueError(f"a tensor of shape {size}, strides {stride}, offset {offset}")
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if 0 in size:
        t = _C.empty(list(size), dtype=dtype)
    elif (last + 1) * dtype.itemsize > data.numel():
        raise ValueError(f"a tensor of shape {size}, strides {stride}, offset {offset} leaves its storage")
    else:
        t = _C._from_storage(data, dtype, list(size), list(stride), offset)
    for name in lazy or ():
        t = {"conj": t.conj, "neg": t.neg}[name]()
    return t.requires_grad_() if requires_grad else t


def _rebuild_v3(
    storage: _Storage,
    offset: int,
    size: Any,
    stride: Any,
    requires_grad: bool,
    _: Any,
    dtype: Any,
    lazy: Any = None,
) -> Tensor:
    return _rebuild(_Storage(storage.data, dtype), offset, size, stride, requires_grad, None, lazy)


def _rebuild_parameter(data: Tensor, requires_grad: bool, *_: Any) -> Tensor:
    return mlx.nn.Parameter(data, bool(requires_grad))


def _with_state(data: Tensor, requires_grad: bool, _: Any, state: dict[str, Any]) -> Tensor:
    parameter = mlx.nn.Parameter(data, bool(requires_grad))
    parameter.__dict__.update(state)
    return parameter


FACTORIES = {_Global("builtins", "dict"): dict, _Global("builtins", "list"): list}


def _default_dict(factory: Any = None, items: Any = ()) -> dict[Any, Any]:
    return defaultdict(None if factory is None else FACTORIES[factory], items)


FUNCTIONS: dict[_Global, Callable[..., Any]] = {
    _Global("torch._utils", "_rebuild_tensor"): lambda s, offset, size, stride: _rebuild(
        s, offset, size, stride, False
    ),
    _Global("torch._utils", "_rebuild_tensor_v2"): _rebuild,
    _Global("torch._utils", "_rebuild_tensor_v3"): _rebuild_v3,
    _Global("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    _Global("torch._utils", "_rebuild_parameter_with_state"): _with_state,
    _Global("torch", "Size"): mlx.Size,
    _Global("torch", "device"): mlx.device,
    _Global("torch.serialization", "_get_layout"): lambda _: mlx.strided,
    _Global("collections", "OrderedDict"): OrderedDict,
    _Global("collections", "defaultdict"): _default_dict,
    _Global("builtins", "set"): set,
    _Global("builtins", "frozenset"): frozenset,
    _Global("builtins", "bytearray"): lambda data: bytearray(_expect(data, bytes)),
    _Global("builtins", "complex"): complex,
    _Global("builtins", "slice"): slice,
    _Global("builtins", "range"): range,
    _Global("_codecs", "encode"): lambda text, encoding: text.encode({"latin1": "latin1"}[encoding]),
}
KNOWN = FUNCTIONS.keys() | FACTORIES.keys()
# Python 2's name, which pickles of protocol 2 use.
_PYTHON2 = {"__builtin__": "builtins"}

# Opcodes that push their argument: a number, a text, bytes.
VALUES = frozenset(
    op.name
    for op in pickletools.opcodes
    if op.arg and not op.stack_before and op.stack_after and op.stack_after[0] is not pickletools.anyobject
)
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY: dict[str, Callable[[], Any]] = {
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Machine:
    """Runs a pickle's opcodes on a stack."""

    def __init__(self, storage: Callable[[StorageKey], Tensor]) -> None:
        self._storage = storage
        self.stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def step(self, op: str, argument: Any) -> None:
        push = self.stack.append
        if op in VALUES:
            push(argument)
        elif op in CONSTANTS:
            push(CONSTANTS[op])
        elif op in EMPTY:
            push(EMPTY[op]())
        elif op in TUPLES:
            items = [self.stack.pop() for _ in range(TUPLES[op])]
            push(tuple(reversed(items)))
        elif op in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._memo[len(self._memo) if op == "MEMOIZE" else argument] = self.stack[-1]
        elif op in ("GET", "BINGET", "LONG_BINGET"):
            push(self._memo[argument])
        elif op == "MARK":
            self._marks.append(self.stack)
            self.stack = []
        elif op in ("GLOBAL", "STACK_GLOBAL"):
            self._global(argument)
        else:
            self._combine(op)

    def _global(self, argument: str | None) -> None:
        if argument is None:
            name, module = self.stack.pop(), self.stack.pop()
        else:
            module, name = argument.split(" ")
        found = _Global(_PYTHON2.get(module, module), name)
        if found.module == "torch" and name in vars(_C._dtypes):
            self.stack.append(vars(_C._dtypes)[name])
        elif found in KNOWN or (found.module.startswith("torch") and name.endswith("Storage")):
            self.stack.append(found)
        else:
            raise UnknownClassError(
                f"load(): the file holds a {found}, and rebuilding it could run code. Tensors and containers "
                "of them can be read: in PyTorch, save model.state_dict() instead of the model"
            )

    def _marked(self) -> list[Any]:
        """What was pushed since the last mark, taken off the stack."""
        items, self.stack = self.stack, self._marks.pop()
        return items

    def _combine(self, op: str) -> None:
        if op in ("TUPLE", "LIST", "DICT"):
            items = self._marked()
            made: dict[str, Callable[[Any], Any]] = {"TUPLE": tuple, "LIST": list, "DICT": _pairs}
            self.stack.append(made[op](items))
        elif op == "APPEND":
            item = self.stack.pop()
            _expect(self.stack[-1], list).append(item)
        elif op == "APPENDS":
            items = self._marked()
            _expect(self.stack[-1], list).extend(items)
        elif op == "ADDITEMS":
            items = self._marked()
            _expect(self.stack[-1], set).update(items)
        elif op == "SETITEM":
            value, key = self.stack.pop(), self.stack.pop()
            _expect(self.stack[-1], dict)[key] = value
        elif op == "SETITEMS":
            items = self._marked()
            _expect(self.stack[-1], dict).update(_pairs(items))
        elif op == "BINPERSID":
            self.stack.append(self._persistent(self.stack.pop()))
        elif op in ("REDUCE", "NEWOBJ"):
            arguments, function = self.stack.pop(), self.stack.pop()
            self.stack.append(FUNCTIONS[function](*arguments))
        elif op == "BUILD":
            self._build(self.stack.pop())
        elif op not in ("PROTO", "FRAME", "STOP"):
            raise ValueError(f"an opcode that PyTorch does not use: {op}")

    def _build(self, state: Any) -> None:
        # A state dict carries its versions as an attribute, which has no meaning here.
        if not isinstance(self.stack[-1], (OrderedDict, mlx.nn.Parameter)):
            raise UnknownClassError(f"load(): the file sets the state of a {type(self.stack[-1]).__name__}")

    def _persistent(self, identity: Any) -> _Storage:
        kind, storage_type, key, location, numel = _expect(identity, tuple)
        name = _expect(storage_type, _Global)
        if kind != "storage" or not name.module.startswith("torch"):
            raise ValueError(f"a persistent object {kind!r} of {name}")
        if name.name == "UntypedStorage":
            dtype: Any = None
        elif name.name in STORAGES:
            dtype = STORAGES[name.name]
        else:
            raise SerializationError(f"load(): the file holds a {name}, whose dtype mlx does not have")
        data = self._storage(
            StorageKey(dtype, _expect(key, str), _expect(location, str), _expect(numel, int))
        )
        return _Storage(data, dtype)


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


def _expect(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind) or (kind is tuple and isinstance(value, _Global)):
        raise TypeError(f"a {type(value).__name__} where a {kind.__name__} belongs")
    return value


def read_torch_pickle(data: bytes, storage: Callable[[StorageKey], Tensor]) -> Any:
    """The object in a pickle of PyTorch.

    Args:
        storage: gives the bytes of a storage.

    Raises:
        SerializationError: for what is not a tensor or a plain container. ValueError, TypeError,
        LookupError: for a pickle that is not sound.
    """
    machine = _Machine(storage)
    for opcode, argument, _ in pickletools.genops(data):
        machine.step(opcode.name, argument)
    (result,) = machine.stack
    if isinstance(result, (_Storage, _Global)):
        raise SerializationError("load(): the file holds no tensor; save tensors instead of their storages")
    return result
