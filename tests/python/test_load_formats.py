"""Files of PyTorch, safetensors and NumPy."""

import io
import zipfile

import numpy as np
import pytest
from files import STORAGE_NAMES, TorchPickler, TorchTensor, content, reloaded, torch_file, torch_zip
from support import ALL, name, to_numpy

import mlx
from mlx.serialization import CorruptFileError, SerializationError, UnknownClassError


def in_file(write, *args):
    file = io.BytesIO()
    write(file, *args)
    file.seek(0)
    return file


# ---- PyTorch


@pytest.mark.parametrize("dtype", ALL, ids=name)
def test_torch_dtypes(dtype):
    data = mlx.arange(6).to(dtype)
    loaded = mlx.load(torch_file(TorchTensor("0", data, (2, 3), (3, 1)), {"0": data}))
    assert content(loaded) == content(data.view(2, 3))


def test_torch_state_dict():
    data = {"0": mlx.arange(6.0), "1": mlx.ones(2, dtype=mlx.int64)}
    state = {
        "weight": TorchTensor("0", data["0"], (2, 3), (1, 2)),
        "step": TorchTensor("1", data["1"], (), ()),
        "groups": [{"lr": 0.1, "betas": (0.9, 0.99), "name": None, "fused": False}],
    }
    loaded = mlx.load(torch_file(state, data), weights_only=True)
    assert loaded["weight"].tolist() == [[0, 2, 4], [1, 3, 5]]
    assert loaded["step"].item() == 1
    assert loaded["groups"] == state["groups"]


def test_torch_views_share_their_storage():
    data = mlx.zeros(6)
    file = torch_file(
        [TorchTensor("0", data, (6,), (1,)), TorchTensor("0", data, (2,), (3,), 1)], {"0": data}
    )
    whole, part = mlx.load(file)
    part.fill_(7)
    assert whole.tolist() == [0, 7, 0, 0, 7, 0]


def test_torch_requires_grad_and_empty():
    data = mlx.ones(2)
    file = torch_file(
        [TorchTensor("0", data, (2,), (1,), 0, True), TorchTensor("0", data, (0, 3), (3, 1))], {"0": data}
    )
    a, b = mlx.load(file)
    assert a.requires_grad
    assert b.shape == (0, 3)


def test_torch_names_of_dtypes_and_sizes():
    pickler = TorchPickler()
    pickler.out += b"("
    pickler.name("torch", "bfloat16")
    pickler.name("torch", "Size")
    pickler.put(((2, 3),))
    pickler.out += b"Rt."
    assert mlx.load(torch_zip(pickler.out)) == (mlx.bfloat16, mlx.Size([2, 3]))


def test_torch_parameter():
    data = mlx.ones(2)
    pickler = TorchPickler()
    pickler.name("torch._utils", "_rebuild_parameter")
    pickler.out += b"("
    pickler.put(TorchTensor("0", data, (2,), (1,))).put(True)
    pickler.name("collections", "OrderedDict")
    pickler.out += b")RtR."
    loaded = mlx.load(torch_zip(pickler.out, {"0": data}))
    assert isinstance(loaded, mlx.nn.Parameter)
    assert loaded.requires_grad


@pytest.mark.parametrize(
    "name", [("os", "system"), ("builtins", "eval"), ("torch.nn.modules.linear", "Linear"), ("mlx", "load")]
)
def test_torch_file_that_would_run_code(name):
    pickler = TorchPickler()
    pickler.name(*name)
    pickler.put(("true",))
    with pytest.raises(UnknownClassError, match=rf"{name[0]}\.{name[1]}.*state_dict"):
        mlx.load(torch_zip(pickler.out + b"R."))


@pytest.mark.parametrize(
    "tensor",
    [
        ((7,), (1,), 0),
        ((2,), (1,), 5),
        ((2, 3), (1 << 61, 1 << 61), 0),
        ((2,), (-1,), 3),
        ((2,), (1, 1), 0),
        ((1 << 30, 1 << 30), (1, 1), 0),
    ],
)
def test_torch_tensor_outside_its_storage(tensor):
    data = mlx.ones(6)
    shape, strides, offset = tensor
    pickler = TorchPickler()
    pickler.put = _wide_integers(pickler)
    pickler.put(TorchTensor("0", data, shape, strides, offset))
    with pytest.raises(CorruptFileError, match="pickle is not sound"):
        mlx.load(torch_zip(pickler.out + b".", {"0": data}))


def _wide_integers(pickler):
    def put(obj):
        if type(obj) is int:
            pickler.out += b"\x8a\x09" + obj.to_bytes(9, "little", signed=True)
            return pickler
        return TorchPickler.put(pickler, obj)

    return put


def test_torch_memo_with_a_huge_index():
    assert mlx.load(torch_zip(b"\x80\x02K\x01r\xff\xff\xff\xff.")) == 1


def test_torch_device_that_is_not_here():
    data = mlx.ones(2)
    file = torch_file(TorchTensor("0", data, (2,), (1,)), {"0": data}, "cuda:0")
    with pytest.raises(SerializationError, match="cuda:0.*map_location"):
        mlx.load(file)
    file.seek(0)
    assert mlx.load(file, map_location="cpu").tolist() == [1, 1]
    file.seek(0)
    assert mlx.load(file, map_location={"cuda:0": "cpu"}).tolist() == [1, 1]


