#!/usr/bin/env bash
# mls-rules.sh - the rules that the tests break one by one, as a table: mls-rules.sh
#                whether docs/MLS-RULES.md says the same:                mls-rules.sh --check
set -euo pipefail
cd "$(dirname "$0")/.."

rows() {
    for file in src/mls/rules_*test.c; do
        tr '\n' ' ' < "$file" |
            grep -oE '\{"[^"]+", *XMTP_E_[A-Z_]+, *[a-z_0-9]+' |
            sed -E "s|^\{\"((draft )?[0-9][0-9.]*)? ?([^\"]*)\", *XMTP_(E_[A-Z_]+), *([a-z_0-9]+)$|\1 \| \3 \| \`\4\` \| $(basename "$file" _test.c): \5 \||; s|^|\| |"
    done | sort -V -u
}

table() {
    echo '| Section | Rule | Status | Test |'
    echo '|---|---|---|---|'
    rows
}

case ${1-} in
    --check)
        table | diff - <(sed -n '/^| Section | Rule/,/^$/p' docs/MLS-RULES.md | sed '/^$/d') ||
            { echo "docs/MLS-RULES.md is not what the tests say: cmake/mls-rules.sh makes its table" >&2; exit 1; }
        ;;
    *) table ;;
esac
