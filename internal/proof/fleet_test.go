package proof

import (
	"context"
	"io"
	"math/rand/v2"
	"time"

	"github.com/fileloft/fileloft/internal/faults"
	"github.com/fileloft/fileloft/tus"
)

// A fleet is replicas of one service over one store and one database. What it does to itself goes to a replica of r's choice.
type fleet interface {
	// endpoints are the URLs of the collection: one for each replica, or one that chooses among them for each request.
	endpoints() []string
	// kill ends a replica by SIGKILL, and has another one take its place within some seconds. It tells whether it found one.
	kill(r *rand.Rand) bool
	// freeze stops a replica, and wakes it up when d is over, unless it was killed meanwhile. It returns at once.
	freeze(r *rand.Rand, d time.Duration) bool
	// calm starts what was killed, wakes what is frozen, and returns when all replicas answer.
	calm(ctx context.Context) error
}

// stores are what a fleet is over, reached without its proxies.
type stores struct {
	state   tus.State // and a tus.Lister
	storage tus.Storage
	// object reads a finished upload's bytes from the store as its users would, not by fileloft's driver.
	object func(ctx context.Context, u *tus.Upload) (io.ReadCloser, error)
	// inventory lists all that the store holds: objects, pieces, unfinished uploads.
	inventory func(ctx context.Context) ([]string, error)
	// names lists what of that the finished object of an upload is.
	names func(u *tus.Upload) []string
	// hidden tells that something in the inventory is no object, and that no program could find it or tell it from another's: the store ends it by
	// itself. Nil: nothing is.
	hidden func(name string) bool
}

// A setup is one row of the proof.
type setup struct {
	name    string
	fleet   fleet
	stores  *stores         // nil where only the protocol is looked at
	proxies []*faults.Proxy // between the replicas and their stores
	body    int64           // largest request body that clients send
	pause   time.Duration   // between two strikes of the short form, where its own is too short for calls to take their time
	lacks   map[kind]bool
	// checksums tells that the server knows the extension.
	checksums bool
	// byTheBook has clients count on nothing that tus 1.0.0 does not say: after whatever was no success they ask by HEAD, so any 400 to a PATCH is
	// one to go on after; they announce a length no more once HEAD has told it; and an offset that goes back is counted, and not lost.
	byTheBook bool
}
