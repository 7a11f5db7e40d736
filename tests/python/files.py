"""What the tests of saving and loading share: models, comparison, and a writer of PyTorch's zip format."""

import enum
import io
import re
import struct
import zipfile

import numpy as np
from support import ALL

import mlx
from mlx import nn


class Mode(enum.Enum):
    FAST = 1
    EXACT = 2


class Block(nn.Module):
    """Attributes of many kinds, a tied weight, buffers that are in the state dict and not."""

    def __init__(self, width=4):
        super().__init__()
        self.width = width
        self.shape = (width, 2)
        self.mode = Mode.EXACT
        self.dtype = mlx.float32
        self.activation = nn.functional.gelu
        self.options = {"dropout": 0.1, "names": ["a", None, True]}
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width, bias=False)
        self.second.weight = self.first.weight
        self.register_buffer("mean", mlx.arange(float(width)))
        self.register_buffer("mask", mlx.ones(width, dtype=mlx.bool), persistent=False)
        self.register_parameter("missing", None)

    def forward(self, x):
        return self.activation(self.second(self.first(x))) + self.mean


def reloaded(obj, **options):
    """`obj` after a trip through a file in memory."""
    file = io.BytesIO()
    mlx.save(obj, file)
    file.seek(0)
    return mlx.load(file, **options)


def content(obj):
    """A value with an equality of its own for everything that can be saved."""
    if isinstance(obj, mlx.Tensor):
        t = obj.detach().contiguous()
        raw = bytes(memoryview(t.view(-1).view(mlx.uint8))) if t.numel() else b""
        return type(obj).__name__, str(obj.dtype), tuple(obj.shape), obj.requires_grad, raw
    if isinstance(obj, nn.Module):
        return type(obj).__qualname__, content(
            {k: v for k, v in vars(obj).items() if not k.endswith("_hooks")}
        )
    if isinstance(obj, dict):
        return type(obj).__name__, [(content(k), content(v)) for k, v in obj.items()]
    if isinstance(obj, (list, tuple)):
        return type(obj).__name__, [content(item) for item in obj]
    if isinstance(obj, float):
        return "float", np.float64(obj).tobytes()
    return type(obj).__name__, obj


# ---- PyTorch's files, written without PyTorch

_KINDS = "Bool,Byte,Char,Short,Int,Long,Half,BFloat16,Float,Double,ComplexFloat,ComplexDouble"
STORAGE_NAMES = dict(zip(ALL, re.split(",", _KINDS), strict=True))


class TorchTensor:
    """A tensor on part of a storage: what torch.save writes for one."""

    def __init__(self, key, storage, shape, strides, offset=0, requires_grad=False):
        self.key, self.storage = key, storage
        self.arguments = (offset, tuple(shape), tuple(strides), requires_grad)


class TorchPickler:
    """Protocol 2 by hand, since the classes that the pickle names are not there."""

    def __init__(self, location="cpu"):
        self.out = bytearray(b"\x80\x02")
        self.location = location

    def put(self, obj):
        out = self.out
        if obj is None or isinstance(obj, bool):
            out += {None: b"N", True: b"\x88", False: b"\x89"}[obj]
        elif isinstance(obj, int):
            out += b"J" + obj.to_bytes(4, "little", signed=True)
        elif isinstance(obj, float):
            out += b"G" + struct.pack(">d", obj)
        elif isinstance(obj, str):
            out += b"X" + len(obj.encode()).to_bytes(4, "little") + obj.encode()
        elif isinstance(obj, tuple):
            self.items(b"(", obj, b"t")
        elif isinstance(obj, list):
            self.items(b"](", obj, b"e")
        elif isinstance(obj, dict):
            self.items(b"}(", [x for pair in obj.items() for x in pair], b"u")
        elif isinstance(obj, TorchTensor):
            self.tensor(obj)
        return self

    def items(self, before, items, after):
        self.out += before
        for item in items:
            self.put(item)
        self.out += after

    def name(self, module, name):
        self.out += f"c{module}\n{name}\n".encode()

    def tensor(self, t):
        self.name("torch._utils", "_rebuild_tensor_v2")
        self.out += b"(("
        self.put("storage")
        self.name("torch", STORAGE_NAMES[t.storage.dtype] + "Storage")
        for item in (t.key, self.location, t.storage.numel()):
            self.put(item)
        self.out += b"tQ"  # the persistent object
        for item in t.arguments:
            self.put(item)
        self.name("collections", "OrderedDict")
        self.out += b")RtR"


def torch_zip(pickle, storages=None, **more):
    """A file as torch.save lays it out: the pickle, and a stored entry for each storage."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", bytes(pickle))
        archive.writestr("archive/byteorder", b"little")
        for key, t in (storages or {}).items():
            archive.writestr(f"archive/data/{key}", bytes(memoryview(t.view(mlx.uint8))))
        for name, data in more.items():
            archive.writestr(f"archive/{name}", data)
    file.seek(0)
    return file


def torch_file(obj, storages, location="cpu", **more):
    """The file for an object that holds TorchTensors."""
    return torch_zip(TorchPickler(location).put(obj).out + b".", storages, **more)
