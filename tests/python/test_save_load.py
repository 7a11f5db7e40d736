"""Saving and loading: everything comes back as it was, and what cannot is refused at once."""

import argparse
import copy
import io
import os
import stat
import subprocess
import sys
import types
from collections import OrderedDict

import numpy as np
import pytest
from files import Block, Mode, content, reloaded
from hypothesis import given
from hypothesis import strategies as st
from support import ALL, name

import mlx
from mlx import nn

numbers = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
leaves = numbers | st.binary(max_size=5) | st.complex_numbers(allow_nan=False) | st.sampled_from(ALL)


@st.composite
def tensors(draw):
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    t = mlx.randint(0, 2, shape).to(draw(st.sampled_from(ALL)))
    if t.dim() and draw(st.booleans()):
        t = t.transpose(0, -1)
    if t.dim() and draw(st.booleans()):
        t = t[..., ::2]
    if t.dtype.is_floating_point and draw(st.booleans()):
        t = t.detach().requires_grad_()
    return t


def nests(children):
    keys = st.text(max_size=4) | st.integers() | st.tuples(st.integers(), st.booleans())
    mappings = st.dictionaries(keys, children, max_size=3)
    sequences = st.lists(children, max_size=3)
    return sequences | sequences.map(tuple) | mappings | mappings.map(OrderedDict)


@given(st.recursive(leaves | tensors(), nests, max_leaves=12))
def test_nests_come_back_as_they_were(obj):
    assert content(reloaded(obj)) == content(obj)


@pytest.mark.parametrize("dtype", ALL, ids=name)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (5,), (2, 3)], ids=str)
def test_every_dtype_and_shape(dtype, shape):
    t = mlx.arange(6)[: int(np.prod(shape))].reshape(shape).to(dtype)
    assert content(reloaded(t)) == content(t)


@pytest.mark.parametrize(
    "obj",
    [mlx.Size([2, 3]), {1, 2}, frozenset("ab"), slice(1, None), range(3), mlx.device("cpu"), bytearray(b"x")],
    ids=repr,
)
def test_values(obj):
    result = reloaded(obj)
    assert result == obj
    assert type(result) is type(obj)


def test_named_constants_and_functions_are_the_same_objects():
    obj = [
        mlx.channels_last,
        mlx.strided,
        nn.functional.relu,
        mlx.tanh,
        nn.functional.cross_entropy,
        Mode.FAST,
    ]
    assert all(a is b for a, b in zip(reloaded(obj), obj, strict=True))


def test_numpy_scalars_keep_their_type():
    assert type(reloaded(np.float32(2.5))) is np.float32


@pytest.mark.parametrize("dtype", ["uint32", ">f8", "<U3", "S2", "bool", "complex64"])
def test_numpy_arrays_keep_their_dtype_and_shape(dtype):
    array = np.arange(6).reshape(2, 3).T.astype(dtype)
    one, two = reloaded([array, array])
    assert one is two and one.dtype == array.dtype and one.flags.writeable
    np.testing.assert_array_equal(one, array)
    assert reloaded(np.float32([[]])).shape == (1, 0) and reloaded(np.array(3)).shape == ()


def test_the_state_of_numpys_generator_goes_into_a_checkpoint():
    state = reloaded({"numpy": np.random.RandomState(3).get_state()})["numpy"]
    generator = np.random.RandomState()
    generator.set_state(state)
    assert generator.rand() == np.random.RandomState(3).rand()


@pytest.mark.parametrize("kind", [argparse.Namespace, types.SimpleNamespace])
def test_settings_of_a_program(kind):
    settings = kind(lr=0.1, betas=(0.9, 0.99), name=None, table=mlx.arange(2))
    got = reloaded({"args": settings})["args"]
    assert type(got) is kind and (got.lr, got.betas, got.name) == (0.1, (0.9, 0.99), None)
    assert mlx.equal(got.table, settings.table)


def test_classes_that_are_safe_are_registered():
    class Settings:
        pass

    mlx.serialization.add_safe_globals([Settings])
    assert type(reloaded(Settings())) is Settings


def test_nan_payload_and_sign_of_zero():
    t = mlx.tensor([float("nan"), -0.0, float("inf")])
    assert content(reloaded(t)) == content(t)
    assert str(reloaded([float("nan"), -0.0, float("-inf")])) == "[nan, -0.0, -inf]"


