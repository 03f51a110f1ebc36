package gcsstore

import (
	"testing"

	"github.com/fileloft/fileloft/internal/sim"
)

func TestOrders(t *testing.T) { sim.Orders(t, simulated) }
