// Package arch holds tests alone: the walls between packages, the places where the environment is read, and the sizes
// that keep files and functions readable. A wall that has to move is moved in the tables here, with the reason beside it.
// The tests run go list and parse the module's sources; they need no network.
package arch
