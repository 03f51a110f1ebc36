#!/usr/bin/env bash
# install.sh JAR puts Google's Firestore emulator where the tests look for it, and looks for Java, which runs it.
#
# The emulator is a jar that Google gives out in two ways: with the Cloud SDK (Debian: google-cloud-cli-firestore-emulator,
# elsewhere: gcloud components install cloud-firestore-emulator), which is taken where it is; and by the Firebase tools, which
# download it and check what they got. Node's packages for it are many and are not this project's, so they are not locked
# with its own; the version is pinned here.
#
# Where it cannot be had, this says so. With REQUIRE_EMULATORS=1 that is a failure.
set -euo pipefail

FIREBASE_TOOLS=14.9.0
jar=$1

cannot() {
	if [ "${REQUIRE_EMULATORS:-}" = 1 ]; then
		echo "The Firestore emulator cannot be had: $1" >&2
		exit 1
	fi
	echo "=== SKIPPED: the Firestore emulator cannot be had: $1 ==="
	exit 0
}

mkdir -p "$(dirname "$jar")"
command -v java >/dev/null || "$(dirname "$0")/../java/install.sh" "$(dirname "$jar")/jre" ||
	cannot "it needs Java 11 or later (Debian: default-jre-headless)."
if gcloud=$(command -v gcloud); then
	sdk=$(dirname "$(dirname "$(readlink -f "$gcloud")")")
	found=$sdk/platform/cloud-firestore-emulator/cloud-firestore-emulator.jar
	if [ -f "$found" ]; then
		echo "linking $jar to the Cloud SDK's"
		ln -sfn "$found" "$jar"
		exit 0
	fi
fi

command -v npx >/dev/null || cannot "neither the Cloud SDK has it, nor is there npx to fetch it by the Firebase tools."
echo "fetching the Firestore emulator by firebase-tools $FIREBASE_TOOLS"
cache=$PWD/$(dirname "$jar")/firebase
mkdir -p "$cache"
FIREBASE_EMULATORS_PATH=$cache npx --yes "firebase-tools@$FIREBASE_TOOLS" setup:emulators:firestore ||
	cannot "the Firebase tools could not download it. Install the Cloud SDK's (Debian: google-cloud-cli-firestore-emulator)."
found=$(find "$cache" -maxdepth 1 -name 'cloud-firestore-emulator-v*.jar' | sort -V | tail -1)
[ -n "$found" ] || cannot "the Firebase tools have put no jar into $cache."
ln -sfn "$found" "$jar"
