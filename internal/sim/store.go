package sim

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"syscall"

	"github.com/fileloft/fileloft/tus"
)

// PartSize is small, so that bodies of a few hundred bytes are parts and tails. A store's ways should change around it.
const PartSize = 64

// Config says what schedules are played over.
type Config struct {
	// Package is where the test is, for the command that replays a seed: "./internal/sim".
	Package string
	// New makes the store of one schedule. What it chooses it chooses by rng.
	New func(rng *rand.Rand) Store
	// Changes and Reads are the names of the steps that processes take in the store: those that change something may arrive late, or
	// twice. Of Rare ones a schedule has few, and they meet more trouble.
	Changes, Reads, Rare []string
	// Ways are the first seeds for New in whose stores Orders plays. Default 0 to 3.
	Ways []uint64
	// Schedules is how many are played without -short; a twentieth of it with -short. Default 5000.
	Schedules int
}

// A Store is what the replicas of a schedule keep bytes in, and what it holds, seen past the driver.
type Store interface {
	// Storage returns the driver of one replica. Each call to the store is a step of its process, by [Do].
	Storage(p *Process) tus.Storage
	// Object returns the bytes of a finished upload; of a part, those that Concat would read.
	Object(u *tus.Upload) ([]byte, error)
	// Pieces lists all that the store holds of an id in all its lives, the finished object included, signs of removal apart.
	Pieces(id tus.ID) []string
	// Violations returns what the store has seen that must never be.
	Violations() []string
}

// A Process is a replica as its driver sees it.
type Process struct{ rep *replica }

// Do takes a step: f is carried out when the scheduler lets it, in one piece, or not, or later, or twice, and its caller may learn
// nothing of that. So f takes from its caller only what does not change, and gives it nothing but what it returns; it must not block, nor
// take a step itself. A number at the end of op tells steps from each other that one caller takes at once.
//
// The error is f's; [ErrLost] where the caller cannot know whether f was carried out; ctx's, where it ended first. Of a process
// that is dead nothing reaches anything.
func Do[T any](ctx context.Context, p *Process, op string, id tus.ID, f func() (T, error)) (T, error) {
	return invoke(ctx, p.rep, op, id, func(context.Context) (T, error) { return f() })
}

// Request takes a step as a client library does that tries again where an answer was lost, up to so many times in all. Where the last one was
// lost too, the error is that of a connection which was reset.
func Request[T any](ctx context.Context, p *Process, tries int, op string, id tus.ID, f func() (T, error)) (out T, err error) {
	for range tries {
		if out, err = Do(ctx, p, op, id, f); !errors.Is(err, ErrLost) {
			return out, err
		}
	}
	return out, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
}

// Wait takes a step with nothing to do.
func (p *Process) Wait(ctx context.Context, op string, id tus.ID) error {
	_, err := Do(ctx, p, op, id, func() (struct{}, error) { return struct{}{}, nil })
	return err
}
