package metrics

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fileloft/fileloft/internal/watch"
	"github.com/fileloft/fileloft/tus"
)

var _ watch.Watcher = (*Metrics)(nil)

// onBehalf is the context's key for why something is done: a request's method, or sweep.
type onBehalf struct{}

const sweep = "sweep"

// Begin counts what is at work.
func (m *Metrics) Begin(ctx context.Context, a watch.Act) context.Context {
	switch a := a.(type) {
	case *watch.Request:
		if probe(a) {
			return ctx
		}
		m.inFlight.Inc()
		return context.WithValue(ctx, onBehalf{}, method(a))
	case *watch.Sweep:
		return context.WithValue(ctx, onBehalf{}, sweep)
	}
	return ctx
}

// End counts what was done.
func (m *Metrics) End(ctx context.Context, a watch.Act) {
	switch a := a.(type) {
	case *watch.Request:
		m.request(a)
	case *watch.Sweep:
		m.sweep(a)
	case *watch.Attempt:
		m.attempt(a)
	case *watch.Call:
		if a.Port == watch.StoragePort {
			m.storageCall(a)
			return
		}
		m.stateCall(a)
		if a.Err == nil {
			m.upload(ctx, a)
		}
	}
}

func probe(r *watch.Request) bool { return r.Route == "/healthz" || r.Route == "/readyz" }

// method is what the request asks for, for what it stands for in the protocol.
func method(r *watch.Request) string {
	name := r.Method
	if o := r.Header.Get("X-HTTP-Method-Override"); o != "" {
		name = strings.ToUpper(o)
	}
	switch name {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodPut:
		return name
	}
	return "other"
}

func (m *Metrics) request(r *watch.Request) {
	if probe(r) {
		return
	}
	m.inFlight.Dec()
	name, code := method(r), "aborted"
	if r.Status != 0 {
		code = strconv.Itoa(r.Status)
	}
	m.requests.WithLabelValues(name, code).Inc()
	m.requestSeconds.WithLabelValues(name).Observe(r.Took.Seconds())
	m.received.Add(float64(r.In))
	m.sent.Add(float64(r.Out))
}

func (m *Metrics) sweep(s *watch.Sweep) {
	m.sweepSeconds.Observe(s.Took.Seconds())
	if s.Err != nil {
		m.sweeps.WithLabelValues("error").Inc()
	} else {
		m.sweeps.WithLabelValues("ok").Inc()
		m.lastSweep.SetToCurrentTime()
	}
	r := s.Report
	for outcome, n := range map[string]int{
		"expired": r.Expired, "completed": r.Completed, "removed": r.Removed, "delivered": r.Delivered,
		"collected": r.Collected, "busy": r.Busy, "failed": r.Failed,
	} {
		m.sweepUploads.WithLabelValues(outcome).Add(float64(n))
	}
}

func (m *Metrics) attempt(a *watch.Attempt) {
	code := "none"
	if a.Status != 0 {
		code = strconv.Itoa(a.Status)
	}
	m.attempts.WithLabelValues(a.Service, code).Inc()
	m.attemptSeconds.WithLabelValues(a.Service).Observe(a.Took.Seconds())
	retries := m.attemptRetries.WithLabelValues(a.Service)
	if a.Number > 1 {
		retries.Inc()
	}
}

func (m *Metrics) stateCall(c *watch.Call) {
	result := "error"
	switch {
	case c.Err == nil:
		result = "ok"
	case errors.As(c.Err, new(*tus.LeasedError)):
		result = "refused"
		m.conflicts.Inc()
	case errors.Is(c.Err, tus.ErrSuperseded):
		result = "refused"
		m.superseded.Inc()
	case errors.Is(c.Err, tus.ErrNotFound), errors.Is(c.Err, tus.ErrExists), errors.As(c.Err, new(*tus.OffsetError)):
		result = "refused"
	}
	if c.Err == nil && c.Claim.Steal {
		m.steals.Inc()
	}
	m.stateCalls.WithLabelValues(c.Method, result).Inc()
	m.stateSeconds.WithLabelValues(c.Method).Observe(c.Took.Seconds())
	if m.doubtful.again(c, result == "error") {
		m.stateRetries.WithLabelValues(c.Method).Inc()
	}
}

