#!/usr/bin/env python3
"""Time mlx beside PyTorch, where PyTorch is installed.

    python benchmarks/run.py                         # every workload
    python benchmarks/run.py --group reduce --rounds 5
    python benchmarks/run.py --only matmul,add_16m --json results.json
    python benchmarks/run.py --peer-python path/to/python   # an environment that has PyTorch

Each library runs in a process of its own, by turns (A B, then B A, ...), so that a machine that slows down
slows both. A row shows the best round's median step; the ratio is above 1 where mlx is the faster. Rates are
held against two ceilings measured in the same run: a NumPy copy (memory) and NumPy's product (arithmetic).
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from workloads import WORKLOADS, Workload

MINE, PEER = "mlx", "torch"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time mlx beside PyTorch.")
    groups = sorted({w.group for w in WORKLOADS.values()})
    parser.add_argument("--group", choices=groups, help="only this group of workloads")
    parser.add_argument("--only", default="", help="only names containing one of these, comma-separated")
    parser.add_argument("--rounds", type=int, default=3, help="processes per library (default 3)")
    parser.add_argument("--seconds", type=float, default=0.2, help="time for one workload in one process")
    parser.add_argument("--threads", type=int, help="threads of both libraries (default: their own choice)")
    parser.add_argument("--alone", action="store_true", help="do not time PyTorch")
    parser.add_argument("--peer-python", default=sys.executable, help="the interpreter that has PyTorch")
    parser.add_argument("--json", type=Path, help="also write the times, in seconds, to this file")
    parser.add_argument("--list", action="store_true", help="list the workloads and stop")
    parser.add_argument("--child", metavar="LIBRARY", help=argparse.SUPPRESS)
    return parser.parse_args()


def selected(args: argparse.Namespace) -> list[Workload]:
    wanted = [part for part in args.only.split(",") if part]
    return [
        w
        for w in WORKLOADS.values()
        if (args.group is None or w.group == args.group)
        and (not wanted or any(part in w.name for part in wanted))
    ]


# ---------------------------------------------------------------- in a child process


def median_step(step: Any, seconds: float) -> float:
    """Median time of a step, over at least five of them."""
    for _ in range(2):
        step()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(library: str, args: argparse.Namespace) -> None:
    """Print one JSON object: for each workload its time, or the error it raised."""
    lib = importlib.import_module(library)
    importlib.import_module(f"{library}.nn")
    if args.threads:
        lib.set_num_threads(args.threads)
    results: dict[str, Any] = {}
    for w in selected(args):
        lib.manual_seed(0)
        try:
            results[w.name] = median_step(w.setup(lib), args.seconds) / w.calls
        except Exception as error:  # a workload that fails is a row that says so
            results[w.name] = f"{type(error).__name__}: {error}"
    print(json.dumps(results))


# ---------------------------------------------------------------- in the parent


def environment() -> dict[str, str]:
    """The environment without OPENBLAS_* settings, which would hold back NumPy and mlx alone."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}


def run_child(library: str, args: argparse.Namespace) -> dict[str, Any]:
    python = sys.executable if library == MINE else args.peer_python
    command = [python, __file__, "--child", library, "--seconds", str(args.seconds), "--only", args.only]
    command += ["--group", args.group] if args.group else []
    command += ["--threads", str(args.threads)] if args.threads else []
    process = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    if process.returncode != 0:
        last = (process.stderr.strip().splitlines() or [f"exit code {process.returncode}"])[-1]
        return {w.name: last for w in selected(args)}
    return json.loads(process.stdout.splitlines()[-1])


