package app

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

// startTimeout is how long the stores are asked at the start. It holds nobody up.
const startTimeout = 10 * time.Second

// lookAt names the settings that lead to the storage or to the state, for whoever reads that it cannot be used.
func (c Config) lookAt(port string) string {
	name := c.Storage
	if port == "state" {
		name = c.StateName()
	}
	key := "AZURE_CONNECTION_STRING"
	if c.AzureConnectionString == "" {
		key = "AZURE_ACCOUNT"
	}
	settings := map[string][]string{
		"fs":        {"DATA_DIR"},
		"sqlite":    {"SQLITE_FILE", "DATA_DIR"},
		"s3":        {"S3_BUCKET", "S3_REGION", "S3_ENDPOINT"},
		"dynamodb":  {"DYNAMODB_TABLE", "DYNAMODB_ENDPOINT"},
		"gcs":       {"GCS_BUCKET", "GCS_ENDPOINT"},
		"firestore": {"FIRESTORE_PROJECT", "FIRESTORE_DATABASE", "FIRESTORE_COLLECTION"},
		"azure":     {"AZURE_CONTAINER", key},
		"table":     {"AZURE_TABLE", key},
	}[name]
	credentials := map[string]string{
		"s3": ", and AWS's credentials", "dynamodb": ", and AWS's region and credentials",
		"gcs": ", and Google's credentials", "firestore": ", and Google's credentials",
	}[name]
	if len(settings) == 0 {
		return ""
	}
	return "look at " + Prefix + strings.Join(settings, ", "+Prefix) + credentials
}

// askStores asks both stores once, at the start, and logs what cannot be used. The server starts all the same: a store may only be late.
func (a *App) askStores(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, p := range a.probes {
		if p.ping == nil {
			continue
		}
		if err := p.ping(ctx); err != nil && ctx.Err() == nil {
			a.notReady(ctx, p.name, err)
		}
	}
}

func (a *App) notReady(ctx context.Context, name string, err error) {
	a.log.LogAttrs(ctx, slog.LevelError, "not ready", slog.String("failed", name), slog.Any("error", err), slog.String("hint", a.cfg.lookAt(name)))
}
