"""Fair timing on a shared machine: the contestants take turns within one run,
and each one's minimum counts. Ratios of minima survive noise that absolute
times do not."""

import statistics
import time


def _per_call(f, number):
    start = time.perf_counter()
    for _ in range(number):
        f()
    return (time.perf_counter() - start) / number


def race(contestants, budget=1.5, least=7):
    """{name: seconds per call} for {name: function}, as interleaved minima.

    `budget` is in seconds for each contestant.
    """
    number, best, spent = {}, {}, {}
    for name, f in contestants.items():
        f()
        once = _per_call(f, 1)
        number[name] = max(1, int(2e-3 / max(once, 1e-8)))
        best[name], spent[name] = [], 0.0
    rounds = 0
    while rounds < least or min(spent.values()) < budget:
        for name, f in contestants.items():
            t = _per_call(f, number[name])
            best[name].append(t)
            spent[name] += t * number[name]
        rounds += 1
        if rounds > 2000 or max(spent.values()) > 6 * budget:
            break
    return {name: min(times) for name, times in best.items()}


def spread(times):
    return statistics.median(times) / min(times)
