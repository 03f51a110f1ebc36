// Package metrics counts and times what the server does, for Prometheus. A Metrics is a watch.Watcher; it keeps numbers in memory, sends
// nothing, and is read by its Handler. The list with all names and meanings is docs/metrics.md, which is written from this package.
//
// No label ever holds an id, a path, or anything else that a client can choose: methods that the protocol does not know are "other".
package metrics

import (
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the numbers of one server. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	families []family
	doubtful doubtful

	requests       *prometheus.CounterVec
	requestSeconds *prometheus.HistogramVec
	inFlight       prometheus.Gauge
	received, sent prometheus.Counter
	created        *prometheus.CounterVec
	sealed         *prometheus.CounterVec
	finished       *prometheus.CounterVec
	removed        *prometheus.CounterVec
	committed      prometheus.Counter
	stateCalls     *prometheus.CounterVec
	stateSeconds   *prometheus.HistogramVec
	stateRetries   *prometheus.CounterVec
	conflicts      prometheus.Counter
	steals         prometheus.Counter
	superseded     prometheus.Counter
	storageCalls   *prometheus.CounterVec
	storageSeconds *prometheus.HistogramVec
	stored         prometheus.Counter
	sweeps         *prometheus.CounterVec
	sweepSeconds   prometheus.Histogram
	sweepUploads   *prometheus.CounterVec
	lastSweep      prometheus.Gauge
	attempts       *prometheus.CounterVec
	attemptRetries *prometheus.CounterVec
	attemptSeconds *prometheus.HistogramVec
}

// A family is what the documentation says about one metric.
type family struct {
	name, kind, help string
	labels           []string
}

// Info is what the server says about itself.
type Info struct {
	Version, Storage, State string
}

// The upper ends of histograms, in seconds. A request may take as long as its body takes to arrive.
var (
	requestBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}
	callBuckets    = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
)

// New returns numbers that are all zero.
func New(about Info) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.doubtful.calls = map[string]struct{}{}
	m.ofRequests()
	m.ofUploads()
	m.ofState()
	m.ofStorage()
	m.ofSweeps()
	m.ofClients()
	m.gaugeVec("build_info", "Always 1; the labels say which release this is and where it keeps bytes and records.", "version", "storage", "state").
		WithLabelValues(about.Version, about.Storage, about.State).Set(1)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler answers Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.InstrumentMetricHandler(m.registry, promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
}

func (m *Metrics) ofRequests() {
	m.requests = m.counterVec("http_requests_total", "Requests answered, without health checks. Code aborted: the connection was gone before an answer began.", "method", "code")
	m.requestSeconds = m.histogramVec("http_request_duration_seconds", "Time from a request's header to the end of its answer. It includes the time that the body takes to arrive.", requestBuckets, "method")
	m.inFlight = m.gauge("http_requests_in_flight", "Requests being answered now.")
	m.received = m.counter("http_received_bytes_total", "Bytes of request bodies, counted at the end of each request, whether they were kept or not.")
	m.sent = m.counter("http_sent_bytes_total", "Bytes of answers' bodies, counted at the end of each request.")
}

// The kinds of uploads, and why they are removed.
const (
	whole, partial, final = "whole", "partial", "final"

	terminated, expired, cleanedUp, failed = "terminated", "expired", "cleaned_up", "failed"
)

func (m *Metrics) ofUploads() {
	kinds := []string{whole, partial, final}
	m.created = m.counterVec("uploads_created_total", "Uploads created. Kind: whole, or partial and final in a concatenation.", "kind")
	m.sealed = m.counterVec("uploads_sealed_total", "Uploads whose bytes are all committed. What is sealed and not finished is still to be put in place, by the next request or sweep.", "kind")
	m.finished = m.counterVec("uploads_finished_total", "Uploads whose object is in place.", "kind")
	m.removed = m.counterVec("uploads_removed_total", "Uploads removed. Reason: terminated by a client, expired, cleaned_up after a concatenation, or failed: refused as a whole, rejected at the end, or corrupt.", "reason")
	m.committed = m.counter("upload_committed_bytes_total", "Bytes acknowledged: stored, and committed to the state. It moves with each checkpoint, while a body arrives.")
	zero(m.created, kinds)
	zero(m.sealed, kinds)
	zero(m.finished, kinds)
	zero(m.removed, []string{terminated, expired, cleanedUp, failed})
}

// The methods of the ports and what becomes of a call.
var (
	stateMethods   = []string{"create", "load", "acquire", "commit", "delete"}
	stateResults   = []string{"ok", "refused", "error"}
	storageMethods = []string{"append", "complete", "concat", "remove", "open", "link", "collect"}
	storageResults = []string{"ok", "body", "exists", "no_space", "corrupt", "superseded", "unavailable", "error"}
)

