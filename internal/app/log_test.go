package app

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

func TestTheEffectiveSettingsAreLoggedInFull(t *testing.T) {
	c, err := Load(Env{"FILELOFT_MAX_SIZE=10MiB", "FILELOFT_CORS_ALLOW_ORIGIN=https://a.example,https://b.example", "FILELOFT_FS_SYNC=off"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c.LogTo(NewLogger(&out, c)) // a buffer is no terminal: JSON
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	for flag, want := range map[string]string{
		"max-size": "10485760", "cors-allow-origin": "https://a.example,https://b.example", "fs-sync": "false",
		"lock-timeout": "20s", "max-chunk": "no limit", "log-level": "INFO",
	} {
		if line[flag] != want {
			t.Errorf("%s: %v, want %v", flag, line[flag], want)
		}
	}
	for _, s := range Settings() {
		if _, ok := line[s.Flag]; !ok {
			t.Errorf("%s is missing", s.Flag)
		}
	}
}

func TestASecretIsNotLogged(t *testing.T) {
	c, err := Load(Env{"FILELOFT_AZURE_CONNECTION_STRING=AccountName=a;AccountKey=hunter2"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c.LogTo(NewLogger(&out, c))
	if strings.Contains(out.String(), "hunter2") || !strings.Contains(out.String(), `"azure-connection-string":"(set)"`) {
		t.Errorf("%s", &out)
	}
}

func TestLogFormatAndLevel(t *testing.T) {
	var out bytes.Buffer
	log := NewLogger(&out, Config{LogFormat: "text", LogLevel: levelOff})
	log.Error("quiet")
	if out.Len() != 0 {
		t.Errorf("off still writes %q", &out)
	}
	NewLogger(&out, Config{LogFormat: "text"}).Info("hello", "a", 1)
	if !strings.Contains(out.String(), "msg=hello a=1") {
		t.Errorf("text looks like %q", &out)
	}
}

func TestTableHasARowForEverySetting(t *testing.T) {
	table := Table()
	for _, s := range Settings() {
		row := "| `" + s.Env + "`"
		if strings.Count(table, row) != 1 || !strings.Contains(table, "`--"+s.Flag+"`") {
			t.Errorf("%s: not exactly one row", s.Env)
		}
	}
	for line := range strings.Lines(table) {
		if n := strings.Count(line, "|") - strings.Count(line, `\|`); n != 5 {
			t.Errorf("%d column marks in %q", n, line)
		}
	}
}

func TestGoogleReadsSeverityAndMessage(t *testing.T) {
	c, err := Load(Env{"FILELOFT_LOG_FORMAT=google", "FILELOFT_LOG_LEVEL=debug"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for level, want := range map[slog.Level]string{
		slog.LevelDebug: "DEBUG", slog.LevelInfo: "INFO", slog.LevelWarn: "WARNING", slog.LevelError: "ERROR",
	} {
		var out bytes.Buffer
		NewLogger(&out, c).Log(t.Context(), level, "hello", slog.Group("g", "level", "mine"))
		var line map[string]any
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line["severity"] != want || line["message"] != "hello" || line["level"] != nil || line["g"].(map[string]any)["level"] != "mine" {
			t.Errorf("%v: %s", level, &out)
		}
	}
}
