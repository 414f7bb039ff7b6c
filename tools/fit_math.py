"""Derive every polynomial of csrc/emit/math_*.cpp.

Weighted Remez exchange in mpmath; the coefficients are then rounded to the
target format one at a time, lowest power first, and the remaining ones are
refitted after each rounding. The result is the header
csrc/emit/math_coefficients.h, which is committed.

    python tools/fit_math.py            # everything (some minutes)
    python tools/fit_math.py EXP32 ...  # only these; other rows are kept

Start reading at FITS, the table of what is approximated where.
"""

import pathlib
import re
import struct
import sys
from multiprocessing import Pool

import mpmath as mp

mp.mp.dps = 45
HEADER = pathlib.Path(__file__).parent.parent / "csrc/emit/math_coefficients.h"


def chebyshev_points(lo, hi, count):
    return [
        lo + (hi - lo) * (1 - mp.cos(mp.pi * (i + mp.mpf(1) / 2) / count)) / 2
        for i in range(count)
    ]


def alternating_extrema(err, want):
    """Indices of `want` local extrema of err with alternating signs."""
    ext = []
    for i, v in enumerate(err):
        if ext and (v > 0) == (err[ext[-1]] > 0):
            if abs(v) > abs(err[ext[-1]]):
                ext[-1] = i
        else:
            ext.append(i)
    while len(ext) > want:
        if len(ext) == want + 1:
            ext.pop(0 if abs(err[ext[0]]) < abs(err[ext[-1]]) else -1)
            continue
        j = min(range(len(ext)), key=lambda j: abs(err[ext[j]]))
        ext.pop(j)
        if 0 < j < len(ext):
            a, b = ext[j - 1], ext[j]
            ext[j - 1 : j + 1] = [a if abs(err[a]) > abs(err[b]) else b]
    return ext


class Samples:
    """The target function and its weight, evaluated once on a grid."""

    def __init__(self, f, w, lo, hi, terms):
        self.xs = chebyshev_points(lo, hi, 20 * (terms + 2))
        self.f = [f(x) for x in self.xs]
        self.w = [abs(w(x)) for x in self.xs]

    def error(self, c):
        """Worst weighted error of the polynomial with coefficients c."""
        c = c[::-1]
        return max(
            abs(v - mp.polyval(c, x)) * u
            for x, v, u in zip(self.xs, self.f, self.w, strict=True)
        )


def remez(s, terms, fixed=(), rounds=14):
    """Minimise max |(f - sum c_k x^k) w|; leading coefficients may be given."""
    k0, free, count = len(fixed), terms - len(fixed), len(s.xs)
    head = list(fixed)[::-1]
    target = [
        v - (mp.polyval(head, x) if head else 0)
        for x, v in zip(s.xs, s.f, strict=True)
    ]
    basis = [[x ** (k0 + k) for k in range(free)] for x in s.xs]
    ref = [
        int((count - 1) * (1 - float(mp.cos(mp.pi * i / free))) / 2 + 0.5)
        for i in range(free + 1)
    ]
    for _ in range(rounds):
        a, b = mp.matrix(free + 1, free + 1), mp.matrix(free + 1, 1)
        for r, i in enumerate(ref):
            for k in range(free):
                a[r, k] = basis[i][k] * s.w[i]
            a[r, free] = (-1) ** r
            b[r] = target[i] * s.w[i]
        sol = mp.lu_solve(a, b)
        c = [sol[k] for k in range(free)]
        err = [
            (target[i] - mp.fdot(c, basis[i])) * s.w[i] for i in range(count)
        ]
        ext = alternating_extrema(err, free + 1)
        if len(ext) < free + 1 or ext == ref:
            break
        ref = ext
    return list(fixed) + c


def round_to(x, bits):
    if bits == 32:
        return mp.mpf(struct.unpack("f", struct.pack("f", float(x)))[0])
    return mp.mpf(float(x))


