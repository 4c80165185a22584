#!/usr/bin/env python3
"""Computes the figures of an evaluation from the text of SPEC.md 15.1 and 15.2 alone, with the standard library.

Usage: evaluate.py SCORES.json|SCORES.csv            prints every figure that the file has the input of, as JSON
       evaluate.py --compare SCORES FIGURES.json     compares with figures of the same form, by 1e-9 of each

SCORES.json: {"mated": [...], "nonMated": [...]} with comparisons [grade], [grade, signed grade] or
[grade, signed grade, subject, subject]; and perhaps "subjects" with "seed", "replicates" and "samplesPerSubject";
"groups": [[name, [subjects]]]; "cosines": [number]; "codes": [hex] with "bits"; "rates" of a transaction; "bins".
SCORES.csv: kind,grade[,signed[,subject,subject]] with kind mated or nonmated, and no heading.
Ends with 0, or with 1 when figures differ.
"""
import csv
import json
import math
import sys
from fractions import Fraction

TOP = 10_000
Z = 1.959963984540054
TARGETS = {"1e-2": (1e-2, 100), "1e-3": (1e-3, 1000), "1e-4": (1e-4, 10_000)}


# ── TurboSHAKE128 (RFC 9861), for the numbers of the bootstrap ──────────────────────────────────
MASK = (1 << 64) - 1


