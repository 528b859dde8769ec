"""Samples of OpenDP's discrete mechanisms as JSON, to stand beside ours (rule B7; PyPI opendp 0.16.0). test/bench/privacy.ts runs it.

    python3 test/privacy/opendp-samplers.py 100000 laplace:2 gaussian:10

Each argument is a mechanism and its scale; the output has the seconds of processor time that one vector of zeros took, and how often each value came.
"""

import collections
import json
import sys
import time

import opendp.prelude as dp

dp.enable_features("contrib")


def mechanism(kind, scale):
    domain = dp.vector_domain(dp.atom_domain(T=int))
    if kind == "laplace":
        return dp.m.make_laplace(domain, dp.l1_distance(T=int), scale=scale)
    return dp.m.make_gaussian(domain, dp.l2_distance(T=float), scale=scale)


def main():
    count = int(sys.argv[1])
    rows = []
    for argument in sys.argv[2:]:
        kind, scale = argument.split(":")
        measure = mechanism(kind, float(scale))
        measure([0] * 100)
        start = time.process_time()
        values = measure([0] * count)
        seconds = time.process_time() - start
        histogram = sorted(collections.Counter(values).items())
        rows.append({"kind": kind, "scale": float(scale), "seconds": seconds, "histogram": histogram})
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
