package azurehost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A TimerResult is a handler's answer to a timer: HttpScriptInvocationResult.cs.
type TimerResult struct {
	Outputs     map[string]any
	Logs        []string
	ReturnValue json.RawMessage
}

// Timer invokes a function with a timer trigger, as its schedule would. An error is an invocation that failed, or one that the host would
// never have seen the end of.
func (a *App) Timer(ctx context.Context, name string) (TimerResult, error) {
	i := slices.IndexFunc(a.functions, func(f function) bool { return f.name == name && f.trigger.Type == "timerTrigger" })
	if i < 0 {
		return TimerResult{}, fmt.Errorf("azurehost: no function %s has a timer trigger", name)
	}
	in := a.pick()
	if err := in.wait(ctx); err != nil {
		return TimerResult{}, err
	}
	in.busy.Add(1)
	defer in.busy.Add(-1)
	r, err := a.timerRequest(ctx, in, a.functions[i])
	if err != nil {
		return TimerResult{}, err
	}
	resp, err := a.transport.RoundTrip(r)
	if err != nil {
		return TimerResult{}, fmt.Errorf("azurehost: invoke %s: %w", name, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return TimerResult{}, fmt.Errorf("azurehost: invoke %s: %w", name, err)
	}
	result, err := timerResult(resp, b)
	if err != nil {
		return result, fmt.Errorf("azurehost: invoke %s: %w", name, err)
	}
	return result, nil
}

// timerRequest is DefaultHttpWorkerService.ProcessDefaultInvocationRequest: a POST to the function's name, in chunks as ObjectContent is sent. The
// timer is TimerInfo: https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#usage.
func (a *App) timerRequest(ctx context.Context, in *instance, f function) (*http.Request, error) {
	now := time.Now().UTC()
	b, err := json.Marshal(map[string]any{
		"Data": map[string]any{f.trigger.Name: map[string]any{
			"Schedule": map[string]any{"AdjustForDST": true},
			"ScheduleStatus": map[string]any{
				"Last": now.Add(-10 * time.Minute), "LastUpdated": now.Add(-10 * time.Minute), "Next": now,
			},
			"IsPastDue": false,
		}},
		"Metadata": map[string]any{"sys": map[string]any{"MethodName": f.name, "UtcNow": now, "RandGuid": newID()}},
	})
	if err != nil {
		return nil, fmt.Errorf("azurehost: %w", err)
	}
	body := struct{ io.Reader }{strings.NewReader(string(b))} // of a length that net/http does not see
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, in.newURL("/"+f.name), body)
	if err != nil {
		return nil, fmt.Errorf("azurehost: %w", err)
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("X-Azure-Functions-Invocationid", newID())
	r.Header.Set("X-Azure-Functions-Hostversion", hostVersion)
	r.Header.Set("User-Agent", "Azure-Functions-Host/"+hostVersion)
	return r, nil
}

// timerResult reads the answer as DefaultHttpWorkerService.cs does: EnsureSuccessStatusCode, then ReadAsAsync, which goes by the content type and takes
// nothing at all for null; a null sets no result, and the invocation lasts until its timeout.
func timerResult(resp *http.Response, b []byte) (r TimerResult, err error) {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	var p *TimerResult
	switch {
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return r, fmt.Errorf("%s: %s", resp.Status, b)
	case kind != "application/json" && kind != "text/json":
		return r, fmt.Errorf("an answer of type %q cannot be read", kind)
	case len(b) > 0:
		if err := json.Unmarshal(b, &p); err != nil {
			return r, err
		}
	}
	if p == nil {
		return r, errors.New("the answer is null: the host would wait for another until the function's timeout")
	}
	return *p, nil
}
