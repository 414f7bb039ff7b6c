"""`make bench`: a table of cotan beside NumPy and JAX.

Each row is verified for equality first; figures are minima of interleaved
runs in this one process. Writes out/bench.json and out/bench.png.

    python -m bench                 all rows
    python -m bench softmax matmul  rows whose names contain a word
"""

import argparse
import json
import os
import sys
import traceback

from bench import rows


def human(seconds):
    for unit, scale in (("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3)):
        if seconds < 1000 * scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds:.3g} s"


def verdict(times, row):
    """(ratio of cotan to the peer or None, meets what is asked or None)."""
    others = {k: v for k, v in times.items() if k != "cotan"}
    peer = others.get(row.peers)
    if row.peers == "best" and others:
        peer = min(others.values())
    ratio = times["cotan"] / peer if peer else None
    met = []
    if row.bar and ratio:
        met.append(ratio <= row.bar)
    if row.limit:
        met.append(times["cotan"] <= row.limit)
    return ratio, all(met) if met else None


def target(row):
    parts = []
    if row.bar:
        parts.append(f"{row.bar:.3g}")
    if row.limit:
        parts.append(human(row.limit))
    return " ".join(parts)


def plot(results, path):
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    named = [(n, r) for n, r in results.items() if r.get("ratio")]
    fig, ax = plt.subplots(
        figsize=(9, 0.32 * len(named) + 1), layout="constrained"
    )
    speedups = [1 / r["ratio"] for _, r in named]
    colors = ["tab:green" if s >= 1 else "tab:red" for s in speedups]
    ax.barh(range(len(named)), speedups, color=colors, log=True)
    ax.axvline(1, color="black", linewidth=0.8)
    ax.set_yticks(range(len(named)), [n for n, _ in named])
    ax.invert_yaxis()
    ax.set_xlabel("times faster than the peer")
    fig.savefig(path, dpi=110)
    print(f"wrote {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--output", default="out")
    args = parser.parse_args()
    os.makedirs(args.output, exist_ok=True)
    results, failed = {}, 0
    print(f"{'':42s}{'cotan':>10s}{'numpy':>10s}{'jax':>10s}   ratio  at most")
    for name, row in rows.ROWS.items():
        if args.words and not any(w in name for w in args.words):
            continue
        try:
            times = row.measure()
        except Exception:
            failed += 1
            print(f"{name:42s} FAILED")
            traceback.print_exc()
            continue
        ratio, met = verdict(times, row)
        results[name] = {
            "seconds": times,
            "ratio": ratio,
            "bar": row.bar,
            "limit": row.limit,
            "met": met,
        }
        cells = "".join(
            f"{human(times[k]) if k in times else '-':>10s}"
            for k in ("cotan", "numpy", "jax")
        )
        mark = {True: "ok", False: "MISSED", None: ""}[met]
        shown = f"{ratio:7.3f}" if ratio else "       "
        print(
            f"{name:42s}{cells} {shown}  {target(row):12s} {mark}", flush=True
        )
    with open(os.path.join(args.output, "bench.json"), "w") as f:
        json.dump(results, f, indent=1)
    plot(results, os.path.join(args.output, "bench.png"))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
