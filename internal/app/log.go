package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"strings"
)

// NewLogger returns the logger that c asks for, writing to w.
func NewLogger(w io.Writer, c Config) *slog.Logger {
	opt := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "google" {
		opt.ReplaceAttr = asGoogle
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	if c.LogFormat == "json" || c.LogFormat != "text" && !isTerminal(w) {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}

// asGoogle names the fields as Google's Cloud Logging reads them ("Structured logging"): severity and message.
func asGoogle(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.MessageKey:
		a.Key = "message"
	case slog.LevelKey:
		var severity string
		switch level, _ := a.Value.Any().(slog.Level); {
		case level < slog.LevelInfo:
			severity = "DEBUG"
		case level < slog.LevelWarn:
			severity = "INFO"
		case level < slog.LevelError:
			severity = "WARNING"
		default:
			severity = "ERROR"
		}
		return slog.String("severity", severity)
	}
	return a
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// LogTo writes the effective settings in one line, under the names of their flags.
func (c Config) LogTo(log *slog.Logger) {
	fields := reflect.ValueOf(c)
	attrs := make([]slog.Attr, 0, fields.NumField())
	for _, s := range Settings() {
		attrs = append(attrs, slog.String(s.Flag, s.show(fields.Field(s.index))))
	}
	log.LogAttrs(context.Background(), slog.LevelInfo, "settings", attrs...)
}

// show writes a value as a person would have, and the table's words for one that is not set.
func (s Setting) show(field reflect.Value) string {
	if field.IsZero() && s.preset == "" {
		return s.Default
	}
	if s.secret {
		return "(set)"
	}
	if list, ok := field.Interface().([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(field.Interface())
}
