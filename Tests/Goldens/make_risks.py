"""Goldens of the risk definitions of Shared Adversarial Unlearning (section 3, appendix A.4 and A.5): ``risks.json``.

The numbers are worked by hand and written below as [numerator, denominator]; this script checks them with an
implementation before it writes them. Notation: y labels, t* target of each trigger; poisoned = h(g(x)), poisoned_bd = h_bd(g(x)), a row
a trigger; for each candidate perturbation e: adversarial = h(x+e), adversarial_bd = h_bd(x+e) (a list of rows, one a candidate).
T(x) = the triggers with t* != y; D_other = samples with a trigger in T(x); D_s = samples of D_other with poisoned_bd == t* for
every trigger in T(x). "max over e" is the best of the candidates. With several triggers (A.6) "== t*" is the t* of any trigger
in T(x), and of the same one where two classes are compared.

    backdoor        eq. 2, 19   share of D_other with max over T(x) [poisoned == t*]; eq. 19 divides by all samples, which are
                                D_other if every sample has a trigger in T(x)
    adversarial         eq. 4   share of D_other with max_e [h(x+e) != y]
    shared              eq. 8   share of ALL samples with max_e [h(x+e) == h_bd(x+e) != y]
    sub                 eq. 6   share of D_other with max_e [ shared if in D_s, else h(x+e) != y ]
    universal           A.4     max_e (number in D_other with h(x+e) != y) / |D_other|
    universal_sub       A.4     max_e (number as in sub) / |D_other|
    targeted            A.5     share of D_other with max_e [h(x+e) == t*]
    targeted_sub        A.5     share of D_other with max_e [ h(x+e) == h_bd(x+e) == t* if in D_s, else h(x+e) == t* ]

A share of an empty set is null: it has no value, and it is not 0.
Proposition 3 and its extensions (backdoor <= targeted_sub <= sub <= adversarial, backdoor <= universal_sub <= universal <=
adversarial) need the trigger to be among the candidates; it is in the case ``two_candidates``, not in ``one_candidate``.
"""

from goldens import output_folder, write_json

CASES = {
    "one_candidate": {
        "targets": [0],
        "labels": [0, 1, 2, 3, 1, 2, 3, 0],
        "poisoned": [[0, 0, 0, 3, 1, 0, 0, 0]],
        "poisoned_bd": [[0, 0, 0, 0, 0, 2, 0, 0]],
        "adversarial": [[1, 0, 1, 0, 1, 3, 2, 0]],
        "adversarial_bd": [[1, 0, 2, 2, 0, 3, 2, 3]],
        "expected": {
            "backdoor": [4, 6],  # 1, 2, 5, 6 of 1 ... 6
            "adversarial": [5, 6],  # 1, 2, 3, 5, 6
            "shared": [4, 8],  # 0, 1, 5, 6
            "sub": [3, 6],  # D_s = 1, 2, 3, 4, 6: shared 1, 6; outside it: 5
            "universal": [5, 6],
            "universal_sub": [3, 6],
            "targeted": [2, 6],  # 1, 3
            "targeted_sub": [1, 6],  # 1 (the reference sends 3 to 2)
        },
    },
    "two_candidates": {
        "targets": [0],
        "labels": [1, 2, 3, 0, 1],
        "poisoned": [[0, 0, 3, 0, 2]],
        "poisoned_bd": [[0, 2, 0, 0, 0]],
        "adversarial": [[0, 0, 3, 0, 2], [1, 3, 2, 1, 1]],  # the first is the trigger
        "adversarial_bd": [[0, 2, 0, 0, 0], [0, 3, 1, 1, 2]],
        "expected": {
            "backdoor": [2, 4],  # 0, 1
            "adversarial": [4, 4],
            "shared": [3, 5],  # 0 by the first, 1 and 3 by the second
            "sub": [2, 4],  # D_s = 0, 2, 4: shared 0; outside it: 1
            "universal": [3, 4],  # first: 0, 1, 4; second: 1, 2
            "universal_sub": [2, 4],  # first: 0, 1; second: 1
            "targeted": [2, 4],
            "targeted_sub": [2, 4],
        },
    },
    "two_triggers": {
        "targets": [0, 3],
        "labels": [0, 1, 2, 3, 1, 2],
        "poisoned": [[0, 0, 2, 3, 1, 0], [3, 1, 3, 3, 1, 2]],
        "poisoned_bd": [[1, 0, 0, 0, 0, 0], [3, 3, 3, 3, 3, 2]],
        "adversarial": [[3, 2, 3, 0, 2, 3]],
        "adversarial_bd": [[3, 2, 0, 0, 2, 3]],
        "expected": {
            "backdoor": [4, 6],  # T = {3}, both, both, {0}, both, both: 0 by the second, 1 by the first, 2 by the second, 5 by the first
            "adversarial": [6, 6],
            "shared": [5, 6],  # all but 2
            "sub": [5, 6],  # D_s = 0, 1, 2, 3, 4: 2 is not shared; 5 is outside it and misled
            "universal": [6, 6],
            "universal_sub": [5, 6],
            "targeted": [4, 6],  # 0 (3), 2 (3), 3 (0), 5 (3)
            "targeted_sub": [3, 6],  # not 2
        },
    },
    "only_target_samples": {
        "targets": [0],
        "labels": [0, 0],
        "poisoned": [[0, 0]],
        "poisoned_bd": [[0, 0]],
        "adversarial": [[1, 0]],
        "adversarial_bd": [[1, 1]],
        "expected": {
            "backdoor": None,
            "adversarial": None,
            "shared": [1, 2],
            "sub": None,
            "universal": None,
            "universal_sub": None,
            "targeted": None,
            "targeted_sub": None,
        },
    },
}


def risks(c):
    y, N, E = c["labels"], range(len(c["labels"])), range(len(c["adversarial"]))
    T = [[(v, t) for v, t in enumerate(c["targets"]) if t != y[i]] for i in N]
    adv, bd = c["adversarial"], c["adversarial_bd"]
    other = [i for i in N if T[i]]
    D_s = {i for i in other if all(c["poisoned_bd"][v][i] == t for v, t in T[i])}
    wrong = lambda e, i: adv[e][i] != y[i]
    shared = lambda e, i: adv[e][i] == bd[e][i] != y[i]
    sub = lambda e, i: shared(e, i) if i in D_s else wrong(e, i)
    hit = lambda e, i: any(adv[e][i] == t for _, t in T[i])
    hit_sub = lambda e, i: hit(e, i) and (bd[e][i] == adv[e][i] or i not in D_s)

    def share(test, over):
        return [sum(bool(test(i)) for i in over), len(over)] if len(over) else None

    best = lambda test: lambda i: any(test(e, i) for e in E)

    def universal(test):
        return [max(sum(bool(test(e, i)) for i in other) for e in E), len(other)] if other else None

    return {
        "backdoor": share(lambda i: any(c["poisoned"][v][i] == t for v, t in T[i]), other),
        "adversarial": share(best(wrong), other),
        "shared": share(best(shared), N),
        "sub": share(best(sub), other),
        "universal": universal(wrong),
        "universal_sub": universal(sub),
        "targeted": share(best(hit), other),
        "targeted_sub": share(best(hit_sub), other),
    }


for name, case in CASES.items():
    computed = risks(case)
    for key, value in case["expected"].items():
        assert computed[key] == value, f"{name}/{key}: by hand {value}, computed {computed[key]}"
write_json(output_folder() / "risks.json", {"form": "[numerator, denominator], or null where the set is empty", "cases": CASES})
