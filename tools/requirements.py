"""Prints requirements of pyproject.toml, one a line, for `pip install -r`.

    python tools/requirements.py build run test

`build` is the build system's list, `run` the run-time dependencies; any
other name is an extra or a dependency group. This lets the developer build
install what cotan needs without installing cotan.
"""

import pathlib
import sys

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    from pip._vendor import tomli as tomllib


def requirements(names):
    root = pathlib.Path(__file__).resolve().parent.parent
    with open(root / "pyproject.toml", "rb") as file:
        config = tomllib.load(file)
    lists = {
        "build": config["build-system"]["requires"],
        "run": config["project"]["dependencies"],
        **config["project"]["optional-dependencies"],
        **config["dependency-groups"],
    }
    return list(dict.fromkeys(r for name in names for r in lists[name]))


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1:])))
