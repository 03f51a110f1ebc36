// Package badinput throws at the real server what nobody should send and what nobody wants to happen: hundreds of clients that send or read a
// byte a second, headers and lists beyond all limits, lengths that no store can hold, full and read-only disks, databases that are damaged or
// locked, credentials that are wrong or withdrawn.
//
// Each time the same is asked: the sender is told what is wrong, with a 4xx where the fault is the sender's and with 503 or 507 where it is not;
// nobody else waits; memory stays within a bound; no secret is told; what was acknowledged is there afterwards; and the server
// goes on, without a restart, once what was wrong is mended.
//
// The tests need Linux for the disks: a user namespace, or root, to mount a small file system. What is missing is skipped with a sentence.
// With -short, nothing here starts.
package badinput
