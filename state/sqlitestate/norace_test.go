//go:build !race

package sqlitestate_test

const seeds = 0 // the suite's own number
