package tryton

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"gapless/erp"
)

// people are the party of a sale and its two addresses.
type people struct {
	party, invoice, shipment any // ids; in a plan, words for what is yet to be made
}

// people finds party and addresses, and makes them where they are missing.
func (a *Adapter) people(ctx context.Context, c conn, d document) (people, error) {
	party, err := a.party(ctx, c, *d.Party)
	if err != nil {
		return people{}, err
	}
	invoice, err := a.address(ctx, c, party, d.Invoice)
	if err != nil {
		return people{}, err
	}
	shipment, err := a.address(ctx, c, party, d.Shipment)
	return people{party, invoice, shipment}, err
}

// party finds or makes the party. Its code is unique in Tryton: of several
// that make it at the same time one succeeds, and the others then find it.
func (a *Adapter) party(ctx context.Context, c conn, p party) (int64, error) {
	id, found, err := a.find(ctx, c, "party.party", "code", p.Code)
	if err != nil || found {
		return id, err
	}
	var ids []int64
	if err = c.write(ctx, &ids, createParty(p)); err == nil && len(ids) == 1 {
		return ids[0], nil
	}
	var f *failure
	if !errors.As(err, &f) || f.result == erp.Unknown {
		return 0, orUnknown(err, "Tryton did not say which party it made")
	}
	id, found, again := a.find(ctx, c, "party.party", "code", p.Code)
	if again != nil || found {
		return id, again
	}
	return 0, err
}

// orUnknown is err or, where the answer was empty, an Unknown with the reason.
func orUnknown(err error, empty string) error {
	if err != nil {
		return err
	}
	return &failure{result: erp.Unknown, reason: empty}
}

func createParty(p party) request {
	v := values{"code": p.Code, "name": p.Name}
	var ways []any
	if p.Email != "" {
		ways = append(ways, values{"type": "email", "value": p.Email})
	}
	if p.Phone != "" {
		// "other": Tryton may refuse as a phone what a customer typed as one.
		ways = append(ways, values{"type": "other", "name": "Phone", "value": p.Phone})
	}
	if ways != nil {
		v["contact_mechanisms"] = []any{[]any{"create", ways}}
	}
	return ask("model.party.party.create", []any{v})
}

// address finds or makes the address among the party's. Without one it is the
// party's first, which may be blank: Tryton quotes no sale without any.
func (a *Adapter) address(ctx context.Context, c conn, party int64, want *address) (int64, error) {
	v, err := a.addressValues(ctx, c, want)
	if err != nil {
		return 0, err
	}
	key := fmt.Sprint("address ", party, v)
	if r, known := a.known.get(key); known {
		return r.id, nil
	}
	var rows []struct {
		ID int64 `json:"id"`
	}
	if err := c.read(ctx, &rows, findAddress(party, v)); err != nil {
		return 0, err
	}
	var ids []int64
	if len(rows) > 0 {
		ids = []int64{rows[0].ID}
	} else if err := c.write(ctx, &ids, createAddress(party, v)); err != nil || len(ids) != 1 {
		return 0, orUnknown(err, "Tryton did not say which address it made")
	}
	a.known.put(key, record{id: ids[0]})
	return ids[0], nil
}

func findAddress(party int64, v values) request {
	domain := []any{[]any{"party", "=", party}}
	for _, field := range []string{"party_name", "street", "postal_code", "city", "country", "subdivision"} {
		if value, told := v[field]; told {
			domain = append(domain, []any{field, "=", value})
		}
	}
	return search("party.address", domain)
}

func createAddress(party any, v values) request {
	made := values{"party": party}
	maps.Copy(made, v)
	return ask("model.party.address.create", []any{made})
}

// addressValues are the address's fields, empty ones as null; none without an
// address. A province Tryton does not know follows the city.
func (a *Adapter) addressValues(ctx context.Context, c conn, want *address) (values, error) {
	if want == nil {
		return values{}, nil
	}
	v := values{
		"party_name": orNull(want.Name), "street": orNull(want.Street), "postal_code": orNull(want.PostalCode),
		"city": orNull(want.City), "country": nil, "subdivision": nil,
	}
	if want.Country != "" {
		country, found, err := a.find(ctx, c, "country.country", "code", want.Country)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, &erp.Problem{
				Reason: "Tryton has no country " + want.Country, Field: want.Field + ".country_code",
				Hint: "load the countries into Tryton: trytond_import_countries -d DATABASE",
			}
		}
		v["country"] = country
	}
	if want.Subdivision != "" {
		part, found, err := a.find(ctx, c, "country.subdivision", "code", want.Subdivision)
		if err != nil {
			return nil, err
		}
		if found {
			v["subdivision"] = part
			return v, nil
		}
	}
	if want.Province != "" && !strings.Contains(want.City, want.Province) {
		v["city"] = orNull(strings.TrimPrefix(want.City+", "+want.Province, ", "))
	}
	return v, nil
}

// orNull is nil for an empty text, as Tryton stores it.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
