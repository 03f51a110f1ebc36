// Package e2e tests the real binary from outside: real clients upload real files through it while it is killed, frozen,
// doubled and cut off, and the stored files must be the sources, byte for byte.
//
// The tests need curl, Node with tools/node_modules (make clients), and the Go clients of tools/clients, which they build. What is
// missing is skipped with a sentence, or fails where REQUIRE_EMULATORS=1. With -short, nothing here starts.
// E2E_LONG=1 uploads the large file with every setting of every client and lengthens the soak.
package e2e