def fit(name):
    f, w, lo, hi, terms, bits = FITS[name]
    s = Samples(f, w, mp.mpf(lo), mp.mpf(hi), terms)
    c = remez(s, terms)
    ideal = s.error(c)
    done, low = [], None
    if name in SPLIT:
        high = round_to(c[0], bits)
        low = round_to(c[0] - high, bits)
        done = [high + low]
        c = min(done + c[1:], remez(s, terms, tuple(done), 6), key=s.error)
    # Rounding of high powers matters little in f64: refit for the first four.
    refits = terms if bits == 32 else 4
    for k in range(len(done), terms):
        done.append(round_to(c[k], bits))
        keep = done + c[k + 1 :]
        if k + 1 < terms and k < refits:
            try:
                again = remez(s, terms, tuple(done), 6)
                keep = min(keep, again, key=s.error)
            except ZeroDivisionError:
                pass
        c = keep
    log2 = [float(mp.log(v, 2)) for v in (ideal, s.error(done))]
    print(
        f"{name}: {terms} terms, minimax 2^{log2[0]:.1f}, "
        f"rounded 2^{log2[1]:.1f}",
        flush=True,
    )
    out = [float(v) for v in done]
    if low is None:
        return name, out
    out[0] = float(high)
    return name, [*out, float(low)]


def guarded(g):
    """g with guard digits, and a limit at 0 taken just beside it."""

    def h(x):
        with mp.workdps(90):
            return +g(x if x != 0 else mp.mpf(10) ** -30)

    return h


def odd(f):
    """P with f(r) = r + r t P(t), t = r^2, and its relative weight."""
    p = guarded(lambda t: (f(mp.sqrt(t)) / mp.sqrt(t) - 1) / t)
    w = guarded(lambda t: t * mp.sqrt(t) / f(mp.sqrt(t)))
    return p, w


def erfinv_over_x(w):
    """erf_inv(x) / x where 1 - x^2 = exp(-w)."""
    with mp.workdps(70):
        if w < mp.mpf(10) ** -30:
            return mp.sqrt(mp.pi) / 2
        x = mp.sqrt(-mp.expm1(-w))
        return mp.erfinv(x) / x


def erfinv_quotient(c):
    g0 = erfinv_over_x(ERFINV_W0)

    def quotient(s):
        return (erfinv_over_x(s + c) - g0) / (s + c - ERFINV_W0)

    return quotient, lambda s: (s + c - ERFINV_W0) / erfinv_over_x(s + c)


def erfcx(x):
    with mp.workdps(70):
        return mp.exp(x * x) * mp.erfc(x)


ERFC_K = {32: 2, 64: 4}


def erfc_scaled(bits):
    """(1 + 2 x) exp(x^2) erfc(x) as a function of q = (x - K) / (x + K)."""

    def f(q):
        x = ERFC_K[bits] * (1 + q) / (1 - q)
        return (1 + 2 * x) * erfcx(x)

    return f


def erfc_q(bits, x):
    return (x - ERFC_K[bits]) / (mp.mpf(x) + ERFC_K[bits])


def stirling(t):
    """x (lgamma(x) - ((x - 1/2) log x - x + log(2 pi) / 2)), t = 1 / x^2."""
    with mp.workdps(70):
        x = 1 / mp.sqrt(t) if t > mp.mpf(10) ** -12 else mp.mpf(10) ** 6
        main = (x - mp.mpf(1) / 2) * mp.log(x) - x + mp.log(2 * mp.pi) / 2
        return (mp.loggamma(x) - main) * x


def digamma_tail(t):
    """x^2 (log x - 1 / (2 x) - digamma(x)), t = 1 / x^2."""
    with mp.workdps(70):
        x = 1 / mp.sqrt(t) if t > mp.mpf(10) ** -12 else mp.mpf(10) ** 6
        return (mp.log(x) - 1 / (2 * x) - mp.digamma(x)) * x * x


def digamma_root():
    with mp.workdps(80):
        return mp.findroot(mp.digamma, mp.mpf("1.4616321449683623"))


