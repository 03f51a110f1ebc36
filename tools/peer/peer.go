//go:build tools

// Package peer pins the tus server that fileloft is measured beside.
package peer

import _ "github.com/tus/tusd/v2/cmd/tusd"
