"""Lines per folder, and the longest files and functions of the repository.

Printed by `make check`: the house rule is about 800 lines a file, 300 a
header and 80 a function. It informs, it does not fail.
"""

import ast
import collections
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
CODE = {".h", ".cpp", ".cu", ".cuh", ".py", ".pyx", ".pxi", ".pxd"}


def sources():
    listing = subprocess.run(
        ["git", "ls-files"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in listing.splitlines():
        path = pathlib.Path(name)
        if path.suffix in CODE and (ROOT / path).exists():
            yield path, (ROOT / path).read_text().splitlines()


def cpp_functions(lines):
    """Bodies opened by a line at column 0 that ends with `) ... {`."""
    start = None
    for number, line in enumerate(lines, 1):
        if re.match(
            r"[A-Za-z_].*\{$|[ ]{4}.*\) (const )?(noexcept )?\{$", line
        ):
            start = start or number
        if line.startswith("}") and start:
            head = lines[start - 1]
            if not re.match(r"(namespace|struct|class|enum|union)\b", head):
                yield number - start + 1, start, head.strip()
            start = None
        elif re.match(r"namespace\b", line):
            start = None


def python_functions(lines):
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.end_lineno - node.lineno + 1, node.lineno, node.name


def main():
    folders, files, functions = collections.Counter(), [], []
    for path, lines in sources():
        folder = (
            "/".join(path.parts[:2]) if len(path.parts) > 2 else path.parts[0]
        )
        folders[folder] += len(lines)
        files.append((len(lines), str(path)))
        find = {".py": python_functions, ".cpp": cpp_functions}.get(path.suffix)
        for length, line, name in find(lines) if find else ():
            functions.append((length, f"{path}:{line} {name}"))
    print(f"{'lines':>7}  folder")
    for folder, count in sorted(folders.items()):
        print(f"{count:7}  {folder}")
    print(f"{sum(folders.values()):7}  in all")
    for title, rows in (("files", files), ("functions", functions)):
        print(f"longest {title}")
        for length, name in sorted(rows, reverse=True)[:8]:
            print(f"{length:7}  {name}")


if __name__ == "__main__":
    main()
