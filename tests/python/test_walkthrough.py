"""A first session: what a newcomer types, line by line, with the values that come of it."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import assert_equal

import mlx
import mlx.nn as nn


class SimpleMLP(nn.Module):
    def __init__(self):
        super(SimpleMLP, self).__init__()  # noqa: UP008
        self.fc1 = nn.Linear(128, 64)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        return self.fc2(self.relu(self.fc1(x)))


@pytest.fixture
def model():
    return SimpleMLP()


# ---- tensors


def test_creation():
    a, b, c = mlx.rand(2, 3), mlx.zeros(3, 3), mlx.ones(2, 3)
    assert a.shape == (2, 3)
    assert ((a >= 0) & (a < 1)).all()
    assert_equal(b, np.zeros((3, 3)), mlx.float32)
    assert_equal(c, np.ones((2, 3)), mlx.float32)


def test_addition():
    a, c = mlx.rand(2, 3), mlx.ones(2, 3)
    assert_equal(a + c, a.numpy() + 1)
    assert_equal(mlx.add(a, c), a.numpy() + 1)


def test_matmul_with_a_transpose():
    a, b = mlx.tensor([[1.0, 2.0, 3.0]]), mlx.arange(9.0).view(3, 3)
    assert_equal(mlx.matmul(a, b.transpose()), [[8.0, 26.0, 44.0]])


def test_transpose_without_arguments_swaps_the_last_two_axes():
    assert_equal(
        mlx.arange(24.0).view(2, 3, 4).transpose(), np.arange(24.0).reshape(2, 3, 4).swapaxes(-1, -2)
    )


def test_gradient():
    x = mlx.tensor([2.0, 3.0], requires_grad=True)
    y = x**2 + 3 * x
    y.backward()
    assert x.grad.tolist() == [7.0, 9.0]


# ---- modules


def test_namespaces_are_there_after_the_import():
    program = (
        "import mlx; mlx.nn.Linear, mlx.optim.SGD, mlx.utils.data.DataLoader, mlx.serialization.register"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_forward(model):
    out = model(mlx.rand(32, 128))
    assert out.shape == (32, 10)
    assert out.requires_grad


def test_relu():
    assert nn.ReLU()(mlx.tensor([-1.0, 0.0, 2.0])).tolist() == [0, 0, 2]


@pytest.mark.parametrize(
    ("make", "step"),
    [
        # A first step of Adam is the learning rate, whatever the gradient.
        (lambda p: mlx.optim.SGD(p, lr=0.01), lambda g: 0.01 * g),
        (lambda p: mlx.optim.Adam(p, lr=0.001), lambda g: 0.001 * g / (abs(g) + 1e-8)),
    ],
    ids=["SGD", "Adam"],
)
def test_training_step(model, make, step):
    opt = make(model.parameters())
    opt.zero_grad()
    loss = mlx.mean(model(mlx.rand(32, 128)))
    loss.backward()
    before = {name: p.detach().numpy().copy() for name, p in model.named_parameters()}
    opt.step()
    for name, p in model.named_parameters():
        np.testing.assert_allclose(
            p.detach().numpy(), before[name] - step(p.grad.numpy()), rtol=1e-5, atol=1e-7
        )


def test_training_lowers_the_loss(model):
    x, labels = mlx.rand(32, 128), mlx.randint(0, 10, (32,))
    opt = mlx.optim.SGD(model.parameters(), lr=0.5)
    losses = []
    for _ in range(20):
        opt.zero_grad()
        loss = nn.CrossEntropyLoss()(model(x), labels)
        loss.backward()
        opt.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.1


def test_mse_loss():
    loss = mlx.nn.MSELoss()(mlx.tensor([1.0, 2.0]), mlx.tensor([3.0, 2.0]))
    assert loss.item() == 2.0


def test_cross_entropy_loss():
    out = mlx.zeros(4, 10)
    out[:, 3] = 1.0
    loss = mlx.nn.CrossEntropyLoss()(out, mlx.tensor([3, 3, 3, 0]))
    assert abs(loss.item() - (np.log(9 + np.e) - 0.75)) < 1e-6


def test_train_and_eval(model):
    assert model.train() is model
    assert model.fc1.training
    assert model.eval() is model
    assert not model.fc1.training


def test_no_grad(model):
    x = mlx.rand(1, 128)
    with mlx.no_grad():
        out = model(x)
    assert not out.requires_grad
    assert model(x).requires_grad


def test_save_and_load(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = mlx.rand(2, 128)
    expected = model(x)
    mlx.save(model, "model.pth")
    model = mlx.load("model.pth")
    assert isinstance(model, SimpleMLP)
    assert model(x).equal(expected)


# ---- compiled functions


def test_a_compiled_forward_pass(model):
    @mlx.jit
    def model_forward(x):
        return model(x)

    for _ in range(2):
        x = mlx.rand(32, 128)
        assert mlx.allclose(model_forward(x), model(x), atol=1e-6)
    assert model_forward.cache_info().hits == 1


# ---- devices


@pytest.mark.skipif(mlx._C._has_device("mps"), reason="this machine has Metal")
def test_a_device_that_is_not_here(model):
    device = mlx.device("mps")
    with pytest.raises(RuntimeError, match=r"'mps' is not available here.*devices.*cpu"):
        model.to(device)


def test_the_device_that_is_always_here(model):
    assert model.to(mlx.device("cpu")) is model


# ---- a PyTorch program


PROGRAM = """
import mlx as torch
import mlx.nn as nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
x = torch.randn(64, 4)
y = x.sum(dim=1, keepdim=True)
for epoch in range(200):
    optimizer.zero_grad()
    loss = nn.MSELoss()(model(x), y)
    loss.backward()
    optimizer.step()
