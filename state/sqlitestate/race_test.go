//go:build race

package sqlitestate_test

// seeds is small under the race detector: SQLite, compiled to Go, is twenty times slower there.
const seeds = 200
