#!/usr/bin/env python3
"""Verifies an exported audit log, from the text of SPEC.md chapter 14 alone, with one library: Ed25519.

Usage: audit_verify.py EXPORT VERIFIERKEY [CHECKPOINT...]
       audit_verify.py --proofs PROOFS VERIFIERKEY
       audit_verify.py --vectors test/vectors/audit.json
Ends with 0 when the log holds, 1 when it does not.
"""
import base64
import hashlib
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LABEL = b"\x0cguise/v1/log"


class Fault(Exception):
    pass


def leaf(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """RFC 9162 section 2.1.2: a stack of subtree roots."""

    def __init__(self):
        self.size, self.stack = 0, []

    def append(self, value):
        rest = self.size
        while rest & 1:
            value, rest = node(self.stack.pop(), value), rest >> 1
        self.stack.append(value)
        self.size += 1

    def root(self):
        if not self.stack:
            return hashlib.sha256(b"").digest()
        value = self.stack[-1]
        for left in reversed(self.stack[:-1]):
            value = node(left, value)
        return value


def check_inclusion(value, index, size, proof, expected):
    """RFC 9162 section 2.1.3.2."""
    if index >= size:
        raise Fault("index")
    fn, sn = index, size - 1
    for step in proof:
        if sn == 0:
            raise Fault("too long")
        if fn & 1 or fn == sn:
            value = node(step, value)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            value = node(value, step)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or value != expected:
        raise Fault("inclusion")


def check_consistency(first, first_root, second, second_root, proof):
    """RFC 9162 section 2.1.4.2."""
    if first == 0 or first == second:
        if proof or (first == second and first_root != second_root):
            raise Fault("consistency")
        return
    if not proof or first > second:
        raise Fault("consistency")
    path = list(proof)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for step in path[1:]:
        if sn == 0:
            raise Fault("too long")
        if fn & 1 or fn == sn:
            fr, sr = node(step, fr), node(step, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, step)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or fr != first_root or sr != second_root:
        raise Fault("consistency")


def refused(check, *arguments):
    try:
        check(*arguments)
    except Fault:
        return True
    return False


def item(data, at):
    """One item of deterministic CBOR: unsigned, bytes, text, array, null."""
    if at >= len(data):
        raise Fault("ends early")
    if data[at] == 0xF6:
        return None, at + 1
    major, short = data[at] >> 5, data[at] & 31
    at += 1
    if short < 24:
        value = short
    elif short <= 27:
        width = 1 << (short - 24)
        value = int.from_bytes(data[at : at + width], "big")
        least = 24 if width == 1 else 1 << (4 * width)
        at += width
        if at > len(data) or value < least or value > 2**53 - 1:
            raise Fault("number")
    else:
        raise Fault("length")
    if major == 0:
        return value, at
    if major in (2, 3):
        part = bytes(data[at : at + value])
        if len(part) != value:
            raise Fault("ends early")
        try:
            return (part if major == 2 else part.decode("utf-8")), at + value
        except UnicodeDecodeError:
            raise Fault("text") from None
    if major == 4:
        values = []
        for _ in range(value):
            one, at = item(data, at)
            values.append(one)
        return values, at
    raise Fault("type")


def is_text(value):
    return isinstance(value, str) and 1 <= len(value.encode()) <= 64


def is_name(length):
    return lambda value: isinstance(value, bytes) and len(value) == length


def is_uint(most):
    return lambda value: isinstance(value, int) and value <= most


def maybe(check):
    return lambda value: value is None or check(value)


FIELDS = [
    lambda value: value == 1,
    lambda value: value == 12,
    lambda value: is_text(value)
    and all(c in "abcdefghijklmnopqrstuvwxyz0123456789._-" for c in value)
    and value[0].isalnum()
    and value[-1].isalnum(),
    is_name(16),
    is_uint(2**53 - 1),
    is_name(32),
    is_uint(8_640_000_000_000_000),
    maybe(is_text),
    is_uint(20),
    maybe(is_name(16)),
    maybe(is_name(16)),
    maybe(is_name(20)),
    is_uint(4),
    maybe(is_uint(2**53 - 1)),
    maybe(is_text),
    maybe(is_uint(3)),
    maybe(is_name(16)),
    maybe(is_name(16)),
    maybe(is_name(16)),
]


def read_entry(data):
    if not 0 < len(data) <= 1024:
        raise Fault("length")
    values, end = item(data, 0)
    if end != len(data) or not isinstance(values, list) or len(values) != len(FIELDS):
        raise Fault("entry")
    if not all(check(value) for check, value in zip(FIELDS, values)):
        raise Fault("field")
    return values


def read_key(text):
    name, digest, key = text.split("+", 2)
    raw = base64.b64decode(key, validate=True)
    if len(raw) != 33 or hashlib.sha256(name.encode() + b"\n" + raw).hexdigest()[:8] != digest:
        raise Fault("key")
    return name, bytes.fromhex(digest), raw[0], raw[1:]


def read_note(note, key_text):
    """The size and root of a checkpoint that the key signed."""
    name, digest, kind, public = read_key(key_text)
    if kind != 1 or "\n\n" not in note or not note.endswith("\n"):
        raise Fault("note")
    if any(ord(c) < 32 and c != "\n" for c in note):
        raise Fault("control")
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    signed = False
    for line in lines[:-1].split("\n"):
        dash, who, value = line.split(" ") if line.count(" ") == 2 else ("", "", "")
        raw = strict(value)
        if dash != "\u2014" or len(raw) < 5:
            raise Fault("signature line")
        if who == name and raw[:4] == digest:
            try:
                Ed25519PublicKey.from_public_bytes(public).verify(raw[4:], text.encode())
            except InvalidSignature:
                raise Fault("signature") from None
            signed = True
    if not signed:
        raise Fault("not signed")
    parts = text[:-1].split("\n")
    if len(parts) < 3 or parts[0] != name or "" in parts or parts[1] != str(int(parts[1])):
        raise Fault("checkpoint")
    root = strict(parts[2])
    if int(parts[1]) > 2**53 - 1 or len(root) != 32:
        raise Fault("checkpoint")
    return int(parts[1]), root


def strict(text):
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raise Fault("base64") from None
    if base64.b64encode(raw).decode() != text:
        raise Fault("base64")
    return raw


def verify(data, key, older=()):
    """Raises Fault unless the export holds; returns how many entries it has."""
    if data[: len(LABEL)] != LABEL:
        raise Fault("label")
    at = len(LABEL)

    def part():
        nonlocal at
        length = int.from_bytes(data[at : at + 4], "big")
        at += 4 + length
        if at > len(data):
            raise Fault("ends early")
        return data[at - length : at]

    size, root = read_note(part().decode("utf-8"), key)
    known = [read_note(note, key) for note in older]
    tree, chains = Tree(), {}

    def compare():
        if any(s == tree.size and r != tree.root() for s, r in known):
            raise Fault("fork")

    compare()
    while at < len(data):
        entry = part()
        _, _, _, writer, sequence, previous, *_ = read_entry(entry)
        expected, before = chains.get(writer, (0, bytes(32)))
        if (sequence, previous) != (expected, before):
            raise Fault("chain")
        chains[writer] = (sequence + 1, leaf(entry))
        tree.append(leaf(entry))
        compare()
    if tree.size != size or tree.root() != root or any(s > size for s, _ in known):
        raise Fault("root")
    return size


def vectors(path):
    with open(path, encoding="utf-8") as file:
        found = json.load(file)
    (log,) = [v for v in found["positive"] if v["kind"] == "log"]
    entries = [bytes.fromhex(v["entry"]) for v in found["positive"] if v["kind"] == "entry"]
    assert verify(bytes.fromhex(log["export"]), log["key"], [log["note"]]) == len(entries)
    tree = Tree()
    for vector in (v for v in found["positive"] if v["kind"] == "tree"):
        assert tree.size == vector["size"] and tree.root().hex() == vector["root"]
        roots = [Tree().root()]
        grown = Tree()
        for entry in entries[: tree.size]:
            grown.append(leaf(entry))
            roots.append(grown.root())
        for index, hashes in enumerate(vector["inclusion"]):
            proof = [bytes.fromhex(value) for value in hashes]
            check_inclusion(leaf(entries[index]), index, tree.size, proof, tree.root())
            assert refused(check_inclusion, leaf(entries[index]), index, tree.size, proof + [roots[0]], tree.root())
            assert refused(check_inclusion, leaf(b"other"), index, tree.size, proof, tree.root())
        for first, hashes in enumerate(vector["consistency"]):
            proof = [bytes.fromhex(value) for value in hashes]
            check_consistency(first, roots[first], tree.size, tree.root(), proof)
            if 0 < first < tree.size:
                assert refused(check_consistency, first, roots[first - 1], tree.size, tree.root(), proof)
        if tree.size < len(entries):
            tree.append(leaf(entries[tree.size]))
    calls = {
        "entry": lambda v: read_entry(bytes.fromhex(v["entry"])),
        "note": lambda v: read_note(v["note"], v["key"]),
        "log": lambda v: verify(bytes.fromhex(v["export"]), v["key"]),
    }
    for vector in found["negative"]:
        try:
            calls[vector["kind"]](vector)
        except (Fault, ValueError):
            continue
        raise AssertionError(f"not refused: {vector['name']}")
    print(f"{len(found['positive'])} positive, {len(found['negative'])} negative vectors agree")


def proofs(path, key):
    with open(path, encoding="utf-8") as file:
        found = json.load(file)
    for proof in found["inclusion"]:
        size, root = read_note(proof["checkpoint"], key)
        value = leaf(bytes.fromhex(proof["entry"]))
        hashes = [bytes.fromhex(text) for text in proof["hashes"]]
        check_inclusion(value, proof["index"], size, hashes, root)
        assert size == 1 or refused(check_inclusion, value, (proof["index"] + 1) % size, size, hashes, root)
    for proof in found["consistency"]:
        (first, older), (second, newer) = read_note(proof["older"], key), read_note(proof["newer"], key)
        check_consistency(first, older, second, newer, [bytes.fromhex(text) for text in proof["hashes"]])
    print(f"{len(found['inclusion'])} inclusion and {len(found['consistency'])} consistency proofs hold")


if __name__ == "__main__":
    try:
        if sys.argv[1] == "--vectors":
            vectors(sys.argv[2])
        elif sys.argv[1] == "--proofs":
            proofs(sys.argv[2], sys.argv[3])
        else:
            with open(sys.argv[1], "rb") as source:
                exported = source.read()
            notes = [open(path, encoding="utf-8").read() for path in sys.argv[3:]]
            print(f"{verify(exported, sys.argv[2], notes)} entries hold")
    except (Fault, ValueError) as fault:
        print(f"does not hold: {fault}")
        sys.exit(1)
