package main

import (
	"fmt"
	"runtime"

	"gapless/store"
)

type versionCommand struct{}

// Run prints what an operator is asked for.
func (versionCommand) Run(p *Program) error {
	fmt.Fprintf(p.Stdout, "gapless %s (commit %s)\n%s %s/%s\nSQLite %s\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH, store.SQLiteVersion())
	return nil
}
