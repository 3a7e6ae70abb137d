#!/usr/bin/env bash
# check-entries.sh - every public function of the client that takes an error clears it first (xmtp_enter,
# xmtp_error_clear), or is nothing but a call of another one.
set -euo pipefail
cd "$(dirname "$0")/.."
bad=$(awk '
    FNR == 1 { name = "" }
    /^xmtp_status xmtp_[a-z_]*\(/ || (was_type && /^xmtp_[a-z_]*\(/) { name = $0; sub(/\(.*/, "", name); sub(/.* /, "", name); head = "" }
    { was_type = /^xmtp_status$/ }
    name != "" { head = head $0 "\n" }
    /^}/ && name != "" {
        body = head; sub(/^[^{]*\{/, "", body)
        if (head ~ /xmtp_error \*error\)/ && name in public && body !~ /xmtp_enter\(|xmtp_error_clear\(/ &&
            body !~ /^[ \n]*return xmtp_(client|signature_request)_/) {
            print FILENAME ": " name " reads what its caller left in the error: begin with xmtp_enter"
        }
        name = ""
    }
    BEGIN {
        while (("cat include/xmtp/*.h" | getline line) > 0) {
            while (match(line, /xmtp_[a-z_]+\(/)) {
                public[substr(line, RSTART, RLENGTH - 1)] = 1
                line = substr(line, RSTART + RLENGTH)
            }
        }
    }' src/client/*.c)
if [ -n "$bad" ]; then
    printf '%s\n' "$bad"
    exit 1
fi
