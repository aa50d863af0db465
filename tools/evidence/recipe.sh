#!/bin/bash
# Verifies an evidence bundle with coreutils, xxd and openssl, and without annals.
# docs/verify-without-annals.md explains each step.
#
#   recipe.sh BUNDLE VKEY      VKEY is the verifier key that you got another way
set -euo pipefail
export LC_ALL=C
fail() { echo "NOT VERIFIED: $*" >&2; exit 1; }
trap 'fail "a command failed in line $LINENO"' ERR
[ $# -eq 2 ] || { echo "usage: recipe.sh BUNDLE VKEY" >&2; exit 2; }
vkey=$2
cd "$1" || fail "no folder $1"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# 1. The files: what the manifests list, nothing else, and no links.
sha256sum --check --strict --quiet tagmanifest-sha256.txt manifest-sha256.txt ||
    fail "a file is not the one that is listed"
[ -z "$(find . ! -type f ! -type d)" ] || fail "there is a link or a device"
{ cut -c 67- manifest-sha256.txt tagmanifest-sha256.txt; echo tagmanifest-sha256.txt; } |
    sort > "$scratch/listed"
find . -type f | cut -c 3- | sort | cmp -s - "$scratch/listed" || fail "a file is missing or added"
known='bagit\.txt|bag-info\.txt|(tag)?manifest-sha256\.txt'
known+='|not-evidence/(README\.txt|openlineage\.jsonl|(entries|events)\.parquet)'
known+='|data/(events\.jsonl|disclosures\.jsonl|checkpoint|vkeys|report\.(csv|html)|proofs/[0-9]+\.tlog-proof|blobs/[0-9a-f]{64})'
if grep -qvxE -- "$known" "$scratch/listed"; then fail "a file that belongs to no bundle"; fi
[ "$(head -n 1 bagit.txt)" = "BagIt-Version: 1.0" ] || fail "another version of BagIt"
grep -qx "Annals-Bundle-Format: 1" bag-info.txt || fail "another version of annals"
grep -qxF -- "$vkey" data/vkeys || fail "the bundle does not list your key"

# 2. The signature of the checkpoint, by your key.
name=${vkey%%+*} rest=${vkey#*+}
id=${rest%%+*} key=$(printf %s "${rest#*+}" | base64 -d | xxd -p -c 99)
[ ${#key} -eq 66 ] && [ "${key:0:2}" = 01 ] || fail "your key is no Ed25519 verifier key"
{ printf '%s\n' "$name"; printf %s "$key" | xxd -r -p; } | sha256sum | cut -c 1-8 |
    grep -qx -- "$id" || fail "your key has another id"
printf %s "302a300506032b6570032100${key:2}" | xxd -r -p > "$scratch/key"
awk '$0 == "" { exit } { print }' data/checkpoint > "$scratch/text"
signed=no
while read -r _ signer base64; do
    [ "$signer" = "$name" ] || continue
    printf %s "$base64" | base64 -d > "$scratch/line"
    [ "$(head -c 4 "$scratch/line" | xxd -p)" = "$id" ] || continue
    tail -c +5 "$scratch/line" > "$scratch/signature"
    openssl pkeyutl -verify -pubin -keyform DER -inkey "$scratch/key" -rawin \
        -in "$scratch/text" -sigfile "$scratch/signature" > /dev/null || fail "a wrong signature"
    signed=yes
done < <(grep '^— ' data/checkpoint)
[ $signed = yes ] || fail "your key did not sign it"
{ read -r origin; read -r size; read -r base64; } < "$scratch/text"
[ "$origin" = "$name" ] || fail "it is of another log"
root=$(printf %s "$base64" | base64 -d | xxd -p -c 99)

# 3. The last line: what was exported.
[ "$(tail -c 1 data/events.jsonl | xxd -p)" = 0a ] || fail "the last line is cut short"
last=$(tail -n 1 data/events.jsonl)
[[ $last == '{"specversion":"1.0","id":"'$size'",'*'"type":"annals.exported.v1"'* ]] ||
    fail "the last line is no record of an export"
fact() { printf '%s\n' "$last" | sed -n "s/.*\"$1\":\"\{0,1\}\([0-9a-z]*\).*/\1/p"; }
scope=$(fact scope) upto=$(fact upto) events=$(fact events) part=$(fact root) list=$(fact list)

# 4. The lines. A tree is kept as the roots of its perfect subtrees, the largest first.
hex() { sha256sum | cut -c 1-64; }
leaf() { { printf '\0'; printf %s "$1"; } | hex; }
node() { { printf '\1'; printf %s "$1$2" | xxd -r -p; } | hex; }
peaks=() leaves=0
push() {
    local hash=$1 n=$leaves
    while [ $((n & 1)) -eq 1 ]; do
        hash=$(node "${peaks[-1]}" "$hash")
        unset 'peaks[-1]'
        n=$((n >> 1))
    done
    peaks+=("$hash") leaves=$((leaves + 1))
}
tree() {
    local hash=${peaks[-1]} at
    for ((at = ${#peaks[@]} - 2; at >= 0; at--)); do hash=$(node "${peaks[at]}" "$hash"); done
    echo "$hash"
}
# Walks from a leaf to the root, as RFC 9162 (2.1.3.2) says.
prove() {
    local hash=$1 index=$2 proof=data/proofs/$(($2 + 1)).tlog-proof first=$2 end=$((size - 1)) sibling
    [ "$(sed -n '1p;2p' "$proof")" = $'c2sp.org/tlog-proof@v1\nindex '"$index" ] || fail "$proof"
    awk 'f { print } $0 == "" { f = 1 }' "$proof" | cmp -s - data/checkpoint || fail "$proof"
    while read -r sibling; do
        [ -n "$sibling" ] || break
        [ "$end" -gt 0 ] || fail "$proof is too long"
        sibling=$(printf %s "$sibling" | base64 -d | xxd -p -c 99)
        if [ $((first & 1)) -eq 1 ] || [ "$first" -eq "$end" ]; then
            hash=$(node "$sibling" "$hash")
            while [ $((first & 1)) -eq 0 ] && [ "$first" -ne 0 ]; do
                first=$((first >> 1)) end=$((end >> 1))
            done
        else
            hash=$(node "$hash" "$sibling")
        fi
        first=$((first >> 1)) end=$((end >> 1))
    done < <(sed 1,2d "$proof")
    [ "$end" -eq 0 ] && [ "$hash" = "$root" ] || fail "$proof does not prove its event"
}
number=0 counted=0 before=0 found=
while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1)) hash=$(leaf "$line") seq=$number
    if [ "$scope" = selection ]; then
        seq=$(printf '%s\n' "$line" | sed -n 's/^{"specversion":"1.0","id":"\([0-9]*\)".*/\1/p')
        [ -n "$seq" ] && [ "$seq" -gt "$before" ] || fail "line $number is out of order"
        prove "$hash" $((seq - 1))
        before=$seq
        [ "$seq" -le "$upto" ] || continue
    fi
    push "$hash"
    if [ "$seq" -le "$upto" ]; then counted=$((counted + 1)); fi
    if [ "$seq" -eq "$upto" ] || [ "$scope" = selection ]; then found=$counted; fi
    if [ "$scope" = whole ] && [ "$seq" -eq "$upto" ]; then prefix=$(tree); fi
done < data/events.jsonl
case $scope in
whole)
    [ "$number" -eq "$size" ] || fail "$number lines instead of $size"
    [ "$(tree)" = "$root" ] || fail "the lines do not give the signed root"
    [ ! -e data/proofs ] || fail "proofs in a bundle of the whole log"
    ;;
selection)
    prefix=$(tree)
    [ "$(find data/proofs -type f | wc -l)" -eq "$number" ] || fail "a line or proof is missing"
    ;;
*) fail "the scope '$scope' is not known here" ;;
esac
[ "$found" = "$events" ] && [ "$prefix" = "$part" ] || fail "not the lines that were counted"

# 5. The contents: named by their digest, and exactly those that were listed when it was signed.
awk '$2 ~ "^data/blobs/" && $2 != "data/blobs/" $1 { exit 1 }' manifest-sha256.txt ||
    fail "a content has the name of another"
there=$(if [ -d data/blobs ]; then find data/blobs -type f | cut -c 12- | sort; fi)
if [ -n "$list" ]; then
    [ "$(if [ -n "$there" ]; then printf '%s\n' "$there"; fi | hex)" = "$list" ] ||
        fail "a content is missing or added"
else
    [ -z "$there" ] || fail "contents in a bundle without contents"
fi

# 6. The personal values, if any: each has the digest that its event states, and was not erased.
if [ -e data/disclosures.jsonl ]; then
    values=0
    while read -r event digest value; do
        values=$((values + 1))
        printf %s "$value" | openssl dgst -sha256 -binary | base64 | tr '+/' '-_' | tr -d '=' |
            grep -qxF -- "$digest" || fail "a personal value has not its digest"
        grep -F "{\"specversion\":\"1.0\",\"id\":\"$event\"," data/events.jsonl |
            grep -qF "\"$digest\"" || fail "event $event has no digest $digest"
        if grep -F '"type":"annals.erased.v1"' data/events.jsonl | grep -qF "\"$digest\""; then
            fail "a personal value that was erased: $digest"
        fi
    done < <(sed -n 's/^{"event":\([0-9]*\),.*,"digest":"\([A-Za-z0-9_-]*\)","disclosure":"\([A-Za-z0-9_-]*\)"}$/\1 \2 \3/p' data/disclosures.jsonl)
    [ "$values" -eq "$(wc -l < data/disclosures.jsonl)" ] || fail "a line is no personal value"
fi

echo "VERIFIED: $number events of $size, log $origin, root $root"
[ "$scope" = whole ] || echo "It is a selection: nothing proves that the log has no other lines."
echo "The reports are made from these events; annals compares them. They are no evidence."
