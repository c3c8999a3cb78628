package ordersync

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var simPlanted = flag.Bool("planted", false, "build the engine with each planted bug, and see that the simulator finds it")

// within is the number of worlds in which every planted bug must be found: half of
// those that `make sim` plays.
const within = 5000

// TestSimFindsPlantedBugs builds this package once for each planted bug, with
// the source changed by the go command's overlay, and plays worlds until one
// fails. It writes what it found into docs/simulation.md.
func TestSimFindsPlantedBugs(t *testing.T) {
	if !*simPlanted {
		t.Skip("takes minutes: run it with -planted, as `make sim` does")
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			world, how := p.find(t, root)
			if world == 0 {
				t.Fatalf("not found in %d worlds", within)
			}
			seeThatItIsTheBug(t, world)
			t.Logf("world %d: %s", world, how)
			rows = append(rows, fmt.Sprintf("| %s | `%s` | %s | %d | %s |", p.name, p.file, p.breaks, world, how))
		})
	}
	if len(rows) == len(plants) { // not where some were picked with -run
		writeTable(t, filepath.Join(root, "docs", "simulation.md"), rows)
	}
}

// TestSimPlantsFit holds each planted bug against the source as it is now.
func TestSimPlantsFit(t *testing.T) {
	for _, p := range plants {
		p.source(t, "..")
	}
}

var firstFailure = regexp.MustCompile(`world (\d+): (\w+)`)

// find plays worlds with the bug in place, and returns the first that fails with
// the invariant it breaks.
func (p plant) find(t *testing.T, root string) (world int, how string) {
	binary := p.build(t, root)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	play := exec.CommandContext(ctx, binary, "-test.run", "^TestSim$", "-stop", "-seeds", strconv.Itoa(within))
	play.Dir = filepath.Join(root, "sync")
	said, _ := play.CombinedOutput() // it fails where it finds something, and its words tell
	for _, found := range firstFailure.FindAllStringSubmatch(string(said), -1) {
		if n, _ := strconv.Atoi(found[1]); world == 0 || n < world {
			world, how = n, found[2]
		}
	}
	if world == 0 && !strings.Contains(string(said), "PASS") {
		t.Fatalf("it ends without a word of a world:\n%s", said)
	}
	return world, how
}

// seeThatItIsTheBug plays the world once more without the bug: one that fails
// by itself has found nothing.
func seeThatItIsTheBug(t *testing.T, world int) {
	sound, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	play := exec.CommandContext(t.Context(), sound, "-test.run", "^TestSim$", "-stop", "-from", strconv.Itoa(world), "-seeds", "1")
	if said, err := play.CombinedOutput(); err != nil {
		t.Fatalf("world %d fails without the bug: %v\n%s", world, err, said)
	}
}

// build builds the tests of this package with the bug in the source.
func (p plant) build(t *testing.T, root string) (binary string) {
	dir, original := t.TempDir(), filepath.Join(root, p.file)
	changed := filepath.Join(dir, "changed.go")
	if err := os.WriteFile(changed, []byte(strings.Replace(p.source(t, root), p.old, p.new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, _ := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}}) // strings: it can't fail
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(dir, "planted.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", list, "-o", binary, "./sync")
	build.Dir = root
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, said)
	}
	return binary
}

// source is the file as it is, in which the bug has one place.
func (p plant) source(t *testing.T, root string) string {
	source, err := os.ReadFile(filepath.Join(root, p.file))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), p.old); n != 1 {
		t.Fatalf("%s: %s has the text to be replaced %d times, not once:\n%s", p.name, p.file, n, p.old)
	}
	return string(source)
}

// Marks in docs/simulation.md between which the table stands.
const (
	tableBegin = "<!-- planted bugs: written by `make sim` -->\n"
	tableEnd   = "<!-- end of planted bugs -->\n"
)

// writeTable puts what was found into the documentation.
func writeTable(t *testing.T, path string, rows []string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), tableBegin)
	_, after, ends := strings.Cut(rest, tableEnd)
	if !found || !ends {
		t.Fatalf("%s has no place for the table", path)
	}
	table := "| bug | in | what it breaks | found in world | by invariant |\n|---|---|---|---|---|\n" + strings.Join(rows, "\n") + "\n"
	if err := os.WriteFile(path, []byte(before+tableBegin+table+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
