package main

import (
	"testing"

	"github.com/fileloft/fileloft/examples/internal/mounted"
	"github.com/fileloft/fileloft/internal/prototest"
)

func TestRouter(t *testing.T) { mounted.Test(t, router, prototest.Caps{OwnMethods: true}) }
