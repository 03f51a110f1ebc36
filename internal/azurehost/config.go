package azurehost

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// hostConfig is what a custom handler's package has in host.json: https://learn.microsoft.com/azure/azure-functions/functions-host-json. A field
// that is not here is refused: either it is misspelt, which the real host passes over in silence, or this one lacks it.
type hostConfig struct {
	Version       string `json:"version"`
	CustomHandler struct {
		Description struct {
			DefaultExecutablePath string   `json:"defaultExecutablePath"`
			Arguments             []string `json:"arguments"`
		} `json:"description"`
		// Both are fields of HttpWorkerOptions.cs. Proxying came with pull request 11035 of the host, merged in spring 2025; a host before that
		// does not know it and sends handlers HTTP requests as JSON.
		EnableForwardingHTTPRequest bool `json:"enableForwardingHttpRequest"`
		EnableProxyingHTTPRequest   bool `json:"enableProxyingHttpRequest"`
	} `json:"customHandler"`
	Extensions struct {
		HTTP struct {
			RoutePrefix            *string `json:"routePrefix"`
			MaxOutstandingRequests int     `json:"maxOutstandingRequests"`
			MaxConcurrentRequests  int     `json:"maxConcurrentRequests"`
			DynamicThrottles       bool    `json:"dynamicThrottlesEnabled"`
		} `json:"http"`
	} `json:"extensions"`
	FunctionTimeout string         `json:"functionTimeout"`
	Logging         map[string]any `json:"logging"`
}

// A function is one folder of the package.
type function struct {
	name    string
	trigger binding
	route   []string // of an HTTP function, with the prefix
}

// A binding is an element of function.json.
type binding struct {
	Type       string   `json:"type"`
	Direction  string   `json:"direction"`
	Name       string   `json:"name"`
	AuthLevel  string   `json:"authLevel"`
	Methods    []string `json:"methods"`
	Route      *string  `json:"route"`
	Schedule   string   `json:"schedule"`
	UseMonitor *bool    `json:"useMonitor"`
}

func readPackage(dir string) (h hostConfig, list []function, err error) {
	if err := readJSON(filepath.Join(dir, "host.json"), &h); err != nil {
		return h, nil, err
	}
	c := h.CustomHandler
	info, err := os.Stat(filepath.Join(dir, c.Description.DefaultExecutablePath))
	switch {
	case h.Version != "2.0":
		return h, nil, fmt.Errorf("azurehost: host.json: version %q, want 2.0", h.Version)
	case c.Description.DefaultExecutablePath == "" || err != nil:
		return h, nil, fmt.Errorf("azurehost: host.json: defaultExecutablePath %q: %w", c.Description.DefaultExecutablePath, err)
	case info.Mode()&0o111 == 0:
		return h, nil, fmt.Errorf("azurehost: %s cannot be executed", c.Description.DefaultExecutablePath)
	case !c.EnableForwardingHTTPRequest && !c.EnableProxyingHTTPRequest:
		return h, nil, errors.New("azurehost: host.json: handlers that take HTTP requests as JSON are not modelled")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return h, nil, fmt.Errorf("azurehost: %w", err)
	}
	for _, e := range entries {
		f, err := readFunction(dir, e.Name(), h)
		switch {
		case errors.Is(err, fs.ErrNotExist): // no function
		case err != nil:
			return h, nil, err
		default:
			list = append(list, f)
		}
	}
	if len(list) == 0 {
		return h, nil, errors.New("azurehost: no folder has a function.json")
	}
	return h, list, nil
}

func readFunction(dir, name string, h hostConfig) (function, error) {
	f := function{name: name}
	if info, err := os.Stat(filepath.Join(dir, name)); err != nil || !info.IsDir() {
		return f, fs.ErrNotExist
	}
	var config struct {
		Bindings []binding `json:"bindings"`
	}
	if err := readJSON(filepath.Join(dir, name, "function.json"), &config); err != nil {
		return f, err
	}
	output := false
	for _, b := range config.Bindings {
		switch {
		case b.Type == "http" && b.Direction == "out" && b.Name != "":
			output = true
		case (b.Type == "httpTrigger" || b.Type == "timerTrigger") && b.Direction == "in" && b.Name != "" && f.trigger.Type == "":
			f.trigger = b
		default:
			return f, fmt.Errorf("azurehost: %s: binding %+v is not modelled", name, b)
		}
	}
	switch t := f.trigger; t.Type {
	case "httpTrigger":
		// Only a function with one HTTP trigger and one HTTP output is proxied (FunctionMetadata.IsHttpInAndOutFunction).
		if !output || len(config.Bindings) != 2 {
			return f, fmt.Errorf("azurehost: %s: without an http output the request is not proxied", name)
		}
		prefix, route := "api", name // the defaults
		if h.Extensions.HTTP.RoutePrefix != nil {
			prefix = *h.Extensions.HTTP.RoutePrefix
		}
		if t.Route != nil {
			route = *t.Route
		}
		f.route = segments(prefix + "/" + route)
		if i := slices.IndexFunc(f.route, func(s string) bool { return strings.ContainsAny(s, "{}:?") && s != "{*path}" }); i >= 0 {
			return f, fmt.Errorf("azurehost: %s: the route's %s is not modelled", name, f.route[i])
		}
	case "timerTrigger":
		if n := len(strings.Fields(t.Schedule)); n != 6 || output {
			return f, fmt.Errorf("azurehost: %s: the schedule %q has %d fields, want the 6 of NCRONTAB, and no http output", name, t.Schedule, n)
		}
	default:
		return f, fmt.Errorf("azurehost: %s: no trigger", name)
	}
	return f, nil
}

// readJSON reads a file that may have no fields but those of v.
func readJSON(name string, v any) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("azurehost: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("azurehost: read %s: %w", filepath.Base(name), err)
	}
	return nil
}

func segments(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// find returns the HTTP function for a request. A literal route goes before the one that takes all paths; a method that is not listed is no match,
// as HttpMethodRouteConstraint in WebScriptHostHttpRoutesManager.cs has it.
func (a *App) find(method, path string) *function {
	var rest *function
	for i := range a.functions {
		f := &a.functions[i]
		if f.trigger.Type != "httpTrigger" || len(f.trigger.Methods) > 0 && !slices.ContainsFunc(f.trigger.Methods, func(m string) bool {
			return strings.EqualFold(m, method)
		}) {
			continue
		}
		have := segments(path)
		if n := len(f.route) - 1; n >= 0 && f.route[n] == "{*path}" {
			if len(have) >= n && equalFold(f.route[:n], have[:n]) {
				rest = f
			}
		} else if equalFold(f.route, have) {
			return f
		}
	}
	return rest
}

func equalFold(a, b []string) bool { return slices.EqualFunc(a, b, strings.EqualFold) }

// authorized says whether a request without a key may call the function. "function" is the default of authLevel.
func (f *function) authorized() bool { return strings.EqualFold(f.trigger.AuthLevel, "anonymous") }

// reserved are the paths that the host keeps for itself, whatever the routes.
func reserved(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return strings.EqualFold(first, "admin") || strings.EqualFold(first, "runtime")
}

// unauthorized answers as the host does where a key is missing.
func unauthorized(w http.ResponseWriter) { w.WriteHeader(http.StatusUnauthorized) }
