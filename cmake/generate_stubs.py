"""Write the type stub of the extension module, from the OP rows of cpp/ops/*.cpp and stub_head.pyi.

    generate_stubs.py --out DIR cpp/ops/*.cpp

Writes DIR/_C.pyi. What the bindings define by hand is described by hand in stub_head.pyi; a name found
there is not described again from the rows.
"""

from __future__ import annotations

import argparse
import keyword
import re
from collections import defaultdict
from pathlib import Path

from generate_ops import Argument, Op, forms, python_paths, scan, write

HEAD = Path(__file__).with_name("stub_head.pyi")
METHODS_MARK = "    # The methods that come from rows stand here.\n"
FUNCTIONS_MARK = "# The functions that come from rows stand here.\n"

# Functions of python/mlx that stand in the place of the op of the same name.
REPLACED = {"atleast_1d", "atleast_2d", "atleast_3d", "nonzero"}

# Schema type -> annotation. The names with an underscore are aliases that stub_head.pyi defines: within
# Tensor, and below the dtypes, `int` and `float` are something else than numbers.
TYPES = {
    "Tensor": "Tensor",
    "Operand": "_Operand",
    "Tensor[]": "Sequence[Tensor]",
    "Tensor?[]": "Sequence[Tensor | None]",
    "Scalar": "_Number",
    "int": "_int",
    "int[]": "Sequence[_int]",
    "float": "_float",
    "float[]": "Sequence[_float]",
    "bool": "_bool",
    "str": "_str",
    "dtype": "_dtype",
    "device": "_DeviceLike",
    "Generator": "Generator",
    "layout": "Any",
    "memory_format": "Any",
}
RESULTS = {
    "Tensor": "Tensor",
    "Tensor[]": "tuple[Tensor, ...]",
    "bool": "_bool",
    "int": "_int",
    "float": "_float",
    "Scalar": "Any",
    "dtype": "_dtype",
    "int[]": "Size",
    "()": "None",
}


def annotation(a: Argument) -> str:
    kind = a.type.removesuffix("?")
    text = TYPES[kind]
    if a.size and kind == "int[]":
        text += " | _int"  # one number stands for all
    optional = a.type.endswith("?") or a.default == "None"
    return f"{text} | None" if optional and text != "Any" else text


def parameter(a: Argument) -> str:
    name = f"{a.name}_" if keyword.iskeyword(a.name) else a.name
    return f"{name}: {annotation(a)}" + (" = ..." if a.default is not None else "")


def result_class(op: Op) -> str:
    return f"_{op.name.strip('_')}_result"


def result(op: Op, inplace: bool) -> str:
    if inplace:
        return "Tensor"
    return result_class(op) if op.result_names else RESULTS[op.result]


def signatures(op: Op, *, method: bool, inplace: bool) -> list[str]:
    """The signatures of one row: two where a list of integers may also be given as f(2, 3)."""
    arguments = op.arguments[1:] if method else op.arguments
    positional = [parameter(a) for a in arguments if not a.keyword_only]
    named = [parameter(a) for a in arguments if a.keyword_only]
    if not method and op.result == "Tensor" and all(a.name != "out" for a in arguments):
        named.append("out: Tensor | None = ...")
    start = ["self"] if method else []
    returns = result(op, inplace)

    def signature(given: list[str], star: str) -> str:
        return (
            f"({', '.join([*start, *given, *([star] if star and named else []), *named])}) -> {returns}: ..."
        )

    found = [signature(positional, "*")]
    lists = [a for a in arguments if not a.keyword_only and a.type.startswith("int[]")]
    before = 0 if method or not arguments or arguments[0].type not in ("Tensor", "Operand") else 1
    if len(lists) == 1 and len(positional) == before + 1:
        found.append(signature([*positional[:before], f"*{lists[0].name}: _int"], ""))
    return found


def collect(ops: list[Op]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The signatures of each function of the module, and of each method of Tensor."""
    functions: dict[str, list[str]] = defaultdict(list)
    methods: dict[str, list[str]] = defaultdict(list)
    for op in ops:
        for inplace in forms(op):
            for path in python_paths(op, inplace):
                space, _, name = path.rpartition(".")
                if space == "Tensor":
                    methods[name] += signatures(op, method=True, inplace=inplace)
                elif not space:
                    functions[name] += signatures(op, method=False, inplace=inplace)
                    if op.arguments and op.arguments[0].name == "input":
                        methods[name] += signatures(op, method=True, inplace=inplace)
    return functions, methods


def definitions(table: dict[str, list[str]], indent: str) -> str:
    lines = []
    for name in sorted(table):
        unique = list(dict.fromkeys(table[name]))
        for s in unique:
            lines += [f"{indent}@overload"] * (len(unique) > 1) + [f"{indent}def {name}{s}"]
    return "\n".join(lines) + "\n"


def result_classes(ops: list[Op]) -> str:
    """The tuples with named fields that ops return."""
    classes = {}
    for op in ops:
        if op.result_names:
            fields = zip(op.result_names, op.result.split(","), strict=True)
            classes[result_class(op)] = [f"    {name}: {RESULTS[kind]}" for name, kind in fields]
    return "\n".join("\n".join([f"class {name}(NamedTuple):", *classes[name]]) for name in sorted(classes))


def defined(text: str, indent: str) -> set[str]:
    """The names that the head defines at one depth."""
    return set(re.findall(rf"^{indent}(?:def |class )?(\w+)(?=[:(])", text, re.M))


def stub(ops: list[Op], head: str) -> str:
    functions, methods = collect(ops)
    functions = {n: s for n, s in functions.items() if n not in defined(head, "") | REPLACED}
    tensor = head[head.index("class Tensor:") : head.index(METHODS_MARK)]
    methods = {n: s for n, s in methods.items() if n not in defined(tensor, "    ")}
    head = head.replace(METHODS_MARK, definitions(methods, "    "))
    return head.replace(FUNCTIONS_MARK, result_classes(ops) + "\n" + definitions(functions, ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("sources", type=Path, nargs="+")
    args = parser.parse_args()
    ops = [op for source in sorted(args.sources) for op in scan(source)]
    write(args.out / "_C.pyi", stub(ops, HEAD.read_text()))


if __name__ == "__main__":
    main()
