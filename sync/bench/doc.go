// Package bench measures Gapless against the limits of the machine it runs on;
// docs/benchmarks.md tells how and what came out. It holds benchmarks only, in
// its test files; `make bench` runs them. They read /proc, so they run on Linux.
package bench
