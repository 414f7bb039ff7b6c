"""Which public names of JAX cotan has: writes docs/coverage.md.

    python tools/coverage.py            # prints what changed, and writes
    python tools/coverage.py --check    # fails if the page is not true

The names, those of JAX 0.10.2, are in tests/data/jax_api.tsv: a module and its
names per line. A name is present if it is there and is not a stand-in that only
says that it is not available.
"""

from __future__ import annotations

import collections
import importlib
import pathlib
import sys
import textwrap
import warnings

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))
PAGE = ROOT / "docs" / "coverage.md"
NAMES = ROOT / "tests" / "data" / "jax_api.tsv"
DIFFERENCES = ROOT / "tests" / "golden" / "known_differences.txt"

HEAD = """# Coverage of JAX's public names

Written by `python tools/coverage.py`; a test keeps it true. The names are
those of JAX 0.10.2, without `jax.experimental`, `jax.extend`,
`jax.interpreters`, `jax.sharding` and what else is about its own machinery.
Signatures are compared with JAX's by `tests/oracle/test_signatures.py`, which
lists the exceptions. An absent name raises an AttributeError that says why.

"""


ARRAY_API = """
## The Array API

The consortium's suite (`array_api_tests` at 55fcc60, 64-bit types, nothing
skipped, `--derandomize --max-examples 20`) on `cotan.numpy`: 1324 of 1366 tests
pass, in 37 s of CPU time. The others:

- `setitem` (2 tests) and `asarray(copy=...)` (its test) write into an array:
  arrays are immutable, `x.at[i].set(y)` is the way.
- `floor_divide` and `remainder` of zeros and infinities (33 tests) give what
  JAX gives, `x - remainder(x, y)` over `y`, not what C's `fmod` would imply.
- `finfo` of f32 (2 tests) has float32 scalars, as NumPy's has.
- `expand_dims` with a bad axis raises JAX's ValueError, not an IndexError.
- `cumulative_prod` of small integers keeps their dtype, as JAX's.
- `sign(-0.0)` keeps the sign, as JAX's; the zero in `tanh(inf + y i)` has the
  sign of `sin(2 y)`, as in C. Which zero `expm1(-0+0j)` is tried with depends
  on the examples drawn.
"""


def names() -> dict[str, list[str]]:
    """The names of JAX by module, in order."""
    rows = (line.split("\t") for line in NAMES.read_text().splitlines()[1:])
    return {
        "cotan" + module.removeprefix("jax"): listed.split()
        for module, listed in rows
    }


def _owner(module: str):
    if module.startswith("cotan.Array.at"):
        import cotan.numpy

        return cotan.numpy.zeros(1).at[0]
    if module == "cotan.Array":
        import cotan.numpy

        return cotan.numpy.zeros(1)
    return importlib.import_module(module)


def why_absent(module: str, name: str) -> str | None:
    """None if the name is there and works."""
    from cotan._src import absent

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = getattr(_owner(module), name)
        except (AttributeError, ModuleNotFoundError):
            return absent.reason(module, name)
        except Exception:  # an attribute that raises for this array
            return None
    return getattr(value, "not_available", None)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 80, break_on_hyphens=False)


def differences() -> str:
    """The recorded statements about JAX that do not hold, by reason."""
    lines = ["## Statements about JAX's conventions that do not hold\n"]
    lines.append(
        "Of 282; in those that print a module, the name is cotan's own.\n"
    )
    _, *paragraphs = DIFFERENCES.read_text().strip().split("\n\n")
    for paragraph in paragraphs:
        reason = [x[2:] for x in paragraph.splitlines() if x.startswith("# ")]
        cases = [x for x in paragraph.splitlines() if not x.startswith("#")]
        text = " ".join(reason)
        lines.append(_wrapped(text[0].upper() + text[1:] + ":") + "\n")
        lines.append("```\n" + "\n".join(cases) + "\n```\n")
    return "\n".join(lines)


def page() -> str:
    """The text of docs/coverage.md."""
    table, details, have, total = [], [], 0, 0
    for module, listed in names().items():
        reasons = {name: why_absent(module, name) for name in listed}
        present = [n for n in listed if reasons[n] is None]
        absent = collections.defaultdict(list)
        for name in listed:
            if reasons[name] is not None:
                absent[reasons[name]].append(name)
        have, total = have + len(present), total + len(listed)
        table.append(f"| `{module}` | {len(present)} | {len(listed)} |")
        details.append(f"## {module}\n")
        if absent:
            for reason, missing in sorted(absent.items()):
                items = ", ".join(f"`{n}`" for n in missing)
                details.append(_wrapped(f"Absent ({reason}): {items}.") + "\n")
        if present:
            items = ", ".join(f"`{n}`" for n in present)
            details.append(_wrapped(f"Present: {items}.") + "\n")
    head = f"{have} of {total} names are present.\n\n"
    head += "| module | present | of |\n|---|---|---|\n"
    sections = [differences(), *details]
    text = HEAD + head + "\n".join(table) + "\n\n" + "\n".join(sections)
    return text + ARRAY_API


def main() -> int:
    text = page()
    old = PAGE.read_text() if PAGE.exists() else ""
    if "--check" in sys.argv:
        return int(text != old)
    PAGE.write_text(text)
    print(text.split("\n\n")[2], "(changed)" if text != old else "(as before)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