def digamma_near_root(x):
    with mp.workdps(70):
        d = x - ROOT
        if abs(d) < mp.mpf(10) ** -25:
            return mp.polygamma(1, ROOT)
        return mp.digamma(x) / d


ERFINV_W0 = mp.mpf(1.125) + mp.mpf(2) ** -70  # off the sample points
ROOT = digamma_root()
SQRT2 = mp.sqrt(2)
HALF_LN2 = mp.log(2) / 2 * mp.mpf("1.005")
PI_4 = mp.pi / 4 * mp.mpf("1.002")
PI_4_SQUARED = PI_4**2
ONE = mp.mpf(1)


def relative(f):
    return lambda x: 1 / f(x)


def fits():
    table = {}

    def add(name, bits, f, w, lo, hi, terms):
        table[f"{name}{bits}"] = (f, w, lo, hi, terms, bits)

    def both(name, f, w, lo, hi, n32, n64):
        add(name, 32, f, w, lo, hi, n32)
        add(name, 64, f, w, lo, hi, n64)

    # exp(r) = 1 + r + r^2 P(r); the error is relative to expm1(r).
    f = guarded(lambda r: (mp.expm1(r) - r) / r**2)
    both("EXP", f, guarded(lambda r: r * r / mp.expm1(r)),
         -HALF_LN2, HALF_LN2, 5, 12)  # fmt: skip
    # 2^r = 1 + r P(r)
    f = guarded(lambda r: mp.expm1(r * mp.log(2)) / r)
    both("EXP2", f, lambda r: abs(r) + ONE / 100, -0.501, 0.501, 6, 12)
    # log(1 + f) = f - f^2 / 2 + f^3 P(f)
    f = guarded(lambda f: (mp.log1p(f) - f + f * f / 2) / f**3)
    both("LOG", f, guarded(lambda f: f**3 / mp.log1p(f)),
         1 / SQRT2 - 1 - mp.mpf(2) ** -20, SQRT2 - 1 + mp.mpf(2) ** -20,
         8, 21)  # fmt: skip
    # log((1+s)/(1-s)) = 2 s + s t P(t), t = s^2
    f = guarded(lambda t: 2 * (mp.atanh(mp.sqrt(t)) / mp.sqrt(t) - 1) / t)
    top = ((SQRT2 - 1) / (SQRT2 + 1)) ** 2 * mp.mpf("1.0001")
    add("LOGS", 64, f, lambda t: t / 2, 0, top, 7)
    # as LOG, between the sixteen parts of pow_tables()
    f = guarded(lambda f: (mp.log1p(f) - f + f * f / 2) / f**3)
    both("LOG_PART", f, guarded(lambda f: f**3 / mp.log1p(f)),
         -0.0345, 0.0345, 4, 9)  # fmt: skip
    # (1 - e)^(-1/3), (1 - e)^(-1/2) = 1 + e P(e): one step from a guess that
    # is off by e
    f = guarded(lambda e: ((1 - e) ** (-ONE / 3) - 1) / e)
    both("CBRT", f, lambda e: e, -0.1065, 0.1065, 3, 4)
    f = guarded(lambda e: ((1 - e) ** (-ONE / 2) - 1) / e)
    both("RSQRT", f, lambda e: e, -0.0695, 0.0695, 5, 3)

    # sin r = r + r t P(t);  cos r = 1 - t / 2 + t^2 P(t);  tan as sin
    f, _ = odd(mp.sin)
    both("SIN", f, lambda t: t, 0, PI_4_SQUARED, 3, 6)
    f = guarded(lambda t: (mp.cos(mp.sqrt(t)) - 1 + t / 2) / t**2)
    both("COS", f, lambda t: t * t, 0, PI_4_SQUARED, 3, 6)
    f, w = odd(mp.tan)
    both("TAN", f, w, 0, PI_4_SQUARED, 7, 15)
    f, w = odd(mp.atan)
    both("ATAN", f, w, 0, 1, 9, 20)
    f, w = odd(mp.asin)
    both("ASIN", f, w, 0, ONE / 4, 5, 13)

    # sinh r = r + r t P(t);  cosh r = 1 + t Q(t)
    f, w = odd(mp.sinh)
    both("SINH", f, w, 0, HALF_LN2**2, 3, 6)
    f = guarded(lambda t: (mp.cosh(mp.sqrt(t)) - 1) / t)
    both("COSH", f, lambda t: t, 0, HALF_LN2**2, 3, 6)
    f, w = odd(mp.tanh)
    add("TANH", 32, f, w, 0, 0.31, 5)
    add("TANH", 64, f, w, 0, 0.37, 12)
    f, w = odd(mp.atanh)
    both("ATANH", f, w, 0, ONE / 4, 6, 14)

    # erf x = x + x P(x^2), |x| < 1;  log(erfc(a)) = P(a) above, with the
    # absolute error that 1 - erfc tolerates
    f = guarded(lambda t: mp.erf(mp.sqrt(t)) / mp.sqrt(t) - 1)
    w = guarded(lambda t: mp.sqrt(t) / mp.erf(mp.sqrt(t)))
    both("ERF", f, w, 0, 1, 7, 14)
    add("LOGERFC", 32, lambda a: mp.log(mp.erfc(a)), mp.erfc, 0.98, 4, 8)
    add("LOGERFC", 64, lambda a: mp.log(mp.erfc(a)), mp.erfc, 0.98, 6, 22)
    f = erfc_scaled(32)
    add("ERFC", 32, f, relative(f), erfc_q(32, 0.45), erfc_q(32, 10.2), 11)
    f = erfc_scaled(64)
    add("ERFC", 64, f, relative(f), erfc_q(64, 0.45), erfc_q(64, 27.5), 24)
    # With w = -log(1 - x^2) and c half of the range: erf_inv(x) =
    # x (G + (w - w0) P(w - c)), G = erf_inv(x0) / x0 at w0; above that,
    # x P(sqrt(w) - c)
    for bits, c, n in ((32, 2.5, 11), (64, 3.125, 25)):
        f, w = erfinv_quotient(c)
        add("ERFINV", bits, f, w, -c, c + 0.01, n)
    for name, bits, c, lo, hi, n in (
        ("ERFINV_TAIL", 32, 3, mp.sqrt(5) - ONE / 500, mp.sqrt(17), 11),
        ("ERFINV_TAIL", 64, 3.25, 2.499, 4.001, 22),
        ("ERFINV_FAR", 64, 5, 3.999, 6.01, 20),
    ):
        f = lambda s, c=c: erfinv_over_x((s + mp.mpf(c)) ** 2)  # noqa: E731
        add(name, bits, f, relative(f), mp.mpf(lo) - c, mp.mpf(hi) - c, n)

    # lgamma(1 + w) = w P(w), lgamma(2 + w) = w P(w), |w| <= 1/2
    f1 = guarded(lambda w: mp.loggamma(1 + w) / w)
    f2 = guarded(lambda w: mp.loggamma(2 + w) / w)
    both("LGAMMA1", f1, relative(f1), -0.5, 0.5, 14, 29)
    both("LGAMMA2", f2, relative(f2), -0.5, 0.5, 9, 19)
    both("STIRLING", stirling, lambda t: 1, 0, ONE / 64, 3, 8)
    # digamma(x) = (x - root) P(x - 3/2) on [1, 2]; above, see digamma_tail
    f = lambda u: digamma_near_root(u + ONE * 3 / 2)  # noqa: E731
    add("DIGAMMA", 64, f, relative(f), -0.501, 0.501, 23)
    add("DIGAMMA_TAIL", 64, digamma_tail, lambda t: 1, 0, ONE / 16, 11)
    # pi / tan(pi x) = 1 / x - x P(x^2), x < 1/4
    f = guarded(
        lambda t: (
            (1 / mp.sqrt(t) - mp.pi / mp.tan(mp.pi * mp.sqrt(t))) / mp.sqrt(t)
        )
    )
    add("COT", 64, f, lambda t: ONE, 0, ONE / 16, 9)
    # pi tan(pi x) = x P(x^2), x < 1/4
    f = guarded(lambda t: mp.pi * mp.tan(mp.pi * mp.sqrt(t)) / mp.sqrt(t))
    add("TANPI", 64, f, relative(f), 0, ONE / 16, 16)
    f = lambda u: mp.digamma(u + 3)  # noqa: E731
    add("DIGAMMA_MID", 64, f, relative(f), -1, 1, 23)
    return table


