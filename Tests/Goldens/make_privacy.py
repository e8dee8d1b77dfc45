"""Renyi differential privacy of the sampled Gaussian mechanism: ``privacy.json``.

``orders``: of one step, by the binomial sum for whole orders and by adaptive integration with 40 digits for others.
``epsilons``: the smallest over Opacus' orders, by the same two and its conversion (Balle et al. 2020, theorem 21). Opacus
1.6's accountant gives the same numbers to nine digits.
"""

import mpmath as mp

from goldens import output_folder, write_json

mp.mp.dps = 40
ORDERS = [1 + x / 10 for x in range(1, 100)] + list(range(12, 64))


def renyi(q, sigma, alpha):
    if alpha == int(alpha):
        a = mp.fsum(
            mp.binomial(int(alpha), k) * mp.mpf(q) ** k * (1 - mp.mpf(q)) ** (int(alpha) - k)
            * mp.exp(mp.mpf(k * k - k) / (2 * mp.mpf(sigma) ** 2))
            for k in range(int(alpha) + 1)
        )
    else:
        def f(z):
            return mp.npdf(z, 0, sigma) * ((1 - q) + q * mp.exp((2 * z - 1) / (2 * mp.mpf(sigma) ** 2))) ** alpha
        a = mp.quad(f, [-30 * sigma, -3 * sigma, 0, alpha / 2, alpha, alpha + 5 * sigma, alpha + 30 * sigma])
    return float(mp.log(a) / (alpha - 1))


def epsilon(q, sigma, steps, delta):
    best = mp.inf
    for alpha in ORDERS:
        cost = steps * renyi(q, sigma, alpha)
        best = min(best, cost - (mp.log(delta) + mp.log(alpha)) / (alpha - 1) + mp.log((alpha - 1) / alpha))
    return float(best)


CASES = [(0.01, 4.0, 10000, 1e-5), (128 / 50000, 1.0, 39000, 1e-5), (0.05, 0.7, 300, 1e-4), (0.2, 2.5, 50, 1e-6)]
write_json(
    output_folder() / "privacy.json",
    {
        "orders": [
            {"rate": q, "noise": s, "order": a, "renyi": renyi(q, s, a)}
            for q, s, a in [(0.01, 1.0, 2), (0.01, 1.0, 1.5), (0.2, 0.6, 7.3), (0.5, 3.0, 32), (0.001, 0.8, 12)]
        ],
        "epsilons": [
            {"rate": q, "noise": s, "steps": t, "delta": d, "epsilon": epsilon(q, s, t, d)} for q, s, t, d in CASES
        ],
    },
)
