#!/usr/bin/env bash
# install.sh DIRECTORY puts a Java that runs Google's emulator into a directory, without root: Debian's, unpacked without being installed.
set -euo pipefail

directory=$1
[ ! -x "$directory/bin/java" ] || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for version in 17 21 25; do # Debian 12 has the first, Debian 13 the others
	"$(dirname "$0")/../debian/unpack.sh" "openjdk-$version-jre-headless" "$work" && break
done
java=$(find "$work/usr/lib/jvm" -path '*/bin/java' 2>/dev/null) || exit 1
home=$(dirname "$(dirname "$java")")
echo "putting Debian's Java into $directory"
# Its configuration lies in /etc, by links: here it is beside the program.
find "$home" -type l -lname '/etc/*' | while read -r link; do
	target=$work$(readlink "$link")
	rm "$link"
	[ ! -e "$target" ] || cp -r "$target" "$link"
done
"$home/bin/java" -version 2>/dev/null
rm -rf "$directory"
mv "$home" "$directory"
