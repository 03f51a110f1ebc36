//go:build !unix

package filestore

// The rules of this package rest on flock, hard links and names that can go while a file is open.
var _ = filestore_needs_a_unix_system
