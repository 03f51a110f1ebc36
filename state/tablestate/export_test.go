package tablestate

import (
	"time"

	"github.com/fileloft/fileloft/tus"
)

// Patient changes how long all sendings of a request may take.
func (s *Store) Patient(total time.Duration) { s.table.total = total }

// PartitionOf returns the partition of an upload.
func PartitionOf(id tus.ID) string { return partitionOf(id) }

const (
	// Partitions is how many partitions there are.
	Partitions = partitions
	// Page is how many rows of a partition a listing asks for at once.
	Page = page
)
