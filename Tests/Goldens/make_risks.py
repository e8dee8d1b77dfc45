"""Goldens of the risk definitions of Shared Adversarial Unlearning (section 3, appendix A.4 and A.5): ``risks.json``.

The numbers are worked by hand and written below as [numerator, denominator]; this script checks them with an
implementation before it writes them. Notation: y labels, t* target; poisoned = h(g(x)), poisoned_bd = h_bd(g(x)); for
each candidate perturbation e: adversarial = h(x+e), adversarial_bd = h_bd(x+e) (a list of rows, one a candidate).
D_other = samples with y != t*;  D_s = samples of D_other with poisoned_bd == t*. "max over e" is the best of the candidates.

    classification      eq. 2   share of all samples with h(x) != y
    backdoor            eq. 2   share of D_other with poisoned == t*
    adversarial         eq. 4   share of D_other with max_e [h(x+e) != y]
    adversarial_all             the same over all samples
    shared              eq. 8   share of ALL samples with max_e [h(x+e) == h_bd(x+e) != y]
    sub                 eq. 6   share of D_other with max_e [ shared if in D_s, else h(x+e) != y ]
    universal           A.4     max_e (number in D_other with h(x+e) != y) / |D_other|
    universal_sub       A.4     max_e (number as in sub) / |D_other|
    targeted            A.5     share of D_other with max_e [h(x+e) == t*]
    targeted_sub        A.5     share of D_other with max_e [ h(x+e) == h_bd(x+e) == t* if in D_s, else h(x+e) == t* ]
    types                       table 1, number of (sample, candidate) pairs over all samples of type I, II, III

A share of an empty set is null: it has no value, and it is not 0.
Proposition 3 and its extensions (backdoor <= targeted_sub <= sub <= adversarial, backdoor <= universal_sub <= universal <=
adversarial) need the trigger to be among the candidates; it is in the case ``two_candidates``, not in ``one_candidate``.
"""

from goldens import output_folder, write_json

CASES = {
    "one_candidate": {
        "target": 0,
        "labels": [0, 1, 2, 3, 1, 2, 3, 0],
        "clean": [0, 1, 2, 3, 1, 2, 0, 1],
        "poisoned": [0, 0, 0, 3, 1, 0, 0, 0],
        "poisoned_bd": [0, 0, 0, 0, 0, 2, 0, 0],
        "adversarial": [[1, 0, 1, 0, 1, 3, 2, 0]],
        "adversarial_bd": [[1, 0, 2, 2, 0, 3, 2, 3]],
        "expected": {
            "classification": [2, 8],  # samples 6, 7
            "backdoor": [4, 6],  # 1, 2, 5, 6 of 1 ... 6
            "adversarial": [5, 6],  # 1, 2, 3, 5, 6
            "adversarial_all": [6, 8],  # and 0
            "shared": [4, 8],  # 0, 1, 5, 6
            "sub": [3, 6],  # D_s = 1, 2, 3, 4, 6: shared 1, 6; outside it: 5
            "universal": [5, 6],
            "universal_sub": [3, 6],
            "targeted": [2, 6],  # 1, 3
            "targeted_sub": [1, 6],  # 1 (the reference sends 3 to 2)
            "types": [4, 1, 1],  # II: sample 2, III: sample 3
        },
    },
    "two_candidates": {
        "target": 0,
        "labels": [1, 2, 3, 0, 1],
        "clean": [1, 2, 3, 0, 1],
        "poisoned": [0, 0, 3, 0, 2],
        "poisoned_bd": [0, 2, 0, 0, 0],
        "adversarial": [[0, 0, 3, 0, 2], [1, 3, 2, 1, 1]],  # the first is the trigger
        "adversarial_bd": [[0, 2, 0, 0, 0], [0, 3, 1, 1, 2]],
        "expected": {
            "classification": [0, 5],
            "backdoor": [2, 4],  # 0, 1
            "adversarial": [4, 4],
            "adversarial_all": [5, 5],
            "shared": [3, 5],  # 0 by the first, 1 and 3 by the second
            "sub": [2, 4],  # D_s = 0, 2, 4: shared 0; outside it: 1
            "universal": [3, 4],  # first: 0, 1, 4; second: 1, 2
            "universal_sub": [2, 4],  # first: 0, 1; second: 1
            "targeted": [2, 4],
            "targeted_sub": [2, 4],
            "types": [3, 1, 2],  # I: (0, first), (1, second), (3, second); II: (1, first); III: (4, first), (2, second)
        },
    },
    "only_target_samples": {
        "target": 0,
        "labels": [0, 0],
        "clean": [0, 1],
        "poisoned": [0, 0],
        "poisoned_bd": [0, 0],
        "adversarial": [[1, 0]],
        "adversarial_bd": [[1, 1]],
        "expected": {
            "classification": [1, 2],
            "backdoor": None,
            "adversarial": None,
            "adversarial_all": [1, 2],
            "shared": [1, 2],
            "sub": None,
            "universal": None,
            "universal_sub": None,
            "targeted": None,
            "targeted_sub": None,
            "types": [1, 0, 0],
        },
    },
}


def risks(c):
    y, t, N, E = c["labels"], c["target"], range(len(c["labels"])), range(len(c["adversarial"]))
    adv, bd = c["adversarial"], c["adversarial_bd"]
    other = [i for i in N if y[i] != t]
    D_s = {i for i in other if c["poisoned_bd"][i] == t}
    wrong = lambda e, i: adv[e][i] != y[i]
    shared = lambda e, i: adv[e][i] == bd[e][i] != y[i]
    sub = lambda e, i: shared(e, i) if i in D_s else wrong(e, i)
    hit = lambda e, i: adv[e][i] == t
    hit_sub = lambda e, i: adv[e][i] == t and (bd[e][i] == t or i not in D_s)

    def share(test, over):
        return [sum(bool(test(i)) for i in over), len(over)] if len(over) else None

    best = lambda test: lambda i: any(test(e, i) for e in E)

    def universal(test):
        return [max(sum(bool(test(e, i)) for i in other) for e in E), len(other)] if other else None

    pairs = [(e, i) for e in E for i in N if wrong(e, i)]
    return {
        "classification": share(lambda i: c["clean"][i] != y[i], N),
        "backdoor": share(lambda i: c["poisoned"][i] == t, other),
        "adversarial": share(best(wrong), other),
        "adversarial_all": share(best(wrong), N),
        "shared": share(best(shared), N),
        "sub": share(best(sub), other),
        "universal": universal(wrong),
        "universal_sub": universal(sub),
        "targeted": share(best(hit), other),
        "targeted_sub": share(best(hit_sub), other),
        "types": [sum(shared(*p) for p in pairs), sum(bd[e][i] == y[i] for e, i in pairs),
                  sum(bd[e][i] not in (y[i], adv[e][i]) for e, i in pairs)],
    }


for name, case in CASES.items():
    computed = risks(case)
    for key, value in case["expected"].items():
        assert computed[key] == value, f"{name}/{key}: by hand {value}, computed {computed[key]}"
write_json(output_folder() / "risks.json", {"form": "[numerator, denominator], or null where the set is empty", "cases": CASES})
