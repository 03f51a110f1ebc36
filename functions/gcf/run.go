package gcf

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"

	"github.com/fileloft/fileloft/internal/app"
)

// Run serves on PORT, as containers do on Cloud Run and functions do on a developer's machine, until ctx ends.
//
// With FILELOFT_ENABLE_H2C it is the endpoint behind fileloft's own server: HTTP/2 to the end, bodies without limit that
// stream, and a stop that keeps the bytes in flight. Without, it is what the platform's builder makes of the package: the Functions
// Framework, and the function that FUNCTION_TARGET names. FILELOFT_BIND names the host to listen on; without it, all.
func Run(ctx context.Context) error {
	env := app.OSEnv()
	port, ok := env.Lookup("PORT")
	if !ok {
		port = "8080"
	}
	host := ""
	if bind, ok := env.Lookup(app.Prefix + "BIND"); ok {
		var err error
		if host, port, err = net.SplitHostPort(bind); err != nil {
			return fmt.Errorf("%sBIND: %w", app.Prefix, err)
		}
	}
	a, err := opened()
	if err != nil {
		return err
	}
	if !a.Config().EnableH2C {
		return funcframework.StartHostPort(host, port)
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "fileloft: listening on", ln.Addr())
	return a.Serve(ctx, ln)
}
