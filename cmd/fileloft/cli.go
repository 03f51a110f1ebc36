package main

import (
	"errors"
	"io"
	"reflect"

	"github.com/alecthomas/kong"

	"github.com/fileloft/fileloft/internal/app"
)

// cli is the command line. Its settings are the fields of app.Config.
type cli struct {
	Serve   serveCmd   `cmd:"" default:"withargs" help:"Start the server (what happens without a command)."`
	Sweep   sweepCmd   `cmd:"" help:"Remove what has expired and finish what a crash cut short, once, and print what was done."`
	State   stateCmd   `cmd:"" help:"Look after the state."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

const description = `A resumable-upload server (tus 1.0.0).

Without a command and without any setting it serves uploads on port 8080 under /files/. "fileloft serve --help" lists
the settings. Each flag is an environment variable too: --max-size is FILELOFT_MAX_SIZE. Flags win.`

// parse finds the command that args and env ask for; nil if it was help.
// An error is one sentence that names the flag or the variable.
func parse(args []string, env app.Env, stdout, stderr io.Writer) (func() error, error) {
	return new(cli).parse(args, env, stdout, stderr)
}

func (c *cli) parse(args []string, env app.Env, stdout, stderr io.Writer) (func() error, error) {
	helped := false
	parser, err := kong.New(c,
		kong.Name("fileloft"),
		kong.Description(description),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { helped = true }),
		kong.Resolvers(fromEnv(env)),
		kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: 110, NoExpandSubcommands: true, NoAppDescFormat: true}),
		kong.ValueFormatter(withVariable),
		readers(),
		kong.Bind(env),
		kong.BindTo(stdout, (*stdWriter)(nil)),
		kong.BindTo(stderr, (*errWriter)(nil)),
	)
	if err != nil {
		return nil, err // a mistake in a struct tag; the tests would see it
	}
	ctx, err := parser.Parse(args)
	switch {
	case helped:
		return nil, nil
	case err != nil:
		if bad := new(app.BadValueError); errors.As(err, &bad) {
			return nil, bad // without kong's own words around it
		}
		return nil, err
	}
	// Not as kong's Validate: that would put the command's name in front of the sentence.
	if c, ok := ctx.Selected().Target.Interface().(interface{ Check() error }); ok {
		if err := c.Check(); err != nil {
			return nil, err
		}
	}
	return func() error { return ctx.Run() }, nil
}

// stdWriter and errWriter are the process's two outputs, as commands receive them.
type (
	stdWriter io.Writer
	errWriter io.Writer
)

// fromEnv gives kong the variables. Its own env tag would look at the process's environment.
func fromEnv(env app.Env) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		s, ok := app.Find(flag.Name)
		if !ok {
			return nil, nil
		}
		text, err := s.FromEnv(env)
		if err != nil || text == "" {
			return nil, err
		}
		return text, nil
	})
}

// withVariable names the variable behind the help of a flag.
func withVariable(v *kong.Value) string {
	s, ok := app.Find(v.Name)
	if !ok || v.Flag == nil {
		return v.Help
	}
	help := v.Help + " ($" + s.Env + ")"
	if s.Default != "" && s.Default != "false" {
		help += " Default: " + s.Default + "."
	}
	return help
}

// readers makes kong read flags with the readers that app has for variables.
func readers() kong.Option {
	return kong.OptionFunc(func(k *kong.Kong) error {
		for _, s := range app.Settings() {
			var m kong.Mapper = flagReader{}
			if s.IsSwitch() {
				m = switchReader{}
			}
			if err := kong.NamedMapper(s.Type, m).Apply(k); err != nil {
				return err
			}
		}
		return nil
	})
}

type flagReader struct{}

func (flagReader) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("value", &text); err != nil {
		return err
	}
	s, _ := app.Find(ctx.Value.Name)
	return s.ParseFlag(target, text)
}

// A switchReader is a flagReader whose flag may stand without a value.
type switchReader struct{ flagReader }

func (switchReader) IsBool() bool { return true }

func (r switchReader) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		target.SetBool(true)
		return nil
	}
	return r.flagReader.Decode(ctx, target)
}
