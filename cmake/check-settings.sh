#!/usr/bin/env bash
# check-settings.sh PROGRAM - every setting of `xmtp node` is in docs/OPERATING.md, and none that there is not.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
settings=$("$1" node --print-config | sed -n 's/^#\{0,1\} \{0,1\}\([a-z][a-z0-9-]*\) =.*/\1/p' | sort)
written=$(sed -n '/^## Settings/,$ s/^| `\([a-z][a-z0-9-]*\)` |.*/\1/p' "$root/docs/OPERATING.md" | sort)
if ! diff <(printf '%s\n' "$settings") <(printf '%s\n' "$written"); then
    echo "docs/OPERATING.md and the settings of xmtp node differ (< has no row there, > is no setting)"
    exit 1
fi