func (m *Metrics) ofState() {
	m.stateCalls = m.counterVec("state_calls_total", "Steps in the state. Result: ok; refused, which is an answer, such as that the upload is leased or at another offset; error, which leaves open whether the step was taken, and has it tried again.", "call", "result")
	m.stateSeconds = m.histogramVec("state_call_duration_seconds", "Time that a step in the state takes, with the attempts that the database's client makes by itself.", callBuckets, "call")
	m.stateRetries = m.counterVec("state_retries_total", "Steps in the state that were tried again, because the try before ended in an error.", "call")
	m.conflicts = m.counter("lease_conflicts_total", "Times that a lease was not granted because another request, of any process, held it. A request that waits asks again and again.")
	m.steals = m.counter("lease_steals_total", "Leases taken without asking whether they are held: for a deletion, or because the holder is known to be dead.")
	m.superseded = m.counter("superseded_commits_total", "Commits refused because another request has acquired the upload since: the fence at work.")
	zero(m.stateCalls, stateMethods, stateResults...)
	zero(m.stateRetries, stateMethods)
	for _, call := range stateMethods {
		m.stateSeconds.WithLabelValues(call)
	}
}

func (m *Metrics) ofStorage() {
	m.storageCalls = m.counterVec("storage_calls_total", "Steps in the storage. Result: ok, exists, no_space, corrupt, superseded, unavailable, error; or body, where the client's body broke off or was ended, which is not the storage's failure.", "call", "result")
	m.storageSeconds = m.histogramVec("storage_call_duration_seconds", "Time that a step in the storage takes; for append without the time spent waiting for the body's next bytes, for open until the first byte can be read.", callBuckets, "call")
	m.stored = m.counter("storage_written_bytes_total", "Bytes made durable by append. What is above upload_committed_bytes_total was in vain.")
	zero(m.storageCalls, storageMethods, storageResults...)
	for _, call := range storageMethods {
		m.storageSeconds.WithLabelValues(call)
	}
}

func (m *Metrics) ofSweeps() {
	m.sweeps = m.counterVec("sweeps_total", "Runs of the sweeper in this process.", "result")
	m.sweepSeconds = m.histogram("sweep_duration_seconds", "Time that a sweep takes.", requestBuckets)
	m.sweepUploads = m.counterVec("sweep_uploads_total", "Uploads that sweeps dealt with: expired, completed, removed, delivered (owed events), collected (stray pieces), busy (in use, left alone), failed.", "outcome")
	m.lastSweep = m.gauge("sweep_last_success_timestamp_seconds", "When a sweep last came to its end without an error; 0 for never.")
	zero(m.sweeps, []string{"ok", "error"})
	zero(m.sweepUploads, []string{"expired", "completed", "removed", "delivered", "collected", "busy", "failed"})
}

func (m *Metrics) ofClients() {
	m.attempts = m.counterVec("client_requests_total", "Requests sent to S3, DynamoDB and Azure Storage for a step. Code none: there was no answer.", "service", "code")
	m.attemptSeconds = m.histogramVec("client_request_duration_seconds", "Time until the answer to a request to S3, DynamoDB or Azure Storage begins.", callBuckets, "service")
	m.attemptRetries = m.counterVec("client_retries_total", "Requests to S3 and DynamoDB that repeat one that failed, as AWS's clients do by themselves. Other clients do not say which of their requests are.", "service")
}

// zero makes series that begin at nought, so that their first increase is seen.
func zero(v *prometheus.CounterVec, first []string, second ...string) {
	for _, a := range first {
		if second == nil {
			v.WithLabelValues(a)
		}
		for _, b := range second {
			v.WithLabelValues(a, b)
		}
	}
}

const namespace = "fileloft"

func (m *Metrics) counterVec(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	return register(m, v, "counter", name, help, labels)
}

func (m *Metrics) counter(name, help string) prometheus.Counter {
	return m.counterVec(name, help).WithLabelValues()
}

func (m *Metrics) gaugeVec(name, help string, labels ...string) *prometheus.GaugeVec {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
	return register(m, v, "gauge", name, help, labels)
}

func (m *Metrics) gauge(name, help string) prometheus.Gauge {
	return m.gaugeVec(name, help).WithLabelValues()
}

func (m *Metrics) histogramVec(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
	return register(m, v, "histogram", name, help, labels)
}

func (m *Metrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h, _ := m.histogramVec(name, help, buckets).WithLabelValues().(prometheus.Histogram) // which is what it is
	return h
}

// register adds a metric to the registry and to the documentation.
func register[C prometheus.Collector](m *Metrics, c C, kind, name, help string, labels []string) C {
	m.registry.MustRegister(c)
	m.families = append(m.families, family{namespace + "_" + name, kind, help, slices.Clone(labels)})
	return c
}
