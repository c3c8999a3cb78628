package erptest

import (
	"github.com/shopspring/decimal"

	"gapless/erp"
)

// lines: a look-up tells each article and each shipping of the document at its
// newest version, or no line at all.
func lines(p play) {
	s := p.sample()
	p.must(p.doc(s.Order(), "1"), erp.Created)
	p.linesTold(s.Order())
	newer := p.doc(changed(s), "2")
	newer.Exists = true
	p.must(newer, erp.Updated)
	p.linesTold(changed(s))
}

func (p play) linesTold(o erp.Order) {
	p.Helper()
	p.h.settle()
	found, err := p.h.Adapter.Lookup(p.Context(), o.Ref, nil)
	p.noError(err)
	p.want(len(found) == 1, "found %d documents, want one", len(found))
	p.want((len(found[0].Lines) > 0) == p.h.Lines, "lines told: %+v", found[0].Lines)
	if !p.h.Lines {
		return
	}
	held := map[string]decimal.Decimal{}
	for _, l := range found[0].Lines {
		if !l.Extra {
			held[l.SKU] = held[l.SKU].Add(l.Quantity)
		}
	}
	for _, l := range o.Lines {
		p.want(held[l.SKU].Equal(decimal.NewFromInt(l.Quantity)), "%s of %s told, %d ordered", held[l.SKU], l.SKU, l.Quantity)
		delete(held, l.SKU)
	}
	p.want(len(held) <= len(o.Shipping), "lines that the order does not have: %v", held)
}
