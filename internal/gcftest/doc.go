// Package gcftest holds tests alone: the functions-framework binary of functions/gcf, as processes of its own, over the fake of Cloud
// Storage and Google's Firestore emulator: the protocol table, and real clients while instances are killed.
package gcftest
