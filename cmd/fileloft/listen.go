package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"

	"github.com/fileloft/fileloft/internal/app"
	"github.com/fileloft/fileloft/internal/listen"
)

// listeners opens what the settings name, or takes what systemd hands over, and puts TLS in front.
func (c *serveCmd) listeners(ctx context.Context, env app.Env, log *slog.Logger) ([]net.Listener, error) {
	var cert *listen.Certificate
	if c.TLSCert != "" {
		var err error
		if cert, err = listen.NewCertificate(c.TLSCert, c.TLSKey, log); err != nil {
			return nil, fmt.Errorf("%sTLS_CERT (--tls-cert), %sTLS_KEY: %w", app.Prefix, app.Prefix, err)
		}
	}
	list, err := listen.Handed(env.Lookup)
	handed := len(list) > 0
	if err == nil && !handed {
		var ln net.Listener
		ln, err = c.open(ctx)
		list = []net.Listener{ln}
	}
	if err != nil {
		return nil, err
	}
	for i, ln := range list {
		addr := ln.Addr()
		if cert != nil {
			if addr.Network() == "unix" {
				return nil, fmt.Errorf("%sTLS_CERT (--tls-cert): %s was handed over, and a Unix socket is served without TLS", app.Prefix, addr)
			}
			list[i] = cert.Listener(ln, map[string]uint16{"tls12": tls.VersionTLS12, "tls13": tls.VersionTLS13}[c.TLSMode])
		}
		log.Info("listening", "address", addr.String(), "network", addr.Network(), "tls", cert != nil, "handed_over", handed, "base_path", c.BasePath)
	}
	return list, nil
}

// open opens the one listener that the settings name.
func (c *serveCmd) open(ctx context.Context) (net.Listener, error) {
	if c.UnixSocket != "" {
		ln, err := listen.Unix(ctx, c.UnixSocket, c.UnixSocketMode)
		if err != nil {
			return nil, fmt.Errorf("%sUNIX_SOCKET (--unix-socket): %w", app.Prefix, err)
		}
		return ln, nil
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", c.Bind)
	if err != nil {
		return nil, fmt.Errorf("%sBIND (--bind): %w", app.Prefix, err)
	}
	return ln, nil
}
