package azurehost

import (
	"net/http"
	"slices"
)

// cors is what JobHostCorsMiddleware.cs does on Linux Consumption plans: ASP.NET's CorsMiddleware with the policy of CorsOptionsSetup.cs,
// any header and any method for the allowed origins. It is there also where no origin is allowed, and answers every preflight itself, so that
// none reaches a function (the host's issues 5200 and 9012). A nil writer says that it has answered.
func (a *App) cors(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	origin := r.Header.Get("Origin")
	method := r.Header.Get("Access-Control-Request-Method")
	everybody := slices.Contains(a.opt.AllowedOrigins, "*")
	allowed := everybody || slices.Contains(a.opt.AllowedOrigins, origin)
	c := &corsWriter{ResponseWriter: w, origin: origin}
	if everybody {
		c.origin = "*"
	}
	switch {
	case origin == "":
		return w
	case r.Method == http.MethodOptions && method != "":
		h := w.Header()
		if allowed {
			h.Set("Access-Control-Allow-Methods", method)
			if headers := r.Header.Get("Access-Control-Request-Headers"); headers != "" {
				h.Set("Access-Control-Allow-Headers", headers)
			}
			w = c
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	case allowed:
		return c
	}
	return w
}

// A corsWriter sets its headers when the answer begins, over those of the handler (CorsMiddleware.OnResponseStarting).
type corsWriter struct {
	http.ResponseWriter
	origin string
}

func (c *corsWriter) WriteHeader(status int) {
	h := c.Header()
	h.Set("Access-Control-Allow-Origin", c.origin)
	if c.origin != "*" {
		h.Add("Vary", "Origin")
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *corsWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }
