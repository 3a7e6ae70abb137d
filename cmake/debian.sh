# debian.sh - reading other Debian suites from the sources that this machine already has.
#
# Sourced, not run. Nothing installed is changed and no host is named here: what the machine's own
# apt sources say (both the one-line and the deb822 format) is rewritten for another suite or for
# source packages, into a folder of its own, and apt is pointed at that folder.
#
#   debian_codename                   prints bookworm, trixie, ...
#   debian_sources                    prints "URI SUITE COMPONENTS SIGNED-BY" per suite, comma-joined components
#   debian_apt_open DIR LINE...       makes DIR an apt root reading only these one-line entries
#   debian_apt DIR apt-get ARGS...    runs an apt tool over that root

debian_codename() {
    (. /etc/os-release && printf '%s\n' "${VERSION_CODENAME:-}")
}

# The release after a given one: the official SDK's binding needs its C library on Debian 12.
debian_next_codename() {
    case $1 in
        bookworm) echo trixie ;;
        trixie) echo forky ;;
        *) return 1 ;;
    esac
}

# One line per suite of this machine's Debian archive: URI SUITE COMPONENT,COMPONENT KEYRING|-
debian_sources() {
    local codename files
    codename=$(debian_codename)
    files=$(ls /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null)
    {
        [ -z "$files" ] || awk '
            $1 == "deb" {
                line = $0; key = "-"
                if (match(line, /\[[^]]*\]/)) {
                    options = substr(line, RSTART + 1, RLENGTH - 2)
                    line = substr(line, 1, RSTART - 1) substr(line, RSTART + RLENGTH)
                    if (match(options, /signed-by=[^ ]+/)) { key = substr(options, RSTART + 10, RLENGTH - 10) }
                }
                n = split(line, f, " ")
                if (n < 4) { next }
                components = f[4]
                for (i = 5; i <= n && f[i] !~ /^#/; i++) { components = components "," f[i] }
                print f[2], f[3], components, key
            }' $files
        files=$(ls /etc/apt/sources.list.d/*.sources 2>/dev/null)
        [ -z "$files" ] || awk '
            function flush(   u, s, i, j, nu, ns) {
                if (types ~ /(^| )deb( |$)/ && enabled != "no") {
                    gsub(/^ +| +$/, "", components); gsub(/ +/, ",", components)
                    nu = split(uris, u, " "); ns = split(suites, s, " ")
                    for (i = 1; i <= nu; i++) for (j = 1; j <= ns; j++) print u[i], s[j], components, key
                }
                types = uris = suites = components = ""; key = "-"; enabled = "yes"; field = ""
            }
            function add(value) {
                if (field == "types") types = types " " value
                else if (field == "uris") uris = uris " " value
                else if (field == "suites") suites = suites " " value
                else if (field == "components") components = components " " value
                else if (field == "enabled") enabled = tolower(value)
                else if (field == "signed-by" && value ~ /^\//) key = value
            }
            BEGIN { key = "-"; enabled = "yes" }
            FNR == 1 { flush() }
            /^#/ { next }
            /^[ \t]*$/ { flush(); next }
            /^[ \t]/ { sub(/^[ \t]+/, ""); add($0); next }
            {
                field = tolower($0); sub(/:.*/, "", field)
                value = $0; sub(/^[^:]*:[ \t]*/, "", value); sub(/[ \t]+$/, "", value)
                add(value)
            }
            END { flush() }' $files
    } | awk -v c="$codename" '
        $2 == c || index($2, c "-") == 1 || index($2, c "/") == 1 || $2 ~ /^stable/ { if (!seen[$0]++) print }'
}

# Prints one-line entries. TYPE is deb or deb-src.
#   debian_entries TYPE SUITE     the main archive under another suite name
#   debian_entries TYPE           every suite the machine itself follows
debian_entries() {
    local type=$1 suite=${2:-} codename
    codename=$(debian_codename)
    debian_sources | awk -v type="$type" -v suite="$suite" -v c="$codename" '
        suite != "" && $2 != c && $2 != "stable" { next }
        {
            options = ($4 == "-") ? "" : "[signed-by=" $4 "] "
            if (!($1 in known) || suite == "") print type " " options $1 " " (suite == "" ? $2 : suite) " main"
            known[$1] = 1
        }'
}

debian_apt_open() {
    local dir=$1
    shift
    mkdir -p "$dir/lists/partial" "$dir/archives/partial" || return 1
    chmod 755 "$dir"
    printf '%s\n' "$@" > "$dir/sources.list"
    debian_apt "$dir" apt-get -qq update
}

debian_apt() {
    local dir=$1 tool=$2
    shift 2
    "$tool" -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::State::Lists="$dir/lists" -o Dir::Cache::archives="$dir/archives" \
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
        -o APT::Sandbox::User=root -o DPkg::Lock::Timeout=300 "$@"
}