# ---- tensors that share memory


def test_views_of_one_tensor_share_memory_again():
    x = mlx.arange(12.0).view(3, 4)
    views = reloaded({"whole": x, "row": x[1], "column": x[:, 2], "transposed": x.t()})
    views["whole"].zero_()
    assert all(bool((v == 0).all()) for v in views.values())


def test_an_expanded_tensor_is_stored_once():
    file = io.BytesIO()
    mlx.save(mlx.ones(1).expand(1_000_000), file)
    assert len(file.getvalue()) < 2000
    file.seek(0)
    assert mlx.load(file).stride() == (0,)


def test_views_of_different_dtypes_share_memory_again():
    x = mlx.zeros(4)
    a, b = reloaded([x, x.view(mlx.int32)[1:]])
    b.fill_(0x3F800000)
    assert a.tolist() == [0, 1, 1, 1]


def test_slices_that_do_not_meet_leave_the_rest_behind():
    x = mlx.zeros(1_000_000)
    file = io.BytesIO()
    mlx.save([x[:2], x[-2:]], file)
    assert len(file.getvalue()) < 2000


def test_one_object_in_two_places_is_one_object():
    t = mlx.ones(2)
    a, b = reloaded([t, t])
    assert a is b


# ---- modules


def test_module_comes_back_whole():
    model = nn.Sequential(Block(), nn.ReLU(), nn.ModuleList([nn.Linear(2, 2)]))
    model[0].eval()
    model[2][0].weight.requires_grad_(False)
    assert content(reloaded(model)) == content(model)


def test_module_computes_the_same():
    model, x = Block(), mlx.rand(3, 4)
    assert reloaded(model)(x).equal(model(x))


LAYERS = [
    lambda: nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect"),
    lambda: nn.ConvTranspose1d(2, 4, 3),
    lambda: nn.BatchNorm2d(3),
    lambda: nn.LayerNorm([4, 2]),
    lambda: nn.GroupNorm(2, 4),
    lambda: nn.Embedding(5, 3, padding_idx=0),
    lambda: nn.MaxPool2d(2, stride=1),
    lambda: nn.PReLU(3),
    lambda: nn.GELU("tanh"),
    lambda: nn.Dropout(0.3),
    lambda: nn.CrossEntropyLoss(weight=mlx.ones(3), label_smoothing=0.1),
    lambda: nn.TripletMarginWithDistanceLoss(distance_function=nn.functional.pairwise_distance),
    lambda: nn.ParameterDict({"a": mlx.ones(2), "b": mlx.zeros(1)}),
    lambda: nn.ModuleDict({"a": nn.Tanh()}),
]


@pytest.mark.parametrize("make", LAYERS)
def test_layers(make):
    layer = make()
    assert content(reloaded(layer)) == content(layer)
    assert repr(reloaded(layer)) == repr(layer)


def test_a_hook_that_was_removed_is_no_hindrance():
    layer = nn.Linear(2, 2)
    layer.register_forward_hook(lambda *_: None).remove()
    assert reloaded(layer)(mlx.ones(2)).equal(layer(mlx.ones(2)))


def test_a_lazy_layer_is_saved_once_it_knows_its_shape():
    layer = nn.LazyLinear(3)
    with pytest.raises(mlx.serialization.SerializationError, match="call it once"):
        mlx.save(layer, io.BytesIO())
    expected = layer(mlx.ones(2, 5))
    assert reloaded(layer)(mlx.ones(2, 5)).equal(expected)


def test_tied_weights_stay_tied():
    model = reloaded(Block())
    assert model.first.weight is model.second.weight
    assert len(list(model.parameters())) == 2


def test_a_shared_module_stays_shared():
    layer = nn.Linear(2, 2)
    model = reloaded(nn.Sequential(layer, nn.ReLU(), layer))
    assert model[0] is model[2]


def test_a_child_may_know_its_parent():
    model = nn.Sequential(nn.Linear(1, 1))
    model[0].parents = [model]
    result = reloaded(model)
    assert result[0].parents[0] is result


