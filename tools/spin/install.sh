#!/usr/bin/env bash
# install.sh PROGRAM puts the model checker spin where internal/model's test looks for it: the one that is installed, or Debian's, which is
# unpacked without being installed and needs no root. The model is explored by a program that spin writes in C, so a C compiler is
# looked for too.
#
# Where it cannot be had, this says so. With REQUIRE_EMULATORS=1 that is a failure.
set -euo pipefail

program=$1

cannot() {
	if [ "${REQUIRE_EMULATORS:-}" = 1 ]; then
		echo "spin cannot be had: $1" >&2
		exit 1
	fi
	echo "=== SKIPPED: spin cannot be had: $1 ==="
	exit 0
}

command -v "${CC:-cc}" >/dev/null || cannot "it needs a C compiler (Debian: gcc)."

mkdir -p "$(dirname "$program")"
if found=$(command -v spin) && "$found" -V 2>/dev/null | grep -q '^Spin Version 6'; then
	echo "linking $program to $found"
	ln -sfn "$found" "$program"
	exit 0
fi

command -v apt-get >/dev/null && command -v dpkg >/dev/null ||
	cannot "it is not installed, and this is not Debian. Install spin 6 (https://spinroot.com) and try again."
echo "unpacking Debian's spin into $program"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
(cd "$work" && apt-get download -qq spin 2>/dev/null && dpkg -x spin_*.deb .) ||
	cannot "apt-get download spin has failed. Where it knows no packages yet, apt-get update tells it."
"$work/usr/bin/spin" -V | grep -q '^Spin Version 6' || cannot "Debian's does not run here."
cp "$work/usr/bin/spin" "$program"
