"""The programs in examples/, each in a small setting, as a user starts them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import mlx

pytestmark = pytest.mark.cpu  # programs of their own, on the CPU

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name, folder, *arguments):
    command = [sys.executable, EXAMPLES / name, "--quiet", *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_train_digits(tmp_path):
    output = run("train_digits.py", tmp_path, "--epochs", "3", "--batch-size", "32")
    rows = re.findall(r"^(MLP|CNN) .* (\S+)% +(\S+)%$", output, re.MULTILINE)
    assert [name for name, _, _ in rows] == ["MLP", "CNN"]
    for _, accuracy, again in rows:
        assert float(accuracy) > 85
        assert again == accuracy
    assert (tmp_path / "training.png").read_bytes().startswith(b"\x89PNG")


def test_train_digits_says_which_devices_there_are(tmp_path):
    with pytest.raises(AssertionError, match="not available"):
        run("train_digits.py", tmp_path, "--device", "cuda")


GPT = ("--width", "32", "--layers", "2", "--context", "32", "--text-size", "20000", "--length", "20")


def test_train_chargpt(tmp_path):
    output = run("train_chargpt.py", tmp_path, "--steps", "60", "--validate-every", "20", *GPT)
    losses = [float(x) for x in re.findall(r"validation loss (\S+)", output)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 3.8  # an untrained model: log(96) = 4.56
    written = output.split("-" * 80 + "\n")[1]
    assert written.startswith("def ")
    assert len(written) >= len("def ") + 20 + 1  # more where there are tabs


def test_train_chargpt_goes_on_from_a_checkpoint(tmp_path):
    run("train_chargpt.py", tmp_path, "--steps", "2", "--validate-every", "0", *GPT)
    arguments = ["--load", "chargpt.pth", "--save", "next.pth", "--prompt", "import "]
    output = run("train_chargpt.py", tmp_path, "--steps", "2", "--validate-every", "0", *GPT, *arguments)
    assert "import " in output
    state = mlx.load_safetensors(tmp_path / "next.pth")
    assert {t.item() for name, t in state.items() if name.endswith(".step")} == {4.0}
