#!/usr/bin/env bash
# Makes base images for the Dockerfile where no registry of images can be reached: pdmline-base:runtime, the likes of
# debian:bookworm-slim, and pdmline-base:build, the same with this machine's Rust, as rust:slim-bookworm has one. Both have
# this machine's settings of apt and its trust store; the latter also cargo's settings.
#
# Needs root, debootstrap and Docker. Does nothing if the images are there.
set -euo pipefail
# shellcheck source=../dpdk-build/common.sh
source "$(dirname "$(realpath "$0")")/../dpdk-build/common.sh"

suite=bookworm

main() {
    if docker image inspect pdmline-base:runtime pdmline-base:build >/dev/null 2>&1; then
        return
    fi
    [[ $(id -u) == 0 && -x /usr/sbin/debootstrap ]] ||
        fail "No registry of images can be reached, so the bases are made here, by root with debootstrap: apt install debootstrap"
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    say "Making the base images out of Debian's $suite and this machine's Rust"
    debian
    import runtime
    rust
    import build
}

# A small Debian, without what nobody reads in a container.
debian() {
    mkdir -p "$root"/etc/{dpkg/dpkg.cfg.d,apt/apt.conf.d,ssl/certs}
    cat >"$root/etc/dpkg/dpkg.cfg.d/slim" <<-'END'
	force-unsafe-io
	path-exclude /usr/share/doc/*
	path-include /usr/share/doc/*/copyright
	path-exclude /usr/share/locale/*
	path-exclude /usr/share/man/*
	END
    debootstrap --variant=minbase "$suite" "$root" "$(mirror)" >"$root.log" || fail "$(tail -n 20 "$root.log")"
    rm -rf "$root.log" "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{locale,man}/*
    find "$root/usr/share/doc" -type f ! -name copyright -delete
    sources >"$root/etc/apt/sources.list"
    apt-config dump | grep '^Acquire::[^:]*\(::Proxy\)\? "[^"]' >"$root/etc/apt/apt.conf.d/machine"
    cp --dereference /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
}

# What of Debian's this machine's apt reads, corrections included.
sources() {
    # shellcheck disable=SC2016  # names of apt's
    apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian'
}

# The compiler that rustup has chosen for this checkout, at the place where Debian's own would be.
rust() {
    local sysroot home=${CARGO_HOME:-$HOME/.cargo}
    sysroot=$(cd "$here/.." && rustc --print sysroot)
    mkdir -p "$root"/usr/local/bin "$root"/usr/local/lib/rustlib "$root"/root/.cargo
    cp --archive "$sysroot"/bin/{cargo,rustc} "$root/usr/local/bin/"
    cp --archive "$sysroot"/lib/lib* "$root/usr/local/lib/"
    cp --archive "$sysroot"/lib/rustlib/*-linux-gnu "$root/usr/local/lib/rustlib/"
    [[ ! -e $home/config.toml ]] || cp "$home/config.toml" "$root/root/.cargo/"
}

import() {
    tar --create --directory "$root" . | docker import --change 'CMD ["bash"]' - "pdmline-base:$1"
}

main