with torch.no_grad():
    print((model(x) - y).abs().mean().item())
"""


def test_a_pytorch_program():
    result = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    assert float(result.stdout) < 0.3


# ---- bad input


def state_with(model, change):
    state = model.state_dict()
    change(state)
    return state


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("fc1.bias"), r'Missing key\(s\) in state_dict: "fc1.bias"'),
        (lambda s: s.update(more=mlx.ones(1)), r'Unexpected key\(s\) in state_dict: "more"'),
        (
            lambda s: s.update({"fc2.weight": mlx.ones(10, 63)}),
            r"size mismatch for fc2.weight.*\[10, 63\].*\[10, 64\]",
        ),
    ],
    ids=["missing", "extra", "misshapen"],
)
def test_a_state_dict_that_does_not_fit(model, change, message):
    with pytest.raises(RuntimeError, match=message):
        model.load_state_dict(state_with(model, change))


def test_a_state_dict_that_fits_in_part(model):
    state = state_with(model, lambda s: (s.pop("fc1.bias"), s.update(more=mlx.ones(1))))
    result = model.load_state_dict(state, strict=False)
    assert result.missing_keys == ["fc1.bias"]
    assert result.unexpected_keys == ["more"]


@pytest.mark.parametrize("optimizer", [mlx.optim.SGD, mlx.optim.Adam, mlx.optim.AdamW])
def test_an_optimizer_without_parameters(optimizer):
    with pytest.raises(ValueError, match="empty parameter list"):
        optimizer([], lr=0.1)


@pytest.mark.parametrize("label", [10, -1])
def test_a_label_out_of_range(label):
    with pytest.raises((IndexError, RuntimeError), match=rf"{label}\b"):
        nn.CrossEntropyLoss()(mlx.rand(2, 10), mlx.tensor([0, label]))


def test_nan_passes_through_as_nan(model):
    x = mlx.rand(3, 128)
    x[1, 5] = float("nan")
    out = model(x)
    assert out.isnan().all(dim=1).tolist() == [False, True, False]
    assert nn.MSELoss()(out, mlx.zeros(3, 10)).isnan()
    assert nn.CrossEntropyLoss()(out, mlx.zeros(3, dtype=mlx.int64)).isnan()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mlx.matmul(mlx.ones(2, 3), mlx.ones(4, 5)), r"\b3\b.*\b4\b|\[2, 3\].*\[4, 5\]"),
        (lambda: mlx.ones(2, 3) + mlx.ones(2, 4), r"3.*4"),
        (lambda: SimpleMLP()(mlx.rand(32, 100)), r"100.*128"),
        (lambda: mlx.ones(3)[3], r"3"),
    ],
)
def test_shapes_that_do_not_fit_are_named(call, message):
    with pytest.raises((RuntimeError, IndexError, ValueError), match=message):
        call()


# ---- the README


def test_the_example_of_the_readme(tmp_path):
    text = (Path(__file__).parents[2] / "README.md").read_text()
    program = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    result = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    expected = re.findall(r"print\(.*\) +# (.*)", program)
    assert result.stdout.splitlines() == expected