def has_peer(args: argparse.Namespace) -> bool:
    if args.alone:
        return False
    if args.peer_python == sys.executable:
        return importlib.util.find_spec(PEER) is not None
    probe = [args.peer_python, "-c", f"import {PEER}"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def best(rounds: list[dict[str, Any]], name: str) -> float | str:
    """The fastest round, or what went wrong."""
    times = [r[name] for r in rounds if isinstance(r[name], float)]
    return min(times) if times else rounds[0][name]


def ceilings() -> tuple[float, float]:
    """(bytes a second of a warm copy, float32 operations a second of a product), by NumPy."""
    process = subprocess.run(
        [sys.executable, __file__, "--child", "numpy"], stdout=subprocess.PIPE, check=True, env=environment()
    )
    memory, arithmetic = json.loads(process.stdout)
    return memory, arithmetic


def measure_ceilings() -> None:
    """Print both ceilings as a JSON list."""
    import numpy as np

    source = np.ones(16 << 20, np.float32)
    target = np.empty_like(source)
    copy = median_step(lambda: np.copyto(target, source), 0.3)
    a = np.ones((1024, 1024), np.float32)
    product = median_step(lambda: a @ a, 0.3)
    print(json.dumps([2 * source.nbytes / copy, 2 * 1024**3 / product]))


def duration(seconds: float | str) -> str:
    if isinstance(seconds, str):
        return "failed"
    for unit, scale in (("ns", 1e9), ("us", 1e6), ("ms", 1e3)):
        if seconds * scale < 1000:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds:.3g} s"


def rate(w: Workload, seconds: float | str, memory: float, arithmetic: float) -> str:
    """Achieved rate, and its share of the ceiling."""
    if isinstance(seconds, str):
        return ""
    if w.bytes:
        return f"{w.bytes / seconds / 1e9:.3g} GB/s ({w.bytes / seconds / memory:.0%})"
    if w.flops:
        return f"{w.flops / seconds / 1e9:.3g} GFLOP/s ({w.flops / seconds / arithmetic:.0%})"
    return ""


def report(args: argparse.Namespace, mine: list[dict[str, Any]], peer: list[dict[str, Any]]) -> None:
    memory, arithmetic = ceilings()
    print(f"ceilings (NumPy): copy {memory / 1e9:.3g} GB/s, float32 product {arithmetic / 1e9:.3g} GFLOP/s")
    print(f"{'workload':<30}{MINE:>12}{PEER if peer else '':>12}{'ratio':>9}  rate (share of the ceiling)")
    group, ratios, failures = "", [], []
    for w in selected(args):
        if w.group != group:
            group = w.group
            print(f"-- {group}")
        a, b = best(mine, w.name), best(peer, w.name) if peer else ""
        ratio = ""
        if isinstance(a, float) and isinstance(b, float):
            ratios.append(b / a)
            ratio = f"{b / a:.2f}"
        failures += [
            f"{name} {w.name}: {t}" for name, t in ((MINE, a), (PEER, b)) if isinstance(t, str) and t
        ]
        shown = duration(b) if peer else ""
        print(f"{w.name:<30}{duration(a):>12}{shown:>12}{ratio:>9}  {rate(w, a, memory, arithmetic)}")
    if ratios:
        mean = math.exp(statistics.fmean(map(math.log, ratios)))
        slower = sum(r < 1 for r in ratios)
        print(f"geometric mean of the ratios: {mean:.2f}; slower than {PEER}: {slower} of {len(ratios)}")
    for failure in failures:
        print(f"failed: {failure}")


def compare(args: argparse.Namespace) -> None:
    """Time the libraries by turns and print the table."""
    results: dict[str, list[dict[str, Any]]] = {MINE: [], PEER: []}
    libraries = [MINE, PEER] if has_peer(args) else [MINE]
    for i in range(args.rounds):
        for library in libraries if i % 2 == 0 else reversed(libraries):
            results[library].append(run_child(library, args))
    report(args, results[MINE], results[PEER])
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n")


def main() -> None:
    args = parse_arguments()
    if args.child == "numpy":
        measure_ceilings()
    elif args.child:
        measure(args.child, args)
    elif args.list:
        for w in selected(args):
            print(f"{w.group:<12}{w.name}")
    else:
        compare(args)


if __name__ == "__main__":
    main()
