package firestorestate

import (
	"time"

	"github.com/fileloft/fileloft/tus"
)

// Patient changes how long one sending of a call may take, and all of them.
func (s *Store) Patient(attempt, total time.Duration) {
	s.table.patience.attempt, s.table.patience.total = attempt, total
}

// Page is how many documents a listing asks for at once.
const Page = page

// DocumentID returns the name of an upload's document.
func DocumentID(id tus.ID) string { return documentID(id) }
