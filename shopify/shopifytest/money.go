package shopifytest

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Bag is one amount in the shop's money and in the customer's, each counted in
// minor units of its currency (cents, yen, fils).
type Bag struct{ Shop, Presentment int64 }

// Plus adds.
func (b Bag) Plus(c Bag) Bag { return Bag{b.Shop + c.Shop, b.Presentment + c.Presentment} }

// Minus subtracts.
func (b Bag) Minus(c Bag) Bag { return Bag{b.Shop - c.Shop, b.Presentment - c.Presentment} }

// Times multiplies.
func (b Bag) Times(n int64) Bag { return Bag{b.Shop * n, b.Presentment * n} }

// IsZero says that both amounts are zero.
func (b Bag) IsZero() bool { return b == Bag{} }

// Share is the part of b that n of a whole of parts bear, each amount rounded
// to the minor unit, halves away from zero. Share(n) - Share(m) is what n-m
// parts bear when they leave, so that shares given back always sum.
func (b Bag) Share(n, whole int64) Bag {
	if whole == 0 {
		return Bag{}
	}
	return Bag{ratio(b.Shop, n, whole), ratio(b.Presentment, n, whole)}
}

// portion is the part of b that keeps its proportion to part of whole, reckoned
// in each currency by itself. Where whole is nothing, so is the portion.
func (b Bag) portion(part, whole Bag) Bag {
	return Bag{
		Shop:        b.Share(part.Shop, whole.Shop).Shop,
		Presentment: b.Share(part.Presentment, whole.Presentment).Presentment,
	}
}

// atMost cuts both amounts at limit's.
func (b Bag) atMost(limit Bag) Bag {
	return Bag{min(b.Shop, limit.Shop), min(b.Presentment, limit.Presentment)}
}

// ratio is a·n/d rounded half away from zero; d is positive.
func ratio(a, n, d int64) int64 {
	p := a * n
	if p < 0 {
		return -((-2*p + d) / (2 * d))
	}
	return (2*p + d) / (2 * d)
}

// spread splits total over the weights to the minor unit: the parts sum to
// total and no part exceeds its weight where total does not exceed their sum.
func spread(total Bag, weights []Bag) []Bag {
	shop, presentment := make([]int64, len(weights)), make([]int64, len(weights))
	for i, w := range weights {
		shop[i], presentment[i] = w.Shop, w.Presentment
	}
	shop, presentment = spreadMinor(total.Shop, shop), spreadMinor(total.Presentment, presentment)
	parts := make([]Bag, len(weights))
	for i := range parts {
		parts[i] = Bag{shop[i], presentment[i]}
	}
	return parts
}

// spreadMinor gives everyone the floor of a fair share, then one unit more to
// those who lost most by it.
func spreadMinor(total int64, weights []int64) []int64 {
	var sum int64
	for _, w := range weights {
		sum += w
	}
	parts := make([]int64, len(weights))
	if sum == 0 {
		return parts
	}
	left, order := total, make([]int, len(weights))
	for i, w := range weights {
		parts[i], order[i] = total*w/sum, i
		left -= parts[i]
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return cmp.Compare(total*weights[j]%sum, total*weights[i]%sum)
	})
	for _, i := range order[:left] {
		parts[i]++
	}
	return parts
}

// digits is the number of decimals of a currency (ISO 4217).
func digits(currency string) int {
	switch currency {
	case "JPY", "KRW", "CLP":
		return 0
	case "KWD", "BHD", "JOD", "TND":
		return 3
	}
	return 2
}

// fixed writes minor units with all digits of the currency, as REST bodies do:
// "20.00", "1500", "1.250".
func fixed(minor int64, currency string) string {
	d := digits(currency)
	s := strconv.FormatInt(max(minor, -minor), 10)
	if d > 0 {
		if len(s) <= d {
			s = strings.Repeat("0", d+1-len(s)) + s
		}
		s = s[:len(s)-d] + "." + s[len(s)-d:]
	}
	if minor < 0 {
		return "-" + s
	}
	return s
}

// short writes minor units as GraphQL does: no more digits than needed, but at
// least one ("20.0", "1500.0", "1.25").
func short(minor int64, currency string) string {
	s := fixed(minor, currency)
	if !strings.Contains(s, ".") {
		return s + ".0"
	}
	s = strings.TrimRight(s, "0")
	if strings.HasSuffix(s, ".") {
		s += "0"
	}
	return s
}

// fraction writes n·10^-d without trailing zeros ("0.21", "0.08875", "15").
func fraction(n int64, d int) string {
	s := strconv.FormatInt(n, 10)
	if len(s) <= d {
		s = strings.Repeat("0", d+1-len(s)) + s
	}
	s = s[:len(s)-d] + "." + s[len(s)-d:]
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
