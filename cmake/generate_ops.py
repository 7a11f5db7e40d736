"""Turn the OP rows of cpp/ops/*.cpp into C++: declarations, pointwise bodies, Python bindings.

    generate_ops.py --out DIR cpp/ops/*.cpp

Writes ops.h (a declaration an op), ops.cpp (the table of rows and the bodies of pointwise ops) and
op_bindings_N.cpp (how Python calls each). See cpp/ops/row.h for the form of a row.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass, field
from pathlib import Path

BINDING_PARTS = 4

# Schema type -> (C++ parameter type, getter of bindings/args.h). Types that map to None are accepted
# from Python for compatibility and mean nothing here.
TYPES = {
    "Tensor": ("const Tensor&", "tensor"),
    "Operand": ("const Tensor&", "operand"),
    "Tensor?": ("const Tensor&", "optional_tensor"),
    "Operand?": ("const Tensor&", "optional_operand"),
    "Tensor[]": ("const TensorList&", "tensors"),
    "Tensor?[]": ("const TensorList&", "optional_tensors"),
    "Scalar": ("const Scalar&", "scalar"),
    "Scalar?": ("const std::optional<Scalar>&", "optional_scalar"),
    "int": ("int64_t", "integer"),
    "int?": ("std::optional<int64_t>", "optional_integer"),
    "int[]": ("const Shape&", "ints"),
    "int[]?": ("const std::optional<Shape>&", "optional_ints"),
    "float": ("double", "real"),
    "float?": ("std::optional<double>", "optional_real"),
    "float[]": ("const std::vector<double>&", "reals"),
    "float[]?": ("const std::optional<std::vector<double>>&", "optional_reals"),
    "bool": ("bool", "boolean"),
    "bool?": ("std::optional<bool>", "optional_boolean"),
    "str": ("const std::string&", "string"),
    "str?": ("const std::optional<std::string>&", "optional_string"),
    "dtype": ("DType", "dtype"),
    "dtype?": ("std::optional<DType>", "optional_dtype"),
    "device?": ("std::optional<Device>", "optional_device"),
    "Generator?": ("const Ref<Generator>&", "generator"),
    "layout?": None,
    "memory_format?": None,
}
RESULTS = {
    "Tensor": "Tensor",
    "Tensor[]": "TensorList",
    "bool": "bool",
    "int": "int64_t",
    "float": "double",
    "Scalar": "Scalar",
    "dtype": "DType",
    "int[]": "Shape",
    "()": "void",
}


@dataclass
class Argument:
    type: str  # as in TYPES: an int[2] is "int[]" with size 2
    size: int
    name: str
    default: str | None
    keyword_only: bool

    @property
    def passed(self) -> bool:
        """Whether the C++ function has this parameter."""
        return TYPES[self.type] is not None and self.name not in ("requires_grad", "pin_memory")

    @property
    def cpp_default(self) -> str | None:
        d = self.default
        if d is None:
            return None
        if d == "None":
            return "{}"
        if d in ("True", "False"):
            return d.lower()
        if d.startswith("'"):
            return '"' + d[1:-1] + '"'
        if d.startswith("["):
            return "Shape{" + d[1:-1] + "}" if "int" in self.type else "{" + d[1:-1] + "}"
        if self.type.startswith("int[]"):
            return "Shape{" + ", ".join([d] * max(self.size, 1)) + "}"
        return d


@dataclass
class Op:
    schema: str
    path: str  # dotted, as Python sees it: "nn.functional.gelu", "Tensor.view"
    arguments: list[Argument]
    result: str
    result_names: list[str]
    chain: str
    doc: str
    aliases: list[str] = field(default_factory=list)
    node: str = ""

    @property
    def name(self) -> str:
        return self.path.split(".")[-1]

    @property
    def namespace(self) -> str:
        """The C++ namespace within mlx: "functional", "linalg", ..., empty for plain ops and methods."""
        parts = [p for p in self.path.split(".")[:-1] if p not in ("nn", "Tensor")]
        return "::".join(parts)

    @property
    def qualified(self) -> str:
        return f"{self.namespace}::{self.name}" if self.namespace else self.name

    @property
    def passed(self) -> list[Argument]:
        return [a for a in self.arguments if a.passed]

    @property
    def is_pointwise(self) -> bool:
        return ".pointwise(" in self.chain

    @property
    def has_inplace(self) -> bool:
        first = self.arguments[0] if self.arguments else None
        derived = self.is_pointwise or ".inplace()" in self.chain
        return (
            derived
            and first is not None
            and first.type in ("Tensor", "Operand")
            and not self.name.startswith("__")
        )

    def cpp_result(self) -> str:
        if self.result_names:
            return "std::tuple<" + ", ".join(RESULTS[t] for t in self.result.split(",")) + ">"
        return RESULTS[self.result]


def split_arguments(text: str) -> list[str]:
    parts, depth, current = [], 0, ""
    for ch in text:
        depth += (ch in "[(") - (ch in "])")
        if ch == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += ch
    return [*parts, current.strip()] if current.strip() else parts


def parse_schema(schema: str, chain: str = "", doc: str = "") -> Op:
    m = re.fullmatch(r"([\w.]+)\((.*)\)\s*->\s*(.+)", schema, re.S)
    if not m:
        raise ValueError(f"not a schema: {schema}")
    path, args, result = m.groups()
    arguments, keyword_only = [], False
    for part in split_arguments(args):
        if part == "*":
            keyword_only = True
            continue
        m = re.fullmatch(r"([\w\[\]?]+)\s+(\w+)(?:\s*=\s*(.+))?", part)
        if not m:
            raise ValueError(f"not an argument: {part!r} in {schema}")
        kind, name, default = m.groups()
        size = 0
        if m := re.search(r"\[(\d+)\]", kind):
            size, kind = int(m.group(1)), re.sub(r"\[\d+\]", "[]", kind)
        if kind not in TYPES:
            raise ValueError(f"unknown type {kind!r} in {schema}")
        arguments.append(Argument(kind, size, name, default, keyword_only))
    names: list[str] = []
    if result.startswith("(") and result != "()":
        fields = [f.split() for f in split_arguments(result[1:-1])]
        result, names = ",".join(f[0] for f in fields), [f[1] for f in fields]
    op = Op(schema, path, arguments, result, names, chain, doc)
    op.aliases = re.findall(r'\.alias\("([\w.]+)"\)', chain)
    op.node = "".join(re.findall(r'\.node\("(\w+)"\)', chain))
    return op


def statement_end(text: str, at: int) -> int:
    """The index of the semicolon that ends the statement which goes on at `at`."""
    depth, quoted = 0, False
    while True:
        ch = text[at]
        if ch == '"' and text[at - 1] != "\\":
            quoted = not quoted
        elif not quoted:
            depth += (ch in "({[") - (ch in ")}]")
            if ch == ";" and depth == 0:
                return at
        at += 1


def scan(path: Path) -> list[Op]:
    """The rows of one source file."""
    text = path.read_text()
    ops = []
    for m in re.finditer(r'((?:^//[^\n]*\n)*)^OP\(\s*((?:"[^"]*"\s*)+)\)', text, re.M):
        doc = "\n".join(line.removeprefix("//").removeprefix(" ") for line in m.group(1).splitlines())
        schema = "".join(re.findall(r'"([^"]*)"', m.group(2)))
        ops.append(parse_schema(schema, text[m.end() : statement_end(text, m.end())], doc))
    return ops


def parameters(op: Op, *, defaults: bool, scalar_at: int = -1) -> str:
    """The C++ parameter list; with `scalar_at`, that operand as a plain number."""
    out = []
    # C++ wants defaults only behind the last parameter without one.
    last = max((i for i, a in enumerate(op.passed) if a.cpp_default is None or i == scalar_at), default=-1)
    for i, a in enumerate(op.passed):
        cpp = "const Scalar&" if i == scalar_at else TYPES[a.type][0]
        default = f" = {a.cpp_default}" if defaults and i > last else ""
        out.append(f"{cpp} {a.name}{default}")
    return ", ".join(out)


def in_namespace(op: Op, text: str) -> str:
    return f"namespace {op.namespace} {{ {text} }}" if op.namespace else text


def declarations(op: Op) -> list[str]:
    lines = [in_namespace(op, f"{op.cpp_result()} {op.name}({parameters(op, defaults=True)});")]
    for i, a in enumerate(op.passed):
        if a.type == "Operand":
            args = ", ".join(
                f"wrapped_number({b.name})" if j == i else b.name for j, b in enumerate(op.passed)
            )
            lines.append(
                in_namespace(
                    op,
                    f"inline {op.cpp_result()} {op.name}({parameters(op, defaults=True, scalar_at=i)}) "
                    f"{{ return mlx::{op.qualified}({args}); }}",
                )
            )
    if op.has_inplace:
        lines.append(in_namespace(op, f"Tensor {op.name}_({parameters(op, defaults=True)});"))
    return lines


def definition(op: Op, result: str, name: str, body: str) -> str:
    return in_namespace(op, f"{result} {name}({parameters(op, defaults=False)}) {{ {body} }}")


def bodies(index: int, op: Op) -> list[str]:
    """The definitions of what a row stands for beside the function below it."""
    lines = []
    operands = [a for a in op.passed if a.type in ("Tensor", "Operand")]
    numbers = [a for a in op.passed if a not in operands]
    row = f"entries[{index}].row"
    args = "{" + ", ".join(f"&{a.name}" for a in operands) + "}"
    if numbers:
        args += ", {" + ", ".join(a.name for a in numbers) + "}"
    if op.is_pointwise:
        lines.append(definition(op, op.cpp_result(), op.name, f"return pointwise({row}, {args});"))
        if op.has_inplace:
            lines.append(
                definition(op, "Tensor", op.name + "_", f"return pointwise_in_place({row}, {args});")
            )
    elif op.has_inplace:
        first = op.passed[0].name
        others = ", ".join(f"&{a.name}" for a in op.passed[1:] if a.type.rstrip("?") in ("Tensor", "Operand"))
        rest = ", ".join([f"readable_copy({first}, {{{others}}})", *(a.name for a in op.passed[1:])])
        body = (
            f'check_writable({first}, "{op.name}_"); '
            f'return assign_in_place({first}, mlx::{op.qualified}({rest}), "{op.name}_");'
        )
        lines.append(definition(op, "Tensor", op.name + "_", body))
    return lines


def ops_header(ops: list[Op]) -> str:
    lines = [line for op in ops for line in declarations(op)]
    return (
        "// Generated from the OP rows of cpp/ops by cmake/generate_ops.py.\n#pragma once\n"
        '#include <optional>\n#include <string>\n#include <tuple>\n#include "ops/generator.h"\n'
        '#include "ops/operators.h"\n#include "tensor/tensor.h"\n'
        "namespace mlx {\n" + "\n".join(lines) + "\n}  // namespace mlx\n"
    )


def ops_source(ops: list[Op]) -> str:
    table = ",\n".join(f'    {{"{op.schema}", Row("{op.name}")}}' for op in ops)
    lines = [line for i, op in enumerate(ops) for line in bodies(i, op)]
    return (
        "// Generated from the OP rows of cpp/ops by cmake/generate_ops.py.\n"
        '#include "ops.h"\n#include <stdexcept>\n#include <string_view>\n#include <unordered_map>\n'
        '#include "ops/pointwise.h"\n'
        "namespace mlx {\nnamespace {\nstruct Entry { const char* schema; Row row; };\n"
        "constinit Entry entries[] = {\n" + table + "};\n}  // namespace\n"
        "Row& Row::of(const char* schema) {\n"
        "  static const auto* index = [] {\n"
        "    auto* map = new std::unordered_map<std::string_view, size_t>;\n"
        f"    for (size_t i = 0; i < {len(ops)}; ++i) map->emplace(entries[i].schema, i);\n"
        "    return map;\n  }();\n  return entries[index->at(schema)].row;\n}\n"
        + "\n".join(lines)
        + "\n}  // namespace mlx\n"
    )


def c_string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def argument_row(a: Argument) -> str:
    kind = a.type.rstrip("?").replace("[]", "List").replace("?", "")
    kind = {
        "int": "Int",
        "float": "Float",
        "bool": "Bool",
        "str": "Str",
        "dtype": "Dtype",
        "device": "Device",
    }.get(kind, kind)
    kind = {
        "intList": "IntList",
        "floatList": "FloatList",
        "layout": "Layout",
        "memory_format": "MemoryFormat",
    }.get(kind, kind)
    if a.type == "Tensor?[]":
        kind = "OptionalTensorList"
    optional = "true" if a.type.endswith("?") or a.default == "None" else "false"
    return (
        f'{{"{a.name}", Kind::{kind}, {a.size}, {optional}, {str(a.default is not None).lower()}, '
        f"{str(a.keyword_only).lower()}}}"
    )


def getter(i: int, a: Argument) -> str:
    get = TYPES[a.type][1]
    if a.default is None or a.cpp_default == "{}":
        return f"a.{get}({i})"
    return f"a.{get}({i}, {a.cpp_default})"


def forms(op: Op) -> list[bool]:
    """Which forms Python sees: the row itself (False), and its in-place form (True)."""
    return [False, True] if op.has_inplace and not op.namespace else [False]


def python_paths(op: Op, inplace: bool) -> list[str]:
    """Where Python sees a form of an op: its own path, then its aliases."""
    if not inplace:
        space = op.path.split(".")[:-1]
        # ".det" is at the top level, "det" beside the op, "linalg.det" where it says.
        return [op.path, *(a.lstrip(".") if "." in a else ".".join([*space, a]) for a in op.aliases)]
    # nn.functional.x and special.x have no in-place form of their own: the method has it.
    plain = [a for a in op.aliases if "." not in a or a.startswith("Tensor.")]
    return [f"Tensor.{name.split('.')[-1]}_" for name in (op.path, *plain)]


def binding(index: int, op: Op, inplace: bool) -> tuple[str, str]:
    """The argument table and the table entry of one op (or of its in-place form)."""
    tag = f"{index}{'i' if inplace else ''}"
    name = op.name + ("_" if inplace else "")
    call_args = ", ".join(getter(i, a) for i, a in enumerate(op.arguments) if a.passed)
    function = f"{op.namespace}::{name}" if op.namespace else name
    call = f"mlx::{function}({call_args})"
    label = "" if op.is_pointwise else op.node
    if label:
        call = f"node.label({call})"
    if op.result_names and not inplace:
        fields = ", ".join(c_string(n) for n in op.result_names)
        title = op.qualified.replace("::", "_")
        body = (
            f'static PyTypeObject* type = result_type("{title}", {{{fields}}}); '
            f"return wrap_tuple(type, {call});"
        )
    elif op.result == "()" and not inplace:
        body = f"{call}; return Py_NewRef(Py_None);"
    else:
        body = f"return wrap({call});"
    for i, a in enumerate(op.arguments):
        if a.name == "requires_grad":
            body = f"return a.with_grad({i}, {call});"
    if label:
        body = f'NodeLabel node("{label}"); {body}'
    args = ", ".join(argument_row(a) for a in op.arguments)
    rows = (
        f"static const Argument args_{tag}[] = {{{args}}};"
        if op.arguments
        else f"static const Argument* args_{tag} = nullptr;"
    )
    path = python_paths(op, inplace)[0]
    schema = op.schema if not inplace else op.schema.replace(op.name + "(", name + "(", 1)
    doc = c_string(op.doc)
    entry = (
        f'{{"{path}", {c_string(schema)}, {doc}, args_{tag}, {len(op.arguments)}, '
        f"[]([[maybe_unused]] const Args& a) -> PyObject* {{ {body} }}}}"
    )
    return rows, entry


def binding_source(part: int, ops: list[tuple[int, Op]]) -> str:
    tables, entries = [], []
    for index, op in ops:
        for inplace in forms(op):
            rows, entry = binding(index, op, inplace)
            tables.append(rows)
            entries.append(entry)
            aliases = python_paths(op, inplace)[1:]
            entries += [re.sub(r'^\{"[^"]*"', f'{{"{path}"', entry) for path in aliases]
    return (
        "// Generated from the OP rows of cpp/ops by cmake/generate_ops.py.\n"
        '#include "bindings/op_table.h"\n#include "ops.h"\n#include "tape/record.h"\n'
        "namespace mlx::bindings {\n" + "\n".join(tables) + "\n"
        f"void add_ops_{part}(std::vector<OpEntry>& table) {{\n  static const OpEntry entries[] = {{\n"
        + ",\n".join(entries)
        + "};\n  table.insert(table.end(), std::begin(entries), std::end(entries));\n}\n"
        "}  // namespace mlx::bindings\n"
    )


def write(path: Path, text: str) -> None:
    """Writes only what changed, so that dependents are not rebuilt for nothing."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("sources", type=Path, nargs="+")
    args = parser.parse_args()
    ops = [op for source in sorted(args.sources) for op in scan(source)]
    seen: set[str] = set()
    for op in ops:
        signature = f"{op.path}({', '.join(a.type for a in op.arguments)})"
        if signature in seen:
            raise SystemExit(f"two rows declare {signature}")
        seen.add(signature)
    args.out.mkdir(parents=True, exist_ok=True)
    write(args.out / "ops.h", ops_header(ops))
    write(args.out / "ops.cpp", ops_source(ops))
    numbered = list(enumerate(ops))
    for part in range(BINDING_PARTS):
        chunk = numbered[part * len(ops) // BINDING_PARTS : (part + 1) * len(ops) // BINDING_PARTS]
        write(args.out / f"op_bindings_{part}.cpp", binding_source(part, chunk))


if __name__ == "__main__":
    main()
