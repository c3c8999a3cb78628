package report

// Line is the gap in one line of a letter: what is wrong, with which order of
// which shop, and why.
func (g Gap) Line() string {
	i := Report{}.item(g)
	line := plain(g.Shop, mostName) + ": " + i.title()
	if why := sentence(g.CauseText); why != "" {
		line += ". " + why
	}
	return line
}
