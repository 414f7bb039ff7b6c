"""Fair timing on a shared machine: the contestants take turns within one run,
and each one's minimum counts. Ratios of minima survive noise that absolute
times do not."""

import time


def _per_call(f, number):
    start = time.perf_counter()
    for _ in range(number):
        f()
    return (time.perf_counter() - start) / number


# A peer's worker threads go on spinning for a while after its last call
# (OpenBLAS: 2^26 cycles): on few cores they would take the next one's time.
SETTLE = 0.04
BLOCK = 0.1


def race(contestants, budget=1.5, least=7):
    """{name: seconds per call} for {name: function}, as interleaved minima.

    `budget` is in seconds for each contestant, spent in blocks by turns.
    """
    number, best = {}, {}
    for name, f in contestants.items():
        f()
        once = _per_call(f, 1)
        number[name] = max(1, int(2e-3 / max(once, 1e-8)))
        best[name] = float("inf")
    for _ in range(max(least, int(budget / BLOCK))):
        for name, f in contestants.items():
            time.sleep(SETTLE)
            end = time.perf_counter() + BLOCK
            while time.perf_counter() < end:
                best[name] = min(best[name], _per_call(f, number[name]))
    return best
