"""Where the installed library is (`python -m cotan.config`)."""

import argparse
import os


def prefix() -> str:
    """The folder that holds `include/` and `lib/`."""
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def include_dir() -> str:
    """The folder for `-I`: `#include <cotan/cotan.h>` is found below it."""
    return os.path.join(prefix(), "include")


def lib_dir() -> str:
    """The folder for `-L`: it holds `libcotan.so`."""
    return os.path.join(prefix(), "lib")


def cmake_dir() -> str:
    """The folder of `cotanConfig.cmake`."""
    return os.path.join(lib_dir(), "cmake", "cotan")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m cotan.config",
        description="Print where cotan's C++ library is.",
    )
    group = parser.add_mutually_exclusive_group(required=True)
    for get in (prefix, include_dir, lib_dir, cmake_dir):
        flag = "--" + get.__name__.replace("_", "-")
        group.add_argument(
            flag, dest="get", action="store_const", const=get, help=get.__doc__
        )
    print(parser.parse_args().get())
