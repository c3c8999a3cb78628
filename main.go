// Gapless carries every Shopify order into the merchant's ERP, exactly once and
// at its newest version, and proves each day that none is missing.
//
// This package is the program: its commands (main.go lists them, each stands in
// NAME_command.go), the appliance they are about (appliance.go), the config
// (config*.go) and the demo (demo_command.go).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	_ "time/tzdata" // a small VM may have no time zones of its own

	"github.com/alecthomas/kong"
)

// Exit codes, as CONTRACT names them.
const (
	exitFailed = 1 // the command ran and failed
	exitUsage  = 2 // wrong flags or config
	exitGaps   = 3 // the command ran well, and something is missing or wrong
)

// version and commit are set by the build.
var (
	version = "dev"
	commit  = "unknown"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	p := &Program{Args: os.Args[1:], Environ: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr}
	code := p.Run(ctx)
	stop()
	os.Exit(code)
}

// Program is one run of gapless. Tests run it as a value.
type Program struct {
	Args    []string
	Environ []string
	Stdout  io.Writer
	Stderr  io.Writer
}

// commands are what gapless does, with their flags.
type commands struct {
	Config string `help:"Config file; default ./config.toml, then /etc/gapless/config.toml." placeholder:"FILE"`

	Serve     serveCommand     `cmd:"" help:"Run the appliance."`
	Demo      demoCommand      `cmd:"" help:"Run a self-contained demo: a pretend shop with faults and a pretend ERP."`
	Check     checkCommand     `cmd:"" help:"Validate the config and test every shop, ERP, subscription and the disk."`
	Poll      pollCommand      `cmd:"" help:"Ask the shops now what changed since the last poll."`
	Reconcile reconcileCommand `cmd:"" help:"Compare Shopify, Gapless and the ERP now, and mend what differs."`
	Gaps      gapsCommand      `cmd:"" help:"List gaps, show one, or ignore one."`
	Runs      runsCommand      `cmd:"" help:"List what was compared and polled."`
	Orders    ordersCommand    `cmd:"" help:"List orders, or show one."`
	Events    eventsCommand    `cmd:"" help:"List events, or show one."`
	Replay    replayCommand    `cmd:"" help:"Verify orders in the ERP and send them again where needed; mend gaps."`
	Report    reportCommand    `cmd:"" help:"Print the daily report: does everything add up?"`
	Backfill  backfillCommand  `cmd:"" help:"Bring in orders of the past, from a day on."`
	User      userCommand      `cmd:"" help:"Add, list, reset and remove people who log in."`
	Token     tokenCommand     `cmd:"" help:"Add, list and remove API tokens."`
	Backup    backupCommand    `cmd:"" help:"Write a consistent, verified copy of a running store."`
	Restore   restoreCommand   `cmd:"" help:"Put a backup in the store's place."`
	Version   versionCommand   `cmd:"" help:"Print the versions of Gapless, Go and SQLite."`
}

// gapsFound is an answer that ops must look at; it exits with 3.
type gapsFound struct{ error }

// usageError is a mistake of the caller; it exits with 2.
type usageError struct{ error }

// Run runs the command that Args name and returns the exit code.
func (p *Program) Run(ctx context.Context) int {
	var c commands
	code := -1
	parser, err := kong.New(&c, kong.Name("gapless"), kong.UsageOnError(), kong.Writers(p.Stdout, p.Stderr),
		kong.Description("Carries every Shopify order into the ERP, exactly once, and proves that none is missing."),
		kong.Exit(func(n int) { code = n })) // --help
	if err != nil {
		return p.fail(err)
	}
	cmd, err := parser.Parse(p.Args)
	if code >= 0 {
		return code
	}
	if err != nil {
		return p.fail(usageError{fmt.Errorf("%w; see gapless --help", err)})
	}
	cmd.BindTo(ctx, (*context.Context)(nil))
	if err := cmd.Run(p, &c); err != nil {
		return p.fail(err)
	}
	return 0
}

func (p *Program) fail(err error) int {
	fmt.Fprintf(p.Stderr, "gapless: %v\n", err)
	if errors.As(err, &gapsFound{}) {
		return exitGaps
	}
	var config ConfigError
	if errors.As(err, &usageError{}) || errors.As(err, &config) {
		return exitUsage
	}
	return exitFailed
}
