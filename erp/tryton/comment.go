package tryton

import "strings"

// The sale's comment is the one field that Tryton lets everybody write in every
// state. Ours is the block at its end:
//
//	<what people wrote>
//	--- from Shopify, kept by Gapless; write above this line ---
//	<the order's note>
//	gapless: <version> <fingerprint of the content>
const (
	blockStart = "--- from Shopify, kept by Gapless; write above this line ---"
	stampStart = "gapless: "
)

// mark is what the last line of the block says.
type mark struct {
	version, fingerprint string
}

// readComment splits a comment into what people wrote and our mark, which is
// empty where somebody removed it.
func readComment(comment string) (people string, m mark) {
	people, block, found := strings.Cut(comment, blockStart)
	people = strings.TrimRight(people, "\n ")
	if !found {
		return people, mark{}
	}
	last := block[strings.LastIndex(block, "\n")+1:]
	if stamp, ours := strings.CutPrefix(last, stampStart); ours {
		m.version, m.fingerprint, _ = strings.Cut(stamp, " ")
	}
	return people, m
}

// writeComment joins what people wrote, the order's note and our mark.
func writeComment(people, note string, m mark) string {
	parts := []string{blockStart, stampStart + m.version + " " + m.fingerprint}
	if note != "" {
		parts = []string{blockStart, note, parts[1]}
	}
	if people != "" {
		parts = append([]string{people}, parts...)
	}
	return strings.Join(parts, "\n")
}