def test_flags():
    model = Block()
    model.first.eval()
    model.first.bias.requires_grad_(False)
    result = reloaded(model)
    assert [result.training, result.first.training] == [True, False]
    assert not result.first.bias.requires_grad
    assert result.first.weight.requires_grad
    assert "mask" not in result.state_dict()
    assert result.mask.dtype == mlx.bool
    assert result.missing is None


def test_a_loaded_module_trains_on():
    model = reloaded(Block())
    optimizer = mlx.optim.SGD(model.parameters(), lr=0.1)
    before = content(model)
    model(mlx.rand(3, 4)).sum().backward()
    optimizer.step()
    assert content(model) != before


def test_state_dict():
    model = nn.Sequential(Block(), nn.BatchNorm1d(4))
    state = reloaded(model.state_dict())
    assert content(state) == content(model.state_dict())
    assert state._metadata["1"] == {"version": 2}
    twin = nn.Sequential(Block(), nn.BatchNorm1d(4))
    twin.load_state_dict(state)
    assert content(twin.state_dict()) == content(state)
    assert state["0.first.weight"].data_ptr() == state["0.second.weight"].data_ptr()


def test_an_optimizer_goes_on_where_it_stopped():
    def steps(model, optimizer):
        for i in range(3):
            optimizer.zero_grad()
            model(mlx.full((2, 4), float(i))).pow(2).sum().backward()
            optimizer.step()
        return model

    model = Block()
    optimizer = mlx.optim.Adam(model.parameters(), lr=0.1)
    steps(model, optimizer)
    twin = reloaded(model)
    twin_optimizer = mlx.optim.Adam(twin.parameters(), lr=0.5)
    twin_optimizer.load_state_dict(reloaded(optimizer.state_dict()))
    assert content(steps(twin, twin_optimizer)) == content(steps(model, optimizer))


class Local(nn.Module):
    pass


def test_state_dict_fits_the_safetensors_package(tmp_path):
    from safetensors.numpy import load_file

    model = Block().eval()
    mlx.save(model, tmp_path / "model")
    arrays = load_file(tmp_path / "model")
    np.testing.assert_array_equal(arrays["first.weight"], model.first.weight.detach().numpy())
    assert {"first.bias", "mean", "mask"} < arrays.keys()


# ---- files


def test_a_loaded_tensor_is_a_private_copy(tmp_path):
    path = tmp_path / "t"
    mlx.save(mlx.zeros(4), path)
    before = path.read_bytes()
    mlx.load(path).fill_(1)
    assert path.read_bytes() == before
    assert mlx.load(path).sum() == 0


def test_saving_over_a_file_that_is_still_mapped(tmp_path):
    path = tmp_path / "t"
    mlx.save(mlx.zeros(100_000), path)
    old = mlx.load(path)
    mlx.save(mlx.ones(10), path)
    assert old.sum() == 0
    assert mlx.load(path).sum() == 10


def test_mmap_false_reads_the_file(tmp_path):
    mlx.save({"a": mlx.arange(5)}, tmp_path / "t")
    loaded = mlx.load(tmp_path / "t", mmap=False)
    os.remove(tmp_path / "t")
    assert loaded["a"].tolist() == [0, 1, 2, 3, 4]


