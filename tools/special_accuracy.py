"""The functions of scipy.special against mpmath: a section of docs/accuracy.md.

    python tools/special_accuracy.py                # all, and writes the page
    python tools/special_accuracy.py --only gammainc zeta --samples 2000

An error is counted in ULPs of the correctly rounded value. Where a function
changes much faster than its arguments, not even those can be told apart: the
last columns divide by the condition, 1 + the sum of |x df/dx / f|. JAX, if it
is there, is measured on the same arguments.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import pathlib
import sys
from collections.abc import Callable

import mpmath as mp
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))
PAGE = ROOT / "docs" / "accuracy.md"
START = "\n## scipy.special\n"
DIGITS = 35
SEED = 20


@dataclasses.dataclass(frozen=True)
class Range:
    """Arguments of one place: half of them spread evenly, half by magnitude."""

    low: float
    high: float
    integer: bool = False
    points: tuple[float, ...] = ()

    def draw(self, rng, n):
        even = rng.uniform(self.low, self.high, n)
        top = max(abs(self.low), abs(self.high))
        least = min(abs(self.low), abs(self.high)) or top * 1e-6
        size = np.exp(rng.uniform(np.log(least), np.log(top), n))
        sign = np.where(rng.random(n) < 0.5, -1, 1)
        signed = np.where((self.low <= -size) & (sign < 0), -size, size)
        inside = (signed >= self.low) & (signed <= self.high)
        x = np.where((rng.random(n) < 0.5) & inside, signed, even)
        x = np.round(x) if self.integer else x
        if self.points:
            at = rng.random(n) < 0.1
            x = np.where(at, rng.choice(self.points, n), x)
        return x


def R(low, high, **options):
    return Range(low, high, **options)


def whole(low, high):
    return Range(low, high, integer=True)


@dataclasses.dataclass(frozen=True)
class Case:
    """One function: how to call it on a module `special`, and its reference."""

    call: Callable
    reference: Callable
    ranges: tuple[Range, ...]
    complex: bool = False
    static: tuple[int, ...] = ()  # integer arrays
    digits: int = DIGITS  # of the reference: more where it cancels


def _gammainc(a, x):
    if a > 30 and x > 1e4 * a:
        return mp.mpf(1)
    return mp.gammainc(a, 0, x, regularized=True)


def _gammaincc(a, x):
    return mp.gammainc(a, x, mp.inf, regularized=True)


def _betainc(a, b, x):
    return mp.betainc(a, b, 0, x, regularized=True)


def _log_ndtr(x):
    return mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)


def _owens_t(h, a):
    def slice_(t):
        return mp.exp(-h * h * (1 + t * t) / 2) / (1 + t * t)

    return mp.quad(slice_, mp.linspace(0, a, 9)) / (2 * mp.pi)


def _kl_div(p, q):
    return p * mp.log(p / q) - p + q


def _boxcox(x, k):
    return mp.log(x) if k == 0 else (mp.power(x, k) - 1) / k


def _comb(n, k):
    return mp.binomial(n, k)


def _sph_harm(n, m, theta, phi):
    return mp.spherharm(int(n), int(m), theta, phi)


def _multigammaln(a):
    d = 3
    total = mp.mpf(d * (d - 1)) / 4 * mp.log(mp.pi)
    return total + mp.fsum(mp.loggamma(a - mp.mpf(i) / 2) for i in range(d))


CASES: dict[str, Case] = {}


def case(name, reference, *ranges, call=None, **options):
    base = name.split(" ")[0]
    if call is None:

        def call(special, *xs):
            return getattr(special, base)(*xs)

    CASES[name] = Case(call, reference, ranges, **options)


POSITIVE = R(1e-30, 1e3)
ANY = R(-40.0, 40.0)

case("beta", mp.beta, R(1e-3, 60), R(1e-3, 60))
case("betainc", _betainc, R(1e-2, 60), R(1e-2, 60), R(0.0, 1.0))
case("betaln", lambda a, b: mp.log(mp.beta(a, b)), R(1e-3, 1e4), R(1e-3, 1e4))
case("boxcox", _boxcox, R(1e-6, 1e3), R(-4, 4, points=(0.0, 1e-12)))
case(
    "boxcox1p",
    lambda x, k: mp.log1p(x) if k == 0 else mp.expm1(k * mp.log1p(x)) / k,
    R(-0.99, 1e3),
    R(-4, 4, points=(0.0, 1e-12)),
)
case("comb", _comb, whole(0, 60), whole(0, 20))
case(
    "dawsn",
    lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x),
    R(-60, 60),
)
case("digamma", mp.digamma, R(-20, 1e3))
case("entr", lambda x: -x * mp.log(x), POSITIVE)
case("erf", mp.erf, R(-6, 6))
case("erfc", mp.erfc, R(-6, 12))
case("erfcx", lambda x: mp.exp(x * x) * mp.erfc(x), R(-8, 1e3))
case("erfinv", mp.erfinv, R(-0.9999, 0.9999))
case("exp1", mp.e1, R(1e-10, 80))
case("expi", mp.ei, R(-80, 80))
case("expit", lambda x: 1 / (1 + mp.exp(-x)), R(-80, 80))
case("expn", lambda n, x: mp.expint(int(n), x), whole(2, 20), R(1e-3, 60))
case("factorial", mp.factorial, R(0, 30))
case(
    "fresnel S",
    lambda x: mp.fresnels(x),
    R(-30, 30),
    call=lambda special, x: special.fresnel(x)[0],
)
case(
    "fresnel C",
    lambda x: mp.fresnelc(x),
    R(-30, 30),
    call=lambda special, x: special.fresnel(x)[1],
)
case("gamma", mp.gamma, R(-20, 30))
case("gammainc", _gammainc, R(1e-2, 300), R(1e-3, 400))
case("gammaincc", _gammaincc, R(1e-2, 300), R(1e-3, 400))
case("gammaln", lambda x: mp.log(abs(mp.gamma(x))), R(-20, 1e4))
case("hyp1f1", mp.hyp1f1, R(0.1, 8), R(0.1, 8), R(-20, 20))
case("hyp2f1", mp.hyp2f1, R(0.1, 4), R(0.1, 4), R(0.1, 6), R(-0.9, 0.9))
case("i0", lambda x: mp.besseli(0, x), R(-60, 60))
case("i0e", lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), R(-300, 300))
case("i1", lambda x: mp.besseli(1, x), R(-60, 60))
case("i1e", lambda x: mp.besseli(1, x) * mp.exp(-abs(x)), R(-300, 300))
case("kl_div", _kl_div, R(1e-6, 1e3), R(1e-6, 1e3))
case("log_ndtr", _log_ndtr, R(-60, 8))
case("logit", lambda p: mp.log(p / (1 - p)), R(1e-8, 0.9999))
case(
    "multigammaln",
    _multigammaln,
    R(1.01, 1e3),
    call=lambda special, a: special.multigammaln(a, 3),
)
case("ndtr", mp.ncdf, R(-12, 8))
case(
    "ndtri",
    lambda p: mp.sqrt(2) * mp.erfinv(2 * p - 1),
    R(1e-30, 0.9999),
    digits=80,
)
case("owens_t", _owens_t, R(-8, 8), R(-6, 6))
case("poch", lambda z, m: mp.rf(z, m), R(0.01, 20), R(0.0, 20))
case(
    "polygamma",
    lambda n, x: mp.psi(int(n), x),
    whole(1, 5),
    R(1e-3, 200),
    static=(0,),
)
case("rel_entr", lambda p, q: p * mp.log(p / q), R(1e-6, 1e3), R(1e-6, 1e3))
case("sici Si", mp.si, R(-60, 60), call=lambda special, x: special.sici(x)[0])
case("sici Ci", mp.ci, R(1e-6, 60), call=lambda special, x: special.sici(x)[1])
case("spence", lambda x: mp.polylog(2, 1 - x), R(1e-8, 60))
case("xlog1py", lambda x, y: x * mp.log1p(y), R(-60, 60), R(-0.9, 1e3))
case("xlogy", lambda x, y: x * mp.log(y), R(-60, 60), R(1e-8, 1e3))
case("zeta", mp.zeta, R(1.01, 60), R(1e-2, 60), digits=120)
case(
    "bessel_jn 0",
    lambda z: mp.besselj(0, z),
    R(1e-2, 20),
    call=lambda special, z: special.bessel_jn(z, v=3)[0],
)
case(
    "bessel_jn 3",
    lambda z: mp.besselj(3, z),
    R(1e-2, 20),
    call=lambda special, z: special.bessel_jn(z, v=3)[3],
)
case("gamma complex", mp.gamma, R(-8, 20), R(-20, 20), complex=True)
case("loggamma complex", mp.loggamma, R(-8, 60), R(-60, 60), complex=True)
case(
    "wofz",
    lambda z: mp.exp(-z * z) * mp.erfc(-1j * z),
    R(-12, 12),
    R(-2, 12),
    complex=True,
)


# ---- measuring


@dataclasses.dataclass
class Errors:
    ulps: np.ndarray
    conditioned: np.ndarray
    args: list[np.ndarray]
    wrong: int  # nan or infinite where the reference is not

    def row(self):
        worst = int(np.argmax(self.ulps))
        at = ", ".join(repr(a[worst].item()) for a in self.args)
        return (
            float(np.median(self.ulps)),
            float(self.ulps[worst]),
            float(np.max(self.conditioned)),
            at,
        )


def arguments(name, dtype, samples):
    """Arrays of arguments in `dtype`, complex ones joined."""
    c = CASES[name]
    rng = np.random.default_rng(SEED)
    xs = [r.draw(rng, samples) for r in c.ranges]
    if c.complex:
        wide = np.complex64 if dtype == "float32" else np.complex128
        return [(xs[0] + 1j * xs[1]).astype(wide)]
    return [
        x.astype("int32" if i in c.static else dtype) for i, x in enumerate(xs)
    ]


def _mp(x):
    return mp.mpc(x.item()) if np.iscomplexobj(x) else mp.mpf(x.item())


def _condition(f, point, value):
    """1 + the sum of |x df/dx / f|, by differences."""
    if value == 0:
        return mp.inf
    total = mp.mpf(1)
    h = mp.mpf(10) ** (-DIGITS // 3)
    for i, x in enumerate(point):
        moved = list(point)
        moved[i] = x * (1 + h)
        try:
            total += abs((f(*moved) - value) / (h * value))
        except (ValueError, ZeroDivisionError, TypeError, mp.NoConvergence):
            return mp.inf
    return total


@functools.cache
def _references(name, dtype, samples):
    """Points, exact values and the size of an ULP there; values beyond the
    range of the dtype are left out."""
    xs = arguments(name, dtype, samples)
    f = CASES[name].reference
    info = np.finfo(dtype)
    points, values, keep = [], [], []
    with mp.workdps(CASES[name].digits):
        for i in range(samples):
            point = [_mp(x[i]) for x in xs]
            try:
                value = f(*point)
            except (ValueError, ZeroDivisionError, mp.NoConvergence):
                continue  # poles
            size = abs(value)
            if (
                not mp.isfinite(size)
                or size > info.max
                or (size < info.smallest_normal and size != 0)
            ):
                continue
            points.append(point)
            values.append(value)
            keep.append(i)
    return [x[keep] for x in xs], points, values


def _ulp(size, dtype):
    x = np.asarray(float(size), dtype)
    return max(float(np.spacing(np.abs(x))), float(np.finfo(dtype).tiny) * 1e-8)


def measure(name, dtype, special, samples) -> Errors:
    """special: the module with the function, of cotan or another library."""
    xs, points, values = _references(name, dtype, samples)
    got = np.asarray(CASES[name].call(special, *xs))
    f = CASES[name].reference
    ulps, conditioned, wrong = [], [], 0
    with mp.workdps(CASES[name].digits):
        for g, point, value in zip(got, points, values, strict=True):
            if not np.isfinite(g):
                wrong += 1
                ulps.append(np.inf)
                conditioned.append(np.inf)
                continue
            error = abs(_mp(g) - value)
            ulp = float(error / _ulp(abs(value), dtype))
            ulps.append(ulp)
            if ulp > 2:
                ulp = float(ulp / _condition(f, point, value))
            conditioned.append(ulp)
    return Errors(np.array(ulps), np.array(conditioned), xs, wrong)


def ours(dtype):
    import cotan
    import cotan.scipy.special

    return cotan.scipy.special, cotan.enable_x64(dtype == "float64")


def theirs(dtype):
    import jax
    import jax.scipy.special

    return jax.scipy.special, jax.enable_x64(dtype == "float64")


HEAD = """
Written by `python tools/special_accuracy.py`, the second half of
`make accuracy`: {samples} arguments for each function and type, half of them
spread evenly and half by magnitude over the ranges of that file, compared with
mpmath. In parentheses JAX, on the same arguments; inf: a wrong infinity or nan.
"By condition" divides an error by the condition of the function there, 1 + the
sum of |x df/dx / f|.