// doubtful remembers calls to the state whose outcome is not known: the engine makes them again, with the same nonce.
type doubtful struct {
	n     atomic.Int64 // size of calls: nearly always 0, and then there is nothing to lock
	mu    sync.Mutex
	calls map[string]struct{}
}

// maxDoubtful bounds what is remembered of calls that were given up.
const maxDoubtful = 1000

// again reports whether a call repeats one that failed, and remembers or forgets it.
func (d *doubtful) again(c *watch.Call, fails bool) bool {
	if !fails && d.n.Load() == 0 {
		return false
	}
	key := c.Method + " " + string(c.ID) + " " + c.Claim.Nonce
	d.mu.Lock()
	defer d.mu.Unlock()
	_, known := d.calls[key]
	switch {
	case !fails:
		delete(d.calls, key)
	case len(d.calls) < maxDoubtful:
		d.calls[key] = struct{}{}
	default:
		clear(d.calls)
	}
	d.n.Store(int64(len(d.calls)))
	return known
}

func (m *Metrics) storageCall(c *watch.Call) {
	m.storageCalls.WithLabelValues(c.Method, storageResult(c)).Inc()
	m.storageSeconds.WithLabelValues(c.Method).Observe(max(c.Took-c.Waited, 0).Seconds())
	m.stored.Add(float64(c.Receipt.N))
}

func storageResult(c *watch.Call) string {
	switch err := c.Err; {
	case err == nil:
		return "ok"
	case errors.Is(err, tus.ErrNoSpace):
		return "no_space"
	case errors.Is(err, tus.ErrCorrupt):
		return "corrupt"
	case errors.Is(err, tus.ErrSuperseded):
		return "superseded"
	case c.BodyFailed:
		return "body"
	case errors.Is(err, tus.ErrExists):
		return "exists"
	case errors.Is(err, tus.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return "unavailable"
	}
	return "error"
}

// upload counts what a step that was taken means for its upload.
func (m *Metrics) upload(ctx context.Context, c *watch.Call) {
	kind, ok := map[tus.Role]string{tus.Whole: whole, tus.Partial: partial, tus.Final: final}[c.Next.Concat.Role]
	if !ok { // a note of the engine's own, no upload
		return
	}
	was := c.Lease.Upload
	switch c.Method {
	case "create":
		m.created.WithLabelValues(kind).Inc()
		if c.Next.Phase == tus.Sealed {
			m.sealed.WithLabelValues(kind).Inc()
		}
		return
	case "commit":
	default:
		return
	}
	if n := c.Next.Offset - was.Offset; n > 0 && c.Next.Concat.Role != tus.Final {
		m.committed.Add(float64(n))
	}
	if was.Phase == c.Next.Phase {
		return
	}
	switch c.Next.Phase {
	case tus.Sealed:
		m.sealed.WithLabelValues(kind).Inc()
	case tus.Done:
		m.finished.WithLabelValues(kind).Inc()
	case tus.Doomed:
		m.removed.WithLabelValues(reason(ctx, was, time.Now())).Inc()
	case tus.Open: // nothing comes back to it
	}
}

// reason finds out why an upload is removed: the engine says it to nobody.
func reason(ctx context.Context, u tus.Upload, now time.Time) string {
	why, _ := ctx.Value(onBehalf{}).(string)
	switch {
	case why == http.MethodDelete:
		return terminated
	case why == sweep && !u.Expires.IsZero() && !now.Before(u.Expires):
		return expired
	case u.Concat.Role == tus.Partial && u.Phase == tus.Done:
		return cleanedUp
	}
	return failed
}
