package sqlitestate

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// A write is one statement on one row. It either changes the row or finds its condition unmet.
type write struct {
	stmt    *sql.Stmt
	args    []any
	unmet   error // the answer where no row was changed
	creates bool  // a row

	err  error         // the outcome, once done is closed
	done chan struct{} // made by do
}

// writer puts the writes of one process through its one writing connection. Callers queue up; whoever gets hold of the
// connection carries out what is in the queue at that moment as one transaction, its own write and those of
// others. So nobody runs when nobody calls, and one fsync serves all who wait for one.
type writer struct {
	conn    *sql.Conn
	reserve reserve
	lead    chan struct{} // holds one token: who has it has the connection and the reserve

	mu    sync.Mutex
	queue []*write
}

// maxBatch bounds a transaction, and with it how long other processes wait for it.
const maxBatch = 128

var errClosed = errors.New("the store is closed")

func newWriter(conn *sql.Conn, reservePath string) *writer {
	w := &writer{conn: conn, reserve: reserve{path: reservePath}, lead: make(chan struct{}, 1)}
	w.lead <- struct{}{}
	return w
}

// do carries out one write. It returns early when ctx is over only as long as the write has not begun.
func (w *writer) do(ctx context.Context, wr *write) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	wr.done = make(chan struct{})
	w.mu.Lock()
	w.queue = append(w.queue, wr)
	w.mu.Unlock()

	for {
		select {
		case <-wr.done:
			return wr.err
		case <-w.lead:
			// The batch may be full without our own write: then we go round again.
			w.run(w.take())
			w.lead <- struct{}{}
		case <-ctx.Done():
			if w.withdraw(wr) {
				return ctx.Err()
			}
			<-wr.done
			return wr.err
		}
	}
}

// take returns the head of the queue.
func (w *writer) take() []*write {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(len(w.queue), maxBatch)
	batch := w.queue[:n:n]
	w.queue = w.queue[n:]
	return batch
}

// withdraw takes wr out of the queue, if it is still there.
func (w *writer) withdraw(wr *write) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, other := range w.queue {
		if other == wr {
			w.queue = append(w.queue[:i:i], w.queue[i+1:]...)
			return true
		}
	}
	return false
}

// run carries out a batch and tells everybody the outcome.
func (w *writer) run(batch []*write) {
	// The context of one caller must not cut short the writes of the others.
	ctx := context.Background()
	var err error
	rest := batch
	switch {
	case len(batch) == 0:
		return
	case w.conn == nil:
		err = errClosed
	default:
		rest, err = w.withReserve(ctx, batch)
	}
	for _, wr := range rest {
		if err != nil {
			wr.err = err
		}
	}
	for _, wr := range batch {
		close(wr.done)
	}
}

// withReserve carries out a batch. Where the disk is full what is new is refused, and the reserve is spent on what changes or removes
// what is there; it returns that rest, with its outcome. Nothing new is taken until the reserve is whole again.
func (w *writer) withReserve(ctx context.Context, batch []*write) (rest []*write, err error) {
	w.reserve.fill()
	if rest = batch; w.reserve.spent {
		rest = refuseNew(batch, errSpent)
	}
	if err = w.carryOut(ctx, rest); !isFull(err) {
		return rest, err
	}
	if rest = refuseNew(rest, err); len(rest) == 0 {
		return nil, nil
	}
	w.relieve(ctx)
	return rest, w.carryOut(ctx, rest)
}

// refuseNew gives the writes that create something an error, and returns the others.
func refuseNew(batch []*write, err error) (rest []*write) {
	for _, wr := range batch {
		if wr.creates {
			wr.err = err
		} else {
			rest = append(rest, wr)
		}
	}
	return rest
}

func (w *writer) carryOut(ctx context.Context, batch []*write) error {
	switch len(batch) {
	case 0:
		return nil
	case 1:
		return patiently(ctx, func() error { return batch[0].exec(ctx) })
	}
	return w.transact(ctx, batch)
}

// relieve makes room on a full disk: the WAL is emptied into the database, which may have to grow by what the reserve gives up, and is
// then written from its beginning. Its length stays.
func (w *writer) relieve(ctx context.Context) {
	w.reserve.spend()
	var busy, log, moved int
	_ = w.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &log, &moved) // the write that follows tells
}

// transact carries out a batch as one transaction: all of it is made, or an error says that nothing was, or, where
// the commit itself fails, that it is unclear.
func (w *writer) transact(ctx context.Context, batch []*write) error {
	err := patiently(ctx, func() error { _, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); return err })
	if err != nil {
		return err
	}
	for _, wr := range batch {
		if err = wr.exec(ctx); err != nil {
			break
		}
	}
	if err == nil {
		_, err = w.conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		// SQLite may have rolled back by itself, and then says that there is nothing to roll back.
		_, _ = w.conn.ExecContext(ctx, "ROLLBACK")
	}
	return err
}

// exec runs the statement and notes the outcome. An error is one of the database.
func (wr *write) exec(ctx context.Context) error {
	res, err := wr.stmt.ExecContext(ctx, wr.args...)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	wr.err = nil
	if n == 0 {
		wr.err = wr.unmet
	}
	return err
}

// close waits for the batch under way, and closes the connection and its statements. Writes that come later are
// refused.
func (w *writer) close(stmts ...*sql.Stmt) error {
	<-w.lead
	defer func() { w.lead <- struct{}{} }()
	if w.conn == nil {
		return nil
	}
	var errs []error
	for _, s := range stmts {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	errs = append(errs, w.conn.Close())
	w.conn = nil
	return errors.Join(errs...)
}

// maxBusy is how long a lock of another process is waited for.
const maxBusy = 10 * time.Second

// patiently runs f, which does nothing when it fails for a lock that another connection holds, until it gets the lock.
// Locks are held for one small transaction, so short random waits bring everybody to the turn soon: SQLite's own
// busy_timeout sleeps ever longer, up to 100 ms, and some waiters starve beside busy neighbours.
func patiently(ctx context.Context, f func() error) error {
	start := time.Now()
	for n := 0; ; n++ {
		err := f()
		if !isBusy(err) {
			return err
		}
		if time.Since(start) > maxBusy {
			return err
		}
		t := time.NewTimer(50*time.Microsecond + rand.N(100*time.Microsecond<<min(n, 5)))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return errors.Join(ctx.Err(), err)
		}
	}
}
