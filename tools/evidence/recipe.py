#!/usr/bin/env python3
"""Verifies an evidence bundle with Python's standard library and openssl, without annals.

recipe.py BUNDLE VKEY      VKEY is the verifier key that you got another way
docs/verify-without-annals.md explains each step.
"""
import base64, hashlib, json, os, re, subprocess, sys, tempfile

KNOWN = re.compile(
    r"bagit\.txt|bag-info\.txt|(tag)?manifest-sha256\.txt"
    r"|not-evidence/(README\.txt|openlineage\.jsonl|(entries|events)\.parquet)"
    r"|data/(events\.jsonl|disclosures\.jsonl|checkpoint|vkeys|report\.(csv|html)"
    r"|proofs/[0-9]+\.tlog-proof|blobs/[0-9a-f]{64})")


def check(holds, why):
    if not holds:
        sys.exit("NOT VERIFIED: " + why)


def sha(data):
    return hashlib.sha256(data).digest()


def file_sha(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


class Tree:
    """The roots of the perfect subtrees, the largest first."""

    def __init__(self):
        self.size, self.peaks = 0, []

    def push(self, node):
        n = self.size
        while n & 1:
            node, n = sha(b"\1" + self.peaks.pop() + node), n >> 1
        self.peaks.append(node)
        self.size += 1

    def root(self):
        node = self.peaks[-1] if self.peaks else sha(b"")
        for left in reversed(self.peaks[:-1]):
            node = sha(b"\1" + left + node)
        return node


def files(names):
    found = set()
    for folder, folders, there in os.walk("."):
        for name in folders + there:
            path = os.path.join(folder, name)
            check(not os.path.islink(path), path + " is a link")
        found |= {os.path.relpath(os.path.join(folder, n), ".").replace(os.sep, "/") for n in there}
    listed = {"tagmanifest-sha256.txt"}
    for manifest in names:
        for line in open(manifest, newline="\n", encoding="utf-8").read().split("\n")[:-1]:
            digest, path = line[:64], line[66:]
            check(line[64:66] == "  " and path in found, path + " is missing")
            check(file_sha(path) == digest, path + " is not the file that is listed")
            check(not path.startswith("data/blobs/") or path[11:] == digest, path)
            listed.add(path)
    check(found == listed, "added files: %s" % sorted(found - listed))
    for path in found:
        check(KNOWN.fullmatch(path), path + " belongs to no bundle")
    check(open("bagit.txt").readline() == "BagIt-Version: 1.0\n", "another version of BagIt")
    check("\nAnnals-Bundle-Format: 1\n" in open("bag-info.txt").read(), "another version of annals")
    return found


def signature(vkey):
    name, key_id, public = vkey.split("+", 2)
    public = base64.b64decode(public, validate=True)
    check(len(public) == 33 and public[0] == 1, "your key is no Ed25519 verifier key")
    key_hash = sha(name.encode() + b"\n" + public)[:4]
    check(key_hash.hex() == key_id, "your key has another id")
    note = open("data/checkpoint", "rb").read()
    text, _, lines = note.rpartition(b"\n\n")
    text, signed = text + b"\n", False
    for line in lines.decode().splitlines():
        _, signer, raw = line.split(" ")
        raw = base64.b64decode(raw, validate=True)
        if signer != name or raw[:4] != key_hash:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            paths = [os.path.join(scratch, n) for n in ("key", "text", "signature")]
            der = bytes.fromhex("302a300506032b6570032100") + public[1:]
            for path, data in zip(paths, (der, text, raw[4:])):
                open(path, "wb").write(data)
            done = subprocess.run(
                ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", paths[0],
                 "-rawin", "-in", paths[1], "-sigfile", paths[2]], capture_output=True)
        check(done.returncode == 0, "a wrong signature")
        signed = True
    check(signed, "your key did not sign it")
    origin, size, root = text.decode().split("\n")[:3]
    check(origin == name, "it is of another log")
    check(vkey in open("data/vkeys").read().split("\n"), "the bundle does not list your key")
    return note, int(size), base64.b64decode(root)


def prove(leaf, index, size, root, note):
    path = "data/proofs/%d.tlog-proof" % (index + 1)
    head, _, rest = open(path, "rb").read().partition(b"\n\n")
    lines = head.decode().split("\n")
    check(lines[:2] == ["c2sp.org/tlog-proof@v1", "index %d" % index] and rest == note, path)
    first, last, node = index, size - 1, leaf
    for sibling in lines[2:]:
        check(last > 0, path + " is too long")
        if first & 1 or first == last:
            node = sha(b"\1" + base64.b64decode(sibling) + node)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            node = sha(b"\1" + node + base64.b64decode(sibling))
        first, last = first >> 1, last >> 1
    check(last == 0 and node == root, path + " does not prove its event")


