#!/usr/bin/env bash
# install.sh PROGRAM puts the model checker spin where internal/model's test looks for it: the one that is installed, or Debian's, which is
# unpacked without being installed and needs no root. The model is explored by a program that spin writes in C, so a C compiler is
# looked for too.
#
# Where it cannot be had, this says so, and the model is not explored: it is evidence about the design, which the code's own tests do
# not wait for.
set -euo pipefail

program=$1

cannot() {
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

echo "unpacking Debian's spin into $program"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$(dirname "$0")/../debian/unpack.sh" spin "$work" ||
	cannot "it is not installed, and Debian's package of it cannot be had. Install spin 6 (https://spinroot.com) and try again."
"$work/usr/bin/spin" -V | grep -q '^Spin Version 6' || cannot "Debian's does not run here."
cp "$work/usr/bin/spin" "$program"
