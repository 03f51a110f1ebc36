// Package proof puts real replicas over real stores, lets everything happen to them at once, and counts: tests alone.
//
// For each pair of store and database that fileloft is made for there is a fleet: three replicas as they are deployed (processes of the
// server; instances of the Lambda binary behind an HTTP API, of Google's function, of Azure's), over a real server or official emulator
// of the store and the database. Many clients bring in files of all sizes, each through whatever replica chance picks for each request. They
// cut connections, fall silent, lose patience, send one PATCH to two replicas at the same time, announce wrong checksums, join parts, delete.
// Meanwhile replicas are killed by SIGKILL and frozen by SIGSTOP, for longer than a lease lasts, and between them and their stores
// stands a proxy (package faults) that answers for the store, resets, stalls for up to half a minute, and drops answers to what was done.
//
// What counts, each of which must be 0:
//
//   - lost: an answer told an offset below one that was acknowledged before the request was sent, or an upload is gone that nobody deleted;
//   - corrupt: an answer said that an upload is complete, and the store does not hold exactly what was sent;
//   - stuck: a client went on trying, and its upload got on no more, for three minutes in the short form, four in the long;
//   - refused: a client was told that it is wrong, and was not;
//   - left: after the last client and a sweep, the store or the database holds anything but finished objects and their records; or, after
//     those were deleted too, anything at all.
//
// Uploads whose creation was answered into the void are looked at in the end too: what is finished must be what was sent.
//
// The seed decides what clients, files, proxy and trouble choose; when it meets which request is chance. So a seed does not repeat a run.
//
//	go test ./internal/proof                    the short form, a quarter of a minute for each fleet
//	PROOF=long go test ./internal/proof -v      200 uploads for each; PROOF_SEED=n, PROOF_UPLOADS=n
//	PROOF_TUSD=1 go test ./internal/proof -v -run TestTusd    the same load on tusd, which the long form has too; it fails nothing
//
// make proof does that among other things, and writes the numbers into docs/guarantees.md.
package proof