def test_a_link_goes_on_pointing_at_the_file(tmp_path):
    mlx.save(1, tmp_path / "target")
    os.symlink(tmp_path / "target", tmp_path / "link")
    mlx.save(2, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert mlx.load(tmp_path / "target") == 2


def test_permissions_are_kept(tmp_path):
    path = tmp_path / "t"
    mlx.save(1, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask()
    path.chmod(0o640)
    mlx.save(2, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_failing_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "t"
    mlx.save([1], path)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        mlx.save([2], path)
    assert mlx.load(path) == [1]
    assert os.listdir(tmp_path) == ["t"]


def test_a_crash_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "t"
    mlx.save([1], path)
    program = """
import os, sys, mlx
os.fsync = lambda fd: os._exit(9)
mlx.save(mlx.ones(1000), sys.argv[1])
"""
    assert subprocess.run([sys.executable, "-c", program, path], check=False).returncode == 9
    assert mlx.load(path) == [1]


def test_file_objects_are_read_from_where_they_are():
    file = io.BytesIO(b"before")
    file.seek(6)
    mlx.save({"a": 1}, file)
    file.seek(6)
    assert mlx.load(file) == {"a": 1}


@pytest.mark.parametrize("f", [3, None])
def test_neither_path_nor_file(f):
    with pytest.raises(TypeError, match="path or a binary file"):
        mlx.load(f)
    with pytest.raises(TypeError, match="path or a binary file"):
        mlx.save(1, f)


def test_a_file_open_as_text():
    with pytest.raises(TypeError, match="'rb'"):
        mlx.load(io.StringIO("text"))


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        mlx.load(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError):
        mlx.save(1, tmp_path / "nowhere" / "file")


# ---- map_location


@pytest.mark.parametrize(
    "location", [None, "cpu", mlx.device("cpu"), {"cpu": "cpu"}, lambda t, _: t, lambda t, _: None]
)
def test_map_location(location):
    assert reloaded([mlx.ones(2)], map_location=location)[0].tolist() == [1, 1]


def test_map_location_function_sees_the_old_device():
    seen = []
    reloaded(mlx.ones(2), map_location=lambda t, old: seen.append(old))
    assert seen == [str(mlx.ones(2).device)]


def test_map_location_of_another_kind():
    with pytest.raises(TypeError, match="map_location"):
        reloaded(1, map_location=3)


# ---- what cannot be stored, and classes that are not there


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda m: setattr(m.first, "callback", lambda: 0), r"Block\.first\.callback.*register"),
        (lambda m: setattr(m, "file", io.BytesIO()), r"Block\.file.*BytesIO"),
        (
            lambda m: setattr(m, "table", {"a": [np.array([None])]}),
            r"Block\.table\['a'\]\[0\].*arrays",
        ),
        (lambda m: m.first.register_forward_hook(print), r"Block\.first.*hooks"),
        (lambda m: setattr(m, "loop", _loop()), r"Block\.loop\[0\].*contains itself"),
        (lambda m: setattr(m, "deep", _deep(300)), "nested"),
        (lambda m: setattr(m, "huge", 10**5000), "digits"),
    ],
)
def test_an_attribute_that_cannot_be_stored_is_named(spoil, message, tmp_path):
    model = Block()
    spoil(model)
    with pytest.raises(mlx.serialization.SerializationError, match=message):
        mlx.save(model, tmp_path / "model")
    assert os.listdir(tmp_path) == []


def _loop():
    loop = []
    loop.append(loop)
    return loop


def _deep(n):
    return [_deep(n - 1)] if n else []


def _saved_in_another_process(tmp_path, definition, obj):
    path = tmp_path / "model"
    program = f"import sys, mlx\nfrom mlx import nn\n{definition}\nmlx.save({obj}, sys.argv[1])"
    subprocess.run([sys.executable, "-c", program, path], check=True)
    return path


NET = (
    "class UnknownNet(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.size = 3"
)


def test_an_unknown_class_is_named_with_the_way_out(tmp_path):
    path = _saved_in_another_process(tmp_path, NET, "UnknownNet()")
    with pytest.raises(mlx.serialization.UnknownClassError, match=r"__main__:UnknownNet.*register"):
        mlx.load(path)


def test_a_class_registered_under_an_old_name(tmp_path):
    path = _saved_in_another_process(tmp_path, NET.replace("UnknownNet", "OldNet"), "OldNet()")
    mlx.serialization.register(Local, "__main__:OldNet")
    loaded = mlx.load(path)
    assert type(loaded) is Local
    assert loaded.size == 3


@mlx.serialization.register
class Config:
    def __init__(self, width):
        self.width = width


def test_a_registered_class_is_stored_by_its_attributes():
    model = nn.Linear(1, 1)
    model.config = Config((1, mlx.float16))
    result = reloaded([model, model.config])
    assert result[0].config is result[1]
    assert result[1].width == (1, mlx.float16)


@mlx.serialization.register
def double(x):
    return 2 * x


def test_a_registered_function_is_stored_by_its_name():
    assert reloaded({"fn": double})["fn"] is double


def test_initialisation_does_not_run_again():
    class Counted(nn.Module):
        made = 0

        def __init__(self):
            super().__init__()
            Counted.made += 1

    reloaded(Counted())
    assert Counted.made == 1


def test_loading_equals_a_deep_copy():
    model = Block()
    assert content(reloaded(model)) == content(copy.deepcopy(model))