def keccak_constants():
    """Round constants by the register of FIPS 202 section 3.2.5, offsets by section 3.2.2."""
    register, bits = 1, []
    for _ in range(255):
        bits.append(register & 1)
        register <<= 1
        if register & 0x100:
            register ^= 0x171
    constants = []
    for r in range(24):
        value = 0
        for j in range(7):
            value |= bits[(j + 7 * r) % 255] << ((1 << j) - 1)
        constants.append(value)
    offsets, x, y = {(0, 0): 0}, 1, 0
    for t in range(24):
        offsets[x, y] = (t + 1) * (t + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    return constants, offsets


CONSTANTS, OFFSETS = keccak_constants()
MOVES = [(x + 5 * y, y + 5 * ((2 * x + 3 * y) % 5), OFFSETS[x, y]) for x in range(5) for y in range(5)]


def permute(a):
    for constant in CONSTANTS[12:]:
        c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        d = [c[x - 1] ^ ((c[(x + 1) % 5] << 1 | c[(x + 1) % 5] >> 63) & MASK) for x in range(5)]
        b = [0] * 25
        for source, target, shift in MOVES:
            lane = a[source] ^ d[source % 5]
            b[target] = (lane << shift | lane >> (64 - shift)) & MASK
        for row in range(0, 25, 5):
            for x in range(5):
                a[row + x] = b[row + x] ^ (~b[row + (x + 1) % 5] & b[row + (x + 2) % 5] & MASK)
        a[0] ^= constant


def turboshake(message, length):
    rate = 168
    padded = bytearray(message) + b"\x1f"
    padded += bytes(-len(padded) % rate)
    padded[-1] ^= 0x80
    state = [0] * 25
    for start in range(0, len(padded), rate):
        for i in range(rate // 8):
            state[i] ^= int.from_bytes(padded[start + 8 * i : start + 8 * i + 8], "little")
        permute(state)
    output = bytearray()
    while True:
        for lane in state[: rate // 8]:
            output += lane.to_bytes(8, "little")
        if len(output) >= length:
            return bytes(output[:length])
        permute(state)


class Numbers:
    def __init__(self, use, seed):
        label, text = b"guise/evaluate/" + use.encode(), seed.encode()
        self.prefix = bytes([len(label)]) + label + len(text).to_bytes(4, "big") + text
        self.blocks, self.bytes, self.at = 0, b"", 0

    def below(self, size):
        end = 2**53 - 1
        while True:
            if self.at == len(self.bytes):
                self.bytes = turboshake(self.prefix + self.blocks.to_bytes(4, "big"), 65_536)
                self.blocks, self.at = self.blocks + 1, 0
            high = int.from_bytes(self.bytes[self.at : self.at + 4], "big") // 2**11
            number = high * 2**32 + int.from_bytes(self.bytes[self.at + 4 : self.at + 8], "big")
            self.at += 8
            if number < end - end % size:
                return number % size


# ── 15.1 ────────────────────────────────────────────────────────────────────────────────────────
def linkability(mated, non_mated, odds, bins):
    low, high = min(mated + non_mated), max(mated + non_mated)
    width = (high - low) / bins

    def shares(scores):
        parts = [0] * bins
        for score in scores:
            parts[min(bins - 1, math.floor((score - low) / width)) if width > 0 else 0] += 1
        return [part / len(scores) for part in parts]

    p, q = shares(mated), shares(non_mated)
    system = 0.0
    for a, b in zip(p, q):
        if b == 0:
            local = 1 if a > 0 else 0
        else:
            x = odds * a / b
            local = (x - 1) / (x + 1) if x > 1 else 0
        system += a * local
    return {"system": system, "maximal": math.log2(sum(max(a, b) for a, b in zip(p, q)))}


# ── 15.2: rates ─────────────────────────────────────────────────────────────────────────────────
def accepted_by(weighted):
    """What each threshold from 0 to 10,001 accepts; weighted: pairs of a grade and its weight."""
    accepted = [0] * (TOP + 2)
    for grade, weight in weighted:
        accepted[grade] += weight
    for grade in range(TOP, -1, -1):
        accepted[grade] += accepted[grade + 1]
    return accepted


def cosine_grade(c):
    return min(TOP, math.floor(TOP * Fraction(c) + Fraction(1, 2))) if c > 0 else 0


def threshold_for(n, target):
    return next((t for t in range(1, TOP + 1) if n[t] <= target * n[0]), None)


def equal_error(m, n):
    def errors(t):
        return (m[0] - m[t]) / m[0], n[t] / n[0]

    t1 = next(t for t in range(TOP + 2) if errors(t)[0] >= errors(t)[1])
    t0 = t1 if errors(t1)[0] == errors(t1)[1] else t1 - 1
    if sum(errors(t0)) <= sum(errors(t1)):
        low, high = errors(t0)
    else:
        high, low = errors(t1)
    return {"value": (low + high) / 2, "low": low, "high": high}


def binomial_at_most(k, n, p):
    """P(X ≤ k) by logarithms of factorials: another way than the library's."""
    log = lambda i: (
        math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1)
        + i * math.log(p) + (n - i) * math.log1p(-p)
    )
    if k < n * p:
        return math.fsum(math.exp(log(i)) for i in range(max(0, k - 4000), k + 1))
    return 1 - math.fsum(math.exp(log(i)) for i in range(k + 1, min(n, k + 4000) + 1))


def clopper_pearson(k, n):
    def solve(below):
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if below(middle) else (low, middle)
        return (low + high) / 2

    return {
        "low": 0 if k == 0 else solve(lambda p: 1 - binomial_at_most(k - 1, n, p) < 0.025),
        "high": 1 if k == n else solve(lambda p: binomial_at_most(k, n, p) > 0.025),
    }


def wilson(k, n):
    p, middle = k / n, k / n + Z * Z / (2 * n)
    half = Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    return {
        "low": 0 if k == 0 else (middle - half) / (1 + Z * Z / n),
        "high": 1 if k == n else (middle + half) / (1 + Z * Z / n),
    }


def rate(k, n):
    return {"value": k / n, **clopper_pearson(k, n), "trials": n}


def can_show(target, trials):
    return trials * target >= 3


def error_trade_off(m, n):
    points = []
    for t in range(1, TOP + 1):
        if n[t] < 3:
            break
        if (t > 1 and n[t] == n[t - 1] and m[t] == m[t - 1]) or m[0] - m[t] < 3:
            continue
        points.append([t, n[t] / n[0], (m[0] - m[t]) / m[0]])
    k = len(points)
    return points if k <= 400 else [points[i * (k - 1) // 399] for i in range(400)]


def in_parts(grades, parts):
    counts = [0] * parts
    for grade in grades:
        counts[min(parts - 1, grade * parts // TOP)] += 1
    return counts


def quantile(ordered, percent):
    return ordered[-(-percent * len(ordered) // 100) - 1]


# ── 15.2: bootstrap ─────────────────────────────────────────────────────────────────────────────
def bootstrap(figure, subjects, seed, replicates):
    numbers, values = Numbers("bootstrap", seed), []
    while len(values) < replicates:
        weights = [0] * subjects
        for _ in range(subjects):
            weights[numbers.below(subjects)] += 1
        value = figure(weights)
        if value is not None:
            values.append(value)
    values.sort()
    outside = replicates * 25 // 1000
    return {
        "value": figure([1] * subjects),
        "low": values[outside],
        "high": values[replicates - 1 - outside],
    }


def weighed(comparisons, weights):
    for grade, _, a, b in comparisons:
        yield grade, weights[a] if a == b else weights[a] * weights[b]


def share_at(comparisons, threshold):
    def figure(weights):
        some = total = 0
        for grade, weight in weighed(comparisons, weights):
            total += weight
            some += weight if grade >= threshold else 0
        return some / total if total else None

    return figure


def equal_error_of(mated, non_mated):
    def figure(weights):
        m, n = accepted_by(weighed(mated, weights)), accepted_by(weighed(non_mated, weights))
        return equal_error(m, n)["value"] if m[0] and n[0] else None

    return figure


def over_people(data, threshold):
    mated, non_mated = data["mated"], data["nonMated"]
    draw = lambda figure: bootstrap(figure, data["subjects"], data["seed"], data["replicates"])
    right, wrong = share_at(mated, threshold), share_at(non_mated, threshold)
    stricter = share_at(non_mated, threshold + 300)
    accepted, trials = [0] * data["subjects"], [0] * data["subjects"]
    for grade, _, reference, _ in non_mated:
        trials[reference] += 1
        accepted[reference] += grade >= threshold
    rates = sorted(a / t for a, t in zip(accepted, trials) if t)
    return {
        "falseMatchRate": draw(wrong),
        "trueMatchRate": draw(right),
        "equalError": draw(equal_error_of(mated, non_mated)),
        "difference": draw(
            lambda weights: None if (x := stricter(weights)) is None else x - wrong(weights)
        ),
        "perSubject": {
            "subjects": len(rates), "median": quantile(rates, 50), "q90": quantile(rates, 90),
            "q99": quantile(rates, 99), "highest": rates[-1],
        },
    }


def over_groups(data, threshold):
    groups, spread = [], []
    for name, members in data["groups"]:
        within = set(members)
        row = {"group": name, "subjects": len(members)}
        for kind, key in (("nonMated", "falseMatchRate"), ("mated", "trueMatchRate")):
            grades = [g for g, _, a, b in data[kind] if a in within and b in within]
            row[key] = rate(sum(g >= threshold for g in grades), len(grades)) if grades else None
        groups.append(row)
        if row["falseMatchRate"]:
            spread.append((row["falseMatchRate"]["value"], name))
    result = {"groups": groups}
    if len(spread) > 1:
        highest, lowest = max(value for value, _ in spread), min(value for value, _ in spread)
        worst = next(name for value, name in spread if value == highest)
        result["spread"] = {"worst": worst, "ratio": highest / lowest if lowest else None}
    return result


# ── 15.2: information and bits ──────────────────────────────────────────────────────────────────
def information(mated, non_mated, m, n):
    entropy = lambda x: sum(-p * math.log2(p) for p in (x, 1 - x) if p)
    strangers, others = [c[1] for c in non_mated], [c[1] for c in mated]
    count, total = len(strangers), sum(strangers)
    mu = (1 - Fraction(total, count * TOP)) / 2
    # The mean of (δ − μ)², in whole numbers.
    variance = Fraction(sum((t * count - total) ** 2 for t in strangers), count**3 * 4 * TOP**2)
    freedom = float(mu * (1 - mu) / variance)
    nu = float((1 - Fraction(sum(others), len(others) * TOP)) / 2)
    p = [(c + 0.5) / (len(mated) + 50) for c in in_parts([c[0] for c in mated], 100)]
    q = [(c + 0.5) / (len(non_mated) + 50) for c in in_parts([c[0] for c in non_mated], 100)]
    guessing = {}
    for name, (target, _) in TARGETS.items():
        threshold = threshold_for(n, target) if can_show(target, n[0]) else None
        found = n[threshold] if threshold else 0
        guessing[name] = math.log2(n[0] / found) if found else None
    return {
        "degreesOfFreedom": freedom,
        "identityBits": freedom * (1 - entropy(nu)),
        "relativeEntropyBits": sum(a * math.log2(a / b) for a, b in zip(p, q)),
        "guessingBits": guessing,
    }


def bit_statistics(codes, bits):
    rows = [int.from_bytes(bytes.fromhex(code), "little") for code in codes]
    n = len(rows)
    columns = [sum((row >> j & 1) << i for i, row in enumerate(rows)) for j in range(bits)]
    ones = [bin(column).count("1") for column in columns]
    varied = [j for j in range(bits) if 0 < ones[j] < n]
    worst = None
    for at, j in enumerate(varied):
        for k in varied[at + 1 :]:
            both = bin(columns[j] & columns[k]).count("1")
            spread = ones[j] * (n - ones[j]) * ones[k] * (n - ones[k])
            worst = max(worst or 0, abs(n * both - ones[j] * ones[k]) / math.sqrt(spread))
    bias = max(abs(one / n - 0.5) for one in ones)
    return {
        "worstBias": bias, "fair": bias <= 2 / math.sqrt(n), "worstCorrelation": worst,
        "constant": bits - len(varied),
        "minEntropyBits": sum(-math.log2(max(one, n - one) / n) for one in ones),
    }


def transaction(fmr, fnmr, fta, fte, people):
    return {
        "falseAcceptRate": fmr * (1 - fta),
        "falseRejectRate": fta + fnmr * (1 - fta),
        "generalisedFalseAcceptRate": fmr * (1 - fta) * (1 - fte),
        "generalisedFalseRejectRate": fte + (1 - fte) * fta + (1 - fte) * (1 - fta) * fnmr,
        "independentFalsePositives": float(1 - (1 - Fraction(fmr)) ** people),
    }


# ── everything ──────────────────────────────────────────────────────────────────────────────────
def figures(data):
    mated, non_mated = data["mated"], data["nonMated"]
    grades = {"mated": [c[0] for c in mated], "nonMated": [c[0] for c in non_mated]}
    m, n = (accepted_by((g, 1) for g in grades[kind]) for kind in ("mated", "nonMated"))
    at = {}
    for name, (target, inverse) in TARGETS.items():
        t = threshold_for(n, target)
        accepted = t if t is not None else TOP + 1
        at[name] = {
            "threshold": t,
            "falseMatchRate": rate(n[accepted], n[0]),
            "trueMatchRate": rate(m[accepted], m[0]),
            "wilson": wilson(m[accepted], m[0]),
            "within": 1.6448536269514722 / math.sqrt(n[accepted]) if n[accepted] else None,
            "claim": n[0] >= 3 * inverse and clopper_pearson(n[accepted], n[0])["high"] <= target,
        }
    result = {
        "equalErrorRate": equal_error(m, n),
        "at": at,
        "zeroErrorBound": 1 - 0.05 ** (1 / n[0]),
        "det": error_trade_off(m, n),
        "histogram": {k: [c / len(g) for c in in_parts(g, 100)] for k, g in grades.items()},
        "linkability": linkability(grades["mated"], grades["nonMated"], 1, data.get("bins", 20)),
    }
    if len(non_mated[0]) > 1:
        result["information"] = information(mated, non_mated, m, n)
    if "cosines" in data:
        result["cosineGrades"] = [cosine_grade(c) for c in data["cosines"]]
    if "subjects" in data:
        result["people"] = over_people(data, data["threshold"])
    if "groups" in data:
        result["groups"] = over_groups(data, data["threshold"])
    if "codes" in data:
        result["bits"] = bit_statistics(data["codes"], data["bits"])
    if "rates" in data:
        result["transaction"] = transaction(*data["rates"])
    return result


def read(path):
    if not path.endswith(".csv"):
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    data = {"mated": [], "nonMated": []}
    with open(path, encoding="utf-8", newline="") as file:
        for kind, *numbers in csv.reader(file):
            data["mated" if kind == "mated" else "nonMated"].append([int(x) for x in numbers])
    return data


def differences(ours, theirs, place=""):
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            if key not in ours or key not in theirs:
                yield f"{place}/{key}: on one side only"
            else:
                yield from differences(ours[key], theirs[key], f"{place}/{key}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            yield f"{place}: {len(ours)} and {len(theirs)} entries"
        for i, (a, b) in enumerate(zip(ours, theirs)):
            yield from differences(a, b, f"{place}/{i}")
    elif type(ours) in (int, float) and type(theirs) in (int, float):
        if abs(ours - theirs) > 1e-9 * max(abs(ours), abs(theirs)) + 1e-13:
            yield f"{place}: {ours} and {theirs}"
    elif ours != theirs:
        yield f"{place}: {ours} and {theirs}"


def leaves(value):
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 1 if items is None else sum(leaves(item) for item in items)


def main(arguments):
    if len(arguments) == 1:
        print(json.dumps(figures(read(arguments[0])), indent=1))
        return 0
    if len(arguments) != 3 or arguments[0] != "--compare":
        print(__doc__, file=sys.stderr)
        return 2
    ours = figures(read(arguments[1]))
    with open(arguments[2], encoding="utf-8") as file:
        faults = list(differences(ours, json.load(file)))
    for fault in faults[:20]:
        print(fault)
    print(f"{arguments[1]}: {leaves(ours)} figures, {len(faults)} differ")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
