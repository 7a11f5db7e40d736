"""Print the requirements that pyproject.toml names: `build` for the build system, else the extra's name."""

import sys
from pathlib import Path

try:
    import tomllib
except ImportError:  # Python 3.10
    from pip._vendor import tomli as tomllib

project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())
groups = {"build": project["build-system"]["requires"], **project["project"]["optional-dependencies"]}
groups["runtime"] = project["project"]["dependencies"]
print("\n".join(requirement for name in sys.argv[1:] for requirement in groups[name]))
