"""Lists the formulas found in header files.

A formula is a function template at namespace level of the form

    template <Floating T>
    T softplus(T x, T beta, T threshold) ...

Writes formulas.inc, one line `MLX_FORMULA(softplus, 3)` a formula, ordered by name, for C++ to include.
"""

import argparse
import re
import sys
from pathlib import Path

FORMULA = re.compile(r"^template <(\w+) T>\s*\n?\s*(?:auto|T|\w+) (\w+)\(([^)]*)\)", re.MULTILINE)


def find_formulas(sources: list[Path]) -> dict[str, int]:
    """Returns the arity of each formula by name; raises ValueError if a name is defined twice."""
    arity: dict[str, int] = {}
    for source in sources:
        for match in FORMULA.finditer(source.read_text(encoding="utf-8")):
            name, parameters = match[2], match[3]
            if name in arity:
                raise ValueError(f"{source}: formula {name!r} is defined twice")
            arity[name] = len(parameters.split(","))
    return arity


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to write formulas.inc into")
    parser.add_argument("sources", type=Path, nargs="+", help="headers to search")
    arguments = parser.parse_args()

    arity = find_formulas(arguments.sources)
    text = "".join(f"MLX_FORMULA({name}, {arity[name]})\n" for name in sorted(arity))
    target = arguments.out / "formulas.inc"
    target.parent.mkdir(parents=True, exist_ok=True)
    # Untouched when unchanged, so that editing a formula's body does not rebuild every user of the list.
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        target.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
