"""Files that are cut, flipped or forged: a clear error or the right content, never a crash, never a hang."""

import io
import json
import os
import random
import zlib

import numpy as np
import pytest
from files import Block, TorchTensor, content, torch_file

import mlx
from mlx import nn
from mlx.serialization import CorruptFileError, SerializationError

# `make fuzz` sets this to 10,000.
MUTATIONS = int(os.environ.get("MLX_MUTATIONS", 2000))


def saved(obj):
    file = io.BytesIO()
    mlx.save(obj, file)
    return file.getvalue()


def model_file():
    x = mlx.arange(12.0).view(3, 4)
    extras = {"views": [x, x.t(), x[1]], "z": mlx.ones(2, dtype=mlx.complex128), "empty": mlx.empty(0, 2)}
    extras["array"] = np.arange(3, dtype=np.uint16)
    return saved({"model": nn.Sequential(Block(), nn.Linear(3, 2)), "extras": extras, 3: ("a", 2.5, None)})


def torch_model_file():
    data = {"0": mlx.arange(6.0), "1": mlx.ones(20, dtype=mlx.int64)}
    state = {"a": TorchTensor("0", data["0"], (2, 3), (3, 1)), "b": [TorchTensor("1", data["1"], (4,), (5,))]}
    return torch_file(state, data).getvalue()


def npz_file():
    file = io.BytesIO()
    np.savez_compressed(file, a=np.arange(50), b=np.eye(4))
    return file.getvalue()


FILES = {"mlx": model_file, "torch": torch_model_file, "npz": npz_file}


REFUSED = object()


def loaded_or_refused(raw):
    """What a file holds, or REFUSED for one of the errors that say so; any other error is the test's."""
    try:
        return mlx.load(io.BytesIO(raw))
    except SerializationError:
        return REFUSED


def mutated(raw, rng):
    """A copy of a file with one kind of damage."""
    raw = bytearray(raw)
    kind = rng.randrange(6)
    at = rng.randrange(len(raw))
    span = rng.randrange(1, 64)
    if kind == 0:
        del raw[at:]
    elif kind == 1:
        for _ in range(rng.randrange(1, 4)):
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    elif kind == 2:
        raw[at : at + span] = rng.randbytes(span)
    elif kind == 3:
        del raw[at : at + span]
    elif kind == 4:
        raw[at:at] = rng.randbytes(span)
    else:  # a part of the file over another, or zeros as of a block that was never written
        source = rng.randrange(len(raw))
        raw[at : at + span] = raw[source : source + span] if rng.random() < 0.5 else bytes(span)
    return bytes(raw)