| function | type | median ULP | max ULP | by condition | at |
|---|---|---|---|---|---|
"""


# XLA takes minutes to compile these.
SLOW = ("exp1",)


def table(names, samples, libraries, log=print):
    rows = []
    for name in names:
        for dtype in ("float32", "float64"):
            cells = []
            for library in libraries:
                if library is theirs and name in SLOW:
                    continue
                try:
                    special, x64 = library(dtype)
                    with x64:
                        e = measure(name, dtype, special, samples)
                    cells.append(e.row())
                except (ImportError, AttributeError):
                    cells.append(None)
                except (TypeError, NotImplementedError, ValueError):
                    cells.append(None)
            mine, other = (*cells, None)[:2]
            parts = [
                f"{m:.2f} ({o:.2f})" if other else f"{m:.2f} (-)"
                for m, o in zip(mine[:3], (other or mine)[:3], strict=True)
            ]
            short = "f32" if dtype == "float32" else "f64"
            row = f"| {name} | {short} | {' | '.join(parts)} | {mine[3]} |"
            rows.append(row)
            log(row, flush=True)
    return rows


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--only", nargs="*", metavar="FUNCTION")
    parser.add_argument("--alone", action="store_true", help="without JAX")
    args = parser.parse_args(argv)
    libraries = (ours,) if args.alone else (ours, theirs)
    rows = table(args.only or CASES, args.samples, libraries)
    if args.only or args.alone:
        return
    page = PAGE.read_text().split(START)[0]
    head = HEAD.format(samples=args.samples)
    PAGE.write_text(page + START + head + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