def main(bundle, vkey):
    os.chdir(bundle)
    found = files(["tagmanifest-sha256.txt", "manifest-sha256.txt"])
    note, size, root = signature(vkey)
    with open("data/events.jsonl", "rb") as file:
        file.seek(max(0, os.path.getsize("data/events.jsonl") - 65537))
        last = json.loads(file.read().split(b"\n")[-2])
    check(last["type"] == "annals.exported.v1" and last["id"] == str(size), "no record of an export")
    said, tree, before, purges = last["data"], Tree(), 0, []
    check(said["format"] == 1 and said["scope"] in ("whole", "selection"), "another version")
    whole, part, named, proofs, kinds = said["scope"] == "whole", None, {}, set(), {}
    sealed, erased = {}, set()
    for number, line in enumerate(open("data/events.jsonl", "rb"), 1):
        check(line.endswith(b"\n"), "the last line is cut short")
        leaf, event = sha(b"\0" + line[:-1]), json.loads(line)
        seq = int(event["id"])
        check(seq == number if whole else seq > before, "line %d is out of order" % number)
        before = seq
        if not whole:
            prove(leaf, seq - 1, size, root, note)
            proofs.add("data/proofs/%d.tlog-proof" % seq)
        if whole or seq <= said["upto"]:
            tree.push(leaf)
        if seq <= said["upto"]:
            kinds[event["type"]] = kinds.get(event["type"], 0) + 1
        data, kind = event["data"], event["type"]
        sealed[seq] = data.get("_sd", []) if data.get("_sd_alg") == "sha-256" else []
        if kind == "annals.erased.v1":
            erased |= set(data["digests"])
        if kind == "annals.archived.v1" and not data.get("facts_only"):
            named.setdefault(data["blob"]["sha256"], []).append((seq, seq, 0))
        for blob in data.get("reports", []) if kind == "annals.converted.v1" else []:
            named.setdefault(blob["sha256"], []).append((data["entry"], seq, data["attempt"]))
        for file in data["bundle"] if kind == "annals.converter.registered.v1" else []:
            named.setdefault(file["blob"]["sha256"], []).append((0, seq, 0))
        if kind == "annals.purged.v1":
            part, through = data.get("part"), data.get("through", 1 << 32)
            for first, end in data["entries"]:
                purges.append((first, end, seq, part, through))
        for first, end in data["entries"] if kind == "annals.purge.undone.v1" else []:
            for purge in [p for p in purges if not p[3] and p[0] <= end and first <= p[1]]:
                purges.remove(purge)
                left = (purge[0], first - 1), (end + 1, purge[1])
                purges += [(a, b) + purge[2:] for a, b in left if a <= b]
        if seq == said["upto"]:
            part = tree.root()
    if whole:
        check(tree.size == size and tree.root() == root, "the lines do not give the signed root")
    else:
        part = tree.root()
        check(proofs == {p for p in found if p.startswith("data/proofs/")}, "a proof without a line")
    check(part == bytes.fromhex(said["root"]), "not the lines that were counted")
    check(kinds == said["counts"]["by_type"], "not the types that were counted")
    blobs = sorted(p[11:] for p in found if p.startswith("data/blobs/"))
    check(not set(blobs) - set(named), "a content that no event names")
    if said.get("contents"):
        text = "".join(name + "\n" for name in blobs)
        check(sha(text.encode()).hex() == said["contents"]["list"], "a content is missing or added")
        for digest in set(named) - set(blobs):
            gone = lambda e, s, n: any(
                a <= e <= b and s < at and (not part or (n == 0 if part == "source" else 0 < n <= through))
                for a, b, at, part, through in purges)
            if not all(gone(*mention) for mention in named[digest]):
                print("lost, and recorded as lost when it was exported: " + digest)
    else:
        check(not blobs, "contents in a bundle without contents")
    if "data/disclosures.jsonl" in found:
        for line in open("data/disclosures.jsonl", encoding="utf-8"):
            value = json.loads(line)
            digest = base64.urlsafe_b64encode(sha(value["disclosure"].encode())).decode().rstrip("=")
            check(digest == value["digest"], "a personal value has not its digest")
            check(digest in sealed.get(value["event"], []), "no event has the digest " + digest)
            check(digest not in erased, "a personal value that was erased: " + digest)
    print("VERIFIED: %d events of %d, root %s" % (number, size, root.hex()))
    if not whole:
        print("It is a selection: nothing proves that the log has no other lines.")
    print("The reports are made from these events; annals compares them. They are no evidence.")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        main(sys.argv[1], sys.argv[2])
    except (KeyError, ValueError, IndexError, TypeError, OSError) as error:
        sys.exit("NOT VERIFIED: %s: %s" % (type(error).__name__, error))