@pytest.mark.parametrize("kind", FILES)
def test_damage_is_refused_or_harmless(kind):
    raw = FILES[kind]()
    right = content(mlx.load(io.BytesIO(raw)))
    rng = random.Random(kind)
    refused = 0
    for _ in range(MUTATIONS // 4):
        loaded = loaded_or_refused(mutated(raw, rng))
        refused += loaded is REFUSED
        # Zips leave some bytes unchecked, such as times and names.
        if kind == "mlx" and loaded is not REFUSED:
            assert content(loaded) == right
    assert refused > MUTATIONS // 8


# ---- files whose checksums are right but whose content is not


def taken_apart(raw):
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    return header, json.loads(header["__metadata__"]["mlx"]), raw[8 + length :]


def put_together(header, structure, data):
    text = structure if isinstance(structure, str) else json.dumps(structure)
    metadata = header["__metadata__"]
    summed = text + str(metadata.get("mlx.complex128", ""))
    metadata |= {"mlx": text, "mlx.crc32": f"{zlib.crc32(summed.encode()):08x}"}
    raw = json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + data


def places(value):
    """Every container and key in a JSON value."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


ODDITIES = [
    None,
    -1,
    0,
    2**31,
    2**63,
    10**30,
    1e300,
    "",
    "__class__",
    "mlx.nn.Linear",
    [],
    {},
    [[]],
    {"tuple": 3},
    {"same": 0},
    {"same": 99},
    {"tensor": "no such"},
    {"module": "mlx.nn.Sequential", "modules": {"0": 1}},
    {"module": "os:system"},
    {"function": "mlx.load"},
    {"function": "builtins.eval"},
    {"function": "mlx.nn.functional.relu"},
    {"enum": "enum:Enum", "member": "x"},
    {"object": "builtins:dict", "attributes": {}},
    {"numpy": "O", "value": 1},
    {"constant": "load"},
    {"dtype": "bool_"},
    {"range": [0, 10**18]},
]


def forged(raw, rng):
    header, structure, data = taken_apart(raw)
    target = header if rng.random() < 0.3 else structure
    for _ in range(rng.randrange(1, 4)):
        container, key = rng.choice([*places(target)])
        odd = rng.choice(ODDITIES)
        if rng.random() < 0.3:
            others = [c[k] for c, k in places(target)]
            odd = rng.choice(others)
        container[key] = json.loads(json.dumps(odd))
    if "__metadata__" not in header or not isinstance(header["__metadata__"], dict):
        header["__metadata__"] = {"format": "mlx"}
    return put_together(header, structure, data)


def test_forged_structures_are_refused_or_harmless():
    raw = model_file()
    rng = random.Random(0)
    refused = 0
    for _ in range(MUTATIONS // 4):
        refused += loaded_or_refused(forged(raw, rng)) is REFUSED
    assert refused > MUTATIONS // 8


def changed_tensor(**changes):
    def change(header, structure):
        header["tensor"] |= changes

    return change


@pytest.mark.parametrize(
    "change",
    [
        changed_tensor(data_offsets=[0, 1 << 62]),
        changed_tensor(data_offsets=[-8, 16]),
        changed_tensor(data_offsets=[16, 0]),
        changed_tensor(data_offsets=[8, 24]),
        changed_tensor(shape=[1 << 62]),
        changed_tensor(shape=[-4]),
        changed_tensor(shape=[True, 4]),
        changed_tensor(shape=[2, 2]),
        changed_tensor(dtype="I32"),
        changed_tensor(dtype=["F32"]),
        changed_tensor(more=1),
        lambda header, structure: header.update(second=header["tensor"]),
        lambda header, structure: header["__metadata__"].update(number=1),
        lambda header, structure: structure["tensors"].pop("tensor"),
        lambda header, structure: structure.update(root={"tensor": "tensor", "view": {}}),
    ],
)
def test_forged_header(change):
    header, structure, data = taken_apart(saved(mlx.ones(4)))
    change(header, structure)
    with pytest.raises(CorruptFileError):
        mlx.load(io.BytesIO(put_together(header, structure, data)))


@pytest.mark.parametrize(
    "view",
    [
        {"dtype": "float32", "shape": [5], "strides": [1], "offset": 0},
        {"dtype": "float32", "shape": [2], "strides": [1], "offset": 3},
        {"dtype": "float32", "shape": [2], "strides": [1 << 61], "offset": 0},
        {"dtype": "float32", "shape": [2], "strides": [-1], "offset": 3},
        {"dtype": "complex128", "shape": [2], "strides": [1], "offset": 0},
        {"dtype": "__class__", "shape": [2], "strides": [1], "offset": 0},
        {"dtype": "float32", "shape": [1 << 40, 1 << 40], "strides": [0, 0], "offset": 0},
    ],
)
def test_a_view_cannot_leave_its_memory(view):
    header, structure, data = taken_apart(saved(mlx.ones(4)))
    structure["root"]["view"] = view
    with pytest.raises(CorruptFileError, match="structure is not sound"):
        mlx.load(io.BytesIO(put_together(header, structure, data)))


@pytest.mark.parametrize("depth", [300, 100_000])
def test_deep_nesting(depth):
    header, _, data = taken_apart(saved(mlx.ones(4)))
    root = "[" * depth + "]" * depth
    structure = f'{{"version":1,"root":{root},"tensors":{{"tensor":[0]}}}}'
    with pytest.raises(CorruptFileError):
        mlx.load(io.BytesIO(put_together(header, structure, data)))


def test_a_deeply_nested_header():
    raw = b'{"a":' * 100_000
    with pytest.raises(CorruptFileError):
        mlx.load(io.BytesIO(len(raw).to_bytes(8, "little") + raw))


@pytest.mark.parametrize("length", [0, 1, 1 << 20, (1 << 32) - 1, (1 << 64) - 1])
def test_the_length_of_the_header(length):
    raw = length.to_bytes(8, "little") + saved([mlx.ones(4)])[8:]
    with pytest.raises(CorruptFileError):
        mlx.load(io.BytesIO(raw))


def test_every_flipped_bit_of_a_small_file_is_seen():
    raw = saved([mlx.ones(2), "text", 1.5])
    right = content(mlx.load(io.BytesIO(raw)))
    for i in range(8 * len(raw)):
        flipped = bytearray(raw)
        flipped[i // 8] ^= 1 << i % 8
        loaded = loaded_or_refused(bytes(flipped))
        assert loaded is REFUSED or content(loaded) == right


def test_every_cut_is_seen():
    raw = saved([mlx.ones(2), "text", 1.5])
    for i in range(len(raw)):
        with pytest.raises(CorruptFileError):
            mlx.load(io.BytesIO(raw[:i]))


def test_a_later_version_says_so():
    header, structure, data = taken_apart(saved(1))
    structure["version"] = 2
    with pytest.raises(SerializationError, match="update mlx"):
        mlx.load(io.BytesIO(put_together(header, structure, data)))
