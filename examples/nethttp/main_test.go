package main

import (
	"testing"

	"github.com/fileloft/fileloft/examples/internal/mounted"
	"github.com/fileloft/fileloft/internal/prototest"
)

// A ServeMux answers a path with dot segments by itself.
func TestRouter(t *testing.T) { mounted.Test(t, router, prototest.Caps{Tidies: true}) }
