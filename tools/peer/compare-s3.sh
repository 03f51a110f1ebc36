#!/usr/bin/env bash
# Measures fileloft beside tusd on this machine, both on one S3 server (versitygw) with a bucket each: each row runs the two in
# turn and prints the ratio of the medians. tusd keeps its records in S3 itself and its locks in memory; fileloft keeps both in
# SQLite without fsync, or with STATE=dynamodb in a DynamoDB server (dynoxide). Wants bin/fileloft, bin/load, bin/tusd and
# bin/versitygw; see "make bench-peer-s3".
#
# DIR (default: a temporary directory) is where the S3 server keeps its files; ROUNDS (default 5) is how many rounds a row has;
# ROWS="64M/1 4M/8" names rows as chunk/clients, in place of all; BIN is where bin/fileloft is taken from instead.
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=$(mktemp -d ${DIR:+-p "$DIR"})
pids=()
stop() { kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"; }
trap stop EXIT
port() { node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})'; }
until_up() { for _ in $(seq 100); do curl -so /dev/null "$1" && return; sleep 0.1; done; echo "$1 does not answer" >&2; exit 1; }

# A directory below the gateway's is a bucket.
mkdir -p "$dir/s3/fileloft" "$dir/s3/tusd" "$dir/data"
s3=$(port)
bin/versitygw --quiet --keep-alive --port "127.0.0.1:$s3" --access test --secret testsecret posix "$dir/s3" >"$dir/s3.log" 2>&1 & gateway=$!; pids+=($!)
until_up "http://127.0.0.1:$s3/"
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=testsecret AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
export FILELOFT_STATE=${STATE:-sqlite} FILELOFT_STORAGE=s3 FILELOFT_S3_BUCKET=fileloft FILELOFT_S3_ENDPOINT=http://127.0.0.1:$s3 \
  FILELOFT_S3_FORCE_PATH_STYLE=true FILELOFT_DATA_DIR=$dir/data FILELOFT_FS_SYNC=off FILELOFT_LOG_LEVEL=${LOG_LEVEL:-info}
if [ "$FILELOFT_STATE" = dynamodb ]; then
  db=$(port)
  tools/node_modules/@dynoxide/linux-x64/dynoxide serve --host 127.0.0.1 --port "$db" >"$dir/db.log" 2>&1 & pids+=($!)
  until_up "http://127.0.0.1:$db/"
  export FILELOFT_DYNAMODB_ENDPOINT=http://127.0.0.1:$db
  ${BIN:-bin}/fileloft state init
fi
ours=$(port); theirs=$(port)
FILELOFT_BIND=127.0.0.1:$ours "${BIN:-bin}/fileloft" >"$dir/fileloft.log" 2>&1 & fileloft=$!; pids+=($!)
bin/tusd -host 127.0.0.1 -port "$theirs" -base-path /files/ -s3-bucket tusd -s3-endpoint "http://127.0.0.1:$s3" >"$dir/tusd.log" 2>&1 & tusd=$!; pids+=($!)
until_up "http://127.0.0.1:$ours/files/"; until_up "http://127.0.0.1:$theirs/files/"

a=http://127.0.0.1:$ours/files/ b=http://127.0.0.1:$theirs/files/
# Peaks begin anew before each row.
fresh() { echo 5 >"/proc/$fileloft/clear_refs" 2>/dev/null && echo 5 >"/proc/$tusd/clear_refs" || true; }
peak() { awk '/VmHWM/ { printf "%.0f", $2 / 1024 }' "/proc/$1/status"; }
row() {
  fresh
  local line
  line=$(bin/load -url $a -vs $b -rounds "${ROUNDS:-5}" "$@")
  echo "$line  peak MiB $(peak $fileloft) vs $(peak $tusd)"
}
bin/load -url $a -vs $b -rounds 1 -for 1s -size $((16 << 20)) >/dev/null # warm
echo "fileloft ($FILELOFT_STATE) vs tusd on S3, medians of ${ROUNDS:-5} rounds"
for r in ${ROWS-64M/1 4M/1 4.5M/1 64M/8 4M/8 4.5M/8 1024M/1}; do
  chunk=$(awk -v m="${r%M/*}" 'BEGIN { print m * 1048576 }') clients=${r#*/}
  size=$((clients > 1 ? 128 << 20 : 256 << 20))
  row -mode bytes -size $((chunk > size ? chunk : size)) -chunk "$chunk" -clients "$clients"
done

# What a GiB costs in processor time: hardly noisier on a busy machine, where throughput is.
used() { awk '{ print ($14 + $15) / 100 }' "/proc/$1/stat"; }
work() {
  local s0 g0
  s0=$(used "$2") g0=$(used "$gateway")
  bin/load -url "$3" -rounds 4 -for 1ns -mode bytes -size $((256 << 20)) -chunk $(($4 << 20)) >/dev/null # four uploads
  echo "$s0 $(used "$2") $g0 $(used "$gateway")" |
    awk -v n="$1" -v c="$4" '{ printf "%-8s chunk %2d MiB: %.2f s, and %.2f s of the S3 server\n", n, c, $2 - $1, $4 - $3 }'
}
echo "processor time for a GiB"
for _ in 1 2 3; do
  for chunk in 64 4; do
    work fileloft $fileloft $a $chunk
    work tusd $tusd $b $chunk
  done
done
