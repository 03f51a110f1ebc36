#!/usr/bin/env bash
# unpack.sh PACKAGE DIRECTORY unpacks a package of Debian's into a directory, without installing it and without root. Lists of packages
# of its own are made where the system has none yet. It fails, without a word, where this is not Debian or the package cannot be had.
set -euo pipefail

package=$1 directory=$2

command -v apt-get >/dev/null && command -v dpkg >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
if ! apt-get download -qq "$package" 2>/dev/null; then
	own=(-o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache")
	mkdir -p lists/partial cache/archives/partial
	apt-get "${own[@]}" update -qq >/dev/null 2>&1
	apt-get "${own[@]}" download -qq "$package" 2>/dev/null
fi
dpkg -x "$package"_*.deb "$directory"
