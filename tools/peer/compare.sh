#!/usr/bin/env bash
# Measures fileloft beside tusd on this machine, both on files in one directory, both without fsync: each row runs the two in
# turn and prints the ratio of the medians. Wants bin/fileloft, bin/load and bin/tusd; see "make bench-peer".
#
# DIR (default: a temporary directory) should lie on a file system on which little was deleted in the last minutes: ext4 steps
# over inodes that were deleted a short while ago one by one, which makes every new file cost ten times as much, to both.
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=$(mktemp -d ${DIR:+-p "$DIR"})
pids=()
stop() { kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"; }
trap stop EXIT
mkdir "$dir/fileloft" "$dir/tusd"
port() { node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})'; }
ours=$(port); theirs=$(port)
FILELOFT_BIND=127.0.0.1:$ours FILELOFT_DATA_DIR=$dir/fileloft FILELOFT_FS_SYNC=off FILELOFT_LOG_LEVEL=${LOG_LEVEL:-info} \
  bin/fileloft >"$dir/fileloft.log" 2>&1 & pids+=($!)
bin/tusd -host 127.0.0.1 -port "$theirs" -base-path /files/ -upload-dir "$dir/tusd" >"$dir/tusd.log" 2>&1 & pids+=($!)
for p in $ours $theirs; do
  for _ in $(seq 100); do curl -so /dev/null "http://127.0.0.1:$p/files/" && break; sleep 0.1; done
done
row() { bin/load -url "http://127.0.0.1:$ours/files/" -vs "http://127.0.0.1:$theirs/files/" "$@"; }
row -rounds 1 -for 1s -mode small -size 4096 >/dev/null # warm
echo "fileloft vs tusd, medians of ${ROUNDS:-5} rounds"
row -rounds "${ROUNDS:-5}" -mode small -size 4096
row -rounds "${ROUNDS:-5}" -mode small -size 4096 -clients 8
row -rounds "${ROUNDS:-5}" -mode create
row -rounds "${ROUNDS:-5}" -mode head
row -rounds "${ROUNDS:-5}" -mode bytes -size $((256 << 20)) -chunk $((64 << 20))
row -rounds "${ROUNDS:-5}" -mode bytes -size $((256 << 20)) -chunk $((9 << 19))
row -rounds "${ROUNDS:-5}" -mode bytes -size $((128 << 20)) -chunk $((64 << 20)) -clients 8
awk '/VmHWM/ { printf "peak memory: %s %.1f MiB\n", FILENAME == ARGV[1] ? "fileloft" : "tusd", $2 / 1024 }' \
  "/proc/${pids[0]}/status" "/proc/${pids[1]}/status"
