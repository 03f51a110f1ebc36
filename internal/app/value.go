package app

import (
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A BadValueError is a setting whose text cannot be what its reader wants.
type BadValueError struct {
	Name    string // the variable or flag that it came from
	Value   string
	Accepts string // what would have been right, to be read after "want"
}

func (e *BadValueError) Error() string {
	return fmt.Sprintf("%s: %q cannot be used, want %s", e.Name, e.Value, e.Accepts)
}

// levelOff is above every level that is ever logged.
const levelOff = slog.Level(math.MaxInt32)

// A reader turns text into the value of a field. ok is false where the text is not of its form.
type reader struct {
	accepts string
	read    func(s Setting, text string) (v any, ok bool)
}

// readers are the types of settings, by the name in the type tag.
var readers = map[string]reader{
	"text":      {"some text", func(_ Setting, t string) (any, bool) { return t, true }},
	"address":   {"HOST:PORT or :PORT, with a port from 0 to 65535", readAddress},
	"socket":    {"a path of at most 107 bytes", readSocket},
	"mode":      {"octal permissions such as 0660", readMode},
	"path":      {"a path that begins with a slash, such as /files/", readPath},
	"origin":    {"an origin such as https://uploads.example.com, without query or fragment", readOrigin},
	"switch":    {"true or false (or 1 or 0, yes or no, on or off)", readSwitch},
	"size":      {"a number of bytes such as 1048576, 10MiB or 10GB", readSize},
	"count":     {"a whole number", readCount},
	"duration":  {"seconds such as 30, or a duration such as 90s, 10m or 24h", readDuration},
	"list":      {"a comma-separated list without empty items or spaces inside them", readList},
	"origins":   {"* or a comma-separated list of origins such as https://app.example.com or https://*.example.com", readOrigins},
	"choice":    {"", readChoice},
	"words":     {"", readWords},
	"endpoint":  {"an http or https URL without a user in it", readEndpoint},
	"secrets":   {"whsec_ and 24 to 64 random bytes in base64, or a comma-separated list of that", readSecrets},
	"names":     {"a comma-separated list of names of headers", readHeaderNames},
	"headers":   {"a comma-separated list of NAME=VALUE, percent-encoded, without headers that belong to the message", readHeaders},
	"reference": {"a URI reference such as /fileloft or https://uploads.example.com/", readReference},
	"level":     {"trace, debug, info, warn, error or off", readLevel},
}

// set parses text into field; name is where the text came from.
func (s Setting) set(field reflect.Value, name, text string) error {
	r := readers[s.Type]
	v, ok := r.read(s, text)
	if !ok {
		if s.secret {
			text = "***"
		} else if u, err := url.Parse(text); err == nil && u.User != nil {
			text = u.Redacted() // a URL with a password is refused everywhere, but it was one
		}
		return &BadValueError{Name: name, Value: text, Accepts: s.accepts()}
	}
	if list, isList := v.([]string); isList { // a flag may be given more than once
		v = slices.Concat(field.Interface().([]string), list)
	}
	field.Set(reflect.ValueOf(v))
	return nil
}

// try parses text and throws the value away.
func (s Setting) try(name, text string) error {
	return s.set(reflect.New(reflect.TypeFor[Config]().Field(s.index).Type).Elem(), name, text)
}

// accepts says what the setting takes.
func (s Setting) accepts() string {
	switch s.Type {
	case "choice":
		return oneOf(s.choices)
	case "words":
		return "a comma-separated list of " + oneOf(s.choices)
	}
	text := readers[s.Type].accepts
	switch {
	case s.min == 0 && s.max == 0:
	case s.Type == "duration":
		text += fmt.Sprintf(", at least %s", time.Duration(s.min)*time.Second)
	case s.max == 0:
		text += fmt.Sprintf(", at least %d", s.min)
	default:
		text += fmt.Sprintf(", from %d to %d", s.min, s.max)
	}
	return text
}

// within applies the min and max tags.
func (s Setting) within(n int64) bool { return n >= s.min && (s.max == 0 || n <= s.max) }

func readAddress(_ Setting, text string) (any, bool) {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return nil, false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return text, err == nil
}

// readSocket applies the limit of sockaddr_un on Linux, and keeps off abstract sockets, which have no permissions.
func readSocket(_ Setting, text string) (any, bool) {
	return text, len(text) <= 107 && !strings.HasPrefix(text, "@")
}

func readMode(_ Setting, text string) (any, bool) {
	n, err := strconv.ParseUint(text, 8, 32)
	return fs.FileMode(n), err == nil && n > 0 && n <= 0o777
}

func readPath(_ Setting, text string) (any, bool) {
	u, err := url.Parse(text)
	return text, err == nil && strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") && u.Path == text
}

func readOrigin(_ Setting, text string) (any, bool) {
	u, err := url.Parse(text)
	ok := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil &&
		!strings.ContainsAny(text, "?#")
	return text, ok
}

func readSwitch(_ Setting, text string) (any, bool) {
	switch strings.ToLower(text) {
	case "true", "1", "yes", "on":
		return true, true
	case "false", "0", "no", "off":
		return false, true
	}
	return nil, false
}

// units are powers of 1000 and of 1024. A bare K, M or G is refused: people mean either.
var units = map[string]int64{
	"": 1, "B": 1,
	"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40,
}

func readSize(s Setting, text string) (any, bool) {
	digits := strings.TrimRight(text, "BIKMGTbikmgt ")
	unit, known := units[strings.ToUpper(strings.TrimSpace(text[len(digits):]))]
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || !known || int64(n) > math.MaxInt64/unit {
		return nil, false
	}
	size := int64(n) * unit
	return size, s.within(size)
}

func readCount(s Setting, text string) (any, bool) {
	n, err := strconv.ParseUint(text, 10, 63)
	return int64(n), err == nil && s.within(int64(n))
}

func readDuration(s Setting, text string) (any, bool) {
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		return time.Duration(n) * time.Second, s.within(int64(n))
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d >= 0 && d >= time.Duration(s.min)*time.Second
}

func readList(_ Setting, text string) (any, bool) {
	list := strings.Split(text, ",")
	for i, item := range list {
		list[i] = strings.TrimSpace(item)
		if list[i] == "" || strings.ContainsAny(list[i], " \t\r\n") {
			return nil, false
		}
	}
	return list, true
}

func readOrigins(s Setting, text string) (any, bool) {
	v, ok := readList(s, text)
	if !ok {
		return nil, false
	}
	for _, o := range v.([]string) {
		plain := strings.ReplaceAll(o, "*", "any")
		u, err := url.Parse(plain)
		if o != "*" && (err != nil || u.Scheme == "" || u.Host == "" || plain != u.Scheme+"://"+u.Host) {
			return nil, false
		}
	}
	return v, true
}

func readChoice(s Setting, text string) (any, bool) {
	return text, slices.Contains(s.choices, text)
}

// readLevel also takes the Rust form of a comma list, "warn,fileloft=debug", and goes by the entry for all targets or
// for fileloft, whichever is last.
func readLevel(_ Setting, text string) (any, bool) {
	levels := map[string]slog.Level{
		"trace": slog.LevelDebug - 4, "debug": slog.LevelDebug, "info": slog.LevelInfo,
		"warn": slog.LevelWarn, "error": slog.LevelError, "off": levelOff,
	}
	var level slog.Level
	found := false
	for part := range strings.SplitSeq(strings.ToLower(text), ",") {
		target, name, isPair := strings.Cut(strings.TrimSpace(part), "=")
		if !isPair {
			target, name = "fileloft", target
		}
		l, known := levels[name]
		if !known {
			return nil, false
		}
		if target == "fileloft" {
			level, found = l, true
		}
	}
	return level, found
}

func oneOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
