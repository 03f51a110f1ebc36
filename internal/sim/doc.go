// Package sim plays the engine, whole, through schedules that hardly ever happen: for tests.
//
// A schedule is one seed. It has two or three replicas, each a tus.Handler with a clock of its own, over one database (the lease rules
// of package state over a table) and one store ([Store]: package memstore, which keeps S3's semantics, each call one step; or a driver
// over its store's own semantics, each request of the driver's a step: see the tests of packages s3store, gcsstore and azurestore); clients that
// bring in one to six files over them; sweepers; and a scheduler. Every step over the boundary of a process stands still until the
// scheduler picks it: each call to State, Storage and hooks, each Read within an Append, the answer of an Append, each request on its
// way in and each answer on its way out. In some schedules each access to the table takes the place of the call to State, so that
// others come in between the read and the write of one call. So the order of these steps, and the time that passes between them, are
// the seed's. Time is that of testing/synctest.
//
// What can happen to a step, until a point in time that the seed chooses: its process is killed before it or after it; its process is
// frozen, for up to five minutes, and wakes up in the middle of what others have done since, or after they have finished; it is held back
// alone; its request is lost; its answer is lost; it fails for its caller and arrives later; it arrives a second time, later. Bodies come
// in pieces, stand still, break off, or belong to connections that are half-open; clients lose patience, send the same bytes to two
// replicas at once, announce wrong checksums, delete what others are sending, join parts that are not complete. Deployments drain a
// replica and start another; platforms end requests at a deadline. Clocks differ by up to two minutes.
//
// Each schedule has its own mix of these, some have one kind alone, and some have trouble in the last steps of uploads only: kinds of trouble
// hide each other. A run without -short fails where some kind of trouble met some kind of step never.
//
// What must hold:
//
//   - in every record that is written: offset, phase and epoch never go back; the digest is that of the bytes that the client sent;
//   - when a record becomes Done, an event says finished, or an answer tells the whole length as the offset: the object is there, byte for byte;
//   - no answer, to whatever client, tells an offset below one that was acknowledged before its request was sent;
//   - an upload vanishes only where somebody has a right to it: a DELETE, a hook, the clean-up of parts, its time;
//   - every upload that a client keeps retrying ends within 30 minutes after the last fault;
//   - after the last client and some sweeps: one finished event for each finished upload, under one id, and no piece beside its object; of
//     all others no record and no piece; no name was ever written twice;
//   - after all finished uploads were deleted: nothing at all.
//
// # Orders
//
// Chance does not meet every window: one process's step that has to fall between two of another's, twice. So [Orders] plays races, of two
// calls to a driver that were made under different leases, in every order of their requests that takes two turns: in mid-call a process gives way
// to the other, or dies. It does so in several ways that the store and the driver's options may take, and wants the same of the end: an
// object byte for byte, or nothing at all, after one sweep; no name written twice; no word of corruption.
//
// TestMeetings does the same with requests to the whole engine: two of PATCH, HEAD, DELETE and Sweep meet at one upload, in the middle, before its
// object is in place, or when it has expired; or at one that is made of parts. A process that has given way is frozen: its lease ends, and others take over.
// Then a client and sweeps bring all to its end, and what must hold is what holds in a schedule.
//
// # What is deterministic
//
// All that the scheduler and the clients decide, the ids of uploads, the order of the steps and their times. No two steps happen at one
// instant, so that timers set by different steps do not fire together. Left to chance are nonces and births, of which only equality
// matters and which the trace does not show; the order of goroutines within the engine between two steps, where two are woken by the
// same one; and select among two that are ready. TestASeedIsASchedule measures how often that changes a trace: 299 of 300 seeds gave
// the same one twice. Of 175 seeds that failed with a rule taken out, all failed again in a replay, and for the same reason.
//
// # What it is worth
//
// TestEachRuleIsNeeded takes rules out of the code, one at a time: the fence, the epoch and the nonce in it, fresh slots, the order of commits
// and deletions, the comparison at the end, and others. Each is noticed, the rarest (the epoch, where the nonce stays, and that nothing
// lies beside a finished upload) by one schedule in some 500, the others far more often. Most of the drivers' rules Orders notices, within some
// hundred orders; some of them no schedule of thousands does.
//
// Over s3store it found what no other test had: an object taken back because nobody could tell whether the upload was removed. The same
// look at azurestore found blobs that one call took away while another was about to copy them.
//
// Not simulated: what lies below the ports of filestore and of the states, which packages storetest and statetest and their own tests are for;
// downloads; clients other than tus 1.0.0.
//
// # How to run it
//
//	go test ./internal/sim                     five thousand schedules, some 4 ms of processor time each
//	go test ./storage/s3store -run TestSchedules     three thousand over S3's driver, some 10 ms each
//	go test ./storage/gcsstore -run TestSchedules    eighteen hundred over the driver for Cloud Storage and its client library
//	go test ./storage/azurestore -run TestSchedules  thirteen hundred over Azure's driver and its client library, some 15 ms each
//	go test ./storage/s3store -run TestOrders        the races over S3's driver, in four ways; also in gcsstore and azurestore
//	go test ./internal/sim -run TestMeetings -args -sim.turns 3   requests that meet, with three turns
//	make sim                                   a million, meetings with three turns, and over each driver 50,000 and the races in twelve ways;
//	                                           SCHEDULES=n SEED=n VARIANTS=n for others
//	go test ./internal/sim -run TestSchedules -sim.n 1 -sim.seed 7 -sim.trace -v   one, step by step
package sim
