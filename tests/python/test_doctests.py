"""The examples in the docstrings: of the Python modules and of the ops."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import mlx

pytestmark = pytest.mark.cpu  # the texts are those of CPU tensors

MODULES = sorted(m.name for m in pkgutil.walk_packages(mlx.__path__, "mlx.") if not m.name.endswith("._C"))
OPS = sorted({(path, doc) for path, _, doc in mlx._C._op_schemas() if ">>>" in doc})


def failures(text: str, name: str) -> int:
    test = doctest.DocTestParser().get_doctest(text, {"mlx": mlx}, name, None, 0)
    return doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test).failed


@pytest.mark.parametrize("name", MODULES)
def test_module(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


@pytest.mark.parametrize(("path", "doc"), OPS, ids=[path for path, _ in OPS])
def test_op(path: str, doc: str) -> None:
    assert failures(doc, path) == 0