def test_torch_damaged_storage():
    data = mlx.ones(64)
    raw = bytearray(torch_file(TorchTensor("0", data, (64,), (1,)), {"0": data}).getvalue())
    raw[raw.index(bytes(memoryview(data))) + 9] ^= 1
    with pytest.raises(CorruptFileError, match="data/0"):
        mlx.load(io.BytesIO(raw))


def test_torch_script_is_refused():
    with pytest.raises(SerializationError, match="TorchScript"):
        mlx.load(torch_file(1, {}, **{"constants.pkl": b""}))


def test_a_bare_pickle_is_refused():
    with pytest.raises(SerializationError, match="pickle"):
        mlx.load(io.BytesIO(b"\x80\x02K\x01."))


def test_every_dtype_has_its_storage():
    assert list(STORAGE_NAMES) == ALL


# ---- safetensors


def test_safetensors_written_by_the_package():
    from safetensors.numpy import save

    arrays = {
        "a": np.arange(6.0).reshape(2, 3),
        "é": np.array(3, np.uint8),
        "empty": np.zeros((0, 2), np.int16),
    }
    for load in (mlx.load, mlx.load_safetensors):
        loaded = load(io.BytesIO(save(arrays)))
        assert loaded.keys() == arrays.keys()
        assert all((to_numpy(loaded[k]) == v).all() for k, v in arrays.items())


def test_safetensors_read_by_the_package():
    from safetensors.numpy import load

    tensors = {"a": mlx.rand(2, 3).t(), "b": mlx.tensor(True), "c": mlx.ones(4)[1:], "z": mlx.empty(0)}
    loaded = load(in_file(lambda f: mlx.save_safetensors(tensors, f, {"by": "test"})).getvalue())
    assert all((loaded[k] == to_numpy(t)).all() for k, t in tensors.items())


@pytest.mark.parametrize("dtype", ALL, ids=name)
def test_safetensors_dtypes(dtype):
    tensors = {"a": mlx.arange(6).view(2, 3).to(dtype), "b": mlx.tensor(1).to(dtype)}
    loaded = mlx.load_safetensors(in_file(lambda f: mlx.save_safetensors(tensors, f)))
    assert {k: content(t) for k, t in loaded.items()} == {k: content(t) for k, t in tensors.items()}


def test_safetensors_with_unaligned_data():
    header = b'{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}} '
    file = io.BytesIO(len(header).to_bytes(8, "little") + header + np.float64(2.5).tobytes())
    assert (8 + len(header)) % 8
    assert mlx.load(file)["a"].tolist() == [2.5]


def test_safetensors_unknown_dtype():
    header = b'{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}'
    with pytest.raises(SerializationError, match="F8_E4M3"):
        mlx.load(io.BytesIO(len(header).to_bytes(8, "little") + header + b"x"))


def test_save_safetensors_takes_tensors_only():
    with pytest.raises(TypeError, match="'a'.*mlx.save"):
        mlx.save_safetensors({"a": [1]}, io.BytesIO())


# ---- NumPy


@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3), np.array(3), np.zeros((0, 2), np.int8)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(array, order):
    loaded = mlx.load(in_file(np.save, np.asarray(array, order=order)))
    np.testing.assert_array_equal(loaded.numpy(), array)


def test_npy_of_another_byte_order():
    assert mlx.load(in_file(np.save, np.arange(3, dtype=">i4"))).tolist() == [0, 1, 2]


def test_npy_is_mapped(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    mlx.load(tmp_path / "a.npy").fill_(1)
    assert np.load(tmp_path / "a.npy").sum() == 0


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(save):
    file = io.BytesIO()
    save(file, a=np.arange(3), b=np.eye(2, dtype=np.complex64))
    file.seek(0)
    loaded = mlx.load(file)
    assert loaded["a"].tolist() == [0, 1, 2]
    assert loaded["b"].dtype == mlx.complex64


@pytest.mark.parametrize("array", [np.array(["text"]), np.zeros(2, np.uint64)], ids=["text", "uint64"])
def test_npy_dtype_that_mlx_lacks(array):
    with pytest.raises(SerializationError, match="supported types"):
        mlx.load(in_file(np.save, array))


def test_npy_of_objects_is_refused():
    with pytest.raises(SerializationError, match="objects"):
        mlx.load(in_file(np.save, np.array([{}])))
    file = io.BytesIO()
    np.savez(file, a=np.array([{}]))
    file.seek(0)
    with pytest.raises(SerializationError, match="[Oo]bject"):
        mlx.load(file)


# ---- anything else


@pytest.mark.parametrize("data", [b"x", b"some text that is no model", b"PK\x03\x04" + bytes(40), bytes(64)])
def test_other_content(data):
    with pytest.raises(CorruptFileError):
        mlx.load(io.BytesIO(data))


@pytest.mark.parametrize("data", [b""])
def test_empty_files(data, tmp_path):
    (tmp_path / "empty").write_bytes(data)
    for f in (tmp_path / "empty", io.BytesIO()):
        with pytest.raises(CorruptFileError, match="empty|nothing"):
            mlx.load(f)


def test_a_zip_of_other_files():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "hello")
    file.seek(0)
    with pytest.raises(CorruptFileError, match="no file of"):
        mlx.load(file)


def test_the_name_of_a_file_does_not_matter(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(2))
    (tmp_path / "x.npy").rename(tmp_path / "x.pt")
    assert mlx.load(tmp_path / "x.pt").tolist() == [0, 1]
    assert reloaded(mlx.load(tmp_path / "x.pt")).tolist() == [0, 1]
