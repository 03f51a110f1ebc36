// Package tus is a resumable-upload server that stays correct when no process remembers anything.
package tus