FITS = fits()
# The constant term has a low word too, stored as the last coefficient.
SPLIT = {
    f"{name}{bits}"
    for name in ("ERFC", "ERFINV_TAIL", "ERFINV_FAR", "LGAMMA1",
                 "LGAMMA2", "DIGAMMA", "DIGAMMA_MID", "TANPI")
    for bits in (32, 64)
}  # fmt: skip


def pow_tables():
    """Short inverses of sixteen parts of [0.703, 1.406), and their -log2."""

    def bound(i):
        bits = 0x3F340000 + (i << 19)
        return struct.unpack("f", struct.pack("I", bits))[0]

    def split(x, places, bits):
        high = mp.nint(x * mp.mpf(2) ** places) / mp.mpf(2) ** places
        return float(high), float(round_to(x - high, bits))

    inverses = []
    for i in range(16):
        lo, hi = bound(i), bound(i + 1)
        # few enough bits that m c - 1 is exact
        _, best = min(
            (max(abs(lo * n / steps - 1), abs(hi * n / steps - 1)), n / steps)
            for steps in (16, 32, 64, 128)
            for n in range(steps // 2, 2 * steps)
            if max(abs(lo * n / steps - 1), abs(hi * n / steps - 1)) * steps
            < (2 if lo >= 1 else 1)
        )
        # around 1 a sum with log2(c) would cancel
        inverses.append(1.0 if lo < 1 < hi else best)
    logs = [-mp.log(mp.mpf(c), 2) for c in inverses]
    table = {"kPowInverse": inverses}
    # high words that add to an exponent without rounding
    for suffix, places, bits in (("f", 16, 32), ("d", 42, 64)):
        parts = [split(v, places, bits) for v in logs]
        table["kPowLog2Hi" + suffix] = [p[0] for p in parts]
        table["kPowLog2Lo" + suffix] = [p[1] for p in parts]
    return table


def constant_name(name):
    suffix = {"32": "f", "64": "d"}[name[-2:]]
    return "k" + name[:-2].title().replace("_", "") + suffix


def read_header():
    if not HEADER.exists():
        return {}
    rows = re.findall(r"double (k\w+)\[\] = \{([^}]*)\}", HEADER.read_text())
    return {
        n: [
            float.fromhex(v)
            for v in body.replace("\n", " ").split(",")
            if v.strip()
        ]
        for n, body in rows
    }


def write_header(rows):
    out = [
        "// Generated by tools/fit_math.py; do not edit.",
        "// Polynomial coefficients, lowest power first. See the table in",
        "// the tool for what each approximates and where.",
        "#pragma once",
        "",
        "namespace cotan::math {",
        "",
        "// clang-format off",
    ]
    for key in [constant_name(name) for name in FITS] + list(pow_tables()):
        if key not in rows:
            continue
        out.append(f"inline constexpr double {key}[] = {{")
        out += [f"    {v.hex()}," for v in rows[key]]
        out.append("};")
    out += ["// clang-format on", "", "}  // namespace cotan::math", ""]
    HEADER.write_text("\n".join(out))


def main():
    names = sys.argv[1:] or list(FITS)
    rows = read_header()
    with Pool() as pool:
        for name, c in pool.imap_unordered(fit, names):
            rows[constant_name(name)] = c
    write_header(rows | pow_tables())


if __name__ == "__main__":
    main()
