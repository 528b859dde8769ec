"""Random compositions, as Google's dp-accounting sees them (rule B7; PyPI dp-accounting 0.6).

    pip install dp-accounting==0.6.0 && python3 test/privacy/dp-accounting.py > test/privacy/dp-accounting.json

Each composition is a handful of discrete Laplace queries (pure epsilon, in millionths) and discrete Gaussian ones (variance, and
rho = 1 / (2 variance)) of sensitivity 1, each asked some number of times. `pld` is the epsilon of the privacy loss distribution,
`rdp` that of an accountant which tracks Renyi orders. protocol/src/mechanisms/accounting.test.ts compares ours with both.
"""

import json
import math
import random

from dp_accounting.pld import privacy_loss_distribution as pld
from dp_accounting.rdp import rdp_privacy_accountant as rdp

ORDERS = [1 + x / 100 for x in range(1, 100)] + [1 + x / 10 for x in range(10, 200)] + list(range(21, 129)) + [160, 200, 256, 512, 1024, 4096]
STEP = 1e-4


def laplace_rdp(epsilon, order):
    """Of the discrete Laplace at sensitivity 1: its privacy loss is +epsilon or -epsilon, like randomized response."""
    yes = -math.log1p(math.exp(-epsilon))
    no = -epsilon + yes
    a, b = yes + epsilon * (order - 1), no - epsilon * (order - 1)
    return (max(a, b) + math.log1p(math.exp(-abs(a - b)))) / (order - 1)


def measure(laplace, gaussian, delta):
    loss = pld.identity(STEP)
    orders = [0.0] * len(ORDERS)
    for micro_epsilon, times in laplace:
        epsilon = micro_epsilon / 1e6
        part = pld.from_discrete_laplace_mechanism(epsilon, value_discretization_interval=STEP)
        loss = loss.compose(part.self_compose(times))
        orders = [o + times * laplace_rdp(epsilon, a) for o, a in zip(orders, ORDERS)]
    for variance, times in gaussian:
        part = pld.from_discrete_gaussian_mechanism(math.sqrt(variance), value_discretization_interval=STEP)
        loss = loss.compose(part.self_compose(times))
        orders = [o + times * a / (2 * variance) for o, a in zip(orders, ORDERS)]
    return loss.get_epsilon_for_delta(delta), rdp.compute_epsilon(ORDERS, orders, delta)[0]


def composition(rng):
    laplace = [(rng.choice([20_000, 50_000, 100_000, 250_000, 500_000, 1_000_000]), rng.randint(1, 12)) for _ in range(rng.randint(0, 3))]
    gaussian = [(rng.choice([4, 25, 100, 400, 2500]), rng.randint(1, 20)) for _ in range(rng.randint(0 if laplace else 1, 3))]
    return laplace, gaussian, rng.choice([5, 6, 9])


def main():
    rng = random.Random(6)
    known = [([], [(100, 100)], 6)]
    rows = []
    for laplace, gaussian, digits in known + [composition(rng) for _ in range(500)]:
        by_pld, by_rdp = measure(laplace, gaussian, 10.0**-digits)
        rows.append({"laplace": laplace, "gaussian": gaussian, "delta": digits, "pld": round(by_pld, 6), "rdp": round(by_rdp, 6)})
    print("[\n" + ",\n".join("  " + json.dumps(row, separators=(",", ":")) for row in rows) + "\n]")


if __name__ == "__main__":
    main()
