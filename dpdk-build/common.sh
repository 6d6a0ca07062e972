# shellcheck shell=bash
# What `build` and `image` share.

here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")

say() { printf '%s\n' "$*"; }

fail() {
    say "$*" >&2
    exit 1
}

# Exact version, Debian suite and SHA-256 of NAME.
pinned() { awk -v name="$1" '$1 == name { print $2, $3, $4 }' "$here/versions"; }

# The Debian mirror that this machine's apt uses.
mirror() {
    # shellcheck disable=SC2016  # a name of apt's
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1
}
