package shopifytest

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// All of these are invented.
var (
	firstNames = []string{"Ana", "Björn", "Chloé", "Dmitri", "Edith", "Фёдор", "Gülşen", "晴香", "İpek", "João", "Kateřina", "ليلى", "Mbali", "Nuño", "Oona", "Þór"}
	lastNames  = []string{"Abernathy", "O’Brien", "Çelik", "D'Souza", "Engström", "Иванова", "García y López", "田中", "von der Heide", "Nguyễn", "Müller-Łukasz", "الصباح"}
	companies  = []string{"", "", "", "Kontor & Söhne GmbH", "Blue \"Door\" Ltd", "株式会社 みなと"}
	streets    = []string{"Kastanienallee %d", "%d Harbour Road", "Calle de la Luna %d", "本町%d丁目"}
	words      = []string{"Please ring twice", "For Łucja, with ❤", "No plastic, merci", "Leave at the back door;\nbeware of the goose", "O'Hara & Sons <gift>"}
	tags       = []string{"wholesale", "vip", "gift", "überprüfen", "fragile", "B2B"}
	gateways   = []string{"shopify_payments", "shopify_payments", "paypal", "manual"}
)

var shippingRates = []struct {
	title, code string
	price       int64
}{
	{"Standard", "STD", 590}, {"Express", "EXP", 1495}, {"Économique", "", 375}, {"Abholung", "PICKUP", 0},
}

// pick chooses one of several.
func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// addPeople gives the order a customer and addresses. Sales over the counter
// often have neither, and guests have no customer.
func (g *Generator) addPeople(d draft) {
	if d.till && g.chance(70) {
		return
	}
	first, last := pick(g.r, firstNames), pick(g.r, lastNames)
	id := g.id()
	d.Email = fmt.Sprintf("buyer%d@example.com", id)
	if g.chance(30) {
		d.Phone = fmt.Sprintf("+1555%07d", g.r.IntN(10_000_000))
	}
	if g.chance(90) {
		d.Customer = &Customer{ID: id, FirstName: first, LastName: last, Email: d.Email, Phone: d.Phone}
		if g.chance(10) {
			d.Customer.Tags = []string{"repeat"}
		}
	}
	if d.till {
		return
	}
	d.Billing = g.address(first, last, d.region.Place)
	if len(d.ShippingLines) == 0 {
		return
	}
	d.Shipping = d.Billing
	if g.chance(20) {
		d.Shipping = g.address(pick(g.r, firstNames), pick(g.r, lastNames), d.region.Place)
	}
}

func (g *Generator) address(first, last string, at *Place) *Address {
	a := &Address{FirstName: first, LastName: last, Company: pick(g.r, companies), Place: at}
	a.Address1 = fmt.Sprintf(pick(g.r, streets), 1+g.r.IntN(200))
	if g.chance(15) {
		a.Address2 = fmt.Sprintf("Apt. %d", g.r.IntN(40))
	}
	if g.chance(40) {
		a.Phone = fmt.Sprintf("+1555%07d", g.r.IntN(10_000_000))
	}
	return a
}

// addWords adds note, tags, attributes and a purchase order number.
func (g *Generator) addWords(d draft) {
	if g.chance(15) {
		d.Note = pick(g.r, words)
	}
	for range g.r.IntN(3) {
		addTag(d.Order, pick(g.r, tags))
	}
	if g.chance(10) {
		d.Attributes = []Attribute{{"gift_wrap", "yes"}, {"Grußkarte", pick(g.r, words)}}
	}
	if g.chance(5) {
		d.PONumber = fmt.Sprintf("PO-%05d", g.r.IntN(100_000))
	}
}

// addTag keeps tags in alphabetical order, ignoring case, and each only once.
func addTag(o *Order, tag string) {
	for i, t := range o.Tags {
		switch strings.Compare(strings.ToLower(t), strings.ToLower(tag)) {
		case 0:
			return
		case 1:
			o.Tags = append(o.Tags[:i:i], append([]string{tag}, o.Tags[i:]...)...)
			return
		}
	}
	o.Tags = append(o.Tags, tag)
}
